"""A Python prompt without a terminal: text in, HTML out.

What the code prints must go to the page, and what other threads print meanwhile must not.  So
while code runs, ``sys.stdout``, ``sys.stderr`` and ``sys.displayhook`` are stand-ins that look up
where the current context writes to; when the last code has come to its end they are taken away
again.  Nothing is replaced before the first console is used.
"""

from __future__ import annotations
import __future__

import ast
import codeop
import itertools
import linecache
import sys
import threading
import traceback
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from markupsafe import escape

from stein.toolkit.debugger.completion import Completion, complete
from stein.toolkit.debugger.repr import debug_repr, dump, helper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Console", "HTMLStringO"]


class HTMLStringO:
    """Collects text that is written to it, as HTML."""

    def __init__(self) -> None:
        self._buffer: list[str] = []

    def write(self, x: str) -> int:
        """Write a text; what would be markup in it is escaped."""
        self._buffer.append(str(escape(x)))
        return len(x)

    def writelines(self, x: Iterable[str]) -> None:
        """Write several texts."""
        for text in x:
            self.write(text)

    def write_html(self, x: str) -> None:
        """Write HTML, as it is."""
        self._buffer.append(x)

    _write = write_html  # its name in Werkzeug

    def reset(self) -> str:
        """Return what was written, and forget it."""
        written = "".join(self._buffer)
        self._buffer.clear()
        return written

    def readline(self) -> str:
        """Return what was written first, and forget it; for those who take it for a file."""
        return self._buffer.pop(0) if self._buffer else ""

    def isatty(self) -> bool:
        """Tell that this is no terminal."""
        return False

    def flush(self) -> None:
        """Do nothing: it is written at once."""

    def close(self) -> None:
        """Do nothing: it is asked for its text afterwards."""

    def seek(self, n: int, mode: int = 0) -> None:
        """Do nothing."""


# -- who writes where ----------------------------------------------------------------------------

_output: Final[ContextVar[HTMLStringO | None]] = ContextVar("stein console output", default=None)
_names: Final[ContextVar[dict[str, Any]]] = ContextVar("stein console names")


class _Stream:
    """Stands in for a stream: a context with a console writes there, all others as before."""

    def __init__(self, before: Any) -> None:
        self.__dict__["before"] = before

    def __getattr__(self, name: str) -> Any:
        output = _output.get()
        return getattr(self.before if output is None else output, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.before, name, value)

    def __repr__(self) -> str:
        return repr(self.before)


def _displayhook(obj: object) -> None:
    """Show a value as plain text, as an ordinary prompt does; for ``sys.displayhook``."""
    if obj is not None:
        sys.stdout.write(f"{obj!r}\n")


class _Hook:
    """Stands in for ``sys.displayhook``: a console shows values as HTML.

    If a program has set a hook of its own, it is asked.
    """

    def __init__(self, before: Any) -> None:
        self.before = before

    def __call__(self, obj: object) -> None:
        output = _output.get()
        if output is None or self.before is not sys.__displayhook__:
            self.before(obj)
        elif obj is not None:
            _names.get()["_"] = obj
            output.write_html(f"{debug_repr(obj)}\n")


_running = 0
_running_guard: Final = threading.Lock()  # guards the number, and the three names in sys


@contextmanager
def written_to(output: HTMLStringO, names: dict[str, Any]) -> Iterator[None]:
    """Have what is written within, and shown as a value, go to a console."""
    global _running  # noqa: PLW0603 - how many there are is the process's affair
    with _running_guard:
        _running += 1
        if _running == 1:
            sys.stdout, sys.stderr = _Stream(sys.stdout), _Stream(sys.stderr)
            sys.displayhook = _Hook(sys.displayhook)
    before = _output.set(output), _names.set(names)
    try:
        yield
    finally:
        _output.reset(before[0])
        _names.reset(before[1])
        with _running_guard:
            _running -= 1
            if _running == 0:
                # Whoever has replaced them meanwhile wants to keep that.
                for name in ("stdout", "stderr"):
                    stream = getattr(sys, name)
                    if isinstance(stream, _Stream):
                        setattr(sys, name, stream.before)
                if isinstance(sys.displayhook, _Hook):
                    sys.displayhook = sys.displayhook.before


# -- the prompt ----------------------------------------------------------------------------------

_numbers: Final = itertools.count(1)
_FROM_THE_FUTURE: Final = sum(
    getattr(__future__, name).compiler_flag for name in __future__.all_feature_names
)
#: Sources that tracebacks can show, of all consoles.
_MOST_SOURCES: Final = 100
_sources: Final[list[str]] = []


class Console:
    """A prompt with a namespace of its own.

    One caller at a time is served; the others wait.

    :param globals: names that the code finds.
    :param locals: more of them, which win.  Both are copied: what the code assigns stays here.
    """

    def __init__(
        self,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - Werkzeug's
        locals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> None:
        # One dict for both: a lambda that is typed here finds its names in the globals only.
        self.names: dict[str, Any] = {
            **(globals or {}),
            **(locals or {}),
            "dump": dump,
            "help": helper,
        }
        self.more = False  #: the code so far is not complete
        self._lines = ""
        self._compile = codeop.CommandCompiler()
        self._one_at_a_time = threading.RLock()

    def eval(self, code: str) -> str:
        """Run code, and return the prompt with the code and what came of it, as HTML.

        :param code: Python, which may be the next line of something begun before.
        """
        prompt = "... " if self.more else ">>> "
        return f"{prompt}{escape(code.rstrip())}\n{self.run(code)}"

    def run(self, code: str) -> str:
        """Run code, and return what came of it, as HTML.

        :param code: as in :meth:`eval`.
        """
        with self._one_at_a_time:
            output = HTMLStringO()
            with written_to(output, self.names):
                self._run(code, output)
            return output.reset()

    def _run(self, code: str, output: HTMLStringO) -> None:
        source = f"{self._lines}{code.rstrip()}"
        name = f"<console {next(_numbers)}>"
        try:
            # Several lines at once are meant to be all of it.
            whole = "\n" in code.strip("\n") or self._compile(source, name, "single") is not None
            if not whole:
                self.more, self._lines = True, f"{source}\n"
                return
            self.more, self._lines = False, ""
            flags = self._compile.compiler.flags & _FROM_THE_FUTURE
            body = compile(source, name, "exec", flags | ast.PyCF_ONLY_AST).body
            # What a prompt would take line by line: the value of each expression is shown.
            ready = compile(ast.Interactive(body), name, "single", flags)
        except (SyntaxError, ValueError, OverflowError) as error:
            self.more, self._lines = False, ""
            # The frames are ours: the code has not begun to run.
            _show_error(error.with_traceback(None), output)
            return
        _remember_source(name, source)
        try:
            exec(ready, self.names)  # noqa: S102 - this is what a console is for
        except (Exception, SystemExit) as error:  # noqa: BLE001 - typed by somebody
            trace = error.__traceback__
            _show_error(error.with_traceback(trace and trace.tb_next), output)

    def complete(self, code: str) -> Completion:
        """Return how the code may go on.

        :param code: up to the cursor.
        """
        with self._one_at_a_time:
            return complete(code, self.names)


def _show_error(error: BaseException, output: HTMLStringO) -> None:
    text = "".join(traceback.format_exception(error))
    output.write_html(f'<span class="error">{escape(text)}</span>')


def _remember_source(name: str, source: str) -> None:
    """Let tracebacks show lines of what was typed."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    _sources.append(name)
    while len(_sources) > _MOST_SOURCES:
        linecache.cache.pop(_sources.pop(0), None)
