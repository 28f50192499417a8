"""What must hold for any bytes that are fed to the request reader.

Shared by the fuzzer, the property tests and the test that runs in CI.  Nothing here knows what a
right answer is for given bytes (the corpus does); it knows what must hold for all of them:

- the reader raises :class:`RequestError` or nothing;
- however the bytes are cut, the same requests, bodies and refusals come of them;
- what was remembered from earlier requests changes nothing;
- what it keeps is bounded by its limits, whatever is fed;
- after a refusal nothing more comes out;
- each request that does come out keeps the promises that the server relies on.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Final

from stein.errors import RequestError
from stein.http.grammar import is_field_value, is_host, is_token
from stein.http.h1 import reader as module
from stein.http.h1.reader import RequestReader, clear_memories
from stein.http.limits import Limits

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from stein.http.exchange import Exchange, RequestLine

__all__ = [
    "LIMITS",
    "TEMPLATE",
    "TOKENS",
    "Outcome",
    "Read",
    "Refused",
    "bytewise",
    "check",
    "cut",
    "mutate",
    "replay",
    "same",
]

TEMPLATE: Final = {"SERVER_NAME": "", "wsgi.url_scheme": "http"}

#: the limits that inputs are tried under; small ones, so that short inputs reach them
LIMITS: Final = (
    Limits(),
    Limits(request_line=40, header_bytes=200, header_fields=4, chunk_overhead=32, body=20),
    Limits(request_line=600, header_bytes=120, header_fields=100, chunk_overhead=0),
)

#: a request that no input is likely to hold, within all of the limits
OTHER: Final = b"GET /other HTTP/1.1\r\nHost: o\r\nOther: o\r\n\r\n"

#: what mutations put in; also the dictionary of the fuzzer
TOKENS: Final = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\r\n ", b"\r\n\t", b" \r\n", b":"),
    *(b"\x7f", b"\x80", b"\xff", b"_", b"#", b"?", b"*", b"%00", b"%2f", b",", b";", b'"', b"\\"),
    *(b"GET ", b"POST ", b"HEAD ", b"OPTIONS * ", b"CONNECT ", b"SOURCE ", b"PRI ", b"BREW "),
    *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b"http://a", b"https://a:1/b"),
    *(b"Host: a\r\n", b"Host: [::1]:80\r\n", b"Host:\r\n", b"Content-Type: a\r\n", b"A: b\r\n"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content_Length: 5\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"chunked"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n"),
    *(b"Upgrade: x\r\n", b"Expect: 100-continue\r\n", b"Proxy-Connection: close\r\n"),
    *(b"Cookie: a=b\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"1;a=b\r\n-\r\n"),
    *(b"ffffffffffffffff", b"00000000000000000005", b"5;", b'1;a="\r\n"\r\n-\r\n', b"0\r\n"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """One request that came out of the reader."""

    line: RequestLine
    variables: dict[str, Any]
    length: int
    persistent: bool
    expects_continue: bool
    complete: bool
    body: bytes  #: as far as it was given; cut short before a refusal


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The error that ended it."""

    status: int
    limit: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """All that came of some bytes on one connection."""

    requests: tuple[Read, ...]
    refused: Refused | None
    rest: bytes  #: what was not read, or not understood yet; nothing after a refusal


def cut(data: bytes, random: random.Random, most: int = 8) -> list[bytes]:
    """Cut bytes at random places, now and then into very small pieces."""
    if len(data) < 2:
        return [data]
    count = random.randint(1, most)
    if random.random() < 0.5:  # close to each other
        start = random.randrange(len(data))
        places = [start + random.randint(0, 6) for _ in range(count)]
    else:
        places = [random.randrange(len(data)) for _ in range(count)]
    edges = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


def bytewise(data: bytes) -> list[bytes]:
    """Cut bytes into single ones."""
    return [data[i : i + 1] for i in range(len(data))]


def mutate(data: bytes, random: random.Random) -> bytes:
    """Change bytes a little: put a token in, take a piece out, repeat one, change a byte."""
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.randint(0, 12))
        match random.randrange(5):
            case 0:
                data = data[:at] + random.choice(TOKENS) + data[at:]
            case 1:
                data = data[:at] + random.choice(TOKENS) + data[end:]
            case 2:
                data = data[:at] + data[end:]
            case 3:
                data = data[:end] + data[at:]
            case _:
                data = data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
    return data


def replay(
    pieces: Iterable[bytes], limits: Limits = LIMITS[0], reader: RequestReader | None = None
) -> Outcome:
    """Feed pieces to a reader the way the server does, checking it at each step."""
    feeder = _Feeder(reader or RequestReader(limits, dict(TEMPLATE)), limits)
    for piece in pieces:
        feeder.take(piece)
    return feeder.outcome()


class _Feeder:
    """One connection's life with its reader."""

    def __init__(self, reader: RequestReader, limits: Limits) -> None:
        self.reader = reader
        self.limits = limits
        self.exchange: Exchange | None = None
        self.body = bytearray()
        self.requests: list[Read] = []
        self.refused: Refused | None = None
        self.closing = False
        self.unread = bytearray()

    def take(self, data: bytes) -> None:
        reader = self.reader
        while data and not self.closing:
            try:
                self._feed(data)
            except RequestError as error:
                self._refuse(error)
                return
            _check_bounds(reader, self.limits, len(data))
            data, reader.rest = reader.rest, b""
        self.unread += data

    def _feed(self, data: bytes) -> None:
        reader = self.reader
        exchange = self.exchange
        if exchange is None:
            exchange = self.exchange = reader.feed(data)
            if exchange is None:
                assert reader.rest == b"", "bytes behind a head that is not complete"
                assert reader.begun == bool(reader.seen)
                return
            assert not reader.begun
            assert exchange is reader.exchange
            _check_promises(exchange, self.limits)
        else:
            before = exchange.received
            content = reader.feed_body(data)
            self.body += content
            assert exchange.received == before + len(content)
            assert exchange.complete or reader.rest == b"", "bytes behind an incomplete body"
        if exchange.complete:
            self._finish()

    def _finish(self) -> None:
        exchange = self.exchange
        assert exchange is not None
        assert exchange.received == len(self.body)
        assert exchange.length in {-1, len(self.body)}
        assert self.limits.body is None or len(self.body) <= self.limits.body
        self._note(exchange)
        self.closing = not exchange.persistent
        self.exchange = None
        self.body = bytearray()

    def _note(self, exchange: Exchange) -> None:
        read = Read(
            exchange.line,
            exchange.variables.copy(),
            exchange.length,
            exchange.persistent,
            exchange.expects_continue,
            exchange.complete,
            bytes(self.body),
        )
        self.requests.append(read)
        # An application owns these and may do what it likes with them.
        exchange.variables["HTTP_HOST"] = exchange.variables["CONTENT_LENGTH"] = "spoilt"
        exchange.variables["spoilt"] = exchange

    def _refuse(self, error: RequestError) -> None:
        assert 400 <= error.status <= 599
        assert str(error).isprintable(), f"not fit for a log line: {error!r}"
        assert (error.limit is not None) == (error.status in {413, 414, 431})
        self.refused = Refused(error.status, error.limit)
        self.closing = True
        for more in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\n\r\n", b"x"):
            _check_silence(self.reader, more, in_body=self.exchange is not None)

    def outcome(self) -> Outcome:
        if self.exchange is not None:
            self._note(self.exchange)
        rest = b"" if self.refused else self.reader.seen + self.unread
        return Outcome(tuple(self.requests), self.refused, rest)


def _check_bounds(reader: RequestReader, limits: Limits, fed: int) -> None:
    """The reader keeps no more than its limits allow, and no copy of what it has given away."""
    most = limits.request_line + 2 + limits.header_bytes
    assert len(reader.seen) <= most
    assert len(reader.rest) <= fed + most
    assert len(reader._last_fields) <= max(limits.header_bytes, 1)
    chunks = reader._chunks
    if chunks is not None:
        assert chunks._content == []
        assert len(chunks._tail) <= 3
        assert chunks._overhead - chunks._framing <= limits.chunk_overhead + chunks._SLACK


def _check_memories() -> None:
    """What all readers remember is bounded, too, whatever clients send."""
    for memory in (module._plain_lines, module._names, module._hosts):
        assert len(memory) <= 1024
        assert all(len(known) <= 512 for known in memory)


def _check_promises(exchange: Exchange, limits: Limits) -> None:
    """What the server and the application may rely on."""
    line, variables = exchange.line, exchange.variables
    assert is_token(line.method)
    assert line.protocol in {"HTTP/1.0", "HTTP/1.1"}
    assert len(line.target) <= limits.request_line
    assert line.path.startswith("/") or (line.path, line.method) == ("*", "OPTIONS")
    assert not set(line.target + line.query) & set(" #\r\n\0\t")
    assert exchange.complete == (exchange.length == 0)
    assert "HTTP_TRANSFER_ENCODING" not in variables
    assert "spoilt" not in variables
    assert exchange.length == -1 or exchange.length == int(variables.get("CONTENT_LENGTH", "0"))
    assert exchange.length != -1 or "CONTENT_LENGTH" not in variables
    assert is_host(variables["HTTP_HOST"] if line.protocol == "HTTP/1.1" else line.host or "")
    assert len(variables) <= limits.header_fields + len(TEMPLATE) + 1
    for name, value in TEMPLATE.items():
        assert variables[name] == value
    for name, value in variables.items():
        assert is_field_value(value), f"{name}: {value!r}"
        # (several cookies are joined with a blank behind the semicolon)
        assert name == "HTTP_COOKIE" or value == value.strip(" \t"), f"{name}: {value!r}"
        if name not in TEMPLATE:
            assert name.startswith("HTTP_") or name in {"CONTENT_LENGTH", "CONTENT_TYPE"}, name
            assert name == "HTTP_" or is_token(name), name
            assert name == name.upper(), name
            assert "-" not in name, name


def _check_silence(reader: RequestReader, more: bytes, *, in_body: bool) -> None:
    """A reader that has refused goes on refusing."""
    try:
        came = reader.feed_body(more) if in_body else reader.feed(more)
    except RequestError:
        return
    raise AssertionError(f"after a refusal came {came!r}")


def same(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes of the same bytes are the same, as far as a client could tell.

    A body that is refused in its middle has been handed out as far as the last piece went; and
    if it breaks a rule *and* a limit, either may be noticed first, since llhttp does not say
    where in a piece it found a fault.
    """
    if one.refused is None or other.refused is None or not _in_chunks(one):
        return _comparable(one) == _comparable(other)
    return _comparable(one).requests == _comparable(other).requests and (
        one.refused == other.refused or bool(one.refused.limit or other.refused.limit)
    )


def _in_chunks(outcome: Outcome) -> bool:
    return bool(outcome.requests) and not outcome.requests[-1].complete


def _comparable(outcome: Outcome) -> Outcome:
    if outcome.refused is None or not _in_chunks(outcome):
        return outcome
    *whole, last = outcome.requests
    last = dataclasses.replace(last, body=b"")
    return dataclasses.replace(outcome, requests=(*whole, last))


def check(data: bytes, random: random.Random, limits: Sequence[Limits] = LIMITS) -> Outcome:
    """Hold the reader to everything above for one input.

    :return: what came of the bytes in one piece, under the first of the limits.
    """
    first: Outcome | None = None
    for limit in limits:
        clear_memories()
        whole = replay([data], limit)
        _agree(whole, replay([data], limit), data, limit, "memories warm")
        for _ in range(2):
            pieces = cut(data, random)
            _agree(whole, replay(pieces, limit), pieces, limit, "cut")
        clear_memories()
        pieces = cut(data, random)
        _agree(whole, replay(pieces, limit), pieces, limit, "cut, memories empty")
        if len(data) <= 400:
            _agree(whole, replay(bytewise(data), limit), data, limit, "byte by byte")
        _check_repeats(whole, data, limit)
        _check_memories()
        first = first or whole
    assert first is not None
    return first


def _check_repeats(whole: Outcome, data: bytes, limits: Limits) -> None:
    """The same bytes again and again on one connection: each time the same comes of them.

    In between comes another request twice: what is known of the one must not pass for the other.
    """
    complete = whole.refused is None and not whole.rest and whole.requests
    if not complete or not all(read.complete and read.persistent for read in whole.requests):
        return
    reader = RequestReader(limits, dict(TEMPLATE))
    other = replay([OTHER], limits)
    for time in range(1, 8):
        if time in {4, 5}:
            _agree(other, replay([OTHER], limits, reader), data, limits, f"as number {time}")
        else:
            _agree(whole, replay([data], limits, reader), data, limits, f"as number {time}")


def _agree(whole: Outcome, other: Outcome, data: object, limits: Limits, how: str) -> None:
    assert same(whole, other), f"{how}, {limits}:\n{data!r}\nwhole: {whole}\nother: {other}"
