"""Programs that tell how they were started, for the tests of what starts them."""

from __future__ import annotations

import json
import os
import py_compile
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

SOURCE: Final = Path(__file__).parents[1] / "src"

#: What a program can see of how it was started.
LOOK = """\
import json, os, sys
import __main__
print(json.dumps({
    "argv": sys.argv,
    "first": sys.path[0],
    "name": __name__,
    "file": globals().get("__file__"),
    "spec": getattr(__spec__, "name", None),
    "package": __package__,
    "loader": type(__loader__).__name__,
    "main": __main__.__dict__ is globals(),
    "doc": __doc__,
    "annotations": f.__annotations__["x"] is int if "f" in globals() else None,
    "stein": sum("stein" in path for path in sys.path),
    "cached": globals().get("__cached__"),
    "names": sorted(name for name in globals() if name.startswith("__")),
    "builtins": type(__builtins__).__name__,
    "code": sys._getframe().f_code.co_filename,
}))
"""
FUNCTION = "def f(x: int): pass\n"


#: Options of the interpreter.
OPTIONS: Final = [[], ["-I"], ["-P"], ["-X", "dev"]]
#: Words that name a program.
WORDS: Final = [
    ["look.py", "--x", "1"],
    ["deep/../look.py"],
    ["deep/link.py"],
    ["look.pyc"],
    ["-m", "pkg", "a"],
    ["-m", "pkg.part"],
    ["-c", FUNCTION + LOOK, "z"],
    ["pkg", "q"],
    ["packed.pyz"],
]


def name_of(words: list[str]) -> str:
    """Return a short name for a test with these words."""
    return words[0] + (words[1][:8] if words[0] == "-m" else "")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with all programs of :data:`WORDS`."""
    (tmp_path / "look.py").write_text(FUNCTION + LOOK)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "link.py").symlink_to(tmp_path / "look.py")
    py_compile.compile(str(tmp_path / "look.py"), str(tmp_path / "look.pyc"))
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("import sys; ARGV = list(sys.argv)")
    (package / "__main__.py").write_text(FUNCTION + LOOK)
    (package / "part.py").write_text(FUNCTION + LOOK)
    with zipfile.ZipFile(tmp_path / "packed.pyz", "w") as archive:
        archive.writestr("__main__.py", FUNCTION + LOOK)
    return tmp_path


def seen(folder: Path, *command: str) -> dict[str, Any] | None:
    """Return what a program tells; ``None`` if python cannot find it."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    if "No module named" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
