"""The examples in the documentation, run.

The ``python`` blocks of a page are one program: they run in order in one namespace, in an empty
folder.  A block says what comes out of it with ``assert``.
"""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted((ROOT / "docs").rglob("*.md"))
BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return []


# What a page takes for granted: there the reader's own application is meant.
GIVEN: Final[dict[str, dict[str, Any]]] = {"settings.md": {"app": application}}


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Give the examples of a page, each with the number of lines in front of it."""
    for match in BLOCK.finditer(text):
        yield text.count("\n", 0, match.start(1)), match[1]


def title(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def has_examples(page: Path) -> bool:
    return BLOCK.search(page.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize("page", [page for page in PAGES if has_examples(page)], ids=title)
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(f"docs_{page.stem}")
    module.__dict__.update(GIVEN.get(page.name, {}))
    # Classes that are made in an example look for their module.
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for lines_before, source in blocks(page.read_text(encoding="utf-8")):
        # The lines of a traceback are those of the page.
        code = compile("\n" * lines_before + source, str(page), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - our own documentation


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name == "toolkit"], ids=title
)
def test_a_page_of_the_toolkit_asserts_what_it_says(page: Path) -> None:
    examples = [source for _, source in blocks(page.read_text(encoding="utf-8"))]
    assert examples
    assert "assert " in "".join(examples)


def test_a_failing_example_names_its_line() -> None:
    ((before, source),) = blocks("one\n\n```python\nassert False\n```\n")
    assert (before, source) == (3, "assert False\n")


def test_links_lead_to_pages() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{title(page)}: {target}"
