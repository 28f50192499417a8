"""What the interpreter would say to words that name no program.

That a program sees what the interpreter would show it, is among the tests of the launchers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from stein.interpreter import NotRunnable, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.py"], "cannot read 'absent.py': No such file"),
        (["-m", "absent_module"], "there is no module 'absent_module' that can be run"),
        (["-m", "absent_package.part"], "there is no module 'absent_package.part' that can be run"),
        (["empty"], "'empty' has no __main__.py in it: name the file"),
        (["-m", "sys"], "there is no module 'sys' that can be run"),
    ],
)
def test_what_is_no_program_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [])
    with pytest.raises(NotRunnable, match=message):
        run(words)


def test_a_module_that_a_package_wants_is_not_taken_for_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "wanting_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("import nowhere_to_be_found")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", [])
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        run(["-m", "wanting_pkg.part"])
