"""``run_simple``: what it makes of its parameters, and the programs that call it."""

from __future__ import annotations

import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import stein
from stein.bequest import given
from stein.errors import BindError
from stein.serving import certificates, run
from stein.serving.devserver import BaseWSGIServer
from stein.serving.reloader import child
from stein.serving.reloader.live import without_questions
from stein.serving.run import run_simple
from stein.toolkit.debugger import DebuggedApplication, pin

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, StartResponse


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['wsgi.url_scheme']} {environ['wsgi.multithread']}".encode()]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("STEIN_"):
            monkeypatch.delenv(name)


class Recorder:
    """Stands for the server that ``run_simple`` makes: knows what it was told, and ends at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.servers: list[BaseWSGIServer] = []
        make = run.make_server
        monkeypatch.setattr(BaseWSGIServer, "_serve", lambda _self, *, signals: None)

        def record(*args: Any) -> BaseWSGIServer:
            self.servers.append(make(*args))
            return self.servers[-1]

        monkeypatch.setattr(run, "make_server", record)

    @property
    def last(self) -> BaseWSGIServer:
        return self.servers[-1]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder(monkeypatch)
    yield recorder
    for server in recorder.servers:
        server.server_close()


# -- what the server is told --------------------------------------------------------------------


def test_the_parameters_are_werkzeugs_and_two_of_our_own() -> None:
    assert list(inspect.signature(run_simple).parameters) == [
        "hostname", "port", "application", "use_reloader", "use_debugger", "use_evalex",
        "extra_files", "exclude_patterns", "reloader_interval", "reloader_type", "threaded",
        "processes", "request_handler", "static_files", "passthrough_errors", "ssl_context",
        "live_reload", "show_watched",
    ]  # fmt: skip


def test_threads_are_many_or_one(made: Recorder) -> None:
    run_simple("localhost", 0, app, threaded=True)
    assert (made.last.settings.threads, made.last.multithread) == (64, True)
    run_simple("localhost", 0, app)
    assert (made.last.settings.threads, made.last.multithread) == (1, False)


def test_other_settings_come_from_the_environment(
    made: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_simple("localhost", 0, app, threaded=True)
    assert made.last.settings.graceful_timeout == 1.0
    assert made.last.settings.access_log == "dev"
    monkeypatch.setenv("STEIN_THREADS", "3")
    monkeypatch.setenv("STEIN_GRACEFUL_TIMEOUT", "7s")
    monkeypatch.setenv("STEIN_ACCESS_LOG", "off")
    monkeypatch.setenv("STEIN_BIND", ":1")
    run_simple("127.0.0.1", 0, app, threaded=True)
    settings = made.last.settings
    assert (settings.threads, settings.graceful_timeout) == (3, 7.0)
    assert (settings.bind, settings.access_log) == (("127.0.0.1:0",), "off")


def test_static_files_are_put_before_the_application(made: Recorder) -> None:
    run_simple("localhost", 0, app, static_files={"/here": str(Path(__file__).parent)})
    status: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/here/{Path(__file__).name}"}
    body: Any = made.last.app(environ, lambda code, _headers: status.append(code))
    assert status == ["200 OK"]
    body.close()


def test_the_debugger_is_put_before_the_application_and_told_who_may_use_it(
    made: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    run_simple("localhost", 0, app, use_debugger=True, use_evalex=False)
    debugger: Any = made.last.app
    assert isinstance(debugger, DebuggedApplication)
    assert (debugger.app, debugger.evalex, debugger.bound_to) == (app, False, ["localhost"])
    assert "localhost" in debugger.trusted_hosts
    assert "Debug mode runs whatever is typed into its pages" in capsys.readouterr().err


def test_a_socket_can_be_handed_over_as_werkzeugs_reloader_does(
    made: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    monkeypatch.setenv("WERKZEUG_SERVER_FD", str(listening.detach()))
    run_simple("ignored", 1, app)
    assert made.last.server_address == address
    assert "WERKZEUG_SERVER_FD" not in os.environ
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("what", ["closed", "file", "connection", "ancestor's"])
def test_what_was_not_handed_to_this_process_is_left_alone(
    made: Recorder, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as connection,
        tempfile.TemporaryFile() as file,
    ):
        numbers = {
            "closed": 10**6,
            "file": file.fileno(),
            "connection": connection.fileno(),
            "ancestor's": listening.fileno(),
        }
        monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
        monkeypatch.setenv("WERKZEUG_SERVER_FD", str(numbers.pop(what)))
        if what == "ancestor's":
            monkeypatch.setenv("STEIN_RELOADER", f"7:{os.getpid()}")
        run_simple("127.0.0.1", 0, app)
        assert made.last.port != listening.getsockname()[1]
        for each in (listening, connection, file):
            os.fstat(each.fileno())  # still open


def test_the_variable_that_hides_the_first_lines_needs_no_socket(
    made: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    monkeypatch.delenv("WERKZEUG_SERVER_FD", raising=False)
    run_simple("127.0.0.1", 0, app)
    assert made.last.port > 0
    assert capsys.readouterr().err == ""


# -- the reloader -------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the parent of a reloader was told."""
    from stein.serving.reloader import parent

    told: dict[str, Any] = {}

    def supervise(settings: Any, listeners: Any, options: Any, *, tls: Any) -> int:
        told.update(settings=settings, listeners=listeners, options=options, tls=tls)
        told["port"] = listeners[0].getsockname()[1]
        return 7

    monkeypatch.setattr(parent, "supervise", supervise)
    return told


def test_the_parent_holds_the_socket_and_leaves_with_the_reloaders_code(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_simple(
            "127.0.0.1", 0, app, use_reloader=True, extra_files=["a"], exclude_patterns=["b*"],
            reloader_interval=2, reloader_type="stat", live_reload=True, show_watched=True,
        )  # fmt: skip
    assert caught.value.code == 7
    assert f" * Running on http://127.0.0.1:{told['port']}\n" in capsys.readouterr().err
    options = told["options"]
    assert (options.extra_files, options.exclude_patterns) == (("a",), ("b*",))
    assert (options.interval, options.engine) == (2, "stat")
    assert options.live
    assert options.show_watched
    assert not options.show_errors
    assert told["listeners"][0].fileno() == -1  # closed behind it


def test_the_debuggers_pin_outlasts_a_reload(told: dict[str, Any]) -> None:
    with pytest.raises(SystemExit):
        run_simple("127.0.0.1", 0, app, use_reloader=True, use_debugger=True)
    assert told["options"].show_errors
    assert told["options"].bequest == pin.for_children()


def test_a_certificate_made_on_the_spot_outlasts_a_reload(
    told: dict[str, Any], made: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    with pytest.raises(SystemExit):
        run_simple("127.0.0.1", 0, app, use_reloader=True, ssl_context="adhoc")
    pem = told["options"].bequest[run.CERTIFICATE]
    assert pem.count("-----BEGIN") == 2
    assert made.last.ssl_context is told["tls"]
    made_from: list[str] = []

    def context_from(text: str) -> ssl.SSLContext:
        made_from.append(text)
        return make(text)

    make = certificates.context_from
    monkeypatch.setattr(certificates, "context_from", context_from)
    monkeypatch.setitem(given, run.CERTIFICATE, pem)
    for reloads in (True, False):
        monkeypatch.setattr(child, "is_child", lambda: True)
        run_simple("127.0.0.1", 0, app, use_reloader=reloads, ssl_context="adhoc")
    assert made_from == [pem, pem]


@pytest.mark.parametrize("reloads", [True, False])
def test_the_child_serves_and_tells_its_parent(
    made: Recorder, monkeypatch: pytest.MonkeyPatch, *, reloads: bool
) -> None:
    monkeypatch.setattr(child, "is_child", lambda: True)
    monkeypatch.setattr(child, "instrument", lambda app, *, live: (app, live))
    left: list[bool] = []
    monkeypatch.setattr(child, "leave_if_replaced", lambda: left.append(True))
    run_simple("127.0.0.1", 0, app, use_reloader=reloads, live_reload=True)
    server: Any = made.last
    assert left == [True]
    assert server.app == (app, True)
    assert server.when_serving is child.notify_ready
    assert server.quieten is without_questions


def test_a_server_beside_the_childs_own_is_none_of_the_parents_business(
    made: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "is_child", lambda: True)
    thread = threading.Thread(target=run_simple, args=("127.0.0.1", 0, app))
    thread.start()
    thread.join()
    assert made.last.when_serving is None


# -- mistakes -----------------------------------------------------------------------------------


def test_wrong_arguments_are_the_callers_to_mend() -> None:
    with pytest.raises(TypeError, match="port must be an integer, not '5000'"):
        run_simple("localhost", "5000", app)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="it can be one of the two only"):
        run_simple("localhost", 0, app, threaded=True, processes=2)


@pytest.mark.parametrize(
    ("port", "options", "words"),
    [
        (65536, {}, "port 65536: must be a number from 0 to 65535"),
        (0, {"ssl_context": ("no.crt", "no.key")}, "TLS file 'no.crt' does not exist"),
        (0, {"ssl_context": 7}, "ssl_context=7 is no ssl.SSLContext"),
        (0, {"use_reloader": True, "reloader_type": "magic"}, "'magic' is none of: auto, stat"),
    ],
)
def test_what_cannot_work_is_one_line_and_code_1(
    port: int, options: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_simple("localhost", port, app, **options)
    assert caught.value.code == 1
    err = capsys.readouterr().err
    assert err.startswith("stein: error: ")
    assert words in err
    assert err.count("\n") == 1


def test_a_busy_port_is_told_with_its_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit):
            run_simple("127.0.0.1", port, app)
        err = capsys.readouterr().err
        assert f"cannot bind '127.0.0.1:{port}': the port is in use" in err
        if sys.platform == "linux":
            assert f"by process {os.getpid()}" in err
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "AirPlay" in run.hint(BindError("x"), 5000)
    assert run.hint(BindError("x"), 80) == ""


# -- real processes -----------------------------------------------------------------------------

SHOP = """
from stein import Stein
import click

app = Stein(__name__)

@app.get("/")
def index():
    return "hello"

@app.cli.command()
@click.argument("name")
def greet(name):
    click.echo(f"hello {name} from {app.name}")

@app.cli.command()
def fail():
    raise KeyError("mine")
"""


def environ() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STEIN_", "FLASK_", "WERKZEUG_", "PYTHONSTARTUP"))
    }
    return kept | {"PYTHONPATH": str(Path(stein.__file__).parents[1])}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop_p.py").write_text(SHOP)
    return tmp_path


def start(folder: Path, *args: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, *args], cwd=folder, env=environ(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    head = process.stderr.readline()
    found = re.search(r"Running on (\S+)", head)
    if not found:
        process.kill()
        pytest.fail(head + process.communicate()[1])
    return process, found[1]


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("args", [[], ["--debug", "--without-threads"]])
def test_stein_run_serves_and_stops(folder: Path, number: signal.Signals, args: list[str]) -> None:
    process, url = start(folder, "-m", "stein", "--app", "shop_p", "run", "-p", "0", *args)
    with process:
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                assert response.read() == b"hello"
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert " * Serving app 'shop_p'\n" in out
    assert "Traceback" not in err


@pytest.mark.live
def test_app_run_returns_after_ctrl_c(folder: Path) -> None:
    (folder / "main.py").write_text(f"{SHOP}\napp.run(port=0)\nprint('after')\n")
    process, url = start(folder, "main.py")
    with process:
        try:
            urllib.request.urlopen(url, timeout=20).close()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert out.endswith("after\n")


def stein_of(folder: Path, *args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stein", *args], cwd=folder, env=environ(), input=text, text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.live
def test_the_commands_of_a_beginner(folder: Path) -> None:
    routes = stein_of(folder, "--app", "shop_p", "routes")
    assert (routes.returncode, routes.stderr) == (0, "")
    assert routes.stdout.startswith("Endpoint  Methods  Rule\n")
    shell = stein_of(folder, "--app", "shop_p", "shell", text="print(app.name, 6 * 7)\n")
    assert shell.returncode == 0
    assert "shop_p 42" in shell.stdout
    greet = stein_of(folder, "--app", "shop_p", "greet", "ada")
    assert (greet.returncode, greet.stdout) == (0, "hello ada from shop_p\n")
    explain = stein_of(folder, "--app", "shop_p", "routes", "--explain", "GET /")
    assert re.search(r"^  view +index\(\) +shop_p\.py:7$", explain.stdout, re.MULTILINE)


@pytest.mark.live
def test_a_command_that_fails_shows_the_users_lines_only(folder: Path) -> None:
    result = stein_of(folder, "--app", "shop_p", "fail")
    assert result.returncode == 1
    files = re.findall(r'File "([^"]+)"', result.stderr)
    assert files == [str(folder / "shop_p.py")]
    assert result.stderr.endswith("shop_p.py:18: KeyError: 'mine'\n")
