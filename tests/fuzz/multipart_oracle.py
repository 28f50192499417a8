"""What must hold for any bytes that are fed to the multipart decoder.

Shared by the fuzzer and the property tests:

- the decoder raises :class:`ValueError` or nothing;
- however the bytes are cut, the same parts, contents and refusals come of them;
- what it keeps between two pieces is bounded by its limits;
- without limits, the contents are those that the grammar gives, read off the whole body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from stein.http import multipart
from stein.http.multipart import Decoder, Epilogue, Event, Part, Preamble
from stein.http.overrun import Overrun

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BOUNDARIES", "TOKENS", "Outcome", "check", "contents", "cut", "decode"]

BOUNDARIES: Final = (b"foo", b"-", b"--", b"a--a", b"a ", b"a" * 70)

#: what mutations put in; also the dictionary of the fuzzer
TOKENS: Final = (
    b"\r\n", b"\r", b"\n", b"--", b"--foo", b"\r\n--foo\r\n", b"\r\n--foo--", b"\n--foo \t\n", b" ",
    b"\r--foo\r", b"\r\n\r\n", b'Content-Disposition: form-data; name="a"',
    b"\r\n--foo" + 65 * b" ",
    b'content-disposition: form-data; name=a; filename="b.txt"', b"Content-Type: text/plain",
    b"filename*=utf-8''%C3%A9", b"filename*0=", b"\xff", b"\xc3\xa9", b"\0", b";", b'"', b"\\",
    b"%22", b":", b"\t", b"\v",
)  # fmt: skip


@dataclass
class Outcome:
    """What came of one body."""

    parts: list[Part] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)  #: of the preamble, then of each part
    open: bool = False  #: whether the last content was not ended
    epilogue: bytes = b""
    error: str = ""

    def add(self, event: Event) -> None:
        """Put pieces together, and see that they come in order."""
        if isinstance(event, Part):
            assert len(self.contents) == len(self.parts) + 1
            assert not self.open
            self.parts.append(event)
        elif isinstance(event, Epilogue):
            assert not self.open
            self.epilogue += event.data
        else:
            assert isinstance(event, Preamble) == (not self.parts)
            if self.open:
                self.contents[-1] += event.data
            else:
                self.contents.append(event.data)
                assert len(self.contents) == len(self.parts) + 1
            self.open = event.more


def decode(
    pieces: Iterable[bytes],
    boundary: bytes = b"foo",
    max_parts: int | None = None,
    max_field: int | None = None,
    max_head: int = multipart.MAX_HEAD,
) -> Outcome:
    """Feed the pieces, and then the end."""
    outcome = Outcome()
    decoder = Decoder(boundary, max_parts=max_parts, max_field=max_field, max_head=max_head)
    try:
        for piece in pieces:
            for event in decoder.feed(piece):
                outcome.add(event)
            assert len(decoder._rest) <= max(max_head + 4, len(boundary) + 6 + 65)
        outcome.add(decoder.close())
    except ValueError as error:
        outcome.error = str(error)
        if isinstance(error, Overrun) and outcome.open:
            outcome.contents.pop()  # how much of it came before depends on the pieces
            outcome.open = False
    return outcome


def cut(data: bytes, positions: Iterable[int]) -> list[bytes]:
    """Cut at these positions."""
    inner = sorted({min(each, len(data)) for each in positions} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(inner)] or [b""]


def contents(data: bytes, boundary: bytes) -> list[bytes]:
    """What lies between the delimiters, without the preamble; read off the whole body."""
    delimiter = re.compile(
        rb"(?:\r\n|\n|\r)--" + re.escape(boundary) + rb"(?:(--)|[ \t\v\f]{0,64}(?:\r\n|\r|\n))"
    )
    data = b"\r\n" + data
    match = delimiter.search(data)
    found = []
    while match is not None and not match[1]:
        start = match.end()
        blank = re.compile(rb"\r\n(?=\r\n)|\n(?=\n)|\r(?=\r\n|\r[^\n])").search(data, start)
        if blank is None:
            break
        start = blank.end()
        match = delimiter.search(data, start)
        if match is None:
            break
        lead = 2 if data.startswith(b"\r\n", start) else 1
        found.append(data[min(start + lead, match.start()) : match.start()])
    return found


def check(data: bytes, positions: Iterable[int], boundary: bytes = b"foo") -> None:
    """Hold the decoder to all of it, for one body and some ways to cut it."""
    pieces = cut(data, positions)
    bytewise = cut(data, range(len(data)))
    for limits in ({}, {"max_parts": 2, "max_field": 5, "max_head": 40}):
        whole = decode([data], boundary, **limits)
        assert decode(pieces, boundary, **limits) == whole
        assert decode(bytewise, boundary, **limits) == whole
        if not whole.error:
            assert whole.contents[1:] == contents(data, boundary)
