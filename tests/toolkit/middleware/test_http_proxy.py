"""Requests passed on to another server: stein's own, and sockets that misbehave."""

from __future__ import annotations

import gc
import io
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein.server.server import Server
from stein.server.settings import Settings
from stein.toolkit.middleware.http_proxy import ProxyMiddleware
from tests.toolkit.middleware.plain import Answer, call, call_loosely, close, environ_of, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.typing import Environ

APP = saying("the application")


def mirror(environ: Environ, start_response: Any) -> list[bytes]:
    """Answer with the environ and the body."""
    body = environ["wsgi.input"].read().decode()
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Here", "yes")])
    return [json.dumps({**seen, "body": body}).encode()]


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with Server(mirror, Settings(threads=2), port=0) as server:
        yield server.url


@pytest.fixture
def scripted() -> Iterator[Callable[[bytes], Scripted]]:
    """Make a server that takes one connection, reads until it has seen enough, and answers."""
    made: list[Scripted] = []

    def make(answer: bytes, until: bytes = b"\r\n\r\n") -> Scripted:
        made.append(Scripted(answer, until))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Scripted:
    """One connection; what came is in :attr:`seen`, and :attr:`ended` is set when it was closed."""

    def __init__(self, answer: bytes, until: bytes) -> None:
        self.answer = answer
        self.until = until
        self.seen = b""
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(20)
            while self.until not in self.seen:
                data = connection.recv(65536)
                if not data:
                    break
                self.seen += data
            connection.sendall(self.answer)
            if self.answer.endswith(b"..."):
                while connection.recv(65536):  # never the end, until the proxy closes
                    pass
        self.ended.set()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(20)
        assert not self._thread.is_alive()


def through(url: str, path: str = "/x", *, opts: dict[str, Any] | None = None, **more: Any) -> Any:
    """What the mirror behind the proxy saw."""
    app = ProxyMiddleware(APP, {"/": {"target": url, **(opts or {})}})
    answer = call(app, environ_of(path, **more))
    assert answer.status == "200 OK", answer.body
    return json.loads(answer.body)


def test_what_is_below_no_prefix_is_the_application_s(target: str) -> None:
    app = ProxyMiddleware(APP, {"/api": {"target": target}})
    for path in ("/", "/api", "/apiary/x", "/other"):
        assert call(app, path=path).body == b"the application"
    assert json.loads(call(app, path="/api/").body)["PATH_INFO"] == "/api/"


def test_the_first_prefix_that_fits_is_taken(target: str) -> None:
    options = {"target": target, "headers": {"X-Which": "first"}}
    app = ProxyMiddleware(APP, {"/a": options, "/a/b/": {"target": "http://unused.invalid"}})
    assert json.loads(call(app, path="/a/b/c").body)["HTTP_X_WHICH"] == "first"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/x/y", "/x/y"),
        ("/x/$&'()*+,;=:@~!", "/x/$&'()*+,;=:@~!"),
        ("/a b", "/a%20b"),
        ("/50%", "/50%25"),
        ("/ä".encode().decode("latin-1"), "/%C3%A4"),
        ("/\r\nX-Evil: yes", "/%0D%0AX-Evil:%20yes"),
        ("/?", "/%3F"),
    ],
)
def test_the_path_comes_through_quoted_as_it_must_be(target: str, path: str, sent: str) -> None:
    seen = through(target, path)
    assert seen["REQUEST_URI"] == sent
    assert seen["PATH_INFO"] == path


def test_the_query_comes_through_as_it_is(target: str) -> None:
    assert through(target, QUERY_STRING="a=%20b&c=d/e?")["QUERY_STRING"] == "a=%20b&c=d/e?"
    assert through(target, QUERY_STRING="a b\r\n\xe4")["QUERY_STRING"] == "a%20b%0D%0A%E4"


@pytest.mark.parametrize(
    ("base", "path", "sent"),
    [("", "/bar/baz", "/baz"), ("/base/", "/bar//baz", "/base/baz"), ("/%20", "/bar/", "/%20/")],
)
def test_the_prefix_may_be_removed(target: str, base: str, path: str, sent: str) -> None:
    app = ProxyMiddleware(APP, {"bar": {"target": target + base, "remove_prefix": True}})
    assert json.loads(call(app, path=path).body)["REQUEST_URI"] == sent


@pytest.mark.parametrize("path", ["/a/../b", "/..", "/a/..", "/a/..\\b", "/../"])
def test_a_path_that_climbs_is_refused(target: str, path: str) -> None:
    answer = call(ProxyMiddleware(APP, {"/": {"target": target}}), path=path)
    assert answer.status.startswith("400")
    assert b"climbs" in answer.body


def test_the_host_is_the_target_s_the_client_s_or_any(target: str) -> None:
    assert through(target)["HTTP_HOST"] == "127.0.0.1"
    assert through(target, opts={"host": None})["HTTP_HOST"] == "localhost"
    assert through(target, opts={"host": "faked.invalid"})["HTTP_HOST"] == "faked.invalid"
    environ = environ_of("/x")
    del environ["HTTP_HOST"]
    app = ProxyMiddleware(APP, {"/": {"target": target, "host": None}})
    assert json.loads(call(app, environ).body)["HTTP_HOST"] == "localhost:80"


def test_fields_of_the_connection_stay_on_it(target: str) -> None:
    seen = through(
        target,
        HTTP_CONNECTION="close, X-Private",
        HTTP_X_PRIVATE="1",
        HTTP_KEEP_ALIVE="5",
        HTTP_TE="trailers",
        HTTP_UPGRADE="websocket",
        HTTP_PROXY_AUTHORIZATION="secret",
        HTTP_EXPECT="100-continue",
        HTTP_X_OTHER="2",
        HTTP_ACCEPT_ENCODING="gzip",
        CONTENT_TYPE="text/x",
    )
    assert seen["HTTP_CONNECTION"] == "close"
    assert seen["HTTP_X_OTHER"] == "2"
    assert seen["HTTP_ACCEPT_ENCODING"] == "gzip"
    assert seen["CONTENT_TYPE"] == "text/x"
    gone = "X_PRIVATE KEEP_ALIVE TE UPGRADE PROXY_AUTHORIZATION EXPECT"
    assert not {f"HTTP_{name}" for name in gone.split()} & seen.keys()


def test_the_options_replace_the_client_s_fields(target: str) -> None:
    headers = {"X-Special": "ours", "Host": "no", "Connection": "no", "Content-Length": "7"}
    seen = through(target, opts={"headers": headers}, HTTP_X_SPECIAL="theirs")
    assert seen["HTTP_X_SPECIAL"] == "ours"
    assert seen["HTTP_HOST"] == "127.0.0.1"
    assert seen["HTTP_CONNECTION"] == "close"
    assert "CONTENT_LENGTH" not in seen


def test_the_target_s_fields_come_back_but_not_those_of_its_connection(
    scripted: Callable[[bytes], Scripted],
) -> None:
    server = scripted(
        b"HTTP/1.1 201 Created\r\nContent-Type: text/x\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Connection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: 5\r\nbad/name: x\r\n"
        b"X-Folded: a\r\n b\r\nX-Control: a\x01b\r\nContent-Length: 2\r\n\r\nok"
    )
    answer = call(ProxyMiddleware(APP, {"/": {"target": server.url}}))
    assert answer.status == "201 Created"
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["Content-Length"] == "2"
    assert answer.headers["X-Private"] is None
    assert answer.headers["Keep-Alive"] is None
    assert answer.headers["bad/name"] is None
    assert answer.headers["X-Control"] is None
    assert answer.headers["X-Folded"] == "a  b"
    assert answer.headers["Connection"] is None
    assert answer.body == b"ok"
    assert server.ended.wait(20)


# -- bodies ---------------------------------------------------------------------------------------


def sent_by(server: Scripted, **more: Any) -> bytes:
    call_loosely(ProxyMiddleware(APP, {"/": {"target": server.url}}, chunk_size=4), **more)
    return server.seen


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nok"


def test_a_body_keeps_its_length(scripted: Callable[..., Scripted]) -> None:
    seen = sent_by(scripted(OK, b"abcdefghij"), method="POST", body=b"abcdefghij")
    assert b"\r\nContent-Length: 10\r\n" in seen
    assert seen.endswith(b"\r\n\r\nabcdefghij")


def test_a_chunked_body_stays_chunked(scripted: Callable[..., Scripted]) -> None:
    more = {
        "wsgi.input": io.BytesIO(b"abcdefghij"),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    seen = sent_by(scripted(OK, b"0\r\n\r\n"), method="POST", **more)
    assert b"\r\nTransfer-Encoding: chunked\r\n" in seen
    assert seen.endswith(b"\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n2\r\nij\r\n0\r\n\r\n")


def test_a_chunked_body_may_be_empty(scripted: Callable[..., Scripted]) -> None:
    more = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert sent_by(scripted(OK, b"0\r\n\r\n"), method="POST", **more).endswith(b"\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"CONTENT_LENGTH": ""},
        {"CONTENT_LENGTH": "0"},
        {"CONTENT_LENGTH": "-1"},
        {"wsgi.input_terminated": True},
    ],
)
def test_no_body_is_no_body(scripted: Callable[..., Scripted], more: dict[str, Any]) -> None:
    seen = sent_by(scripted(OK), **more)
    assert seen.endswith(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in seen


def test_from_stein_to_stein_with_chunks_both_ways(target: str) -> None:
    proxy = ProxyMiddleware(APP, {"/": {"target": target}})
    with (
        Server(proxy, Settings(threads=2), port=0) as server,
        socket.create_connection((server.host, server.port), timeout=20) as connection,
    ):
        connection.sendall(
            b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b'"body": "abcde"' in answer
    assert b"X-Here: yes" in answer


def test_pieces_are_given_as_they_come(scripted: Callable[[bytes], Scripted]) -> None:
    server = scripted(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\none\r\n3\r\n..."  # a whole chunk, and one that has not come yet
    )
    app = ProxyMiddleware(APP, {"/": {"target": server.url}})
    body = iter(app(environ_of(), lambda *_: lambda _: None))
    assert next(body) == b"one"
    close(body)
    assert server.ended.wait(20)
    assert list(body) == []


def test_a_chunked_answer_is_whole(scripted: Callable[[bytes], Scripted]) -> None:
    server = scripted(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )
    answer = call(ProxyMiddleware(APP, {"/": {"target": server.url}}))
    assert answer.body == b"onetwo"
    assert answer.headers["Transfer-Encoding"] is None


def test_an_answer_without_length_goes_to_its_end(scripted: Callable[[bytes], Scripted]) -> None:
    server = scripted(b"HTTP/1.0 200 OK\r\nContent-Type: text/x\r\n\r\nall of it")
    assert call(ProxyMiddleware(APP, {"/": {"target": server.url}})).body == b"all of it"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_answer_may_have_no_body(scripted: Callable[[bytes], Scripted], method: str) -> None:
    status = b"200 OK" if method == "HEAD" else b"304 Not Modified"
    server = scripted(b"HTTP/1.1 " + status + b'\r\nX-Y: z\r\nETag: "x"\r\n\r\n...')
    answer = call_loosely(ProxyMiddleware(APP, {"/": {"target": server.url}}), method=method)
    assert answer.body == b""
    assert answer.headers["ETag"] == '"x"'
    assert server.ended.wait(20)


def test_an_answer_before_the_body_was_read_is_passed_on() -> None:
    refused = b"HTTP/1.1 413 Too Large\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nno"

    class Stream(io.BytesIO):
        """Give the target time: the last piece comes when the target has closed."""

        def read1(self, size: int | None = -1, /) -> bytes:
            data = super().read1(size)
            if self.tell() > 100:
                assert server.ended.wait(20)
            return data

    server = Scripted(refused, b"\r\n\r\n")
    environ = environ_of(method="POST", CONTENT_LENGTH="40000000")
    environ["wsgi.input_terminated"] = True
    environ["wsgi.input"] = Stream(bytes(40_000_000))
    answer = call_loosely(ProxyMiddleware(APP, {"/": {"target": server.url}}), environ)
    server.close()
    # Whether the answer survives the reset is up to the system; the request never hangs or fails.
    assert answer.status[:3] in {"413", "502"}


# -- faults ---------------------------------------------------------------------------------------


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def failed(url: str, **kwargs: Any) -> Answer:
    answer = call(ProxyMiddleware(APP, {"/": {"target": url}}, **kwargs))
    assert answer.status == "502 BAD GATEWAY"
    gc.collect()  # an open socket would warn, and warnings are errors
    return answer


def test_a_target_that_is_not_there_is_a_502_with_the_cause() -> None:
    port = refused_port()
    text = failed(f"http://127.0.0.1:{port}").text
    assert f"http://127.0.0.1:{port}" in text
    assert "ConnectionRefusedError" in text


def test_a_name_that_cannot_be_resolved() -> None:
    assert "gaierror" in failed("http://no-such-host.invalid").text


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nno field\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_nonsense_is_a_502(scripted: Callable[[bytes], Scripted], answer: bytes) -> None:
    failed(scripted(answer).url)


def test_a_target_that_says_nothing_is_a_502(scripted: Callable[[bytes], Scripted]) -> None:
    assert "TimeoutError" in failed(scripted(b"...").url, timeout=0.05).text


def test_a_target_that_speaks_no_tls(target: str) -> None:
    assert "SSLError" in failed(target.replace("http:", "https:")).text


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "6 bytes before the declared end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n...", "TimeoutError"),
    ],
)
def test_a_body_that_breaks_off_is_broken_off(
    scripted: Callable[[bytes], Scripted], answer: bytes, cause: str
) -> None:
    server = scripted(answer)
    app = ProxyMiddleware(APP, {"/": {"target": server.url}}, timeout=1)
    with pytest.raises(ConnectionError, match=cause):
        call_loosely(app)
    assert server.ended.wait(20)


def test_the_connection_is_closed_when_the_server_cannot_begin(
    scripted: Callable[[bytes], Scripted],
) -> None:
    def refuse(*_: object) -> Any:
        raise RuntimeError("no")

    server = scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n...")
    with pytest.raises(RuntimeError, match="no"):
        ProxyMiddleware(APP, {"/": {"target": server.url}})(environ_of(), refuse)
    assert server.ended.wait(20)


def test_the_client_s_failure_is_its_own(scripted: Callable[[bytes], Scripted]) -> None:
    class Gone(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise InterruptedError("the client went away")

    server = scripted(b"")
    environ = environ_of(method="POST", CONTENT_LENGTH="5")
    environ["wsgi.input"] = Gone()
    environ["wsgi.input_terminated"] = True
    with pytest.raises(InterruptedError, match="went away"):
        ProxyMiddleware(APP, {"/": {"target": server.url}})(environ, lambda *_: print)
    assert server.ended.wait(20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"options of '/x' have no 'target'"),
        ({"target": "ftp://a"}, "Target scheme must be 'http' or 'https', got 'ftp'"),
        ({"target": "127.0.0.1:5000"}, "Target scheme must be"),
        ({"target": "http:///x"}, "names no host"),
        ({"target": "http://a:b"}, "is not a URL"),
        ({"target": "http://" + "a" * 70}, "is not a URL"),
    ],
)
def test_a_target_that_cannot_be_is_named_at_once(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProxyMiddleware(APP, {"/x": options})


def test_the_options_that_were_given_stay_as_they_are() -> None:
    options = {"target": "http://[::1]:5000"}
    app = ProxyMiddleware(APP, {"x/": options})
    assert options == {"target": "http://[::1]:5000"}
    assert app.targets["/x/"]["host"] == "<auto>"
