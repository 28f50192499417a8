"""``routes --explain``: the way of one request, laid out for a terminal."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from stein.web.explain.road import explain_request
from stein.web.globals import current_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stein.web.explain.road import Handler, Hook, Miss, Place, Road

Rows: TypeAlias = "Sequence[tuple[str, ...]]"

__all__ = ["lay_out", "read_request", "show_road"]

#: Text is not easier to read on a wider line.
WIDEST: Final = 110
NARROWEST: Final = 40
#: columns of the headings at the left
MARGIN: Final = 13
#: what may stand alone by mistake
METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)


def show_road(text: str) -> None:
    """Print the way of a request through the current application.

    :param text: ``GET /users/3``; a URL alone means ``GET``.
    :raises click.BadParameter: the text cannot be read.
    """
    method, url = read_request(text)
    try:
        road = explain_request(current_app, method, url)
    except ValueError as error:
        raise click.BadParameter(f"{url!r} is no URL: {error}", param_hint="--explain") from None
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    # click leaves colours out where the output is no terminal; NO_COLOR is somebody's wish.
    color = False if os.environ.get("NO_COLOR") else None
    for line in lay_out(road, width):
        click.echo(line, color=color)


def read_request(text: str) -> tuple[str, str]:
    """Take a request's method and URL apart.

    :raises click.BadParameter: there is no URL, or more than a method and a URL.
    """
    words = text.split()
    if len(words) == 2:
        return words[0].upper(), words[1]
    if len(words) == 1 and words[0].upper() not in METHODS:
        return "GET", words[0]
    message = f"{text!r} is no request; write a method and a path in quotes, such as 'GET /users/3'"
    raise click.BadParameter(message, param_hint="--explain")


def lay_out(road: Road, width: int) -> Iterator[str]:
    """Give the lines that tell a road.

    :param width: of the terminal, in columns.
    """
    yield click.style(f"{road.method} {road.url}", bold=True)
    yield from paragraph(f"{styled_status(road.status)} {road.reason}", width, "  ", "      ")
    blocks: list[list[tuple[str, Rows]]] = [
        about_rule(road),
        [("redirect", [(road.redirect,)])] if road.redirect else [],
        [("answer", [row_of_handler(road.answered_by)])] if road.answered_by else [],
        [("before", [row_of_hook(hook) for hook in road.before])],
        [("view", about_view(road))],
        [("after", [row_of_hook(hook) for hook in road.after])],
        [("on errors", [row_of_handler(handler) for handler in road.handlers])],
    ]
    for block in blocks:
        lines = [line for heading, rows in block if rows for line in section(heading, rows, width)]
        if lines:
            yield ""
            yield from lines
    if road.misses:
        yield ""
        yield from about_misses(road.misses, width)


# -- what stands in a section -------------------------------------------------------------------


def about_rule(road: Road) -> list[tuple[str, Rows]]:
    """Return the rule and what is known from it, each with its heading."""
    if road.rule is None:
        return []
    values = ", ".join(f"{name}={value!r}" for name, value in road.values.items())
    return [
        ("rule", [(road.rule, ", ".join(road.methods))]),
        ("domain", [(road.domain,)] if road.domain else []),
        ("endpoint", [(str(road.endpoint),)]),
        ("blueprint", [(" in ".join(road.blueprints),)] if road.blueprints else []),
        ("values", [(values,)] if values else []),
    ]


def about_view(road: Road) -> Rows:
    """Return the view; for an answer of its own, that none is called."""
    if road.automatic_options:
        return [("not called: OPTIONS is answered automatically",)]
    return [] if road.view is None else [(f"{road.view.name}()", whereabouts(road.view))]


def row_of_hook(hook: Hook) -> tuple[str, ...]:
    """Return what is shown of a hook."""
    return hook.kind, f"{hook.place.name}()", whereabouts(hook.place), within(hook.scope)


def row_of_handler(handler: Handler) -> tuple[str, ...]:
    """Return what is shown of an error handler."""
    name = handler.error.rpartition(".")[2]
    error = name if handler.code is None else f"{handler.code} {name}"
    return error, f"{handler.place.name}()", whereabouts(handler.place), within(handler.scope)


def within(scope: str | None) -> str:
    """Return where a function was registered, if not on the application."""
    return "" if scope is None else f"(blueprint {scope})"


def about_misses(misses: Sequence[Miss], width: int) -> Iterator[str]:
    """Give the lines about rules that are nearly those of the request."""
    indent = " " * MARGIN
    for number, miss in enumerate(misses):
        heading = "not taken" if number == 0 else ""
        methods = ", ".join(miss.methods)
        yield f"{margin(heading)}{miss.rule}  {methods}  {miss.endpoint}".rstrip()
        yield from paragraph(miss.reason, width, f"{indent}  ", f"{indent}  ")


def whereabouts(place: Place) -> str:
    """Return ``file:line``; files below the current folder as one would type them."""
    if place.file is None:
        return f"in {place.module}"
    file = Path(place.file)
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    return f"{file}:{place.line}"


# -- layout -------------------------------------------------------------------------------------


def section(heading: str, rows: Rows, width: int) -> Iterator[str]:
    """Give rows in columns, with a heading at the left.

    Where they do not fit, the column in which they get too wide goes to a line of its own.
    """
    columns = max(map(len, rows))
    widths = [
        max((len(row[place]) for row in rows if place < len(row) - 1), default=0)
        for place in range(columns)
    ]
    for number, row in enumerate(rows):
        line = margin(heading if number == 0 else "")
        for place, text in enumerate(row):
            if not text:
                continue
            used = len(click.unstyle(line))
            if place and used + len(text) > width:
                yield line.rstrip()
                line = " " * (MARGIN + 2)
            line += f"{text:<{widths[place]}}  "
        yield line.rstrip()


def margin(heading: str) -> str:
    """Return a heading, or the room for it."""
    return click.style(f"  {heading:<{MARGIN - 2}}", fg="cyan")


def paragraph(text: str, width: int, first: str, rest: str) -> list[str]:
    """Break a text into lines."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def styled_status(status: int) -> str:
    """Return a status in the colour of its class."""
    colour = "green" if status < 300 else "yellow" if status < 400 else "red"
    return click.style(str(status), fg=colour, bold=True)
