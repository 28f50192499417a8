"""What signals and the control socket may ask of a supervisor: one table.

A signal handler does nothing: the interpreter writes the number into a pipe, and the loop that
reads it does what the table says.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

__all__ = ["SIGNALS", "SignalPipe", "has_terminal"]

#: By signal, the method of the supervisor that is called.
SIGNALS: Final[dict[str, str]] = {
    "SIGTERM": "stop",
    "SIGINT": "quit",
    "SIGQUIT": "quit",
    "SIGHUP": "hang_up",
    "SIGUSR1": "reopen",
    "SIGUSR2": "upgrade",
    "SIGTTIN": "add_worker",
    "SIGTTOU": "remove_worker",
    "SIGWINCH": "pause",
    "SIGCHLD": "reap",
}
#: Two of these ask for twice as much; two of any other ask for nothing more than one does.
COUNTED: Final = frozenset({"SIGTTIN", "SIGTTOU"})


class SignalPipe:
    """Turns signals into bytes in a pipe, for as long as its context lasts.  The main thread."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._handlers: dict[int, object] = {}
        self._before = -1

    def fileno(self) -> int:
        """Return the descriptor, for a poller."""
        return self._read.fileno()

    def take(self) -> list[str]:
        """Return the methods that are asked for, in order; each kind once, but for COUNTED."""
        try:
            numbers = self._read.recv(4096)
        except BlockingIOError:
            return []
        found: list[str] = []
        for number in numbers:
            name = signal.Signals(number).name
            if name in SIGNALS and (name in COUNTED or SIGNALS[name] not in found):
                found.append(SIGNALS[name])
        return found

    def __enter__(self) -> Self:
        self._before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                self._handlers[number] = signal.signal(number, nothing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._before)
        self._read.close()
        self._write.close()


def nothing(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the number is in the pipe."""


def has_terminal() -> bool:
    """Whether this process was started from a terminal, whose size may change (SIGWINCH)."""
    for number in range(3):
        try:
            if os.isatty(number):
                return True
        except OSError:
            continue
    return False
