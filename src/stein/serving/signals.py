"""What signals mean to a server that runs as a program, and a way out if it does not stop.

Facts.
    Python calls signal handlers in the main thread, between two of its instructions.  A main
    thread that waits for a lock or for events is woken by a signal; but one that comes in the
    moment before it begins to wait is only noted, and handled when something else wakes it.
    An idle server wakes up for nothing.
Decision.
    The interpreter itself writes the number of each signal to a socket as it comes
    (``signal.set_wakeup_fd``), and a thread reads them and acts.
Danger.
    A process that the application forks has the handlers and the socket, too: ended by its
    parent, it would end the server.  It gets back what was there before.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from stein.server.settings import Settings

__all__ = ["GRACE_OF_GRACE", "Reopenable", "Stoppable", "heard", "signals_to"]

#: seconds that the server has to notice the end of a graceful stop by itself
GRACE_OF_GRACE: Final = 1.0


class Stoppable(Protocol):
    """A server, or what stands for several."""

    settings: Settings

    def request_stop(self, graceful: float) -> None:
        """Begin to stop, and return at once."""


class Reopenable(Protocol):
    """A log."""

    def reopen(self) -> None:
        """Open its file anew, and return at once."""


@contextmanager
def signals_to(server: Stoppable, access_log: Reopenable | None) -> Iterator[None]:
    """Turn signals into requests to the server.  The main thread.

    SIGTERM and SIGINT stop it gracefully, a second SIGINT at once; SIGUSR1 opens the log anew.
    """
    interrupts = 0
    end: threading.Timer | None = None

    def stop(graceful: float) -> None:
        nonlocal end
        server.request_stop(graceful)
        if end is not None:
            end.cancel()
        # With one thread nobody else can: the one that would notice is inside the request.
        end = threading.Timer(graceful + GRACE_OF_GRACE, leave)
        end.daemon = True
        end.start()

    def terminate() -> None:
        stop(server.settings.graceful_timeout)

    def interrupt() -> None:
        nonlocal interrupts
        interrupts += 1
        stop(server.settings.graceful_timeout if interrupts == 1 else 0.0)

    def reopen() -> None:
        if access_log is not None:
            access_log.reopen()

    wanted = {"SIGTERM": terminate, "SIGINT": interrupt, "SIGUSR1": reopen}
    known = {name: action for name, action in wanted.items() if hasattr(signal, name)}
    try:
        with heard({getattr(signal, name): action for name, action in known.items()}):
            yield
    finally:  # now nothing is heard any more that would begin to wait for the end
        if end is not None:
            end.cancel()


def leave() -> None:
    """End the process, whatever it is doing: it has not stopped in the time that it was given."""
    click.echo("stein: a request did not end in time; leaving without it", err=True)
    os._exit(1)


#: what a forked process undoes
_undoings: Final[list[Callable[[], None]]] = []


@contextmanager
def heard(actions: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """Act on signals as they come, in a thread of their own.  The main thread.

    :param actions: by the number of the signal.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    own = writer.fileno()

    def handle(number: int, _frame: FrameType | None) -> None:
        other = signal.set_wakeup_fd(own, warn_on_full_buffer=False)
        if other != own:  # somebody (asyncio, for one) has put another in its place
            signal.set_wakeup_fd(other)
            with suppress(OSError):
                writer.send(bytes([number]))

    old = {number: signal.signal(number, handle) for number in actions}
    before = signal.set_wakeup_fd(own, warn_on_full_buffer=False)

    def undo() -> None:
        signal.set_wakeup_fd(before)
        for number, handler in old.items():
            # None: it was set by something else than Python, which cannot be asked to do it again
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    _undoings.append(undo)
    thread = threading.Thread(target=act, args=(reader, actions), name="stein-signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        _undoings.remove(undo)
        undo()
        writer.close()
        thread.join()
        reader.close()


def act(reader: socket.socket, actions: Mapping[int, Callable[[], object]]) -> None:
    """Act on the signals whose numbers come, until no more can come."""
    while True:
        numbers = reader.recv(64)
        if not numbers:
            return
        for number in numbers:
            action = actions.get(number)  # the application has signals of its own
            if action is not None:
                action()


def undo_in_fork() -> None:
    """Have a forked process treat signals as this one did before."""
    while _undoings:
        _undoings.pop()()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=undo_in_fork)
