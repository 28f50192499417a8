"""An exception with all that is behind it: as text, as HTML, as data.

The frames of a :class:`traceback.TracebackException` are exchanged for ours, which keep their
variables.  All else (chains, circles in them, groups, notes, syntax errors) it knows best.
"""

from __future__ import annotations

from traceback import TracebackException, walk_tb
from typing import TYPE_CHECKING, Any

from stein.toolkit.debugger import page
from stein.toolkit.debugger.chain import CAUSE, behind_of, chain_of, message_of, type_of
from stein.toolkit.debugger.frames import DebugFrameSummary
from stein.toolkit.debugger.masking import Masker
from stein.toolkit.properties import cached_property
from stein.tracebacks import MACHINERY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from traceback import FrameSummary
    from types import FrameType

__all__ = ["DebugFrameSummary", "DebugTraceback", "render_console_html"]

render_console_html = page.render_console_html


class DebugTraceback:
    """A traceback to be shown.

    :param exc: the exception.
    :param te: what :mod:`traceback` makes of it, if that is there already.
    :param skip: frames to leave out, of those that were entered first.
    :param hide: leave out frames whose ``__traceback_hide__`` says so.
    """

    __slots__ = ("_cache_all_frames", "_cache_all_tracebacks", "_te")

    def __init__(
        self,
        exc: BaseException,
        te: TracebackException | None = None,
        *,
        skip: int = 0,
        hide: bool = True,
    ) -> None:
        if te is None:
            te = TracebackException.from_exception(exc, lookup_lines=False)
        self._te = te
        _exchange_frames(te, exc, skip, hide=hide)

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._te}>"

    @property
    def exception_type(self) -> str:
        """The name of the exception's class, without its module."""
        return type_of(self._te)

    @cached_property
    def all_tracebacks(self) -> list[tuple[str | None, TracebackException]]:
        """The exception and those behind it, each with how the next one comes in."""
        return list(chain_of(self._te))

    @cached_property
    def all_frames(self) -> list[DebugFrameSummary]:
        """The frames of all exceptions, those within groups too."""
        return list(_frames(self._te))

    def render_traceback_text(self) -> str:
        """Return the traceback as the interpreter prints it."""
        return "".join(self._te.format())

    def render_traceback_html(self, include_title: bool = True) -> str:  # noqa: FBT001, FBT002 - Werkzeug's
        """Return the traceback as a piece of HTML, without variables.

        :param include_title: with a headline.
        """
        return page.render_traceback(self, None, include_title=include_title)

    def render_debugger_html(
        self,
        evalex: bool,  # noqa: FBT001 - Werkzeug's
        secret: str,
        evalex_trusted: bool,  # noqa: FBT001
        about: page.About | None = None,
    ) -> str:
        """Return the whole page.

        :param evalex: with consoles.
        :param secret: what the page proves itself with.
        :param evalex_trusted: it needs no PIN any more.
        :param about: what else the page says.
        """
        about = page.About() if about is None else about
        return page.render_page(self, evalex, secret, evalex_trusted, about)

    def masker(self, *, shows_variables: bool = True) -> Masker:
        """Return a masker that knows the secrets in all variables.

        :param shows_variables: whether the page may show values of variables at all.
        """
        masker = Masker(shows_variables=shows_variables)
        for frame in self.all_frames:
            for name, value in list(frame.local_ns.items()):
                masker.learn(name, value)
        return masker

    @property
    def summary(self) -> TracebackException:
        """What :mod:`traceback` knows, with our frames."""
        return self._te

    def to_data(self, masker: Masker) -> dict[str, Any]:
        """Return the traceback as data for JSON.

        :param masker: says whether variables are shown, and what of them.
        """
        return _data(self._te, masker)


def _frames(te: TracebackException) -> Iterator[DebugFrameSummary]:
    for _, current in chain_of(te):
        yield from current.stack  # type: ignore[misc] # they were exchanged
        for inner in current.exceptions or ():
            yield from _frames(inner)


def _exchange_frames(te: TracebackException, exc: BaseException, skip: int, *, hide: bool) -> None:
    """Put our frames in place of theirs; in the exceptions behind and within, too."""
    waiting = [(te, exc, skip)]
    while waiting:
        te, exc, skip = waiting.pop()
        running = [frame for frame, _ in walk_tb(exc.__traceback__)]
        # There may be fewer summaries: sys.tracebacklimit keeps the first.
        pairs = list(zip(running, te.stack, strict=False))[skip:]
        if hide:
            pairs = list(_without_hidden(pairs))
        te.stack[:] = [_ours(frame, summary) for frame, summary in pairs]
        # What is behind has no circles: te stops where an exception was seen before.
        for other, behind in ((te.__cause__, exc.__cause__), (te.__context__, exc.__context__)):
            if other is not None and behind is not None:
                waiting.append((other, behind, 0))
        if isinstance(exc, BaseExceptionGroup):
            within = zip(te.exceptions or (), exc.exceptions, strict=False)
            waiting += [(other, inner, 0) for other, inner in within]


def _ours(frame: FrameType, summary: FrameSummary) -> DebugFrameSummary:
    return DebugFrameSummary(
        filename=summary.filename,
        lineno=summary.lineno,
        name=summary.name,
        end_lineno=summary.end_lineno,
        colno=summary.colno,
        end_colno=summary.end_colno,
        locals=frame.f_locals,
        globals=frame.f_globals,
        first_line=frame.f_code.co_firstlineno,
    )


def _without_hidden(
    pairs: list[tuple[FrameType, FrameSummary]],
) -> list[tuple[FrameType, FrameSummary]]:
    """Leave out what frames want to be left out, by their variable ``__traceback_hide__``.

    It is true, or one of ``before``, ``after`` and ``reset``, which say where hiding ends or
    begins; with ``_and_this`` behind it the frame itself is meant, too.
    """
    kept: list[tuple[FrameType, FrameSummary]] = []
    hiding = False
    for pair in pairs:
        wish = pair[0].f_locals.get("__traceback_hide__", False)
        word = wish if isinstance(wish, str) else ""
        start, _, this = word.partition("_")
        if start == "before":
            kept, hiding = [], False
        elif start == "reset":
            hiding = False
        elif start == "after":
            hiding = True
        elif wish or hiding:
            continue
        if this != "and_this":
            kept.append(pair)
    return kept


# -- as data -------------------------------------------------------------------------------------


def _data(te: TracebackException, masker: Masker) -> dict[str, Any]:
    data: dict[str, Any] = {
        "type": type_of(te),
        "message": masker.known(message_of(te)),
        "frames": [_frame_data(frame, masker) for frame in te.stack],  # type: ignore[arg-type]
    }
    if te.__notes__:
        data["notes"] = [masker.known(str(note)) for note in te.__notes__]
    if te.exceptions:
        data["exceptions"] = [_data(inner, masker) for inner in te.exceptions]
    message, behind = behind_of(te)
    if behind is not None:
        data["cause" if message == CAUSE else "context"] = _data(behind, masker)
    return data


def _frame_data(frame: DebugFrameSummary, masker: Masker) -> dict[str, Any]:
    data: dict[str, Any] = {
        "file": frame.filename,
        "line": frame.lineno,
        "function": frame.name,
        "code": masker.known((frame.line or "").strip()),
        "own": not frame.is_library,
    }
    if masker.shows_variables and not frame.filename.startswith(MACHINERY):
        data["variables"] = dict(frame.variables(masker))
    return data
