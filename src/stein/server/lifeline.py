"""What joins a parent process and its child: messages both ways, and the end of either.

A socket pair carries :mod:`~stein.messages`.  Descriptors may come along with one.
"""

from __future__ import annotations

import _thread
import contextlib
import selectors
import socket
from typing import TYPE_CHECKING, Any, Final

from stein.messages import LARGEST_READ, Lines, Message, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Lifeline", "Message"]

_MOST_DESCRIPTORS: Final = 16


class Lifeline:
    """One end.

    :param sock: this end of the socket pair.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lines = Lines()
        self._sending = _thread.allocate_lock()  # guards the order of lines
        #: descriptors that came along with messages and nobody has taken yet
        self.descriptors: list[int] = []
        self.ended = False  #: the other side is gone

    def fileno(self) -> int:
        """Return the descriptor, for a poller."""
        return self._sock.fileno()

    def send(self, kind: str, *, descriptors: Sequence[int] = (), **fields: Any) -> bool:
        """Tell the other side something.  Any thread.

        :param kind: what it is about.
        :param descriptors: open descriptors that the other side gets copies of.
        :returns: false if it is gone, or has not read for so long that nothing more fits.
        """
        data = encode(kind, **fields)
        try:
            with self._sending:
                if descriptors:
                    sent = socket.send_fds(self._sock, [data], list(descriptors))
                    data = data[sent:]
                self._sock.sendall(data)
        except OSError:
            return False
        return True

    def receive(self) -> list[Message]:
        """Return what has come, at least a part of a message unless the socket is non-blocking.

        Sets :attr:`ended` at the end of the stream.  One thread.
        """
        try:
            data, descriptors, _, _ = socket.recv_fds(self._sock, LARGEST_READ, _MOST_DESCRIPTORS)
        except BlockingIOError:
            return []
        except OSError:
            data, descriptors = b"", []
        self.descriptors += descriptors
        if not data:
            self.ended = True
            return []
        return self._lines.feed(data)

    def has_news(self) -> bool:
        """Whether :meth:`receive` would find something at once; what has ended has none.

        A process that has ended may have left its end open in another one that it has started.
        """
        if self.ended:
            return False
        with selectors.DefaultSelector() as poller:
            poller.register(self._sock, selectors.EVENT_READ)
            return bool(poller.select(0))

    def close(self) -> None:
        """Close this end."""
        self._sock.close()

    def wake(self) -> None:
        """Let :meth:`receive`, in another thread, return as at the end of the stream."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)
