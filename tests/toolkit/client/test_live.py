"""The same client against a server that is running; and what it says if the answer is none."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein import Server, Settings
from stein.toolkit.client import Client, LiveServer, NoAnswerError, create_environ
from stein.toolkit.client.live import _target
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from tests.server.conftest import certificates as certificates  # noqa: PLC0414 - a fixture
from tests.server.conftest import no_leaks as no_leaks  # noqa: PLC0414

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.typing import Environ, StartResponse
    from tests.server.certificates import Certificates

pytestmark = pytest.mark.usefixtures("no_leaks")


@Request.application
def echo(request: Request) -> Response:
    data = request.get_data()
    return Response(f"{request.method} {request.url} {len(data)} {data[:20]!r}")


@contextlib.contextmanager
def scripted(
    *answers: bytes, read: bool = True, wait: threading.Event | None = None
) -> Iterator[str]:
    """A server that sends what it is told, one connection after the other, and gives its URL."""

    def serve() -> None:
        for answer in answers:
            sock, _ = listener.accept()
            with sock:
                if read:
                    sock.recv(65536)
                sock.sendall(answer)
                if wait is not None:
                    wait.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            if wait is not None:
                wait.set()
            thread.join()


# -- as with an application ---------------------------------------------------------------------


def test_a_request_and_its_answer() -> None:
    with Server(echo, port=0) as server:
        client = Client(base_url=server.url)
        response = client.post("/x?y=1", data=b"body")
        assert response.status == "200 OK"
        assert response.text == f"POST {server.url}/x?y=1 4 b'body'"
        assert response.request.url == f"{server.url}/x?y=1"
        assert repr(client) == f"<Client <LiveServer {server.url}>>"
        # Another name leads to the same server.
        assert "http://sub.example.com/" in client.get("/", base_url="http://sub.example.com/").text


def test_cookies_and_redirects() -> None:
    @Request.application
    def app(request: Request) -> Response:
        if request.path == "/in":
            response = Response(status=303, headers={"Location": "/me"})
            response.set_cookie("user", request.form["name"])
            return response
        return Response(request.cookies.get("user", "nobody"))

    with Server(app, port=0) as server:
        client = Client(base_url=server.url)
        assert client.get("/me").text == "nobody"
        assert client.post("/in", data={"name": "ada"}, follow_redirects=True).text == "ada"
        client.set_cookie("user", "bob")
        assert client.get("/me").text == "bob"


def test_a_stream_comes_piece_by_piece() -> None:
    go = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert go.wait(10)
        yield b"second"

    with Server(app, port=0) as server, Client(base_url=server.url).get("/") as response:
        pieces = iter(response.response)
        assert next(pieces) == b"first"
        go.set()
        assert list(pieces) == [b"second"]
        assert "Transfer-Encoding" not in response.headers


@pytest.mark.parametrize("how", ["close", "forget"])
def test_a_stream_that_nobody_reads_is_closed(how: str) -> None:
    ended = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 65536
        finally:
            ended.set()

    with Server(app, port=0) as server:
        response = Client(base_url=server.url).get("/")
        assert response.status_code == 200
        if how == "close":
            response.close()
        del response
        assert ended.wait(10)


def test_large_bodies_both_ways() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]

    body = bytes(range(256)) * 4096
    with Server(app, port=0) as server:
        client = Client(base_url=server.url)
        with client.post("/", data=body) as response:
            assert response.is_streamed
            assert response.data == body

        class Pipe:
            read = io.BytesIO(body).read

            def close(self) -> None:
                pass

        with client.post("/", input_stream=Pipe(), buffered=True) as response:  # in chunks
            assert response.data == body
        headers = {"Transfer-Encoding": "chunked"}
        with client.post("/", data=b"abc", headers=headers) as response:
            assert response.data == b"abc"
        assert client.head("/").data == b""


def test_fields_go_over_the_wire() -> None:
    seen: list[Any] = []

    @Request.application
    def app(request: Request) -> Response:
        seen.append(sorted(request.headers))
        return Response()

    with Server(app, port=0) as server:
        fields = [("X-A", "1"), ("X-A", "\xfc"), ("X-Wide", "\N{SNOWMAN}")]
        Client(base_url=server.url).put("/", data="x", headers=fields, content_type="a/b")
    host = server.url.removeprefix("http://")
    assert seen == [[
        ("Content-Length", "1"), ("Content-Type", "a/b"), ("Host", host), ("X-A", "1, \xfc"),
        ("X-Wide", "\xe2\x98\x83"),
    ]]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "options", "target"),
    [
        ("/a%2fb?", {}, "/a%2fb?"),
        ("/a?x=%zz", {}, "/a?x=%zz"),
        ("/a b", {}, "/a%20b"),
        ("/\N{SNOWMAN}?\N{SNOWMAN} x", {}, "/%E2%98%83?%E2%98%83%20x"),
        ("/a", {"query_string": {"b": "c"}}, "/a?b=c"),
        ("/a", {"base_url": "http://h/mount%20x"}, "/mount%20x/a"),
        ("http://h/a?b#c", {}, "/a?b"),
        ("/a#b", {}, "/a"),
        ("", {}, "/"),
        ("*", {}, "*"),
    ],
)
def test_the_target(path: str, options: dict[str, Any], target: str) -> None:
    assert _target(create_environ(path, **options)) == target


def test_tls(certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.localhost)
    settings = Settings(
        certfile=str(certificates.localhost),
        keyfile=str(certificates.key_of(certificates.localhost)),
    )
    with Server(echo, settings, port=0) as server:
        assert server.url.startswith("https://")
        client = Client(base_url=server.url, ssl_context=context)
        assert client.get("/").text.startswith("GET https://127.0.0.1:")
        with pytest.raises(NoAnswerError, match=r"TLS was not agreed on.*ssl_context"):
            Client(base_url=server.url).get("/")


# -- as no application would --------------------------------------------------------------------


def test_an_answer_up_to_the_end_of_the_connection() -> None:
    with scripted(b"HTTP/1.0 200\r\nX-A: b\r\n\r\nall of this") as url:
        response = Client(base_url=url).get("/")
        assert (response.status, response.text) == ("200 OK", "all of this")
        response.close()


def test_an_answer_before_the_body_was_taken() -> None:
    with Server(echo, Settings(limit_body=10), port=0) as server:
        assert Client(base_url=server.url).post("/", data=b"x" * 900_000).status_code == 413


def refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_is_not_there() -> None:
    url = refused()
    with pytest.raises(NoAnswerError, match="nothing listens there") as caught:
        Client(base_url=url).get("/")
    assert url in str(caught.value)
    assert "start the server first" in str(caught.value)
    assert isinstance(caught.value, ConnectionError)


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(NoAnswerError, match=r"http://nowhere\.invalid:80.*not known"):
        Client(base_url="http://nowhere.invalid:80").get("/")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"", "closed the connection instead of answering"),
        (b"SSH-2.0-OpenSSH_9\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "broke off after"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nabc", "broke off after 3 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "broke off after 3"),
        (b"HTTP/1.1 200 OK\r\n" + 200 * b"X: y\r\n" + b"\r\n", "got more than 100 headers"),
    ],
)
def test_an_answer_that_is_none(answer: bytes, what: str) -> None:
    with scripted(answer) as url, pytest.raises(NoAnswerError, match=what) as caught:
        Client(base_url=url).get("/", buffered=True)
    assert url in str(caught.value)


def test_an_answer_that_does_not_come() -> None:
    with scripted(b"", wait=threading.Event()) as url:
        client = Client(base_url=url, timeout=0.05)
        with pytest.raises(
            NoAnswerError, match=r"silent for 0\.05 seconds.*Client\(timeout="
        ) as caught:
            client.get("/")
        assert url in str(caught.value)


def test_a_body_that_does_not_go_on() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    with scripted(head, wait=threading.Event()) as url:
        response = Client(base_url=url, timeout=0.05).get("/")
        with pytest.raises(NoAnswerError, match="broke off after 3 bytes of its body"):
            _ = response.data


@pytest.mark.parametrize(
    "url", ["127.0.0.1:5000", "ftp://x/", "http://", "/path", "http:x", "http://h:x"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="as in 'http://127"):
        LiveServer(url)


def test_a_method_that_cannot_be_sent_is_told() -> None:
    with Server(echo, port=0) as server, pytest.raises(ValueError, match="method"):
        Client(base_url=server.url).open("/", method="G\r\nT")
