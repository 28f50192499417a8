"""Clients for tests: addresses, contexts, sessions, commands."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from stein.toolkit.client import Client, TestResponse
from stein.toolkit.client import EnvironBuilder as ToolkitBuilder
from stein.toolkit.request import Request
from stein.web import testing
from stein.web.app import Stein
from stein.web.context import has_app_context, has_request_context
from stein.web.globals import context_var, g, request, session
from stein.web.shortcuts import redirect
from stein.web.testing import EnvironBuilder, FlaskClient, FlaskCliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.toolkit.response import Response
    from stein.web.cli.script import ScriptInfo


@pytest.fixture
def app() -> Stein:
    app = Stein(__name__)
    app.config["SECRET_KEY"] = b"of these tests"
    app.testing = True

    @app.route("/", methods=["GET", "POST"])
    def index() -> str:
        g.visits = session["visits"] = session.get("visits", 0) + 1
        return request.url

    @app.route("/away/<path:target>", methods=["GET", "POST"])
    def away(target: str) -> Response:
        session["way"] = [*session.get("way", []), target]
        return redirect(f"/{target}")

    @app.post("/echo")
    def echo() -> Any:
        return {"json": request.get_json(), "type": request.mimetype}

    @app.get("/broken")
    def broken() -> str:
        raise LookupError("no tank")

    return app


@pytest.fixture
def client(app: Stein) -> FlaskClient:
    return app.test_client()


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    assert context_var.get(None) is None


class TestEnvironBuilder:
    @pytest.mark.parametrize(
        ("config", "arguments", "url"),
        [
            ({}, {}, "http://localhost/"),
            ({}, {"path": "/a?b=c"}, "http://localhost/a?b=c"),
            ({}, {"subdomain": "news"}, "http://news.localhost/"),
            ({}, {"url_scheme": "https"}, "https://localhost/"),
            ({"PREFERRED_URL_SCHEME": "https"}, {}, "https://localhost/"),
            ({"PREFERRED_URL_SCHEME": "https"}, {"url_scheme": "http"}, "http://localhost/"),
            ({"SERVER_NAME": "garden.example:81"}, {}, "http://garden.example:81/"),
            (
                {"SERVER_NAME": "garden.example", "APPLICATION_ROOT": "/app"},
                {"path": "/x", "subdomain": "news"},
                "http://news.garden.example/app/x",
            ),
            ({"APPLICATION_ROOT": "app"}, {"path": "/x"}, "http://localhost/app/x"),
            (
                {"SERVER_NAME": "garden.example"},
                {"path": "https://other.example:44/x?y=z"},
                "https://other.example:44/x?y=z",
            ),
            ({}, {"path": "//other.example/x"}, "http://other.example/x"),
            ({}, {"path": "x"}, "http://localhost/x"),
            (
                {"SERVER_NAME": "garden.example", "APPLICATION_ROOT": "/app"},
                {"base_url": "https://other.example/root"},
                "https://other.example/root/",
            ),
        ],
    )
    def test_the_address_is_made_of_the_configuration_and_what_was_given(
        self, app: Stein, config: dict[str, Any], arguments: dict[str, Any], url: str
    ) -> None:
        app.config.update(config)
        assert EnvironBuilder(app, **arguments).get_request().url == url

    @pytest.mark.parametrize("part", ["subdomain", "url_scheme"])
    def test_a_base_url_and_a_part_of_it_are_too_much(self, app: Stein, part: str) -> None:
        with pytest.raises(TypeError, match=f"{part}='x' was given together with base_url='http:"):
            EnvironBuilder(app, base_url="http://a.example", **{part: "x"})

    def test_json_is_written_as_the_application_does(self, app: Stein) -> None:
        app.json.ensure_ascii = False  # type: ignore[attr-defined]
        builder = EnvironBuilder(app, json={"b": "ü", "a": 1})
        assert builder.input_stream is not None
        assert builder.input_stream.read() == '{"a": 1, "b": "ü"}'.encode()

    def test_further_arguments_are_those_of_the_toolkits_builder(self, app: Stein) -> None:
        environ = EnvironBuilder(app, "/", None, None, None, {"a": "1"}, "PUT").get_environ()
        assert (environ["QUERY_STRING"], environ["REQUEST_METHOD"]) == ("a=1", "PUT")

    def test_a_request_context_of_a_test_is_made_with_it(self, app: Stein) -> None:
        with app.test_request_context("/x", subdomain="news", method="POST", json=[1]):
            assert request.url == "http://news.localhost/x"
            assert request.get_json() == [1]


class TestOpen:
    def test_the_address_is_that_of_the_application(self, app: Stein, client: FlaskClient) -> None:
        app.config["PREFERRED_URL_SCHEME"] = "https"
        assert client.get("/").text == "https://localhost/"
        assert client.get("/", url_scheme="http").text == "http://localhost/"
        assert client.get("http://a.example/?b").text == "http://a.example/?b"

    def test_a_builder_an_environ_or_a_request_can_be_sent(
        self, app: Stein, client: FlaskClient
    ) -> None:
        builder = EnvironBuilder(app, "/", query_string="a=b")
        for each in (builder, builder.get_environ(), builder.get_request()):
            assert client.open(each).text == "http://localhost/?a=b"
        assert builder.environ_base is None

    def test_what_every_request_has_can_be_changed(self, app: Stein, client: FlaskClient) -> None:
        client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
        client.environ_base["HTTP_X_TEST"] = "yes"
        builder = ToolkitBuilder("/", environ_base={"REMOTE_PORT": "99"})
        with client:
            for each in (builder, builder.get_environ(), builder.get_request()):
                client.open(each)
                assert request.remote_addr == "192.0.2.7"
                assert request.headers["X-Test"] == "yes"
            client.get("/", environ_base={"REMOTE_ADDR": "192.0.2.8"})
            assert request.remote_addr == "192.0.2.8"

    def test_json_goes_and_comes_through_the_application(
        self, app: Stein, client: FlaskClient
    ) -> None:
        response = client.post("/echo", json={"b": None})
        assert response.get_json() == {"json": {"b": None}, "type": "application/json"}
        assert response.json_module is app.json

    def test_the_response_is_of_the_applications_class(
        self, app: Stein, client: FlaskClient
    ) -> None:
        kind = type(client.get("/"))
        assert {app.response_class, TestResponse} <= set(kind.__mro__)

    def test_errors_of_the_application_come_out(self, client: FlaskClient) -> None:
        with pytest.raises(LookupError, match="no tank"):
            client.get("/broken")
        with client, pytest.raises(LookupError, match="no tank"):
            client.get("/broken")
        assert client._new_contexts == []

    def test_redirects_are_followed(self, client: FlaskClient) -> None:
        response = client.post("/away/?page=1", follow_redirects=True)
        assert (response.status_code, response.request.path) == (404, "/away/")
        response = client.get("/away/away/echo", follow_redirects=True)
        assert [each.request.path for each in response.history] == ["/away/away/echo", "/away/echo"]
        assert (response.status_code, response.request.path) == (405, "/echo")


class TestUserAgent:
    @pytest.fixture(autouse=True)
    def forget(self) -> Iterator[None]:
        testing._user_agent.cache_clear()
        yield
        testing._user_agent.cache_clear()

    def test_it_is_our_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "stein.dropin", raising=False)
        assert testing._user_agent() == f"stein/{sys.modules['stein'].__version__}"

    def test_where_we_stand_in_for_werkzeug_it_is_the_one_that_tests_know(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import stein.dropin

        monkeypatch.setattr(stein.dropin, "installed", lambda: True)
        monkeypatch.setattr(importlib.metadata, "version", lambda _: "3.1.9")
        assert testing._user_agent() == "Werkzeug/3.1.9"


class TestContext:
    def test_with_the_client_the_last_request_can_be_looked_at(self, client: FlaskClient) -> None:
        with client:
            client.get("/?page=1")
            assert (request.args["page"], g.visits, session["visits"]) == ("1", 1, 1)
            client.get("/?page=2")
            assert (request.args["page"], g.visits, session["visits"]) == ("2", 2, 2)
        assert not has_app_context()

    def test_without_it_nothing_is_kept(self, client: FlaskClient) -> None:
        client.get("/")
        assert not has_app_context()
        with client:
            pass
        client.get("/")
        assert not has_app_context()

    def test_after_redirects_it_is_the_last_one(self, client: FlaskClient) -> None:
        with client:
            client.get("/away/away/", follow_redirects=True)
            assert request.path == "/away/"
            assert session["way"] == ["away/"]

    def test_teardown_does_not_wait_until_then(self, app: Stein, client: FlaskClient) -> None:
        seen = []
        app.teardown_request(lambda _: seen.append(request.args["page"]))
        with client:
            client.get("/?page=1")
            assert seen == ["1"]
            client.get("/?page=2")
            assert seen == ["1", "1", "2"]  # once more, as the context was pushed once more
        assert seen == ["1", "1", "2", "2"]

    def test_after_an_error_there_is_none(self, client: FlaskClient) -> None:
        with client:
            client.get("/")
            with pytest.raises(LookupError):
                client.get("/broken")
            assert not has_request_context()
            client.get("/?after")
            assert request.query_string == b"after"

    def test_inside_of_another_context_that_one_comes_back(
        self, app: Stein, client: FlaskClient
    ) -> None:
        with app.test_request_context("/outer"):
            with client:
                client.get("/")
                assert request.path == "/"
            assert request.path == "/outer"

    def test_two_clients_can_be_nested_and_one_cannot(self, app: Stein) -> None:
        one, two = app.test_client(), app.test_client()
        with one:
            one.get("/?one")
            with two:
                two.get("/?two")
                assert request.query_string == b"two"
            assert request.query_string == b"one"
            with pytest.raises(RuntimeError, match="Cannot nest client invocations"), one:
                pass

    def test_the_client_can_be_used_with_with_again(self, client: FlaskClient) -> None:
        for _ in range(2):
            with client as same:
                assert same is client
                client.get("/")
                assert request.path == "/"


class TestSessionTransaction:
    def test_a_session_can_be_made_before_the_request(self, client: FlaskClient) -> None:
        with client.session_transaction() as made:
            made["visits"] = 41
        with client:
            client.get("/")
            assert g.visits == 42
        with client.session_transaction() as found:
            assert found["visits"] == 42

    def test_it_is_not_saved_if_the_block_fails(self, client: FlaskClient) -> None:
        def fail() -> None:
            with client.session_transaction() as made:
                made["visits"] = 41
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        with client.session_transaction() as found:
            assert "visits" not in found

    def test_the_block_sees_the_context_around_it(self, app: Stein, client: FlaskClient) -> None:
        with app.test_request_context("/outer"), client.session_transaction() as made:
            assert request.path == "/outer"
            assert session is not made
        with client.session_transaction():
            assert not has_app_context()

    def test_the_cookie_is_one_of_the_host_that_was_said(
        self, app: Stein, client: FlaskClient
    ) -> None:
        with client.session_transaction(base_url="http://a.example") as made:
            made["visits"] = 1
        assert client.get_cookie("session", domain="a.example") is not None
        with client.session_transaction() as found:
            assert "visits" not in found
        with client.session_transaction(base_url="http://a.example") as found:
            assert found["visits"] == 1
        app.config["SERVER_NAME"] = "garden.example"
        app.config["SESSION_COOKIE_PATH"] = "/app"
        with client.session_transaction(subdomain="news") as made:
            made["visits"] = 2
        assert client.get_cookie("session", "news.garden.example", "/app") is not None

    def test_a_session_that_was_emptied_takes_its_cookie_away(self, client: FlaskClient) -> None:
        client.get("/")
        assert client.get_cookie("session") is not None
        with client.session_transaction() as found:
            found.clear()
        assert client.get_cookie("session") is None

    def test_without_cookies_there_is_none(self, app: Stein) -> None:
        client = app.test_client(use_cookies=False)
        with pytest.raises(TypeError, match=r"Cookies are disabled\."):
            client.session_transaction().__enter__()

    def test_without_a_secret_key_the_error_says_so(self, app: Stein, client: FlaskClient) -> None:
        app.config["SECRET_KEY"] = None
        with pytest.raises(RuntimeError, match=r"did not open a session .*SECRET_KEY"):
            client.session_transaction().__enter__()

    def test_a_null_session_is_not_saved(
        self, app: Stein, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        interface = app.session_interface
        null = interface.make_null_session(app)
        monkeypatch.setattr(interface, "open_session", lambda *_: null)
        with client.session_transaction() as found:
            assert found is null
        assert client.get_cookie("session") is None

    def test_a_client_with_an_address_of_its_own_uses_that(self, app: Stein) -> None:
        client = app.test_client(base_url="http://a.example/")
        with client.session_transaction() as made:
            made["visits"] = 1
        assert client.get_cookie("session", domain="a.example") is not None
        with client:
            assert client.get("/").text == "http://a.example/"
            assert g.visits == 2
            assert client.get("/", base_url="http://b.example").text == "http://b.example/"


class TestClasses:
    def test_the_application_says_which_class_its_clients_are(self, app: Stein) -> None:
        class OwnClient(FlaskClient):
            def __init__(self, *args: Any, user: str, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.user = user

        app.test_client_class = OwnClient
        client: Any = app.test_client(user="anna")
        assert client.user == "anna"
        assert client.application is app
        assert isinstance(client, Client)

    def test_a_request_made_here_is_the_toolkits(self, client: FlaskClient) -> None:
        assert type(client.get("/").request) is Request


class TestFlaskCliRunner:
    @pytest.fixture
    def runner(self, app: Stein) -> FlaskCliRunner:
        @app.cli.command("greet")
        @click.argument("name")
        def greet(name: str) -> None:
            click.echo(f"Hello {name}")

        return app.test_cli_runner()

    def test_it_runs_the_applications_commands(self, runner: FlaskCliRunner) -> None:
        assert runner.invoke(args=["greet", "anna"]).output == "Hello anna\n"
        assert runner.invoke(args="greet otto").output == "Hello otto\n"

    def test_a_command_is_told_which_application_it_is_for(
        self, app: Stein, runner: FlaskCliRunner
    ) -> None:
        @click.command()
        @click.pass_obj
        def which(info: ScriptInfo) -> None:
            assert info.load_app() is app
            click.echo("this one")

        assert runner.invoke(which).output == "this one\n"

    def test_or_whatever_the_test_says(self, app: Stein, runner: FlaskCliRunner) -> None:
        @click.command()
        @click.pass_obj
        def which(info: object) -> None:
            click.echo(str(info))

        assert runner.invoke(which, obj="another").output == "another\n"

    def test_the_application_says_which_class_it_is(self, app: Stein) -> None:
        class OwnRunner(FlaskCliRunner):
            pass

        app.test_cli_runner_class = OwnRunner
        assert type(app.test_cli_runner(charset="latin-1")) is OwnRunner


def test_a_client_of_an_extension_can_have_a_request_made(app: Stein) -> None:
    """As Flask-SocketIO does, to have the cookies of a client on its own connection."""
    client = app.test_client()
    made = client._request_from_builder_args(("/ws",), {"query_string": "a=1"})
    assert (made.path, made.environ["QUERY_STRING"]) == ("/ws", "a=1")
    assert made.environ["REMOTE_ADDR"] == "127.0.0.1"
