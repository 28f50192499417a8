"""PEP 3333 over a live server: what an application may give, and what becomes of the rest."""

from __future__ import annotations

import contextvars
import io
import logging
import os
import sys
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from stein.server.call import FileWrapper
from tests.corpus.wire import WireError
from tests.server.client import BOUND, Client, request, serving, until
from tests.server.test_listeners import ipv6

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from stein.http.exchange import Exchange
    from stein.server import Server
    from stein.typing import Environ, HeaderList, StartResponse

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.filterwarnings("ignore:Bytes IO:ResourceWarning"),
]

OK = "200 OK"


def answering(give: Callable[[Environ], Any], *headers: tuple[str, str], status: str = OK) -> Any:
    """An application that starts its response and gives what `give` returns."""

    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response(status, list(headers))
        return give(environ)

    return app


class Pieces:
    """An iterable with close(), which notes where and when that was called."""

    def __init__(self, *pieces: Any, fault: BaseException | None = None) -> None:
        self._pieces = iter(pieces)
        self._fault = fault
        self.taken = 0
        self.closes: list[str] = []
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        for piece in self._pieces:
            self.taken += 1
            return piece  # type: ignore[no-any-return]
        if self._fault is not None:
            raise self._fault
        raise StopIteration

    def close(self) -> None:
        self.closes.append(threading.current_thread().name)
        self.closed.set()


class Sized(Pieces):
    """Pieces whose number is known."""

    def __init__(self, *pieces: Any) -> None:
        super().__init__(*pieces)
        self._count = len(pieces)

    def __len__(self) -> int:
        return self._count


class ListSubclass(list[bytes]):
    """Neither `list` itself nor without close()."""

    closes = 0

    def close(self) -> None:
        self.closes += 1


class BytesSubclass(bytes):
    """PEP 3333 speaks of bytes; a subclass is."""


def is_alive(server: Server) -> bool:
    with Client.to(server) as client:
        client.send(request("/is-alive"))
        return client.answer().status > 0


# -- bodies of every form -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("give", "body", "framing"),
    [
        (lambda: [b"hello"], b"hello", "5"),
        (lambda: (b"hello",), b"hello", "5"),
        (lambda: [b"he", b"llo"], b"hello", "5"),
        (lambda: [b"", b"hello", b""], b"hello", "5"),
        (list, b"", "0"),
        (tuple, b"", "0"),
        (lambda: [b""], b"", "0"),
        (lambda: iter(()), b"", None),
        (lambda: iter([b"", b""]), b"", None),
        (lambda: iter([b"hello"]), b"hello", "chunked"),
        (lambda: iter([b"", b"he", b"", b"llo", b""]), b"hello", "chunked"),
        (lambda: (piece for piece in (b"he", b"llo")), b"hello", "chunked"),
        (lambda: Pieces(b"he", b"llo"), b"hello", "chunked"),
        (lambda: Sized(b"hello"), b"hello", "5"),
        (lambda: Sized(b""), b"", "0"),
        (lambda: Sized(b"he", b"llo"), b"hello", "chunked"),
        (lambda: ListSubclass([b"hello"]), b"hello", "5"),
        (lambda: ListSubclass([b"he", b"llo"]), b"hello", "chunked"),
        (ListSubclass, b"", None),
        (lambda: [BytesSubclass(b"hello")], b"hello", None),
        (lambda: iter([BytesSubclass(b"hello")]), b"hello", "chunked"),
        (lambda: {b"hello": 1}, b"hello", "5"),
        (lambda: b"", b"", None),
    ],
)  # fmt: skip
def test_a_body(give: Callable[[], Any], body: bytes, framing: str | None) -> None:
    with serving(answering(lambda _environ: give())) as server, Client.to(server) as client:
        for _ in range(2):  # and the connection is in step afterwards
            answer = client.ask()
            assert (answer.status, answer.body) == (200, body)
            if framing is not None:
                length, coding = answer.header("content-length"), answer.header("transfer-encoding")
                assert (length or coding) == framing


@pytest.mark.parametrize("give", [lambda: [b"hello"], lambda: iter([b"he", b"llo"])])
def test_a_body_for_http_1_0(give: Callable[[], Any]) -> None:
    with serving(answering(lambda _environ: give())) as server, Client.to(server) as client:
        answer = client.ask("/", version="1.0")
        assert answer.body == b"hello"
        assert answer.header("transfer-encoding") is None
        assert client.is_closed()


def test_a_declared_length_is_kept_to_whatever_the_form() -> None:
    for give in (lambda: [b"he", b"llo"], lambda: iter([b"he", b"llo"]), lambda: Sized(b"hello")):
        app = answering(lambda _environ, give=give: give(), ("Content-Length", "5"))  # type: ignore[misc]
        with serving(app) as server, Client.to(server) as client:
            for _ in range(2):
                answer = client.ask()
                assert answer.body == b"hello"
                assert answer.header("content-length") == "5"


@pytest.mark.parametrize("size", [16_000, 65_536, 65_537, 1_000_000, 20_000_000])
def test_a_body_of_any_size(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with serving(answering(lambda _: [body])) as server, Client.to(server) as client:
        client.send(request() + request("/", "Connection: close"))
        for _ in range(2):
            assert f"Content-Length: {size}\r\n".encode() in client.head()
            assert client.exactly(size) == body
        assert client.is_closed()


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("give", [list, lambda: [b"never sent"], lambda: iter([b"ne", b"ver"])])
def test_statuses_without_a_body(status: str, give: Callable[[], Any]) -> None:
    app = answering(lambda _environ: give(), status=status)
    with serving(app) as server, Client.to(server) as client:
        for _ in range(2):
            answer = client.ask()
            assert (f"{answer.status} {answer.reason}", answer.body) == (status, b"")


@pytest.mark.parametrize(
    ("give", "length"),
    [
        (lambda: [b"hello"], "5"), (lambda: iter([b"he", b"llo"]), None),
        (lambda: Sized(b"hello"), "5"), (list, None),
    ],
)  # fmt: skip
def test_head_has_the_fields_and_no_body(give: Callable[[], Any], length: str | None) -> None:
    with serving(answering(lambda _environ: give())) as server, Client.to(server) as client:
        for _ in range(2):
            answer = client.ask(method="HEAD")
            assert (answer.status, answer.body) == (200, b"")
            assert answer.header("content-length") == length


def test_for_head_the_declared_length_is_the_one_of_get() -> None:
    app = answering(lambda _: [], ("Content-Length", "1000000"))
    with serving(app) as server, Client.to(server) as client:
        for _ in range(2):
            assert client.ask(method="HEAD").header("content-length") == "1000000"


def test_for_head_an_endless_generator_is_not_read_on() -> None:
    pieces = Pieces(*[b"x"] * 1000)
    with serving(answering(lambda _: pieces)) as server, Client.to(server) as client:
        client.ask(method="HEAD")
        assert pieces.closed.wait(BOUND)
    assert pieces.taken < 3


# -- start_response and write() -----------------------------------------------------------------


@pytest.mark.parametrize("rest", [list, lambda: [b"ef"], lambda: iter([b"ef"])])
@pytest.mark.parametrize("declared", [True, False])
def test_the_write_callable(*, rest: Callable[[], Any], declared: bool) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        end = rest()
        length = 4 if end == [] else 6
        headers = [("Content-Length", str(length))] if declared else []
        write = start_response(OK, headers)
        write(b"ab")
        write(b"")
        write(b"cd")
        return end

    with serving(app) as server, Client.to(server) as client:
        for _ in range(2):
            answer = client.ask()
            assert answer.body in {b"abcd", b"abcdef"}
            assert (answer.header("content-length") is not None) == declared


def test_write_refuses_what_is_not_bytes() -> None:
    faults = []

    def app(environ: Environ, start_response: StartResponse) -> Any:
        write = start_response(OK, [])
        for wrong in ("text", None, bytearray(b"x")):
            try:
                write(wrong)  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001 - what it is, the test tells
                faults.append(str(error))
        write(b"right")
        return []

    with serving(app) as server, Client.to(server) as client:
        client.send(request())
        client.answer()
    assert faults == [
        f"the body must be bytes, the application gave {kind}"
        for kind in ("str", "NoneType", "bytearray")
    ]


def test_start_response_as_late_as_allowed() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        yield b""
        start_response(OK, [])
        yield b""
        yield b"late"

    with serving(app) as server, Client.to(server) as client:
        assert client.ask().body == b"late"


def test_start_response_within_an_iteration_that_gives_nothing() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("202 Accepted", [])
        yield from ()

    with serving(app) as server, Client.to(server) as client:
        assert client.ask().status == 202
        assert client.ask().status == 202


@pytest.mark.parametrize("give", [list, lambda: [b"x"], lambda: iter(()), lambda: iter([b"x"])])
def test_start_response_never(give: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        return give()

    with serving(app) as server, Client.to(server) as client:
        answer = client.ask()
        assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
        assert client.is_closed()
    assert "start_response()" in caplog.text


def test_start_response_twice_is_an_error_of_the_application() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response(OK, [])
        start_response("201 Created", [])
        return []

    with serving(app) as server, Client.to(server) as client:
        assert client.ask().status == 500
        assert client.is_closed()


def test_exc_info_before_the_head_replaces_it() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response(OK, [("X-Old", "1"), ("Content-Length", "99")])
        try:
            raise KeyError("something failed")  # noqa: TRY301 - as applications do
        except KeyError:
            start_response("503 Sorry", [("X-New", "1")], sys.exc_info())  # type: ignore[arg-type]
        return [b"sorry"]

    with serving(app) as server, Client.to(server) as client:
        for _ in range(2):
            answer = client.ask()
            assert (answer.status, answer.reason, answer.body) == (503, "Sorry", b"sorry")
            assert answer.header("x-old") is None
            assert answer.header("x-new") == "1"


def test_exc_info_after_the_head_is_raised_again(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [])
        yield b"first"
        try:
            raise KeyError("something failed")  # noqa: TRY301 - as applications do
        except KeyError:
            start_response("500 Sorry", [], sys.exc_info())  # type: ignore[arg-type]
        yield b"never"

    with serving(app) as server, Client.to(server) as client:
        client.send(request())
        with pytest.raises(WireError, match="closed inside an answer"):
            client.answer()
        assert b"first" in client.received
        assert b"never" not in client.received
    assert "KeyError: 'something failed'" in caplog.text


# -- what an application may not do -------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (OK, [("Connection", "x\r\nX-Injected: 1")]),
        (OK, [("X-A", "1\r\nX-Injected: 1")]),
        (OK, [("X-A", "1\nX-Injected: 1")]),
        (OK, [("X-A", "1\rX")]),
        (OK, [("X-A", "1\0X")]),
        (OK, [("X-A\r\nX-Injected", "1")]),
        (OK, [("X A", "1")]),
        (OK, [("X-A:", "1")]),
        (OK, [("", "1")]),
        (OK, [("X-\xe4", "1")]),
        (OK, [("X-A", "\u20ac")]),
        (OK, [("X-A", b"1")]),
        (OK, [(b"X-A", "1")]),
        (OK, [("X-A", None)]),
        (OK, [("X-A", 1)]),
        (OK, [("X-A",)]),
        (OK, None),
        (OK, ["X-A: 1"]),
        ("200 OK\r\nX-Injected: 1", []),
        ("200 OK\0", []),
        ("200", None),
        ("", []),
        ("abc", []),
        ("20 OK", []),
        ("2000 OK", []),
        ("-12 OK", []),
        ("\u0662\u0660\u0660 OK", []),
        (b"200 OK", []),
        (200, []),
        (None, []),
        ("100 Continue", []),
        ("101 Switching Protocols", []),
        ("600 Odd", []),
        (OK, [("Content-Length", "x")]),
        (OK, [("Content-Length", "-1")]),
        (OK, [("Content-Length", "+5")]),
        (OK, [("Content-Length", "5"), ("Content-Length", "5")]),
        (OK, [("Content-Length", "9" * 30)]),
        (OK, [("Transfer-Encoding", "chunked")]),
        (OK, [("transfer-encoding", "identity")]),
        (OK, [("Upgrade", "websocket")]),
        (OK, [("Trailer", "X-A")]),
        (OK, [("TE", "trailers")]),
        (OK, [("Proxy-Authenticate", "Basic")]),
    ],
)  # fmt: skip
def test_a_head_that_may_not_be_sent_becomes_a_500(
    status: Any, headers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for give in (lambda: [b"hello"], lambda: iter([b"hello"])):

        def app(environ: Environ, start_response: StartResponse, give: Any = give) -> Any:
            start_response(status, headers)
            return give()

        caplog.clear()
        with serving(app) as server, Client.to(server) as client:
            answer = client.ask()
            assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
            assert answer.header("connection") == "close"
            assert b"Injected" not in client.received
            assert client.is_closed()
        assert len([each for each in caplog.records if each.levelno == logging.ERROR]) == 1


@pytest.mark.parametrize(
    ("headers", "closes"),
    [
        ([("Connection", "close")], True),
        ([("connection", "Close")], True),
        ([("Connection", "keep-alive")], False),
        ([("Keep-Alive", "timeout=5")], False),
    ],
)
def test_the_connection_field_is_the_server_s_but_close_is_heard(
    *, headers: HeaderList, closes: bool
) -> None:
    with serving(answering(lambda _: [b"x"], *headers)) as server, Client.to(server) as client:
        answer = client.ask()
        assert answer.header("connection") == ("close" if closes else None)
        assert answer.header("keep-alive") is None
        assert client.is_closed() if closes else client.ask().status == 200


def test_the_application_s_own_date_and_server_are_kept() -> None:
    headers = [("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Server", "own")]
    with serving(answering(lambda _: [], *headers)) as server, Client.to(server) as client:
        answer = client.ask()
        assert [answer.header("date"), answer.header("server")] == [headers[0][1], "own"]
    with (
        serving(answering(lambda _: []), server_header="") as server,
        Client.to(server) as client,
    ):
        assert client.ask().header("server") is None


WRONG = [
    ("text", "str"), (None, "NoneType"), (1, "int"), ("", "str"), (0, "int"),
    (bytearray(b"x"), "bytearray"), (memoryview(b"x"), "memoryview"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "kind"), WRONG, ids=lambda value: repr(value)[:12])
def test_pieces_that_are_not_bytes(wrong: Any, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    forms: list[Callable[[], Any]] = [
        lambda: [wrong], lambda: iter([wrong]), lambda: Sized(wrong), lambda: iter([b"", wrong])
    ]  # fmt: skip
    for form in forms:
        caplog.clear()
        with (
            serving(answering(lambda _environ, form=form: form())) as server,  # type: ignore[misc]
            Client.to(server) as client,
        ):
            assert client.ask().status == 500
            assert client.is_closed()
        assert f"the body must be bytes, the application gave {kind}" in caplog.text


@pytest.mark.parametrize(("wrong", "kind"), WRONG, ids=lambda value: repr(value)[:12])
def test_pieces_that_are_not_bytes_after_some_that_were(
    wrong: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        serving(answering(lambda _: iter([b"good", wrong, b"never"]))) as server,
        Client.to(server) as client,
    ):
        client.send(request())
        with pytest.raises(WireError, match="closed inside an answer"):
            client.answer()
        assert b"good" in client.received
        assert b"never" not in client.received
    assert f"the application gave {kind}" in caplog.text


@pytest.mark.parametrize("result", [None, 5, object()])
def test_a_result_that_is_no_iterable(result: Any) -> None:
    with serving(answering(lambda _: result)) as server, Client.to(server) as client:
        assert client.ask().status == 500
        assert client.is_closed()


@pytest.mark.parametrize("give", [lambda: [b"hello"], lambda: iter([b"hel", b"lo"])])
def test_too_few_bytes(give: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    app = answering(lambda _environ: give(), ("Content-Length", "10"))
    with serving(app) as server, Client.to(server) as client:
        client.send(request() + request("/never"))
        with pytest.raises(WireError, match="closed inside an answer"):
            client.answer()
        assert client.received.endswith(b"\r\n\r\nhello")
    assert "the application declared 10 bytes and gave 5" in caplog.text


@pytest.mark.parametrize(
    "give", [lambda: [b"hello"], lambda: iter([b"hel", b"lo"]), lambda: iter([b"he", b"l", b"lo"])]
)
def test_too_many_bytes(give: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    app = answering(lambda _environ: give(), ("Content-Length", "3"))
    with serving(app) as server, Client.to(server) as client:
        client.send(request() + request("/never"))
        assert client.answer().body == b"hel"
        assert client.is_closed()
    assert "the application gave more than the declared 3 bytes" in caplog.text


def test_empty_pieces_after_the_declared_length_are_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = answering(lambda _: iter([b"hello", b"", b""]), ("Content-Length", "5"))
    with serving(app) as server, Client.to(server) as client:
        assert client.ask().body == b"hello"
        assert client.ask().body == b"hello"
    assert caplog.text == ""


# -- errors of the application ------------------------------------------------------------------

FAULTS = [ValueError("the secret detail"), SystemExit(3), GeneratorExit(), MemoryError()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("threads", [1, 16])
def test_an_error_before_the_first_byte(
    fault: BaseException, threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    def at_once(environ: Environ, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] != "/is-alive":
            raise fault
        start_response(OK, [])
        return []

    def in_iteration(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [("X-Never", "1")])
        if environ["PATH_INFO"] != "/is-alive":
            raise fault
        yield b""

    for app in (at_once, in_iteration):
        caplog.clear()
        with serving(app, threads=threads) as server, Client.to(server) as client:
            answer = client.ask("/broken")
            assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
            assert answer.header("x-never") is None
            assert client.is_closed()
            assert is_alive(server)
        (record,) = caplog.records
        assert record.exc_info is not None
        assert record.exc_info[1] is fault
        assert "GET '/broken'" in record.getMessage()


@pytest.mark.parametrize("threads", [1, 16])
def test_a_keyboard_interrupt_that_no_keyboard_made(threads: int) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] != "/is-alive":
            raise KeyboardInterrupt
        start_response(OK, [])
        return []

    with serving(app, threads=threads) as server, Client.to(server) as client:
        assert client.ask().status == 500
        assert client.is_closed()
        assert is_alive(server)


def failing(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    headers = [("Content-Length", "100")] if environ["PATH_INFO"] == "/length" else []
    start_response(OK, headers)
    yield b"first"
    if environ["PATH_INFO"] != "/is-alive":
        raise ValueError("the secret detail")


def test_an_error_after_the_first_byte_leaves_out_the_last_chunk() -> None:
    with serving(failing) as server, Client.to(server) as client:
        client.send(request("/chunked"))
        assert client.rest().endswith(b"\r\n\r\n5\r\nfirst\r\n")
        assert is_alive(server)


def test_an_error_after_the_first_byte_leaves_the_length_short() -> None:
    with serving(failing) as server, Client.to(server) as client:
        client.send(request("/length"))
        assert client.rest().endswith(b"Content-Length: 100\r\n") is False
        assert is_alive(server)
    with serving(failing) as server, Client.to(server) as client:
        client.send(request("/length"))
        data = client.rest()
        assert b"Content-Length: 100\r\n" in data
        assert data.endswith(b"\r\n\r\nfirst")


def test_an_error_after_the_first_byte_resets_where_the_end_of_the_connection_is_the_end() -> None:
    with serving(failing) as server, Client.to(server) as client:
        client.send(request("/", version="1.0"))
        with pytest.raises(ConnectionResetError):
            client.rest()
        assert is_alive(server)


@pytest.mark.parametrize("path", ["/chunked", "/length"])
def test_what_was_cut_off_is_observed_as_such(path: str) -> None:
    seen: list[Exchange] = []
    with serving(failing, seen.extend) as server, Client.to(server) as client:
        client.send(request(path))
        client.rest()
    assert [(each.outcome, each.status, each.sent_bytes) for each in seen] == [("cut_off", 200, 5)]


def test_an_error_in_close_is_logged_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Pieces):
        def close(self) -> None:
            raise SystemExit("in close")

    with serving(answering(lambda _: Broken(b"hello"))) as server, Client.to(server) as client:
        assert client.ask().body == b"hello"
        assert client.ask().body == b"hello"
    assert "close() of the response failed" in caplog.text


# -- close() ------------------------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Scene:
    """An application that notes in which thread and context each of its parts ran."""

    def __init__(self, pieces: Callable[[], Iterable[Any]]) -> None:
        self._pieces = pieces
        self.before: list[str] = []
        self.ran: list[tuple[str, int]] = []
        self.closed: list[tuple[str, int, str]] = []
        self.done = threading.Semaphore(0)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        path = environ["PATH_INFO"]
        self.before.append(variable.get())
        variable.set(path)
        self.ran.append((path, threading.get_ident()))
        start_response(OK, [])
        return Curtain(self, path, iter(self._pieces()))


class Curtain:
    """What a Scene gives back."""

    def __init__(self, scene: Scene, path: str, pieces: Iterator[Any]) -> None:
        self._scene, self._path, self._pieces = scene, path, pieces

    def __iter__(self) -> Iterator[Any]:
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def close(self) -> None:
        self._scene.closed.append((self._path, threading.get_ident(), variable.get()))
        self._scene.done.release()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "pieces",
    [
        lambda: [b"a", b"b"],
        list,
        lambda: [ValueError("before the first byte")],
        lambda: [b"a", ValueError("after the first byte")],
        lambda: [b"a", SystemExit("after the first byte")],
        lambda: ["no bytes"],
        lambda: [b"x" * 5_000_000] * 4,
    ],
    ids=["plain", "empty", "error-first", "error-later", "exit", "str", "large"],
)
def test_close_is_called_once_where_the_call_ran(
    pieces: Callable[[], list[Any]], threads: int
) -> None:
    scene = Scene(pieces)
    with serving(scene, threads=threads) as server:
        for number in range(3):
            with Client.to(server, receive_buffer=4096) as client:
                client.send(request(f"/{number}", "Connection: close"))
                client.rest()
            assert scene.done.acquire(timeout=BOUND)
    assert not scene.done.acquire(blocking=False)
    assert [(path, thread) for path, thread, _ in scene.closed] == scene.ran
    assert [seen for *_, seen in scene.closed] == ["/0", "/1", "/2"]
    assert scene.before == ["unset"] * 3


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("farewell", ["close", "reset"])
def test_close_is_called_when_the_client_has_gone(threads: int, farewell: str) -> None:
    scene = Scene(lambda: (b"x" * 65536 for _ in range(10_000)))
    with serving(scene, threads=threads) as server:
        for number in range(3):
            with Client.to(server, receive_buffer=4096) as client:
                client.send(request(f"/{number}"))
                client.exactly(100)
                if farewell == "reset":
                    client.reset()
            assert scene.done.acquire(timeout=BOUND)
    assert [(path, thread) for path, thread, _ in scene.closed] == scene.ran
    assert [seen for *_, seen in scene.closed] == ["/0", "/1", "/2"]


@pytest.mark.parametrize("threads", [1, 2])
def test_close_is_called_when_the_client_takes_nothing(threads: int) -> None:
    scene = Scene(lambda: (b"x" * 65536 for _ in range(10_000)))
    with (
        serving(scene, threads=threads, write_timeout=0.1) as server,
        Client.to(server, receive_buffer=4096) as client,
    ):
        client.send(request("/slow"))
        assert scene.done.acquire(timeout=BOUND)
    assert [(path, thread) for path, thread, _ in scene.closed] == scene.ran


def test_a_client_that_takes_nothing_is_observed_as_such() -> None:
    seen: list[Exchange] = []
    app = answering(lambda _: (b"x" * 65536 for _ in range(10_000)))
    with (
        serving(app, seen.extend, write_timeout=0.1) as server,
        Client.to(server, receive_buffer=4096) as client,
    ):
        client.send(request("/slow"))
        until(lambda: seen)
    assert [each.outcome for each in seen] == ["write_timeout"]


@pytest.mark.parametrize("threads", [1, 2])
def test_close_is_called_when_the_server_stops_with_a_suspended_call(threads: int) -> None:
    scene = Scene(lambda: (b"x" * 65536 for _ in range(10_000)))
    with (
        serving(scene, threads=threads, graceful_timeout=0.05) as server,
        Client.to(server, receive_buffer=4096) as client,
    ):
        client.send(request("/slow"))
        client.exactly(100)
        until(lambda: scene.ran)
        server.stop()
    assert len(scene.closed) == 1


def test_close_of_a_list_subclass() -> None:
    made = []

    def give(_environ: Environ) -> ListSubclass:
        made.append(ListSubclass([b"x"]))
        return made[-1]

    with serving(answering(give)) as server, Client.to(server) as client:
        client.ask()
        client.ask()
    assert [each.closes for each in made] == [1, 1]


# -- wsgi.input ---------------------------------------------------------------------------------


def reading(read: Callable[[Any], Any]) -> Any:
    """An application that answers with the repr of what `read` makes of wsgi.input."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        body = repr(read(environ["wsgi.input"])).encode()
        start_response(OK, [("Content-Length", str(len(body)))])
        return [body]

    return app


TEXT = b"first line\nsecond\n\nand the rest" + b"." * 3000 + b"\nend"


def chunked(data: bytes, size: int = 700) -> bytes:
    """A request whose body comes in chunks."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = request("/", "Transfer-Encoding: chunked", method="POST")
    return head + coded + b"0\r\n\r\n"


MODES: dict[str, dict[str, Any]] = {
    "memory": {},
    "spooled": {"body_buffer": 100},
    "streamed": {"request_buffering": False},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("coding", ["length", "chunks"])
@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: stream.read(-1),
        lambda stream: (stream.read(0), stream.read(7), stream.read(1000), stream.read()),
        lambda stream: (stream.readline(), stream.readline(3), stream.readline(), stream.read(9)),
        lambda stream: stream.readlines(),
        lambda stream: (stream.readlines(5), stream.readlines()),
        list,
        lambda stream: [next(stream), stream.read(3), *stream],
        lambda stream: (stream.read(), stream.read(), stream.read(5), stream.readline(), [*stream]),
        lambda stream: [block for block in iter(lambda: stream.read(100), b"")],  # noqa: C416
    ],
)  # fmt: skip
def test_the_input_reads_like_a_file(mode: str, coding: str, read: Callable[[Any], Any]) -> None:
    data = request("/", method="POST", body=TEXT) if coding == "length" else chunked(TEXT)
    with serving(reading(read), **MODES[mode]) as server, Client.to(server) as client:
        for _ in range(2):  # the end of one body is the beginning of the next request
            client.send(data)
            assert client.answer().body == repr(read(io.BytesIO(TEXT))).encode()


@pytest.mark.parametrize("mode", MODES)
def test_no_body_is_an_empty_input(mode: str) -> None:
    def read(stream: Any) -> Any:
        return (stream.read(), stream.readline(), list(stream))

    with serving(reading(read), **MODES[mode]) as server, Client.to(server) as client:
        for data in (request(), request("/", "Content-Length: 0", method="POST"), chunked(b"")):
            client.send(data)
            assert client.answer().body == b"(b'', b'', [])"


@pytest.mark.parametrize("mode", ["memory", "spooled"])
def test_an_unread_body_does_not_become_a_request(mode: str) -> None:
    app = answering(lambda environ: [environ["PATH_INFO"].encode()])
    with serving(app, **MODES[mode]) as server, Client.to(server) as client:
        smuggled = request("/smuggled") * 10
        client.send(request("/a", method="POST", body=smuggled) + request("/b"))
        assert [client.answer().body, client.answer().body] == [b"/a", b"/b"]
        assert client.is_silent()


@pytest.mark.parametrize("status", ["403 Forbidden", "413 Content Too Large"])
@pytest.mark.parametrize("expect", [True, False])
def test_a_streamed_body_may_be_refused_unread(*, status: str, expect: bool) -> None:
    app = answering(lambda _: [b"no"], status=status)
    with (
        serving(app, request_buffering=False, linger_timeout=5) as server,
        Client.to(server) as client,
    ):
        fields = ["Content-Length: 100000", *(["Expect: 100-continue"] if expect else [])]
        client.send(request("/", *fields, method="POST"))
        if not expect:
            client.send(b"x" * 100_000)
        answer = client.answer()
        assert f"{answer.status} {answer.reason}" == status  # and no 100 before it
        assert answer.header("connection") == "close"
        assert client.is_closed()


def test_expect_is_answered_when_the_application_reads() -> None:
    asked = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        asked.set()
        body: bytes = environ["wsgi.input"].read()
        start_response(OK, [])
        return [body]

    with serving(app, request_buffering=False) as server, Client.to(server) as client:
        for _ in range(2):
            client.send(request("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
            assert client.answer().status == 100
            assert asked.is_set()
            client.send(b"hello")
            assert client.answer().body == b"hello"


def test_expect_is_answered_before_a_collected_body_comes_and_the_application_is_called() -> None:
    asked = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        asked.set()
        start_response("403 Forbidden", [])
        return [b"no"]

    with serving(app) as server, Client.to(server) as client:
        client.send(request("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert client.answer().status == 100
        assert not asked.is_set()
        client.send(b"hello")
        assert client.answer().status == 403
        assert client.ask().status == 403  # on the same connection


def test_a_streamed_body_may_be_read_after_start_response() -> None:
    app = answering(lambda environ: [environ["wsgi.input"].read()])
    with serving(app, request_buffering=False) as server, Client.to(server) as client:
        for _ in range(2):
            client.send(request("/", method="POST", body=b"hello"))
            assert client.answer().header("connection") is None


def test_a_streamed_body_is_read_as_it_comes() -> None:
    got: list[bytes] = []
    first = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        got.append(environ["wsgi.input"].readline())
        first.set()
        got.append(environ["wsgi.input"].read())
        start_response(OK, [])
        return []

    with serving(app, request_buffering=False) as server, Client.to(server) as client:
        client.send(request("/", "Content-Length: 11", method="POST") + b"first\n")
        assert first.wait(BOUND)
        client.send(b"later")
        assert client.answer().status == 200
    assert got == [b"first\n", b"later"]


def test_a_streamed_body_and_a_streamed_answer_at_once() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [])
        for line in environ["wsgi.input"]:
            yield line.upper()

    with serving(app, request_buffering=False) as server, Client.to(server) as client:
        client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        client.send(b"2\r\na\n\r\n")
        client.head()
        for word in (b"a\n", b"bc\n", b"def\n"):
            if word != b"a\n":
                client.send(b"%x\r\n%b\r\n" % (len(word), word))
            assert client.exactly(5 + len(word)) == b"%x\r\n%b\r\n" % (len(word), word.upper())
        client.send(b"0\r\n\r\n")
        assert client.exactly(5) == b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("end", "status"), [("half", 400), ("bad", 400), ("slow", 408), ("large", 413)]
)
def test_what_goes_wrong_in_a_streamed_body_reaches_the_reading(end: str, status: int) -> None:
    kinds: list[bool] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except Exception as error:
            kinds.append(isinstance(error, OSError))
            raise
        start_response(OK, [])
        return []

    settings = {"request_buffering": False, "body_timeout": 0.1 if end == "slow" else 30}
    with serving(app, **settings, limit_body=1000) as server, Client.to(server) as client:
        client.send(request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
        if end == "half":
            client.shut()
        elif end == "bad":
            client.send(b"nonsense\r\n")
        elif end == "large":
            client.send(b"%x\r\n%b\r\n" % (2000, bytes(2000)))
        assert client.answer().status == status
        assert client.is_closed()
    assert kinds == [end in {"half", "slow"}]


def test_an_application_may_live_with_a_broken_body() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError:
            start_response("422 Broken", [])
            return [b"cut short"]
        return []

    with serving(app, request_buffering=False) as server, Client.to(server) as client:
        client.send(request("/", "Content-Length: 10", method="POST") + b"half")
        client.shut()
        answer = client.answer()
        assert (answer.status, answer.body) == (422, b"cut short")
        assert client.is_closed()


def test_the_input_is_closed_with_the_call() -> None:
    kept: list[IO[bytes]] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        kept.append(environ["wsgi.input"])
        start_response(OK, [])
        return []

    for mode in ("spooled", "streamed"):
        with serving(app, **MODES[mode]) as server, Client.to(server) as client:
            client.send(request("/", method="POST", body=TEXT))
            client.answer()
    for each in kept:
        until(lambda each=each: each.closed)  # type: ignore[misc]


# -- wsgi.file_wrapper --------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 12_000)  # 3 MB
    return path


def wrapping(make: Callable[[], Any], *headers: tuple[str, str]) -> Any:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response(OK, list(headers))
        return environ["wsgi.file_wrapper"](make())

    return app


class Unreal(io.BytesIO):
    """A file that is none, and counts what is done with it."""

    closes = 0

    def close(self) -> None:
        self.closes += 1
        super().close()


@pytest.mark.parametrize("position", [0, 1000, 3_072_000, 5_000_000])
def test_a_file_is_sent_from_its_position_and_closed(position: int, file: Path) -> None:
    opened: list[IO[bytes]] = []

    def make() -> IO[bytes]:
        opened.append(file.open("rb"))
        opened[-1].seek(position)
        return opened[-1]

    expected = file.read_bytes()[position:]
    with serving(wrapping(make)) as server, Client.to(server) as client:
        for _ in range(2):
            client.send(request())
            assert f"Content-Length: {len(expected)}\r\n".encode() in client.head()
            assert client.exactly(len(expected)) == expected
        for each in opened:
            until(lambda each=each: each.closed)  # type: ignore[misc]


def test_a_file_with_a_declared_length(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = wrapping(lambda: file.open("rb"), ("Content-Length", "1000"))
    with serving(app) as server, Client.to(server) as client:
        for _ in range(2):
            assert client.ask().body == file.read_bytes()[:1000]
    app = wrapping(lambda: file.open("rb"), ("Content-Length", "4000000"))
    with serving(app) as server, Client.to(server) as client:
        client.send(request())
        client.rest()
    assert "the file has 3072000 bytes, the declared length is 4000000" in caplog.text


def test_a_file_for_head_and_304(file: Path) -> None:
    with serving(wrapping(lambda: file.open("rb"))) as server, Client.to(server) as client:
        for _ in range(2):
            assert client.ask(method="HEAD").header("content-length") == "3072000"


def test_what_is_no_real_file_is_read_block_by_block() -> None:
    made: list[Unreal] = []

    def make() -> Unreal:
        made.append(Unreal(b"x" * 200_000))
        return made[-1]

    with serving(wrapping(make)) as server, Client.to(server) as client:
        for _ in range(2):
            assert client.ask().body == b"x" * 200_000
        until(lambda: [each.closes for each in made] == [1, 1])


def test_a_pipe_is_read_to_its_end() -> None:
    def make() -> IO[bytes]:
        reader, writer = os.pipe()
        os.write(writer, b"through a pipe")
        os.close(writer)
        return os.fdopen(reader, "rb")

    with serving(wrapping(make)) as server, Client.to(server) as client:
        for _ in range(2):
            assert client.ask().body == b"through a pipe"


def test_a_file_that_was_closed_already_is_an_error_of_the_application(file: Path) -> None:
    def make() -> IO[bytes]:
        stream = file.open("rb")
        stream.close()
        return stream

    with serving(wrapping(make)) as server, Client.to(server) as client:
        assert client.ask().status == 500
        assert client.is_closed()


def test_a_file_after_write_comes_behind_it(file: Path) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        write = start_response(OK, [])
        write(b"in front")
        stream = file.open("rb")
        stream.seek(3_071_990)
        return environ["wsgi.file_wrapper"](stream)

    with serving(app) as server, Client.to(server) as client:
        for _ in range(2):
            assert client.ask().body == b"in front" + file.read_bytes()[-10:]


def test_a_file_that_becomes_shorter_ends_the_connection(file: Path) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response(OK, [])
        wrapper = environ["wsgi.file_wrapper"](file.open("rb"))
        found = wrapper.rest()
        os.truncate(file, 1000)
        wrapper.rest = lambda: found
        return wrapper

    with serving(app) as server, Client.to(server) as client:
        client.send(request())
        client.head()
        assert len(client.rest()) == 1000


def test_a_slow_download_holds_no_thread(file: Path) -> None:
    with (
        serving(wrapping(lambda: file.open("rb")), threads=1) as server,
        Client.to(server, receive_buffer=4096) as slow,
    ):
        slow.send(request())
        slow.exactly(10)
        with Client.to(server) as other:
            other.send(request())
            other.head()
            assert other.exactly(3_072_000) == file.read_bytes()
        slow.head()
        assert slow.exactly(3_072_000) == file.read_bytes()


def test_the_wrapper_by_itself() -> None:
    wrapper = FileWrapper(io.BytesIO(b"abcdefg"), 3)
    assert list(wrapper) == [b"abc", b"def", b"g"]
    assert wrapper.rest() is None
    wrapper.close()
    assert wrapper.filelike.closed

    class Bare:
        def read(self, size: int) -> bytes:
            return b""

    bare = FileWrapper(Bare())  # type: ignore[arg-type]
    assert not hasattr(bare, "close")
    assert list(bare) == []
    with tempfile.TemporaryFile() as real:
        real.write(b"12345")
        real.seek(2)
        assert FileWrapper(real).rest() == (2, 3)


# -- environ ------------------------------------------------------------------------------------


def checked(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """The innermost application behind the validator."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "SERVER_PROTOCOL")
    lines = [environ[name] for name in names] + [body.decode()]
    answer = "\n".join(lines).encode("latin-1")
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))]
    start_response(OK, headers)
    return [answer]


def validated(server: Server, connect: Callable[[], Client], address: str) -> None:
    with connect() as client:
        for turn in range(2):
            answer = client.ask("/a%20b/%C3%A9?q=%20", method="GET")
            assert answer.body == f"\n/a b/\xc3\xa9\nq=%20\n{address}\nHTTP/1.1\n".encode("latin-1")
            answer = client.ask("/p", "Content-Type: text/plain", method="POST", body=b"b" * 9)
            assert answer.body == f"\n/p\n\n{address}\nHTTP/1.1\nbbbbbbbbb".encode(), turn


@pytest.mark.filterwarnings("ignore::wsgiref.validate.WSGIWarning")
@pytest.mark.parametrize("threads", [1, 16])
def test_the_validator_of_the_standard_library_is_content(
    threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(validator(checked), threads=threads) as server:  # type: ignore[arg-type]
        validated(server, lambda: Client.to(server), "127.0.0.1")
    assert caplog.text == ""


@ipv6
def test_the_validator_over_ipv6(caplog: pytest.LogCaptureFixture) -> None:
    with serving(validator(checked), bind=("[::1]:0",)) as server:  # type: ignore[arg-type]
        validated(server, lambda: Client.to(server), "::1")
    assert caplog.text == ""


def test_the_validator_over_a_unix_socket(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import socket

    def connect() -> Client:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(tmp_path / "s"))
        return Client(sock)

    with serving(validator(checked), bind=(f"unix:{tmp_path / 's'}",)) as server:  # type: ignore[arg-type]
        validated(server, connect, "")
    assert caplog.text == ""


def test_the_environ_of_one_request() -> None:
    kept: list[Environ] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        kept.append(environ)
        start_response(OK, [])
        return []

    with serving(app) as server, Client.to(server) as client:
        client.ask("/a/b%2Fc;p?q=1&r", "X-Two: 1", "x-two: 2", "Cookie: a=1", "Cookie: b=2")
        local: socket.socket = client.sock
        port = local.getsockname()[1]
    (environ,) = kept
    expected = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/a/b/c;p",
        "QUERY_STRING": "q=1&r", "REQUEST_URI": "/a/b%2Fc;p?q=1&r", "RAW_URI": "/a/b%2Fc;p?q=1&r",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(server.port), "SERVER_SOFTWARE": "stein",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": str(port),
        "HTTP_HOST": "test", "HTTP_X_TWO": "1,2", "HTTP_COOKIE": "a=1; b=2",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }  # fmt: skip
    assert {name: environ.get(name) for name in expected} == expected
    assert set(environ) - set(expected) == {"wsgi.input", "wsgi.errors", "stein.disconnected"}
    assert "HTTPS" not in environ


def test_what_an_application_does_to_its_environ_is_its_own() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        body = environ.get("left.behind", "nothing").encode()
        environ["left.behind"] = environ["HTTP_HOST"] = "something"
        start_response(OK, [])
        return [body]

    with serving(app) as server, Client.to(server) as client:
        for _ in range(3):
            assert client.ask().body == b"nothing"


def test_one_thread_says_so() -> None:
    app = answering(lambda environ: [repr(environ["wsgi.multithread"]).encode()])
    with serving(app, threads=1) as server, Client.to(server) as client:
        assert client.ask().body == b"False"
