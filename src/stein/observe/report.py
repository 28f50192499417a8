"""What is known of a running server at one moment, and what changed between two moments.

A report is made of what the server's control socket answers, or of its board alone, and of what the
system says about its processes.  Whatever shows a server to a person starts from one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from stein.errors import SteinError
from stein.snapshot import (
    BOUNDS,
    OUTCOMES,
    RESTART_REASONS,
    Counters,
    HeldRequest,
    Histogram,
    Snapshot,
    ThreadSnapshot,
    WorkerSnapshot,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Change", "Held", "Report", "UnknownReport", "held_requests", "snapshot_from"]


class UnknownReport(SteinError):  # noqa: N818 - reads as the field says it
    """What came is no report of this version of stein."""


@dataclass(frozen=True, slots=True)
class Report:
    """A server at one moment.

    :param snapshot: what its board shows.
    :param state: ``serving``, ``starting``, ``reloading``, ``paused``, ``stopping``, ….
    :param application: what it serves, as on its command line; empty if that is not known.
    :param generation: how often it has reloaded its program, from 1; 0: it cannot.
    :param wanted: how many workers it is to have.
    :param replacing: why a worker is being replaced, by its place.
    :param memory: resident memory in bytes by process id, as far as known.
    :param processor: processor time used so far in seconds, by process id, as far as known.
    """

    snapshot: Snapshot
    state: str = ""
    application: str = ""
    generation: int = 0
    wanted: int = 0
    replacing: Mapping[int, str] = field(default_factory=dict)
    memory: Mapping[int, int] = field(default_factory=dict)
    processor: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of_board(cls, snapshot: Snapshot, application: str = "") -> Report:
        """Return the report of a server without a control socket.

        :param application: what it serves, if that is known.
        """
        states = [worker.state for worker in snapshot.workers]
        state = "serving" if "ready" in states else states[0] if states else "starting"
        return cls(snapshot, state, application, wanted=len(states))

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> Report:
        """Return the report that the control socket's answer to ``status`` holds.

        :raises UnknownReport: the server is of another version, or it is no such answer.
        """
        try:
            parent = answer["parent"]
            return cls(
                snapshot_from(answer["board"]),
                str(parent["state"]),
                str(parent["application"]),
                int(parent["generation"]),
                int(parent["wanted"]),
                {
                    int(each["place"]): str(each["replace"])
                    for each in answer["workers"]
                    if each["replace"]
                },
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = (
                "the server's answer cannot be read; it may run another version of stein than "
                f"this command ({error!r})"
            )
            raise UnknownReport(message) from error

    @property
    def pids(self) -> list[int]:
        """The process ids of all of its processes, the parent's first."""
        return list(
            dict.fromkeys([self.snapshot.parent, *(each.pid for each in self.snapshot.workers)])
        )

    @property
    def is_supervised(self) -> bool:
        """Whether a parent process sees to the workers; else there is one process alone."""
        return all(worker.pid != self.snapshot.parent for worker in self.snapshot.workers)


@dataclass(frozen=True, slots=True)
class Held:
    """A request that a worker has, and where."""

    request: HeldRequest
    age: float  #: seconds
    worker: int  #: the place of the worker
    thread: str  #: the name of the thread; empty while it waits or is being sent
    state: str  #: ``running``, ``lost``, ``waiting`` or ``sending``


def held_requests(snapshot: Snapshot) -> list[Held]:
    """Return all requests under way, those first that have been longest; lost ones, too."""
    found = []
    for worker in snapshot.workers:
        for thread in worker.threads:
            request = thread.request
            if request is not None and thread.state != "idle":
                state = "lost" if thread.state == "lost" else "running"
                age = max(0.0, snapshot.taken - request.since)
                found.append(Held(request, age, worker.index, thread.name, state))
        for request in worker.held:
            age = max(0.0, snapshot.taken - request.since)
            found.append(Held(request, age, worker.index, "", request.state))
    return sorted(found, key=lambda each: (-each.age, each.worker, each.request.id))


class Change:
    """What happened between two reports of a server.

    :param before: the earlier one; ``None``: since it began.
    :param after: the later one.
    """

    def __init__(self, before: Report | None, after: Report) -> None:
        same = before is not None and before.snapshot.born == after.snapshot.born
        self._before = before if same else None
        self._after = after
        start = after.snapshot.born if self._before is None else self._before.snapshot.taken
        self.seconds = max(0.0, after.snapshot.taken - start)
        old = Counters() if self._before is None else self._before.snapshot.total
        new = after.snapshot.total
        self.requests = max(0, new.requests - old.requests)
        self.duration: Histogram = new.duration - old.duration
        self.queue: Histogram = new.queue - old.queue
        self._workers = (
            {}
            if self._before is None
            else {worker.pid: worker for worker in self._before.snapshot.workers}
        )

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def rate_of(self, worker: WorkerSnapshot) -> float:
        """Requests per second of one worker."""
        before = self._workers.get(worker.pid)
        since = worker.born if before is None else self._after.snapshot.taken - self.seconds
        seconds = self._after.snapshot.taken - since
        earlier = 0 if before is None else before.counters.requests
        return max(0, worker.counters.requests - earlier) / seconds if seconds > 0 else 0.0

    def processor_of(self, pid: int) -> float | None:
        """Which share of one processor a process used, 1.0 for all of it; ``None``: not known."""
        now = self._after.processor.get(pid)
        before = None if self._before is None else self._before.processor.get(pid)
        if now is None or before is None or not self.seconds:
            return None
        return max(0.0, now - before) / self.seconds


# -- from plain values ----------------------------------------------------------------------

_HISTOGRAM: Final = len(BOUNDS) + 1


def snapshot_from(fields: Mapping[str, Any]) -> Snapshot:
    """Return what :func:`dataclasses.asdict` made of a snapshot, after it has been JSON.

    :raises KeyError: a field is missing.
    :raises TypeError: a field is of another kind.
    :raises ValueError: a field is of another length.
    """
    values = _fields(Snapshot, fields)
    values["workers"] = tuple(_worker_from(each) for each in values["workers"])
    values["departed"] = _counters_from(values["departed"])
    restarts = values["restarts"]
    values["restarts"] = {reason: int(restarts.get(reason, 0)) for reason in RESTART_REASONS}
    return Snapshot(**values)


def _fields(kind: type, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a class has; others may come from a later version."""
    return {item.name: fields[item.name] for item in dataclasses.fields(kind)}


def _worker_from(fields: Mapping[str, Any]) -> WorkerSnapshot:
    values = _fields(WorkerSnapshot, fields)
    values["counters"] = _counters_from(values["counters"])
    values["threads"] = tuple(_thread_from(each) for each in values["threads"])
    values["held"] = tuple(HeldRequest(**_fields(HeldRequest, each)) for each in values["held"])
    return WorkerSnapshot(**values)


def _thread_from(fields: Mapping[str, Any]) -> ThreadSnapshot:
    values = _fields(ThreadSnapshot, fields)
    request = values["request"]
    if request is not None:
        values["request"] = HeldRequest(**_fields(HeldRequest, request))
    return ThreadSnapshot(**values)


def _counters_from(fields: Mapping[str, Any]) -> Counters:
    values = _fields(Counters, fields)
    values["statuses"] = _numbers(values["statuses"], 6)
    values["outcomes"] = _numbers(values["outcomes"], len(OUTCOMES))
    for name in ("duration", "queue"):
        counts = _numbers(values[name]["counts"], _HISTOGRAM)
        values[name] = Histogram(counts, float(values[name]["sum"]))
    return Counters(**values)


def _numbers(values: Any, count: int) -> tuple[int, ...]:
    if len(values) != count:
        message = f"{count} numbers are wanted, and {len(values)} came"
        raise ValueError(message)
    return tuple(map(int, values))
