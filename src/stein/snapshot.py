"""What a server was doing at one moment: plain values, read from its board.

Whoever shows a server (metrics, ``stein status``, ``stein top``, the supervisor's log) takes these;
whoever fills them in is :mod:`stein.server.board`.  Moments are seconds of the monotonic clock,
which on Linux and macOS is one for all processes of the machine, unless a name says ``wall``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BOUNDS",
    "OUTCOMES",
    "RESTART_REASONS",
    "WORKER_STATES",
    "Counters",
    "HeldRequest",
    "Histogram",
    "Snapshot",
    "ThreadSnapshot",
    "WorkerSnapshot",
]

#: Upper bounds of the histograms' buckets, in seconds; one bucket more holds what is longer.
BOUNDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0
)  # fmt: skip

#: How an exchange can end; the access log's page says what each means.
OUTCOMES: Final = (
    "ok",
    "client_gone",
    "head_timeout",
    "body_timeout",
    "write_timeout",
    "queue_timeout",
    "queue_full",
    "request_timeout",
    "bad_request",
    "limit",
    "app_error",
    "cut_off",
    "stopped",
    "killed",
)

#: Why a worker process was replaced or ended; what fits none of these is counted as "other".
RESTART_REASONS: Final = (
    "other",
    "reload",
    "upgrade",
    "scale",
    "max_requests",
    "max_rss",
    "max_lifetime",
    "lost_threads",
    "no_heartbeat",
    "crashed",
    "killed",
    "oom",
    "boot_failed",
)

#: What a place for a worker can be: nobody's, or held by a process in one of these states.
WORKER_STATES: Final = ("free", "booting", "ready", "draining", "gone")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many took how long.

    :param counts: one number per bucket, not added up: those at most ``BOUNDS[i]`` and above the
        bound before; the last one has those above all bounds.
    :param sum: all durations together, in seconds.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    sum: float = 0.0

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    @property
    def cumulative(self) -> tuple[int, ...]:
        """As Prometheus wants it: those at most each bound, and at last all."""
        return tuple(accumulate(self.counts))

    def quantile(self, share: float) -> float:
        """The duration that ``share`` of all did not exceed, as far as the buckets tell.

        Interpolated inside its bucket; above the last bound the last bound is all that is known.

        :param share: 0.99 for the 99th percentile.
        :return: seconds; 0.0 if there were none.
        """
        wanted = share * self.count
        below, seen = 0.0, 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            if count and seen + count >= wanted:
                return below + (bound - below) * max(0.0, wanted - seen) / count
            below, seen = bound, seen + count
        return BOUNDS[-1] if self.count else 0.0

    def __add__(self, other: Histogram) -> Histogram:
        """Both together."""
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return Histogram(counts, self.sum + other.sum)

    def __sub__(self, earlier: Histogram) -> Histogram:
        """What came since an earlier reading of the same histogram; never below zero."""
        pairs = zip(self.counts, earlier.counts, strict=True)
        return Histogram(tuple(max(0, a - b) for a, b in pairs), max(0.0, self.sum - earlier.sum))


@dataclass(frozen=True, slots=True)
class Counters:
    """What has been counted since a worker began; they only grow.

    :param statuses: requests by the first digit of their status; ``statuses[0]`` got no answer.
    :param outcomes: requests by how they ended, in the order of :data:`OUTCOMES`.
    :param accepted: connections.
    :param lost_threads: threads given up because their request ran past its time-out.
    :param duration: from the request's last byte to the last byte of its response handed over,
        or as far as it came; all requests that reached the application.
    :param queue: how much of that they waited for a free thread.
    """

    statuses: tuple[int, ...] = (0,) * 6
    outcomes: tuple[int, ...] = (0,) * len(OUTCOMES)
    accepted: int = 0
    lost_threads: int = 0
    duration: Histogram = field(default_factory=Histogram)
    queue: Histogram = field(default_factory=Histogram)

    @property
    def requests(self) -> int:
        """All requests that have ended, however."""
        return sum(self.outcomes)

    def outcome(self, name: str) -> int:
        """How many ended so, e.g. ``"client_gone"``."""
        return self.outcomes[OUTCOMES.index(name)]

    def __add__(self, other: Counters) -> Counters:
        """Both together."""
        return Counters(
            tuple(a + b for a, b in zip(self.statuses, other.statuses, strict=True)),
            tuple(a + b for a, b in zip(self.outcomes, other.outcomes, strict=True)),
            self.accepted + other.accepted,
            self.lost_threads + other.lost_threads,
            self.duration + other.duration,
            self.queue + other.queue,
        )


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """A request that a worker has and has not answered in full.

    :param method: e.g. ``GET``.
    :param target: as the client wrote it, query included; cut when very long.
    :param protocol: e.g. ``HTTP/1.1``; empty when the target was cut.
    :param peer: the client's address.
    :param connection: the number of its connection in its worker, as the access log has it.
    :param number: the how-manieth request of its connection.
    :param since: when the application was entered, or the wait began.
    :param state: ``running`` in a thread, ``waiting`` for one, or ``sending``: complete, but its
        client takes it slowly.
    """

    method: str
    target: str
    protocol: str
    peer: str
    connection: int
    number: int
    since: float
    state: str = "running"

    @property
    def path(self) -> str:
        """The target without its query, which may hold what is not to be shown."""
        return self.target.partition("?")[0]

    @property
    def id(self) -> str:
        """Names the request inside its worker: ``connection-number``."""
        return f"{self.connection}-{self.number}"


@dataclass(frozen=True, slots=True)
class ThreadSnapshot:
    """One thread of a worker.

    :param index: its place on the board.
    :param name: e.g. ``stein-3``.
    :param native_id: the number by which the operating system (``top -H``, ``py-spy``) knows it.
    :param state: ``idle``, ``busy``, or ``lost``: given up, its request long answered.
    :param request: what it is busy with.
    """

    index: int
    name: str
    native_id: int
    state: str
    request: HeldRequest | None


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """One worker process.

    :param index: its place on the board; the next process in that place has the same.
    :param pid: its number; 0 if the place is free.
    :param generation: which version of the program it runs, counted by the supervisor.
    :param state: one of :data:`WORKER_STATES`.
    :param born: when it took its place.
    :param ready: when it began to serve; 0.0 if it does not yet.
    :param beat: when it was last known to be alive.  Written at least every second while there is a
        request in a thread, except with ``threads=1`` while the one thread is in a call.
    :param seats: how many calls may run at once.
    :param busy: how many seats are taken by calls; without the short ones that the thread that
        reads from clients runs itself.
    :param waiting: complete requests that wait for a seat.
    :param sending: responses that are complete and wait for a slow client.
    :param connections: open ones.
    :param backlog: connections in the kernel's queue that nobody has accepted yet, as seen last
        by this worker; of listeners that all share, all see the same.  TCP on Linux only.
    :param lost: threads that are lost at present.
    :param recycle: why the worker asks to be replaced, one of :data:`RESTART_REASONS`, or "".
    :param counters: as published last, at most a tenth of a second ago.
    :param threads: those that have begun.
    :param held: requests that no thread is busy with: waiting, or being sent.  No more of them
        than there is space for; ``waiting`` and ``sending`` count all.
    """

    index: int
    pid: int = 0
    generation: int = 0
    state: str = "free"
    born: float = 0.0
    ready: float = 0.0
    beat: float = 0.0
    seats: int = 0
    busy: int = 0
    waiting: int = 0
    sending: int = 0
    connections: int = 0
    backlog: int = 0
    lost: int = 0
    recycle: str = ""
    counters: Counters = field(default_factory=Counters)
    threads: tuple[ThreadSnapshot, ...] = ()
    held: tuple[HeldRequest, ...] = ()

    @property
    def free(self) -> int:
        """Seats that a further call could have."""
        return max(0, self.seats - self.busy)

    @property
    def saturated(self) -> bool:
        """Whether requests wait for a seat."""
        return self.waiting > 0

    @property
    def requests(self) -> tuple[HeldRequest, ...]:
        """All that would be lost with the process: in a thread, waiting, or being sent."""
        running = (each.request for each in self.threads if each.state == "busy")
        return (*(each for each in running if each is not None), *self.held)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of a server.

    :param taken: when.
    :param wall: when, in seconds of the wall clock.
    :param parent: process number of whoever made the board.
    :param born: when the board was made.
    :param capacity: how many workers there is space for.
    :param workers: those whose place is taken, in order.
    :param departed: what workers counted that are no more.
    :param restarts: how many workers were replaced or ended, by reason; each has its number.
    """

    taken: float
    wall: float
    parent: int
    born: float
    capacity: int
    workers: tuple[WorkerSnapshot, ...]
    departed: Counters
    restarts: dict[str, int]

    @property
    def total(self) -> Counters:
        """What all workers counted, also those that are no more."""
        return add_up([self.departed, *(worker.counters for worker in self.workers)])


def add_up(counters: Iterable[Counters]) -> Counters:
    """Several workers' counters together."""
    return sum(counters, Counters())
