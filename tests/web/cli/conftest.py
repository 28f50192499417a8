"""A folder to work in, and a process that is as it was afterwards."""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from stein.web.cli import FlaskGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from stein.web.app import Stein

APP = """
from stein import Stein

app = Stein(__name__)
"""


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules, path, environ = set(sys.modules), list(sys.path), dict(os.environ)
    for name in environ:
        if name.startswith(("STEIN_", "FLASK_", "WERKZEUG_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)
    yield
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        # What a test wrote; modules of stein and others that came along may stay.
        if str(getattr(sys.modules[name], "__file__", None) or "").find("pytest-") >= 0:
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    def write_file(name: str, text: str = APP) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Call a group of commands for an application, or for whatever ``--app`` says."""

    def call(app: Stein | None, *args: str, **extra: Any) -> Result:
        group = FlaskGroup(name="flask", create_app=None if app is None else lambda: app)
        return CliRunner().invoke(group, args, **extra)

    return call
