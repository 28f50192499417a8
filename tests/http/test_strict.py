"""The request line."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.errors import RequestError
from stein.http.exchange import RequestLine
from stein.http.grammar import is_token
from stein.http.h1.strict import parse_request_line, show
from tests.fuzz.oracle import mutate


def refused(line: bytes) -> int:
    with pytest.raises(RequestError) as caught:
        parse_request_line(line)
    assert caught.value.reason.isprintable()
    assert caught.value.limit is None
    return caught.value.status


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET / HTTP/1.1", ("GET", "/", "/", "", "HTTP/1.1", None)),
        (b"GET / HTTP/1.0", ("GET", "/", "/", "", "HTTP/1.0", None)),
        (b"get / HTTP/1.1", ("get", "/", "/", "", "HTTP/1.1", None)),
        (b"M!#$%&'*+-.^_`|~ / HTTP/1.1", ("M!#$%&'*+-.^_`|~", "/", "/", "", "HTTP/1.1", None)),
        (b"GET /a?b=c HTTP/1.1", ("GET", "/a?b=c", "/a", "b=c", "HTTP/1.1", None)),
        (b"GET /a?b?c HTTP/1.1", ("GET", "/a?b?c", "/a", "b?c", "HTTP/1.1", None)),
        (b"GET /? HTTP/1.1", ("GET", "/?", "/", "", "HTTP/1.1", None)),
        (b"GET //a HTTP/1.1", ("GET", "//a", "//a", "", "HTTP/1.1", None)),
        (b"GET /%41%2f?%41 HTTP/1.1", ("GET", "/%41%2f?%41", "/A/", "%41", "HTTP/1.1", None)),
        (b"GET /%3f%23 HTTP/1.1", ("GET", "/%3f%23", "/?#", "", "HTTP/1.1", None)),
        (b"GET /%zz% HTTP/1.1", ("GET", "/%zz%", "/%zz%", "", "HTTP/1.1", None)),
        (b"GET /%c3%a9 HTTP/1.1", ("GET", "/%c3%a9", "/\xc3\xa9", "", "HTTP/1.1", None)),
        (b"GET /\xc3?\xff HTTP/1.1", ("GET", "/\xc3?\xff", "/\xc3", "\xff", "HTTP/1.1", None)),
        (b"GET /\xe9%e9 HTTP/1.1", ("GET", "/\xe9%e9", "/\xe9\xe9", "", "HTTP/1.1", None)),
        (b"OPTIONS * HTTP/1.1", ("OPTIONS", "*", "*", "", "HTTP/1.1", None)),
        (b"GET http://a HTTP/1.1", ("GET", "http://a", "/", "", "HTTP/1.1", "a")),
        (b"GET http://a?b HTTP/1.1", ("GET", "http://a?b", "/", "b", "HTTP/1.1", "a")),
        (b"GET HTTPS://a:1/b?c HTTP/1.1", ("GET", "HTTPS://a:1/b?c", "/b", "c", "HTTP/1.1", "a:1")),
        (b"GET http://[::1]/ HTTP/1.0", ("GET", "http://[::1]/", "/", "", "HTTP/1.0", "[::1]")),
        (b"OPTIONS http://a HTTP/1.1", ("OPTIONS", "http://a", "/", "", "HTTP/1.1", "a")),
    ],
)  # fmt: skip
def test_request_lines(line: bytes, expected: tuple[str, ...]) -> None:
    assert parse_request_line(line) == RequestLine(*expected)


@pytest.mark.parametrize(
    "line",
    [
        b"", b" ", b"GET", b"GET /", b"GET / ", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1",
        b"GET\t/ HTTP/1.1", b" GET / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/1.1\n",
        b"GET /\n HTTP/1.1", b"GET / http/1.1", b"GET / HTTP/1", b"GET / HTTP/1.",
        b"GET / HTTP/1.10", b"GET / HTTP/11", b"GET / HTTP/ 1.1", b"GET / HTTP/1.1\r",
        b"GET /\0 HTTP/1.1", b"GET /a b HTTP/1.1", b"G(T / HTTP/1.1", b"G\xc9T / HTTP/1.1",
        b"GET / ICE/1.1", b"GET / XHTTP/1.1", b"\xef\xbb\xbfGET / HTTP/1.1", b"GET /\x7f HTTP/1.1",
        b"GET /#a HTTP/1.1", b"GET http://a/#b HTTP/1.1", b"GET / HTTP/\xb2.1",
        b"GET:/ / HTTP/1.1",
    ],
)  # fmt: skip
def test_malformed_lines(line: bytes) -> None:
    assert refused(line) == 400


@pytest.mark.parametrize(
    "target",
    [
        b"a", b"a/b", b"?a", b"*", b"**", b"//", b"ftp://a/", b"http:/a", b"http:a", b"http://",
        b"http:///a", b"http://:80/", b"http://a@b/", b"http://a:b/", b"http://[::1/",
        b"http://\xe9/", b"httpx://a/", b"http://?a", b"ws://a/", b"a:80", b"http://a\\b/", b"%2f",
        b"http://a%zz/", b"HTTP/1.1",
    ],
)  # fmt: skip
def test_targets_that_are_none(target: bytes) -> None:
    if target == b"//":  # a path with an empty segment, which is one
        assert parse_request_line(b"GET // HTTP/1.1").path == "//"
        return
    assert refused(b"GET " + target + b" HTTP/1.1") == 400


def test_asterisk_with_more_behind() -> None:
    assert refused(b"OPTIONS *? HTTP/1.1") == 400
    assert refused(b"OPTIONS */ HTTP/1.1") == 400


@pytest.mark.parametrize("target", [b"a:80", b"/", b"*", b"http://a/"])
def test_connect(target: bytes) -> None:
    assert refused(b"CONNECT " + target + b" HTTP/1.1") == 501


@pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0", b"3.0", b"9.9", b"0.0"])
def test_versions(version: bytes) -> None:
    assert refused(b"GET / HTTP/" + version) == 505
    assert refused(b"PRI * HTTP/" + version) == 505


lines = st.builds(
    lambda method, target, version, seed: mutate(b" ".join([method, target, version]), seed),
    st.sampled_from([b"GET", b"POST", b"OPTIONS", b"CONNECT", b"BREW"]),
    st.sampled_from([b"/", b"/a?b", b"*", b"http://a/b", b"/%41", b"/\xff", b"a:1"]),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"]),
    st.randoms(use_true_random=False),
)


@given(lines | st.binary(max_size=30))
@example(b"GET http:// HTTP/1.1")
def test_any_line_is_understood_exactly_or_refused(line: bytes) -> None:
    try:
        read = parse_request_line(line)
    except RequestError:
        assert refused(line) in {400, 501, 505}
        return
    assert f"{read.method} {read.target} {read.protocol}".encode("latin-1") == line
    assert is_token(read.method)
    assert not {*range(33), 127, ord("#")} & set(read.target.encode("latin-1"))
    assert read.path == "*" or read.path.startswith("/")
    assert "?" not in read.target or read.query == read.target.partition("?")[2]
    if read.host is None:
        path = read.target.partition("?")[0].encode("latin-1")
        assert read.path.encode("latin-1") == unquote_to_bytes(path)
    else:
        assert read.target.lower().startswith(("http://", "https://"))
        assert read.target.partition("://")[2].startswith(read.host)
        assert read.host


@given(st.binary(max_size=100), st.integers(0, 90))
def test_bytes_for_a_log_line(data: bytes, most: int) -> None:
    text = show(data, most)
    assert text.isascii()
    assert text.isprintable()
    assert text.endswith("...") >= (len(data) > most)
    assert len(text) <= 4 * most + 3


def test_short_bytes_are_shown_whole() -> None:
    assert show(b"GET /\r\n\xff") == "GET /\\r\\n\\xff"
    assert show(b"a" * 81) == "a" * 80 + "..."
