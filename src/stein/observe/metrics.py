"""What a server tells Prometheus, made from one look at its board.

Facts.
    Counters must not fall, or Prometheus takes the process for restarted; and whatever it adds up
    over time must be counted once.  Workers come and go, and their process ids with them.
Decision.
    What is counted is given for the whole server, workers that are gone included: it grows through
    reloads and recycling, and any worker that is asked gives the same.  What is per worker is
    labelled with its place on the board, 0 to N-1 and a few more during a reload, so a restart
    makes no new series.  There are no files, and nothing to clean up.
Price.
    ``stein_worker_requests_total`` begins anew with each process in a place, as Prometheus expects
    of a process; sums over time are to be made of ``stein_requests_total``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stein.observe.exposition import (
    CONTENT_TYPE,
    Family,
    Sample,
    counter,
    gauge,
    histogram,
    render,
)
from stein.snapshot import BOUNDS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.snapshot import Snapshot, WorkerSnapshot

__all__ = ["CONTENT_TYPE", "STATUS_CLASSES", "exposition", "families"]

#: Names of the classes of statuses that :class:`~stein.snapshot.Counters` counts, in its order.
STATUS_CLASSES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")

# The states of a place that somebody holds.
_STATES: Final = ("booting", "ready", "draining", "gone")


def exposition(
    snapshot: Snapshot, memory: Callable[[int], int] = lambda _: 0, version: str = ""
) -> str:
    """Return the text that Prometheus scrapes.

    :param snapshot: what the board shows.
    :param memory: tells the resident memory of a process in bytes; 0: not known, and left out.
    :param version: of stein.
    """
    return render(families(snapshot, memory, version))


def families(
    snapshot: Snapshot, memory: Callable[[int], int] = lambda _: 0, version: str = ""
) -> Iterator[Family]:
    """Give all metrics, in the order of the page."""
    yield from _of_server(snapshot, memory, version)
    yield from _of_requests(snapshot)
    yield from _of_workers(snapshot, memory)


def _of_server(snapshot: Snapshot, memory: Callable[[int], int], version: str) -> Iterator[Family]:
    began = snapshot.wall - (snapshot.taken - snapshot.born)
    yield Family(
        "stein_info", "The version of the server.", "gauge", [Sample(1, {"version": version})]
    )
    yield gauge(
        "stein_start_time_seconds",
        "When the server began, in seconds since 1970.",
        {"": round(began, 2)},
    )
    states = [worker.state for worker in snapshot.workers]
    yield gauge(
        "stein_workers",
        "Worker processes, by what they are doing.",
        {state: states.count(state) for state in _STATES},
        "state",
    )
    yield counter(
        "stein_worker_restarts_total",
        "Worker processes that were replaced or ended, by reason.",
        snapshot.restarts,
        "reason",
    )
    # Listeners are shared, so all workers see the same queue.
    yield gauge(
        "stein_backlog_connections",
        "Connections in the kernel's queue that no worker has accepted yet.",
        {"": max((worker.backlog for worker in snapshot.workers), default=0)},
    )
    if all(worker.pid != snapshot.parent for worker in snapshot.workers):
        size = memory(snapshot.parent)
        yield gauge(
            "stein_parent_resident_memory_bytes",
            "Resident memory of the parent process.",
            {"": size} if size else {},
        )


def _of_requests(snapshot: Snapshot) -> Iterator[Family]:
    total = snapshot.total
    yield counter(
        "stein_requests_total",
        "Requests that have ended, by the class of their status; none: without an answer.",
        dict(zip(STATUS_CLASSES, total.statuses, strict=True)),
        "status",
    )
    yield counter(
        "stein_request_outcomes_total",
        "Requests that have ended, by how; see the settings' page.",
        dict(zip(OUTCOMES, total.outcomes, strict=True)),
        "outcome",
    )
    yield histogram(
        "stein_request_duration_seconds",
        "From a request's last byte to the last byte of its response handed over.",
        BOUNDS,
        total.duration.cumulative,
        total.duration.sum,
    )
    yield histogram(
        "stein_request_queue_seconds",
        "How long requests waited for a free thread.",
        BOUNDS,
        total.queue.cumulative,
        total.queue.sum,
    )
    yield counter("stein_connections_accepted_total", "Connections accepted.", {"": total.accepted})
    yield counter(
        "stein_lost_threads_total",
        "Threads given up because their request ran past its time-out.",
        {"": total.lost_threads},
    )


def _of_workers(snapshot: Snapshot, memory: Callable[[int], int]) -> Iterator[Family]:
    workers = {str(worker.index): worker for worker in snapshot.workers}

    def each(name: str, help: str, value: Callable[[WorkerSnapshot], float]) -> Family:  # noqa: A002 - the format's word
        values = {place: value(worker) for place, worker in workers.items()}
        return gauge(f"stein_worker_{name}", help, values, "worker")

    offset = snapshot.wall - snapshot.taken
    yield counter(
        "stein_worker_requests_total",
        "Requests that the worker process in this place has ended.",
        {place: worker.counters.requests for place, worker in workers.items()},
        "worker",
    )
    yield each("threads", "Calls that may run at once.", lambda worker: worker.seats)
    yield each("busy_threads", "Calls that run.", lambda worker: worker.busy)
    yield each("lost_threads", "Threads in calls past their time-out.", lambda worker: worker.lost)
    yield each("queued_requests", "Requests that wait for a thread.", lambda worker: worker.waiting)
    yield each(
        "sending_responses",
        "Responses that are complete and wait for a slow client.",
        lambda worker: worker.sending,
    )
    yield each(
        "oldest_request_seconds",
        "For how long the oldest request has been in a thread or waited for one.",
        lambda worker: oldest(worker, snapshot.taken),
    )
    yield each("connections", "Connections that are open.", lambda worker: worker.connections)
    yield each(
        "start_time_seconds",
        "When the worker process began, in seconds since 1970.",
        lambda worker: round(worker.born + offset, 2),
    )
    sizes = {place: memory(worker.pid) for place, worker in workers.items()}
    yield gauge(
        "stein_worker_resident_memory_bytes",
        "Resident memory of the worker process.",
        {place: size for place, size in sizes.items() if size},
        "worker",
    )


def oldest(worker: WorkerSnapshot, now: float) -> float:
    """Return for how many seconds a worker's oldest request is there; 0.0 without one.

    One that is being sent to a slow client does not count: nothing is stuck by it.
    """
    since = [each.since for each in worker.requests if each.state != "sending"]
    return max(0.0, now - min(since, default=now))
