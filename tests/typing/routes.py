"""An application whose views return everything that a view may return."""

# ruff: noqa: TC001 - imported as people do it

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypedDict, assert_type

from stein import (
    Flask,
    Request,
    Response,
    Stein,
    jsonify,
    make_response,
    redirect,
    render_template,
    send_file,
    send_from_directory,
    stream_template,
    stream_with_context,
    url_for,
)
from stein.typing import Environ, StartResponse
from stein.web.typing import ResponseReturnValue
from stein.web.views import MethodView, View

app = Stein(__name__)
assert_type(Flask("other"), Stein)


class User(TypedDict):
    name: str
    age: int


@app.route("/text")
def text() -> str:
    return "text"


@app.get("/bytes")
def binary() -> bytes:
    return b"bytes"


@app.route("/dict")
def dictionary() -> dict[str, Any]:
    return {"a": 1}


@app.route("/typed")
def typed() -> User:
    return {"name": "Ada", "age": 36}


@app.route("/list")
def users() -> list[User]:
    return [{"name": "Ada", "age": 36}]


@app.route("/iterator")
def iterator() -> Iterator[str]:
    return iter(["a", "b"])


@app.route("/generator")
def generator() -> Generator[bytes, None, None]:
    yield b"a"


@app.route("/stream")
def stream() -> Iterator[str]:
    @stream_with_context
    def lines() -> Iterator[str]:
        yield "a\n"

    return lines()


@app.route("/stream-too")
def stream_too() -> Iterator[str]:
    return stream_with_context(f"{number}\n" for number in range(3))


@app.route("/response")
def response() -> Response:
    return assert_type(make_response("made", 201), Response)


@app.route("/json")
def as_json() -> Response:
    return assert_type(jsonify(name="Ada"), Response)


@app.route("/redirect")
def away() -> ResponseReturnValue:
    return redirect(url_for("text"))


@app.route("/file")
def file() -> Response:
    return assert_type(send_file(__file__, mimetype="text/plain"), Response)


@app.route("/file/<path:name>")
def file_of(name: str) -> Response:
    return send_from_directory("files", name, as_attachment=True)


@app.route("/status")
@app.route("/status/<int:code>")
def with_status(code: int = 200) -> tuple[str, int]:
    return "text", code


@app.route("/status-name")
def with_status_name() -> tuple[str, HTTPStatus]:
    return "gone", HTTPStatus.GONE


@app.route("/fields")
def with_fields() -> tuple[str, dict[str, str]]:
    return "text", {"X-One": "1"}


@app.route("/pairs")
def with_pairs() -> tuple[bytes, int, list[tuple[str, str]]]:
    return b"text", 200, [("X-One", "1"), ("X-One", "2")]


@app.route("/all-three")
def with_both() -> tuple[dict[str, str], int, dict[str, list[str]]]:
    return {"a": "b"}, 201, {"X-Many": ["1", "2"]}


@app.route("/response-and-status")
def response_with_status() -> tuple[Response, int]:
    return jsonify(1), 201


@app.route("/either/<name>")
def either(name: str) -> str | tuple[str, int] | Response:
    if name == "a":
        return "a"
    if name == "b":
        return "b", 404
    return Response("c", mimetype="text/plain")


@app.route("/wsgi")
def wsgi() -> ResponseReturnValue:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"wsgi"]

    return application


@app.route("/template")
def template() -> str:
    return assert_type(render_template("page.html", name="Ada"), str)


@app.route("/templates")
def templates() -> str:
    return render_template(["first.html", "second.html"])


@app.route("/streamed-template")
def streamed_template() -> Iterator[str]:
    return assert_type(stream_template("page.html"), Iterator[str])


@app.route("/async")
async def asynchronous() -> str:
    return "async"


@app.post("/async/<int:number>")
async def asynchronous_tuple(number: int) -> tuple[dict[str, int], int]:
    return {"number": number}, 201


@app.put("/put")
@app.patch("/patch")
@app.delete("/delete")
def changes() -> ResponseReturnValue:
    return "", 204


class Page(View):
    methods = ["GET", "POST"]  # noqa: RUF012 - as people write it
    init_every_request = False

    def __init__(self, title: str) -> None:
        self.title = title

    def dispatch_request(self, number: int = 1) -> ResponseReturnValue:
        return f"{self.title} {number}"


class Things(MethodView):
    def get(self, name: str | None = None) -> str | list[str]:
        return ["a"] if name is None else name

    def post(self) -> tuple[dict[str, str], int]:
        return {"made": "a"}, 201

    async def delete(self, name: str) -> str:
        return name


app.add_url_rule("/page/<int:number>", view_func=Page.as_view("page", title="Page"))
app.add_url_rule("/things", view_func=Things.as_view("things"), defaults={"name": None})
app.add_url_rule("/things/<name>", endpoint="thing", view_func=Things.as_view("thing"))
app.add_url_rule("/plain", "plain", lambda: "plain")

# A view keeps its own type behind the decorator.
assert_type(text(), str)
assert_type(with_status(3), tuple[str, int])
assert_type(app.make_response("x"), Response)


class OwnRequest(Request):
    def user(self) -> str:
        return self.headers.get("X-User", "nobody")


class OwnResponse(Response):
    default_mimetype = "text/plain"


class Shop(Stein):
    request_class = OwnRequest
    response_class = OwnResponse

    def make_response(self, rv: ResponseReturnValue) -> Response:
        return super().make_response(rv)


async def numbers() -> AsyncIterator[str]:
    yield "1"


@app.route("/streamed")
async def streamed() -> AsyncIterator[str]:
    yield "1"


@app.route("/collected")
async def collected() -> str:
    return "".join([number async for number in numbers()])
