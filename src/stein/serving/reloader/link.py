"""The child's end of the socket pair that joins it to its parent."""

from __future__ import annotations

import _thread
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, Final

from stein.bequest import given
from stein.messages import LARGEST_READ, Lines, encode, read_messages
from stein.parentage import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.messages import Message

__all__ = ["BEQUEST", "LISTENERS", "VARIABLE", "Link", "is_orphan", "join", "leave"]

#: ``descriptor:pid of the parent``: a process that the child starts inherits the variable, too,
#: but has another parent.
VARIABLE: Final = "STEIN_RELOADER"
#: The descriptors of the listening sockets, with commas between them.
LISTENERS: Final = "STEIN_RELOADER_LISTENERS"

#: The first message, which is there already when the process begins.
BEQUEST: Final = "bequest"
#: Orders that end a process, because of another one unless they are the ``last``.
FAREWELLS: Final = ("drain", "retire")


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
        #: the process was told to end
        self.is_over = False
        #: another process is to take the place of this one, or the parent is gone
        self.is_replaced = False
        #: called once, in the thread that reads, when the parent is gone
        self.on_orphaned: Callable[[], object] = leave

    def send(self, kind: str, **fields: Any) -> None:
        """Tell the parent something; one that is gone hears nothing.  Any thread."""
        with self._sending, contextlib.suppress(OSError):
            self._sock.sendall(encode(kind, **fields))

    def inherit(self) -> None:
        """Read the first message, if there is one.  Before :meth:`read` begins."""
        with contextlib.suppress(OSError):  # such as: nothing is there
            data = self._sock.recv(LARGEST_READ, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            first, end, _ = data.partition(b"\n")
            for message in Lines().feed(first + end):
                if message["kind"] == BEQUEST:
                    self._sock.recv(len(first + end))
                    given.update(message["given"])

    def read(self) -> None:
        """Read orders until the parent is gone.  A thread of its own."""
        for order in read_messages(self._sock):
            if order["kind"] in FAREWELLS:
                self.is_over = True
                self.is_replaced = self.is_replaced or not order.get("last")
            handler = self.handlers.get(order["kind"])
            if handler is not None:
                handler(order)
        self.is_over = self.is_replaced = True
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
