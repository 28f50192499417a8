"""Why the program could not start, and the page that says so until it can."""

# ruff: noqa: PTH100, PTH118, PTH120 - paths as texts, which tracebacks have

from __future__ import annotations

import linecache
import os
import sys
import traceback
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final

from stein.errors import SteinError
from stein.serving.reloader.inventory import is_library
from stein.serving.reloader.live import ASK_PATH, SCRIPT_PATH, script, state_of
from stein.tracebacks import MACHINERY, render, user_frames, whereabouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["Failure", "failure_of", "page_for"]

#: lines of source before and behind the one at which it failed
AROUND: Final = 4
MISTAKES: Final = (AttributeError, ImportError, NameError, SyntaxError, TypeError)
PAGE: Final = "failure.html"
WITHHELD: Final = "The program could not be started. Why is shown in the terminal of the server."


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that has ended a program, as text: it comes from another process.

    ``place`` is file and line, ``frames`` are the user's, from the outermost to the innermost.
    ``is_mistake``: it is in the code, and a second attempt would end in the same way.
    """

    headline: str
    text: str = ""
    place: tuple[str, int] | None = None
    frames: tuple[tuple[str, int, str], ...] = ()
    is_mistake: bool = False

    def files(self) -> list[str]:
        """Return the files that may have to be mended."""
        paths = [frame[0] for frame in self.frames]
        return [*paths, self.place[0]] if self.place else paths

    def as_message(self, *, printed: bool) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "headline": self.headline,
            "text": self.text,
            "place": self.place,
            "frames": self.frames,
            "is_mistake": self.is_mistake,
            "printed": printed,
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Failure:
        """Return what :meth:`as_message` was made from."""
        place = message.get("place")
        return cls(
            message["headline"],
            message["text"],
            (place[0], place[1]) if place else None,
            tuple((file, line, name) for file, line, name in message.get("frames", ())),
            message.get("is_mistake", False),
        )


def failure_of(error: BaseException) -> Failure:
    """Describe an exception; one that was raised to explain another is left out."""
    while is_explanation(error):
        if error.__cause__ is None:
            return Failure(str(getattr(error, "message", error)))
        error = error.__cause__
    ours = machinery()
    frames = tuple(
        (os.path.abspath(frame.filename), frame.lineno or 0, frame.name)
        for frame in user_frames(innermost(error, ours), ours)
        if not frame.filename.startswith("<")
    )
    own = [frame[:2] for frame in frames if not is_library(frame[0])] or [
        frame[:2] for frame in frames
    ]
    place = own[-1] if own else None
    if isinstance(error, SyntaxError) and error.filename and not error.filename.startswith("<"):
        place = (os.path.abspath(error.filename), error.lineno or 0)
    is_mistake = isinstance(innermost(error, ours), MISTAKES)
    return Failure(headline_of(error), render(error, ours), place, frames, is_mistake)


def machinery() -> tuple[str, ...]:
    """Return how the file names of frames begin that are nobody's fault: stein's, and click's."""
    click = getattr(sys.modules.get("click"), "__file__", None)
    return MACHINERY if click is None else (*MACHINERY, os.path.join(os.path.dirname(click), ""))


def is_explanation(error: BaseException) -> bool:
    """Whether an exception is a message for the user of a command, and no fault of a program."""
    return isinstance(error, SteinError) or hasattr(error, "format_message")


def innermost(error: BaseException, ours: tuple[str, ...]) -> BaseException:
    """Return the exception behind one of ours, which has no frames of the user's."""
    seen = {id(error)}
    while not user_frames(error, ours):
        behind = error.__cause__ or error.__context__
        if behind is None or id(behind) in seen:
            break
        seen.add(id(behind))
        error = behind
    return error


def headline_of(error: BaseException) -> str:
    """Return type and text of an exception on one line."""
    if isinstance(error, SyntaxError):
        return whereabouts(error).partition(": ")[2] if error.filename else whereabouts(error)
    return "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]


# -- the page -----------------------------------------------------------------------------------


def page_for(failure: Failure, run: str, *, details: bool) -> WSGIApplication:
    """Make the application that answers everything while there is no other.

    A browser is shown a page, which goes away by itself when the program runs again; other
    clients, by their Accept field, get text or JSON.  The status is 500 always.

    :param failure: what to tell.
    :param run: stands for this attempt to start the program.
    :param details: tell it, and not only that there is something.
    """
    shown = failure if details else Failure(WITHHELD)
    html = html_of(shown, run).encode("utf-8", "replace")
    text = f"{text_of(shown)}\n".encode("utf-8", "replace")

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        accept = environ.get("HTTP_ACCEPT", "")
        status, body, kind = "500 Internal Server Error", text, "text/plain; charset=utf-8"
        if path == ASK_PATH:
            status, body, kind = "200 OK", state_of(run, 0, 0), "application/json"
        elif path == SCRIPT_PATH:
            status, body, kind = "200 OK", script(), "text/javascript; charset=utf-8"
        elif "text/html" in accept:
            body, kind = html, "text/html; charset=utf-8"
        elif "json" in accept:
            body, kind = json_of(shown), "application/json"
        start_response(
            status,
            [
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


def text_of(failure: Failure) -> str:
    """Return everything as plain text."""
    return failure.text.rstrip("\n") or failure.headline


def json_of(failure: Failure) -> bytes:
    """Return it for a program."""
    import json  # noqa: PLC0415 - only here

    return json.dumps({"error": failure.headline, "traceback": failure.text}).encode()


def html_of(failure: Failure, run: str) -> str:
    """Return the page."""
    place = ""
    if failure.place:
        place = f'<p class="place">{escape(failure.place[0])}, line {failure.place[1]}</p>'
    trace = ""
    if failure.text:
        trace = (
            "<details open><summary>Traceback</summary>"
            f'<pre tabindex="0">{escape(failure.text)}</pre></details>'
        )
    page = Template(files(__package__ or "").joinpath(PAGE).read_text("utf-8"))
    return page.substitute(
        headline=escape(failure.headline),
        place=place,
        source=source_of(failure),
        trace=trace,
        run=escape(run),
        script=SCRIPT_PATH,
    )


def source_of(failure: Failure) -> str:
    """Return the lines around the place, as it stands in the file now."""
    if not failure.place:
        return ""
    path, number = failure.place
    linecache.checkcache(path)
    lines = linecache.getlines(path)
    first = max(1, number - AROUND)
    rows = [
        f'<li data-line="{each}"{" class=here" if each == number else ""}>'
        f"<code>{escape(lines[each - 1].rstrip()) or ' '}</code></li>"
        for each in range(first, min(len(lines), number + AROUND) + 1)
    ]
    return f"<ol>{''.join(rows)}</ol>" if rows else ""
