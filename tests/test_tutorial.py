"""The tutorial, followed: each page's files are written, and its check runs.

A fenced box whose first line is a comment with the name of a file is that file; a ``diff`` is a
change of it, which must fit in exactly one place.  After the last page the package is the example
that ``make run`` starts, to the letter.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted((ROOT / "docs" / "tutorial").glob("[0-9]*.md"))
EXAMPLE: Final = ROOT / "examples" / "postcards"
BOX: Final = re.compile(
    r"^```(?P<kind>\w+)\n(?:# |-- |// |\{# )(?P<path>[\w./]+)(?: #\})?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

#: What the reader is told to take from the repository.
TAKEN: Final = {"postcards/static/style.css", "postcards/static/icon.svg"}


def boxes(page: Path) -> Iterator[tuple[str, str, str]]:
    """Give the kind, the file and the text of each box that belongs to a file."""
    for box in BOX.finditer(page.read_text(encoding="utf-8")):
        yield box["kind"], box["path"], box["text"]


def changed(text: str, diff: str) -> str:
    """Apply a box of kind ``diff``; its lines without a sign say where."""
    lines = [line or " " for line in diff.splitlines()]
    assert {line[0] for line in lines} <= set(" +-"), diff
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
    assert text.count(before) == 1, f"fits in {text.count(before)} places:\n{diff}"
    return text.replace(before, after)


def follow(pages: list[Path], folder: Path) -> None:
    """Do in a folder what the pages say."""
    for path in TAKEN:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLE / path, folder / path)
    for page in pages:
        for kind, path, text in boxes(page):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if kind == "diff":
                file.write_text(changed(file.read_text("utf-8"), text), "utf-8")
            else:
                assert not file.exists() or path == "check.py", f"{path} is given twice"
                file.write_text(text, "utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_ends_with_a_program_that_runs(page: Path, tmp_path: Path) -> None:
    assert {path for _, path, _ in boxes(page)} & {"check.py", "test_postcards.py"}
    follow(PAGES[: PAGES.index(page) + 1], tmp_path)
    program = ["check.py"]
    if (tmp_path / "test_postcards.py").exists():
        program = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_postcards.py"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", *program],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tutorial_ends_with_the_example(tmp_path: Path) -> None:
    follow(PAGES, tmp_path)
    made, shown = (
        {
            file.relative_to(folder).as_posix(): file.read_text("utf-8")
            for file in (folder / "postcards").rglob("*")
            if file.is_file() and file.suffix != ".pyc"
        }
        for folder in (tmp_path, EXAMPLE)
    )
    assert made.keys() == shown.keys()
    for path, text in shown.items():
        assert made[path] == text, f"{path} and the tutorial have come apart"


def test_each_page_leads_to_the_next() -> None:
    for page, following in itertools.pairwise(PAGES):
        assert page.read_text("utf-8").rstrip().endswith(f"({following.name})")
    index = (ROOT / "docs" / "tutorial" / "index.md").read_text("utf-8")
    assert re.findall(r"\((\d.*?)\)", index) == [page.name for page in PAGES]
