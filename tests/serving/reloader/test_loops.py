"""The names of Werkzeug's reloader."""

from __future__ import annotations

import http.client
import os
import signal
import sys
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ConfigurationError
from stein.serving.reloader import child, loops
from stein.serving.reloader.loops import (
    ReloaderLoop,
    StatReloaderLoop,
    WatchdogReloaderLoop,
    reloader_loops,
    run_with_reloader,
)
from tests.serving.reloader.program import Program, can_bind, eventually

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app.py").write_text("")
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "a.sql").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    return tmp_path


def test_the_paths_that_are_watched_can_be_asked_for(folder: Path) -> None:
    files = loops._find_stat_paths({str(folder / "sql"), str(folder / "x.toml")}, set())
    assert {str(folder / "app.py"), str(folder / "sql" / "a.sql")} <= files
    folders = loops._find_watchdog_paths(set(), {"*/stein/*"})
    assert str(folder) in folders


def test_places_can_be_kept_out_of_the_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "_stat_ignore_scan", (str(folder),))
    assert str(folder / "app.py") not in loops._find_stat_paths(set(), set())


def test_the_command_line_is_the_one_of_the_interpreter() -> None:
    assert loops._get_args_for_reloading() == [sys.executable, *sys.orig_argv[1:]]


def test_a_loop_looks_and_ends_the_process_at_a_change(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "app.py"

    def change(_seconds: float) -> None:
        path.write_text("x = 1\n")

    monkeypatch.setattr(loops, "sleep", change)
    with StatReloaderLoop() as loop, pytest.raises(SystemExit) as caught:
        loop.run()
    assert caught.value.code == 3
    assert capsys.readouterr().err == f" * Detected change in {str(path)!r}, reloading\n"
    with ReloaderLoop(["x"], ["y"], 2) as plain:
        plain.run_step()
    assert plain.extra_files == {os.path.abspath("x")}  # noqa: PTH100 - a text


@pytest.mark.parametrize(("kind", "counts"), [("modified", 1), ("opened", 0), ("moved", 1)])
def test_events_of_watchdog_can_be_handed_over(kind: str, counts: int) -> None:
    seen: list[str] = []

    class Loop(WatchdogReloaderLoop):
        def trigger_reload(self, filename: str) -> None:
            seen.append(filename)

    Loop().event_handler.on_any_event(SimpleNamespace(event_type=kind, src_path="x.py"))
    assert len(seen) == counts


def test_there_is_a_loop_for_each_name() -> None:
    assert set(reloader_loops) == {"auto", "stat", "watchdog"}


def test_an_unknown_type_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="watchfiles"):
        run_with_reloader(lambda: None, reloader_type="fsevents")


PROGRAM = """\
import http.server, os, sys
from stein.serving.reloader.loops import run_with_reloader
VALUE = {value}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(VALUE).encode())

def main():
    print("running", os.getpid(), file=sys.stderr)
    {body}

if __name__ == "__main__":
    run_with_reloader(main, exclude_patterns=["*/src/stein/*"], interval=0.1)
"""


@pytest.mark.live
def test_a_function_with_a_port_of_its_own_is_run_anew(tmp_path: Path) -> None:
    class OwnPort(Program):
        def source(self, value: object, more: str = "") -> str:
            body = f"http.server.HTTPServer(('127.0.0.1', {self.port}), Handler).serve_forever()"
            return PROGRAM.format(value=value, body=body)

    def answers(value: int) -> bool:
        try:
            return program.get() == (200, str(value))
        except (OSError, http.client.HTTPException):
            return False  # between two processes nobody holds the port

    with OwnPort(tmp_path) as program:
        for value in (0, 1, 2):
            program.save(value)
            eventually(partial(answers, value))
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert can_bind(program.port)


@pytest.mark.live
def test_a_function_that_returns_is_run_again_after_the_next_change(tmp_path: Path) -> None:
    class Script(Program):
        def source(self, value: object, more: str = "") -> str:
            return PROGRAM.format(value=value, body="return")

    with Script(tmp_path) as program:
        program.wait_for_line("running")
        seen = len(program.lines)
        program.save(1)
        program.wait_for_line("running", after=seen)
        program.signal(signal.SIGINT)
        assert program.wait() == 0


@pytest.mark.live
@pytest.mark.parametrize("mistake", ["1 / 0", "sys.exit(7)"])
def test_a_function_that_fails_is_run_again_after_the_next_change_and_not_before(
    tmp_path: Path, mistake: str
) -> None:
    class Script(Program):
        def source(self, value: object, more: str = "") -> str:
            return PROGRAM.format(value=value, body=mistake)

    with Script(tmp_path) as program:
        for value in (1, 2):
            seen = len(program.lines)
            if value > 1:
                program.save(value)
            program.wait_for_line("started again after the next change", after=seen)
        program.signal(signal.SIGINT)
        assert program.wait() == 0
    assert program.output.count("running ") == 2
    assert program.output.count("ZeroDivisionError") == (2 if "/" in mistake else 0)


SERVES = """\
import sys
from stein.serving.reloader.loops import run_with_reloader
from stein.serving.run import run_simple
VALUE = {value}

def app(environ, start_response):
    start_response("200 OK", [])
    return [str(VALUE).encode()]

if __name__ == "__main__":
    run_with_reloader(lambda: run_simple("127.0.0.1", {port}, app), interval=0.1,
                      exclude_patterns=["*/src/stein/*"])
    print("after", VALUE, file=sys.stderr)
"""


@pytest.mark.live
@pytest.mark.parametrize("also_the_child", [True, False])  # as Ctrl-C in a terminal does
def test_a_function_may_serve_with_a_server_of_ours(
    tmp_path: Path, *, also_the_child: bool
) -> None:
    class Serving(Program):
        def source(self, value: object, more: str = "") -> str:
            return SERVES.format(value=value, port=self.port)

    def answers(value: int) -> bool:
        try:
            return program.get() == (200, str(value))
        except (OSError, http.client.HTTPException):
            return False  # between two processes nobody holds the port

    with Serving(tmp_path) as program:
        for value in (0, 1, 2):
            program.save(value)
            eventually(partial(answers, value))
        if also_the_child:
            os.kill(program.children()[0], signal.SIGINT)
            eventually(lambda: can_bind(program.port))
        program.signal(signal.SIGINT)
        assert program.wait() == 0
        program.close()
    assert [line for line in program.lines if line.startswith("after")] == ["after 2\n"]


def test_in_the_child_the_function_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(child, "is_child", lambda: True)
    monkeypatch.setattr(child, "notify_ready", told.append)
    replaced = False

    def leave_if_replaced() -> None:
        if replaced:
            sys.exit(3)

    monkeypatch.setattr(child, "leave_if_replaced", leave_if_replaced)
    monkeypatch.setattr(child, "obey", lambda _stop: False)

    def function() -> None:
        told.append("run")
        if not replaced:
            raise KeyboardInterrupt

    old = signal.getsignal(signal.SIGTERM)
    try:
        run_with_reloader(function)
        replaced = True
        with pytest.raises(SystemExit, match="3"):
            run_with_reloader(function)
        handler = signal.getsignal(signal.SIGTERM)
        assert callable(handler)
        with pytest.raises(SystemExit):
            handler(signal.SIGTERM, None)
    finally:
        signal.signal(signal.SIGTERM, old)
    assert told == [child.interrupt, "run"] * 2
