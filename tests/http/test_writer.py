"""Response heads and chunks: what an application may say, and what the wire gets to see."""

from __future__ import annotations

import enum
import http.client
import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.errors import ApplicationError
from stein.http.exchange import Exchange, RequestLine
from stein.http.grammar import is_field_value, is_token
from stein.http.h1 import writer as module
from stein.http.h1.writer import LAST_CHUNK, UNKNOWN, Head, Tail, chunk, continue_head, make_head
from stein.http.status import REASONS, status_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT = 784111777.25
TAIL = b"Server: stein\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    module._checked.clear()
    module._meanings.clear()


def exchange(method: str = "GET", protocol: str = "HTTP/1.1") -> Exchange:
    return Exchange(RequestLine(method, "/", "/", "", protocol), {})


def tail(server: str = "stein") -> Tail:
    return Tail(server, lambda: MOMENT)


def make(
    status: Any = "200 OK",
    headers: Any = (),
    request: Exchange | None = None,
    length: int = UNKNOWN,
) -> Head:
    return make_head(status, headers, request or exchange(), length, tail(), 0.0)


def lines(head: Head) -> list[bytes]:
    """The lines of a head without those of the tail."""
    data = head[0]
    assert data.endswith(TAIL)
    return data.removesuffix(TAIL).split(b"\r\n")[:-1]


def refusal(status: Any = "200 OK", headers: Any = ()) -> str:
    request = exchange()
    with pytest.raises(ApplicationError) as caught:
        make_head(status, headers, request, 0, tail(), 0.0)
    with pytest.raises(ApplicationError):  # what was refused once is refused again
        make_head(status, headers, request, 0, tail(), 0.0)
    assert request.status == 0
    return str(caught.value)


# -- status ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(code for code in REASONS if code >= 200))
def test_status_lines(code: int) -> None:
    request = exchange()
    head = make(status_text(code), [], request)
    assert lines(head)[0] == f"HTTP/1.1 {status_text(code)}".encode()
    assert request.status == code


@pytest.mark.parametrize("status", ["200", "200 "])
def test_the_blank_behind_the_code_is_there_without_a_reason(status: str) -> None:
    assert lines(make(status))[0] == b"HTTP/1.1 200 "
    assert lines(make(status))[0] == b"HTTP/1.1 200 "


def test_reasons_may_be_any_text_of_one_line() -> None:
    assert lines(make("299 Sch\xf6n\there"))[0] == b"HTTP/1.1 299 Sch\xf6n\there"


@pytest.mark.parametrize(
    "status",
    [
        "", "OK", "20 OK", "2000 OK", "200OK", "200-OK", " 200 OK", "200\tOK", "+20 OK", "2e2 OK",
        "²00 OK", "\u0662\u0660\u0660 OK",
        "200 OK\r\n", "200 OK\n", "200 \r\nA: b", "200\r\nA: b", "200 \0",
        "200 \u20ac", "abc d", "100 Continue", "101 Switching Protocols", "199 x", "600 x",
        "999 x", "000 x", 200, None, b"200 OK", ["200 OK"], {}, 2.0,
    ],
)  # fmt: skip
def test_a_status_that_cannot_be_sent(status: object) -> None:
    assert refusal(status)


def test_no_status_at_all() -> None:
    assert "before it called start_response()" in refusal(None)


# -- fields ---------------------------------------------------------------------------------------


def test_fields_in_their_order_and_case() -> None:
    headers = [("X-b", "1"), ("a", ""), ("X-B", "\u00e9"), ("Set-Cookie", "x"), ("Set-Cookie", "y")]
    expected = [b"X-b: 1", b"a: ", b"X-B: \xe9", b"Set-Cookie: x", b"Set-Cookie: y"]
    for _ in range(3):
        assert lines(make(headers=headers))[1:-1] == expected


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "a\r", "a\n", "a\r\nb", "a\0", "\u00e9", "a(b", " a", "a ", "\u212a"]
)
def test_names_that_are_no_tokens(name: str) -> None:
    assert "is not a token" in refusal(headers=[(name, "b")])


@pytest.mark.parametrize(
    "value", ["a\r", "a\n", "\r\nb: c", "\0", "\x1f", "\x7f", "a\x0bb", "\x85\n"]
)
def test_values_with_control_characters(value: str) -> None:
    assert "control character" in refusal(headers=[("A", value)])


def test_values_beyond_latin_1() -> None:
    assert "beyond latin-1" in refusal(headers=[("A", "\u20ac")])
    assert "beyond latin-1" in refusal(
        headers=[("A", "\u010d\u010a")]
    )  # would be CR LF, cut to bytes


@pytest.mark.parametrize(
    "thing", [None, 1, b"a", 1.5, True, ["a"], {}, ("a",), object(), bytearray()]
)
def test_names_and_values_that_are_no_text(thing: object) -> None:
    assert "is not a str" in refusal(headers=[("A", thing)])
    assert "is not a str" in refusal(headers=[(thing, "a")])


@pytest.mark.parametrize(
    "headers",
    [None, 1, [None], [("a",)], [("a", "b", "c")], ["abc"], [1], {"abc": "d"}, [[]], "abc"],
)
def test_fields_that_are_no_pairs(headers: object) -> None:
    assert "must be a list of (name, value) tuples" in refusal(headers=headers)


def test_pairs_in_other_wrappings() -> None:
    pairs = [("A", "b"), ("C", "d")]
    expected = lines(make(headers=pairs))
    for headers in (tuple(pairs), [list(pair) for pair in pairs], dict(pairs).items()):
        assert lines(make(headers=headers)) == expected
    for _ in range(2):
        forget()
        assert lines(make(headers=iter(pairs))) == expected  # which gives them only once


@pytest.mark.parametrize(
    "name", ["Transfer-Encoding", "TE", "trailer", "Upgrade", "Proxy-Authenticate"]
)
def test_hop_by_hop_fields_are_the_servers(name: str) -> None:
    assert "hop-by-hop" in refusal(headers=[(name, "x")])
    assert "hop-by-hop" in refusal(headers=[(name.upper(), "x")])


@pytest.mark.parametrize("name", ["Connection", "connection", "Keep-Alive"])
def test_the_application_does_not_keep_connections(name: str) -> None:
    request = exchange()
    assert lines(make(headers=[(name, "keep-alive")], request=request, length=0)) == [
        b"HTTP/1.1 200 OK",
        b"Content-Length: 0",
    ]
    assert request.persistent


@pytest.mark.parametrize("value", ["close", "Close", " close "])
def test_the_application_may_close_the_connection(value: str) -> None:
    for _ in range(2):
        request = exchange()
        head = make(headers=[("Connection", value)], request=request, length=0)
        assert lines(head)[-1] == b"Connection: close"
        assert not request.persistent


def test_date_and_server_of_the_application_go_before_the_servers() -> None:
    head = make(headers=[("date", "x")], length=0)[0]
    assert head.endswith(b"\r\ndate: x\r\nContent-Length: 0\r\nServer: stein\r\n\r\n")
    head = make(headers=[("SERVER", "x")], length=0)[0]
    assert head.count(b"stein") == 0
    assert head.count(b"\r\nDate: ") == 1
    head = make(headers=[("Date", "x"), ("Server", "y")], length=0)[0]
    assert head.endswith(b"\r\nDate: x\r\nServer: y\r\nContent-Length: 0\r\n\r\n")


# -- lengths --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "a", "-1", "+1", "1 ", "1, 1", "\u00b2", "1" * 20, "1.0"])
def test_declared_lengths_that_are_none(value: str) -> None:
    assert "is not a number" in refusal(headers=[("Content-Length", value)])


def test_two_declared_lengths() -> None:
    for other in ("Content-Length", "content-length"):
        assert "twice" in refusal(headers=[("Content-Length", "1"), (other, "1")])


CHUNKS = b"Transfer-Encoding: chunked"
KEEP, CLOSE = b"Connection: keep-alive", b"Connection: close"
THREE, FIVE = b"Content-Length: 3", b"Content-Length: 5"
DECLARED = [("Content-Length", "5")]


@pytest.mark.parametrize(
    ("request_line", "code", "known", "expected", "promise"),
    [
        ("GET HTTP/1.1", 200, ([], 3), [THREE], (3, False, False)),
        ("GET HTTP/1.1", 200, ([], 0), [b"Content-Length: 0"], (0, False, False)),
        ("GET HTTP/1.1", 200, ([], UNKNOWN), [CHUNKS], (UNKNOWN, True, False)),
        ("GET HTTP/1.1", 200, (DECLARED, UNKNOWN), [FIVE], (5, False, False)),
        ("GET HTTP/1.1", 200, (DECLARED, 3), [FIVE], (5, False, False)),
        ("GET HTTP/1.0", 200, ([], 3), [THREE, KEEP], (3, False, False)),
        ("GET HTTP/1.0", 200, ([], UNKNOWN), [CLOSE], (UNKNOWN, False, False)),
        ("GET HTTP/1.0", 200, (DECLARED, UNKNOWN), [FIVE, KEEP], (5, False, False)),
        ("HEAD HTTP/1.1", 200, ([], 3), [THREE], (3, False, True)),
        ("HEAD HTTP/1.1", 200, ([], 0), [], (0, False, True)),
        ("HEAD HTTP/1.1", 200, ([], UNKNOWN), [], (UNKNOWN, False, True)),
        ("HEAD HTTP/1.1", 200, (DECLARED, 0), [FIVE], (5, False, True)),
        ("HEAD HTTP/1.0", 200, ([], UNKNOWN), [KEEP], (UNKNOWN, False, True)),
        ("GET HTTP/1.1", 204, ([], 0), [], (0, False, True)),
        ("GET HTTP/1.1", 204, ([], 3), [], (3, False, True)),
        ("GET HTTP/1.1", 204, ([], UNKNOWN), [], (UNKNOWN, False, True)),
        ("GET HTTP/1.1", 204, (DECLARED, 0), [], (5, False, True)),
        ("GET HTTP/1.1", 304, ([], 0), [], (0, False, True)),
        ("GET HTTP/1.1", 304, ([], 3), [], (3, False, True)),
        ("GET HTTP/1.1", 304, (DECLARED, 0), [FIVE], (5, False, True)),
    ],
)
def test_how_long_the_body_is(
    request_line: str,
    code: int,
    known: tuple[list[tuple[str, str]], int],
    expected: list[bytes],
    promise: tuple[int, bool, bool],
) -> None:
    headers, length = known
    for _ in range(2):
        request = exchange(*request_line.split())
        head = make(status_text(code), headers, request, length)
        assert lines(head)[1:] == expected
        assert head[1:] == promise
        assert request.persistent is (CLOSE not in expected)


def test_a_connection_that_will_close_says_so() -> None:
    for protocol in ("HTTP/1.0", "HTTP/1.1"):
        request = exchange(protocol=protocol)
        request.persistent = False
        assert lines(make(request=request, length=0))[-1] == b"Connection: close"


# -- the tail -------------------------------------------------------------------------------------


def test_the_tail_is_made_once_a_second() -> None:
    times = iter([MOMENT, MOMENT + 1])
    end = Tail("", lambda: next(times))
    request = exchange()
    head = make_head("200 OK", [], request, 0, end, 100.0)[0]
    assert head.endswith(b"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n")
    assert end.expires == 100.75  # when the wall clock's second ends
    assert make_head("200 OK", [], request, 0, end, 100.5)[0] == head
    assert b"08:49:38" in make_head("200 OK", [], request, 0, end, 100.75)[0]


def test_the_tail_without_some_of_it() -> None:
    end = tail()
    end.refresh(0.0)
    date = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert end.data == TAIL == end.without(date=False, server=False)
    assert end.without(date=True, server=False) == b"Server: stein\r\n\r\n"
    assert end.without(date=False, server=True) == date + b"\r\n"
    assert end.without(date=True, server=True) == b"\r\n"


# -- chunks ---------------------------------------------------------------------------------------


def test_chunks() -> None:
    assert chunk(b"hello") == b"5\r\nhello\r\n"
    assert chunk(b"a" * 255).startswith(b"ff\r\na")
    assert LAST_CHUNK == b"0\r\n\r\n"
    assert continue_head == b"HTTP/1.1 100 Continue\r\n\r\n"


class Socket:
    """As much of a socket as http.client asks for."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


def understood(data: bytes, method: str = "GET") -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(Socket(data), method=method)  # type: ignore[arg-type]
    response.begin()
    return response


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_a_chunked_response_is_understood(pieces: list[bytes]) -> None:
    head = make()
    assert head[2]
    data = head[0] + b"".join(chunk(piece) for piece in pieces) + LAST_CHUNK
    assert understood(data).read() == b"".join(pieces)


# -- nothing that an application gives reaches the wire as anything else --------------------------


class Evil(str):
    """Prints as something else than it is, and compares as its underlying text."""

    __slots__ = ()

    def __str__(self) -> str:
        return "x\r\nSet-Cookie: evil"

    def __format__(self, spec: str) -> str:
        return str(self)

    def lower(self) -> str:
        return "date"


class Unhashable(str):
    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


class Name(str, enum.Enum):  # noqa: UP042 - the kind whose text and str() differ
    KIND = "X-Kind"


def test_what_a_text_prints_as_does_not_matter() -> None:
    plain = make("200 OK", [("A", "b"), ("X-Kind", "X-Kind")])
    for kind in (Evil, Unhashable):
        forget()
        headers = [(kind("A"), kind("b")), (Name.KIND, Name.KIND)]
        assert make(kind("200 OK"), headers) == plain
        assert make("200 OK", [("A", "b"), ("X-Kind", "X-Kind")]) == plain
        assert "hop-by-hop" in refusal(headers=[(kind("Upgrade"), "x")])
        assert "control character" in refusal(headers=[("A", kind("b\r\n"))])


anything = (
    st.none()
    | st.integers()
    | st.binary(max_size=5)
    | st.booleans()
    | st.floats()
    | st.lists(st.none(), max_size=2)
    | st.tuples(st.text(max_size=2))
)
texts = (
    st.text(max_size=12)
    | st.text(alphabet="ab: \t\r\n\0\x7f\xe9\u20ac\u010a\u2028", max_size=8)
    | st.sampled_from(
        ["close", "0", "5", "a", "chunked", "keep-alive", "x\r\n\r\n", "\r\n y", "\x85"]
    )
)
names = texts | st.sampled_from(
    [
        "Content-Length",
        "Date",
        "Server",
        "Connection",
        "Set-Cookie",
        "Transfer-Encoding",
        "A",
        "X-Y",
    ]
)
statuses = st.builds("{} {}".format, st.integers(-5, 1200), texts) | texts | anything
pairs = st.tuples(names | anything, texts | anything) | st.tuples(names, texts) | anything

FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]*)")
STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
DROPPED = {"connection", "keep-alive"}
ADDED = {b"Content-Length", b"Transfer-Encoding", b"Connection", b"Server", b"Date"}


@given(
    statuses | st.just("200 OK"),
    st.lists(pairs, max_size=4) | anything,
    st.sampled_from(["GET", "HEAD"]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.0"]),
    st.sampled_from([UNKNOWN, 0, 5]),
)
@example("200 OK", [("A", "b\r\nC: d")], "GET", "HTTP/1.1", 0)
@example("200 OK\r\nA: b", [], "GET", "HTTP/1.1", 0)
@example("204", [("Content-Length", "5"), ("Connection", "close")], "GET", "HTTP/1.0", 0)
def test_a_head_says_what_the_application_said_or_is_not_made(
    status: Any, headers: Any, method: str, protocol: str, length: int
) -> None:
    request = exchange(method, protocol)
    try:
        head = make(status, headers, request, length)
    except ApplicationError:
        assert not {"\r", "\n"} & set(refusal(status, headers))
        return
    assert head == make(status, headers, exchange(method, protocol), length)  # remembered or not
    first, *rest = split(head[0])
    match = STATUS.fullmatch(first)
    assert match is not None
    code, _, reason = status.partition(" ")
    assert match.groups() == (code.encode(), reason.encode("latin-1"))
    assert request.status == int(code)
    given_fields = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
        if name.lower() not in DROPPED and not (code == "204" and name.lower() == "content-length")
    ]
    fields = [field(line) for line in rest]
    assert fields[: len(given_fields)] == given_fields
    added = [name for name, _ in fields[len(given_fields) :]]
    assert set(added) <= ADDED
    lower = [name.lower() for name, _ in fields]
    for name in (b"content-length", b"transfer-encoding", b"connection"):
        assert lower.count(name) <= 1
    assert not {b"content-length", b"transfer-encoding"} <= set(lower)
    assert_promises(head, request, dict(zip(lower, (value for _, value in fields), strict=True)))


def split(data: bytes) -> list[bytes]:
    """Take a head apart by a rule of its own: lines end in CRLF, and only there."""
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
    assert b"\0" not in data
    return data[:-4].split(b"\r\n")


def field(line: bytes) -> tuple[bytes, bytes]:
    match = FIELD.fullmatch(line)
    assert match is not None, line
    return match[1], match[2]


def assert_promises(head: Head, request: Exchange, fields: dict[bytes, bytes]) -> None:
    """The client can tell where the body ends, and it is where the server will end it."""
    data, length, chunked, bodiless = head
    assert bodiless == (request.line.method == "HEAD" or request.status in {204, 304})
    assert chunked == (b"transfer-encoding" in fields)
    assert request.persistent != (fields.get(b"connection") == b"close")
    if not bodiless and not chunked:
        if length == UNKNOWN:
            assert not request.persistent
            assert b"content-length" not in fields
        else:
            assert int(fields[b"content-length"]) == length
    if b"\r\n" in data.partition(b"\r\n")[2]:  # http.client takes other blanks for line ends, too
        response = understood(data, request.line.method)
        assert response.status == request.status


@given(texts | anything, texts | anything)
def test_one_field(name: Any, value: Any) -> None:
    """Exactly names that are tokens and values that are field values pass."""
    right = (
        isinstance(name, str)
        and is_token(name)
        and isinstance(value, str)
        and is_field_value(value)
    )
    if right and name.lower() not in module._MEANINGS:
        make(headers=[(name, value)])
    elif not right:
        refusal(headers=[(name, value)])


def test_memories_are_bounded() -> None:
    for number in range(module._MOST_REMEMBERED + 10):
        make(headers=[(f"X-{number}", "a")])
    assert 0 < len(module._checked) < module._MOST_REMEMBERED
    assert 0 < len(module._meanings) < module._MOST_REMEMBERED


def test_what_is_long_is_not_remembered() -> None:
    head = make(headers=[("A", "b" * module._LONGEST_REMEMBERED)])
    assert module._checked == {}
    assert make(headers=[("A", "b" * module._LONGEST_REMEMBERED)]) == head
    make(headers=[("A" * (module._LONGEST_REMEMBERED + 1), "b")])
    assert module._meanings.keys() == {"A"}
