from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stein.suggestions import missing_module, modules_beside, offer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "names", "text"),
    [
        ("ap", ["app", "zebra"], "; did you mean app? (it also offers zebra)"),
        ("ap", ["app"], "; did you mean app?"),
        ("x", ["one", "two"], "; it offers one, two"),
        ("x", [], ""),
    ],
)
def test_what_is_offered(name: str, names: list[str], text: str) -> None:
    assert offer(name, names) == text


def test_modules_are_those_beside_the_missing_one(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "views.py").touch()
    assert modules_beside(tmp_path, "packge") == ["package"]
    assert modules_beside(tmp_path, "package.viws") == ["views"]
    assert modules_beside(tmp_path, "nowhere.x") == []


@pytest.mark.parametrize("name", ["flask", "flask.views", "werkzeug"])
def test_for_flask_and_werkzeug_there_is_the_drop_in(name: str) -> None:
    error = ModuleNotFoundError(f"No module named {name!r}", name=name)
    assert "python -m stein.dropin -m" in missing_module(error)


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("x", name="django"), ImportError("x", name="flask"), KeyError()]
)
def test_for_others_there_is_nothing_to_say(error: Exception) -> None:
    assert missing_module(error) == ""
