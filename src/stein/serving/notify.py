"""Telling a service manager how things are: sd_notify(3), without its library.

systemd names a datagram socket in ``NOTIFY_SOCKET``.  ``READY=1`` lets dependent units start,
``RELOADING=1`` and ``READY=1`` frame a reload, ``STOPPING=1`` begins the end; with
``WATCHDOG_USEC`` a unit is restarted when it has been silent for so long.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["Notifier", "Watchdog", "for_successor"]

NEVER: Final = float("inf")


class Notifier:
    """Sends messages; without a service manager it does nothing.

    Any thread: a datagram is sent whole or not at all.

    :param environ: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are read.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = address_in(environ.get("NOTIFY_SOCKET", ""))
        #: seconds between two signs of life that the manager allows; 0: it wants none
        self.watchdog = watchdog_in(environ)
        self._due = 0.0

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to tell."""
        return self._address is not None

    def __call__(self, text: str) -> bool:
        """Tell something; true if it could be sent.

        :param text: assignments, one a line.  A reload gets the moment that ``Type=notify-reload``
            wants to know.
        """
        if self._address is None:
            return False
        if "RELOADING=1" in text:
            text += f"\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
            sock.setblocking(False)  # a manager that is stuck is not to stop the server, too
            try:
                sock.sendto(text.encode(), self._address)
            except OSError:
                return False
        return True

    def pulse(self, now: float) -> float:
        """Give a sign of life if one is due; for a loop that comes round by itself.

        :param now: the moment.
        :returns: when to be called again, at the latest.
        """
        if not self.wanted or not self.watchdog:
            return NEVER
        if now >= self._due:
            self._due = now + self.watchdog / 2
            self("WATCHDOG=1")
        return self._due


def address_in(text: str) -> str | bytes | None:
    """Return the address that ``NOTIFY_SOCKET`` names: a path, or ``@`` and an abstract name."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    if text.startswith("@"):
        return b"\0" + os.fsencode(text[1:])
    return text if text.startswith("/") else None


def watchdog_in(environ: Mapping[str, str]) -> float:
    """Return the seconds that a service manager lets pass without a sign of life; 0: for ever."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or (pid and not is_meant(pid)):
        return 0.0
    return int(microseconds) / 1e6


def is_meant(pid: str) -> bool:
    """Whether a process id of ``WATCHDOG_PID`` means this one."""
    # The parent is the one that an upgraded server takes over from.
    return pid in {str(os.getpid()), str(os.getppid())}


def for_successor(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that this one starts to take over from it.

    The manager has named the process that it started, whose process id no successor has; the
    first of them is known by its parent, and so is each after it if this one says so.  To be
    called at the start: later the parent may have ended.
    """
    variables = dict(environ)
    if is_meant(variables.get("WATCHDOG_PID", "")):
        variables["WATCHDOG_PID"] = str(os.getpid())
    return variables


class Watchdog:
    """Gives signs of life from a thread, as long as Python code runs in this process at all.

    A context manager; it does nothing where none are wanted.

    :param notifier: where to.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def _run(self) -> None:
        while not self._end.wait(self._notifier.watchdog / 2):
            self._notifier("WATCHDOG=1")

    def __enter__(self) -> Self:
        if self._notifier.wanted and self._notifier.watchdog:
            self._thread = threading.Thread(target=self._run, name="stein-watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()
