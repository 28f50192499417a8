"""How a command that was given to a server ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stein.server.control import ControlError
from stein.serving import operate
from stein.serving.command import LATE, late_command


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


def test_a_server_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    result = CliRunner().invoke(operate.stop_command, ["--pid", "999999999"])
    assert (result.exit_code, result.stderr) == (
        1,
        "stein: error: there is no process 999999999: it has ended, or has another number\n",
    )
