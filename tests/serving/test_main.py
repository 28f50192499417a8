"""``python -m stein.serving``: any application on the development server."""

from __future__ import annotations

import re
import runpy
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stein.serving import __main__ as program
from stein.serving.reloader import child
from tests.serving.devserving import fetch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    told: dict[str, Any] = {}

    def record(host: str, port: int, app: object, **options: Any) -> None:
        told.update(options, host=host, port=port, app=app)

    monkeypatch.setattr(program, "run_simple", record)
    return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop_m.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [b'hello']\n"
    )
    return tmp_path


def leave(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["x", *words])
    with pytest.raises(SystemExit) as caught:
        program.main()
    return caught.value.code


def test_the_server_is_told_what_was_asked_for(
    told: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"shop_m:app --app-dir {folder} -h 0.0.0.0 -p 80 --processes 3 --cert a --key b"
    assert leave(monkeypatch, *words.split(), "--static", "/s=files", "--debugger") == 0
    assert told.pop("app").__module__ == "shop_m"
    assert told == {
        "host": "0.0.0.0", "port": 80, "use_reloader": False, "use_debugger": True,
        "threaded": False, "processes": 3, "ssl_context": ("a", "b"), "live_reload": False,
        "static_files": {"/s": "files"}, "show_watched": False,
    }  # fmt: skip


def test_with_a_reloader_only_the_child_imports_the_application(
    told: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leave(monkeypatch, "no_such:app", "--debug") == 0
    assert (told["use_reloader"], told["use_debugger"]) == (True, True)
    with pytest.raises(NotImplementedError):
        told["app"]({}, None)
    monkeypatch.setattr(child, "is_child", lambda: True)
    assert leave(monkeypatch, "shop_m:app", "--live", "--app-dir", str(folder)) == 0
    assert (told["live_reload"], told["use_debugger"]) == (True, False)
    assert told["app"].__module__ == "shop_m"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["no_such_m:app"], 1, "no module named 'no_such_m'"),
        (["x:y", "--static", "files"], 2, "'files' must read URL=FOLDER"),
        (["x:y", "--port", "70000"], 2, "70000 is not in the range"),
    ],
)
def test_mistakes_are_one_line(
    *, words: list[str], code: int, text: str, told: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert leave(monkeypatch, *words) == code
    err = capsys.readouterr().err
    assert err.startswith("stein: error: ")
    assert text in err
    assert err.count("\n") == 1


def test_without_arguments_it_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit), pytest.warns(RuntimeWarning, match="found in sys.modules"):
        runpy.run_module("stein.serving", run_name="__main__", alter_sys=False)
    assert capsys.readouterr().out.startswith("Usage: python -m stein.serving [OPTIONS] APP")


@pytest.mark.live
def test_it_serves_until_told_to_stop(folder: Path) -> None:
    command = [sys.executable, "-m", "stein.serving", "shop_m:app", "-p", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            port = int(re.findall(r":(\d+)$", process.stderr.readline())[0])
            assert fetch(port).text == "hello"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
