"""The access log: one line for every exchange, whatever became of it.

Facts: a request costs ten microseconds; a formatted line costs one, a write may cost a
millisecond on a busy disk and minutes on a pipe that nobody empties.

Danger: a log that is written by the thread that answers makes every client wait for the disk.

Decision: the answering thread does one append to a queue.  A daemon thread, the *writer*,
formats and writes in batches; it naps between them and parks when there is nothing to do, and
only the request that finds it parked pays for waking it.  Batches are small, because formatting
holds the interpreter lock, and writing one gives it up.

Price: a line appears up to :data:`INTERVAL` after its request, and a process that is killed
takes the last ones with it.  When the sink does not keep up, the queue fills and further lines
are dropped; they are counted, and the error log says how many and why.  The writer wants the
interpreter lock while requests do: hello world on one core, 32 connections, falls from 84,000
to 64,000 requests/s and its p99 rises from 0.7 to 1.5 ms.  Tried beside it: writing all that
waits without the naps of :data:`PACE` (65,000, p99 5.4 ms); formatting in the answering thread
(71,000 and p99 as here, but for ``json`` 32,000 instead of 42,000, and each request pays).
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Self, TextIO

from stein.errors import ConfigurationError
from stein.observe.lines import LOGGED_FIELDS, make_formatter
from stein.observe.sinks import LoggerSink, Sink, make_sink

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from stein.http.exchange import Exchange

__all__ = ["OUTCOMES", "AccessLog"]

#: How an exchange can end, as logged in its ``outcome``.
OUTCOMES: Final[dict[str, str]] = {
    "ok": "the response was handed to the operating system in full",
    "client_gone": "the client closed its connection before it had the whole response; status "
    "499 if it had none of it",
    "head_timeout": "the request head was not complete within head_timeout",
    "body_timeout": "the request body fell silent for body_timeout, or came slower than "
    "body_min_rate",
    "write_timeout": "the client took not one byte of its response for write_timeout",
    "queue_timeout": "no thread was free within queue_timeout; answered 503",
    "bad_request": "the request broke a rule of HTTP; answered 400 or what fits better",
    "limit": "the request was larger than a limit; answered 413, 414 or 431",
    "app_error": "the application raised an exception before its response began; answered 500",
    "cut_off": "the response broke off after it had begun, because the application raised or "
    "gave another length than it had announced",
    "stopped": "the server stopped before the exchange was complete",
}

#: Longest nap while there is traffic, in seconds.
INTERVAL: Final = 0.05
#: Nap between two batches while the queue is short; it lets the requests pass.
PACE: Final = 0.001
#: With more lines than this in the queue the writer does not nap: it is falling behind.
BEHIND: Final = 2048
#: With more exchanges than this in the queue, further ones are slimmed before they are queued.
CROWDED: Final = 4096
#: After so many naps without a line the writer parks.
QUIET_NAPS: Final = 20
#: How long close() waits for a sink that does not take the last lines, in seconds.
FAREWELL: Final = 5.0

REOPEN: Final = "reopen"
WAKE: Final = "wake"


class Client:
    """What the log says of a connection."""

    __slots__ = ("id", "peer")

    def __init__(self, number: int, peer: str) -> None:
        self.id = number
        self.peer = peer


def slim(exchange: Exchange) -> Exchange:
    """Return a copy of an exchange that keeps only what is logged."""
    copied = copy.copy(exchange)
    copied.variables = {
        name: exchange.variables[name] for name in LOGGED_FIELDS if name in exchange.variables
    }
    copied.connection = Client(exchange.connection.id, exchange.connection.peer)
    return copied


class AccessLog:
    """Writes one line per exchange, without making any exchange wait.

    Pass :attr:`observe` (or the log itself, which is a little slower to call) to the server as
    its observer.  Make the log after forking: its thread stays with the process that made it.

    If the logger ``stein.access`` has handlers of its own, lines go there and not to the sink;
    this is looked up for every batch, so it may be configured at any time.

    :param format: ``combined``, ``json`` or ``dev``; see :mod:`stein.observe.lines`.
    :param stream_or_path: an open text stream, which stays the caller's, or a file to append to.
    :param colour: whether ``dev`` colours the status.
    :param capacity: how many exchanges may wait for the writer; beyond the first
        :data:`CROWDED` they are slimmed to about a kilobyte each.
    :raises ConfigurationError: for an unknown format or a file that cannot be opened.
    """

    def __init__(
        self,
        format: str,  # noqa: A002 - the flag's word
        stream_or_path: TextIO | str | os.PathLike[str],
        colour: bool = False,  # noqa: FBT001, FBT002 - the agreed signature
        *,
        capacity: int = 32768,
    ) -> None:
        try:
            self._lines = make_formatter(format, colour=colour)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._own_sink = make_sink(stream_or_path)
        self._user_sink = LoggerSink(logging.getLogger("stein.access"))
        self._errors = logging.getLogger("stein.error")
        self._capacity = capacity
        self._crowded = min(CROWDED, capacity)
        # Appended to by any thread, emptied by the writer: both are atomic on a deque.
        self._queue: deque[Exchange] = deque()
        # Written by the writer; any observer may clear it, which is what wakes the writer.
        self._parked = False
        # What the writer is told; its put() never blocks and may be called in a signal handler.
        self._orders: SimpleQueue[str] = SimpleQueue()
        self._closing = False
        self._count_lock = threading.Lock()  # guards _lost and _cause
        self._lost = 0
        self._cause = ""
        self._failing = False  # the writer's own
        self._writer = threading.Thread(target=self._run, name="stein-accesslog", daemon=True)
        self._writer.start()

    # -- any thread ----------------------------------------------------------------------------

    def observe(self, exchange: Exchange) -> None:
        """Take note of an ended exchange, which nobody may change from now on.

        Any thread.  PERF: one append and two looks, 60 ns; a Lock or a Condition here, the plain
        version, costs four times that and sends threads to sleep when they meet.
        """
        queue = self._queue
        if len(queue) < self._crowded:
            queue.append(exchange)
        else:
            self._observe_crowded(exchange)
        if self._parked:
            self._parked = False
            self._orders.put(WAKE)

    __call__ = observe

    def _observe_crowded(self, exchange: Exchange) -> None:
        """Take note of an exchange while the writer is behind, perhaps for minutes.

        Now the queue keeps no more of it than the line will say: what else hangs on an environ
        (an uploaded file, an application's objects) must not wait for a log.
        """
        if len(self._queue) < self._capacity:
            self._queue.append(slim(exchange))
        else:
            self._lose(1, "the queue was full, as the sink did not keep up")

    def reopen(self) -> None:
        """Have the writer open its file anew, after a rotation moved it.

        Any thread, or a signal handler; it returns at once.
        """
        self._orders.put(REOPEN)

    def close(self, timeout: float = FAREWELL) -> None:
        """Write what is waiting and end the thread.  Any thread; a second call does nothing.

        :param timeout: how long a sink that is stuck is waited for.
        """
        if self._closing:
            return
        self._closing = True
        self._orders.put(WAKE)
        self._writer.join(timeout)
        if self._writer.is_alive():
            waiting = len(self._queue)
            self._errors.warning(
                "%d access-log lines were lost: the sink took none for %g s at the end",
                waiting, timeout,
            )  # fmt: skip

    def _lose(self, count: int, cause: str) -> None:
        with self._count_lock:
            self._lost += count
            self._cause = cause

    # -- the writer ----------------------------------------------------------------------------

    def _run(self) -> None:
        quiet = 0
        while not self._closing:
            if self._write_batch():
                quiet = 0
            else:
                quiet += 1
            waiting = len(self._queue)
            if waiting > BEHIND:
                continue
            if waiting >= self._lines.batch:
                self._obey(PACE)
            elif quiet < QUIET_NAPS:
                self._obey(INTERVAL)
            else:
                self._park()
                quiet = 0
        while self._write_batch():
            pass
        self._report()
        self._own_sink.close()

    def _park(self) -> None:
        """Sleep until somebody clears ``_parked``.

        The flag is set first and the queue looked at second; an observer appends first and looks
        at the flag second.  So one of the two sees the other, and no line is left lying.
        """
        self._parked = True
        if self._queue:
            self._parked = False
            return
        self._obey(None)
        self._parked = False

    def _obey(self, timeout: float | None) -> None:
        """Wait for an order, no longer than the timeout, and carry it out."""
        try:
            order = self._orders.get(timeout=timeout)
        except Empty:
            return
        if order == REOPEN:
            try:
                self._own_sink.reopen()
            except (OSError, ConfigurationError) as error:
                self._errors.error("access log: not reopened, the old file stays: %s", error)

    def _write_batch(self) -> bool:
        """Format and write one batch of lines; return whether there were any."""
        queue = self._queue
        count = min(len(queue), self._lines.batch)
        if not count:
            return False
        batch = [queue.popleft() for _ in range(count)]
        lines = self._format(batch)
        sink: Sink = self._user_sink if self._user_sink.wanted else self._own_sink
        try:
            sink.write(lines)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            self._fail(len(lines), error)
        else:
            self._failing = False
            self._report()
        return True

    def _format(self, batch: list[Exchange]) -> list[str]:
        try:
            return self._lines(batch)
        except Exception:  # noqa: BLE001 - an application put something odd into its environ
            return [line for exchange in batch for line in self._format_odd(exchange)]

    def _format_odd(self, exchange: Exchange) -> list[str]:
        """Format one exchange of a batch that failed; an odd one without its header fields."""
        try:
            try:
                return self._lines([exchange])
            except Exception:  # noqa: BLE001
                plain = slim(exchange)
                plain.variables = {}
                return self._lines([plain])
        except Exception as error:  # noqa: BLE001 - it costs one line, not the writer
            self._lose(1, f"{exchange!r} cannot be formatted: {error!r}")
            return []

    def _fail(self, count: int, error: Exception) -> None:
        self._lose(count, str(error))
        if not self._failing:
            self._failing = True
            self._errors.error(
                "the access log cannot be written (%s); lines are counted until it can", error
            )

    def _report(self) -> None:
        """Say once how many lines were lost, now that the sink takes lines again."""
        # PERF: looked at without its lock, once per batch; what it misses it sees next time.
        if not self._lost:
            return
        with self._count_lock:
            lost, cause, self._lost = self._lost, self._cause, 0
        self._errors.warning("%d access-log lines were lost: %s", lost, cause)

    def __repr__(self) -> str:
        return f"<AccessLog waiting={len(self._queue)} lost={self._lost}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()
