"""Metrics to a statsd server, by UDP or a Unix datagram socket, from one process for all workers.

Facts.
    Datagrams are lost without a word, and whoever sends one per request spends more on telling than
    on answering.
Decision.
    Every :data:`INTERVAL` a thread looks at the board and sends what has changed: counters as their
    difference, everything else as a gauge.  Durations have been put into buckets by then; what is
    sent is the median and the 95th and 99th percentile of the interval, in milliseconds.
Price.
    What happens in the last interval before a process is killed is not sent.

Lines are ``name:value|kind``, with tags as DogStatsD writes them if there are any; as many go into
one datagram as fit into an Ethernet frame.
"""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from stein.observe.metrics import STATUS_CLASSES, oldest
from stein.snapshot import OUTCOMES, RESTART_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stein.snapshot import Snapshot

__all__ = ["INTERVAL", "Statsd", "datagrams", "lines_between"]

logger: Final = logging.getLogger("stein.error")

#: Seconds between two looks; what statsd flushes by, too, unless told otherwise.
INTERVAL: Final = 10.0
#: Bytes of a datagram that are not cut on their way: an Ethernet frame less the headers of IPv6.
LARGEST: Final = 1432
#: Which shares of the requests the durations are told of.
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
#: How long close() waits for a name server that does not answer, in seconds.
FAREWELL: Final = 2.0


class Statsd:
    """Sends until it is closed, on a thread of its own.

    :param address: ``HOST:PORT`` or ``unix:PATH``.  A host's name is looked up anew each time, as
        it may move.
    :param look: reads the board.
    :param prefix: what names begin with.
    :param tags: as ``name:value``.
    :param memory: tells the resident memory of a process in bytes; 0: not known.
    :param interval: seconds between two looks.
    """

    def __init__(  # noqa: PLR0913 - what to send, where to, and how it is called
        self,
        address: str,
        look: Callable[[], Snapshot],
        *,
        prefix: str = "stein",
        tags: Sequence[str] = (),
        memory: Callable[[int], int] = lambda _: 0,
        interval: float = INTERVAL,
    ) -> None:
        self._address = address
        self._look = look
        self._prefix = f"{prefix.rstrip('.')}." if prefix else ""
        self._suffix = f"|#{','.join(tags)}" if tags else ""
        self._memory = memory
        self._interval = interval
        self._before = look()
        self._failing = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stein-statsd", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is left and end the thread.  Any thread; a second call does nothing."""
        self._closing.set()
        self._thread.join(FAREWELL)

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            self._send()
        self._send()

    def _send(self) -> None:
        """Tell what changed; a server that cannot be reached is told of once."""
        try:
            before, self._before = self._before, self._look()
            lines = [
                f"{self._prefix}{line}{self._suffix}"
                for line in lines_between(before, self._before, self._memory)
            ]
            self._send_all(datagrams(lines))
        except (OSError, ValueError) as error:  # ValueError: the board was closed at the end
            if not self._failing and not self._closing.is_set():
                self._failing = True
                logger.warning(
                    "statsd=%s cannot be reached (%s); it is tried again every %g s",
                    self._address, error, self._interval,
                )  # fmt: skip
        else:
            self._failing = False

    def _send_all(self, data: Iterable[bytes]) -> None:
        family, address = self._resolve()
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(address)
            for each in data:
                sock.send(each)

    def _resolve(self) -> tuple[int, Any]:
        if self._address.startswith("unix:"):
            return socket.AF_UNIX, self._address.removeprefix("unix:")
        host, _, port = self._address.rpartition(":")
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
        return found[0][0], found[0][4]


def lines_between(
    before: Snapshot, after: Snapshot, memory: Callable[[int], int] = lambda _: 0
) -> Iterator[str]:
    """Give ``name:value|kind`` for what happened between two looks, and how things are."""
    old, new = before.total, after.total
    for name, was, now in zip(STATUS_CLASSES, old.statuses, new.statuses, strict=True):
        yield from counted(f"requests.{name}", was, now)
    for name, was, now in zip(OUTCOMES, old.outcomes, new.outcomes, strict=True):
        yield from counted(f"outcomes.{name}", was, now)
    yield from counted("connections.accepted", old.accepted, new.accepted)
    yield from counted("threads.given_up", old.lost_threads, new.lost_threads)
    for reason in RESTART_REASONS:
        was, now = before.restarts.get(reason, 0), after.restarts.get(reason, 0)
        yield from counted(f"restarts.{reason}", was, now)
    for name, took in (
        ("duration", new.duration - old.duration),
        ("queue", new.queue - old.queue),
    ):
        if took.count:
            for shown, share in QUANTILES.items():
                yield gauged(f"requests.{name}.{shown}", took.quantile(share) * 1000)
    workers = after.workers
    yield gauged("workers.ready", sum(worker.state == "ready" for worker in workers))
    yield gauged("threads.all", sum(worker.seats for worker in workers))
    yield gauged("threads.busy", sum(worker.busy for worker in workers))
    yield gauged("threads.lost", sum(worker.lost for worker in workers))
    yield gauged("requests.queued", sum(worker.waiting for worker in workers))
    yield gauged("requests.sending", sum(worker.sending for worker in workers))
    ages = (oldest(worker, after.taken) for worker in workers)
    yield gauged("requests.oldest_seconds", max(ages, default=0.0))
    yield gauged("connections.open", sum(worker.connections for worker in workers))
    yield gauged("connections.backlog", max((worker.backlog for worker in workers), default=0))
    for worker in workers:
        size = memory(worker.pid)
        if size:
            yield gauged(f"worker.{worker.index}.resident_bytes", size)


def counted(name: str, before: int, now: int) -> Iterator[str]:
    """Give the line of a counter, if it has moved."""
    if now > before:
        yield f"{name}:{now - before}|c"


def gauged(name: str, value: float) -> str:
    """Return the line of a gauge; none is below zero, which would mean a difference."""
    return f"{name}:{round(max(0.0, value), 3):.15g}|g"


def datagrams(lines: Iterable[str], largest: int = LARGEST) -> Iterator[bytes]:
    """Give lines in packets of at most so many bytes; a longer line goes alone."""
    packet = b""
    for line in lines:
        data = line.encode("utf-8", "backslashreplace")
        if packet and len(packet) + 1 + len(data) > largest:
            yield packet
            packet = b""
        packet = packet + b"\n" + data if packet else data
    if packet:
        yield packet
