"""A stream that ends at a limit: the body of a request, however the server gives it."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Final

from stein.toolkit.exceptions import ClientDisconnected, RequestEntityTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LimitedStream", "too_large"]


def too_large(limit: int) -> RequestEntityTooLarge:
    """The 413 for a body that is over the limit, which it names."""
    return RequestEntityTooLarge(
        f"The request body has more than {limit} bytes (setting: max_content_length)."
    )


#: how much is read at a time when all of a stream is wanted, in bytes
_BLOCK: Final = 64 * 1024


class LimitedStream(io.RawIOBase):
    """A stream of which no more than so many bytes are read.

    What to do at its two ends is for a subclass to change: :meth:`on_exhausted` when someone reads
    on after the limit, :meth:`on_disconnect` when the stream ends or fails before it.

    :param stream: what to read from; ``read(size)`` is enough, ``readline`` and ``readinto`` are
        used if they are there.
    :param limit: in bytes.
    :param is_max: the limit is the most that is allowed (more is an error, less is not) rather
        than the length that was announced (the other way round).  Then the stream itself must
        end, since whether there is more can only be found out by reading on.
    """

    limit: int

    def __init__(self, stream: IO[bytes], limit: int, is_max: bool = False) -> None:  # noqa: FBT001, FBT002 - positional in the interface
        self.limit = limit
        self._is_max = is_max
        self._stream = stream
        self._taken = 0  # bytes so far

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit was reached."""
        return self._taken >= self.limit

    def on_exhausted(self) -> None:
        """Hook: someone reads on after the limit; if it is a maximum, there is more to read.

        :raises RequestEntityTooLarge: the limit is a maximum.
        """
        if self._is_max:
            raise too_large(self.limit)

    def on_disconnect(self, error: Exception | None = None) -> None:
        """Hook: the stream came to its end before the limit, or could not be read.

        :param error: what it failed with, if it did.
        :raises ClientDisconnected: unless the limit is a maximum and the stream just ended: as
            far as anybody can tell, that is where the body ends.
        """
        if error is not None or not self._is_max:
            raise ClientDisconnected from error

    def readable(self) -> bool:
        """True, for :class:`io.BufferedReader` and :class:`io.TextIOWrapper`."""
        return True

    def tell(self) -> int:
        """How many bytes were read."""
        return self._taken

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most so many bytes, once; all that are left if ``size`` is negative or None."""
        # PERF: the base class fills a bytearray through readinto(), and copies it.
        if size is None or size < 0:
            return self.readall()
        left = self.limit - self._taken
        if left <= 0:
            return self._read_on()
        return self._take(self._stream.read, min(size, left)) if size else b""

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read to the end of the line, but at most ``size`` bytes if that is not negative."""
        source = getattr(self._stream, "readline", None)
        if source is None:
            return super().readline(size)
        # PERF: the base class reads byte by byte.
        left = self.limit - self._taken
        if left <= 0:
            return self._read_on()
        wanted = left if size is None or size < 0 else min(size, left)
        line = self._take(source, wanted) if wanted else b""
        if line and line[-1:] != b"\n" and len(line) != size:
            # The line is not complete: the limit came first, or the end of the stream.
            if len(line) >= left:
                self._read_on()
            else:
                self.on_disconnect()
        return line

    def readall(self) -> bytes:
        """Read all that is left, in as many steps as the stream needs."""
        left = self.limit - self._taken
        if left <= 0:
            return self._read_on()
        # PERF: most bodies come in one piece, which is given as it is.
        data = self.read(min(left, _BLOCK))
        if data and self._taken < self.limit:
            pieces = [data]
            while data and self._taken < self.limit:
                data = self.read(min(self.limit - self._taken, _BLOCK))
                pieces.append(data)
            data = b"".join(pieces)
        if self._is_max and self._taken >= self.limit:
            self._read_on()  # what was cut off must not be taken for the whole
        return data

    def readinto(self, buffer: Any, /) -> int | None:
        """Read into a buffer, once; gives the number of bytes, 0 at the end."""
        left = self.limit - self._taken
        if left <= 0:
            return len(self._read_on())
        source = getattr(self._stream, "readinto", None)
        view = memoryview(buffer)[:left]
        if source is None:
            data = self._take(self._stream.read, len(view))
            view[: len(data)] = data
            return len(data)
        try:
            count: int | None = source(view)
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self.on_disconnect(error)
            return 0
        if not count:
            self.on_disconnect()
            return 0
        self._taken += count
        return count

    def exhaust(self) -> bytes:
        """Read what is left; unlike :meth:`readall`, more than once without an error."""
        return b"" if self.is_exhausted else self.readall()

    def _take(self, source: Callable[[int], bytes], size: int) -> bytes:
        """Read once from the stream itself, as far as the limit allows."""
        try:
            data = source(size)
        except (OSError, ValueError) as error:
            self.on_disconnect(error)
            return b""
        if not data:
            self.on_disconnect()
            return b""
        self._taken += len(data)
        return data

    def _read_on(self) -> bytes:
        """Someone reads on after the limit: call the hook, unless a maximum was just met."""
        if self._is_max:
            try:
                more = self._stream.read(1)
            except (OSError, ValueError) as error:
                self.on_disconnect(error)
                return b""
            if not more:
                return b""
        self.on_exhausted()
        return b""
