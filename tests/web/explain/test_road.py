"""The road of a request, found out without sending it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.client import Client
from stein.toolkit.exceptions import HTTPException
from stein.toolkit.routing import BaseConverter, ValidationError
from stein.toolkit.routing.exceptions import RequestRedirect
from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.explain.road import Road, explain_request
from stein.web.views import MethodView


@pytest.fixture
def app() -> Stein:
    app = Stein("road", root_path=".", static_folder=None)

    @app.route("/")
    def index() -> str:
        return ""

    @app.route("/users/<int:number>")
    def user(number: int) -> str:
        return str(number)

    @app.post("/users/")
    def add_user() -> str:
        return ""

    return app


def names(hooks: Any) -> list[tuple[str, str | None, str]]:
    return [(hook.kind, hook.scope, hook.place.name) for hook in hooks]


def kinds(road: Road) -> dict[str, str]:
    return {miss.rule: miss.kind for miss in road.misses}


class TestRule:
    def test_a_rule_that_wins_is_told_with_its_values_and_its_view(self, app: Stein) -> None:
        road = explain_request(app, "get", "/users/3?full=1")
        assert (road.method, road.status, road.path) == ("GET", 200, "/users/3")
        assert road.url == "http://localhost/users/3?full=1"
        assert (road.rule, road.endpoint, road.values) == (
            "/users/<int:number>",
            "user",
            {"number": 3},
        )
        assert road.methods == ("GET", "HEAD", "OPTIONS")
        assert road.view is not None
        assert road.view.name == "user"
        assert road.view.file == __file__
        assert road.misses == ()

    def test_nothing_is_called(self, app: Stein) -> None:
        def refuse(*_: object) -> Any:
            raise AssertionError

        app.before_request(refuse)
        app.url_value_preprocessor(refuse)
        app.teardown_request(refuse)
        app.add_url_rule("/refuse", "refuse", refuse)
        assert explain_request(app, "GET", "/refuse").status == 200

    def test_another_that_fits_is_told_with_the_reason(self, app: Stein) -> None:
        app.add_url_rule("/users/me", "me", lambda: "")
        app.add_url_rule("/users/<name>", "by_name", lambda name: name)
        road = explain_request(app, "GET", "/users/me")
        assert road.endpoint == "me"
        assert kinds(road)["/users/<name>"] == "weight"
        assert "'/users/me' comes first" in road.misses[0].reason

    def test_options_are_answered_without_the_view(self, app: Stein) -> None:
        road = explain_request(app, "OPTIONS", "/")
        assert road.automatic_options
        assert "without calling the view" in road.reason

    def test_a_rule_without_a_view_is_told(self, app: Stein) -> None:
        app.add_url_rule("/later", "later")
        road = explain_request(app, "GET", "/later")
        assert road.status == 500
        assert "view_functions has nothing for 'later'" in road.reason

    def test_of_a_class_it_is_the_method(self, app: Stein) -> None:
        class Page(MethodView):
            def get(self) -> str:
                return ""

        app.add_url_rule("/page", view_func=Page.as_view("page"), methods=["GET", "PUT"])
        for method, name in [
            ("GET", "Page.get"),
            ("HEAD", "Page.get"),
            ("PUT", "MethodView.dispatch_request"),
        ]:
            view = explain_request(app, method, "/page").view
            assert view is not None
            assert view.name == name


class TestRefusal:
    def test_another_method_is_told(self, app: Stein) -> None:
        road = explain_request(app, "DELETE", "/users/3")
        assert road.status == 405
        assert road.methods == ("GET", "HEAD", "OPTIONS")
        assert kinds(road)["/users/<int:number>"] == "method"

    def test_a_missing_slash_redirects(self, app: Stein) -> None:
        road = explain_request(app, "POST", "/users")
        assert road.status == 308
        assert road.redirect == "http://localhost/users/"
        assert kinds(road)["/users/"] == "slash"

    def test_a_slash_too_much_is_told(self, app: Stein) -> None:
        road = explain_request(app, "GET", "/users/3/")
        assert road.status == 404
        assert kinds(road)["/users/<int:number>"] == "slash"
        assert "'/users/3'" in road.misses[0].reason
        assert kinds(explain_request(app, "PUT", "/users/3/")) == kinds(road)

    def test_a_slash_and_the_method_are_told_together(self, app: Stein) -> None:
        app.add_url_rule("/orders/", "orders", lambda: "", methods=["GET"])
        app.add_url_rule("/bill", "bill", lambda: "", methods=["POST"])
        road = explain_request(app, "POST", "/orders")
        assert (road.status, kinds(road)["/orders/"]) == (404, "slash")
        assert (
            road.misses[0].reason
            == "It is only for GET, HEAD, OPTIONS, and ends with a slash: '/orders/'."
        )
        road = explain_request(app, "GET", "/bill/")
        assert (road.status, kinds(road)["/bill"]) == (404, "slash")
        assert "only for OPTIONS, POST, and has no slash at its end: '/bill'" in (
            road.misses[0].reason
        )

    def test_double_slashes_are_told(self, app: Stein) -> None:
        road = explain_request(app, "POST", "/x/../users//")
        assert road.status in {308, 404}
        road = explain_request(app, "GET", "/users//3")
        assert road.status == 308
        assert "without double slashes" in road.misses[0].reason

    def test_a_converter_that_refuses_is_told(self, app: Stein) -> None:
        class Even(BaseConverter):
            regex = r"\d+"

            def to_python(self, value: str) -> int:
                if int(value) % 2:
                    raise ValidationError
                return int(value)

        app.url_map.converters["even"] = Even
        app.add_url_rule("/even/<path:rest>/<even:number>", "even", lambda: "")
        road = explain_request(app, "GET", "/users/anna")
        assert road.status == 404
        assert road.misses[0].kind == "converter"
        assert "The converter 'int' of <number> does not take 'anna'." in road.misses[0].reason
        road = explain_request(app, "GET", "/even/a/b/3")
        assert "The converter 'even' of <number> does not take '3'." in road.misses[0].reason

    def test_a_spelling_is_proposed(self, app: Stein) -> None:
        road = explain_request(app, "GET", "/user/3")
        assert kinds(road) == {"/users/<int:number>": "spelling"}
        assert kinds(explain_request(app, "GET", "/something/else")) == {}

    def test_subdomains_are_told(self) -> None:
        app = Stein("road", root_path=".", static_folder=None, subdomain_matching=True)
        app.config["SERVER_NAME"] = "example.org"
        app.add_url_rule("/", "admin", lambda: "", subdomain="admin")
        app.add_url_rule("/", "any", lambda user: "", subdomain="<user>", methods=["POST"])
        road = explain_request(app, "GET", "/")
        assert road.url == "http://example.org/"
        assert road.status == 404
        assert "It is for the subdomain 'admin', and the request is for none." in [
            miss.reason for miss in road.misses
        ]
        road = explain_request(app, "GET", "https://admin.example.org/")
        assert (road.status, road.domain) == (200, "admin")
        assert explain_request(app, "POST", "http://x.example.org/").values == {"user": "x"}
        road = explain_request(app, "GET", "http://x.example.org/")
        assert {miss.kind for miss in road.misses} == {"domain", "method"}

    def test_hosts_are_told(self) -> None:
        app = Stein("road", root_path=".", static_folder=None, host_matching=True)
        app.add_url_rule("/", "shop", lambda: "", host="shop.example")
        app.add_url_rule("/", "post", lambda: "", host="post.example", methods=["POST"])
        road = explain_request(app, "GET", "http://shop.example/")
        assert (road.status, road.domain) == (200, "shop.example")
        road = explain_request(app, "GET", "http://other.example/")
        assert "It is for the host 'shop.example'" in road.misses[-1].reason
        assert "It is only for OPTIONS, POST." in road.misses[0].reason

    def test_websockets_are_told(self, app: Stein) -> None:
        app.add_url_rule("/ws", "ws", lambda: "", websocket=True, methods=["GET"])
        road = explain_request(app, "GET", "/ws")
        assert road.status == 400
        assert kinds(road) == {"/ws": "websocket"}

    def test_a_host_that_is_not_trusted_is_told(self, app: Stein) -> None:
        app.config["TRUSTED_HOSTS"] = ["example.org"]
        road = explain_request(app, "GET", "http://evil.example/")
        assert road.status == 400
        assert "evil.example" in road.reason
        assert road.misses == ()
        assert explain_request(app, "GET", "http://example.org/").status == 200

    def test_a_redirect_to_is_followed_to_its_target(self, app: Stein) -> None:
        app.add_url_rule("/old", "old", redirect_to="new")
        road = explain_request(app, "GET", "/old")
        assert (road.status, road.redirect) == (308, "http://localhost/new")
        assert kinds(road)["/old"] == "weight"

    def test_a_rule_that_is_only_built_is_passed_over(self, app: Stein) -> None:
        app.add_url_rule("/cdn", "cdn", build_only=True)
        assert explain_request(app, "GET", "/cdn").misses == ()


class TestHooks:
    @pytest.fixture
    def nested(self, app: Stein) -> Stein:
        def view() -> str:
            return ""

        def hook(name: str) -> Any:
            def function(*_: object) -> Any:
                return None

            function.__qualname__ = name
            return function

        outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
        for where, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
            where.before_request(hook(f"{name}1"))
            where.before_request(hook(f"{name}2"))
            where.after_request(hook(f"{name}1"))
            where.after_request(hook(f"{name}2"))
            where.url_value_preprocessor(hook(name))
            where.teardown_request(hook(name))
            where.errorhandler(404)(hook(f"{name}404"))
            where.errorhandler(ValueError)(hook(f"{name}value"))
        app.teardown_appcontext(hook("appcontext"))
        inner.add_url_rule("/inner", "view", view)
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
        return app

    def test_they_come_in_the_order_of_the_calls(self, nested: Stein) -> None:
        road = explain_request(nested, "GET", "/inner")
        assert road.endpoint == "outer.inner.view"
        assert road.blueprints == ("outer.inner", "outer")
        preprocessor, before, after = "url_value_preprocessor", "before_request", "after_request"
        assert names(road.before) == [
            (preprocessor, None, "app"),
            (preprocessor, "outer", "outer"),
            (preprocessor, "outer.inner", "inner"),
            (before, None, "app1"),
            (before, None, "app2"),
            (before, "outer", "outer1"),
            (before, "outer", "outer2"),
            (before, "outer.inner", "inner1"),
            (before, "outer.inner", "inner2"),
        ]
        assert names(road.after) == [
            (after, "outer.inner", "inner2"),
            (after, "outer.inner", "inner1"),
            (after, "outer", "outer2"),
            (after, "outer", "outer1"),
            (after, None, "app2"),
            (after, None, "app1"),
            ("teardown_request", "outer.inner", "inner"),
            ("teardown_request", "outer", "outer"),
            ("teardown_request", None, "app"),
            ("teardown_appcontext", None, "appcontext"),
        ]

    def test_without_a_rule_only_those_of_the_application_are_called(self, nested: Stein) -> None:
        road = explain_request(nested, "GET", "/nowhere")
        assert {hook.scope for hook in (*road.before, *road.after)} == {None}
        assert road.answered_by is not None
        assert road.answered_by.place.name == "app404"
        assert road.answered_by.code == 404

    def test_handlers_for_status_codes_come_first(self, nested: Stein) -> None:
        road = explain_request(nested, "GET", "/inner")
        assert [(each.scope, each.code, each.place.name) for each in road.handlers] == [
            ("outer.inner", 404, "inner404"),
            ("outer", 404, "outer404"),
            (None, 404, "app404"),
            ("outer.inner", None, "innervalue"),
            ("outer", None, "outervalue"),
            (None, None, "appvalue"),
        ]
        assert road.handlers[-1].error == "ValueError"
        assert road.handlers[0].error.endswith("exceptions.NotFound")

    def test_a_redirect_is_answered_by_nobody(self, app: Stein) -> None:
        app.register_error_handler(HTTPException, lambda error: error)
        assert explain_request(app, "POST", "/users").answered_by is None
        answered = explain_request(app, "GET", "/nowhere").answered_by
        assert answered is not None
        assert answered.code is None

    def test_the_hooks_are_those_that_a_request_really_meets(self, nested: Stein) -> None:
        called = []

        def record(place: Any) -> Any:
            def function(*args: Any) -> Any:
                called.append(place)
                return args[0] if place[0] == "after_request" else None

            return function

        for table, kind in (
            (nested.url_value_preprocessors, "url_value_preprocessor"),
            (nested.before_request_funcs, "before_request"),
            (nested.after_request_funcs, "after_request"),
            (nested.teardown_request_funcs, "teardown_request"),
        ):
            for scope, functions in table.items():
                for number, function in enumerate(functions):
                    replaced = record((kind, scope, function.__qualname__))
                    replaced.__qualname__ = function.__qualname__
                    functions[number] = replaced
        road = explain_request(nested, "GET", "/inner")
        Client(nested).get("/inner")
        assert called == names((*road.before, *road.after[:-1]))


def test_a_road_is_plain_data(app: Stein) -> None:
    road = explain_request(app, "DELETE", "/users/3")
    data = dataclasses.asdict(road)
    assert data["misses"][0]["rule"] == "/users/<int:number>"
    with pytest.raises(dataclasses.FrozenInstanceError):
        road.status = 1  # type: ignore[misc]


PATHS = st.text("/abu<>:s3é%?#.", max_size=12).map(lambda text: f"/{text.lstrip('/')}")


@given(st.sampled_from(["GET", "POST", "OPTIONS", "brew"]), PATHS)
def test_what_it_tells_of_any_path_is_what_matching_does(method: str, path: str) -> None:
    app = Stein("road", root_path=".", static_folder=None)
    app.add_url_rule("/a/<b>", "one", lambda b: "")
    app.add_url_rule("/a/<int:b>/", "two", lambda b: "", methods=["POST"])
    app.add_url_rule("/<path:rest>/s", "three", lambda rest: "")
    road = explain_request(app, method, path)
    with app.test_request_context(path, method=method) as context:
        error = context.request.routing_exception
        rule = context.request.url_rule
    if rule is not None:
        assert (road.status, road.rule, road.values) == (200, rule.rule, context.request.view_args)
    else:
        assert isinstance(error, HTTPException)
        assert road.status == error.code
        assert road.redirect == getattr(error, "new_url", None)
        assert isinstance(error, RequestRedirect) is (road.redirect is not None)
