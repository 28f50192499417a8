"""Responses made while they are sent, by generators that see their request."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.client import run_wsgi_app
from stein.web.app import Stein
from stein.web.context import has_app_context, has_request_context
from stein.web.globals import context_var, current_app, g, request, session
from stein.web.shortcuts import abort
from stein.web.signals import appcontext_pushed
from stein.web.streaming import stream_with_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
def app() -> Stein:
    app = Stein(__name__)
    app.config["SECRET_KEY"] = b"of these tests"
    app.testing = True
    return app


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    assert context_var.get(None) is None


@pytest.fixture
def torn_down(app: Stein) -> list[Any]:
    """What the teardown functions were given, each time they ran."""
    seen: list[Any] = []
    app.teardown_request(lambda error: seen.append(("request", error)))
    app.teardown_appcontext(lambda error: seen.append(("app", error)))
    return seen


def name() -> Iterator[str]:
    yield "Hello "
    yield request.args["name"]


def start(app: Stein, path: str = "/?name=anna") -> Any:
    """Call the application as a server does; the body, of which one piece was made."""
    environ = app.test_request_context(path).request.environ
    return run_wsgi_app(app, environ)[0]


class TestUse:
    def test_around_a_generator(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            return stream_with_context(name())

        assert app.test_client().get("/?name=anna").text == "Hello anna"

    def test_as_a_decorator(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate(greeting: str, *, mark: str) -> Iterator[str]:
                """Greet."""
                yield greeting
                yield request.args["name"] + mark

            assert (generate.__name__, generate.__doc__) == ("generate", "Greet.")
            return generate("Hello ", mark="!")

        assert app.test_client().get("/?name=anna").text == "Hello anna!"

    def test_in_an_async_view(self, app: Stein) -> None:
        @app.get("/")
        async def index() -> Iterator[str]:
            await asyncio.sleep(0)
            g.greeting = "Hello "

            @stream_with_context
            def generate() -> Iterator[str]:
                yield g.greeting
                yield request.args["name"]

            return generate()

        assert app.test_client().get("/?name=anna").text == "Hello anna"

    def test_around_an_async_generator(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            async def generate() -> AsyncIterator[str]:
                yield "Hello "
                await asyncio.sleep(0)
                yield request.args["name"]

            return generate()

        assert app.test_client().get("/?name=anna").text == "Hello anna"

    def test_session_and_g_are_those_of_the_view(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            session["user"] = "anna"
            g.mark = "!"

            @stream_with_context
            def generate() -> Iterator[str]:
                yield session["user"]
                yield g.mark
                yield current_app.name

            return generate()

        assert app.test_client().get("/").text == f"anna!{app.name}"

    def test_g_of_an_application_context_inside_of_the_view(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            g.place = "outside"
            with app.app_context():
                g.place = "inside"

                @stream_with_context
                def generate() -> Iterator[str]:
                    yield request.path
                    yield g.place

                return generate()

        assert app.test_client().get("/").text == "/inside"

    def test_g_of_an_application_context_around_the_request(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                yield g.place

            return generate()

        with app.app_context():
            g.place = "around"
            assert app.test_client().get("/").text == "around"
            body = start(app)
            assert torn_down == [("request", None)]
        assert b"".join(body) == b"around"
        assert torn_down == [("request", None), ("request", None), ("app", None)]

    @pytest.mark.parametrize("context", ["none", "app"])
    def test_outside_of_a_request_the_error_says_what_to_do(self, app: Stein, context: str) -> None:
        with app.app_context() if context == "app" else contextlib.nullcontext():
            with pytest.raises(RuntimeError, match=r"can only be used when a request context") as e:
                stream_with_context(name())
            assert "test_request_context()" in str(e.value)

            @stream_with_context
            def generate() -> Iterator[str]:
                yield ""

            with pytest.raises(RuntimeError, match="can only be used when a request context"):
                generate()

    def test_what_is_neither_iterable_nor_a_function_is_refused(self) -> None:
        with pytest.raises(TypeError, match="42 cannot be streamed: give a generator"):
            stream_with_context(42)  # type: ignore[call-overload]


class TestThread:
    def test_between_two_pieces_there_is_no_context(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            return stream_with_context(name())

        body = start(app)
        assert not has_app_context()
        assert b"".join(body) == b"Hello anna"
        assert not has_app_context()

    def test_a_stream_that_is_given_up_leaves_nothing_in_the_thread(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        said = []

        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                try:
                    yield "first"
                    yield "second"
                finally:
                    said.append(request.path)

            return generate()

        body = start(app)
        assert next(iter(body)) == b"first"
        assert not has_app_context()
        assert torn_down == []
        del body  # never closed
        assert said == ["/"]
        assert [(what, type(error)) for what, error in torn_down] == [
            ("request", GeneratorExit), ("app", GeneratorExit),
        ]  # fmt: skip

    def test_each_piece_may_be_made_in_another_thread(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            return stream_with_context(name())

        body = iter(start(app))
        pieces = []

        def step() -> None:
            for piece in body:
                pieces.append((piece, has_app_context()))
                return

        for _ in range(3):
            thread = threading.Thread(target=step)
            thread.start()
            thread.join()
        assert pieces == [(b"Hello ", False), (b"anna", False)]
        assert len(torn_down) == 2

    def test_two_streams_step_by_step_see_their_own_requests(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                for letter in request.args["name"]:
                    yield request.args["name"][0] + letter

            return generate()

        one, two = start(app, "/?name=anna"), start(app, "/?name=otto")
        assert list(zip(one, two, strict=True)) == [
            (b"aa", b"oo"), (b"an", b"ot"), (b"an", b"ot"), (b"aa", b"oo"),
        ]  # fmt: skip


class TestTeardown:
    def test_it_runs_once_when_the_stream_has_ended(self, app: Stein, torn_down: list[Any]) -> None:
        during = []

        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                yield "first"
                during.extend(torn_down)
                yield "second"

            return generate()

        assert app.test_client().get("/").text == "firstsecond"
        assert during == []
        assert torn_down == [("request", None), ("app", None)]

    def test_what_the_view_has_opened_stays_open_for_the_generator(self, app: Stein) -> None:
        class Database:
            is_open = True

        @app.before_request
        def connect() -> None:
            g.database = Database()

        @app.teardown_appcontext
        def disconnect(_: BaseException | None) -> None:
            g.pop("database").is_open = False

        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                yield str(g.database.is_open)

            return generate()

        assert app.test_client().get("/").text == "True"

    def test_it_is_given_the_error_that_ended_the_stream(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        error = LookupError("no tank")

        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                yield "first"
                raise error

            return generate()

        body = start(app)
        with pytest.raises(LookupError, match="no tank"):
            b"".join(body)
        assert torn_down == [("request", error), ("app", error)]

    def test_it_is_given_an_error_of_closing(self, app: Stein, torn_down: list[Any]) -> None:
        error = LookupError("no tank")

        @app.get("/")
        def index() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                try:
                    yield "first"
                finally:
                    raise error

            return generate()

        body = start(app)
        with pytest.raises(LookupError, match="no tank"):
            body.close()
        assert torn_down == [("request", error), ("app", error)]
        body.close()
        assert len(torn_down) == 2

    def test_a_stream_that_was_never_begun_holds_nothing(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        @app.route("/", methods=["HEAD"])
        def index() -> Any:
            return app.response_class(stream_with_context(name()))

        app.test_client().head("/")
        assert torn_down == [("request", None), ("app", None)]

    def test_one_that_the_view_threw_away_does_not_tear_down_early(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        @app.get("/")
        def index() -> str:
            stream_with_context(name())
            return f"{len(torn_down)}{has_request_context()}"

        assert app.test_client().get("/").text == "0True"
        assert len(torn_down) == 2

    def test_of_two_streams_the_last_one_tears_down(self, app: Stein, torn_down: list[Any]) -> None:
        streams: list[Iterator[str]] = []

        @app.get("/")
        def index() -> str:
            streams.extend([stream_with_context(name()), stream_with_context(name())])
            return ""

        app.test_client().get("/?name=anna")
        first, second = streams
        assert list(first) == ["Hello ", "anna"]
        assert torn_down == []
        assert list(first) == []
        assert list(second) == ["Hello ", "anna"]
        assert torn_down == [("request", None), ("app", None)]

    def test_if_it_fails_nothing_stays_either(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            with app.app_context():
                return stream_with_context(name())

        @app.teardown_request
        def fail(_: BaseException | None) -> None:
            raise LookupError("teardown")

        body = start(app)
        with pytest.raises(LookupError, match="teardown"):
            b"".join(body)
        assert not has_app_context()

    def test_with_a_client_that_keeps_the_context_it_waits_for_that(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            return stream_with_context(name())

        with app.test_client() as client:
            response = client.get("/?name=anna")
            assert response.text == "Hello anna"
            assert request.args["name"] == "anna"
            assert torn_down == []
        assert torn_down == [("request", None), ("app", None)]

    @pytest.mark.parametrize("pieces", [1, 2])
    def test_of_one_that_is_broken_off_it_is_told(
        self, app: Stein, torn_down: list[Any], pieces: int
    ) -> None:
        with app.test_request_context("/?name=anna"):
            stream: Any = stream_with_context(name())
        for _ in range(pieces):
            next(stream)
        stream.close()
        assert [(what, type(error)) for what, error in torn_down] == [
            ("request", GeneratorExit), ("app", GeneratorExit),
        ]  # fmt: skip

    def test_of_one_that_was_not_begun_nothing_was_broken_off(
        self, app: Stein, torn_down: list[Any]
    ) -> None:
        with app.test_request_context("/?name=anna"):
            stream: Any = stream_with_context(name())
        stream.close()
        assert torn_down == [("request", None), ("app", None)]

    def test_a_client_may_close_the_response_unread(self, app: Stein, torn_down: list[Any]) -> None:
        @app.get("/")
        def index() -> Iterator[str]:
            return stream_with_context(name())

        with app.test_client() as client:
            client.get("/?name=anna").close()
        # It has kept the context until the end of its block, where there was no error.
        assert torn_down == [("request", None), ("app", None)]


class TestAfterAnError:
    """The view made a stream, and then it, or what comes after it, has raised."""

    @pytest.fixture(autouse=True)
    def as_in_production(self, app: Stein) -> None:
        app.testing = False
        app.logger.disabled = True

    @pytest.fixture
    def seen(self, app: Stein) -> list[Any]:
        """The errors that handlers keep: with them lives whatever their tracebacks hold."""
        seen: list[Any] = []

        @app.errorhandler(LookupError)
        def handle(error: LookupError) -> str:
            seen.append(error)
            return "handled"

        @app.errorhandler(500)
        def apologize(error: Exception) -> tuple[str, int]:
            seen.append(error)
            return "sorry", 500

        return seen

    def test_the_teardown_is_given_it_at_the_end_of_the_request(
        self, app: Stein, torn_down: list[Any], seen: list[Any]
    ) -> None:
        @app.get("/")
        def index() -> Any:
            response = app.response_class(stream_with_context(name()))
            response.headers["X"] = str(1 // len(torn_down))
            return response

        body = start(app)
        assert b"".join(body) == b"sorry"
        error = seen.pop().original_exception
        assert type(error) is ZeroDivisionError
        assert torn_down == [("request", error), ("app", error)]
        del error
        assert len(torn_down) == 2

    def test_it_may_be_one_of_a_hook(
        self, app: Stein, torn_down: list[Any], seen: list[Any]
    ) -> None:
        error = ValueError("hook")
        responses = []

        @app.get("/")
        def index() -> Iterator[str]:
            return stream_with_context(name())

        @app.after_request
        def fail(response: Any) -> Any:
            responses.append(response)
            raise error

        start(app)
        assert torn_down == [("request", error), ("app", error)]
        assert seen
        assert list(responses[0].response) == []

    def test_one_that_was_handled_ends_the_request_as_well(
        self, app: Stein, torn_down: list[Any], seen: list[Any]
    ) -> None:
        @app.get("/")
        def index() -> Any:
            stream = stream_with_context(name())
            raise LookupError(stream)

        assert b"".join(start(app)) == b"handled"
        assert torn_down == [("request", None), ("app", None)]
        assert seen

    def test_one_that_is_passed_on_does_so(self, app: Stein, torn_down: list[Any]) -> None:
        app.testing = True

        @app.get("/")
        def index() -> Any:
            stream = stream_with_context(name())
            raise ValueError(stream)

        with pytest.raises(ValueError, match="_Stream") as caught:
            start(app)
        assert torn_down == [("request", caught.value), ("app", caught.value)]

    def test_also_one_that_nobody_handles(self, app: Stein, torn_down: list[Any]) -> None:
        @app.get("/")
        def index() -> Any:
            stream = stream_with_context(name())
            raise SystemExit(stream)

        with pytest.raises(SystemExit) as caught:
            start(app)
        assert torn_down == [("request", caught.value), ("app", caught.value)]

    def test_a_context_inside_is_torn_down_too(self, app: Stein, seen: list[Any]) -> None:
        errors: list[BaseException | None] = []
        other = Stein("other")
        other.teardown_appcontext(errors.append)

        @app.get("/")
        def index() -> Any:
            with other.app_context():
                stream = stream_with_context(name())
                raise LookupError(stream)

        start(app)
        assert errors == seen

    def test_a_generator_that_was_begun_is_closed_within_its_request(
        self, app: Stein, torn_down: list[Any], seen: list[Any]
    ) -> None:
        paths = []

        def generate() -> Iterator[str]:
            try:
                yield "first"
            finally:
                paths.append((request.path, len(torn_down)))

        @app.get("/")
        def index() -> Any:
            stream = stream_with_context(generate())
            next(stream)
            raise LookupError(stream)

        start(app)
        assert paths == [("/", 0)]
        assert seen

    def test_if_closing_fails_that_is_logged_and_the_answer_stays(
        self, app: Stein, torn_down: list[Any], seen: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        app.logger.disabled = False

        def generate() -> Iterator[str]:
            try:
                yield "first"
            finally:
                raise KeyError("closing")

        @app.get("/")
        def index() -> Any:
            streams = [stream_with_context(generate()), stream_with_context(generate())]
            next(streams[0])
            raise LookupError(streams)

        assert b"".join(start(app)) == b"handled"
        assert len(torn_down) == 2
        assert [each.levelname for each in caplog.records] == ["ERROR"]
        assert "generate" in caplog.text
        assert "KeyError: 'closing'" in caplog.text
        assert seen

    def test_a_response_that_is_raised_is_streamed(self, app: Stein, torn_down: list[Any]) -> None:
        @app.get("/")
        def index() -> Any:
            abort(app.response_class(stream_with_context(name())))

        body = start(app)
        assert torn_down == []
        assert b"".join(body) == b"Hello anna"
        assert torn_down == [("request", None), ("app", None)]

    def test_a_handler_may_stream(self, app: Stein, torn_down: list[Any]) -> None:
        error = ValueError("view")

        @app.get("/")
        def index() -> Any:
            raise error

        @app.errorhandler(500)
        def sorry(_: Exception) -> Any:
            return stream_with_context(name()), 500

        body = start(app)
        assert torn_down == []
        assert b"".join(body) == b"Hello anna"
        assert torn_down == [("request", error), ("app", error)]

    def test_outside_of_a_request_it_is_remembered(self, app: Stein, torn_down: list[Any]) -> None:
        error = ValueError("test")
        context = app.test_request_context("/?name=anna")
        context.push()
        stream = stream_with_context(name())
        context.pop(error)
        assert list(stream) == ["Hello ", "anna"]
        assert torn_down == [("request", error), ("app", error)]


class TestClose:
    @pytest.mark.parametrize("way", ["read", "closed"])
    def test_an_iterator_with_a_close_of_its_own_is_closed_once(self, app: Stein, way: str) -> None:
        seen = []

        class Rows:
            rows = iter(["a", "b"])

            def __iter__(self) -> Rows:
                return self

            def __next__(self) -> str:
                return next(self.rows)

            def close(self) -> None:
                seen.append(request.path)

        @app.get("/")
        def index() -> Any:
            return stream_with_context(Rows())

        response = app.test_client().get("/")
        if way == "read":
            assert response.text == "ab"
        response.close()
        assert seen == ["/"]

    def test_an_iterator_without_a_close_needs_none(self, app: Stein) -> None:
        @app.get("/")
        def index() -> Any:
            return stream_with_context(iter(["a", "b"]))

        response = app.test_client().get("/")
        assert response.text == "ab"
        response.close()

    def test_text_is_a_stream_of_letters(self, app: Stein) -> None:
        with app.test_request_context():
            stream = stream_with_context("abc")  # type: ignore[call-overload]
        assert list(stream) == ["a", "b", "c"]

    def test_it_can_be_made_in_one_context_and_read_in_another(self, app: Stein) -> None:
        make: Callable[..., Iterator[str]] = stream_with_context(name)
        with app.test_request_context("/?name=anna"):
            stream = make()
        with app.test_request_context("/?name=otto"):
            assert list(stream) == ["Hello ", "anna"]
            assert request.args["name"] == "otto"


def test_a_receiver_that_fails_between_two_pieces_leaves_nothing_behind(
    app: Stein, torn_down: list[Any]
) -> None:
    @app.route("/")
    def view() -> Any:
        return stream_with_context(iter("ab"))

    def refuse(_: Stein, **__: Any) -> None:
        raise KeyError("refused")

    body, _, _ = run_wsgi_app(app, app.test_request_context("/").request.environ)
    pieces = iter(body)
    assert next(pieces) == b"a"
    with appcontext_pushed.connected_to(refuse, app), pytest.raises(KeyError, match="refused"):
        next(pieces)
    assert context_var.get(None) is None
    body.close()  # type: ignore[attr-defined]
    assert [what for what, _ in torn_down] == ["request", "app"]
