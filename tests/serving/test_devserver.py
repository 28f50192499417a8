"""Server objects: ``make_server`` and what it gives."""

from __future__ import annotations

import inspect
import io
import logging
import os
import socket
import ssl
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import BindError, CertificateError, ConfigurationError
from stein.serving.devserver import (
    BaseWSGIServer,
    ForkingMixIn,
    ForkingWSGIServer,
    ThreadedWSGIServer,
    make_server,
)
from stein.serving.requesthandler import WSGIRequestHandler
from tests.serving.devserving import Overlaps, app, fetch, fetch_together, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("silent")


def failing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Fail where the path says."""
    if environ["PATH_INFO"] == "/call":
        raise KeyError("mine")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/list":
        return [b"list"]

    def pieces() -> Iterator[bytes]:
        if environ["PATH_INFO"] == "/first":
            raise KeyError("mine")
        yield b"piece"
        if environ["PATH_INFO"] == "/second":
            raise KeyError("mine")

    return pieces()


def test_it_is_shown_by_the_name_of_its_application() -> None:
    server = make_server("127.0.0.1", 0, failing)
    with server.make_engine([server.socket], lambda _: None) as engine:
        assert engine.board.application == f"{__name__}:failing"


# -- what it is ---------------------------------------------------------------------------------


def test_the_parameters_are_werkzeugs() -> None:
    assert list(inspect.signature(make_server).parameters) == [
        "host", "port", "app", "threaded", "processes", "request_handler", "passthrough_errors",
        "ssl_context", "fd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, BaseWSGIServer),
        ({"threaded": True}, ThreadedWSGIServer),
        ({"processes": 3}, ForkingWSGIServer),
    ],
)
def test_there_are_three_kinds(options: dict[str, Any], kind: type[BaseWSGIServer]) -> None:
    with make_server("127.0.0.1", 0, app, **options) as server:
        assert type(server) is kind
        assert server.multithread is (kind is ThreadedWSGIServer)
        assert server.multiprocess is (kind is ForkingWSGIServer)
        assert repr(server) == f"<{kind.__name__} ('127.0.0.1', {server.port})>"


def test_a_server_listens_from_the_beginning_and_until_it_is_closed() -> None:
    with make_server("127.0.0.1", 0, app) as server:
        assert server.server_address == ("127.0.0.1", server.port)
        assert (server.host, server.server_name) == ("127.0.0.1", "127.0.0.1")
        assert server.server_port == server.port > 0
        assert server.socket.fileno() == server.fileno() > 0
        assert server.address_family == socket.AF_INET
        assert server.ssl_context is None
        assert server.app is app
        socket.create_connection(("127.0.0.1", server.port)).close()
    assert server.fileno() == -1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(TypeError, match="needs the application"):
        make_server("localhost", 0)
    with pytest.raises(ValueError, match="it can be one of the two only"):
        make_server("localhost", 0, app, threaded=True, processes=2)
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(BindError, match="in use"):
        make_server("127.0.0.1", other.getsockname()[1], app)


def test_processes_need_a_platform_that_can_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stein.serving.devserver.can_fork", False)
    with pytest.raises(ValueError, match="cannot fork: use threaded=True"):
        make_server("localhost", 0, app, processes=2)
    assert isinstance(ForkingMixIn(), ForkingMixIn)


def test_a_socket_stays_its_makers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with serving(host="ignored", fd=listening.fileno()) as server:
            assert server.server_address == listening.getsockname()
            assert fetch(server.port).status == 200
        assert listening.fileno() > 0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux for descriptors")
def test_a_server_that_cannot_be_made_leaves_no_duplicate_of_its_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as deaf:
        before = count()
        with pytest.raises(CertificateError):
            make_server("localhost", 0, app, ssl_context=("no", "no"), fd=listening.fileno())
        with pytest.raises(BindError, match="does not listen"):
            make_server("localhost", 0, app, fd=deaf.fileno())
        monkeypatch.setenv("STEIN_GRACEFUL_TIMEOUT", "soon")
        with pytest.raises(ConfigurationError):
            make_server("localhost", 0, app, fd=listening.fileno())
        assert count() == before


def test_a_unix_socket_is_given_as_a_url(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with serving(host=f"unix://{path}") as server:
        assert (server.host, server.server_address) == (f"unix://{path}", str(path))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /x HTTP/1.1\r\nHost: here\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"http False False /x")
    assert not path.exists()


# -- serving ------------------------------------------------------------------------------------


def test_threads_run_calls_at_once() -> None:
    calls = Overlaps(10, patience=20)
    with serving(calls, threaded=True) as server:
        answers = fetch_together(server.port, 10)
    assert {answer.text for answer in answers} == {"http True False /"}
    assert calls.most == len(calls.threads) == 10


def test_one_thread_runs_one_call_after_the_other_in_the_thread_that_serves() -> None:
    calls = Overlaps(2, patience=0.05)
    with make_server("127.0.0.1", 0, calls) as server:
        thread = threading.Thread(target=server.serve_forever, name="mine")
        thread.start()
        answers = fetch_together(server.port, 5)
        server.shutdown()
        thread.join()
    assert {answer.text for answer in answers} == {"http False False /"}
    assert (calls.most, calls.threads) == (1, {"mine"})


def test_with_one_thread_a_connection_ends_with_its_answer_unless_the_handler_says_otherwise() -> (
    None
):
    class Keeping(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

    class Closing(WSGIRequestHandler):
        protocol_version = "HTTP/1.0"

    def connection(**options: Any) -> str | None:
        with serving(**options) as server:
            return fetch(server.port).headers["connection"]

    assert connection() == "close"
    assert connection(request_handler=Keeping) is None
    assert connection(threaded=True) is None
    assert connection(threaded=True, request_handler=WSGIRequestHandler) is None
    assert connection(threaded=True, request_handler=Closing) == "close"


def test_the_application_can_be_replaced() -> None:
    with serving() as server:
        server.app = failing
        assert fetch(server.port, "/list").text == "list"


def test_a_path_that_begins_like_a_host_is_none() -> None:
    with serving() as server:
        assert fetch(server.port, "//evil.test/x").text == "http False False /evil.test/x"


def test_a_chunked_body_is_marked_as_one_of_unknown_length() -> None:
    seen: dict[str, Any] = {}

    def read(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        return app(environ, start_response)

    with serving(read) as server:
        fetch(server.port, "/", "POST", body=iter([b"ab", b"c"]), encode_chunked=True,
              headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    assert (seen["body"], seen["HTTP_TRANSFER_ENCODING"]) == (b"abc", "chunked")
    assert seen["wsgi.input_terminated"]
    assert "CONTENT_LENGTH" not in seen


def test_one_request_is_handled_and_others_wait() -> None:
    calls = Overlaps(1)
    with make_server("127.0.0.1", 0, calls, threaded=True) as server:
        texts: list[str] = []
        client = threading.Thread(target=lambda: texts.append(fetch(server.port).text))
        client.start()
        server.handle_request()
        client.join()
        waiting = socket.create_connection(("127.0.0.1", server.port))
        waiting.sendall(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        assert texts == ["http True False /"]
        server.handle_request()
        assert waiting.makefile("rb").read().endswith(b"/second")
        waiting.close()


def test_a_server_does_not_wait_for_ever_for_one_request() -> None:
    class Hasty(BaseWSGIServer):
        timeout = 0.01
        waited = 0

        def handle_timeout(self) -> None:
            super().handle_timeout()
            self.waited += 1

    with Hasty("127.0.0.1", 0, app) as server:
        server.handle_request()
        assert server.waited == 1
        server.timeout = 20
        client = threading.Thread(target=fetch, args=(server.port,))
        client.start()
        server.handle_request()
        client.join()
        assert server.waited == 1


def test_who_starts_the_server_again_is_told_how_to_stop_it() -> None:
    stops: list[Any] = []
    with make_server("127.0.0.1", 0, app) as server:
        server.when_serving = stops.append
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        fetch(server.port)
        stops[0](0.0)
        thread.join(20)
        assert not thread.is_alive()


# -- stopping -----------------------------------------------------------------------------------


def test_shutdown_returns_when_the_server_has_stopped() -> None:
    with make_server("127.0.0.1", 0, app, threaded=True) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        fetch(server.port)
        server.shutdown()
        thread.join(20)
        assert server.fileno() == -1


def test_shutdown_before_the_server_serves_is_kept_for_then() -> None:
    with make_server("127.0.0.1", 0, app) as server:
        server.shutdown()
        assert server.shutdown_signal
        server.serve_forever()


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("way", ["shutdown", "shutdown_signal"])
def test_a_request_can_stop_the_server_and_is_answered(way: str, *, threaded: bool) -> None:
    def stop(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if way == "shutdown":
            server.shutdown()
        else:
            server.shutdown_signal = False
            assert not server.shutdown_signal
            server.shutdown_signal = True
        return app(environ, start_response)

    with make_server("127.0.0.1", 0, stop, threaded=threaded) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert fetch(server.port).status == 200
        thread.join(20)
        assert not thread.is_alive()


# -- errors of the application ------------------------------------------------------------------


def test_an_error_is_logged_from_the_users_frames_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.getLogger("stein"), "handlers", [])
    with serving(failing) as server:
        assert fetch(server.port, "/call").status == 500
    lines = stream.getvalue().splitlines()
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[2].startswith(f'  File "{__file__}"')
    assert lines[-1] == "KeyError: 'mine'"
    assert sum("File" in line for line in lines) == 1


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(("path", "status"), [("/call", 500), ("/first", 500)])
def test_an_error_that_is_passed_through_ends_the_server_after_the_answer(
    path: str, status: int, *, threaded: bool
) -> None:
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            server.serve_forever()
        except KeyError as error:
            raised.append(error)

    with make_server("127.0.0.1", 0, failing, passthrough_errors=True, threaded=threaded) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        assert fetch(server.port, "/list").text == "list"
        assert fetch(server.port, "/").text == "piece"
        assert fetch(server.port, path).status == status
        thread.join(20)
    assert str(raised) == "[KeyError('mine')]"


def test_an_error_in_mid_response_is_passed_through_and_cuts_it_off() -> None:
    with make_server("127.0.0.1", 0, failing, passthrough_errors=True) as server:
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(KeyError, match="mine"):
            server.handle_request()
        assert client.makefile("rb").read().endswith(b"5\r\npiece\r\n")
        client.close()


# -- the socket that is lent --------------------------------------------------------------------


def test_an_application_can_speak_to_the_client_itself() -> None:
    def hijack(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        lent = environ["werkzeug.socket"]
        lent.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        text = lent.recv(100)
        lent.sendall(text.upper())
        lent.shutdown(socket.SHUT_RDWR)
        return app(environ, start_response)

    with (
        serving(hijack) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 101")
        client.sendall(b"hello")
        assert client.recv(100) == b"HELLO"
        assert client.recv(100) == b""


# -- TLS ----------------------------------------------------------------------------------------


def fetch_safely(port: int, context: ssl.SSLContext) -> str:
    url = f"https://localhost:{port}/"
    with urllib.request.urlopen(url, timeout=20, context=context) as response:
        return str(response.read().decode())


def trusting(pair: tuple[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pair[0])


def test_https_with_the_files_of_a_certificate(pair: tuple[str, str]) -> None:
    with serving(ssl_context=pair, threaded=True) as server:
        assert isinstance(server.ssl_context, ssl.SSLContext)
        assert fetch_safely(server.port, trusting(pair)) == "https True False /"
    with serving(ssl_context=list(pair)) as server:
        assert fetch_safely(server.port, trusting(pair)) == "https False False /"


def test_https_with_a_context_of_ones_own(pair: tuple[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    with serving(ssl_context=context) as server:
        assert server.ssl_context is context
        assert fetch_safely(server.port, trusting(pair)) == "https False False /"


def test_a_certificate_with_its_key_in_one_file(pair: tuple[str, str], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(Path(name).read_bytes() for name in pair))
    givens: list[Any] = [both, str(both), (str(both), None), (str(both),)]
    for given in givens:
        with serving(ssl_context=given) as server:
            assert fetch_safely(server.port, trusting(pair)) == "https False False /"


def test_a_certificate_that_cannot_be_used_is_told_with_its_file(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    text = tmp_path / "note.txt"
    text.write_text("hello")
    cases: list[tuple[Any, str]] = [
        ((str(text), pair[1]), f"certificate {str(text)!r} with key"),
        ((pair[0], "no.key"), "TLS file 'no.key' does not exist"),
        (("a", "b", "c"), "no pair"),
    ]
    for given, words in cases:
        with pytest.raises(CertificateError, match=words):
            make_server("127.0.0.1", 0, app, ssl_context=given)


@pytest.mark.parametrize("threaded", [False, True])
def test_http_on_a_port_of_tls_is_answered_with_the_way_out(
    pair: tuple[str, str], *, threaded: bool
) -> None:
    with serving(ssl_context=pair, threaded=threaded) as server:
        answer = fetch(server.port)
        assert (answer.status, answer.text) == (
            400, "400 Bad Request: this port speaks HTTPS; use https://\n"
        )  # fmt: skip
        assert fetch_safely(server.port, trusting(pair)).startswith("https")


def test_tls_on_a_port_without_it_is_logged_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STEIN_ACCESS_LOG", "dev")
    monkeypatch.setenv("STEIN_ACCESS_LOG_FILE", str(tmp_path / "log"))
    with serving() as server, pytest.raises(OSError, match="SSL"):
        fetch_safely(server.port, ssl.create_default_context())
    line = (tmp_path / "log").read_text()
    assert " 400 (TLS) " in line
    assert "spoke TLS to a port without it: https:// instead of http://" in line


# -- the log ------------------------------------------------------------------------------------


def test_a_server_tells_where_it_can_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    with make_server("127.0.0.1", 0, app) as server:
        server.log_startup()
        assert f" * Running on http://127.0.0.1:{server.port}\n" in capsys.readouterr().err


def test_a_server_logs_with_werkzeugs_logger(caplog: pytest.LogCaptureFixture) -> None:
    with make_server("127.0.0.1", 0, app) as server, caplog.at_level("INFO", "werkzeug"):
        server.log("warning", "%s and %s\n", 1, 2)
    assert caplog.record_tuples == [("werkzeug", logging.WARNING, "1 and 2")]


def test_settings_say_where_requests_are_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STEIN_ACCESS_LOG", "dev")
    monkeypatch.setenv("STEIN_ACCESS_LOG_FILE", str(tmp_path / "log"))
    with serving() as server:
        fetch(server.port, "/one")
    assert " 200 GET /one " in (tmp_path / "log").read_text()
    assert os.environ["STEIN_ACCESS_LOG"] == "dev"
