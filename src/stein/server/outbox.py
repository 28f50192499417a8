"""What a client has not taken yet."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stein.typing import Buffer

__all__ = ["FileSpan", "Outbox"]

_sendfile: Any = getattr(os, "sendfile", None)


class FileSpan:
    """Bytes of an open file that are to be sent.

    :param file: a real file; its position is where the bytes begin.
    :param count: how many; the file must have them.
    :param sendfile: may ``os.sendfile`` be used, i.e. does the kernel own both ends?
    """

    __slots__ = ("_file", "_held", "_offset", "_sendfile", "count")

    _BLOCK: Final = 1 << 18  # for one turn, so that one download cannot starve the others

    def __init__(self, file: IO[bytes], offset: int, count: int, *, sendfile: bool) -> None:
        self._file = file
        self._offset = offset
        self.count = count
        self._sendfile = sendfile and _sendfile is not None
        self._held = memoryview(b"")  # read, but not yet taken by the socket

    def send(self, sock: Any) -> int:
        """Send what the socket takes at once; as :meth:`socket.socket.send`.

        :raises OSError: the socket or the file failed; a file that has become shorter counts.
        """
        if self._sendfile:
            sent = _sendfile(
                sock.fileno(), self._file.fileno(), self._offset, min(self.count, self._BLOCK)
            )
        else:
            if not self._held:
                block = os.pread(self._file.fileno(), min(self.count, self._BLOCK), self._offset)
                self._held = memoryview(block)
            sent = sock.send(self._held) if self._held else 0
            self._held = self._held[sent:]
        if sent == 0:
            message = f"the file ended {self.count} bytes before its promised length"
            raise OSError(message)
        self._offset += sent
        self.count -= sent
        return int(sent)


class Outbox:
    """Buffers between an application that gives and a client that takes slowly.

    The thread that runs the application adds, the leader flushes when the socket is writable,
    both may be at it at the same time; :attr:`lock` guards the pieces and the sending, so that
    they leave in order.  It is held for one turn of non-blocking sending at most.
    """

    __slots__ = ("_pieces", "lock", "size")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._pieces: deque[memoryview | FileSpan] = deque()
        self.size = 0  #: bytes in memory that wait; a file's bytes do not count

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, data: Buffer | FileSpan) -> None:
        """Append a piece.  The caller holds the lock."""
        if isinstance(data, FileSpan):
            self._pieces.append(data)
        else:
            view = memoryview(data)
            self.size += len(view)
            self._pieces.append(view)

    def flush(self, sock: Any) -> int:
        """Send pieces until the socket takes no more, or one file block is sent.

        The caller holds the lock.

        :return: the number of bytes sent.
        :raises OSError: the socket failed.
        """
        total = 0
        while self._pieces:
            piece = self._pieces[0]
            try:
                sent = piece.send(sock) if isinstance(piece, FileSpan) else sock.send(piece)
            except BlockingIOError:
                break
            total += sent
            if isinstance(piece, FileSpan):
                if piece.count:
                    break  # one block a turn
                self._pieces.popleft()
                continue
            self.size -= sent
            if sent == len(piece):
                self._pieces.popleft()
            else:
                self._pieces[0] = piece[sent:]
        return total

    def clear(self) -> None:
        """Forget everything; nobody will take it any more."""
        with self.lock:
            self._pieces.clear()
            self.size = 0
