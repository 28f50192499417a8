"""Heads that are wrong: which ones are mended, and into what; all others stay refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.errors import RequestError
from stein.http.h1.lenient import LenientReader, mend
from stein.http.h1.reader import RequestReader
from stein.http.limits import Limits

if TYPE_CHECKING:
    from stein.http.exchange import Exchange

LINE = b"GET /a?b HTTP/1.1\r\n"
HOST = b"Host: test\r\n"


def head(*fields: bytes, line: bytes = LINE, host: bytes = HOST) -> bytes:
    return line + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


class Reading:
    """A reader and what it has told."""

    def __init__(self, *, local: bool = False, limits: Limits | None = None) -> None:
        self.notes: list[str] = []
        note = lambda _exchange, faults: self.notes.append(faults)  # noqa: E731
        self.reader = LenientReader(limits or Limits(), {}, note, local=local)

    def read(self, data: bytes, cut: int | None = None) -> Exchange:
        pieces = [data] if cut is None else [data[:cut], data[cut:]]
        found = None
        for piece in filter(None, pieces):
            assert found is None
            found = self.reader.feed(piece)
        assert found is not None
        return found


def variables(data: bytes, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """What is read, whole and in any two pieces, and what was told about it."""
    reading = Reading(**options)
    exchange = reading.read(data)
    assert not exchange.persistent
    for cut in range(1, len(data)):
        again = Reading(**options)
        other = again.read(data, cut)
        assert (other.variables, other.line) == (exchange.variables, exchange.line)
        assert again.notes == reading.notes
    return exchange.variables | {"line": exchange.line}, reading.notes


def test_folded_lines_are_joined() -> None:
    found, notes = variables(head(b"X-A: one", b"\ttwo", b"  three", b"X-B: b"))
    assert (found["HTTP_X_A"], found["HTTP_X_B"]) == ("one\ttwo  three", "b")
    assert notes == ["a folded field line"]


def test_a_fragment_is_cut_off() -> None:
    found, notes = variables(head(line=b"GET http://other:1/a?b#c?d#e HTTP/1.0\r\n"))
    assert (found["line"].path, found["line"].query) == ("/a", "b")
    assert found["HTTP_HOST"] == "other:1"
    assert notes == ["a fragment in the request target"]


@pytest.mark.parametrize("length", [b"invalid", b"7", b""])
def test_chunks_count_and_a_length_does_not(length: bytes) -> None:
    fields = [b"Content-Length: " + length, b"Transfer-Encoding: chunked"]
    data = head(*fields, line=b"POST / HTTP/1.1\r\n")
    reading = Reading()
    exchange = reading.read(data)
    assert exchange.length == -1
    assert not exchange.persistent
    assert exchange.variables["CONTENT_LENGTH"] == length.decode()
    assert reading.reader.feed_body(b"2\r\nab\r\n0\r\n\r\n") == b"ab"
    assert exchange.complete
    assert reading.notes == ["Content-Length beside Transfer-Encoding"]


def test_a_path_is_a_host_on_a_unix_socket_only() -> None:
    data = head(host=b"hOst:\t/tmp/a.sock\r\n")
    found, notes = variables(data, local=True)
    assert found["HTTP_HOST"] == "localhost"
    assert notes == ["a path as Host"]
    with pytest.raises(RequestError):
        Reading().read(data)


def test_all_faults_are_told() -> None:
    _, notes = variables(head(b"X: a", b" b", line=b"GET /#x HTTP/1.1\r\n"))
    assert notes == ["a fragment in the request target; a folded field line"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(head(b"Transfer-Encoding:", b" chunked"), id="folded coding"),
        pytest.param(head(b"Content-Length: 1", b" 2"), id="folded length"),
        pytest.param(head(host=b"Host: a\r\n b\r\n"), id="folded host"),
        pytest.param(head(host=b" Host: a\r\n"), id="blank in front of the first field"),
        pytest.param(head(b"Content-Length: x"), id="a length alone"),
        pytest.param(head(b"Content-Length: 1", b"Content-Length: 1"), id="two lengths"),
        pytest.param(
            head(b"Content-Length: 1", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
            id="two lengths and chunks",
        ),
        pytest.param(head(b"Content-Length: 1", b"Transfer-Encoding: gzip, chunked"), id="coding"),
        pytest.param(head(b"Content-Length: 1", b"Transfer-Encoding: xchunked"), id="xchunked"),
        pytest.param(
            head(
                b"Content-Length: 1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"
            ),
            id="two codings",
        ),
        pytest.param(head(b"X: a", b" b", host=b""), id="no host"),
        pytest.param(head(b"X : a", b" b"), id="blank before the colon"),
        pytest.param(head(b"X: a\n b"), id="line feed alone"),
        pytest.param(head(b"X: a\x00", b" b"), id="NUL"),
        pytest.param(head(line=b"GET /#x HTTP/2.0\r\n"), id="version"),
        pytest.param(head(line=b"GET #x HTTP/1.1\r\n"), id="fragment alone"),
        pytest.param(head(line=b"GET /#x y HTTP/1.1\r\n"), id="blank in the fragment"),
        pytest.param(head(line=b"GET /#a\nGET\t/b\0 HTTP/1.1\r\n"), id="line feed in the fragment"),
        pytest.param(head(host=b"Host: /a\nX: 1\0\r\n"), id="line feed in a path as Host"),
        pytest.param(
            head(b"Content-Length: a\nX: c\0", b"Transfer-Encoding: chunked"),
            id="line feed in a length that does not count",
        ),
    ],
)
def test_what_stays_refused(data: bytes) -> None:
    with pytest.raises(RequestError) as whole:
        Reading(local=True).read(data)
    assert whole.value.status in {400, 501, 505}
    for cut in range(1, len(data)):
        with pytest.raises(RequestError):
            Reading(local=True).read(data, cut)


def test_limits_hold() -> None:
    limits = Limits(header_fields=3)
    with pytest.raises(RequestError) as caught:
        Reading(limits=limits).read(head(b"A: a", b"B: b", b"C: c", b" d"))
    assert caught.value.status == 431
    reader = Reading(limits=Limits(header_bytes=200)).reader
    reader.feed(b"GET /#x HTTP/1.1\r\n")
    with pytest.raises(RequestError) as caught:
        feed_for_ever(reader)
    assert caught.value.status == 431


def test_what_is_cut_off_counts_for_the_limits() -> None:
    length = b"Content-Length: " + b"1" * 4000
    fields = [length, b"Transfer-Encoding: chunked"]
    with pytest.raises(RequestError):
        Reading(limits=Limits(header_bytes=1000)).read(head(*fields, line=b"GET /#a HTTP/1.1\r\n"))
    line = b"GET /#" + b"a" * 1000 + b" HTTP/1.1\r\n"
    with pytest.raises(RequestError):
        Reading(limits=Limits(request_line=100)).read(head(line=line))


def feed_for_ever(reader: RequestReader) -> None:
    for _ in range(30):
        reader.feed(b"X: aaaaaaaaaaaa\r\n")


PARTS = st.sampled_from([
    LINE, b"GET /#f HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", HOST, b"Host: /p\r\n", b"X: a\r\n",
    b" fold\r\n", b"\tfold\r\n", b"Content-Length: 3\r\n", b"Content-Length: x\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n", b"\r\n", b"\n", b"\r",
    b"#", b":",
])  # fmt: skip
NOISE = st.binary(max_size=5)


@given(st.lists(st.one_of(PARTS, NOISE), max_size=10).map(b"".join), st.booleans())
@example(head(b"A: b", b" c"), False)
def test_what_the_strict_reader_takes_is_read_alike_and_the_rest_mended_or_refused(
    data: bytes,
    local: bool,  # noqa: FBT001
) -> None:
    data = data.replace(b"\r\n\r\n", b"\r\n") + b"\r\n\r\n"
    strict: Exchange | None = None
    try:
        strict = RequestReader(Limits(), {}).feed(data)
    except RequestError:
        pass
    reading = Reading(local=local)
    try:
        lenient = reading.reader.feed(data)
    except RequestError:
        assert strict is None
        return
    if not reading.notes:
        assert (lenient is None) == (strict is None)
        if lenient is not None and strict is not None:
            assert lenient.variables == strict.variables
            assert lenient.persistent == strict.persistent
        return
    assert strict is None
    assert lenient is not None
    assert not lenient.persistent
    if "Content-Length" in reading.notes[0]:
        assert lenient.length == -1


@given(st.lists(st.one_of(PARTS, NOISE), max_size=10).map(b"".join))
def test_what_is_mended_is_not_mended_again(data: bytes) -> None:
    found = mend(data + b"\r\n\r\n", local=True)
    if found is not None:
        assert mend(found.head, local=True) is None
