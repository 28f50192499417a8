"""How long a body is, whether the connection goes on, and what is expected."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.errors import RequestError
from stein.http.exchange import Exchange, RequestLine
from stein.http.h1.framing import CHUNKED, apply_expectation, apply_persistence, body_length
from stein.http.limits import Limits

ANY = Limits()


def exchange(method: str = "POST", protocol: str = "HTTP/1.1", **variables: str) -> Exchange:
    return Exchange(RequestLine(method, "/", "/", "", protocol), dict(variables))


def refusal(request: Exchange, limits: Limits = ANY) -> RequestError:
    with pytest.raises(RequestError) as caught:
        body_length(request, limits)
    return caught.value


# -- Content-Length (RFC 9112 6.2, 6.3) -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [("0", 0), ("5", 5), ("005", 5), ("1" * 19, int("1" * 19)), ("0" * 18 + "7", 7)],
)
def test_content_length(text: str, length: int) -> None:
    assert body_length(exchange(CONTENT_LENGTH=text), ANY) == length


@pytest.mark.parametrize(
    "text",
    [
        "", "+5", "-5", "5 ", " 5", "5,5", "5, 5", "0x5", "5.0", "1e3", "1_000", "5\n", "five",
        "²", "\u0665", "1" * 20, "0" * 20,
    ],
)  # fmt: skip
def test_a_content_length_that_is_no_number(text: str) -> None:
    assert refusal(exchange(CONTENT_LENGTH=text)).status == 400


@given(st.text(max_size=21) | st.text(alphabet="0123456789+-, _", max_size=21))
@example("0" * 19)
def test_only_short_rows_of_ascii_digits_are_lengths(text: str) -> None:
    right = 0 < len(text) < 20 and all(char in "0123456789" for char in text)
    request = exchange(CONTENT_LENGTH=text)
    if right:
        assert body_length(request, ANY) == int(text)
    else:
        assert refusal(request).status == 400


def test_no_length_is_no_body() -> None:
    assert body_length(exchange(), ANY) == 0


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_http_1_0_must_tell_the_length(method: str) -> None:
    assert refusal(exchange(method, "HTTP/1.0")).status == 411
    assert body_length(exchange(method, "HTTP/1.0", CONTENT_LENGTH="3"), ANY) == 3


def test_http_1_0_get_needs_no_length() -> None:
    assert body_length(exchange("GET", "HTTP/1.0"), ANY) == 0


def test_limit_of_the_body() -> None:
    limits = Limits(body=5)
    assert body_length(exchange(CONTENT_LENGTH="5"), limits) == 5
    error = refusal(exchange(CONTENT_LENGTH="6"), limits)
    assert (error.status, error.limit) == (413, "limit_body")


# -- Transfer-Encoding (RFC 9112 6.1, 7) ----------------------------------------------------------


@pytest.mark.parametrize("text", ["chunked", "Chunked", "CHUNKED"])
def test_chunked(text: str) -> None:
    request = exchange(HTTP_TRANSFER_ENCODING=text)
    assert body_length(request, ANY) == CHUNKED
    assert "HTTP_TRANSFER_ENCODING" not in request.variables


@pytest.mark.parametrize("text", ["gzip, chunked", "gzip,deflate\t, CHUNKED", "x, chunked"])
def test_codings_that_are_not_known(text: str) -> None:
    assert refusal(exchange(HTTP_TRANSFER_ENCODING=text)).status == 501


@pytest.mark.parametrize(
    "text",
    [
        "", "gzip", "identity", "chunked, gzip", "chunked, chunked", "chunked,", ",chunked",
        "xchunked", "chunked;a=b", "gzip,,chunked", "\x0bchunked", "chunked\x0b", "c\u0131hunked",
        "chun\u212aed",
    ],
)  # fmt: skip
def test_codings_that_leave_the_length_open(text: str) -> None:
    assert refusal(exchange(HTTP_TRANSFER_ENCODING=text)).status == 400


def test_two_framings_are_one_too_many() -> None:
    request = exchange(HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="5")
    assert refusal(request).status == 400


def test_http_1_0_knows_no_transfer_encoding() -> None:
    assert refusal(exchange(protocol="HTTP/1.0", HTTP_TRANSFER_ENCODING="chunked")).status == 400


@given(st.text(max_size=300))
def test_a_refused_value_is_shown_short_and_in_one_line(text: str) -> None:
    for name in ("HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH"):
        reason = reason_of(exchange(**{name: text}))
        assert reason.isprintable()
        assert reason.isascii()
        assert len(reason) < 1000


def reason_of(request: Exchange) -> str:
    try:
        body_length(request, ANY)
    except RequestError as error:
        return error.reason
    return ""


# -- persistence (RFC 9112 9.3) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "connection", "persistent"),
    [
        ("HTTP/1.1", None, True),
        ("HTTP/1.1", "keep-alive", True),
        ("HTTP/1.1", "close", False),
        ("HTTP/1.1", "Close", False),
        ("HTTP/1.1", "upgrade,\tCLOSE ", False),
        ("HTTP/1.1", "keep-alive, close", False),
        ("HTTP/1.1", "closed", True),
        ("HTTP/1.1", "", True),
        ("HTTP/1.0", None, False),
        ("HTTP/1.0", "keep-alive", True),
        ("HTTP/1.0", "Foo, Keep-Alive", True),
        ("HTTP/1.0", "keep-alive, close", False),
        ("HTTP/1.0", "keepalive", False),
    ],
)
def test_persistence(protocol: str, connection: str | None, *, persistent: bool) -> None:
    variables = {} if connection is None else {"HTTP_CONNECTION": connection}
    request = exchange("GET", protocol, **variables)
    apply_persistence(request)
    assert request.persistent is persistent


# -- Expect (RFC 9110 10.1.1) ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["100-continue", "100-Continue"])
def test_expectation(text: str) -> None:
    request = exchange()
    apply_expectation(request, text)
    assert request.expects_continue


@pytest.mark.parametrize("text", ["", "100-continue, 100-continue", "200-ok", "100-continue;a"])
def test_unknown_expectations(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        apply_expectation(exchange(), text)
    assert caught.value.status == 417


def test_http_1_0_expects_nothing() -> None:
    request = exchange(protocol="HTTP/1.0")
    apply_expectation(request, "100-continue")
    apply_expectation(request, "nonsense")
    assert not request.expects_continue
