"""The access log: one line for every exchange, whatever became of it.

Facts: a request costs nine microseconds; a formatted line costs half of one, a write may cost a
millisecond on a busy disk and minutes on a pipe that nobody empties.

Danger: a log that is written by the thread that answers makes every client wait for the disk.  A
log that formats in a second thread has two threads fight for the interpreter lock, and keeps all
that hangs on an exchange (an uploaded file, an application's objects) until its line is made.

Decision: the thread that ended some exchanges, the leader mostly with all of one turn, makes their
lines at once: in a row they cost half of what they cost one by one, each between two requests that
leave nothing in the processor's caches.  Nothing of an exchange is kept.  The text goes to a buffer
that is bounded in characters.  A daemon thread, the *writer*, writes what is there every
:data:`INTERVAL`.  It parks when there is nothing to do, and only the request that finds it parked
pays for waking it.

Price: a line appears up to :data:`INTERVAL` after its request, and a process that is killed
takes the last ones with it.  When the sink does not keep up, the buffer fills and further lines
are dropped; they are counted, and the error log says how many and why.
"""

from __future__ import annotations

import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Self, TextIO

from stein.errors import ConfigurationError
from stein.observe.lines import make_formatter
from stein.observe.sinks import LoggerSink, Sink, make_sink

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
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
    "queue_full": "no thread was free, and limit_queue requests waited already; answered 503",
    "request_timeout": "the application gave no answer within request_timeout; answered 504, or "
    "cut off if its response had begun",
    "bad_request": "the request broke a rule of HTTP; answered 400 or what fits better",
    "limit": "the request was larger than a limit; answered 413, 414 or 431",
    "app_error": "the application raised an exception before its response began; answered 500",
    "cut_off": "the response broke off after it had begun, because the application raised or "
    "gave another length than it had announced",
    "stopped": "the server stopped before the exchange was complete",
    "killed": "the worker process ended while it had the request; the parent logs it",
}

#: Nap between two writes while there is traffic, in seconds.
INTERVAL: Final = 0.05
#: How many texts, each the lines of one turn, are written at a time.
BATCH: Final = 16
#: After so many naps without a line the writer parks.
QUIET_NAPS: Final = 20
#: How long close() waits for a sink that does not take the last lines, in seconds.
FAREWELL: Final = 5.0

REOPEN: Final = "reopen"
WAKE: Final = "wake"


class AccessLog:
    """Writes one line per exchange, without making any exchange wait.

    Pass :attr:`observe` (or the log itself, which is a little slower to call) to the server as
    its observer.  Make the log after forking: its thread stays with the process that made it.

    If the logger ``stein.access`` has handlers of its own, lines go there and not to the sink;
    this is looked up for every batch, so it may be configured at any time.

    :param format: ``combined``, ``json`` or ``dev``; see :mod:`stein.observe.lines`.
    :param stream_or_path: an open text stream, which stays the caller's, or a file to append to.
    :param colour: whether ``dev`` colours the status.
    :param capacity: how many characters may wait for the sink.
    :raises ConfigurationError: for an unknown format or a file that cannot be opened.
    """

    def __init__(
        self,
        format: str,  # noqa: A002 - the flag's word
        stream_or_path: TextIO | str | os.PathLike[str],
        colour: bool = False,  # noqa: FBT001, FBT002 - the agreed signature
        *,
        capacity: int = 1 << 24,
    ) -> None:
        try:
            self._format = make_formatter(format, colour=colour)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._own_sink = make_sink(stream_or_path)
        self._user_sink = LoggerSink(logging.getLogger("stein.access"))
        self._errors = logging.getLogger("stein.error")
        self._capacity = capacity
        # Guards the formatter, what follows, and the order of lines.
        self._lock = threading.Lock()
        self._texts: list[str] = []
        self._size = 0  # of the texts, in characters
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

    def observe(self, exchanges: Sequence[Exchange]) -> None:
        """Make a line of each ended exchange.  Any thread."""
        with self._lock:
            if self._size >= self._capacity:
                self._lose(len(exchanges), "the buffer was full, as the sink did not keep up")
                return
            try:
                text = self._format(exchanges)
            except Exception:  # noqa: BLE001 - an application put something odd into its environ
                text = "".join([self._format_odd(exchange) for exchange in exchanges])
            self._texts.append(text)
            self._size += len(text)
        if self._parked:
            self._parked = False
            self._orders.put(WAKE)

    __call__ = observe

    def _format_odd(self, exchange: Exchange) -> str:
        """Format one of some exchanges that failed; an odd one without its header fields."""
        try:
            try:
                return self._format([exchange])
            except Exception:  # noqa: BLE001
                exchange.variables = {}
                return self._format([exchange])
        except Exception as error:  # noqa: BLE001 - it costs one line, not the request
            self._lose(1, f"{exchange!r} cannot be formatted: {error!r}")
            return ""

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
            waiting = count_lines(self._texts)
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
            if len(self._texts) >= BATCH:
                continue
            if quiet < QUIET_NAPS:
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

        The flag is set first and the buffer looked at second; an observer appends first and looks
        at the flag second.  So one of the two sees the other, and no line is left lying.
        """
        self._parked = True
        if self._texts:
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
        """Write one batch of texts; return whether there were any."""
        with self._lock:
            texts = self._texts[:BATCH]
            del self._texts[:BATCH]
            self._size -= sum(map(len, texts))
        if not texts:
            return False
        sink: Sink = self._user_sink if self._user_sink.wanted else self._own_sink
        try:
            sink.write(texts)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            self._fail(count_lines(texts), error)
        else:
            self._failing = False
            self._report()
        return True

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
        return f"<AccessLog waiting={self._size} lost={self._lost}>"

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


def count_lines(texts: list[str]) -> int:
    """Return how many lines there are in some texts."""
    return sum(text.count("\n") for text in texts)
