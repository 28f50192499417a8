"""From an application to a server that runs it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from stein.errors import BindError, ConfigurationError
from stein.serving import run as serving_run
from stein.web import running
from stein.web.app import Stein
from stein.web.context import has_app_context
from stein.web.globals import g, request, session
from stein.web.streaming import stream_with_context

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def app() -> Stein:
    app = Stein(__name__)
    app.config["SECRET_KEY"] = b"of these tests"

    @app.get("/")
    def index() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return f"{request.url} {session['visits']} {request.user_agent.string.partition('/')[0]}"

    return app


class TestServe:
    def test_the_server_answers_where_it_says(self, app: Stein) -> None:
        with app.serve() as server:
            assert server.url == f"http://{server.host}:{server.port}"
            assert server.host == "127.0.0.1"
            with urlopen(server.url) as answer:
                assert answer.status == 200
                assert answer.read().startswith(server.url.encode())
            assert repr(server) == f"<LiveApp {app.name!r} {server.url}>"

    def test_it_can_be_started_and_stopped_without_a_block(self, app: Stein) -> None:
        server = app.serve(threads=1)
        assert repr(server) == f"<LiveApp {app.name!r} not started>"
        server.start()
        client = server.client()
        assert client.get("/").status_code == 200
        server.shutdown()
        with pytest.raises(ConnectionError, match="nothing listens there"):
            client.get("/")

    def test_the_address_can_be_chosen(self, app: Stein) -> None:
        with (
            app.serve(port=0, host="::1") as server,
            pytest.raises(BindError, match="in use"),
            app.serve(port=server.port, host="[::1]"),
        ):
            pass
        assert server.url == f"http://[::1]:{server.port}"

    def test_settings_are_those_of_the_server(self, app: Stein) -> None:
        with app.serve(limit_request_line=80, bind=("127.0.0.1:0",)) as server:
            assert server.client().get(f"/{'x' * 80}").status_code == 414

    def test_a_setting_that_is_none_is_named_with_those_there_are(self, app: Stein) -> None:
        with pytest.raises(TypeError, match=r"no setting 'thread'; it has: .*\bthreads\b"):
            app.serve(thread=3)
        with pytest.raises(ConfigurationError, match="threads"):
            app.serve(threads=0)

    def test_no_thread_stays(self, app: Stein) -> None:
        before = threading.active_count()
        for threads in (1, 4):
            with app.serve(threads=threads) as server:
                server.client().get("/")
        assert threading.active_count() == before


class TestClient:
    def test_it_has_cookies_and_is_called_as_the_client_of_the_application(
        self, app: Stein
    ) -> None:
        with app.serve() as server:
            client = server.client()
            name = app.test_client().environ_base["HTTP_USER_AGENT"].partition("/")[0]
            assert client.get("/").text == f"{server.url}/ 1 {name}"
            assert client.get("/").text == f"{server.url}/ 2 {name}"
            assert app.test_client(server=server.url).get("/").text == f"{server.url}/ 1 {name}"
            assert client.application is app

    def test_its_session_can_be_looked_at_and_changed(self, app: Stein) -> None:
        with app.serve() as server:
            client = server.client()
            with client.session_transaction() as made:
                made["visits"] = 41
            assert client.get("/").text.split()[1] == "42"
            with client.session_transaction() as found:
                assert found["visits"] == 42

    def test_contexts_stay_in_the_server(self, app: Stein) -> None:
        with app.serve() as server, server.client() as client:
            client.get("/")
            assert not has_app_context()

    def test_redirects_and_json_work_as_in_process(self, app: Stein) -> None:
        @app.post("/go")
        def go() -> Any:
            return app.redirect("/data?a=1")

        @app.get("/data")
        def data() -> Any:
            return request.args

        with app.serve() as server:
            response = server.client().post("/go", json={}, follow_redirects=True)
        assert response.get_json() == {"a": "1"}
        assert len(response.history) == 1

    def test_an_error_of_the_application_is_an_answer_and_is_logged(
        self, app: Stein, caplog: pytest.LogCaptureFixture
    ) -> None:
        @app.get("/broken")
        def broken() -> str:
            raise LookupError("no tank")

        with app.serve() as server:
            response = server.client().get("/broken")
        assert response.status_code == 500
        assert "Internal Server Error" in response.text
        assert "LookupError: no tank" in caplog.text

    def test_requests_are_answered_at_the_same_time(self, app: Stein) -> None:
        barrier = threading.Barrier(4)

        @app.get("/<int:number>")
        def meet(number: int) -> str:
            g.number = number
            barrier.wait(10)
            return str(g.number)

        with app.serve() as server, ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda n: server.client().get(f"/{n}").text, range(4))
            assert list(answers) == ["0", "1", "2", "3"]

    def test_a_stream_gives_its_pieces_as_they_are_made(self, app: Stein) -> None:
        taken = threading.Event()

        @app.get("/stream")
        def stream() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                yield "first"
                assert taken.wait(10)
                yield request.args["last"]

            return generate()

        with app.serve() as server:
            pieces = iter(server.client().get("/stream?last=second").response)
            assert next(pieces) == b"first"
            taken.set()
            assert next(pieces) == b"second"
            assert list(pieces) == []

    def test_when_the_client_goes_away_the_generator_ends_with_its_request(
        self, app: Stein
    ) -> None:
        ended: list[str] = []
        done = threading.Event()
        gone = threading.Event()

        @app.teardown_appcontext
        def teardown(_: BaseException | None) -> None:
            ended.append("teardown")
            done.set()

        @app.get("/stream")
        def stream() -> Iterator[str]:
            @stream_with_context
            def generate() -> Iterator[str]:
                try:
                    yield "first"
                    gone.wait(10)
                    while True:
                        yield "x" * 100_000
                finally:
                    ended.append(request.path)

            return generate()

        with app.serve() as server:
            response = server.client().get("/stream")
            response.close()
            gone.set()
            assert done.wait(10)
        assert ended == ["/stream", "teardown"]


class TestRun:
    @pytest.fixture(autouse=True)
    def called(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What run_simple() was called with; the environment says nothing."""
        for name in ("RUN_FROM_CLI", "DEBUG", "SKIP_DOTENV"):
            for prefix in ("FLASK", "STEIN"):
                # Set first, so that what a test's .env sets is taken back, too.
                monkeypatch.setenv(f"{prefix}_{name}", "")
                monkeypatch.delenv(f"{prefix}_{name}")
        monkeypatch.delenv("WERKZEUG_RUN_MAIN", raising=False)
        calls: list[Any] = []
        monkeypatch.setattr(
            serving_run, "run_simple", lambda *args, **options: calls.append((*args, options))
        )
        return calls

    def test_the_defaults(
        self, app: Stein, called: list[Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        app._got_first_request = True
        app.run()
        options = {"use_reloader": False, "use_debugger": False, "threaded": True}
        assert called == [("127.0.0.1", 5000, app, options)]
        assert f" * Serving app '{app.name}'" in capsys.readouterr().out
        assert not app._got_first_request

    @pytest.mark.parametrize(
        ("server_name", "host", "port", "address"),
        [
            ("garden.example:81", None, None, ("garden.example", 81)),
            ("garden.example", None, None, ("garden.example", 5000)),
            ("garden.example:81", "localhost", None, ("localhost", 81)),
            ("garden.example:81", None, 80, ("garden.example", 80)),
            ("garden.example:81", "", 0, ("garden.example", 0)),
            ("garden.example:0", None, None, ("garden.example", 0)),
            ("[::1]:81", None, None, ("::1", 81)),
            ("[::1]", None, None, ("::1", 5000)),
            (None, "0.0.0.0", "8000", ("0.0.0.0", 8000)),
        ],
    )
    def test_the_address_is_what_was_given_or_the_server_name(  # noqa: PLR0917 - a table
        self,
        app: Stein,
        called: list[Any],
        server_name: str | None,
        host: str | None,
        port: Any,
        address: tuple[str, int],
    ) -> None:
        app.config["SERVER_NAME"] = server_name
        app.run(host, port)
        assert called[0][:2] == address

    def test_debug_mode_brings_reloader_and_debugger(self, app: Stein, called: list[Any]) -> None:
        app.run(debug=True, use_reloader=False, extra_files=["x"])
        assert app.debug is True
        assert called[0][3] == {
            "use_reloader": False,
            "use_debugger": True,
            "threaded": True,
            "extra_files": ["x"],
        }

    def test_the_environment_says_debug_unless_the_call_does(
        self, app: Stein, called: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLASK_DEBUG", "1")
        app.run()
        seen = [app.debug]
        app.run(debug=False)
        seen.append(app.debug)
        monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")
        app.run()
        assert [*seen, app.debug] == [True, False, False]

    def test_dotenv_files_are_read_unless_told_not_to(
        self, app: Stein, called: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        pytest.importorskip("dotenv")
        (tmp_path / ".flaskenv").write_text("FLASK_DEBUG=1\n")
        monkeypatch.chdir(tmp_path)
        app.run(load_dotenv=False)
        seen = [app.debug]
        app.run()
        assert [*seen, app.debug] == [False, True]

    def test_the_port_is_a_number(self, app: Stein) -> None:
        with pytest.raises(ValueError, match="http"):
            app.run(port="http")  # type: ignore[arg-type]

    def test_if_a_command_runs_the_program_it_is_ignored_and_says_so(
        self,
        app: Stein,
        called: list[Any],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
        # The mark is no setting: it has one name, the one that commands write.
        monkeypatch.setenv("STEIN_RUN_FROM_CLI", "0")
        app.run()
        assert called == []
        assert "Ignoring a call to 'app.run()'" in capsys.readouterr().out
        monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
        app.run()
        assert called == []
        assert capsys.readouterr().out == ""

    def test_when_it_ends_with_an_error_the_application_can_be_changed_again(
        self, app: Stein, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(serving_run, "run_simple", fail)
        app._got_first_request = True
        with pytest.raises(KeyboardInterrupt):
            running.run(app)
        assert not app._got_first_request
