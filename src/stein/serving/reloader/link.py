"""The child's end of the socket pair that joins it to its parent."""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stein.bequest import given

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BEQUEST", "LISTENERS", "VARIABLE", "Link", "Message", "is_orphan", "join", "leave"]

#: ``descriptor:pid of the parent``: a process that the child starts inherits the variable, too,
#: but has another parent.
VARIABLE: Final = "STEIN_RELOADER"
#: The descriptors of the listening sockets, with commas between them.
LISTENERS: Final = "STEIN_RELOADER_LISTENERS"

#: The first message, which is there already when the process begins.
BEQUEST: Final = "bequest"
#: Orders that end a process, because of another one unless they are the ``last``.
FAREWELLS: Final = ("drain", "retire")

#: A line of JSON; ``kind`` says what it is about.
Message: TypeAlias = dict[str, Any]

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_LARGEST_READ: Final = 1 << 16


class Link:
    """Messages to the parent, and its orders.

    :param sock: the child's end; closed with the process.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = _thread.allocate_lock()  # guards the order of lines
        #: by kind of order; called in the thread that reads
        self.handlers: dict[str, Callable[[Message], object]] = {}
        #: a thread tells of what is imported
        self.is_reporting = False
        #: another process is to take the place of this one, or the parent is gone
        self.is_replaced = False
        #: called once, in the thread that reads, when the parent is gone
        self.on_orphaned: Callable[[], object] = leave

    def send(self, kind: str, **fields: Any) -> None:
        """Tell the parent something; one that is gone hears nothing.  Any thread."""
        line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
        with self._sending, contextlib.suppress(OSError):
            self._sock.sendall(line)

    def inherit(self) -> None:
        """Read the first message, if there is one.  Before :meth:`read` begins."""
        with contextlib.suppress(OSError):  # such as: nothing is there
            data = self._sock.recv(_LARGEST_READ, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            line, end, _ = data.partition(b"\n")
            message = json.loads(line) if end else {}
            if message.get("kind") == BEQUEST:
                self._sock.recv(len(line + end))
                given.update(message["given"])

    def read(self) -> None:
        """Read orders until the parent is gone.  A thread of its own."""
        rest = b""
        while True:
            try:
                data = self._sock.recv(_LARGEST_READ)
            except OSError:
                data = b""
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                if order["kind"] in FAREWELLS and not order.get("last"):
                    self.is_replaced = True
                handler = self.handlers.get(order["kind"])
                if handler is not None:
                    handler(order)
        self.is_replaced = True
        self.on_orphaned()


def leave() -> None:
    """End this process without ado: its parent is gone, and nobody would ever end it."""
    os._exit(1)


_joined: list[Link] = []


def join() -> Link | None:
    """Return the link to the parent, or ``None`` if no reloader has started this process.

    The first call begins to read from it, and lets the system end this process with its parent.
    """
    if _joined:
        return _joined[0] if is_meant() else None
    if not is_meant():
        return None
    number = int(os.environ[VARIABLE].partition(":")[0])
    try:
        sock = socket.socket(fileno=number)
    except OSError:  # closed by somebody: there is no way to the parent any more
        return None
    sock.set_inheritable(False)
    for listener in listeners():
        os.set_inheritable(listener, False)
    die_with_parent()
    if not is_meant():  # it has ended just now, too early for the kernel to tell
        leave()
    link = Link(sock)
    link.inherit()
    _joined.append(link)
    # A thread of threading would have that module imported before the program wants it.
    _thread.start_new_thread(link.read, ())
    return link


def is_orphan() -> bool:
    """Whether the parent of a process that was certainly started by one has ended already."""
    return VARIABLE in os.environ and not is_meant()


def is_meant() -> bool:
    """Whether the variable in the environment is about this very process."""
    number, _, parent = os.environ.get(VARIABLE, "").partition(":")
    return number.isdigit() and parent == str(os.getppid())


def listeners() -> list[int]:
    """Return the descriptors of the sockets to serve on."""
    text = os.environ.get(LISTENERS, "")
    return [int(number) for number in text.split(",") if number]


def die_with_parent() -> None:
    """Let the kernel end this process when its parent has ended, however that happens (Linux).

    Without it a child that is busy in a C library would not notice.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes  # noqa: PLC0415 - only where it is needed

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):  # a Python without it: the link has to do
        return
