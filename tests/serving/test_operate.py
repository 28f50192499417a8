"""Which server is meant, and how a command that was given to it ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stein.errors import ConfigurationError
from stein.server.control import ControlError
from stein.serving import operate
from stein.serving.command import LATE, late_command
from stein.serving.operate import find_control


@pytest.fixture
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "stein"
    folder.mkdir()
    return folder


def test_a_path_is_a_path() -> None:
    assert find_control("/run/x.sock", None) == Path("/run/x.sock")


def test_a_process_is_named_by_number_or_by_its_file(sockets: Path, tmp_path: Path) -> None:
    assert find_control(None, "4711") == sockets / "4711.sock"
    file = tmp_path / "shop.pid"
    file.write_text("4712\n")
    assert find_control(None, str(file)) == sockets / "4712.sock"
    file.write_text("x")
    with pytest.raises(ConfigurationError, match="holds no process id"):
        find_control(None, str(file))
    with pytest.raises(ConfigurationError, match="neither a process id nor a file"):
        find_control(None, str(tmp_path / "no.pid"))


def test_the_only_one_that_runs_is_meant(sockets: Path) -> None:
    with pytest.raises(ConfigurationError, match="no server of this user"):
        find_control(None, None)
    (sockets / "999999999.sock").touch()
    (sockets / "x.sock").touch()
    (sockets / f"{os.getpid()}.sock").touch()
    assert find_control(None, None) == sockets / f"{os.getpid()}.sock"
    (sockets / f"{os.getppid()}.sock").touch()
    with pytest.raises(ConfigurationError, match="several servers run"):
        find_control(None, None)


@pytest.mark.parametrize(
    ("words", "asked", "answer", "code", "out", "err"),
    [
        (["reload"], {}, {"ok": True, "text": "2 workers"}, 0, "reload: 2 workers\n", ""),
        (["scale", "3"], {"workers": 3}, {"ok": True}, 0, "scale: done\n", ""),
        (["stop", "--fast"], {"fast": True}, {"ok": True, "text": "gone"}, 0, "stop: gone\n", ""),
        (
            ["upgrade"], {}, {"ok": False, "text": "a\nb", "traceback": "Traceback\n"}, 1, "",
            "Traceback\nstein: error: upgrade: a b\n",
        ),
        (["stop"], {"fast": False}, {"ok": False, "error": "user 7"}, 1, "",
         "stein: error: stop: user 7\n"),
        (["stop"], {"fast": False}, {"ok": False}, 1, "", "stein: error: stop: it was refused\n"),
    ],
)  # fmt: skip
def test_what_was_answered_is_shown(
    *,
    words: list[str],
    asked: dict[str, Any],
    answer: dict[str, Any],
    code: int,
    out: str,
    err: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Any, ...]] = []

    def ask(path: Path, name: str, *, timeout: None, **fields: Any) -> dict[str, Any]:
        seen.append((path, name, timeout, fields))
        return answer

    monkeypatch.setattr(operate, "ask", ask)
    command = late_command(words[0])
    assert command is not None
    result = CliRunner().invoke(command, [*words[1:], "--control", "/run/x.sock"])
    assert seen == [(Path("/run/x.sock"), words[0], None, asked)]
    assert (result.exit_code, result.stdout, result.stderr) == (code, out, err)


def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: Any, **__: Any) -> None:
        raise ControlError("no server answers")

    monkeypatch.setattr(operate, "ask", ask)
    result = CliRunner().invoke(operate.reload_command, ["--control", "x"])
    assert (result.exit_code, result.stderr) == (1, "stein: error: no server answers\n")


def test_each_command_about_servers_is_there() -> None:
    for name in LATE:
        command = late_command(name)
        assert command is not None
        assert command.name == name
    assert late_command("fly") is None
