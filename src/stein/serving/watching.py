"""``stein status`` and ``stein top``: a running server, seen from outside.

A server with workers answers on its control socket.  Of any other, and of one whose control socket
is off, the board is read straight out of its memory (Linux): also of one that is stuck.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from stein.errors import ConfigurationError, SteinError
from stein.observe.report import Report
from stein.server.board import Board
from stein.server.control import ControlError, ask
from stein.server.pidfile import is_running
from stein.server.recycler import resident_memory
from stein.serving.observing import processor_time
from stein.serving.operate import target_options
from stein.serving.servers import find_server, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["status_command", "top_command", "watch"]

Looked = TypeVar("Looked")
#: Seconds within which a server must answer.
PATIENCE: Final = 5.0


def watch(control: str | None, pid: str | None) -> Callable[[], Report]:
    """Return what makes a report of the server that is meant, each time it is called.

    :param control: its control socket, if it was given.
    :param pid: one of its processes, or the file that holds the parent's id, if it was given.
    :raises ConfigurationError: none, or several, could be meant.
    :raises ControlError: the process that was named is no server.
    """
    if control is not None:
        return lambda: ask_for(Path(control))
    server = find_server(pid)
    path = server.control
    if path is not None:
        return lambda: ask_for(path)
    board = Board.of_process(server.pid)
    return lambda: read(board)


def ask_for(path: Path) -> Report:
    """Return the report that a control socket gives.

    :raises SteinError: it does not answer, or not in words of this version.
    """
    answer = ask(path, "status", timeout=PATIENCE)
    if not answer.get("ok"):
        raise ControlError(f"{path}: {answer.get('error') or answer.get('text') or 'refused'}")
    return measured(Report.of_answer(answer))


def read(board: Board) -> Report:
    """Return the report of a board.

    :raises ControlError: nobody writes on it any more.
    """
    if not is_running(board.parent):
        raise ControlError(f"the server, process {board.parent}, has ended")
    return measured(Report.of_board(board.read(), name_of(board)))


def measured(report: Report) -> Report:
    """Return the report with what the system says of its processes."""
    memory = {pid: resident_memory(pid) for pid in report.pids}
    used = {pid: processor_time(pid) for pid in report.pids}
    return dataclasses.replace(
        report,
        memory={pid: count for pid, count in memory.items() if count},
        processor={pid: seconds for pid, seconds in used.items() if seconds is not None},
    )


@click.command("status")
@target_options
@click.option("--json", "as_json", is_flag=True, help="As JSON, for a program.")
def status_command(control: str | None, pid: str | None, *, as_json: bool) -> None:
    """Show what a server is doing: its workers, its figures, every request under way.

    Without --control or --pid the one server of this user is meant.
    """
    # The other commands need none of it.
    from stein.observe.status import as_fields, as_text  # noqa: PLC0415 - see above

    report = looked(looked(lambda: watch(control, pid)))
    if as_json:
        click.echo(json.dumps(as_fields(report), indent=2))
    else:
        click.echo(as_text(report, shutil.get_terminal_size((100, 0)).columns), nl=False)


def looked(look: Callable[[], Looked]) -> Looked:
    """Look once, or find who is to be looked at.

    :raises SystemExit: with code 1 if nobody answers.
    """
    try:
        return look()
    except ConfigurationError:
        raise
    except SteinError as error:
        click.echo(f"stein: error: {error}", err=True)
        raise SystemExit(1) from None


@click.command("top")
@target_options
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=1.0, help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Show one frame and leave.")
@click.option(
    "--sort",
    type=click.Choice(("worker", "rate", "busy", "cpu", "memory")),
    default="worker",
    help="By what workers are sorted; s changes it.",
)
@click.option("--by-path", is_flag=True, help="Put equal paths together; p changes it.")
def top_command(  # noqa: PLR0913 - one parameter for each flag
    control: str | None,
    pid: str | None,
    *,
    interval: float,
    once: bool,
    sort: str,
    by_path: bool,
) -> None:
    """Watch a server: its workers, its speed, and the requests that take longest.

    q quits. Where there is no terminal, frame follows upon frame.
    """
    # The other commands need none of it.
    from stein.observe.terminal import (  # noqa: PLC0415 - see above
        LineScreen,
        TerminalScreen,
        screen_for,
    )
    from stein.observe.top import Top, View  # noqa: PLC0415 - see above

    look = looked(lambda: watch(control, pid))
    looked(look)  # before the screen is taken: an error belongs on the usual one
    view = View(sort, by_path)
    with contextlib.suppress(KeyboardInterrupt):
        screen = LineScreen(sys.stdout) if once else screen_for(os.environ)
        if once:
            Top(look, screen, view=view, interval=interval).once()
        elif isinstance(screen, TerminalScreen):
            with screen:
                Top(look, screen, view=view, interval=interval).run()
        else:
            Top(look, screen, view=view, interval=interval).run()
