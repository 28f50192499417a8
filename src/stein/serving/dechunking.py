"""A chunked body as a stream, for programs that read a connection themselves."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from stein.errors import RequestError
from stein.http.h1.chunked import ChunkedBody
from stein.http.limits import Limits

if TYPE_CHECKING:
    from stein.typing import Buffer

__all__ = ["DechunkedInput"]


class DechunkedInput(io.RawIOBase):
    """Reads a chunked body (RFC 9112 7.1) and gives its content.

    Our server has no need of it: what an application reads has no chunks any more.

    :param rfile: where the chunks come from.
    """

    def __init__(self, rfile: IO[bytes]) -> None:
        self._rfile = rfile
        self._body = ChunkedBody(Limits())
        self._content = b""
        self._ended = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override] # typeshed's own name for it
        """Fill a buffer with content; 0 at the end.

        :raises OSError: these are no chunks, or they end too early.
        """
        while not self._content and not self._ended:
            # A line at a time, so that nothing is read of what follows the body.
            data = self._rfile.readline(65536)
            if not data:
                raise OSError("the chunked body was cut short")
            try:
                self._content, _, self._ended = self._body.feed(data)
            except RequestError as error:
                raise OSError(error.reason) from error
        view = memoryview(buffer)
        count = min(len(view), len(self._content))
        view[:count] = self._content[:count]
        self._content = self._content[count:]
        return count
