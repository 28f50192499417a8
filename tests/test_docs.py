"""The examples in the documentation, run.

The blocks of a page are one program: they run in order, in an empty folder.

* ``python`` is executed, in one namespace for the page.  It says what comes out of it with
  ``assert``; or it prints that, and then the next block is ``text`` with what is printed.
* A block whose first line is a comment with the name of a file (``# hello.py`` or
  ``{# templates/index.html #}``) is saved under that name instead.
* ``console`` has commands behind ``$``, and under each what it writes; one with nothing under it is
  for the reader only.

``...`` stands for anything, and ``/srv/hello`` for the folder.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import types
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

import stein
from stein import Stein
from stein.dropin.table import ALIASES
from stein.web import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted((ROOT / "docs").rglob("*.md"))
BLOCK: Final = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME: Final = re.compile(r"(?:# |\{# )([\w./-]*\.\w+)(?: #\})?\n")
FOLDER: Final = "/srv/hello"

#: What is run in an order that matters has a program in one of these.
RUN: Final = frozenset({"python", "console"})


def application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return []


# What a page takes for granted: there the reader's own application is meant.
GIVEN: Final[dict[str, dict[str, Any]]] = {"settings.md": {"app": application}}


class Block(NamedTuple):
    kind: str
    lines_before: int
    source: str

    @property
    def file_name(self) -> str | None:
        match = FILE_NAME.match(self.source)
        return match[1] if match else None


def blocks(text: str) -> Iterator[Block]:
    """Give the blocks of a page, each with the number of lines in front of it."""
    for match in BLOCK.finditer(text):
        yield Block(match[1], text.count("\n", 0, match.start(2)), match[2])


def blocks_of(page: Path) -> list[Block]:
    return list(blocks(page.read_text(encoding="utf-8")))


def title(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def has_examples(page: Path) -> bool:
    return any(block.kind in RUN for block in blocks_of(page))


def is_as_shown(output: str, shown: str, flags: int = 0) -> bool:
    output = output.replace(str(Path.cwd()), FOLDER)
    # Trailing blanks cannot be seen on a page.
    output = "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())
    if doctest.OutputChecker().check_output(shown, output, doctest.ELLIPSIS | flags):
        return True
    print(output)  # noqa: T201 - so that it can be pasted
    return False


class Program:
    """The blocks of a page that have run so far."""

    def __init__(self, page: Path) -> None:
        self.page = page
        self.module = types.ModuleType(f"docs_{page.stem}".replace("-", "_"))
        self.module.__dict__.update(GIVEN.get(page.name, {}))
        self.printed = ""

    def run(self, block: Block) -> None:
        if self.printed:
            assert block.kind == "text", f"{self.printed!r} was printed, and is not on the page"
            # Messages are long lines, and may be broken on a page.
            assert is_as_shown(self.printed, block.source, doctest.NORMALIZE_WHITESPACE)
            self.printed = ""
        elif block.file_name is not None:
            file = Path(block.file_name)
            file.parent.mkdir(parents=True, exist_ok=True)
            # In a template the comment would leave an empty line.
            _, _, rest = block.source.partition("\n")
            text = rest if block.source.startswith("{#") else block.source
            file.write_text(text, encoding="utf-8")
        elif block.kind == "python":
            self.execute(block)
        elif block.kind == "console":
            for command, shown in commands(block.source):
                assert not shown or is_as_shown(output_of(command), shown), command

    def execute(self, block: Block) -> None:
        # The lines of a traceback are those of the page.
        source = "\n" * block.lines_before + block.source
        code = compile(source, str(self.page), "exec", dont_inherit=True)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            exec(code, self.module.__dict__)  # noqa: S102 - our own documentation
        self.printed = output.getvalue()


def commands(source: str) -> Iterator[tuple[str, str]]:
    """Give the commands of a block, each with what it should write."""
    for part in re.split(r"^\$ ", source, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, f"{shown.rstrip()}\n" if shown.strip() else ""


def output_of(command: str) -> str:
    """Run a command without a shell; only ours, and variables in front of them."""
    words = shlex.split(command)
    # The same stein as here, wherever that is.
    home = str(Path(stein.__file__).resolve().parents[1])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": home, "NO_COLOR": "1", "COLUMNS": "100"}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    program = {"stein": ["-m", "stein"], "python": []}[words.pop(0)]
    done = subprocess.run(
        [sys.executable, *program, *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout


# The pages of the tutorial build on each other: tests/test_tutorial.py follows them.
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if has_examples(page) and page.parent.name != "tutorial"],
    ids=title,
)
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    program = Program(page)
    # Classes that are made in an example look for their module.
    monkeypatch.setitem(sys.modules, program.module.__name__, program.module)
    known = set(sys.modules)
    try:
        for block in blocks_of(page):
            program.run(block)
        assert not program.printed, f"{program.printed!r} was printed, and is not on the page"
    finally:
        for name in set(sys.modules) - known:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name in {"toolkit", "web"}], ids=title
)
def test_a_page_proves_what_it_says(page: Path) -> None:
    examples = [block for block in blocks_of(page) if block.kind in RUN]
    assert examples
    assert any(block.kind == "console" or "assert " in block.source for block in examples)


def test_a_failing_example_names_its_line() -> None:
    (block,) = blocks("one\n\n```python\nassert False\n```\n")
    assert block == ("python", 3, "assert False\n")


def test_what_an_example_prints_must_be_on_the_page() -> None:
    program = Program(ROOT / "docs" / "index.md")
    program.run(Block("python", 0, "print('one', 2)\n"))
    with pytest.raises(AssertionError, match="is not on the page"):
        program.run(Block("python", 0, ""))
    with pytest.raises(AssertionError):
        program.run(Block("text", 0, "one 3\n"))
    program.run(Block("text", 0, "one ...\n"))


def test_links_lead_to_pages() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{title(page)}: {target}"


def test_each_page_is_in_the_navigation() -> None:
    listed = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in PAGES)


# -- the keys of an application's configuration ---------------------------------------------------


def rows_of_keys() -> dict[str, str]:
    """Give the default of each key in the tables of the configuration, as it is written there."""
    text = (ROOT / "docs" / "web" / "app.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", text, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a key has two rows"
    return dict(rows)


def as_written(default: Any) -> str:
    if isinstance(default, timedelta):
        return f"{default.days} days"
    if type(default) is int:
        return f"`{default:_}`" if default >= 10_000 else f"`{default}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


def test_each_key_of_the_configuration_has_a_row_with_its_default() -> None:
    expected = {key: as_written(default) for key, default in Stein.default_config.items()}
    assert rows_of_keys() == expected


# -- what is told twice ---------------------------------------------------------------------------


def test_the_road_of_a_request_is_that_of_the_code() -> None:
    _, _, rest = str(lifecycle.__doc__).partition("::\n\n")
    road = [line.removeprefix("    ") for line in rest.partition("\n\n")[0].splitlines()]
    assert "\n".join(road) in (ROOT / "docs" / "web" / "index.md").read_text(encoding="utf-8")


def test_the_table_of_modules_is_that_of_the_drop_in() -> None:
    text = (ROOT / "docs" / "web" / "extensions-and-dropin.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(flask[\w.]*)` \| `([\w.]+)` \|$", text, re.MULTILINE))
    names = [name for name in ALIASES if name.startswith("flask.") and "sansio" not in name]
    expected = {name: ALIASES[name] for name in names if isinstance(ALIASES[name], str)}
    assert {name: rows.get(name) for name in expected} == expected
    assert rows.keys() <= set(names)
