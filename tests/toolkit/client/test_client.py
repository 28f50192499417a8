"""The client: what it sends, what it gives back, redirects."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.client import (
    Client,
    ClientRedirectError,
    EnvironBuilder,
    TestResponse,
    create_environ,
)
from stein.toolkit.redirects import redirect
from stein.toolkit.request import Request
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, StartResponse


@Request.application
def echo(request: Request) -> Response:
    return Response(f"{request.method} {request.url} {request.get_data(as_text=True)}")


@pytest.mark.parametrize(
    "method", ["get", "post", "put", "delete", "patch", "options", "head", "trace"]
)
def test_each_method(method: str) -> None:
    response = getattr(Client(echo), method)("/x")
    assert response.request.method == method.upper()
    text = f"{method.upper()} http://localhost/x "
    assert response.text == ("" if method == "head" else text)
    assert response.text is response.text


def test_what_can_be_opened() -> None:
    client = Client(echo)
    builder = EnvironBuilder("/b", data="body")
    assert client.open(builder).text == "GET http://localhost/b body"
    assert client.open(create_environ("/e")).text == "GET http://localhost/e "
    request = EnvironBuilder("/r").get_request()
    response = client.open(request)
    assert response.text == "GET http://localhost/r "
    assert response.request is request
    assert client.open("/p", "http://h/").text == "GET http://h/p "
    assert client.open().text == "GET http://localhost/ "


def test_the_base_url_of_a_client_is_where_requests_start() -> None:
    client = Client(echo, base_url="https://example.com/mount")
    assert client.get("/x").text == "GET https://example.com/mount/x "
    assert client.get("/x", "http://h/").text == "GET http://h/x "
    assert client.get("/x", base_url="http://h/").text == "GET http://h/x "


def test_a_client_needs_something_to_ask() -> None:
    with pytest.raises(TypeError, match="Client\\(app\\)"):
        Client()
    assert repr(Client(echo)).startswith("<Client <function ")


def test_the_class_of_the_responses() -> None:
    class Own(Response):
        def hello(self) -> str:
            return f"hello {self.text}"  # type: ignore[attr-defined]

    class Full(TestResponse):
        pass

    wrapped: Any = Client(lambda _e, s: s("200 OK", []) and [b"x"], Own).get("/")
    assert wrapped.hello() == "hello x"
    assert isinstance(wrapped, TestResponse)
    assert type(wrapped) is type(Client(echo, Own).get("/"))
    assert type(Client(echo, Full).get("/")) is Full
    assert type(Client(echo, Response).get("/")) is TestResponse
    assert TestResponse.__test__ is False


def test_no_media_type_is_made_up() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("X", "1")])
        return []

    assert list(Client(app).get("/").headers) == [("X", "1")]


class Stream:
    """A body with an end."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("buffered", [False, True])
def test_a_stream_is_open_until_it_is_closed(buffered: bool) -> None:  # noqa: FBT001
    stream = Stream()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return stream

    with Client(app).get("/", buffered=buffered) as response:
        assert response.is_streamed is not buffered
        assert stream.closed is int(buffered)
        assert response.data == b"ab"
    assert stream.closed == 1


def test_a_large_form_is_on_disk_until_the_response_is_closed() -> None:
    data = {"f": (io.BytesIO(b"x" * 600_000), "f.bin")}
    with Client(lambda _e, s: s("200 OK", []) and []).post("/", data=data) as response:
        stream = response.request.environ["wsgi.input"]
        assert not isinstance(stream, io.BytesIO)
        assert not stream.closed
    assert stream.closed
    again = Client(echo).post("/", data="x")
    again.close()
    assert not again.request.environ["wsgi.input"].closed  # memory may still be looked at


# -- redirects ----------------------------------------------------------------------------------


def going(*steps: str, code: int = 302, **options: Any) -> Any:
    """An application that redirects along the steps, and then echoes."""

    @Request.application
    def app(request: Request) -> Response:
        for here, there in pairwise(steps):
            if request.full_path.rstrip("?") == here or request.url == here:
                return redirect(there, code=code, **options)
        return Response(
            f"{request.method} {request.url} {request.root_path} {request.get_data(as_text=True)}"
        )

    return app


def test_the_way_is_in_the_history() -> None:
    client = Client(going("/1", "/2?q=%20", "3"))
    assert client.get("/1").status_code == 302
    response = client.get("/1", follow_redirects=True)
    assert response.text == "GET http://localhost/3  "
    assert [each.request.path for each in response.history] == ["/1", "/2"]
    assert [len(each.history) for each in response.history] == [0, 1]
    assert client.get("/elsewhere", follow_redirects=True).history == ()


@pytest.mark.parametrize(
    ("location", "base", "expected"),
    [
        ("x", "http://localhost/", "http://localhost/a/x"),
        ("../x", "http://localhost/", "http://localhost/x"),
        ("?q", "http://localhost/", "http://localhost/a/b?q"),
        ("/x%2Fy#f", "http://localhost/", "http://localhost/x/y"),
        ("//localhost:81/x", "http://localhost/", "http://localhost:81/x"),
        ("https://LOCALHOST/x", "http://localhost/", "https://localhost/x"),
        ("/mount/x", "http://localhost/mount", "http://localhost/mount/x"),
        ("/mounted", "http://localhost/mount", "http://localhost/mounted"),
        ("/\xe2\x98\x83", "http://localhost/", "http://localhost/\N{SNOWMAN}"),
        ("/\N{SNOWMAN}", "http://localhost/", "http://localhost/\N{SNOWMAN}"),
    ],
)
def test_where_a_location_leads(location: str, base: str, expected: str) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/a/b" and not environ["QUERY_STRING"]:
            start_response("302 Found", [("Location", location)])
            return []
        return echo(environ, start_response)

    response = Client(app).get("/a/b", base_url=base, follow_redirects=True)
    assert response.request.url == expected


@pytest.mark.parametrize(
    ("code", "method", "then", "body"),
    [
        (301, "POST", "GET", ""),
        (302, "PUT", "GET", ""),
        (303, "POST", "GET", ""),
        (303, "HEAD", "HEAD", None),
        (307, "POST", "POST", "a=b"),
        (308, "PUT", "PUT", "a=b"),
    ],
)
def test_what_is_sent_again(code: int, method: str, then: str, body: str | None) -> None:
    seen = []

    @Request.application
    def app(request: Request) -> Response:
        read = request.get_data(as_text=True)  # also before the redirect
        seen.append((request.method, read, request.content_type, request.content_length))
        return redirect("/2", code=code) if request.path == "/1" else Response("end")

    data = None if body is None else {"a": "b"}
    Client(app).open("/1", method=method, data=data, follow_redirects=True)
    form = "application/x-www-form-urlencoded"
    if body is not None:
        assert seen[0] == (method, "a=b", form, 3)
    assert seen[1][:2] == (then, body or "")
    assert seen[1][2] == (form if body else None)


def test_a_body_is_sent_again_from_where_it_began() -> None:
    stream = io.BytesIO(b"skipped:sent")
    stream.seek(8)
    client = Client(going("/1", "/2", "/3", code=307))
    response = client.post("/1", input_stream=stream, follow_redirects=True)
    assert response.text == "POST http://localhost/3  sent"


def test_a_large_form_survives_the_redirects_and_is_closed_after_them() -> None:
    data = {"f": (io.BytesIO(b"x" * 600_000), "f.bin")}

    @Request.application
    def app(request: Request) -> Response:
        if request.path != "/3":
            request.get_data()
            return redirect(f"/{int(request.path[1:]) + 1}", code=308)
        text = f"{len(request.files['f'].read())}"
        request.close()
        return Response(text)

    with Client(app).post("/1", data=data, follow_redirects=True) as response:
        assert response.text == "600000"
        stream = response.request.environ["wsgi.input"]
        assert not stream.closed
    assert stream.closed


def test_a_body_that_cannot_be_rewound_cannot_be_sent_again() -> None:
    class Pipe:
        read = io.BytesIO(b"data").read

        def close(self) -> None:
            pass

    client = Client(going("/1", "/2", code=307))
    with pytest.raises(ClientRedirectError, match="give the body as bytes"):
        client.post("/1", input_stream=Pipe(), follow_redirects=True)


def test_circles_are_noticed() -> None:
    client = Client(going("/1", "/2", "/1"))
    with pytest.raises(ClientRedirectError, match=r"loop.*/1 -> /2 -> /1"):
        client.get("/1", follow_redirects=True)


def test_an_endless_way_ends() -> None:
    @Request.application
    def app(request: Request) -> Response:
        return redirect(f"/{len(request.path) * 'x'}")

    with pytest.raises(ClientRedirectError, match="gave up after 30"):
        Client(app).get("/", follow_redirects=True)


@pytest.mark.parametrize(
    "location", ["http://elsewhere/", "//elsewhere/", "mailto:me", "http://notlocalhost/"]
)
def test_other_hosts_are_not_asked(location: str) -> None:
    client = Client(going("/1", location), allow_subdomain_redirects=True)
    with pytest.raises(RuntimeError, match="external redirects is not supported") as caught:
        client.get("/1", follow_redirects=True)
    assert repr(location) in str(caught.value)


def test_hosts_below_are_asked_if_that_is_allowed() -> None:
    app = going("http://example.com/1", "http://a.b.example.com/2")
    with pytest.raises(RuntimeError, match="allow_subdomain_redirects=True"):
        Client(app).get("/1", "http://example.com/", follow_redirects=True)
    client = Client(app, allow_subdomain_redirects=True)
    response = client.get("/1", "http://example.com/", follow_redirects=True)
    assert response.request.host == "a.b.example.com"


def test_a_location_that_is_no_url_is_told() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("302 Found", [("Location", "http://[oops]/")])
        return []

    with pytest.raises(ClientRedirectError, match="no URL"):
        Client(app).get("/", follow_redirects=True)


def test_a_redirect_without_a_location_is_an_answer() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("302 Found", [])
        return [b"where to?"]

    assert Client(app).get("/", follow_redirects=True).text == "where to?"


def test_what_a_body_does_at_its_end_is_done_before_the_next_request() -> None:
    open_bodies: list[int] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        assert not open_bodies
        open_bodies.append(1)
        try:
            first = environ["PATH_INFO"] == "/"
            start_response("302 Found" if first else "200 OK", [("Location", "/x")])
            yield b"1"
            yield b"2"
        finally:
            open_bodies.pop()

    with Client(app).get("/", follow_redirects=True) as response:
        assert response.data == b"12"
    assert not open_bodies


def test_a_client_of_ones_own_may_stand_in_between() -> None:
    class Own(Client):
        seen: list[str] = []  # noqa: RUF012

        def open(self, *args: Any, **kwargs: Any) -> TestResponse:
            response = super().open(*args, **kwargs)
            self.seen.append(response.request.path)
            return response

        def run_wsgi_app(self, environ: Environ, buffered: bool = False) -> Any:  # noqa: FBT001, FBT002
            environ["HTTP_X_OWN"] = "1"
            return super().run_wsgi_app(environ, buffered)

    client = Own(going("/1", "/2"))
    response = client.get("/1", follow_redirects=True)
    assert client.seen == ["/2", "/2"]  # the second request, and with it the first
    assert response.request.headers["X-Own"] == "1"
