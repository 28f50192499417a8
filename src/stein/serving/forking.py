"""Several processes behind one listening socket, one request at a time in each.

Facts.
    A process that serves one request at a time must hold no connection that another, idle process
    could answer; and it must not take a second one while it is busy.
Decision.
    Each child has an engine with one thread that accepts one connection, answers one request on
    it and closes it.  Where the kernel can do that (Linux), a connection is given away only when
    its request has begun to arrive, so a silent client holds no process.
Ends.
    The parent serves nothing.  It waits for children that end and for the order to stop, and then
    ends all of them: first gracefully, then by force.  Every child watches a pipe that only the
    parent holds open; if the parent is killed, the children end.  No child is started again: this
    is for development, where whoever reads the error is there.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack, nullcontext, suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, NoReturn

from stein.clock import monotonic
from stein.errors import SteinError
from stein.serving.devlog import DevelopmentLog, say
from stein.serving.signals import GRACE_OF_GRACE, signals_to
from stein.tracebacks import render

if TYPE_CHECKING:
    from stein.serving.devserver import ForkingWSGIServer

__all__ = ["serve_in_processes"]

#: seconds for which the kernel keeps a connection on which nothing was sent
SILENCE: Final = 30
#: seconds beyond its grace that a child has to end by itself; less than its parent has
PATIENCE: Final = GRACE_OF_GRACE / 2


def serve_in_processes(server: ForkingWSGIServer, count: int, *, signals: bool) -> None:
    """Fork children that serve, and wait until they have ended or are told to stop.

    :param server: it listens already.
    :param count: how many children.
    :param signals: whether SIGTERM and Ctrl-C are orders to stop.
    """
    option = getattr(socket, "TCP_DEFER_ACCEPT", None)
    if option is not None and isinstance(server.server_address, tuple):
        server.socket.setsockopt(socket.IPPROTO_TCP, option, SILENCE)
    fleet = Fleet(server)
    stopped = True
    try:
        for _ in range(count):
            fleet.fork()
        main = threading.current_thread() is threading.main_thread()
        handled = signals_to(fleet, None) if signals and main else nullcontext()
        with server.stopping_by(fleet.request_stop), handled:
            stopped = fleet.watch()
    finally:
        fleet.end()
    if not stopped:
        message = f"all {count} processes of the server have ended; why stands above"
        raise SteinError(message)


class Fleet:
    """The children of one server."""

    def __init__(self, server: ForkingWSGIServer) -> None:
        self._server = server
        self.settings = server.settings
        self._grace = server.settings.graceful_timeout
        #: the end of a pipe that a child holds open as long as it lives -> its process id
        self._children: dict[int, int] = {}
        # Closed by the parent's end, however it comes.
        self._life, self._held = os.pipe()
        self._order, self._ordered = os.pipe()
        os.set_blocking(self._ordered, False)

    # -- the parent ---------------------------------------------------------------------------

    def fork(self) -> None:
        """Start one child."""
        sys.stdout.flush()
        sys.stderr.flush()
        alive, held = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(alive)
            self._live()
        os.close(held)
        self._children[alive] = pid

    def request_stop(self, graceful: float) -> None:
        """Begin to stop.  Any thread, and signal handlers.

        :param graceful: seconds that requests under way may take.
        """
        self._grace = graceful
        with suppress(OSError):  # the pipe is full of such orders, or closed
            os.write(self._ordered, b"!")

    def watch(self) -> bool:
        """Wait for the order to stop; false if all children have ended without it."""
        while self._children:
            try:
                ready = wait([self._order, *self._children])
            except KeyboardInterrupt:
                return True
            if self._order in ready:
                return True
            for end in ready:
                pid, code = self._reap(end)
                say(
                    "error", "process %d ended (%s); %d left", pid, cause(code),
                    len(self._children),
                )  # fmt: skip
        return False

    def _reap(self, end: Any) -> tuple[int, int]:
        """Take leave of a child that has ended.

        :param end: its descriptor, as ``wait()`` gave it.
        """
        pid = self._children.pop(end)
        os.close(end)
        _, status = os.waitpid(pid, 0)
        return pid, os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        """End all children, gracefully as long as there is time, and close what there is."""
        self._signal(signal.SIGTERM)
        deadline = monotonic() + self._grace + PATIENCE
        while self._children:
            try:
                ready = wait(list(self._children), max(0.0, deadline - monotonic()))
            except KeyboardInterrupt:
                ready = []
            if not ready:
                self._signal(signal.SIGKILL)
                ready = list(self._children)
            for each in ready:
                self._reap(each)
        for end in (self._life, self._held, self._order, self._ordered):
            os.close(end)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._children.values():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    # -- a child ------------------------------------------------------------------------------

    def _live(self) -> NoReturn:
        """Be a child: serve until told to stop, and leave without what the parent does at exit."""
        code = 1
        try:
            os.close(self._held)
            for end in self._children:
                os.close(end)
            code = self._serve()
        except BaseException as error:  # noqa: BLE001 - nothing of the parent's is to run here
            print(render(error), end="", file=sys.stderr)  # noqa: T201 - where a traceback goes
        finally:
            with suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _serve(self) -> int:
        # Ctrl-C goes to all of them; the parent tells its children what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # so that a line of the log tells which of them it was
        threading.current_thread().name = f"process-{os.getpid()}"
        server = self._server
        with ExitStack() as stack:
            log = stack.enter_context(DevelopmentLog(server.settings))
            engine = server.make_engine([server.socket], server.observer(log))
            stack.enter_context(signals_to(engine, log))
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            threading.Thread(target=self._outlive, name="stein-parent", daemon=True).start()
            server.run_engine(engine)
        server.raise_passed()
        return 0

    def _outlive(self) -> None:
        """End this process when its parent has gone, whatever is running."""
        with suppress(OSError):
            os.read(self._life, 1)
        os._exit(1)


def cause(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
