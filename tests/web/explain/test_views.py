"""Where a function stands."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from stein.toolkit.client import Client
from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.explain.views import Place, describe_view, find_place, forgotten_as_view, place_of
from stein.web.globals import request
from stein.web.shortcuts import abort
from stein.web.views import MethodView, View


@pytest.fixture
def app() -> Stein:
    app = Stein("explained", root_path=".")
    app.testing = True
    return app


def here() -> str:
    return "here"


class Page(MethodView):
    def get(self) -> Any:
        return None


def line_of(function: Any) -> int:
    line: int = function.__code__.co_firstlineno
    return line


def test_a_function() -> None:
    assert find_place(here) == Place("here", __name__, __file__, line_of(here))
    assert place_of(here) == f"here() ({__file__}:{line_of(here)})"


def test_a_function_in_a_function_is_named_without_it() -> None:
    def inner() -> None: ...

    assert find_place(inner).name == "inner"


def test_decorators_partials_and_methods_are_looked_through() -> None:
    @functools.wraps(here)
    def wrapper() -> str:
        return here()

    class Thing:
        def method(self) -> None: ...

        @functools.partial
        def partial(self) -> None: ...

        def __call__(self) -> None: ...

    thing = Thing()
    assert find_place(wrapper).line == line_of(here)
    assert find_place(functools.partial(wrapper)).name == "here"
    assert find_place(thing.method).name == "Thing.method"
    assert find_place(thing) == Place("Thing", __name__, __file__, line_of(Thing.__call__))


def test_wrappers_in_a_circle_come_to_an_end() -> None:
    def loop() -> None: ...

    loop.__wrapped__ = loop  # type: ignore[attr-defined]
    assert find_place(loop).name == "loop"


def test_a_class_and_its_view_function() -> None:
    assert find_place(Page.as_view("page")).name == "Page"
    place = find_place(Page)
    assert place.file == __file__
    assert place.line is not None
    assert place.line <= line_of(Page.get)


def test_what_is_not_written_in_python_has_no_line() -> None:
    assert place_of(len) == "len() of builtins"
    assert find_place(int).file is None


class TestDescription:
    def test_a_view_that_returns_nothing_is_named(self, app: Stein) -> None:
        @app.route("/")
        def nothing() -> Any:
            return None

        with pytest.raises(TypeError) as caught:
            Client(app).get("/")
        text = str(caught.value)
        assert "The view function for 'nothing' did not return a valid response" in text
        assert f"The view is nothing() ({__file__}:{line_of(nothing)})." in text

    def test_of_a_class_it_is_the_method(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=Page.as_view("page"))
        with pytest.raises(TypeError, match=r"The view is Page\.get\(\)"):
            Client(app).get("/")

    def test_a_decorator_may_have_lost_it(self, app: Stein) -> None:
        def careless(function: Any) -> Any:
            @functools.wraps(function)
            def wrapper() -> None:
                function()

            return wrapper

        app.add_url_rule("/", view_func=careless(here))
        with pytest.raises(TypeError, match=r"called through a decorator \(.*test_views\.py:\d+\)"):
            Client(app).get("/")

    def test_an_error_handler_may_have_been_it(self, app: Stein) -> None:
        @app.errorhandler(404)
        def lost(_: object) -> Any:
            return None

        app.add_url_rule("/", view_func=here)
        with pytest.raises(TypeError) as caught:
            Client(app).get("/none")
        assert str(caught.value) == (
            "The error handler did not return a valid response. The function either returned None"
            f" or ended without a return statement. It is lost() ({__file__}:{line_of(lost)})."
        )

    @pytest.mark.parametrize("code", [403, KeyError, 500])
    def test_the_handler_of_an_error_of_the_view(self, app: Stein, code: Any) -> None:
        @app.errorhandler(code)
        def lost(_: object) -> Any:
            return 7

        @app.route("/")
        def view() -> str:
            if code == 403:
                abort(403)
            raise {500: ValueError, KeyError: KeyError}[code]

        # Only where errors are not passed on the last one of the handlers is asked.
        app.config["PROPAGATE_EXCEPTIONS"] = code != 500
        app.logger.disabled = True
        with pytest.raises(TypeError) as caught:
            app(app.test_request_context("/").request.environ, lambda *_: lambda _: None)
        text = str(caught.value)
        assert text.startswith("The error handler did not return a valid response. The return type")
        assert text.endswith(f"but it was a int. It is lost() ({__file__}:{line_of(lost)}).")

    @pytest.mark.parametrize("of", ["app", "blueprint"])
    @pytest.mark.parametrize("returned", [True, ("a", 1, 2, 3)])
    def test_a_hook_may_have_answered_before_the_view(
        self, app: Stein, of: str, returned: Any
    ) -> None:
        def check() -> Any:
            return returned

        pages = Blueprint("pages", "explained", root_path=".")
        pages.add_url_rule("/", view_func=here)
        {"app": app, "blueprint": pages}[of].before_request(check)
        app.register_blueprint(pages)
        with pytest.raises(TypeError) as caught:
            Client(app).get("/")
        text = str(caught.value)
        assert text.startswith("The before_request function did not return a valid response")
        assert text.endswith(f" It is check() ({__file__}:{line_of(check)}).")

    def test_a_hook_that_let_the_view_answer_has_not(self, app: Stein) -> None:
        app.before_request(lambda: None)
        app.register_error_handler(ValueError, lambda _: "handled")
        app.add_url_rule("/", "lost", lambda: None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"The view is <lambda>\(\) \(.*\d\)\.$"):
            Client(app).get("/")

    def test_without_a_rule_it_was_called_by_other_code(self, app: Stein) -> None:
        with app.test_request_context("/none"), pytest.raises(TypeError, match="No rule has match"):
            app.make_response(None)  # type: ignore[arg-type]

    def test_an_endpoint_may_have_no_view(self, app: Stein) -> None:
        app.add_url_rule("/", "later")
        with app.test_request_context("/"):
            assert "'later' has no function" in describe_view(request)


def test_a_forgotten_as_view_is_written_out(app: Stein) -> None:
    class Users(View):
        pass

    for add in (lambda: app.add_url_rule("/", view_func=Users), lambda: app.route("/")(Users)):  # type: ignore[type-var,arg-type]
        with pytest.raises(TypeError, match=r"Give it the function: view_func=Users\.as_view"):
            add()
    assert "view_func=Users.as_view('users')" in str(forgotten_as_view(Users))
