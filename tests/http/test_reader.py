"""Bytes to exchanges: the rules by example, and what must hold however the bytes come."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest
from httptools import HttpRequestParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stein.errors import RequestError
from stein.http.h1 import chunked
from stein.http.h1 import reader as module
from stein.http.h1.chunked import ChunkedBody
from stein.http.h1.reader import RequestReader, clear_memories
from stein.http.limits import Limits
from tests.corpus.cases import Case, cases
from tests.fuzz.oracle import (
    LIMITS,
    TEMPLATE,
    Outcome,
    bytewise,
    check,
    cut,
    mutate,
    replay,
    same,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from stein.http.exchange import Exchange

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No test finds what another one left in the memories."""
    clear_memories()
    yield
    clear_memories()


def reader(limits: Limits | None = None, **variables: str) -> RequestReader:
    return RequestReader(limits or Limits(), {**TEMPLATE, **variables})


def read(data: bytes, **limits: int) -> Exchange:
    """The exchange of a whole head."""
    exchange = reader(Limits(**limits)).feed(data)
    assert exchange is not None
    return exchange


def fields(*lines: bytes) -> dict[str, Any]:
    """The variables that header lines come to, without those of the host and the template."""
    variables = read(b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *lines, b"", b""])).variables
    return {name: variables[name] for name in variables.keys() - TEMPLATE.keys() - {"HTTP_HOST"}}


def refused(data: bytes, **limits: int) -> RequestError:
    """The error of a head, which is the same whole and byte by byte."""
    with pytest.raises(RequestError) as whole:
        reader(Limits(**limits)).feed(data)
    with pytest.raises(RequestError) as piecewise:
        feed_all(reader(Limits(**limits)), bytewise(data))
    for error in (whole.value, piecewise.value):
        assert (error.status, error.limit) == (whole.value.status, whole.value.limit)
    return whole.value


def feed_all(parser: RequestReader, pieces: list[bytes]) -> None:
    for piece in pieces:
        assert parser.feed(piece) is None


def request(line: bytes = b"GET / HTTP/1.1", *lines: bytes) -> bytes:
    return b"\r\n".join([line, b"Host: a", *lines, b"", b""])


def body_of(data: bytes, **limits: int) -> bytes:
    """The content of a chunked body."""
    outcome = replay([CHUNKED + data], Limits(**limits))
    assert outcome.refused is None
    (got,) = outcome.requests
    assert got.complete
    return got.body


def body_refused(data: bytes, **limits: int) -> RequestError:
    parser = reader(Limits(**limits))
    assert parser.feed(CHUNKED) is not None
    with pytest.raises(RequestError) as caught:
        parser.feed_body(data)
    return caught.value


# -- heads ----------------------------------------------------------------------------------------


def test_a_request() -> None:
    exchange = read(b"GET /a?b HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nX-Y: 1\r\n\r\n")
    assert exchange.line == ("GET", "/a?b", "/a", "b", "HTTP/1.1", None)
    assert exchange.variables == {
        **TEMPLATE,
        "HTTP_HOST": "example.com",
        "HTTP_ACCEPT": "*/*",
        "HTTP_X_Y": "1",
    }
    assert (exchange.complete, exchange.persistent, exchange.length) == (True, True, 0)


def test_the_template_is_copied() -> None:
    template = {"a": "b"}
    parser = RequestReader(Limits(), template)
    first, second = parser.feed(GET), parser.feed(GET)
    assert first is not None
    assert second is not None
    first.variables["HTTP_HOST"] = "changed"
    assert second.variables == {"a": "b", "HTTP_HOST": "a"}
    assert template == {"a": "b"}


def test_the_template_can_grow_at_any_time() -> None:
    parser = reader()
    for _ in range(3):
        parser.feed(GET)
    parser.add_to_template({"HTTPS": "on"})
    exchange = parser.feed(GET)
    assert exchange is not None
    assert exchange.variables["HTTPS"] == "on"


@pytest.mark.parametrize("method", sorted(module._METHODS_OF_LLHTTP))
def test_llhttp_takes_each_method_that_it_is_shown(method: str) -> None:
    for line in (f"{method} / HTTP/1.1", f"{method} /a?b HTTP/1.1"):
        exchange = read(request(line.encode()))
        assert exchange.line.method == method
        assert exchange.persistent
        assert exchange.complete


@pytest.mark.parametrize("method", ["BREW", "PRI", "SETUP", "get", "X", "CONNECTED", "!"])
def test_methods_that_llhttp_does_not_know(method: str) -> None:
    assert read(request(f"{method} / HTTP/1.1".encode())).line.method == method
    outcome = replay([request(f"{method} / HTTP/1.1".encode(), b"Content-Length: 2") + b"ab" + GET])
    assert [(each.line.method, each.body) for each in outcome.requests] == [
        (method, b"ab"),
        ("GET", b""),
    ]


def test_targets_that_llhttp_would_refuse() -> None:
    assert read(request(b"GET /\xe9 HTTP/1.1")).line.path == "/\xe9"


def test_the_authority_of_the_target_goes_before_the_field() -> None:
    exchange = read(b"GET http://b:1/c HTTP/1.1\r\nHost: a\r\n\r\n")
    assert exchange.variables["HTTP_HOST"] == "b:1"
    assert read(b"GET http://b/ HTTP/1.0\r\n\r\n").variables["HTTP_HOST"] == "b"
    assert refused(b"GET http://b/ HTTP/1.1\r\n\r\n").status == 400
    assert refused(b"GET http://b/ HTTP/1.1\r\nHost: /\r\n\r\n").status == 400


def test_empty_lines_in_front_are_skipped() -> None:
    assert replay([b"\r\n\r\n" + GET + b"\r\n" + GET]) == replay([GET, GET])
    parser = reader()
    for piece in (b"\r", b"\n", b"\r\n" * 1000, b"\r"):
        assert parser.feed(piece) is None
    begun = [parser.begun]
    assert parser.feed(b"\n") is None
    assert [*begun, parser.begun] == [True, False]
    assert parser.feed(GET) is not None


def test_begun_and_seen() -> None:
    parser = reader()
    assert (parser.begun, parser.seen) == (False, b"")
    parser.feed(GET[:9])
    assert (parser.begun, parser.seen) == (True, GET[:9])
    parser.feed(GET[9:])
    assert (parser.begun, parser.seen) == (False, b"")


@pytest.mark.parametrize(
    "data",
    [
        request(b"BREW /pot HTTP/1.1", b"A\x01: b"), request(b"GET / HTTP/1.1", b"A : b \t"),
        request(b"GET / HTTP/1.1 "), b"GET / HTTP/1.1\r\n\r\n", request(b"GET / HTTP/1.1", b" a "),
    ],
)  # fmt: skip
def test_a_refused_head_is_seen_as_it_came(data: bytes) -> None:
    parser = reader()
    with pytest.raises(RequestError):
        parser.feed(data)
    assert parser.seen == data
    assert not parser.begun


@pytest.mark.parametrize(
    "bad",
    [b"\0", b"GET / HTTP/9.9\r\n", request(b"G / HTTP/1.1", b"A B: c"), b"GET / HTTP/1.1\r\n\r\n"],
)
def test_after_a_refusal_nothing_more_comes(bad: bytes) -> None:
    parser = reader()
    with pytest.raises(RequestError) as first:
        parser.feed(bad)
    for data in (GET, b"x", b"\r\n\r\n"):
        with pytest.raises(RequestError) as again:
            parser.feed(data)
        assert again.value.status == first.value.status


def test_a_closed_reader_keeps_nothing() -> None:
    parser = reader()
    parser.feed(GET)
    parser.feed(GET)
    parser.close()
    assert (parser._parser, parser._chunks, parser._last_variables) == (None, None, None)
    assert parser._template == {}


def test_bytes_behind_a_message_stay() -> None:
    parser = reader()
    parser.feed(GET + GET[:5])
    assert parser.rest == GET[:5]
    parser = reader()
    assert parser.feed(GET[:5]) is None
    parser.feed(GET[5:] + b"abc")
    assert parser.rest == b"abc"


def test_another_protocol_is_offered_and_not_taken() -> None:
    data = request(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: h2c")
    outcome = replay([data + GET + data])
    assert len(outcome.requests) == 3
    assert outcome.requests[0].persistent


# -- header fields --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"A: b", {"HTTP_A": "b"}),
        (b"a-B:b", {"HTTP_A_B": "b"}),
        (b"A:", {"HTTP_A": ""}),
        (b"A:   ", {"HTTP_A": ""}),
        (b"A: \t b \t", {"HTTP_A": "b"}),
        (b"A: b\tc  d", {"HTTP_A": "b\tc  d"}),
        (b"A: \xe9\xff", {"HTTP_A": "\xe9\xff"}),
        (b"A: b: c", {"HTTP_A": "b: c"}),
        (b"!#$%&'*+-.^`|~0: b", {"HTTP_!#$%&'*+_.^`|~0": "b"}),
        (b"Content-Type: a/b", {"CONTENT_TYPE": "a/b"}),
        (b"Content-Length: 0", {"CONTENT_LENGTH": "0"}),
        (b"A_B: c", {}),
        (b"Content_Length: 5", {}),
        (b"Transfer_Encoding: chunked", {}),
        (b"_: c", {}),
    ],
)
def test_fields(line: bytes, expected: dict[str, str]) -> None:
    assert fields(line) == expected


def test_repeated_fields_are_joined() -> None:
    assert fields(b"A: 1", b"B: 2", b"a: 3", b"A: ") == {"HTTP_A": "1,3,", "HTTP_B": "2"}
    assert fields(b"Cookie: a=1", b"Cookie: b=2") == {"HTTP_COOKIE": "a=1; b=2"}


def test_a_name_with_an_underscore_hides_nothing() -> None:
    assert fields(b"A_B: 1", b"A-B: 2", b"A_B: 3") == {"HTTP_A_B": "2"}


@pytest.mark.parametrize("name", [b"Host", b"HOST", b"Content-Length", b"Content-Type"])
def test_fields_that_may_stand_once(name: bytes) -> None:
    line = name + b": 0"
    extra = [] if name.lower() == b"host" else [line]
    assert refused(request(b"GET / HTTP/1.1", line, *extra)).status == 400


@pytest.mark.parametrize(
    "line",
    [
        b"A", b"A b: c", b"A : b", b" A: b", b"\tA: b", b": b", b"A\0: b", b"A: \0", b"A: b\x7f",
        b"\xe9: b", b"A: b\rC: d", b"A: b\nC: d", b"A: b\r", b"A: b\n", b"A: b\r\n c",
        b"A: b\r\n\tc", b"A: b\x0b", b"A(: b", b"A: b \r\n ", b"A\t: b", b'"A": b', b"A: \x08",
    ],
)  # fmt: skip
def test_malformed_fields(line: bytes) -> None:
    assert refused(request(b"GET / HTTP/1.1", line, b"D: e")).status == 400
    assert refused(b"GET / HTTP/1.1\r\n" + line + b"\r\nHost: a\r\n\r\n").status == 400


def test_the_blank_lines_of_others_are_no_end() -> None:
    for end in (b"\n\n", b"\r\r", b"\n\r\n", b"\r\n\n", b"\n\r"):
        assert refused(b"GET / HTTP/1.1\r\nHost: a" + end + GET).status == 400


# -- policy ---------------------------------------------------------------------------------------


def test_host() -> None:
    assert refused(b"GET / HTTP/1.1\r\n\r\n").status == 400
    assert refused(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n").status == 400
    assert read(b"GET / HTTP/1.1\r\nHost:\r\n\r\n").variables["HTTP_HOST"] == ""
    assert "HTTP_HOST" not in read(b"GET / HTTP/1.0\r\n\r\n").variables
    assert refused(b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n").status == 400


def test_persistence() -> None:
    assert not read(request(b"GET / HTTP/1.1", b"Connection: close")).persistent
    assert not read(request(b"GET / HTTP/1.0")).persistent
    assert read(request(b"GET / HTTP/1.0", b"Connection: keep-alive")).persistent
    assert read(request(b"GET / HTTP/1.1", b"Proxy-Connection: close")).persistent


def test_expectation() -> None:
    exchange = read(request(b"POST / HTTP/1.1", b"Expect: 100-continue", b"Content-Length: 5"))
    assert exchange.expects_continue
    assert refused(request(b"POST / HTTP/1.1", b"Expect: wonders")).status == 417


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Content-Length: a"], 400),
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: gzip"], 400),
        ([b"Content-Length: 6"], 413),
    ],
)
def test_framing_that_is_refused(lines: list[bytes], status: int) -> None:
    assert refused(request(b"POST / HTTP/1.1", *lines), body=5).status == status


def test_what_llhttp_thinks_of_one_request_does_not_outlive_it() -> None:
    for line in (b"Connection: close", b"Proxy-Connection: close", b"Connection: upgrade"):
        parser = reader()
        parser.feed(request(b"GET / HTTP/1.1", line))
        exchange = parser.feed(GET)
        assert exchange is not None
        assert exchange.variables["HTTP_HOST"] == "a"


# -- limits ---------------------------------------------------------------------------------------


def line_of(length: int) -> bytes:
    return b"GET /" + b"a" * (length - 14) + b" HTTP/1.1"


def test_limit_of_the_request_line() -> None:
    assert read(request(line_of(100)), request_line=100).complete
    error = refused(request(line_of(101)), request_line=100)
    assert (error.status, error.limit) == (414, "limit_request_line")
    assert "over 100 bytes: GET /aaa" in error.reason


def test_a_request_line_without_end_is_refused_at_its_limit() -> None:
    parser = reader(Limits(request_line=100))
    assert parser.feed(b"a" * 101) is None  # the last one might be a CR
    with pytest.raises(RequestError) as caught:
        parser.feed(b"a")
    assert caught.value.status == 414


def test_limit_of_the_header_bytes() -> None:
    data = request(b"GET / HTTP/1.1", b"A: b")
    size = len(data) - len(b"GET / HTTP/1.1\r\n")
    assert read(data, header_bytes=size).complete
    error = refused(data, header_bytes=size - 1)
    assert (error.status, error.limit) == (431, "limit_header_bytes")


def test_limit_of_the_header_fields() -> None:
    data = request(b"GET / HTTP/1.1", b"A: b", b"C: d")
    assert read(data, header_fields=3).complete
    error = refused(data, header_fields=2)
    assert (error.status, error.limit) == (431, "limit_header_fields")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (line_of(50) + b"\0" + line_of(60), 400),
        (line_of(102) + b"\0", 414),
        (b"a" * 200 + b"\0\r\n", 414),
        (b"GET / HTTP/2.0\r\nA: b\n\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nA: " + b"b" * 1000 + b"\r\n\r\n", 505),
        (b"CONNECT / HTTP/1.1\r\nA\0\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nA: \0" + b"b" * 1000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 1000 + b"\0\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: b\0\r\n" + b"A: b\r\n" * 10 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10 + b"A: b\0\r\n\r\n", 400),
    ],
)
def test_of_several_faults_the_first_one_is_told(data: bytes, status: int) -> None:
    limits = {"request_line": 100, "header_bytes": 500, "header_fields": 5}
    assert refused(data, **limits).status == status
    parser = reader(Limits(**limits))
    with pytest.raises(RequestError) as caught:  # whole but for the end: a third way through
        feed_all(parser, [data[:-3], data[-3:]])
    assert caught.value.status == status


@pytest.mark.parametrize(
    "piece",
    [b"\n", b"a\n", b"GET / HTTP/1.1\r\nA: b\n", b"\x16\x03\x01", b"\ra", b"\r\r", b"a\x7f"],
)
def test_what_can_never_be_a_head_is_refused_at_once(piece: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        reader().feed(piece)
    assert caught.value.status == 400


def test_chunk_overhead() -> None:
    plain = b"5\r\nhello\r\n" * 100 + b"0\r\n\r\n"
    assert body_of(plain, chunk_overhead=0) == b"hello" * 100
    assert body_of(b"5;abc\r\nhello\r\n0\r\n\r\n", chunk_overhead=4) == b"hello"
    for size in (1, 15, 16, 255, 256, 4096):
        plain = (b"%x\r\n%b\r\n" % (size, b"a" * size)) * 40 + b"0\r\n\r\n"
        assert body_of(plain, chunk_overhead=0) == b"a" * 40 * size
        outcome = replay(cut(CHUNKED + plain, random.Random(size)), Limits(chunk_overhead=0))
        assert outcome.refused is None
    for data in (
        b"5;abc\r\nhello\r\n0\r\n\r\n",
        b"0005\r\nhello\r\n0\r\n\r\n",
        b"0\r\nA:b\r\n\r\n",
    ):
        error = body_refused(data, chunk_overhead=2)
        assert (error.status, error.limit) == (431, "limit_chunk_overhead")
    assert body_refused(b"5;" + b"a" * 200, chunk_overhead=100).status == 431
    assert body_refused(b"0" * 200, chunk_overhead=100).status == 431


def test_trailer_fields() -> None:
    assert body_of(b"0\r\nA: b\r\nC: d\r\n\r\n", header_fields=2) == b""
    error = body_refused(b"0\r\nA: b\r\nC: d\r\nE:\r\n\r\n", header_fields=2)
    assert (error.status, error.limit) == (431, "limit_header_fields")


def test_limit_of_a_chunked_body() -> None:
    assert body_of(b"5\r\nhello\r\n0\r\n\r\n", body=5) == b"hello"
    error = body_refused(b"6\r\nhello!\r\n0\r\n\r\n", body=5)
    assert (error.status, error.limit) == (413, "limit_body")


def test_a_body_over_its_limit_is_never_complete() -> None:
    parser = reader(Limits(body=2))
    exchange = parser.feed(CHUNKED)
    assert exchange is not None
    for _ in range(2):
        with pytest.raises(RequestError):
            parser.feed_body(b"5\r\nhello\r\n0\r\n\r\n")
        assert not exchange.complete


# -- bodies ---------------------------------------------------------------------------------------


def test_a_body_of_known_length() -> None:
    parser = reader()
    exchange = parser.feed(POST + GET)
    assert exchange is not None
    assert not exchange.complete
    assert parser.feed_body(b"he") == b"he"
    assert (exchange.received, exchange.complete, parser.rest) == (2, False, b"hello" + GET)
    assert parser.feed_body(b"llo" + GET) == b"llo"
    assert (exchange.received, exchange.complete, parser.rest) == (5, True, GET)


def test_a_body_is_asked_for_only_where_there_is_one() -> None:
    parser = reader()
    with pytest.raises(RuntimeError, match="without a message"):
        parser.feed_body(b"a")
    parser.feed(GET)
    with pytest.raises(RuntimeError, match="without a message"):
        parser.feed_body(b"a")


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"a\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n", b"0123456789!"),
        (b"A\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n" * 5),
        (b"000005\r\nhello\r\n000\r\n\r\n", b"hello"),
        (b"5;a=b;c\r\nhello\r\n0;d\r\n\r\n", b"hello"),
        (b'5;a="b;c"\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"hello"),
    ],
)
def test_chunks(data: bytes, content: bytes) -> None:
    assert body_of(data) == content
    assert replay(bytewise(CHUNKED + data)) == replay([CHUNKED + data])


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello0\r\n\r\n",
        b"-5\r\n", b"+5\r\n", b"0x5\r\nhello\r\n", b"5\r\nhello!\r\n", b"11111111111111111\r\n",
        b"\r\n", b"5\rhello\r\n", b";a\r\n", b"0\r\nA\r\n\r\n", b"0\r\n A: b\r\n\r\n",
        b"0\r\nA: b\nC: d\r\n\r\n", b"0\r\nTransfer-Encoding: a\r\n\r\n",
        b"5;\r\nhello\r\n0\r\n\r\nx"[:3] + b"\x00\r\n", b"5;a\nb\r\nhello\r\n", b"0\r\n\rX",
        b"0\r\nContent-Length: 5\r\n\r\n",
    ],
)  # fmt: skip
def test_malformed_chunks(data: bytes) -> None:
    assert body_refused(data).status == 400
    outcome = replay(bytewise(CHUNKED + data))
    assert outcome.refused is not None
    assert outcome.refused.status == 400


def test_what_comes_behind_a_chunked_body_is_the_next_request() -> None:
    outcome = replay([CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + GET])
    assert [each.body for each in outcome.requests] == [b"hello", b""]


extensions = st.text(alphabet="ab=;c1", max_size=6).map(lambda text: ";" + text if text else "")
chunk = st.tuples(
    st.binary(min_size=1, max_size=40) | st.sampled_from([b"\r\n\r\n", b"0\r\n\r\n", b"\r", b"\n"]),
    st.sampled_from(["%x", "%X", "0%x", "000%x"]),
    st.sampled_from(["", ";a", ";a=b", ";a=b;c", ';a="b"']),
)
trailers = st.lists(st.sampled_from([b"A: b", b"X-Y:", b"Set-Cookie: a=b", b"Host: z"]), max_size=4)


@given(st.lists(chunk, max_size=6), trailers, st.randoms(use_true_random=False))
def test_chunks_come_back_as_the_content_they_were_made_of(
    chunks: list[tuple[bytes, str, str]], trailer: list[bytes], random: random.Random
) -> None:
    data = b"".join(
        (size % len(content) + extension).encode() + b"\r\n" + content + b"\r\n"
        for content, size, extension in chunks
    )
    data += b"0\r\n" + b"".join(line + b"\r\n" for line in trailer) + b"\r\n"
    whole = replay([CHUNKED + data + GET])
    assert whole.refused is None
    first, second = whole.requests
    assert first.body == b"".join(content for content, _, _ in chunks)
    assert first.variables == second.variables == {**TEMPLATE, "HTTP_HOST": "a"}
    assert replay(cut(CHUNKED + data + GET, random)) == whole
    assert replay(bytewise(CHUNKED + data + GET)) == whole


# -- any split gives the same ---------------------------------------------------------------------


def pure(case: Case) -> bool:
    return not case.timed


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases() if pure(case)])
def test_the_corpus_in_any_pieces(case: Case) -> None:
    """What tests/corpus says of the server holds for the reader alone, and for any split of it."""
    limits = Limits(**case.limits)
    outcome = check(case.data, random.Random(case.id), (limits, *LIMITS[1:]))
    if len(case.data) <= 10000:
        assert same(outcome, replay(bytewise(case.data), limits))
    complete = [each for each in outcome.requests if each.complete]
    assert len(case.requests) <= len(outcome.requests)
    for got, wanted in zip(complete, case.requests, strict=False):
        assert (got.line.method, got.line.path) == (wanted.method, wanted.path)
        # An application that leaves its body alone sees none of it.
        assert got.body == wanted.body or wanted.path == "/app/unread"
        environ = {
            **got.variables,
            "QUERY_STRING": got.line.query,
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": got.line.protocol,
        }
        assert {name: environ[name] for name in wanted.environ} == wanted.environ
        assert not environ.keys() & set(wanted.absent)
    if outcome.refused is not None:
        assert outcome.refused.status in case.answers[-1].status


pieces = st.sampled_from(
    [
        *(b"Host: a\r\n", b"Host: b.example:80\r\n", b"A: b\r\n", b"a: c \r\n", b"X_Y: z\r\n"),
        *(b"Cookie: a\r\n", b"Accept:\t*/*\r\n", b"Content-Type: a/b\r\n", b"Upgrade: x\r\n"),
        *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n"),
        *(b"Expect: 100-continue\r\n", b"Content-Length: 0\r\n", b"Proxy-Connection: close\r\n"),
    ]
)
bodies = st.sampled_from(
    [
        *((b"", b""), (b"Content-Length: 5\r\n", b"he\r\n\r")),
        *(
            (b"Transfer-Encoding: chunked\r\n", body)
            for body in (
                b"0\r\n\r\n",
                b"5;a\r\nhello\r\n0\r\nA: b\r\n\r\n",
                b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
            )
        ),
    ]
)
start_lines = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"GET /a?b HTTP/1.1\r\n", b"HEAD / HTTP/1.1\r\n"),
        *(b"POST /%41 HTTP/1.1\r\n", b"BREW / HTTP/1.1\r\n", b"OPTIONS * HTTP/1.1\r\n"),
        *(b"GET http://c/d HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n", b"\r\nGET /\xff HTTP/1.1\r\n"),
    ]
)


def build(line: bytes, lines: list[bytes], body: tuple[bytes, bytes], host: bytes) -> bytes:
    return line + host + b"".join(lines) + body[0] + b"\r\n" + body[1]


requests = st.builds(
    build,
    start_lines,
    st.lists(pieces, max_size=4),
    bodies,
    st.sampled_from([b"Host: a\r\n", b""]),
)
streams = st.lists(requests, min_size=1, max_size=4).map(b"".join)
randoms = st.randoms(use_true_random=False)
slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)


@slow
@given(streams, randoms)
@example(GET + POST + CHUNKED + b"0\r\n\r\n" + GET, random.Random(1))
def test_any_stream_of_requests(data: bytes, random: random.Random) -> None:
    check(data, random)


@slow
@given(streams, randoms)
def test_any_broken_stream_of_requests(data: bytes, random: random.Random) -> None:
    check(mutate(data, random), random)


@slow
@given(st.binary(max_size=200), randoms)
def test_any_bytes(data: bytes, random: random.Random) -> None:
    check(data, random)


# -- memories change nothing ----------------------------------------------------------------------


def fresh(data: bytes, limits: Limits) -> Outcome:
    clear_memories()
    return replay([data], limits)


@slow
@given(
    st.lists(requests, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=12),
)
def test_one_connection_after_the_other_and_the_same_again(
    few: list[bytes], plan: list[tuple[int, int, bool]]
) -> None:
    """Few requests, again and again, under changing limits: each comes as if it were the first."""
    expected: dict[tuple[int, int], Outcome] = {}
    readers: dict[int, RequestReader] = {}
    for what, _, _ in plan:
        for which, limits in enumerate(LIMITS):
            data = few[what % len(few)]
            expected[what % len(few), which] = fresh(data, limits)
    clear_memories()
    for what, which, clear in plan:
        if clear:
            clear_memories()
        number = what % len(few)
        outcome = expected[number, which]
        parser = readers.pop(which, None) or RequestReader(LIMITS[which], dict(TEMPLATE))
        again = replay([few[number]], LIMITS[which], parser)
        assert same(outcome, again)
        if outcome.refused is None and not outcome.rest and again.requests[-1].complete:
            readers[which] = parser


LINES = [b"GET / HTTP/1.1", b"HEAD /a HTTP/1.1", b"GET / HTTP/1.0", b"OPTIONS * HTTP/1.1"]
LINES += [b"GET http://z/ HTTP/1.1", b"BREW / HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET / HTTP/2.0"]
LINES += [b"", b"GET / HTTP/1.1 ", b"GET /" + b"a" * 600 + b" HTTP/1.1", b"POST / HTTP/1.1"]
BLOCKS = [b"Host: a\r\n\r\n", b"\r\n", b"Host: a\r\nConnection: close\r\n\r\n", b"Host: /\r\n\r\n"]
BLOCKS += [b"Host: a\r\nContent-Length: 0\r\n\r\n", b"Host: a\r\nContent-Length: 2\r\n\r\n"]
BLOCKS += [
    b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"Host: a\r\nExpect: 100-continue\r\n\r\n",
]
BLOCKS += [
    b"Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"Host: a\r\nA: b \r\n\r\n",
    b"",
]
BLOCKS += [b"Host: a\r\n\r\nHost: a\r\n\r\n", b"Host: a\r\nA:\tb\r\n\r\n", b"Host: a\r\n"]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("line", LINES)
def test_the_same_fields_behind_another_line(line: bytes, block: bytes) -> None:
    """The memory of the last field block does not excuse any line, nor any bytes behind it."""
    parser = reader()
    for _ in range(3):
        parser.feed(GET)
    assert parser._last_variables is not None
    for first in (b"GET / HTTP/1.1", b"HEAD /a HTTP/1.1"):
        one = first + b"\r\n" + block
        outcome = fresh(one, LIMITS[0])
        for times in range(1, 4):
            parser = reader()
            outcomes = [replay([one], LIMITS[0], parser) for _ in range(times)]
            if any(each.refused or each.rest or not each.requests for each in outcomes):
                continue
            if not all(read.complete and read.persistent for read in outcomes[-1].requests):
                continue
            assert all(each == outcome for each in outcomes)
            known = replay([line + b"\r\n" + block], LIMITS[0], parser)
            assert known == fresh(line + b"\r\n" + block, LIMITS[0])


@pytest.mark.parametrize("order", ["".join(order) for order in itertools.product("abc", repeat=5)])
def test_fields_in_any_order(order: str) -> None:
    """What is known of the last fields never passes for that of others, seen before or not."""
    heads = {
        "a": request(b"GET / HTTP/1.1", b"A: 1"),
        "b": request(b"GET / HTTP/1.1", b"A: 2"),
        "c": request(b"GET /c HTTP/1.1", b"A: 2", b"Cookie: c"),
    }
    expected = {name: fresh(head, LIMITS[0]) for name, head in heads.items()}
    parser = reader()
    for name in order:
        assert replay([heads[name]], LIMITS[0], parser) == expected[name]


def test_pieces_that_look_like_an_earlier_head() -> None:
    parser = reader()
    for _ in range(3):
        assert parser.feed(GET) is not None
    # the body of a message, and its rest, are not heads, however much they look like one
    data = request(b"POST / HTTP/1.1", b"Content-Length: %d" % len(GET))
    outcome = replay([data, GET, GET, data + GET + GET, GET], LIMITS[0], parser)
    assert [each.body for each in outcome.requests] == [GET, b"", GET, b"", b""]
    # and the end of a head that came in pieces is not a head of its own
    outcome = replay([b"GET /a HTTP/1.1\r\nX: ", GET, GET], LIMITS[0], parser)
    assert [each.line.target for each in outcome.requests] == ["/a", "/"]
    assert outcome.requests[0].variables["HTTP_X"] == "GET / HTTP/1.1"


def test_empty_lines_between_heads_that_are_alike() -> None:
    parser = reader()
    outcome = replay(
        [GET, GET, b"\r\n", GET, b"\r\n" + GET, GET + b"\r\n", GET, GET], LIMITS[0], parser
    )
    assert len(outcome.requests) == 7
    assert len({each.line for each in outcome.requests}) == 1


def test_each_connection_knows_its_own_fields_only() -> None:
    first = RequestReader(Limits(), {"REMOTE_ADDR": "1"})
    second = RequestReader(Limits(), {"REMOTE_ADDR": "2"})
    for _ in range(3):
        for parser, address in ((first, "1"), (second, "2")):
            exchange = parser.feed(GET)
            assert exchange is not None
            assert exchange.variables["REMOTE_ADDR"] == address


def test_a_remembered_line_is_still_held_to_the_limit() -> None:
    data = request(line_of(200))
    for _ in range(3):
        assert read(data, request_line=200).complete
        assert refused(data, request_line=199).status == 414
    parser = reader(Limits(request_line=199))
    for _ in range(3):
        parser.feed(GET)
    with pytest.raises(RequestError):
        parser.feed(request(line_of(200)))


def test_memories_are_bounded() -> None:
    parser = reader()
    for number in range(module._MOST_REMEMBERED + 10):
        text = b"%d" % number
        data = b"GET /%b HTTP/1.1\r\nHost: h%b\r\nX-%b: a\r\n\r\n" % (text, text, text)
        assert parser.feed(data) is not None
    for memory in (module._plain_lines, module._names, module._hosts):
        assert 0 < len(memory) < module._MOST_REMEMBERED
    assert read(GET).variables["HTTP_HOST"] == "a"


def test_what_is_long_is_not_remembered() -> None:
    clear_memories()
    long = b"a" * (module._LONGEST_REMEMBERED + 1)
    data = b"GET /%b HTTP/1.1\r\nHost: %b\r\nX-%b: a\r\n\r\n" % (long, long, long)
    for _ in range(2):
        assert read(data).variables["HTTP_HOST"] == long.decode()
    assert (module._plain_lines, module._names, module._hosts) == (
        {},
        {"Host": "HTTP_HOST"},
        set(),
    )


# -- how much work it is --------------------------------------------------------------------------


class Counting:
    """Stands in for llhttp's parser and counts the bytes that it is fed."""

    fed = 0
    calls = 0

    def __init__(self, protocol: object) -> None:
        self._parser = REAL_PARSER(protocol)

    def feed_data(self, data: bytes | memoryview) -> None:
        Counting.fed += len(data)
        Counting.calls += 1
        self._parser.feed_data(data)


REAL_PARSER = HttpRequestParser


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(module, "HttpRequestParser", Counting)
    monkeypatch.setattr(chunked, "HttpRequestParser", Counting)
    Counting.fed = Counting.calls = 0
    return Counting


def test_llhttp_sees_each_byte_of_heads_and_chunks_once(counting: type[Counting]) -> None:
    body = b"5\r\nhello\r\n" * 50 + b"0\r\n\r\n"
    for pieces in ([CHUNKED + body], bytewise(CHUNKED + body)):
        counting.fed = 0
        replay(pieces)
        assert counting.fed == len(CHUNKED + body) + len(ChunkedBody._HEAD)


def test_llhttp_never_sees_a_body_of_known_length(counting: type[Counting]) -> None:
    replay(bytewise(POST + POST))
    assert counting.fed == 2 * (len(POST) - 5)


def test_a_head_that_is_repeated_is_not_read_again(counting: type[Counting]) -> None:
    parser = reader()
    for _ in range(100):
        parser.feed(GET)
    assert counting.fed == 2 * len(GET)


@pytest.mark.parametrize("content", [b"\r\n\r\n" * 5000, b"\r" * 20000, b"\n\r\n" * 6000])
def test_content_of_line_ends_is_fed_once(content: bytes, counting: type[Counting]) -> None:
    data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    assert body_of(data) == content
    assert counting.fed == len(CHUNKED + data) + len(ChunkedBody._HEAD)
    assert counting.calls <= content.count(b"\r\n\r\n") * 2 + 6


class CountingPattern:
    """Stands in for a compiled pattern and counts the bytes that it may look at."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.looked = 0

    def search(self, data: bytes, start: int = 0, end: int = 2**60) -> re.Match[bytes] | None:
        self.looked += min(len(data), end) - start
        return self._pattern.search(data, start, end)


def test_a_head_in_pieces_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = CountingPattern(module.NEVER)
    monkeypatch.setattr(module, "NEVER", pattern)
    data = request(b"GET / HTTP/1.1", *[b"A%d: %b" % (i, b"b" * 100) for i in range(50)])
    parser = reader()
    for piece in bytewise(data)[:-1]:
        assert parser.feed(piece) is None
    assert pattern.looked <= 3 * len(data)
