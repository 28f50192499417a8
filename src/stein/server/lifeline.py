"""What joins a parent process and its child: messages both ways, and the end of either.

A socket pair carries lines of JSON, each an object whose ``kind`` says what it is about.  When one
side ends, however that happens, the other reads the end of the stream.  Descriptors may come
along with a message.
"""

from __future__ import annotations

import _thread
import contextlib
import json
import selectors
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Lifeline", "Message", "adopt_orphans", "die_with_parent", "name_process"]

Message: TypeAlias = dict[str, Any]

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_LONGEST_NAME: Final = 15  # bytes
_LARGEST_READ: Final = 1 << 16
_MOST_DESCRIPTORS: Final = 16


class Lifeline:
    """One end.

    :param sock: this end of the socket pair.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""
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
        data = json.dumps({"kind": kind, **fields}).encode() + b"\n"
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
            data, descriptors, _, _ = socket.recv_fds(self._sock, _LARGEST_READ, _MOST_DESCRIPTORS)
        except BlockingIOError:
            return []
        except OSError:
            data, descriptors = b"", []
        self.descriptors += descriptors
        if not data:
            self.ended = True
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

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


def die_with_parent() -> None:
    """Let the kernel end this process when its parent has ended, however that happens (Linux).

    Without it a child that is busy in a library written in C would not notice.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> bool:
    """Let the kernel give this process the children that its descendants leave behind (Linux)."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """Let the system's tools show a name for this process, where they can (Linux)."""
    _prctl(_PR_SET_NAME, name.encode()[:_LONGEST_NAME])


def _prctl(option: int, argument: int | bytes) -> bool:
    """Call prctl(2); false if this system has none, or it failed."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes  # noqa: PLC0415 - only where it is needed

        return ctypes.CDLL(None).prctl(option, argument, 0, 0, 0) == 0  # type: ignore[no-any-return]
    except (ImportError, OSError, AttributeError):  # a Python without it: the lifeline has to do
        return False
