# ruff: noqa: FBT001 - tables have columns that are true or false

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.exceptions import Forbidden, HTTPException, InternalServerError, NotFound
from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.context import after_this_request
from stein.web.globals import g, request, session
from stein.web.response import Response
from stein.web.sessions import SessionInterface
from stein.web.signals import (
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.typing import Environ, StartResponse


@pytest.fixture
def app() -> Stein:
    app = Stein("road", root_path=".")
    app.secret_key = "not a secret"  # noqa: S105 - in a test
    return app


class TestTheOrder:
    def test_of_hooks_of_app_and_nested_blueprints(self, app: Stein) -> None:
        trace: list[str] = []
        outer, inner = (
            Blueprint("outer", "road", root_path="."),
            Blueprint("inner", "road", root_path="."),
        )
        for owner, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
            _trace_all(owner, name, trace)

        @inner.route("/")
        def view() -> str:
            after_this_request(_note(trace, "this request"))
            trace.append("view")
            return "x"

        @app.teardown_appcontext
        def end(_: BaseException | None) -> None:
            trace.append("appcontext")

        outer.register_blueprint(inner, url_prefix="/inner")
        app.register_blueprint(outer, url_prefix="/outer")
        assert app.test_client().get("/outer/inner/").text == "x"
        assert trace == [
            "app values", "outer values", "inner values",
            "app before 1", "app before 2",
            "outer before 1", "outer before 2",
            "inner before 1", "inner before 2",
            "view",
            "this request",
            "inner after 2", "inner after 1",
            "outer after 2", "outer after 1",
            "app after 2", "app after 1",
            "inner teardown 2", "inner teardown 1",
            "outer teardown 2", "outer teardown 1",
            "app teardown 2", "app teardown 1",
            "appcontext",
        ]  # fmt: skip

    def test_a_before_hook_that_answers_ends_it_there(self, app: Stein) -> None:
        trace: list[str] = []

        @app.before_request
        def stop() -> str:
            trace.append("stop")
            return "stopped"

        app.before_request(lambda: trace.append("never"))
        app.after_request(_note(trace, "after"))
        app.add_url_rule("/", view_func=lambda: "view", endpoint="index")
        assert app.test_client().get("/").text == "stopped"
        assert trace == ["stop", "after"]

    def test_hooks_run_for_paths_that_no_rule_matches(self, app: Stein) -> None:
        trace: list[str] = []
        _trace_all(app, "app", trace)
        assert app.test_client().get("/nowhere").status_code == 404
        assert trace[0] == "app values"
        assert "app before 1" in trace
        assert trace[-1] == "app teardown 1"

    def test_hooks_that_were_added_to_the_tables_directly_count(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=lambda: "x", endpoint="index")
        client = app.test_client()
        assert client.get("/").text == "x"
        app.before_request_funcs.setdefault(None, []).append(lambda: "extension")
        assert client.get("/").text == "extension"

    def test_signals_of_a_request(self, app: Stein) -> None:
        heard: list[str] = []

        def hear(name: str) -> Callable[..., None]:
            return lambda sender, **_: heard.append(f"{name} {sender.name}")

        app.add_url_rule("/", view_func=lambda: str(heard.append("view")), endpoint="index")  # type: ignore[func-returns-value]
        signals = {
            "started": request_started,
            "finished": request_finished,
            "request tearing down": request_tearing_down,
            "context tearing down": appcontext_tearing_down,
        }
        receivers = {name: hear(name) for name in signals}
        for name, signal in signals.items():
            signal.connect(receivers[name], app)
        app.test_client().get("/").close()
        assert heard == [
            "started road",
            "view",
            "finished road",
            "request tearing down road",
            "context tearing down road",
        ]


def _note(trace: list[str], text: str) -> Callable[[Response], Response]:
    def note(response: Response) -> Response:
        trace.append(text)
        return response

    return note


def _trace_all(owner: Stein | Blueprint, name: str, trace: list[str]) -> None:
    owner.url_value_preprocessor(lambda *_: trace.append(f"{name} values"))
    for number in (1, 2):
        owner.before_request(functools.partial(trace.append, f"{name} before {number}"))
        owner.after_request(_note(trace, f"{name} after {number}"))

        def teardown(_: BaseException | None, text: str = f"{name} teardown {number}") -> None:
            trace.append(text)

        owner.teardown_request(teardown)


class TestWhatSubclassesOverride:
    STEPS = (
        "wsgi_app",
        "request_context",
        "create_url_adapter",
        "full_dispatch_request",
        "preprocess_request",
        "dispatch_request",
        "ensure_sync",
        "finalize_request",
        "make_response",
        "process_response",
        "should_ignore_error",
        "do_teardown_request",
        "do_teardown_appcontext",
        "handle_user_exception",
        "handle_exception",
        "log_exception",
        "trap_http_exception",
        "handle_http_exception",
        "raise_routing_exception",
        "make_default_options_response",
    )

    @pytest.fixture
    def called(self) -> list[str]:
        return []

    @pytest.fixture
    def traced(self, called: list[str]) -> Stein:
        def trace(name: str) -> Any:
            def method(self: Any, *args: Any, **kwargs: Any) -> Any:
                called.append(name)
                return getattr(super(Traced, self), name)(*args, **kwargs)

            return method

        Traced = type("Traced", (Stein,), {name: trace(name) for name in self.STEPS})  # noqa: N806 - a class
        traced: Stein = Traced("traced", root_path=".")

        @traced.route("/")
        def index() -> str:
            return "x"

        @traced.route("/fail")
        def fail() -> str:
            raise ValueError("failed")

        return traced

    @pytest.mark.parametrize(
        ("method", "path", "status", "among"),
        [
            ("GET", "/", 200, STEPS[:10] + STEPS[11:13]),
            ("GET", "/fail", 500, STEPS[10:16]),
            ("GET", "/nowhere", 404, ("raise_routing_exception", "handle_http_exception")),
            ("OPTIONS", "/", 200, ("make_default_options_response",)),
        ],
    )
    def test_each_step_is_called_as_a_method(  # noqa: PLR0917 - a table
        self, traced: Stein, called: list[str], method: str, path: str, status: int, among: Any
    ) -> None:
        response = traced.test_client().open(path, method=method)
        assert response.status_code == status
        assert set(among) <= set(called)

    def test_a_step_may_be_replaced_on_the_object(self, app: Stein) -> None:
        app.dispatch_request = lambda: "replaced"  # type: ignore[method-assign]
        assert app.test_client().get("/anything").text == "replaced"

    def test_a_middleware_may_be_put_around_it(self, app: Stein) -> None:
        inner = app.wsgi_app

        def middleware(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            environ["seen"] = "by middleware"
            return inner(environ, start_response)

        app.wsgi_app = middleware  # type: ignore[method-assign]
        app.add_url_rule("/", view_func=lambda: request.environ["seen"], endpoint="index")
        assert app.test_client().get("/").text == "by middleware"

    def test_teardown_can_be_spared_the_error(self, app: Stein) -> None:
        class Quiet(Stein):
            def should_ignore_error(self, error: BaseException | None) -> bool:
                return isinstance(error, KeyError)

        quiet = Quiet("quiet", root_path=".")
        seen: list[Any] = []
        quiet.teardown_request(seen.append)

        @quiet.route("/<what>")
        def fail(what: str) -> str:
            raise {"key": KeyError, "value": ValueError}[what]

        client = quiet.test_client()
        client.get("/key")
        client.get("/value")
        assert [type(each) for each in seen] == [type(None), ValueError]


class TestErrors:
    def test_one_without_a_handler_is_logged_and_answered_with_500(
        self, app: Stein, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[Any] = []
        app.teardown_request(seen.append)
        error = ValueError("oh")

        @app.route("/path")
        def fail() -> str:
            raise error

        with caplog.at_level(logging.ERROR):
            response = app.test_client().get("/path")
        assert response.status_code == 500
        assert caplog.records[0].getMessage() == "Exception on /path [GET]"
        assert caplog.records[0].exc_info is not None
        assert caplog.records[0].exc_info[1] is error
        assert seen == [error]
        trace = caplog.records[0].exc_info[2]
        assert trace is not None
        assert trace.tb_frame.f_code.co_name == "fail"  # and nothing of ours before it

    @pytest.mark.parametrize("key", ["DEBUG", "TESTING", "PROPAGATE_EXCEPTIONS"])
    def test_it_is_raised_if_the_settings_say_so(self, app: Stein, key: str) -> None:
        app.config[key] = True
        heard: list[Any] = []
        got_request_exception.connect(
            receiver := lambda _, exception, **__: heard.append(exception), app
        )
        app.add_url_rule("/", view_func=lambda: str(1 / 0), endpoint="index")
        with pytest.raises(ZeroDivisionError) as caught:
            app.test_client().get("/")
        assert heard == [caught.value]
        del receiver

    def test_the_handler_for_500_sees_the_original(self, app: Stein) -> None:
        @app.errorhandler(500)
        def sorry(error: InternalServerError) -> tuple[str, int]:
            return f"sorry: {error.original_exception!r}", 500

        app.add_url_rule("/", view_func=lambda: str(1 / 0), endpoint="index")
        assert "ZeroDivisionError" in app.test_client().get("/").text

    def test_after_request_functions_see_the_500(self, app: Stein) -> None:
        @app.after_request
        def mark(response: Response) -> Response:
            response.headers["X-Mark"] = str(response.status_code)
            return response

        app.add_url_rule("/", view_func=lambda: str(1 / 0), endpoint="index")
        assert app.test_client().get("/").headers["X-Mark"] == "500"

    def test_an_after_request_function_that_fails_gives_500_all_the_same(
        self, app: Stein, caplog: pytest.LogCaptureFixture
    ) -> None:
        @app.after_request
        def fail(_: Response) -> Response:
            raise RuntimeError("after")

        app.add_url_rule("/", view_func=lambda: "x", endpoint="index")
        response = app.test_client().get("/")
        assert response.status_code == 500
        assert "Request finalizing failed" in caplog.text

    @pytest.mark.parametrize("kind", ["after_request", "after_this_request", "blueprint"])
    @pytest.mark.parametrize("returned", [None, "text"])
    def test_an_after_request_function_must_return_the_response(
        self, app: Stein, kind: str, returned: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def forgetful(_: Response) -> Any:
            return returned

        blueprint = Blueprint("pages", "road", root_path=".")
        if kind == "after_request":
            app.after_request(forgetful)
        elif kind == "blueprint":
            blueprint.after_request(forgetful)

        @blueprint.route("/")
        def view() -> str:
            if kind == "after_this_request":
                after_this_request(forgetful)
            return "x"

        app.register_blueprint(blueprint)
        teardowns: list[Any] = []
        app.teardown_request(teardowns.append)
        response = app.test_client().get("/")
        assert response.status_code == 500
        assert "Internal Server Error" in response.text
        name = "after_request" if kind == "blueprint" else kind
        line = forgetful.__code__.co_firstlineno
        what = "None" if returned is None else "a str"
        message = (
            f"The {name} function forgetful() ({__file__}:{line}) returned {what}: it must return "
            "the response that it is given, or another one."
        )
        assert message in caplog.text
        assert caplog.records[0].message == "Exception on / [GET]"
        assert [type(each) for each in teardowns] == [TypeError]
        app.testing = True
        with pytest.raises(TypeError, match="must return the response"):
            app.test_client().get("/")

    def test_the_answer_to_an_error_outlives_such_a_function(
        self, app: Stein, caplog: pytest.LogCaptureFixture
    ) -> None:
        app.after_request(lambda _: None)  # type: ignore[type-var]
        app.register_error_handler(500, lambda _: ("sorry", 500))
        response = app.test_client().get("/none")
        assert (response.status_code, response.text) == (500, "sorry")
        assert [each.message for each in caplog.records] == [
            "Exception on /none [GET]",
            "Request finalizing failed with an error while handling an error",
        ]

    def test_an_error_of_a_handler_is_an_error(self, app: Stein) -> None:
        @app.errorhandler(KeyError)
        def fail(_: KeyError) -> str:
            raise ValueError("in the handler")

        @app.route("/")
        def index() -> str:
            raise KeyError("in the view")

        app.testing = True
        with pytest.raises(ValueError, match="in the handler") as caught:
            app.test_client().get("/")
        assert isinstance(caught.value.__context__, KeyError)

    def test_http_errors_are_responses(self, app: Stein) -> None:
        @app.route("/<int:code>")
        def index(code: int) -> str:
            if code == 302:
                raise HTTPException(response=Response("elsewhere", 302))
            raise {403: Forbidden, 404: NotFound}[code]("because")

        client = app.test_client()
        assert "because" in client.get("/403").text
        assert client.get("/302").text == "elsewhere"

    def test_redirects_of_the_rules_have_no_handler(self, app: Stein) -> None:
        app.add_url_rule("/folder/", view_func=lambda: "x", endpoint="index")
        app.register_error_handler(HTTPException, lambda _: "handled")
        client = app.test_client()
        assert client.get("/folder").status_code == 308
        assert client.get("/other").text == "handled"

    def test_in_debug_mode_a_redirect_that_loses_a_form_is_told(self, app: Stein) -> None:
        app.debug = True
        app.add_url_rule(
            "/old", methods=["POST"], endpoint="old", redirect_to="/new", view_func=lambda: ""
        )
        client = app.test_client()
        try:
            response = client.post("/old", data={"a": "b"})
        except AssertionError as error:
            assert "/new" in str(error)  # noqa: PT017 - either is right for the status
        else:
            assert response.status_code == 308

    def test_http_errors_can_be_trapped(self, app: Stein) -> None:
        app.config["TRAP_HTTP_EXCEPTIONS"] = True
        app.testing = True
        with pytest.raises(NotFound):
            app.test_client().get("/nowhere")

    @pytest.mark.parametrize(
        ("settings", "raised", "shown"),
        [
            ({}, False, False),
            ({"DEBUG": True}, True, True),
            ({"TESTING": True, "TRAP_BAD_REQUEST_ERRORS": True}, True, True),
            ({"DEBUG": True, "TRAP_BAD_REQUEST_ERRORS": False}, False, True),
        ],
    )
    def test_a_missing_key_is_shown_to_developers_only(
        self, app: Stein, settings: dict[str, Any], raised: bool, shown: bool
    ) -> None:
        app.config.update(settings)
        app.add_url_rule("/", view_func=lambda: request.args["wanted"], endpoint="index")
        client = app.test_client()
        if raised:
            with pytest.raises(KeyError, match="wanted"):
                client.get("/")
        else:
            response = client.get("/")
            assert response.status_code == 400
            assert ("wanted" in response.text) is shown

    def test_what_is_no_exception_passes_and_tears_down(self, app: Stein) -> None:
        seen: list[Any] = []
        app.teardown_request(seen.append)

        @app.route("/")
        def leave() -> str:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            app.test_client().get("/")
        assert [type(each) for each in seen] == [SystemExit]


class TestOptions:
    def test_are_answered_by_themselves(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=lambda: "x", endpoint="i", methods=["GET", "DELETE"])
        response = app.test_client().options("/")
        assert sorted(response.allow) == ["DELETE", "GET", "HEAD", "OPTIONS"]
        assert response.data == b""

    def test_unless_the_view_does(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=lambda: request.method, endpoint="i", methods=["OPTIONS"])
        assert app.test_client().options("/").text == "OPTIONS"

    def test_or_the_settings_say_no(self, app: Stein) -> None:
        app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
        app.add_url_rule("/", view_func=lambda: "x", endpoint="i")
        assert app.test_client().options("/").status_code == 405

    def test_or_the_rule_says_no(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=lambda: "x", endpoint="i", provide_automatic_options=False)
        assert app.test_client().options("/").status_code == 405


class TestSync:
    def test_plain_functions_come_back_as_they_are(self, app: Stein) -> None:
        class Instance:
            def __call__(self) -> str:
                return ""

            def method(self) -> str:
                return ""

        def plain() -> str:
            return ""

        @functools.wraps(plain)
        def wrapped() -> str:
            return plain()

        instance = Instance()
        for function in (plain, wrapped, instance, functools.partial(plain), str, len):
            assert app.ensure_sync(function) is function
        assert app.ensure_sync(instance.method)() == ""

    def test_coroutine_functions_are_run(self, app: Stein) -> None:
        class Methods:
            async def method(self) -> str:
                return "method"

        async def plain(text: str = "plain") -> str:
            return text

        assert app.ensure_sync(plain)() == "plain"
        assert app.ensure_sync(Methods().method)() == "method"
        assert app.ensure_sync(functools.partial(plain, "partial"))() == "partial"

    def test_all_the_hooks_may_be_async(self, app: Stein) -> None:
        trace: list[str] = []

        @app.url_value_preprocessor
        async def values(endpoint: str | None, values: dict[str, Any] | None) -> None:
            trace.append("values")

        @app.url_defaults
        async def defaults(endpoint: str, values: dict[str, Any]) -> None:
            values["by"] = "default"

        @app.before_request
        async def before() -> None:
            g.n = 1

        @app.after_request
        async def after(response: Response) -> Response:
            trace.append(f"after {g.n}")
            return response

        @app.teardown_request
        async def teardown(_: BaseException | None) -> None:
            trace.append("teardown")

        @app.errorhandler(404)
        async def not_found(_: NotFound) -> tuple[str, int]:
            return "async 404", 404

        @app.route("/")
        async def index() -> str:
            session["n"] = g.n
            return f"view {session['n']} {app.url_for('index')}"

        client = app.test_client()
        assert client.get("/").text == "view 1 /?by=default"
        assert client.get("/nowhere").text == "async 404"
        assert trace == ["values", "after 1", "teardown"] * 2


class Unreachable(SessionInterface):
    """A store that does not answer, and takes its time each time."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def open_session(self, app: Stein, request: Any) -> None:
        self.calls.append("open")
        raise ConnectionError("no answer")

    def save_session(self, app: Stein, session: Any, response: Any) -> None:
        self.calls.append("save")


class LazyUnreachable(Unreachable):
    lazy = True


class TestASessionThatCannotBeOpened:
    @pytest.mark.parametrize("interface", [Unreachable(), LazyUnreachable()])
    def test_is_tried_once_for_a_request(self, app: Stein, interface: Unreachable) -> None:
        app.session_interface = interface

        @app.route("/")
        def view() -> str:
            return str(session.get("x"))

        @app.errorhandler(500)
        def sorry(error: InternalServerError) -> tuple[str, int]:
            return type(error.original_exception).__name__, 500

        app.logger.disabled = True
        response = app.test_client().get("/", headers={"Cookie": "session=x"})
        assert (response.status_code, response.text) == (500, "ConnectionError")
        assert interface.calls == ["open"]

    def test_may_be_of_an_interface_with_a_base_of_its_own(self, app: Stein) -> None:
        class Duck:
            def open_session(self, app: Stein, request: Any) -> dict[str, Any]:
                calls.append("open")
                return Session()

            def is_null_session(self, session: Any) -> bool:
                return False

            def save_session(self, app: Stein, session: Any, response: Any) -> None:
                calls.append(f"save {dict(session)}")

        class Session(dict[str, Any]):
            accessed = False

        calls: list[str] = []
        app.session_interface = Duck()  # type: ignore[assignment]

        @app.route("/")
        def view() -> str:
            session["a"] = 1
            return "x"

        app.test_client().get("/")
        assert calls == ["open", "save {'a': 1}"]
