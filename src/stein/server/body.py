"""Request bodies: collected before the call, or streamed during it.  Either way ``wsgi.input``."""

from __future__ import annotations

import contextlib
import io
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BodyCollector", "BodyStream"]


class BodyCollector:
    """Takes a body as it arrives: in memory up to a size, then in a temporary file.

    Threads: the leader, until the application gets :attr:`file`.

    :param most: bytes that may stay in memory.
    """

    __slots__ = ("_in_memory", "_most", "_size", "file")

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._in_memory = True
        self.file: IO[bytes] = io.BytesIO()

    def add(self, content: bytes) -> None:
        """Append to the body.

        :raises OSError: the temporary file cannot be written, e.g. since the disk is full.
        """
        self._size += len(content)
        if self._in_memory:
            if self._size <= self._most:
                self.file.write(content)
                return
            import tempfile  # noqa: PLC0415 - most processes see no large body

            memory = self.file
            self.file = tempfile.TemporaryFile(prefix="stein-body-")  # noqa: SIM115 - see close()
            self._in_memory = False
            memory.seek(0)
            content = memory.read() + content
        try:
            self.file.write(content)
            # A full disk must show here, and not in rewind(), when the body is taken for good.
            self.file.flush()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Give up the body, and the temporary file with it."""
        with contextlib.suppress(OSError):  # what it still holds cannot be written either
            self.file.close()

    def rewind(self) -> IO[bytes]:
        """The whole body, as a file at its beginning."""
        self.file.seek(0)
        return self.file


class BodyStream(io.RawIOBase):
    """The raw end of a streamed ``wsgi.input``; :class:`io.BufferedReader` is put around it.

    :param receive: gives the next bytes of the body, waiting for them; ``b""`` at its end.
    """

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """As of every raw stream that can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` with what is there, waiting only if nothing is."""
        if not self._left:
            self._left = memoryview(self._receive())
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def open_stream(receive: Callable[[], bytes]) -> IO[bytes]:
    """A streamed body with the whole reading interface of a file."""
    return io.BufferedReader(BodyStream(receive), buffer_size=65536)
