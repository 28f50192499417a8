"""The servers that run, and which of them a command means.

``--control PATH`` and ``--pid N`` name one; without either, it is the only one that this user
runs.  All commands count alike: servers with workers, which have a control socket, and servers of
one process, which have a board only (Linux).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stein.errors import ConfigurationError
from stein.server.board import Board
from stein.server.control import ControlError, ask, default_path, folder_for_sockets
from stein.server.pidfile import is_running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RunningServer", "find_control", "find_server", "name_of"]

PROCESSES: Final = Path("/proc")
#: Seconds that a server has to tell its name.
PATIENCE: Final = 1.0
#: Characters of a command that are shown.
LONGEST_COMMAND: Final = 60


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of this machine.

    :param pid: its process, or the parent of its workers.
    :param application: what it serves; empty if that is not known.
    :param control: its control socket, if it has one in the usual place.
    :param is_alone: whether it is known to be one process, without workers.
    """

    pid: int
    application: str = ""
    control: Path | None = None
    is_alone: bool = False

    def __str__(self) -> str:
        return f"{self.pid} ({self.application})" if self.application else str(self.pid)


def find_server(pid: str | None) -> RunningServer:
    """Return the server that is meant.

    :param pid: one of its processes, or the file that holds the parent's id, if it was given.
    :raises ConfigurationError: none, or several, could be meant.
    :raises ControlError: the process that was named is no server.
    """
    if pid is not None:
        return of_process(number_in(pid))
    found = {server.pid: server for server in servers_with_boards()}
    for number, path in control_sockets():
        if number not in found:
            found[number] = RunningServer(number, name_at(path), path)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        named = ", ".join(str(found[pid]) for pid in sorted(found))
        message = f"several servers run: {named}. Say which with --pid N or --control PATH"
    else:
        message = (
            "no server of this user was found: say which is meant with --pid N or --control PATH"
        )
    raise ConfigurationError(message)


def find_control(control: str | None, pid: str | None, command: str) -> Path:
    """Return the control socket of the server that is meant.

    :param control: its path, if it was given.
    :param pid: as for :func:`find_server`.
    :param command: what is to be done, for messages.
    :raises ConfigurationError: none, or several, could be meant.
    :raises ControlError: the server that is meant has none, or there is no such server.
    """
    if control is not None:
        return Path(control)
    server = find_server(pid)
    if server.control is not None:
        return server.control
    if not server.is_alone:
        message = (
            f"{command}: process {server} has no control socket in the usual place: give --control "
            f"PATH, if it was started so; kill -TERM {server.pid} stops it"
        )
        raise ControlError(message)
    message = (
        f"{command}: process {server} has no control socket, as it is one process alone: "
        f"kill -TERM {server.pid} stops it; start it with --workers N to have one"
    )
    raise ControlError(message)


def number_in(pid: str) -> int:
    """Return the process id that was given, or that the file has which was given."""
    if pid.isascii() and pid.isdigit():
        return int(pid)
    try:
        text = Path(pid).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"--pid {pid}: neither a process id nor a file that holds one ({error})"
        raise ConfigurationError(message) from None
    if not text.isdigit():
        raise ConfigurationError(f"--pid {pid}: the file holds no process id")
    return int(text)


def of_process(pid: int) -> RunningServer:
    """Return the server that a process is, or belongs to.

    :raises ControlError: it is none, or it has ended.
    """
    path = default_path(pid)
    if path.exists():
        return RunningServer(pid, control=path)
    if not is_running(pid):
        message = f"there is no process {pid}: it has ended, or has another number"
        raise ControlError(message)
    try:
        return by_board(pid)
    except ConfigurationError as error:
        raise ControlError(str(error)) from None


def by_board(pid: int) -> RunningServer:
    """Return the server that the board of a process tells of.

    :raises ConfigurationError: it has none, or may not be looked at.
    """
    board = Board.of_process(pid)
    try:
        path = default_path(board.parent)
        control = path if path.exists() else None
        return RunningServer(board.parent, name_of(board), control, board.workers == 1)
    finally:
        board.close()


def name_of(board: Board) -> str:
    """Return what a server serves; its command, if nobody wrote that on the board."""
    return board.application or command_of(board.parent)


def command_of(pid: int) -> str:
    """Return the command that a process was started with, without Python; empty if not known."""
    try:
        data = (PROCESSES / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    words = data.decode("utf-8", "replace").strip("\0").split("\0")
    if len(words) > 1 and not words[1].startswith("-"):
        words.pop(0)
    text = " ".join([Path(words[0]).name, *words[1:]])
    return text if len(text) <= LONGEST_COMMAND else f"{text[:LONGEST_COMMAND]}…"


def control_sockets() -> Iterator[tuple[int, Path]]:
    """Give the control sockets in their usual place, each with its server's process id."""
    for path in folder_for_sockets().glob("*.sock"):
        if path.stem.isdigit() and is_running(int(path.stem)):
            yield int(path.stem), path


def name_at(path: Path) -> str:
    """Return what a server says that it serves; empty if it says nothing."""
    try:
        answer = ask(path, "status", timeout=PATIENCE)
        return str(answer["parent"]["application"])
    except (ControlError, KeyError, TypeError, ValueError):
        return ""


def servers_with_boards() -> Iterator[RunningServer]:
    """Give the servers among this user's processes (Linux)."""
    user = os.getuid()
    for folder in PROCESSES.glob("[0-9]*"):
        # Some end meanwhile, and most are no servers.
        with contextlib.suppress(OSError, ConfigurationError):
            if folder.stat().st_uid == user:
                server = by_board(int(folder.name))
                if is_running(server.pid):
                    yield server
