"""The client of the server's tests: blocking, bounded, and as strict as the corpus reads.

Where a test needs a server it takes `serving`, where it talks to one it takes a `Client`.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Self

from stein.server import Server, Settings
from tests.corpus.wire import AnswerReader, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from stein.http.exchange import Exchange
    from stein.typing import WSGIApplication

BOUND = 10.0
"""Seconds that anything may take before the test gives up; healthy servers need milliseconds."""


@contextlib.contextmanager
def serving(
    app: WSGIApplication,
    observer: Callable[[Sequence[Exchange]], None] | None = None,
    /,
    **settings: Any,
) -> Iterator[Server]:
    """Run a server on a free port, or where `bind` says."""
    settings.setdefault("graceful_timeout", 5.0)
    port = None if "bind" in settings else 0
    with Server(app, Settings(**settings), port=port, observer=observer) as server:
        yield server


def until(fact: Callable[[], object], bound: float = BOUND) -> None:
    """Wait for a fact that nothing announces; fails at the bound."""
    end = time.monotonic() + bound
    while not fact():
        assert time.monotonic() < end, "the fact that was waited for did not come about"
        time.sleep(0.001)


def request(
    target: str = "/", *fields: str, method: str = "GET", body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Write a request; a body brings its Content-Length, unless a field speaks of the body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: test", *fields]
    spoken = any(field.lower().startswith(("content-length", "transfer-enc")) for field in fields)
    if body and not spoken:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Client:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over a connected socket."""
        sock.settimeout(BOUND)
        self.sock = sock
        self.received = bytearray()
        self._reader = AnswerReader()
        self._taken = 0

    @classmethod
    def to(cls, server: Server, *, receive_buffer: int = 0) -> Self:
        """Connect to a server's TCP port.

        :param receive_buffer: make the kernel's buffer small, to be a slow reader soon.
        """
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(BOUND)
        try:
            sock.connect((server.host, server.port))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def __enter__(self) -> Self:
        """Give the open connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def ask(self, target: str = "/", *fields: str, method: str = "GET", **more: Any) -> Received:
        """Send a request and wait for its answer."""
        self.send(request(target, *fields, method=method, **more))
        return self.answer(head=method == "HEAD")

    def answer(self, *, head: bool = False) -> Received:
        """Wait for the next answer, interim ones included."""
        if head:
            while len(self._reader._heads) < self._reader.finals:
                self._reader.expect(head=False)
            self._reader.expect(head=True)
        while len(self._reader.answers) == self._taken:
            data = self.sock.recv(65536)
            self.received += data
            if data:
                self._reader.feed(data)
            else:
                self._reader.end()
                if len(self._reader.answers) == self._taken:
                    raise EOFError("the server closed the connection instead of answering")
        self._taken += 1
        return self._reader.answers[self._taken - 1]

    def rest(self) -> bytes:
        """Read raw bytes until the server closes; a reset raises."""
        blocks = []
        while block := self.sock.recv(1 << 20):
            blocks.append(block)
        return b"".join(blocks)

    def is_closed(self) -> bool:
        """Wait until the server closes; true if it did so in order and sent nothing more."""
        return self.rest() == b""

    def exactly(self, count: int) -> bytes:
        """Read so many raw bytes."""
        data = bytearray()
        while len(data) < count:
            block = self.sock.recv(count - len(data))
            if not block:
                raise EOFError(f"closed after {len(data)} of {count} bytes")
            data += block
        return bytes(data)

    def head(self) -> bytes:
        """Read a raw head, byte by byte, so that nothing behind it is taken."""
        data = self.exactly(1)
        while not data.endswith(b"\r\n\r\n"):
            data += self.exactly(1)
        return data

    def is_silent(self) -> bool:
        """Whether there is nothing to read at this moment."""
        return not select.select([self.sock], [], [], 0)[0]

    def shut(self) -> None:
        """End the sending side only."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go away with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
