from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import pytest

from stein.web.app import Stein

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Write = Callable[..., Path]
    Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    # The real one would write the history file of whoever runs the tests.
    monkeypatch.setattr(sys, "__interactivehook__", lambda: click.echo("hook"), raising=False)


def test_the_shell_has_the_application_and_its_own_names(invoke: Invoke) -> None:
    app = Stein("x")

    @app.shell_context_processor
    def names() -> dict[str, object]:
        return {"seven": 7}

    result = invoke(app, "shell", input="print(app.name, seven, g)\n")
    assert result.exit_code == 0
    assert "x 7 <g of 'x'>" in result.stdout
    assert "hook" in result.stdout
    assert f"App: x\nInstance: {app.instance_path}" in result.stderr


def test_the_users_startup_file_is_run(
    invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", str(write("start.py", "own = 'Grüße'\n")))
    assert "Grüße" in invoke(Stein("x"), "shell", input="print(own)\n").stdout


def test_it_works_without_a_hook_and_without_readline(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "readline", None)
    assert "2\n" in invoke(Stein("x"), "shell", input="print(1 + 1)\n").stdout
    monkeypatch.delattr(sys, "__interactivehook__")
    result = invoke(Stein("x"), "shell", input="print(1 + 1)\n")
    assert "2\n" in result.stdout
    assert "hook" not in result.stdout
