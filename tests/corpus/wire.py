"""The client's end of the wire: a strict reader of answers and a conversation with deadlines.

Strict, because a lenient client hides a server that is out of step: an answer that is not framed
exactly as RFC 9112 says, or a byte that no answer claims, is a `WireError`. Own code, because the
standard library's client forgives much of what is looked for here.
"""

from __future__ import annotations

import dataclasses
import re
import select
import socket
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

BOUND = 5.0
"""Seconds that any one answer or close may take; far above what a healthy server needs."""

STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff]"
    rb"(?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*",
)
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
LENGTH = re.compile(r"[0-9]{1,15}")
SINGLE = ("content-length", "content-type", "date", "location", "server", "transfer-encoding")
HEAD_BOUND = 65_536


class WireError(ValueError):
    """The server sent what is no well-formed answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One answer as it came."""

    version: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def interim(self) -> bool:
        """A 1xx answer."""
        return self.status < 200

    def header(self, name: str) -> str | None:
        """Give the value of a field, repeated ones joined with a comma; None if it is missing."""
        values = [value for key, value in self.fields if key == name]
        return ", ".join(values) if values else None


class AnswerReader:
    """Bytes in, answers out. `heads` tells for each final answer whether HEAD was asked."""

    def __init__(self, heads: Iterable[bool] = ()) -> None:
        """Start before the first answer; answers beyond `heads` are taken for GET."""
        self.answers: list[Received] = []
        self._heads = list(heads)
        self._buffer = b""
        self._ended = False

    @property
    def finals(self) -> int:
        """How many answers that finish a request have come whole."""
        return sum(not answer.interim for answer in self.answers)

    def expect(self, *, head: bool) -> None:
        """Announce one more final answer."""
        self._heads.append(head)

    def feed(self, data: bytes) -> None:
        """Take what has come; raises `WireError` as soon as it cannot be an answer."""
        self._buffer += data
        while self._buffer and self._next():
            pass

    def end(self) -> None:
        """Take note that the server has closed; an unfinished answer is a `WireError`."""
        self._ended = True
        while self._buffer and self._next():
            pass
        if self._buffer:
            raise WireError(f"closed inside an answer; left over: {self._buffer[:200]!r}")

    def _next(self) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            if len(self._buffer) > HEAD_BOUND or not b"HTTP/1.".startswith(self._buffer[:7]):
                raise WireError(f"this begins no answer: {self._buffer[:200]!r}")
            return False
        version, status, reason, fields = _read_head(head)
        asked_head = self.finals < len(self._heads) and self._heads[self.finals]
        framed = self._body(
            Received(version, status, reason, fields, b""), rest, asked_head=asked_head
        )
        if framed is None:
            return False
        body, self._buffer = framed
        self.answers.append(Received(version, status, reason, fields, body))
        return True

    def _body(
        self, answer: Received, rest: bytes, *, asked_head: bool
    ) -> tuple[bytes, bytes] | None:
        """Give the body and what follows it, or None while it is incomplete (RFC 9112 6.3)."""
        coding, length = answer.header("transfer-encoding"), answer.header("content-length")
        if coding is not None and (coding != "chunked" or length is not None):
            raise WireError(f"Transfer-Encoding {coding!r} with Content-Length {length!r}")
        if answer.interim or answer.status == 204:
            if coding is not None or length is not None:
                raise WireError(
                    f"{answer.status} carries a framing field (RFC 9112 6.1, RFC 9110 8.6)"
                )
            return b"", rest
        if length is not None and not LENGTH.fullmatch(length):
            raise WireError(f"Content-Length {length!r}")
        if asked_head or answer.status == 304:
            return b"", rest
        if coding is not None:
            return _unchunk(rest)
        if length is not None:
            size = int(length)
            return (rest[:size], rest[size:]) if len(rest) >= size else None
        return (rest, b"") if self._ended else None


def _read_head(head: bytes) -> tuple[str, int, str, tuple[tuple[str, str], ...]]:
    first, *lines = head.split(b"\r\n")
    found = STATUS_LINE.fullmatch(first)
    if not found:
        raise WireError(f"status line {first!r}")
    fields: list[tuple[str, str]] = []
    for line in lines:
        field = FIELD_LINE.fullmatch(line)
        if not field:
            raise WireError(f"field line {line!r}")
        fields.append((field[1].decode("ascii").lower(), field[2].decode("latin-1")))
    names = [name for name, _ in fields]
    for name in SINGLE:
        if names.count(name) > 1:
            raise WireError(f"{name} comes {names.count(name)} times")
    return found[1].decode("ascii"), int(found[2]), found[3].decode("latin-1"), tuple(fields)


def _unchunk(rest: bytes) -> tuple[bytes, bytes] | None:
    """Decode a chunked body; extensions and trailers are refused, for nobody asked for them."""
    body = bytearray()
    while True:
        line, found, after = rest.partition(b"\r\n")
        if not found:
            return None
        if not CHUNK_SIZE.fullmatch(line):
            raise WireError(f"chunk size line {line[:80]!r}")
        size = int(line, 16)
        if len(after) < size + 2:
            return None
        if after[size : size + 2] != b"\r\n":
            raise WireError(f"no CRLF behind a chunk, but {after[size : size + 2]!r}")
        body += after[:size]
        rest = after[size + 2 :]
        if not size:
            return bytes(body), rest


class Conversation:
    """One connection of the test's client: sends, reads meanwhile, and never waits for ever.

    One thread on a non-blocking socket. Whatever the client does, it keeps reading, so that an
    early answer is not lost and two full buffers cannot lock each other.
    """

    def __init__(self, host: str, port: int, heads: Iterable[bool] = ()) -> None:
        """Connect; each small send leaves at once as its own segment."""
        self.received = bytearray()
        self.reader = AnswerReader(heads)
        self.fault: WireError | None = None
        self.closed = False
        self.reset = False
        self._socket = socket.create_connection((host, port), timeout=BOUND)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        """Give the open conversation."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        self._socket.close()

    @property
    def over(self) -> bool:
        """Nothing more can be learned from this connection."""
        return self.closed or self.fault is not None

    def send(self, data: bytes) -> bool:
        """Send all of it; false if the server closed or did not take it within the bound."""
        left = memoryview(data)
        deadline = time.monotonic() + BOUND
        while left and not self.over:
            patience = deadline - time.monotonic()
            if patience <= 0:
                return False
            readable, writable, _ = select.select([self._socket], [self._socket], [], patience)
            if readable:
                self._receive()
            if writable and not self.over:
                left = left[self._push(left) :]
        return not left

    def half_close(self) -> None:
        """End the sending side."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.closed = True

    def pause(self, seconds: float) -> None:
        """Send nothing for so long, reading all the while; ends early if the server closes."""
        self._wait(lambda: False, seconds)

    def wait_answers(self, count: int) -> bool:
        """Wait for so many answers, interim ones included."""
        return self._wait(lambda: len(self.reader.answers) >= count, BOUND)

    def wait_finals(self, count: int) -> bool:
        """Wait for so many answers that finish a request."""
        return self._wait(lambda: self.reader.finals >= count, BOUND)

    def wait_closed(self) -> bool:
        """Wait for the server's end of the stream."""
        return self._wait(lambda: self.closed, BOUND)

    def _wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not reached() and not self.over:
            patience = deadline - time.monotonic()
            if patience <= 0:
                return False
            if select.select([self._socket], [], [], patience)[0]:
                self._receive()
        return reached()

    def _push(self, data: memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except (ConnectionResetError, BrokenPipeError):
            # What arrived before the reset is still in the kernel's queue and is wanted.
            self.reset = True
            while not self.over:
                self._receive()
            return 0

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except BlockingIOError:
            if self.reset:
                self.closed = True
            return
        except ConnectionResetError:
            self.reset = self.closed = True
            return
        try:
            if data:
                self.received += data
                self.reader.feed(data)
            else:
                self.closed = True
                self.reader.end()
        except WireError as error:
            self.fault = error
