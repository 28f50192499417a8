"""``WSGIRequestHandler``: what a program overrides is called."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

import stein
from stein.serving.requesthandler import WSGIRequestHandler
from tests.serving.devserving import app, fetch, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("silent")


class Seen:
    """An application that keeps the environs it was called with."""

    def __init__(self) -> None:
        self.environs: list[Environ] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.environs.append(environ)
        return app(environ, start_response)


# -- the road of a request ----------------------------------------------------------------------


def test_the_environ_is_the_handlers_to_make() -> None:
    class Naming(WSGIRequestHandler):
        def make_environ(self) -> Environ:
            environ = super().make_environ()
            return {
                **environ,
                "mine": (self.command, self.path, self.request_version, self.requestline),
                "agent": self.headers["user-agent"],
                "body": self.rfile.read(),
            }

    seen = Seen()
    with serving(seen, request_handler=Naming) as server:
        fetch(server.port, "//a/b?c=%20d", "POST", body=b"xyz", headers={"User-Agent": "me"})
    environ = seen.environs[0]
    line = "POST //a/b?c=%20d HTTP/1.1"
    assert environ["mine"] == ("POST", "/a/b?c=%20d", "HTTP/1.1", line)
    assert (environ["agent"], environ["body"]) == ("me", b"xyz")
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["REMOTE_PORT"] > 0
    assert environ["SERVER_SOFTWARE"] == f"stein/{stein.__version__}"


def test_an_address_replaced_in_the_class_itself_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    scoped = "fe80::1ff:fe23:4567:890a%eth2"
    monkeypatch.setattr(WSGIRequestHandler, "address_string", lambda _self: scoped)
    seen = Seen()
    with serving(seen) as server:
        fetch(server.port)
    assert seen.environs[0]["REMOTE_ADDR"] == scoped


def test_everything_is_called_in_its_order() -> None:
    calls: list[str] = []

    class Noting(WSGIRequestHandler):
        def __init__(self, *args: Any) -> None:
            calls.append("init")
            super().__init__(*args)

        def setup(self) -> None:
            calls.append("setup")

        def handle(self) -> None:
            calls.append("handle")
            super().handle()

        def handle_one_request(self) -> None:
            calls.append("one")
            self.do_GET()

        def run_wsgi(self) -> None:
            calls.append("run")
            super().run_wsgi()

        def finish(self) -> None:
            calls.append("finish")

    def streaming(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        app(environ, start_response)
        calls.append("first")
        yield b"1"
        calls.append("second")
        yield b"2"

    with serving(streaming, request_handler=Noting) as server:
        assert fetch(server.port).text == "12"
    assert calls == ["init", "setup", "handle", "one", "run", "first", "second", "finish"]


def test_a_handler_finishes_when_the_application_fails_and_closes_what_it_gave() -> None:
    finished: list[str] = []

    class Noting(WSGIRequestHandler):
        def finish(self) -> None:
            finished.append(self.path)

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def close(self) -> None:
            finished.append("closed")

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/call":
            raise KeyError("mine")
        start_response("200 OK", [])
        return Body()

    with serving(application, request_handler=Noting) as server:
        assert fetch(server.port, "/call").status == 500
        assert fetch(server.port, "/body").text == "x"
    assert finished == ["/call", "closed", "/body"]


def test_a_handler_that_handles_nothing_is_told_off(caplog: pytest.LogCaptureFixture) -> None:
    class Idle(WSGIRequestHandler):
        def handle(self) -> None:
            pass

    with serving(request_handler=Idle) as server:
        assert fetch(server.port).status == 500
    assert "Idle.handle() did not call that of its base class" in caplog.text


def test_what_http_server_would_do_is_refused_with_the_reason() -> None:
    handler = WSGIRequestHandler(None, ("127.0.0.1", 1), None)
    with pytest.raises(AttributeError, match=r"wfile: the server itself writes responses"):
        handler.wfile  # noqa: B018
    with pytest.raises(AttributeError, match=r"WSGIRequestHandler\.foo: there is none"):
        handler.foo  # noqa: B018


def test_the_connection_is_that_of_tls(pair: tuple[str, str]) -> None:
    seen = Seen()

    class Certified(WSGIRequestHandler):
        def make_environ(self) -> Environ:
            return {**super().make_environ(), "cipher": self.connection.cipher()}

    with serving(seen, request_handler=Certified, ssl_context=pair) as server:
        context = ssl.create_default_context(cafile=pair[0])
        with (
            socket.create_connection(("localhost", server.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1000)
    assert len(seen.environs[0]["cipher"]) == 3


# -- the field Server ---------------------------------------------------------------------------


def server_field(handler: type[WSGIRequestHandler] | None, application: Any = app) -> str | None:
    with serving(application, request_handler=handler) as server:
        return fetch(server.port).headers["server"]


def test_the_server_is_named_as_the_handler_says() -> None:
    class Named(WSGIRequestHandler):
        server_version = "mine/1"
        sys_version = "x"

    class Shy(WSGIRequestHandler):
        def version_string(self) -> str:
            return ""

    def own(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("server", "the app's")])
        return []

    assert server_field(None) == "stein"
    assert server_field(Named) == "mine/1 x"
    assert server_field(Shy) is None
    assert server_field(Named, own) == "the app's"
    plain = WSGIRequestHandler(None, ("", 0), None)
    assert plain.version_string().startswith(f"stein/{stein.__version__} Python/3.")


# -- the log ------------------------------------------------------------------------------------


class Quiet(WSGIRequestHandler):
    """Logs nothing of requests."""

    asked: ClassVar[list[tuple[Any, ...]]] = []

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.asked.append((self.path, code, size, self.address_string()))


def test_a_handler_may_keep_requests_out_of_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEIN_ACCESS_LOG", "dev")
    with serving(request_handler=Quiet) as server:
        fetch(server.port, "/quiet")
    assert Quiet.asked == [("/quiet", 200, len("http False False /quiet"), "127.0.0.1")]
    assert capsys.readouterr().err == ""


class Chatty(WSGIRequestHandler):
    """Logs in the words of http.server."""

    def log_date_time_string(self) -> str:
        return "now"


def test_a_handler_logs_as_werkzeug_does(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "werkzeug"), serving(request_handler=Chatty) as server:
        fetch(server.port, "/caf%C3%A9%20%0a?a%25b")
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"nonsense\r\n\r\n")
            client.recv(100)
            assert client.recv(100) is not None
    texts = [record.getMessage() for record in caplog.records if record.name == "werkzeug"]
    assert texts == [
        '127.0.0.1 - - [now] "GET /café%20%0a?a%25b HTTP/1.1" 200 27',
        "127.0.0.1 - - [now] code 400, message malformed request line: nonsense",
        '127.0.0.1 - - [now] "nonsense" 400 16',
    ]
    assert caplog.records[1].levelno == logging.ERROR


def test_messages_are_logged_with_address_and_time() -> None:
    logged: list[tuple[Any, ...]] = []

    class Server:
        def log(self, *args: Any) -> None:
            logged.append(args)

    handler = WSGIRequestHandler(None, ("", 0), Server())
    handler.log_message("100 %")
    handler.log_error("%d %%", 7)
    assert [(kind, address, text) for kind, _, address, _, text in logged] == [
        ("info", "<local>", "100 %"), ("error", "<local>", "7 %"),
    ]  # fmt: skip
    assert time.strptime(logged[0][3], "%d/%b/%Y %H:%M:%S")
    assert handler.date_time_string(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert handler.date_time_string().endswith("GMT")
    assert handler.port_integer() == 0


def test_a_client_that_leaves_is_told_to_the_handler() -> None:
    dropped: list[tuple[BaseException, Environ | None]] = []

    class Noting(WSGIRequestHandler):
        def connection_dropped(self, error: BaseException, environ: Environ | None = None) -> None:
            super().connection_dropped(error, environ)
            dropped.append((error, environ))

    def streaming(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        while not environ["stein.disconnected"]():
            yield b"x"
        yield b"y" * 100_000
        yield b"y" * 100_000

    with serving(streaming, request_handler=Noting, threaded=True) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(10)
        client.close()
    ((error, environ),) = dropped
    assert isinstance(error, ConnectionError)
    assert environ is not None
    assert environ["PATH_INFO"] == "/gone"
