"""``run_simple`` and ``make_server``: Werkzeug's signatures, our server."""

from __future__ import annotations

import inspect
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

import stein
from stein.errors import BindError, CertificateError
from stein.server import Server
from stein.serving import run
from stein.serving.run import make_server, run_simple, settings_for
from tests.server.certificates import Certificates

if TYPE_CHECKING:
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


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    made = Certificates(tmp_path_factory.mktemp("tls"))
    return str(made.localhost), str(made.key_of(made.localhost))


def trusting(pair: tuple[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pair[0])


class FakeServer:
    """Stands for the server: records what it was told, and is finished at once."""

    made: ClassVar[list[FakeServer]] = []

    def __init__(self, application: Any, settings: Any, *, observer: Any, tls: Any) -> None:
        self.application, self.settings = application, settings
        self.observer, self.tls = observer, tls
        self.addresses = [f"http://{settings.bind[0]}"]
        self.port = 5000
        FakeServer.made.append(self)

    def start(self) -> None: ...

    def serve(self) -> None: ...

    def request_stop(self, graceful: float) -> None: ...


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeServer]:
    monkeypatch.setattr(run, "Server", FakeServer)
    monkeypatch.setattr(run, "configure_error_log", lambda _level: None)
    monkeypatch.setattr(FakeServer, "made", [])
    return FakeServer


# -- what the server is told --------------------------------------------------------------------


def test_the_parameters_are_werkzeugs() -> None:
    assert list(inspect.signature(run_simple).parameters) == [
        "hostname", "port", "application", "use_reloader", "use_debugger", "use_evalex",
        "extra_files", "exclude_patterns", "reloader_interval", "reloader_type", "threaded",
        "processes", "request_handler", "static_files", "passthrough_errors", "ssl_context",
    ]  # fmt: skip
    assert list(inspect.signature(make_server).parameters) == [
        "host", "port", "app", "threaded", "processes", "request_handler", "passthrough_errors",
        "ssl_context", "fd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("localhost", "localhost:5000"),
        ("::1", "[::1]:5000"),
        ("", ":5000"),
        ("unix:///run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_host_and_port_become_an_address(host: str, bind: str, fake: type[FakeServer]) -> None:
    run_simple(host, 5000, app)
    assert fake.made[0].settings.bind == (bind,)


def test_threads_are_many_or_one(fake: type[FakeServer]) -> None:
    run_simple("localhost", 5000, app, threaded=True)
    run_simple("localhost", 5000, app)
    assert [server.settings.threads for server in fake.made] == [16, 1]


def test_other_settings_come_from_the_environment(
    fake: type[FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_simple("localhost", 5000, app, threaded=True)
    assert fake.made[0].settings.graceful_timeout == 1.0
    monkeypatch.setenv("STEIN_THREADS", "3")
    monkeypatch.setenv("STEIN_GRACEFUL_TIMEOUT", "7s")
    monkeypatch.setenv("STEIN_ACCESS_LOG", "off")
    monkeypatch.setenv("STEIN_BIND", ":1")
    run_simple("localhost", 5000, app, threaded=True)
    settings = fake.made[1].settings
    assert (settings.threads, settings.graceful_timeout) == (3, 7.0)
    assert settings.bind == ("localhost:5000",)
    assert fake.made[1].observer is None


def test_static_files_are_put_before_the_application(fake: type[FakeServer]) -> None:
    run_simple("localhost", 5000, app, static_files={"/here": str(Path(__file__).parent)})
    client = fake.made[0].application
    status: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/here/{Path(__file__).name}"}
    body = client(environ, lambda code, _headers: status.append(code))
    assert status == ["200 OK"]
    body.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"use_reloader": True}, "not there yet: reloader. "),
        ({"use_reloader": True, "use_debugger": True}, "reloader and debugger. "),
        ({"processes": 4}, "4 processes. "),
        ({"request_handler": FakeServer}, "request handler FakeServer. "),
        ({"passthrough_errors": True}, "passing errors through. "),
    ],
)
def test_what_is_not_there_yet_is_told_and_not_feigned(
    *, options: dict[str, Any], words: str, fake: type[FakeServer],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run_simple("localhost", 5000, app, **options)
    lines = [line for line in capsys.readouterr().err.splitlines() if "not there yet" in line]
    assert len(lines) == 1
    assert words in lines[0]


def test_nothing_is_missed_that_was_not_asked_for(
    fake: type[FakeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    run_simple("localhost", 5000, app)
    assert capsys.readouterr().err == (
        " * Running on http://localhost:5000\n"
        f"   stein {stein.__version__}, 1 thread, one request at a time; press Ctrl-C to stop\n"
    )


@pytest.mark.parametrize(
    ("outside", "urls"),
    [
        ("203.0.113.9", ["http://127.0.0.1:5000", "http://203.0.113.9:5000"]),
        ("127.0.0.1", ["http://127.0.0.1:5000"]),
        (None, ["http://127.0.0.1:5000"]),
    ],
)
def test_all_addresses_are_told_as_those_one_can_type(
    outside: str | None, urls: list[str], fake: type[FakeServer],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(run, "address_in_the_net", lambda: outside)
    run_simple("0.0.0.0", 5000, app)
    assert re.findall(r"Running on (\S+)", capsys.readouterr().err) == urls


def test_the_address_in_the_net_is_one_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run.address_in_the_net()
    assert found is None or socket.inet_aton(found)

    def refuse(_self: object, _address: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert run.address_in_the_net() is None


# -- mistakes -----------------------------------------------------------------------------------


def test_wrong_arguments_are_the_callers_to_mend() -> None:
    with pytest.raises(TypeError, match="port must be a whole number, not '5000'"):
        run_simple("localhost", "5000", app)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="it can be one of the two only"):
        run_simple("localhost", 0, app, threaded=True, processes=2)
    with pytest.raises(TypeError, match="needs the application"):
        make_server("localhost", 0)


@pytest.mark.parametrize(
    ("port", "options", "words"),
    [
        (65536, {}, "port 65536: must be a number from 0 to 65535"),
        (0, {"ssl_context": ("no.crt", "no.key")}, "TLS file 'no.crt' does not exist"),
        (0, {"ssl_context": 7}, "ssl_context=7 is no ssl.SSLContext"),
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


# -- TLS ----------------------------------------------------------------------------------------


def fetch(port: int, context: ssl.SSLContext | None = None) -> str:
    scheme = "http" if context is None else "https"
    url = f"{scheme}://localhost:{port}/"
    with urllib.request.urlopen(url, timeout=20, context=context) as response:
        return str(response.read().decode())


@contextmanager
def serving(**options: Any) -> Iterator[int]:
    with make_server("127.0.0.1", 0, app, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.port
        finally:
            server.shutdown()
            thread.join()


def test_https_with_the_files_of_a_certificate(pair: tuple[str, str]) -> None:
    with serving(ssl_context=pair, threaded=True) as port:
        assert fetch(port, trusting(pair)) == "https True"


def test_https_with_a_context_of_ones_own(pair: tuple[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    with serving(ssl_context=context) as port:
        assert fetch(port, trusting(pair)) == "https False"


def test_a_certificate_with_its_key_in_one_file(pair: tuple[str, str], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(Path(name).read_bytes() for name in pair))
    settings, context = settings_for("localhost", 0, False, 1, (str(both), None))
    assert (settings.certfile, settings.keyfile, context) == (str(both), None, None)


def test_a_certificate_on_the_spot_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(CertificateError, match="pip install cryptography"):
        make_server("localhost", 0, app, ssl_context="adhoc")


def test_a_certificate_on_the_spot(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from stein.serving.certificates import make_ssl_devcert

    files = make_ssl_devcert(str(tmp_path / "dev"), host="localhost")
    assert Path(files[1]).stat().st_mode & 0o777 == 0o600
    assert make_ssl_devcert(str(tmp_path / "dev"), cn="localhost") == files
    with serving(ssl_context=files) as port:
        assert fetch(port, trusting(files)) == "https False"
    with serving(ssl_context="adhoc") as port:
        # Nobody has signed it.
        context = ssl._create_unverified_context()  # noqa: S323
        assert fetch(port, context) == "https False"


# -- a server as an object ----------------------------------------------------------------------


def test_a_server_listens_from_the_beginning_and_stops() -> None:
    with make_server("127.0.0.1", 0, app) as server:
        assert server.server_address == ("127.0.0.1", server.port)
        assert server.server_port == server.port > 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_server_takes_over_a_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd = listening.detach()
    with make_server("ignored", 0, app, fd=fd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert fetch(server.port) == "http False"
        server.shutdown()
        thread.join()


def test_it_can_be_run_in_a_thread_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEIN_ACCESS_LOG", "off")
    started = threading.Event()
    servers: list[Any] = []

    class Noted(Server):
        def start(self) -> None:
            super().start()
            servers.append(self)
            started.set()

    monkeypatch.setattr(run, "Server", Noted)
    thread = threading.Thread(target=run_simple, args=("127.0.0.1", 0, app))
    thread.start()
    assert started.wait(20)
    assert fetch(servers[0].port) == "http False"
    servers[0].stop()
    thread.join(20)
    assert not thread.is_alive()


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
