"""One line of a traceback: where it is, what its source says, what its variables hold."""

from __future__ import annotations

import html
import itertools
import linecache
import os
import sysconfig
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stein.toolkit.debugger.console import Console
from stein.toolkit.debugger.preview import preview_variables
from stein.toolkit.properties import cached_property
from stein.tracebacks import MACHINERY

if TYPE_CHECKING:
    from stein.toolkit.debugger.masking import Masker

__all__ = ["DebugFrameSummary", "SourceLine", "escape_text", "shown_path"]

#: lines of source before and behind the one that is meant
AROUND: Final = 6

_numbers: Final = itertools.count(1)


class SourceLine(NamedTuple):
    """A line of source, and what of it is meant."""

    number: int
    text: str
    current: bool
    marked: tuple[int, int] | None  #: from and to which character, of a current line


class DebugFrameSummary(traceback.FrameSummary):
    """A frame as tracebacks know it, with its variables and a console among them.

    :param locals: the variables of the function.
    :param globals: those of its module.
    :param first_line: where the function begins.
    :param kwargs: what :class:`traceback.FrameSummary` takes.
    """

    __slots__ = (
        "_cache_console",
        "_cache_info",
        "_cache_is_library",
        "first_line",
        "global_ns",
        "id",
        "local_ns",
    )

    def __init__(
        self,
        *,
        locals: dict[str, Any],  # noqa: A002 - Werkzeug's
        globals: dict[str, Any],  # noqa: A002
        first_line: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals=None, lookup_line=False, **kwargs)
        self.local_ns = locals
        self.global_ns = globals
        self.first_line = first_line
        self.id = next(_numbers)

    @cached_property
    def info(self) -> str | None:
        """What the function wants to tell in its tracebacks: its ``__traceback_info__``."""
        info = self.local_ns.get("__traceback_info__")
        return None if info is None else str(info)

    @cached_property
    def is_library(self) -> bool:
        """Whether the code is installed, or ours, so that the mistake is hardly in it."""
        return self.filename.startswith(libraries())

    @cached_property
    def console(self) -> Console:
        """A console that sees what the frame sees."""
        return Console(self.global_ns, self.local_ns)

    def eval(self, code: str) -> str:
        """Run code in the frame's console; see :meth:`Console.eval`."""
        return self.console.eval(code)

    def source(self) -> list[SourceLine]:
        """Return the lines around the one that is meant; empty if there is no source."""
        lines = linecache.getlines(self.filename, self.global_ns)
        first = self.lineno or 0
        if not 0 < first <= len(lines):
            return []
        last = min(max(first, self.end_lineno or first), len(lines), first + 3 * AROUND)
        start, end = max(1, first - AROUND), min(len(lines), last + AROUND)
        if not self.name.startswith("<"):  # of the module, a lambda, ...
            start = max(start, min(self.first_line, first))
            end = _end_of_function(lines, self.first_line, last, end)
        shown = range(start, end + 1)
        return [
            SourceLine(
                number,
                lines[number - 1].rstrip("\r\n"),
                first <= number <= last,
                self._marked(number, lines[number - 1].rstrip("\r\n")),
            )
            for number in shown
        ]

    def _marked(self, number: int, text: str) -> tuple[int, int] | None:
        """Return which characters of a line are what was being run."""
        first, last = self.lineno or 0, self.end_lineno or self.lineno or 0
        if not first <= number <= last or self.colno is None or self.end_colno is None:
            return None
        indent = len(text) - len(text.lstrip())
        start = self.colno if number == first else indent
        end = self.end_colno if number == last else len(text)
        # Columns count bytes of UTF-8.
        if not text.isascii():
            data = text.encode("utf-8", "replace")
            if number == first:
                start = len(data[:start].decode("utf-8", "replace"))
            if number == last:
                end = len(data[:end].decode("utf-8", "replace"))
        return (start, end) if start < end <= len(text) else None

    def variables(self, masker: Masker) -> list[tuple[str, str]]:
        """Return names and short texts of the function's variables, secrets masked."""
        return preview_variables(self.local_ns, masker, whole_module=self.name == "<module>")

    # -- HTML ------------------------------------------------------------------------------------

    def render_html(
        self,
        mark_library: bool,  # noqa: FBT001 - Werkzeug's
        masker: Masker | None = None,
        *,
        is_open: bool = False,
    ) -> str:
        """Return the frame as HTML.

        :param mark_library: give the class ``library`` to frames that are not the user's.
        :param masker: says whether variables are shown, and what of them.
        :param is_open: show more than one line at once.
        """
        library = " library" if mark_library and self.is_library else ""
        opened = " open" if is_open else ""
        info = f'<p class="info">{escape_text(self.info)}</p>' if self.info else ""
        return (
            f'<details class="frame{library}" id="frame-{self.id}" data-frame="{self.id}"{opened}>'
            f"<summary>{self._headline(masker)}</summary>{info}{self._source_html(masker)}"
            f"{self._variables_html(masker)}</details>"
        )

    def _headline(self, masker: Masker | None) -> str:
        gist = (linecache.getline(self.filename, self.lineno or 0)).strip()
        if masker is not None:
            gist = masker.known(gist)
        shown = escape_text(shown_path(self.filename))
        return (
            f'<span class="where"><cite class="filename" title="{html.escape(self.filename)}">'
            f'{shown}</cite>:<em class="line">{self.lineno}</em></span> '
            f'<code class="function">{escape_text(self.name)}</code> '
            f'<code class="gist">{escape_text(gist)}</code>'
        )

    def _source_html(self, masker: Masker | None) -> str:
        lines = self.source()
        if not lines:
            return '<p class="missing">The source of this line cannot be read.</p>'
        return f'<pre class="source">{"".join([_line_html(line, masker) for line in lines])}</pre>'

    def _variables_html(self, masker: Masker | None) -> str:
        if masker is None or not masker.shows_variables:
            return ""
        variables = self.variables(masker)
        if not variables:
            return '<p class="missing">No variables here.</p>'
        rows = "".join(
            f"<tr><th scope=row>{escape_text(name)}</th>"
            f"<td><code>{escape_text(text)}</code></td></tr>"
            for name, text in variables
        )
        return f'<div class="variables"><table>{rows}</table></div>'


def _end_of_function(lines: list[str], first: int, last: int, end: int) -> int:
    """Return the last line of a function; at most ``end``, and at least ``last``.

    :param first: where it begins.
    """
    indent = _indent(lines[min(first, len(lines)) - 1])
    kept = last
    for number in range(last + 1, end + 1):
        line = lines[number - 1]
        if line.strip():
            if _indent(line) <= indent:
                break
            kept = number
    return kept


def _indent(line: str) -> int:
    line = line.expandtabs()
    return len(line) - len(line.lstrip())


def _line_html(line: SourceLine, masker: Masker | None) -> str:
    start, end = line.marked or (len(line.text), len(line.text))
    before, marked, behind = (
        escape_text(part if masker is None else masker.known(part))
        for part in (line.text[:start], line.text[start:end], line.text[end:])
    )
    if marked:
        marked = f"<mark>{marked}</mark>"
    current = " current" if line.current else ""
    return f'<span class="line{current}" data-n="{line.number}">{before}{marked}{behind}\n</span>'


def escape_text(text: str) -> str:
    """Escape a text that will stand between tags; quotes are left, for those who search it."""
    return html.escape(text, quote=False)


@lru_cache(maxsize=1)
def libraries() -> tuple[str, ...]:
    """Return how the names of files begin that are not the user's."""
    # The folders of data and of scripts stay out: a project may be in there.
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    wanted = {path for name, path in sysconfig.get_paths().items() if name in names}
    wanted |= {os.path.realpath(path) for path in wanted}
    return (*MACHINERY, *(path + os.sep for path in sorted(wanted)), "<frozen ")


def shown_path(path: str) -> str:
    """Return the name of a file as short as it stays clear: relative, or within its library."""
    here = os.getcwd() + os.sep  # noqa: PTH109 - texts are compared
    if path.startswith(here):
        return path[len(here) :]
    for folder in (*sysconfig.get_paths().values(), MACHINERY[0].removesuffix(f"stein{os.sep}")):
        inside = folder.rstrip(os.sep) + os.sep
        if path.startswith(inside):
            return path[len(inside) :]
    return path
