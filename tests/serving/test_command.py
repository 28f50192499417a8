"""The command ``stein``: its flags, its errors, its signals."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from click.testing import CliRunner

import stein
from stein.errors import BindError
from stein.server.settings import GROUPS, Settings
from stein.serving import command, serve
from stein.serving import supervise as module_of_supervise
from stein.serving.load import flags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""


class FakeServer:
    """Stands for the server: records what it was told, and stops when it was told to."""

    made: ClassVar[list[FakeServer]] = []
    on_serve: ClassVar[Callable[[FakeServer], object]] = staticmethod(lambda _server: None)
    fault: ClassVar[Exception | None] = None

    def __init__(
        self, app: Any, settings: Settings, *, observer: Any, metrics: Any, name: str
    ) -> None:
        self.app, self.settings, self.observer, self.name = app, settings, observer, name
        self.addresses = ["http://127.0.0.1:5000"]
        self.board = SimpleNamespace(read=lambda: None)
        self.events: list[object] = []
        FakeServer.made.append(self)

    def start(self) -> None:
        if self.fault:
            raise self.fault
        self.events.append("start")

    def serve(self) -> None:
        self.events.append("serve")
        FakeServer.on_serve(self)

    def request_stop(self, graceful: float | None = None) -> None:
        self.events.append(("stop", graceful))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeServer]:
    monkeypatch.setattr(serve, "Server", FakeServer)
    monkeypatch.setattr(serve, "raise_file_limit", lambda: None)
    monkeypatch.setattr(serve, "configure_error_log", lambda *_: None)
    monkeypatch.setattr(FakeServer, "made", [])
    for name in list(os.environ):
        if name.startswith("STEIN_"):
            monkeypatch.delenv(name)
    return FakeServer


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "shop_of_command.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def code_of(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        command.main("stein", args)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def settings_of(fake: type[FakeServer], *args: str) -> Settings:
    assert code_of("serve", "shop_of_command:app", *args) == 0
    return fake.made[-1].settings


# -- help and version ---------------------------------------------------------------------------


def test_the_help_lists_every_setting_under_its_group() -> None:
    result = CliRunner().invoke(command.cli, ["serve", "--help"], terminal_width=100)
    assert result.exit_code == 0
    sections = re.split(r"^(\w+):$", result.output, flags=re.MULTILINE)
    by_group = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert list(by_group) == ["Options", *GROUPS]
    for item in dataclasses.fields(Settings):
        for flag in flags_of(item):
            assert flag in by_group[item.metadata["group"]]
    assert "--app-dir" in by_group["Options"]


@pytest.mark.parametrize("args", [["--version"], ["serve", "--version"]])
def test_the_version(args: list[str]) -> None:
    result = CliRunner().invoke(command.cli, args)
    assert result.output.startswith(f"stein {stein.__version__} (")


def test_without_arguments_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of() == 0
    assert "serve" in capsys.readouterr().out


# -- settings -----------------------------------------------------------------------------------


def test_flags_become_settings(fake: type[FakeServer], folder: Path) -> None:
    settings = settings_of(
        fake, "--threads", "4", "-b", ":80", "-b", "unix:/x", "--request-buffering", "off",
        "--unix-mode", "600", "--limit-body", "2m", "--keep-alive", "500ms", "--no-access-log",
    )  # fmt: skip
    assert settings == Settings(
        threads=4, bind=(":80", "unix:/x"), request_buffering=False, unix_mode=0o600,
        limit_body=2 << 20, keep_alive=0.5, access_log="off",
    )  # fmt: skip
    server = fake.made[-1]
    assert server.events == ["start", "serve"]
    assert server.observer is None
    assert server.app.__module__ == "shop_of_command"


def test_the_environment_becomes_settings(
    fake: type[FakeServer], folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("STEIN_THREADS", "4")
    monkeypatch.setenv("STEIN_BACKLOOG", "4")
    assert settings_of(fake).threads == 4
    assert settings_of(fake, "--threads", "5").threads == 5
    warning = "stein: warning: STEIN_BACKLOOG is no setting; did you mean STEIN_BACKLOG?\n"
    assert warning in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "bind"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0:5000"),
        (["-p", "8000"], "127.0.0.1:8000"),
        (["--host", "::1", "--port", "0"], "[::1]:0"),
        (["--host", "", "--port", "80"], ":80"),
    ],
)
def test_host_and_port_are_short_for_bind(
    fake: type[FakeServer], folder: Path, args: list[str], bind: str
) -> None:
    assert settings_of(fake, *args).bind == (bind,)


def test_the_banner_goes_to_stderr_and_lines_to_stdout(
    fake: type[FakeServer], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settings_of(fake, "--access-log", "json").access_log == "json"
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.count("\n") == 6
    assert fake.made[-1].observer is not None
    assert fake.made[-1].name == "shop_of_command:app"


# -- errors: one line ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["serve"], 2, "no application was named: stein serve module:app"),
        (["sreve"], 2, "No such command 'sreve'"),
        (["serve", "--threds", "1", "a"], 2, "--threds"),
        (["serve", "a", "--threads", "x"], 2, "--threads x: must be a whole number"),
        (["serve", "a", "--port", "99999"], 2, "--port 99999: must be a number from 0 to 65535"),
        (["serve", "a", "-b", ":1", "-p", "2"], 2, "--port and --bind both say where to listen"),
        (["serve", "a", "--proxy-protocol"], 2, "(proxy_protocol is from --proxy-protocol)"),
        (["serve", "shop_of_command:app", "--access-log-file", "no/such"], 2, "not exist"),
        (["serve", "shop_of_command:appp"], 1, "did you mean app?"),
        (["serve", "nowhere:app"], 1, "no module named 'nowhere'"),
    ],
)
def test_an_error_is_one_line(
    *, fake: type[FakeServer], folder: Path, capsys: pytest.CaptureFixture[str],
    args: list[str], code: int, message: str,
) -> None:  # fmt: skip
    if "--access-log-file" in args:
        args = [*args, "--access-log", "json"]
    assert code_of(*args) == code
    text = capsys.readouterr().err
    assert re.fullmatch(r"stein: error: [^\n]*\n", text)
    assert message in text


def test_an_application_that_fails_brings_its_traceback(
    fake: type[FakeServer], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "broken_of_command.py"
    path.write_text("\nimport surely_missing\n")
    assert code_of("serve", "broken_of_command") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "Traceback (most recent call last):", f'  File "{path}", line 2, in <module>'
    ]  # fmt: skip
    assert lines[-1] == (
        f"stein: error: broken_of_command cannot be imported: {path}:2: ModuleNotFoundError: "
        "No module named 'surely_missing'"
    )


def test_a_server_that_cannot_start_is_one_line(
    fake: type[FakeServer], folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(fake, "fault", BindError("127.0.0.1:5000 is in use"))
    assert code_of("serve", "shop_of_command:app") == 2
    assert capsys.readouterr().err == "stein: error: 127.0.0.1:5000 is in use\n"


# -- signals ------------------------------------------------------------------------------------


def test_signals_become_requests_to_the_server(
    fake: type[FakeServer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def three_signals(_server: FakeServer) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGUSR1):
            signal.raise_signal(number)

    monkeypatch.setattr(fake, "on_serve", staticmethod(three_signals))
    settings_of(fake)
    stops = [event for event in fake.made[-1].events if isinstance(event, tuple)]
    assert stops == [("stop", 30.0), ("stop", 30.0), ("stop", 0.0)]
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_file_limit_is_raised() -> None:
    program = (
        "import resource as r; from stein.serving.serve import raise_file_limit as f;"
        "h = r.getrlimit(r.RLIMIT_NOFILE)[1]; r.setrlimit(r.RLIMIT_NOFILE, (64, h)); f();"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0] > 64)"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert result.stdout == b"True\n"


# -- the real thing -----------------------------------------------------------------------------


@contextmanager
def serving(folder: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``python -m stein serve`` and yield it with the address its banner tells."""
    environ = {name: value for name, value in os.environ.items() if name[:6] != "STEIN_"}
    environ["PYTHONPATH"] = str(Path(stein.__file__).parents[1])  # where it is not installed
    process = subprocess.Popen(
        [sys.executable, "-m", "stein", "serve", "shop_of_command:app", "-p", "0", *args],
        cwd=folder, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        head = [process.stderr.readline() for _ in range(6)]
        found = re.search(r"http://\S+", "".join(head))
        assert found, "".join(head) + (process.stderr.read() if process.poll() else "")
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.live
@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_logs_and_stops(folder: Path, threads: str, number: signal.Signals) -> None:
    options = ("--threads", threads, "--access-log", "combined")
    with serving(folder, *options) as (process, address):
        with urllib.request.urlopen(f"{address}/path", timeout=20) as response:
            assert response.read() == b"hello"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert re.search(r'"GET /path HTTP/1\.1" 200 5 .* outcome=ok\n', out)
    assert "Traceback" not in err


@pytest.mark.live
def test_a_rotated_log_is_opened_anew(folder: Path) -> None:
    log = folder / "access.log"
    with serving(folder, "--access-log-file", str(log)) as (process, address):
        log.rename(folder / "old.log")
        process.send_signal(signal.SIGUSR1)
        while not log.exists():
            assert process.poll() is None
        urllib.request.urlopen(f"{address}/new", timeout=20).close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert "GET /new" in log.read_text()


def test_the_light_group_lists_serve() -> None:
    result = CliRunner().invoke(command.cli, ["--help"])
    assert re.search("  serve +Serve the WSGI application", result.output)
    assert CliRunner().invoke(command.cli, ["other"]).exit_code == 2


# -- configuration files, checks and gunicorn's flags ---------------------------------------------


def test_a_configuration_file_is_read_from_here(fake: type[FakeServer], folder: Path) -> None:
    (folder / "stein.toml").write_text('app = "shop_of_command:app"\nthreads = 3\n')
    assert code_of("serve") == 0
    assert fake.made[-1].settings.threads == 3
    assert code_of("serve", "-c", "off", "shop_of_command:app") == 0
    assert fake.made[-1].settings.threads == 16


def test_flags_of_gunicorn_are_understood(fake: type[FakeServer], folder: Path) -> None:
    settings = settings_of(fake, "--timeout", "9", "--keep-alive", "3", "--access-logfile", "log")
    assert (settings.request_timeout, settings.keep_alive) == (9.0, 3.0)
    assert settings.access_log_file == "log"


def test_all_mistakes_are_told_one_a_line(
    fake: type[FakeServer], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of("serve", "a:b", "--thraeds", "4", "--threads", "x", "-D", "--backlog=0") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].partition(": ")[2].partition(":")[0] for line in lines] == [
        "--thraeds", "-D", "--threads x", "--backlog 0",
    ]  # fmt: skip
    assert code_of("serve", "a:b", "c:d", "--thraeds") == 2
    assert capsys.readouterr().err.splitlines() == [
        "stein: error: --thraeds: there is no such flag; did you mean --threads?",
        "stein: error: Got unexpected extra argument (c:d)",
    ]


def test_a_check_starts_nothing(
    fake: type[FakeServer], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of("serve", "shop_of_command:app", "--check-config") == 0
    assert capsys.readouterr().out == "stein: nothing is wrong with this configuration\n"
    assert code_of("serve", "shop_of_command:nothing", "--check-config") == 1
    assert code_of("serve", "shop_of_command:app", "--chdir", "none") == 2
    assert "--chdir: chdir='none': No such file" in capsys.readouterr().err
    assert code_of("serve", "--print-config") == 0
    assert "threads = 16" in capsys.readouterr().out
    assert fake.made == []


def test_a_folder_and_variables_come_before_the_application(
    fake: type[FakeServer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "inside").mkdir()
    monkeypatch.delenv("OF_COMMAND", raising=False)
    args = ("--chdir", "inside", "--app-dir", "..", "-e", "OF_COMMAND=1")
    settings_of(fake, *args)
    assert Path.cwd() == folder / "inside"
    assert os.environ.pop("OF_COMMAND") == "1"


@pytest.mark.parametrize(
    "args", [["-w", "1"], ["--user", str(os.getuid())], ["-c", "gunicorn.conf.py"]]
)
def test_what_only_a_parent_can_see_to_starts_one(
    fake: type[FakeServer], folder: Path, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    (folder / "gunicorn.conf.py").write_text("workers = 2\n")
    plans: list[Any] = []
    rereads: list[Any] = []

    def supervise(plan: Any, *, reread: Any, **_more: Any) -> int:
        plans.append(plan)
        rereads.append(reread)
        return 7

    monkeypatch.setattr(module_of_supervise, "supervise", supervise)
    assert code_of("serve", "shop_of_command:app", *args) == 7
    (folder / "stein.toml").write_text("threads = 5\nbacklog = 9\n")
    plan = rereads[0]()
    assert plan.target == plans[0].target == "shop_of_command:app"
    if "-c" not in args:
        assert (plan.settings.threads, plans[0].settings.threads) == (5, 16)
