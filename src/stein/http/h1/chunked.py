"""Chunked request bodies (RFC 9112 7.1), decoded by llhttp.

llhttp does not say where in the bytes a message ended.  But a chunked message can end only at a
CRLF CRLF, so the bytes are fed up to each of these: after one of them the message has ended, or
it goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpRequestParser

from stein.errors import RequestError

if TYPE_CHECKING:
    from stein.http.limits import Limits

__all__ = ["ChunkedBody"]


class ChunkedBody:
    """Decodes one chunked body (RFC 9112 7.1); trailer fields are checked and dropped.

    They never reach the application (RFC 9110 6.5.1): it would take them for header fields.
    """

    __slots__ = (
        "_chunk",
        "_content",
        "_ended",
        "_fields",
        "_framing",
        "_limits",
        "_overhead",
        "_parser",
        "_tail",
    )

    _HEAD: Final = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    # The size line of a chunk that is under way, which cannot be told from extensions.
    _SLACK: Final = 24

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._content: list[bytes] = []
        self._ended = False
        self._tail = b""  # the last three bytes fed, in case a CRLF CRLF was cut
        self._chunk = 0  # content of the chunk under way
        self._overhead = 0  # bytes fed that were no content
        self._framing = 0  # what of it a plain encoder needs
        self._fields = -1  # trailer fields; the one of _HEAD does not count
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(self._HEAD)

    def feed(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Decode bytes: the content, what is behind the body, and whether it has ended."""
        view = memoryview(data)
        window = self._tail + data  # so that positions in it are shifted by len(tail)
        shift = len(self._tail)
        position = 0
        search = 0
        while not self._ended and position < len(data):
            found = window.find(b"\r\n\r\n", search)
            stop = len(data) if found < 0 else found + 4 - shift
            search = found + 2
            self._feed_parser(view[position:stop])
            position = stop
        self._tail = window[-3:]
        content = self._content[0] if len(self._content) == 1 else b"".join(self._content)
        self._content.clear()
        self._overhead += position - len(content)
        self._check_overhead()
        return content, data[position:], self._ended

    def _feed_parser(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except HttpParserError as error:
            raise RequestError(400, f"malformed chunked body: {error}") from None

    def _check_overhead(self) -> None:
        limits = self._limits
        slack = 0 if self._ended else self._SLACK
        if self._overhead - self._framing - slack > limits.chunk_overhead:
            reason = f"chunk extensions and trailer over {limits.chunk_overhead} bytes"
            raise RequestError(431, reason, "limit_chunk_overhead")
        if self._fields > limits.header_fields:
            reason = f"more than {limits.header_fields} trailer fields"
            raise RequestError(431, reason, "limit_header_fields")

    # callbacks of llhttp

    def on_body(self, content: bytes) -> None:
        """Content of a chunk, whole or in part."""
        self._content.append(content)
        self._chunk += len(content)

    def on_chunk_complete(self) -> None:
        """A chunk has ended."""
        self._framing += len(f"{self._chunk:x}") + 4
        self._chunk = 0

    def on_header(self, _name: bytes, _value: bytes) -> None:
        """A trailer field."""
        self._fields += 1

    def on_message_complete(self) -> None:
        """The body has ended, trailer and all."""
        self._ended = True
