"""The program behind ``flask`` and ``python -m stein.web.cli``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import stein
from stein.errors import ConfigurationError
from stein.web import cli
from stein.web.cli import program

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]

APP = """
from stein import Stein

app = Stein(__name__)

@app.cli.command()
def fail():
    raise KeyError("mine")
"""


def test_all_names_are_there_and_a_wrong_one_is_told() -> None:
    for name in cli.__all__:
        assert getattr(cli, name) is not None
        assert name in dir(cli)
    with pytest.raises(AttributeError, match="'AppGrup'; it offers: AppGroup"):
        cli.AppGrup  # noqa: B018


def test_a_failing_command_shows_the_users_lines_only(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("fails_p.py", APP)
    monkeypatch.setattr(sys, "argv", ["flask", "--app", "fails_p", "fail"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "Traceback (most recent call last):", f'  File "{path}", line 8, in fail'
    ]  # fmt: skip
    assert lines[-1] == "KeyError: 'mine'"
    assert sum(line.startswith("  File") for line in lines) == 1


def test_a_setting_that_cannot_work_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ConfigurationError(".env is not in UTF-8")

    monkeypatch.setattr(program.cli, "main", fail)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "Error: .env is not in UTF-8\n"


def test_an_error_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise LookupError

    monkeypatch.setattr(program, "MACHINERY_OF_COMMANDS", ("",))
    monkeypatch.setattr(program.cli, "main", fail)
    with pytest.raises(LookupError):
        program.main()


def test_the_version_can_be_asked_in_vain() -> None:
    context = click.Context(click.Command("x"), resilient_parsing=True)
    assert cli.get_version(context, None, True) is None  # type: ignore[func-returns-value]


def test_under_the_dropin_the_versions_of_the_interfaces_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import stein.dropin

    monkeypatch.setattr(stein.dropin, "installed", lambda: True)
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"0.{len(name)}")
    context = click.Context(click.Command("x"))
    with pytest.raises(click.exceptions.Exit):
        cli.get_version(context, None, True)
    out = capsys.readouterr().out
    assert "Flask 0.5 (its interface)\nWerkzeug 0.8 (its interface)\n" in out
    assert f"stein {stein.__version__}\n" in out


@pytest.mark.live
@pytest.mark.parametrize(
    "words",
    [
        ["stein.web.cli", "--app", "shop_p", "routes"],
        ["stein.dropin", "-m", "flask", "--app", "shop_p", "routes"],
    ],
)
def test_it_is_a_program(words: list[str], write: Write) -> None:
    folder = write("shop_p.py").parent
    result = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])}, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Endpoint  Methods  Rule\n")
