"""Processes that a program under ``python -m stein.dropin`` starts have the aliases, too."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

import stein.dropin
from stein.dropin import children

ROOT = Path(__file__).parents[2]
LINE = Path(children.__file__).with_suffix(".pth")
SOURCE = str(Path(stein.dropin.__file__).parents[2])

PARENT = """\
import subprocess, sys
subprocess.run([sys.executable, *sys.argv[1:]], check=True)
"""
CHILD = """\
import werkzeug.exceptions
print(werkzeug.exceptions.NotFound)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter whose packages have the line in them, as an installed wheel puts it there."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "stein-dropin.pth").write_text(LINE.read_text())
    # what stein needs, though not stein
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def run(
    python: Path, *arguments: str, folder: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", children.VARIABLE} and not name.startswith("COVERAGE")
    }
    return subprocess.run(
        [python, *arguments], cwd=folder, env=kept | environ, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.live
def test_a_child_has_the_aliases_whatever_its_arguments_and_import_path(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "child.py").write_text(CHILD)
    expected = "<class 'stein.toolkit.exceptions.NotFound'>\n"
    dropin = ["-m", "stein.dropin", "parent.py"]
    for words in (["child.py"], ["-c", CHILD], ["-m", "child"], ["parent.py", "child.py"]):
        done = run(python, *dropin, *words, folder=tmp_path, PYTHONPATH=SOURCE)
        assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.live
def test_an_interpreter_without_the_variable_has_nothing(python: Path, tmp_path: Path) -> None:
    code = "import sys; print([name for name in sys.modules if name.startswith('stein')])"
    assert run(python, "-c", code, folder=tmp_path).stdout == "[]\n"


def test_the_line_is_valid_for_site_and_does_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert LINE.read_text().startswith("import ")
    assert LINE.read_text().count("\n") == 1
    (tmp_path / "stein-dropin.pth").write_text(LINE.read_text())
    called: list[str] = []
    monkeypatch.setattr(children, "install", lambda: called.append("install"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delenv(children.VARIABLE, raising=False)
    site.addpackage(str(tmp_path), "stein-dropin.pth", None)
    assert called == []
    monkeypatch.setenv(children.VARIABLE, "")
    children.lead()
    assert os.environ[children.VARIABLE] == SOURCE
    site.addpackage(str(tmp_path), "stein-dropin.pth", None)
    assert called == ["install"]
    assert sys.path[-1] == SOURCE


def test_the_line_is_part_of_the_wheel() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = table["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {LINE.relative_to(ROOT).as_posix(): "stein-dropin.pth"}
