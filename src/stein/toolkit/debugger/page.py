"""The debugger's pages: HTML with all that they need inside, so that nothing else is fetched.

What a page may do in the browser is bounded by its Content-Security-Policy: only the scripts and
styles that carry the page's nonce, requests only to where it came from.
"""

from __future__ import annotations

import json
import pkgutil
import platform
import secrets
import sys
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from string import Template
from typing import TYPE_CHECKING, Any, Final

from stein.toolkit.debugger.chain import chain_of, message_of, type_of
from stein.toolkit.debugger.frames import DebugFrameSummary, escape_text
from stein.tracebacks import MACHINERY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from traceback import TracebackException

    from stein.toolkit.debugger.masking import Masker
    from stein.toolkit.debugger.tracebacks import DebugTraceback

__all__ = ["About", "policy", "render_console_html", "render_page", "render_traceback", "resource"]

#: the script that the development server puts into pages, if it is asked to
LIVE_SCRIPT: Final = "/_stein/reload.js"

#: frames of one exception that are shown if there are more than twice as many
MOST_FRAMES: Final = 30
#: frames for the same line behind each other that are shown
MOST_ALIKE: Final = 3


@dataclass(frozen=True, slots=True)
class About:
    """What a page says besides the exception."""

    request: str = ""  #: method and URL
    refusal: str | None = None  #: why there are no consoles
    masker: Masker | None = None  #: says whether variables are shown, and what of them
    nonce: str = ""  #: allows the page's own scripts and styles


# -- the whole page ------------------------------------------------------------------------------


def render_page(
    shown: DebugTraceback,
    evalex: bool,  # noqa: FBT001 - as DebugTraceback.render_debugger_html
    secret: str,
    evalex_trusted: bool,  # noqa: FBT001
    about: About,
) -> str:
    """Return the page for an exception; see :meth:`DebugTraceback.render_debugger_html`."""
    te = shown.summary
    hide = about.masker.known if about.masker else str
    message = hide(message_of(te))
    nonce = about.nonce or new_nonce()
    body = resource_template("traceback.html").substitute(
        kind=escape_text(type_of(te)),
        message=escape_text(message),
        notes=_notes(te, about.masker),
        request=f'<p class="request">{escape_text(about.request)}</p>' if about.request else "",
        refusal=_refusal(about.refusal),
        traceback=render_traceback(shown, about.masker, include_title=False),
        plain=escape_text(hide(shown.render_traceback_text())),
    )
    first_line = message.partition("\n")[0]
    state = {"consoles": evalex, "trusted": evalex_trusted, "secret": secret if evalex else ""}
    return _document(f"{type_of(te)}: {first_line}", body, state, nonce)


def render_console_html(secret: str, evalex_trusted: bool, nonce: str = "") -> str:  # noqa: FBT001 - Werkzeug's
    """Return the page with nothing but a console.

    :param secret: what the page proves itself with.
    :param evalex_trusted: it needs no PIN any more.
    :param nonce: allows the page's own scripts and styles.
    """
    state = {"consoles": True, "trusted": evalex_trusted, "secret": secret}
    body = resource_template("console.html").substitute()
    return _document("Console", body, state, nonce or new_nonce())


def _document(title: str, body: str, state: dict[str, Any], nonce: str) -> str:
    return resource_template("page.html").substitute(
        title=escape_text(title),
        nonce=nonce,
        style=resource_text("style.css"),
        script=resource_text("debugger.js"),
        # Within a script element only the end tag and comments would be markup.
        state=json.dumps(state).replace("<", "\\u003c"),
        body=body,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        program=escape_text(sys.argv[0] if sys.argv else ""),
    )


def new_nonce() -> str:
    """Return a text that nobody can guess, for the scripts and styles of one page."""
    return secrets.token_urlsafe(16)


def policy(nonce: str, origin: str = "") -> str:
    """Return the Content-Security-Policy of a page (CSP Level 3).

    :param nonce: of its scripts and styles.
    :param origin: where the page is from, if the script may come from there that the development
        server puts into pages so that they show themselves anew.
    """
    live = f" {origin}{LIVE_SCRIPT}" if origin else ""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'{live}; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


@lru_cache(maxsize=8)
def resource_text(name: str) -> str:
    """Return one of the files in ``shared/``."""
    data = resource(name)
    assert data is not None, name  # noqa: S101 - it comes with the package
    return data.decode()


def resource(name: str) -> bytes | None:
    """Return one of the files in ``shared/``, or ``None`` if there is none of that name."""
    try:
        return pkgutil.get_data("stein.toolkit.debugger", f"shared/{name}")
    except OSError:
        return None


@lru_cache(maxsize=4)
def resource_template(name: str) -> Template:
    """Return one of the pages in ``shared/``."""
    return Template(resource_text(name))


def _refusal(text: str | None) -> str:
    return f'<p class="refusal">No consoles here. {escape_text(text)}</p>' if text else ""


def _notes(te: TracebackException, masker: Masker | None) -> str:
    notes = getattr(te, "__notes__", None) or ()
    hide = masker.known if masker else str
    items = "".join(f"<li>{escape_text(hide(str(note)))}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


# -- the traceback -------------------------------------------------------------------------------


def render_traceback(
    shown: DebugTraceback, masker: Masker | None, *, include_title: bool = True
) -> str:
    """Return the traceback as a piece of HTML.

    :param masker: says whether variables are shown, and what of them.
    :param include_title: with a headline.
    """
    te = shown.summary
    title = "<h3>Traceback <em>(most recent call last)</em></h3>" if include_title else ""
    own = [frame.is_library for frame in shown.all_frames]
    mark = any(own) and not all(own)
    return (
        f'<div class="traceback">{title}{"".join(_sections(te, masker, mark=mark, top=True))}</div>'
    )


def _sections(
    te: TracebackException,
    masker: Masker | None,
    *,
    mark: bool,
    top: bool = False,
) -> Iterator[str]:
    """Give an exception and those behind it, one section each."""
    for position, (message, current) in enumerate(chain_of(te)):
        # What is said at the top of the page is not said again above its first frames.
        said = "" if top and position == 0 else _said(current, masker)
        frames = _frames_html(current.stack, masker, mark)  # type: ignore[arg-type]
        group = _group(current, masker, mark)
        yield f"<section>{said}{_syntax_error(current)}{frames}{group}</section>"
        if message is not None:
            yield f'<div class="exc-divider">{message}:</div>'


def _said(te: TracebackException, masker: Masker | None) -> str:
    message = message_of(te)
    if masker is not None:
        message = masker.known(message)
    colon = ":" if message else ""
    return (
        f'<p class="said"><strong>{escape_text(type_of(te))}</strong>{colon} '
        f"{escape_text(message)}</p>{_notes(te, masker)}"
    )


def _syntax_error(te: TracebackException) -> str:
    """Return the line that is no Python, with what is wrong pointed at."""
    if getattr(te, "filename", None) is None and getattr(te, "text", None) is None:
        return ""
    if not hasattr(te, "offset"):
        return ""
    lines = "".join(
        list(te.format_exception_only())[: -1 - len(getattr(te, "__notes__", None) or ())]
    )
    return f'<pre class="syntaxerror">{escape_text(lines.rstrip())}</pre>' if lines else ""


def _group(te: TracebackException, masker: Masker | None, mark: bool) -> str:  # noqa: FBT001 - ours
    if not te.exceptions:
        return ""
    many = len(te.exceptions)
    items = "".join(
        f'<li><p class="number">{number} of {many}</p>'
        f"{''.join(_sections(inner, masker, mark=mark))}</li>"
        for number, inner in enumerate(te.exceptions, 1)
    )
    return f'<ol class="group">{items}</ol>'


def _frames_html(
    frames: Sequence[DebugFrameSummary],
    masker: Masker | None,
    mark: bool,  # noqa: FBT001 - ours
) -> str:
    """Return the frames; those of libraries folded away where some are the user's."""
    if not frames:
        return ""
    own = [frame for frame in frames if not frame.is_library]
    last = (own or frames)[-1]
    pieces: list[str] = []
    for is_library, group in groupby(_shown(frames), _belongs_to_library):
        members = list(group)
        html = "".join(
            f'<p class="left-out">{member}</p>'
            if isinstance(member, str)
            else member.render_html(mark, _for_variables(member, masker), is_open=member is last)
            for member in members
        )
        pieces.append(_folded(members, html) if is_library and own else html)
    return f'<div class="frames">{"".join(pieces)}</div>'


def _belongs_to_library(member: DebugFrameSummary | str) -> bool:
    return not isinstance(member, str) and member.is_library


def _for_variables(frame: DebugFrameSummary, masker: Masker | None) -> Masker | None:
    """Return what shows the variables of a frame; those of our own say nothing to anybody."""
    return None if frame.filename.startswith(MACHINERY) else masker


def _shown(frames: Sequence[DebugFrameSummary]) -> list[DebugFrameSummary | str]:
    """Return the frames, and texts where some are left out of a recursion."""
    shown: list[DebugFrameSummary | str] = []
    for _, group in groupby(frames, lambda frame: (frame.filename, frame.lineno, frame.name)):
        same = list(group)
        if len(same) > MOST_ALIKE:
            count = len(same) - 2
            shown += [same[0], f"{count} more frames like this one are left out.", same[-1]]
        else:
            shown += same
    if len(shown) > 2 * MOST_FRAMES:  # several functions that call each other without end
        count = len(shown) - MOST_FRAMES
        shown[MOST_FRAMES // 2 : -MOST_FRAMES // 2] = [f"{count} frames are left out."]
    return shown


def _folded(members: list[DebugFrameSummary | str], inner: str) -> str:
    frames = [member for member in members if not isinstance(member, str)]
    names = list(dict.fromkeys(_library_of(frame) for frame in frames))
    count = "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
    return (
        f'<details class="folded"><summary>{count} of {escape_text(", ".join(names))}</summary>'
        f"{inner}</details>"
    )


def _library_of(frame: DebugFrameSummary) -> str:
    name: str = frame.global_ns.get("__name__") or "a library"
    return name.partition(".")[0]
