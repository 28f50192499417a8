from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.response import Response as ToolkitResponse
from stein.tracebacks import render
from stein.web.app import Stein
from stein.web.response import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from stein.typing import Environ, StartResponse


@pytest.fixture
def app() -> Stein:
    return Stein("answers", root_path=".")


def answer(app: Stein, value: Any) -> Response:
    with app.test_request_context("/"):
        return app.make_response(value)


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("201 CREATED", [("X-From", "wsgi")])
    return [b"from ", environ["PATH_INFO"].encode()]


def generate() -> Iterator[str]:
    yield "a"
    yield "b"


class OldResponse(ToolkitResponse):
    pass


@pytest.mark.parametrize(
    ("value", "status", "mimetype", "body"),
    [
        ("text", 200, "text/html", b"text"),
        (b"bytes", 200, "text/html", b"bytes"),
        (bytearray(b"array"), 200, "text/html", b"array"),
        ({"a": 1}, 200, "application/json", b'{"a":1}\n'),
        ([1, 2], 200, "application/json", b"[1,2]\n"),
        (generate(), 200, "text/html", b"ab"),
        (iter([b"x", b"y"]), 200, "text/html", b"xy"),
        (Response("own", 202), 202, "text/html", b"own"),
        (OldResponse("other", 203, mimetype="text/x"), 203, "text/x", b"other"),
        (wsgi, 201, "text/plain", b"from /"),
        (("text", 404), 404, "text/html", b"text"),
        (("text", "404 Nope"), 404, "text/html", b"text"),
        (({"a": 1}, 201), 201, "application/json", b'{"a":1}\n'),
        (([], 201, {}), 201, "application/json", b"[]\n"),
        ((Response("own"), 418), 418, "text/html", b"own"),
        (("text", {"Content-Type": "text/x"}), 200, "text/x", b"text"),
        (("text", [("Content-Type", "text/x")]), 200, "text/x", b"text"),
        (("text", 201, Headers({"Content-Type": "text/x"})), 201, "text/x", b"text"),
    ],
)
def test_views_may_return(app: Stein, value: Any, status: int, mimetype: str, body: bytes) -> None:
    response = answer(app, value)
    assert type(response) is Response
    assert (response.status_code, response.mimetype, response.get_data()) == (
        status,
        mimetype,
        body,
    )


def test_fields_in_a_tuple_replace_those_of_the_response(app: Stein) -> None:
    own = Response("x", headers={"X-A": "1", "X-B": "1"})
    response = answer(app, (own, {"X-A": ["2", "3"]}))
    assert response is own
    assert response.headers.getlist("X-A") == ["2", "3"]
    assert response.headers["X-B"] == "1"


def test_a_status_keeps_its_phrase(app: Stein) -> None:
    assert answer(app, ("x", "299 Half done")).status == "299 Half done"
    assert answer(app, (Response(), "299 Half done")).status == "299 Half done"


def test_a_generator_is_sent_as_it_comes(app: Stein) -> None:
    response = answer(app, generate())
    assert response.is_streamed
    assert "Content-Length" not in response.headers


def test_an_asynchronous_generator_is_sent_as_it_comes(app: Stein) -> None:
    ended = []

    async def generate() -> AsyncIterator[str]:
        try:
            for piece in "abc":
                await asyncio.sleep(0)
                yield piece
        finally:
            ended.append(True)

    app.add_url_rule("/", view_func=lambda: (generate(), 201), endpoint="index")
    response = app.test_client().get("/")
    assert (response.status_code, response.text, ended) == (201, "abc", [True])
    unread = answer(app, generate())
    assert next(unread.iter_encoded()) == b"a"
    unread.close()
    assert ended == [True, True]


def test_the_class_is_the_applications_choice(app: Stein) -> None:
    class Mine(Response):
        default_mimetype = "text/plain"

    app.response_class = Mine
    for value in ("x", {"a": 1}, Response("x"), wsgi, generate()):
        assert type(answer(app, value)) is Mine
    assert answer(app, "x").mimetype == "text/plain"


def test_an_iterator_that_is_callable_is_an_iterator(app: Stein) -> None:
    class Both:
        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            raise StopIteration

        def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            raise AssertionError("it is no application")

    assert answer(app, Both()).get_data() == b""


class TestMistakes:
    @pytest.fixture
    def client(self, app: Stein) -> Any:
        app.testing = True
        circle: list[Any] = []
        circle.append(circle)

        @app.route("/<what>")
        def forgetful(what: str) -> Any:
            return {
                "none": None,
                "number": 7,
                "one": ("x",),
                "four": ("x", 200, {}, 1),
                "inner": (None, 200),
                "class": set(),
                "broken": lambda: None,
                "json": {"x": {1, 2}},
                "keys": {1: "a", "b": 2},
                "circle": circle,
            }[what]

        return app.test_client()

    @pytest.mark.parametrize("what", ["none", "inner"])
    def test_nothing_at_all_names_the_function_and_its_place(self, client: Any, what: str) -> None:
        with pytest.raises(TypeError) as caught:
            client.get(f"/{what}")
        text = str(caught.value)
        assert "'forgetful' did not return a valid response" in text
        assert "returned None or ended without a return statement" in text
        assert "test_respond.py:" in text

    @pytest.mark.parametrize("what", ["number", "class"])
    def test_something_odd_names_its_type(self, client: Any, what: str) -> None:
        with pytest.raises(TypeError, match=r"but it was a (int|set)\.") as caught:
            client.get(f"/{what}")
        assert "test_respond.py:" in str(caught.value)

    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize("what", ["json", "keys", "circle"])
    def test_what_json_cannot_hold_names_the_function(
        self, app: Stein, client: Any, what: str, *, debug: bool
    ) -> None:
        app.debug = debug
        with pytest.raises((TypeError, ValueError)) as caught:
            client.get(f"/{what}")
        error = caught.value
        assert {
            "json": "Object of type set is not JSON serializable; give app.json.default",
            "keys": "'<' not supported between instances of 'str' and 'int'. The view",
            "circle": "Circular reference detected. The view",
        }[what] in str(error)
        assert re.search(r"\. The view is .*forgetful\(\) \(.*test_respond\.py:\d+\)", str(error))
        assert "/json/" not in render(error)

    def test_a_function_for_json_that_fails_is_shown(self, app: Stein, client: Any) -> None:
        def default(value: object) -> object:
            raise TypeError(f"a {type(value).__name__} came")

        app.json.default = default  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match=r"a set came\. The view is") as caught:
            client.get("/json")
        assert "in default" in render(caught.value)

    @pytest.mark.parametrize(("what", "size"), [("one", 1), ("four", 4)])
    def test_a_tuple_of_another_size(self, client: Any, what: str, size: int) -> None:
        with pytest.raises(TypeError, match=f"valid response tuple.*has {size} items"):
            client.get(f"/{what}")

    def test_a_callable_that_is_no_application_keeps_its_own_error(self, client: Any) -> None:
        with pytest.raises(TypeError, match="takes 0 positional arguments but 2 were given"):
            client.get("/broken")
