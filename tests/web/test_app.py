from __future__ import annotations

import gc
import io
import subprocess
import sys
import weakref
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import stein
from stein.toolkit.exceptions import Aborter, NotFound
from stein.web.app import Flask, Stein
from stein.web.blueprint import Blueprint
from stein.web.config import Config
from stein.web.globals import current_app, g
from stein.web.json.provider import DefaultJSONProvider
from stein.web.response import Response
from stein.web.shortcuts import abort
from stein.web.testing import FlaskClient

if TYPE_CHECKING:
    from pathlib import Path

    from stein.web.request import Request


@pytest.fixture
def app(tmp_path: Path) -> Stein:
    return Stein("here", root_path=str(tmp_path))


class TestConstruction:
    def test_flask_is_another_name_of_the_class(self) -> None:
        assert Flask is Stein is stein.Stein is stein.Flask

    def test_it_takes_the_name_of_its_module(self) -> None:
        assert Stein("package.module", root_path=".").name == "package.module"

    def test_or_of_the_program_that_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        main = sys.modules["__main__"]
        monkeypatch.setattr(main, "__file__", "/somewhere/hello.py", raising=False)
        assert Stein("__main__", root_path=".").name == "hello"
        monkeypatch.delattr(main, "__file__")
        assert Stein("__main__", root_path=".").name == "__main__"

    def test_the_name_can_be_set(self, app: Stein) -> None:
        app.name = "other"
        assert repr(app) == "<Stein 'other'>"

    def test_a_relative_instance_path_is_refused(self) -> None:
        with pytest.raises(ValueError, match="must be absolute, and 'instance' is relative"):
            Stein("here", root_path=".", instance_path="instance")

    def test_settings_are_read_relative_to_the_instance_if_wanted(self, tmp_path: Path) -> None:
        (tmp_path / "settings.py").write_text("ANSWER = 42")
        app = Stein(
            "here", root_path=".", instance_path=str(tmp_path), instance_relative_config=True
        )
        app.config.from_pyfile("settings.py")
        assert app.config["ANSWER"] == 42

    def test_it_can_be_collected_without_a_collector(self) -> None:
        app = Stein("here", root_path=".")
        app.add_url_rule("/", view_func=lambda: "x", endpoint="index")
        app.test_client().get("/").close()
        app.json.dumps({})
        reference = weakref.ref(app)
        gc.collect()
        gc.disable()
        try:
            del app
            assert reference() is None
        finally:
            gc.enable()

    def test_an_empty_one_imports_none_of_what_it_may_never_need(self) -> None:
        code = (
            "import sys; before = set(sys.modules); import stein; app = stein.Stein('x')\n"
            "late = 'jinja2 click itsdangerous blinker asyncio logging inspect pathlib tempfile'\n"
            "print(sorted(set(late.split()) & (set(sys.modules) - before)))"
        )
        found = subprocess.run(
            [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
        )
        assert found.stdout == "[]\n"

    def test_setup_after_the_first_request_says_where_it_belongs(self, app: Stein) -> None:
        app.test_client().get("/")
        for change in (
            lambda: app.add_url_rule("/", view_func=lambda: "x"),
            lambda: app.before_request(lambda: None),
            lambda: app.register_blueprint(Blueprint("b", "b", root_path=".")),
            lambda: app.teardown_appcontext(lambda _: None),
            lambda: app.shell_context_processor(dict),
            lambda: app.template_filter("f"),
        ):
            with pytest.raises(AssertionError, match="has already handled its first request"):
                change()

    def test_something_else_is_no_blueprint(self, app: Stein) -> None:
        with pytest.raises(TypeError, match="module"):
            app.register_blueprint(sys)  # type: ignore[arg-type]


class TestStaticFiles:
    def test_are_served_out_of_their_folder(self, app: Stein, tmp_path: Path) -> None:
        (tmp_path / "static").mkdir()
        (tmp_path / "static" / "a.css").write_text("body {}")
        client = app.test_client()
        with client.get("/static/a.css") as response:
            assert (response.status_code, response.mimetype) == (200, "text/css")
        assert client.get("/static/../secret").status_code == 404
        with app.test_request_context():
            assert app.url_for("static", filename="a.css") == "/static/a.css"

    def test_for_a_host(self, tmp_path: Path) -> None:
        (tmp_path / "static").mkdir()
        (tmp_path / "static" / "a.txt").write_text("x")
        app = Stein("here", root_path=str(tmp_path), static_host="s.test", host_matching=True)
        client = app.test_client()
        with client.get("/static/a.txt", base_url="http://s.test") as response:
            assert response.status_code == 200
        assert client.get("/static/a.txt", base_url="http://other.test").status_code == 404

    @pytest.mark.parametrize(
        "options",
        [
            {"host_matching": True},
            {"static_host": "s.test"},
            {"static_host": "s.test", "static_folder": None},
        ],
    )
    def test_host_and_host_matching_go_together(self, options: dict[str, Any]) -> None:
        with pytest.raises(AssertionError, match="Invalid static_host/host_matching"):
            Stein("here", root_path=".", **options)

    def test_without_a_folder_there_is_no_rule(self) -> None:
        app = Stein("here", root_path=".", static_folder=None)
        assert list(app.url_map.iter_rules()) == []


class TestSettings:
    def test_some_are_attributes_as_well(self, app: Stein) -> None:
        app.testing = True
        app.secret_key = "key"  # noqa: S105 - in a test
        app.permanent_session_lifetime = timedelta(1)
        assert app.config["TESTING"] is True
        assert app.config["SECRET_KEY"] == "key"  # noqa: S105 - in a test
        app.config["PERMANENT_SESSION_LIFETIME"] = 60
        assert app.permanent_session_lifetime == timedelta(seconds=60)

    @pytest.mark.parametrize("name", ["FLASK_DEBUG", "STEIN_DEBUG"])
    def test_debug_mode_comes_from_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        assert not Stein("here", root_path=".").debug
        monkeypatch.setenv(name, "1")
        assert Stein("here", root_path=".").debug

    def test_debug_mode_lets_templates_be_reloaded(self, app: Stein) -> None:
        seen = [app.jinja_env.auto_reload]
        app.debug = True
        seen.append(app.jinja_env.auto_reload)
        app.config["TEMPLATES_AUTO_RELOAD"] = False
        app.debug = False
        seen.append(app.jinja_env.auto_reload)
        assert seen == [False, True, True]

    def test_turning_it_on_makes_no_environment(self, app: Stein) -> None:
        app.debug = True
        assert "jinja_env" not in vars(app)

    def test_the_classes_are_the_applications_choice(self) -> None:
        class MyConfig(Config):
            pass

        class MyAborter(Aborter):
            def __call__(self, *_: Any, **__: Any) -> Any:
                raise NotFound("mine")

        class MyJSON(DefaultJSONProvider):
            sort_keys = False

        class MyClient(FlaskClient):
            pass

        class App(Stein):
            config_class = MyConfig
            aborter_class = MyAborter
            json_provider_class = MyJSON
            test_client_class = MyClient

        app = App("here", root_path=".")
        app.add_url_rule("/json", view_func=lambda: {"b": 1, "a": 2}, endpoint="json")
        app.add_url_rule("/abort", view_func=lambda: abort(418), endpoint="abort")
        client = app.test_client()
        assert type(app.config) is MyConfig
        assert type(client) is MyClient
        assert client.get("/json").text == '{"b":1,"a":2}\n'
        assert "mine" in client.get("/abort").text


class TestResources:
    def test_of_the_instance_can_be_written(self, tmp_path: Path) -> None:
        app = Stein("here", root_path=".", instance_path=str(tmp_path))
        with app.open_instance_resource("notes.txt", "w") as file:
            file.write("ä")
        with app.open_instance_resource("notes.txt") as file:
            assert file.read() == "ä".encode()


class TestTemplates:
    def test_filters_tests_and_functions_are_registered(self, app: Stein) -> None:
        @app.template_filter
        def double(value: int) -> int:
            return 2 * value

        @app.template_filter("triple")
        def three_times(value: int) -> int:
            return 3 * value

        @app.template_test()
        def small(value: int) -> bool:
            return value < 10

        @app.template_global(name="answer")
        def answer_() -> int:
            return 42

        app.add_template_filter(lambda value: -value, "negative")
        app.add_template_test(lambda value: value > 10, "big")
        app.add_template_global(lambda: "x", "letter")
        text = (
            "{{ 2|double }} {{ 2|triple }} {{ 2|negative }} {{ 3 is small }} {{ 3 is big }} "
            "{{ answer() }} {{ letter() }}"
        )
        assert "jinja_env" not in vars(app)  # which would import Jinja
        assert app.jinja_env.from_string(text).render() == "4 6 -2 True False 42 x"
        assert double(1) + three_times(1) == 5
        assert small(1)
        app.add_template_global(lambda: "late", "late")
        assert app.jinja_env.from_string("{{ late() }}").render() == "late"
        assert answer_() == 42

    def test_what_subclasses_override_is_used(self) -> None:
        class App(Stein):
            jinja_options = {"trim_blocks": True}  # noqa: RUF012 - as programs write it

            def select_jinja_autoescape(self, filename: str | None) -> bool:
                return filename == "plain.txt"

            def update_template_context(self, context: dict[str, Any]) -> None:
                super().update_template_context(context)
                context["added"] = "<b>"

        app = App("here", root_path=".")
        assert app.jinja_env.trim_blocks
        with app.app_context():
            assert stein.render_template_string("{{ added }}") == "<b>"


class TestShell:
    def test_its_variables(self, app: Stein) -> None:
        @app.shell_context_processor
        def more() -> dict[str, Any]:
            return {"answer": 42}

        assert app.make_shell_context() == {"app": app, "g": g, "answer": 42}
        assert more() == {"answer": 42}


class TestBlueprints:
    def test_are_listed_in_order(self, app: Stein) -> None:
        for name in "ba":
            app.register_blueprint(Blueprint(name, name, root_path="."))
        assert [each.name for each in app.iter_blueprints()] == ["b", "a"]


class TestServing:
    def test_the_real_server(self, app: Stein) -> None:
        from urllib.request import urlopen

        app.add_url_rule("/", view_func=lambda: current_app.name, endpoint="index")
        with app.serve(port=0) as server, urlopen(f"{server.url}/", timeout=10) as answer:
            assert answer.read() == b"here"

    def test_a_request_of_another_server_is_the_same(self, app: Stein) -> None:
        def view() -> Response:
            return Response(request_class_of(current_app), mimetype="text/plain")

        def request_class_of(app: Stein) -> str:
            kind: type[Request] = app.request_class
            return kind.__name__

        app.add_url_rule("/", view_func=view)
        sent: list[Any] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": True,
        }
        body = app(environ, lambda *args: sent.extend(args))  # type: ignore[arg-type]
        assert b"".join(body) == b"Request"
        assert sent[0] == "200 OK"
