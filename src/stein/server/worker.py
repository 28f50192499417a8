"""A worker: the server of one process, and its obedience to the parent.

The parent holds the other end of the lifeline.  What it may say::

    retire   finish what was begun, and end     graceful, idle: seconds
    reopen   open the log files anew
    dump     write where each thread stands
    ping     answer, to show that Python code runs

and what a worker says: ``ready``, ``failed``, ``replace`` (with a reason), ``leaving``, ``closed``
(it accepts no more connections), ``pong``.
"""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import os
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from stein.http.exchange import Exchange
    from stein.server.lifeline import Lifeline, Message
    from stein.server.server import Server

__all__ = ["RequestCount", "Worker", "wish_to_be_replaced"]

#: seconds that calls under way get once the parent is gone
LAST_GRACE: Final = 0.3
#: seconds after which a worker without a parent ends in any case
LAST_RESORT: Final = 1.5
#: seconds that the server has to notice the end of a graceful stop by itself
GRACE_OF_GRACE: Final = 1.0
#: left to the parent, which tells its workers what it has been told
IGNORED: Final = ("SIGHUP", "SIGINT", "SIGUSR2", "SIGTTIN", "SIGTTOU", "SIGWINCH")


class Worker:
    """Serves until its parent wants it to end, or is gone.

    :param line: the way to the parent.
    :param server: not started yet.
    :param reopen: opens log files anew.
    :param dump: writes where each thread stands; to standard error if not given.
    """

    def __init__(
        self,
        line: Lifeline,
        server: Server,
        *,
        reopen: Callable[[], object] | None = None,
        dump: Callable[[], object] | None = None,
    ) -> None:
        self._line = line
        self._server = server
        self._reopen = reopen
        self._dump = dump or dump_stacks
        self._done = threading.Event()
        self._timers: list[threading.Timer] = []

    def start(self) -> None:
        """Begin to serve, or, with one thread, get ready to.  The main thread."""
        self._handle_signals()
        self._server.start()

    def run(self) -> None:
        """Serve, after :meth:`start`, until it is to end.  The main thread."""
        reader = threading.Thread(target=self._obey, name="stein-orders", daemon=True)
        reader.start()
        self._line.send("ready", pid=os.getpid())
        self._server.serve()
        self._done.set()
        for timer in self._timers:
            timer.cancel()

    # -- orders: the thread that reads -----------------------------------------------------------

    def _obey(self) -> None:
        line = self._line
        while not line.ended:
            for order in line.receive():
                self._do(order)
        if not self._done.is_set():
            self._stop_alone()

    def _do(self, order: Message) -> None:
        kind = order["kind"]
        if kind == "ping":
            self._line.send("pong")
        elif kind == "retire":
            self._retire(order["graceful"], order["idle"])
        elif kind == "reopen" and self._reopen is not None:
            self._reopen()
        elif kind == "dump":
            self._dump()

    def _retire(self, graceful: float, idle: float) -> None:
        # With one thread nobody else could act, and it may be inside a request.
        self._end_at_last(graceful + GRACE_OF_GRACE)
        self._server.request_stop(graceful, idle, lambda: self._line.send("closed"))

    def _stop_alone(self) -> None:
        """The parent is gone without having said anything: end, and be it by force."""
        self._end_at_last(LAST_RESORT)
        self._server.request_stop(LAST_GRACE)

    def _end_at_last(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._leave)
        timer.name = "stein-stop"
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _leave(self) -> None:
        if not self._done.is_set():
            os._exit(1)

    # -- signals: the main thread ------------------------------------------------------------

    def _handle_signals(self) -> None:
        for name in IGNORED:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_terminate)
        if hasattr(signal, "SIGQUIT"):
            signal.signal(signal.SIGQUIT, self._on_quit)
        if hasattr(signal, "SIGUSR1"):
            signal.signal(signal.SIGUSR1, self._on_reopen)

    # A handler interrupts whatever the main thread does, which may be sending on the same line:
    # so another thread says and does what there is to say and do.  It waits for nothing, not even,
    # as Thread.start() does, for that thread to run: where threads are greenlets a handler may be
    # called by the one that waits for all of them, which must not wait itself.

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        graceful = self._server.settings.graceful_timeout
        _thread.start_new_thread(self._leave_by_itself, (graceful,))

    def _on_quit(self, _number: int, _frame: FrameType | None) -> None:
        _thread.start_new_thread(self._leave_by_itself, (0.0,))

    def _leave_by_itself(self, graceful: float) -> None:
        """Somebody has told this very process to end; the parent is to know that it was meant."""
        self._line.send("leaving")
        self._retire(graceful, 0.0)

    def _on_reopen(self, _number: int, _frame: FrameType | None) -> None:
        if self._reopen is not None:
            _thread.start_new_thread(self._reopen, ())


def wish_to_be_replaced(line: Lifeline, reason: str) -> None:
    """Ask the parent for a successor.  Any thread.

    :param line: the way to the parent.
    :param reason: with figures, for the log; its first word, before the colon, is counted.
    """
    line.send("replace", reason=reason)


class RequestCount:
    """Counts what a worker has answered, for ``max_requests``.

    :param most: how many it may answer.
    :param due: called once with the reason when it has.
    :param observer: who else wants the exchanges.
    """

    def __init__(
        self,
        most: int,
        due: Callable[[str], object],
        observer: Callable[[Sequence[Exchange]], None] | None,
    ) -> None:
        self._most = most
        self._due: Callable[[str], object] | None = due
        self._observer = observer
        self._count = 0

    def observe(self, exchanges: Sequence[Exchange]) -> None:
        """Count.  Any thread; two at once may lose one of two counts, which does no harm."""
        self._count += len(exchanges)
        if self._count >= self._most and self._due is not None:
            due, self._due = self._due, None
            due(f"max_requests: it has answered {self._count}")
        if self._observer is not None:
            self._observer(exchanges)


def dump_stacks() -> None:
    """Write where each thread stands to standard error."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # there may be none
        faulthandler.dump_traceback(all_threads=True)
