"""Messages between two processes: lines of JSON on a socket that both have an end of.

Each is an object whose ``kind`` says what it is about.  When one side ends, however that happens,
the other reads the end of the stream.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

__all__ = ["LARGEST_READ", "Lines", "Message", "encode", "read_messages"]

Message: TypeAlias = dict[str, Any]

LARGEST_READ: Final = 1 << 16


def encode(kind: str, **fields: Any) -> bytes:
    """Return a message as it is sent."""
    return json.dumps({"kind": kind, **fields}).encode() + b"\n"


class Lines:
    """Makes messages of bytes, in whatever pieces they come.  One thread."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


def read_messages(sock: socket.socket) -> Iterator[Message]:
    """Give what comes until the other side is gone, or the socket is.

    :param sock: a blocking one.
    """
    lines = Lines()
    while True:
        try:
            data = sock.recv(LARGEST_READ)
        except OSError:
            return
        if not data:
            return
        yield from lines.feed(data)
