from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.routing.converters import BaseConverter
from stein.toolkit.routing.exceptions import BuildError
from stein.toolkit.routing.rules import Rule
from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.globals import request
from stein.web.shortcuts import url_for

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def app() -> Stein:
    app = Stein("rules", root_path=".")

    @app.route("/")
    def index() -> str:
        return "index"

    @app.route("/users/<int:number>", methods=["GET", "POST"])
    def user(number: int) -> dict[str, int]:
        return {"number": number}

    return app


@pytest.fixture
def inside(app: Stein) -> Iterator[Stein]:
    with app.test_request_context("/", base_url="http://example.test/app"):
        yield app


class TestAddUrlRule:
    def test_the_endpoint_is_the_functions_name(self, app: Stein) -> None:
        def view() -> str:
            return "x"

        app.add_url_rule("/view", view_func=view)
        assert app.view_functions["view"] is view

    def test_it_needs_a_view_or_an_endpoint(self, app: Stein) -> None:
        with pytest.raises(AssertionError, match="expected view func"):
            app.add_url_rule("/nothing")

    def test_a_view_may_come_later(self, app: Stein) -> None:
        app.add_url_rule("/later", endpoint="later")

        @app.endpoint("later")
        def view() -> str:
            return "later"

        assert app.test_client().get("/later").text == view()

    def test_methods_are_a_list(self, app: Stein) -> None:
        with pytest.raises(TypeError, match=r"must be a list of strings.*\['GET'\]"):
            app.add_url_rule("/x", endpoint="x", methods="GET")

    def test_a_view_may_know_its_methods(self, app: Stein) -> None:
        def view() -> str:
            return request.method

        view.methods = ["PUT"]  # type: ignore[attr-defined]
        view.required_methods = ["PATCH"]  # type: ignore[attr-defined]
        view.provide_automatic_options = False  # type: ignore[attr-defined]
        app.add_url_rule("/view", view_func=view)
        client = app.test_client()
        assert client.put("/view").text == "PUT"
        assert client.patch("/view").text == "PATCH"
        assert client.get("/view").status_code == 405
        assert client.options("/view").status_code == 405

    def test_two_views_for_one_endpoint_are_named_with_their_places(self, app: Stein) -> None:
        def index() -> str:
            return "another"

        with pytest.raises(AssertionError, match="overwriting an existing endpoint") as caught:
            app.add_url_rule("/other", view_func=index)
        text = str(caught.value)
        assert text.count("test_routes.py:") == 2
        assert "functools.wraps" in text
        # and nothing of it has happened
        assert app.test_client().get("/other").status_code == 404

    def test_one_view_may_have_many_rules(self, app: Stein) -> None:
        view = app.view_functions["index"]
        app.add_url_rule("/again", "index", view)
        assert app.test_client().get("/again").text == "index"

    def test_the_class_of_rules_is_the_applications_choice(self) -> None:
        class Prefixed(Rule):
            def __init__(self, string: str, **options: Any) -> None:
                super().__init__(f"/v1{string}", **options)

        class App(Stein):
            url_rule_class = Prefixed

        app = App("rules", root_path=".", static_folder=None)
        app.add_url_rule("/x", view_func=lambda: "x", endpoint="x")
        assert app.test_client().get("/v1/x").text == "x"

    def test_converters_of_ones_own(self, app: Stein) -> None:
        class Listed(BaseConverter):
            def to_python(self, value: str) -> list[str]:
                return value.split(",")

            def to_url(self, value: Any) -> str:
                return ",".join(value)

        app.url_map.converters["list"] = Listed
        app.add_url_rule("/l/<list:names>", view_func=lambda names: names, endpoint="names")
        assert app.test_client().get("/l/a,b").json == ["a", "b"]
        with app.test_request_context():
            assert url_for("names", names=["x", "y"]) == "/l/x,y"


class TestUrlFor:
    @pytest.mark.parametrize(
        ("endpoint", "values", "url"),
        [
            ("index", {}, "/app/"),
            ("user", {"number": 3}, "/app/users/3"),
            ("user", {"number": 3, "tab": "a b"}, "/app/users/3?tab=a+b"),
            ("index", {"_external": True}, "http://example.test/app/"),
            ("index", {"_scheme": "https"}, "https://example.test/app/"),
            ("index", {"_anchor": "to p#1"}, "/app/#to%20p#1"),
            ("user", {"number": 3, "_method": "POST"}, "/app/users/3"),
            (".index", {}, "/app/"),
        ],
    )
    @pytest.mark.usefixtures("inside")
    def test_inside_of_a_request(self, endpoint: str, values: dict[str, Any], url: str) -> None:
        assert url_for(endpoint, **values) == url

    @pytest.mark.usefixtures("inside")
    def test_a_scheme_needs_a_whole_url(self) -> None:
        with pytest.raises(ValueError, match="When specifying '_scheme' \\('https'\\)"):
            url_for("index", _scheme="https", _external=False)

    def test_outside_of_a_request_urls_are_whole(self, app: Stein) -> None:
        app.config.update(
            SERVER_NAME="example.org:5000", APPLICATION_ROOT="/a", PREFERRED_URL_SCHEME="https"
        )
        with app.app_context():
            assert url_for("index") == "https://example.org:5000/a/"
            assert url_for("index", _external=False) == "/a/"
        assert app.url_for("index") == "https://example.org:5000/a/"

    def test_outside_without_a_server_name_says_what_to_set(self, app: Stein) -> None:
        with app.app_context(), pytest.raises(RuntimeError, match="'SERVER_NAME'") as caught:
            url_for("index")
        assert "app.config['SERVER_NAME'] = " in str(caught.value)
        with pytest.raises(RuntimeError, match="outside an active request"):
            app.url_for("index")

    def test_a_leading_dot_is_for_the_current_blueprint(self, app: Stein) -> None:
        outer, inner = (
            Blueprint("outer", "x", root_path="."),
            Blueprint("inner", "x", root_path="."),
        )
        inner.add_url_rule("/", view_func=lambda: url_for(".other"), endpoint="index")
        inner.add_url_rule("/other", view_func=lambda: "x", endpoint="other")
        outer.register_blueprint(inner, url_prefix="/inner")
        app.register_blueprint(outer, url_prefix="/outer")
        assert app.test_client().get("/outer/inner/").text == "/outer/inner/other"

    def test_defaults_of_the_application_and_the_endpoints_blueprints(self, app: Stein) -> None:
        outer, inner = (
            Blueprint("outer", "x", root_path="."),
            Blueprint("inner", "x", root_path="."),
        )
        inner.add_url_rule("/<language>", view_func=lambda language: language, endpoint="page")
        seen: list[str] = []

        @app.url_defaults
        def of_app(endpoint: str, values: dict[str, Any]) -> None:
            seen.append(f"app {endpoint}")
            values.setdefault("language", "en")

        @outer.url_defaults
        def of_outer(endpoint: str, values: dict[str, Any]) -> None:
            seen.append("outer")

        @inner.url_defaults
        def of_inner(endpoint: str, values: dict[str, Any]) -> None:
            seen.append("inner")
            values["language"] = "de"

        outer.register_blueprint(inner)
        app.register_blueprint(outer)
        with app.test_request_context():
            assert url_for("outer.inner.page") == "/de"
        assert seen == ["app outer.inner.page", "outer", "inner"]

    @pytest.mark.usefixtures("inside")
    def test_what_cannot_be_built_is_an_error(self) -> None:
        with pytest.raises(BuildError, match="usr"):
            url_for("usr", number=1)

    def test_unless_a_handler_knows_better(self, app: Stein) -> None:
        def refuse(error: Exception, endpoint: str, values: dict[str, Any]) -> str:
            raise error

        def pass_(error: Exception, endpoint: str, values: dict[str, Any]) -> None:
            return None

        def help_(error: Exception, endpoint: str, values: dict[str, Any]) -> str:
            return f"/elsewhere/{endpoint}/{values['x']}/{values['_external']}"

        app.url_build_error_handlers += [refuse, pass_]
        with app.test_request_context():
            with pytest.raises(BuildError):
                url_for("nowhere", x=1)
            app.url_build_error_handlers.append(help_)
            assert url_for("nowhere", x=1) == "/elsewhere/nowhere/1/False"

    def test_values_may_have_any_name(self, app: Stein) -> None:
        app.add_url_rule("/<self>", view_func=lambda **kw: kw, endpoint="odd")
        with app.test_request_context():
            assert url_for("odd", self="x") == "/x"


class TestAdapters:
    @pytest.mark.parametrize(
        ("trusted", "host", "status"),
        [
            (None, "any.test", 200),
            (["example.org"], "example.org", 200),
            ([".example.org"], "www.example.org", 200),
            (["example.org"], "evil.test", 400),
            (["example.org"], "example.org.evil.test", 400),
        ],
    )
    def test_hosts_can_be_restricted(
        self, app: Stein, trusted: list[str] | None, host: str, status: int
    ) -> None:
        app.config["TRUSTED_HOSTS"] = trusted
        response = app.test_client().get("/", base_url=f"http://{host}")
        assert response.status_code == status

    def test_a_server_name_does_not_restrict_them(self, app: Stein) -> None:
        app.config["SERVER_NAME"] = "example.org"
        assert app.test_client().get("/", base_url="http://other.test").text == "index"

    def test_subdomains(self) -> None:
        app = Stein("rules", root_path=".", subdomain_matching=True)
        app.config["SERVER_NAME"] = "example.org"
        app.add_url_rule("/", view_func=lambda user: user, endpoint="u", subdomain="<user>")
        app.add_url_rule("/", view_func=lambda: "main", endpoint="m")
        client = app.test_client()
        assert client.get("/", base_url="http://kim.example.org").text == "kim"
        assert client.get("/", base_url="http://example.org").text == "main"
        with pytest.warns(UserWarning, match="Current server name"):
            assert client.get("/", base_url="http://other.org").text == "<invalid>"

    def test_hosts(self) -> None:
        app = Stein("rules", root_path=".", host_matching=True, static_folder=None)
        app.config["SERVER_NAME"] = "ignored.org"
        app.add_url_rule("/", view_func=lambda: "a", endpoint="a", host="a.org")
        app.add_url_rule("/", view_func=lambda: "b", endpoint="b", host="b.org")
        client = app.test_client()
        assert client.get("/", base_url="http://a.org").text == "a"
        assert client.get("/", base_url="http://b.org").text == "b"

    @pytest.mark.parametrize("host", ["", "a b", "-_-/", "x:y"])
    def test_a_host_that_is_none_is_the_clients_fault(self, app: Stein, host: str) -> None:
        response = app.test_client().get("/", headers={"Host": host})
        assert response.status_code in {200, 400}
