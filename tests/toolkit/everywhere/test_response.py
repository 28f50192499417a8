"""What a response sends, on every road from an application to a client."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stein.toolkit.client.client import ClientRedirectError
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.redirects import append_slash_redirect, redirect
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from stein.toolkit.wsgi import ClosingIterator, responder
from tests.toolkit.everywhere.views import answers
from tests.toolkit.roads import Road, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.typing import WSGIApplication
    from tests.toolkit.roads import Send

PATIENCE = 10.0  # seconds until a test fails that waits for something


def sent(send: Send, response: Response, method: str = "GET", **options: Any) -> Any:
    return outcome(send(response, method, **options))


# -- status, fields, body -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (None, b""),
        ("", b""),
        ("gr\xfc\xdfe", "gr\xfc\xdfe".encode()),
        (b"\0\xff", b"\0\xff"),
        (["a", "\N{SNOWMAN}", ""], "a\N{SNOWMAN}".encode()),
        ((b"a", b"b"), b"ab"),
        ([], b""),
        ("x" * 1_000_000, b"x" * 1_000_000),
    ],
)
def test_bodies_whose_length_is_known(send: Send, body: Any, data: bytes) -> None:
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(data)))]
    assert sent(send, Response(body)) == ("200 OK", fields, data)
    assert sent(send, Response(body), "HEAD") == ("200 OK", fields, b"")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, "200 OK"),
        (201, "201 CREATED"),
        (404, "404 NOT FOUND"),
        (418, "418 I'M A TEAPOT"),
        (599, "599 UNKNOWN"),
        ("404 Gone Fishing", "404 Gone Fishing"),
        ("500", "500 INTERNAL SERVER ERROR"),
    ],
)
def test_the_status(send: Send, status: int | str, line: str) -> None:
    assert sent(send, Response("x", status))[0] == line


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("body", ["", "must not be sent", ["a", "b"], None])
def test_a_status_without_a_body(send: Send, status: int, method: str, body: Any) -> None:
    made = body if body is not None else iter(["a", "b"])
    _, fields, data = sent(send, Response(made, status, {"X-A": "b"}), method)
    assert data == b""
    assert "Content-Length" not in dict(fields)
    assert dict(fields)["X-A"] == "b"


def test_not_modified_keeps_what_a_cache_needs(send: Send) -> None:
    headers = [
        ("ETag", '"a"'), ("Cache-Control", "max-age=3"), ("Vary", "Accept"), ("Expires", "0"),
        ("Content-Location", "/b"), ("Content-Language", "de"), ("Content-Type", "a/b"),
    ]  # fmt: skip
    response = Response(status=304, headers=headers)
    response.set_cookie("c", "d")
    names = {name for name, _ in sent(send, response)[1]}
    assert names == {"ETag", "Cache-Control", "Vary", "Expires", "Content-Location", "Set-Cookie"}


def test_fields(send: Send) -> None:
    headers = Headers([("X-A", "1"), ("X-A", "2"), ("x-latin", "gr\xfc\xdfe"), ("X-Empty", "")])
    response = Response("x", headers=headers, content_type="application/json")
    assert sent(send, response)[1] == [
        ("X-A", "1"), ("X-A", "2"), ("x-latin", "gr\xfc\xdfe"), ("X-Empty", ""),
        ("Content-Type", "application/json"), ("Content-Length", "1"),
    ]  # fmt: skip


def test_fields_by_attributes(send: Send) -> None:
    response = Response("x", mimetype="text/html")
    response.cache_control.max_age = 60
    response.cache_control.public = True
    response.vary.add("Cookie")
    response.vary.add("Accept")
    response.last_modified = datetime(2026, 11, 21, 14, tzinfo=UTC)
    response.set_etag("tag", weak=True)
    response.content_language.update(["de", "en"])
    response.retry_after = 120
    response.age = timedelta(seconds=5)
    response.allow.update(["GET", "PUT"])
    response.content_security_policy.default_src = "'self'"
    response.access_control_allow_origin = "*"
    assert dict(sent(send, response)[1]) == {
        "Content-Type": "text/html; charset=utf-8", "Content-Length": "1",
        "Cache-Control": "max-age=60, public", "Vary": "Cookie, Accept",
        "Last-Modified": "Sat, 21 Nov 2026 14:00:00 GMT", "ETag": 'W/"tag"',
        "Content-Language": "de, en", "Retry-After": "120", "Age": "5", "Allow": "GET, PUT",
        "Content-Security-Policy": "default-src 'self'", "Access-Control-Allow-Origin": "*",
    }  # fmt: skip


def test_locations_become_ascii(send: Send) -> None:
    headers = {"Location": "/\N{SNOWMAN} x?\xfc=%C3%BC", "Content-Location": "/\xfc"}
    fields = dict(sent(send, Response(status=201, headers=headers))[1])
    assert fields["Location"] == "/%E2%98%83%20x?%C3%BC=%C3%BC"
    assert fields["Content-Location"] == "/%C3%BC"


def test_locations_that_become_absolute(send: Send) -> None:
    class Own(Response):
        autocorrect_location_header = True

    response = Own(status=201, headers={"Location": "x?y"})
    answer = send(response, "GET", "/a/b?c=d", base_url="http://example.com:8000/")
    assert answer.location == "http://example.com:8000/a/x?y"


def test_a_body_written_as_a_file(send: Send) -> None:
    response = Response("zero ")
    response.stream.write(b"one ")
    response.stream.writelines([b"two ", b"three"])
    fields = dict(sent(send, response)[1])
    assert fields["Content-Length"] == "18"
    assert sent(send, response)[2] == b"zero one two three"


def test_options(send: Send) -> None:
    def view(request: Request) -> Response:
        response = Response(status=204)
        if request.method == "OPTIONS":
            response.allow.update(["GET", "OPTIONS"])
            response.access_control_allow_methods = ["GET"]
            response.access_control_max_age = 5
        return response

    status, fields, body = outcome(send(answers(view), "OPTIONS", "/"))
    assert (status, body) == ("204 NO CONTENT", b"")
    assert dict(fields)["Allow"] == "GET, OPTIONS"
    assert dict(fields)["Access-Control-Max-Age"] == "5"


# -- cookies --------------------------------------------------------------------------------------


def test_all_attributes_of_a_cookie(send: Send) -> None:
    response = Response()
    response.set_cookie(
        "a", "b c;\xfc", max_age=timedelta(hours=1), expires=datetime(2030, 1, 1, tzinfo=UTC),
        path="/p q", domain=".example.com", secure=True, httponly=True, samesite="none",
        partitioned=True,
    )  # fmt: skip
    response.set_cookie("plain", "1")
    response.set_cookie("bare", "", path=None)
    response.delete_cookie("old", path="/x", domain="example.com")
    fields = [value for name, value in sent(send, response)[1] if name == "Set-Cookie"]
    assert fields == [
        (
            r'a="b c\073\303\274"; Domain=example.com; Expires=Tue, 01 Jan 2030 00:00:00 GMT;'
            " Max-Age=3600; Secure; HttpOnly; Path=/p%20q; SameSite=None; Partitioned"
        ),
        "plain=1; Path=/",
        "bare=",
        "old=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/x",
    ]


def test_cookies_go_to_the_client_and_back(road: Road) -> None:
    @Request.application
    def app(request: Request) -> Response:
        response = Response(repr(sorted(request.cookies.items(multi=True))))
        for name, value in request.args.items(multi=True):
            if value:
                response.set_cookie(name, value, path=request.path)
            else:
                response.delete_cookie(name, path=request.path)
        return response

    client = road.client(app)
    strange = 'x"y;z,\\ \xfc\N{SNOWMAN}\t'
    assert client.get("/", query_string={"a": "1", "b": strange}).text == "[]"
    assert client.get("/").text == repr([("a", "1"), ("b", strange)])
    assert client.get("/below?c=3&a=2").text == repr([("a", "1"), ("b", strange)])
    assert client.get("/below").text == repr([("a", "1"), ("a", "2"), ("b", strange), ("c", "3")])
    client.get("/?a=")
    assert client.get("/").text == repr([("b", strange)])
    client.delete_cookie("b")
    assert client.get("/").text == "[]"


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.text(max_size=30), max_size=4))
def test_a_cookie_may_have_any_text(values: list[str]) -> None:
    @Request.application
    def app(request: Request) -> Response:
        response = Response(repr(request.cookies.to_dict()))
        for number, value in enumerate(values):
            response.set_cookie(f"c{number}", value)
        return response

    cookies = {f"c{number}": value for number, value in enumerate(values)}
    for name in ("environ", "server"):
        client = Road(name).client(app)
        assert client.get("/").text == "{}"
        assert client.get("/").text == repr(cookies)


# -- streams --------------------------------------------------------------------------------------


class Counted:
    """A body that tells how often it was closed.

    :param most: how many pieces there are; None for no end.
    """

    def __init__(self, piece: Any, most: int | None = None) -> None:
        self._piece, self._most = piece, most
        self.given = 0
        self.closed = 0
        self.over = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self.given == self._most:
            raise StopIteration
        self.given += 1
        return self._piece

    def close(self) -> None:
        self.closed += 1
        self.over.set()

    @property
    def closed_once(self) -> bool:
        """Whether it was closed, for which a server on a socket needs a while, and only once."""
        return self.over.wait(PATIENCE) and self.closed == 1


@pytest.mark.parametrize("piece", [b"bytes", "t\xe4xt", b"x" * 100_000])
def test_a_stream(send: Send, piece: bytes | str) -> None:
    body = Counted(piece, 7)
    data = piece.encode() if isinstance(piece, str) else piece
    assert sent(send, Response(body)) == (
        "200 OK", [("Content-Type", "text/plain; charset=utf-8")], data * 7
    )  # fmt: skip
    assert body.closed_once


def test_a_generator(send: Send) -> None:
    ended = threading.Event()

    def pieces() -> Iterator[str]:
        try:
            for number in range(5):
                yield f"{number},"
        finally:
            ended.set()

    assert sent(send, Response(pieces(), mimetype="text/csv"))[2] == b"0,1,2,3,4,"
    assert ended.wait(PATIENCE)


def test_a_stream_of_known_length(send: Send) -> None:
    body = Counted(b"12345", 3)
    response = Response(body, headers={"Content-Length": "15"})
    _, fields, data = sent(send, response)
    assert data == b"12345" * 3
    assert dict(fields)["Content-Length"] == "15"
    assert body.closed_once


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_stream_that_nobody_wants_is_closed_unread(send: Send, method: str, status: int) -> None:
    body = Counted(b"piece")
    assert sent(send, Response(body, status), method)[2] == b""
    assert body.closed_once
    assert body.given == 0


def test_a_stream_is_closed_once_when_the_client_stops_early(road: Road) -> None:
    body = Counted(b"x" * 50_000)
    client = road.client(Response(body))
    response = client.get("/")
    assert next(iter(response.response))
    response.close()
    assert body.closed_once


def test_a_stream_is_closed_once_when_it_fails(road: Road) -> None:
    class Failing(Counted):
        def __next__(self) -> Any:
            if self.given == 1:
                raise ZeroDivisionError("in the middle")
            return super().__next__()

    body = Failing(b"piece")
    with (
        pytest.raises((ZeroDivisionError, ConnectionError)),
        road.send(Response(body), "GET") as response,
    ):
        response.get_data()
    assert body.closed_once


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_to_be_called_on_close(send: Send, method: str, *, passed: bool) -> None:
    called: list[str] = []
    ended = threading.Event()
    body = Counted(b"piece", 2)
    response = Response(body, direct_passthrough=passed)
    response.call_on_close(lambda: called.append(f"one, closed {body.closed}"))

    @response.call_on_close
    def two() -> None:
        called.append("two")
        ended.set()

    data = sent(send, response, method)[2]
    assert data == (b"piecepiece" if method == "GET" else b"")
    assert ended.wait(PATIENCE)
    assert called == ["one, closed 1", "two"]
    assert body.closed_once


def test_a_list_with_something_to_be_called_on_close(send: Send) -> None:
    ended = threading.Event()
    response = Response("text")
    response.call_on_close(ended.set)
    assert sent(send, response)[2] == b"text"
    assert ended.wait(PATIENCE)


def test_closing_iterators(send: Send) -> None:
    called: list[str] = []
    ended = threading.Event()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        first, second = (lambda: called.append("first")), (lambda: called.append("second"))
        return ClosingIterator([b"a", b"b"], [first, second, ended.set])

    assert outcome(send(app, "GET"))[2] == b"ab"
    assert ended.wait(PATIENCE)
    assert called == ["first", "second"]


def test_a_response_is_made_in_a_context(send: Send) -> None:
    @Request.application
    def app(request: Request) -> Response:
        with Response(iter(["a", "b"])) as response:
            response.make_sequence()
            return Response(response.get_data() + b"!")

    assert outcome(send(app, "GET"))[2] == b"ab!"


# -- out of other applications --------------------------------------------------------------------


@responder
def plain(environ: Any, start_response: Any) -> WSGIApplication:
    return Response(f"path {environ['PATH_INFO']}", 201, {"X-A": "b"})


def test_a_responder(send: Send) -> None:
    assert outcome(send(plain, "GET", "/x"))[::2] == ("201 CREATED", b"path /x")


@pytest.mark.parametrize("buffered", [True, False])
def test_a_response_from_an_application(send: Send, *, buffered: bool) -> None:
    body = Counted(b"piece", 3)

    def inner(environ: Any, start_response: Any) -> Any:
        start_response("203 Fine", [("X-In", environ["PATH_INFO"])])
        return body

    def view(request: Request) -> Response:
        response = Response.from_app(inner, request.environ, buffered=buffered)
        response.headers["X-Out"] = "yes"
        return response

    status, fields, data = outcome(send(answers(view), "GET", "/p"))
    assert (status, data) == ("203 Fine", b"piece" * 3)
    assert {("X-In", "/p"), ("X-Out", "yes")} <= set(fields)
    assert body.closed_once


def test_a_response_of_another_class(send: Send) -> None:
    class Own(Response):
        def get_wsgi_headers(self, environ: Any) -> Headers:
            headers = super().get_wsgi_headers(environ)
            headers["X-Own"] = environ["REQUEST_METHOD"]
            return headers

    for other in (plain, Response("text")):
        app = answers(partial(forced, Own, other))
        assert dict(outcome(send(app, "PUT"))[1])["X-Own"] == "PUT"


def forced(kind: type[Response], other: WSGIApplication, request: Request) -> Response:
    return kind.force_type(other, request.environ)


# -- conditions and parts -------------------------------------------------------------------------

CONTENT = b"0123456789" * 10
CHANGED = datetime(2026, 11, 21, 14, tzinfo=UTC)
AT = "Sat, 21 Nov 2026 14:00:00 GMT"
BEFORE = "Sat, 21 Nov 2026 13:59:59 GMT"

CONDITIONS: list[tuple[dict[str, str], int, bytes, str | None]] = [
    ({}, 200, CONTENT, None),
    ({"If-None-Match": '"tag"'}, 304, b"", None),
    ({"If-None-Match": 'W/"tag", "x"'}, 304, b"", None),
    ({"If-None-Match": "*"}, 304, b"", None),
    ({"If-None-Match": '"other"'}, 200, CONTENT, None),
    ({"If-Modified-Since": AT}, 304, b"", None),
    ({"If-Modified-Since": BEFORE}, 200, CONTENT, None),
    ({"If-Modified-Since": "nonsense"}, 200, CONTENT, None),
    ({"If-None-Match": '"other"', "If-Modified-Since": AT}, 200, CONTENT, None),
    ({"If-Match": '"other"'}, 412, CONTENT, None),
    ({"If-Match": '"tag"'}, 200, CONTENT, None),
    ({"Range": "bytes=0-0"}, 206, b"0", "bytes 0-0/100"),
    ({"Range": "bytes=95-"}, 206, b"56789", "bytes 95-99/100"),
    ({"Range": "bytes=-3"}, 206, b"789", "bytes 97-99/100"),
    ({"Range": "bytes=90-1000"}, 206, b"0123456789", "bytes 90-99/100"),
    ({"Range": "bytes=100-"}, 416, b"", "bytes */100"),
    ({"Range": "bytes=1-2,4-5"}, 416, b"", "bytes */100"),
    ({"Range": "bytes=5-2"}, 416, b"", "bytes */100"),
    ({"Range": "bytes=1-2", "If-Range": '"tag"'}, 206, b"12", "bytes 1-2/100"),
    ({"Range": "bytes=1-2", "If-Range": '"other"'}, 200, CONTENT, None),
    ({"Range": "bytes=1-2", "If-Range": AT}, 206, b"12", "bytes 1-2/100"),
    ({"Range": "bytes=1-2", "If-Range": BEFORE}, 200, CONTENT, None),
]


@pytest.mark.parametrize(("fields", "status", "data", "part"), CONDITIONS)
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(  # noqa: PLR0917 - a fixture, and the columns of the table
    send: Send, fields: dict[str, str], status: int, data: bytes, part: str | None, method: str,
    *, streamed: bool,
) -> None:  # fmt: skip
    body = Counted(CONTENT[:10], 10)

    def view(request: Request) -> Response:
        response = Response(body if streamed else CONTENT)
        response.set_etag("tag")
        response.last_modified = CHANGED
        return response.make_conditional(request, accept_ranges=True, complete_length=100)

    with send(answers(view), method, headers=fields) as answer:
        assert answer.status_code == status
        assert answer.headers.get("Content-Range") == part
        if status == 416:  # an error, which is raised before there is a body
            return
        assert answer.headers["ETag"] == '"tag"'
        assert answer.headers.get("Content-Length") == (str(len(data)) if status != 304 else None)
        assert answer.get_data() == (data if method == "GET" else b"")
    assert not streamed or body.closed_once


def test_conditions_of_other_methods(send: Send) -> None:
    def view(request: Request) -> Response:
        response = Response(CONTENT)
        response.add_etag()
        return response.make_conditional(request, accept_ranges=True, complete_length=100)

    for fields in ({"If-None-Match": "*"}, {"Range": "bytes=1-2"}):
        answer = outcome(send(answers(view), "POST", headers=fields))
        assert (answer[0], answer[2]) == ("200 OK", CONTENT)


# -- elsewhere ------------------------------------------------------------------------------------


@Request.application
def winding(request: Request) -> Response:
    way: dict[str, Callable[[], Response]] = {
        "/one": lambda: redirect("/two?x=\N{SNOWMAN}", 301),
        "/two": lambda: redirect("three", 307),
        "/three": lambda: redirect("http://localhost/four#part", 308),
        "/form": lambda: redirect("/four", 303),
        "/circle": lambda: redirect("circle"),
        "/away": lambda: redirect("http://elsewhere.example/"),
        "/slash": lambda: append_slash_redirect(request.environ),
        "/a\N{SNOWMAN}:b": lambda: append_slash_redirect(request.environ),
    }
    if request.path in way:
        return way[request.path]()
    return Response(f"{request.method} {request.full_path} {request.get_data(as_text=True)}")


def test_redirects_are_followed(road: Road) -> None:
    client = road.client(winding)
    with client.get("/one", follow_redirects=True) as response:
        assert response.text == "GET /four? "
        assert [(each.status_code, each.location) for each in response.history] == [
            (301, "/two?x=%E2%98%83"), (307, "three"), (308, "http://localhost/four#part"),
        ]  # fmt: skip
        assert response.history[1].request.args["x"] == "\N{SNOWMAN}"
        assert response.request.path == "/four"


def test_redirects_with_a_body(road: Road) -> None:
    client = road.client(winding)
    for body in (b"body", b"x" * 200_000):
        with client.post("/two", data=body, follow_redirects=True) as response:
            assert response.text == f"POST /four? {body.decode()}"
            assert [each.status_code for each in response.history] == [307, 308]
        with client.post("/form", data=body, follow_redirects=True) as response:
            assert response.text == "GET /four? "
            assert [each.status_code for each in response.history] == [303]


def test_redirects_that_lead_nowhere(road: Road) -> None:
    client = road.client(winding)
    with pytest.raises(ClientRedirectError, match="loop"):
        client.get("/circle", follow_redirects=True)
    with pytest.raises(RuntimeError, match="external redirects"):
        client.get("/away", follow_redirects=True)


@pytest.mark.parametrize("code", [301, 302, 303, 305, 307, 308])
def test_a_redirect_shows_where_it_leads(send: Send, code: int) -> None:
    response = send(redirect('/<script>"&\N{SNOWMAN}', code), "GET")
    assert response.status_code == code
    assert response.location == "/%3Cscript%3E%22&%E2%98%83"
    assert "<script>" not in response.text
    assert "&lt;script&gt;" in response.text


def test_a_slash_is_appended(road: Road) -> None:
    client = road.client(winding)
    with client.post("/slash?a=%20b", data=b"body", follow_redirects=True) as response:
        assert response.text == "POST /slash/?a=%20b body"
        assert [(each.status_code, each.location) for each in response.history] == [
            (308, "slash/?a=%20b")
        ]
    with client.get("/a\N{SNOWMAN}:b", follow_redirects=True) as response:
        assert response.text == "GET /a\N{SNOWMAN}:b/? "
