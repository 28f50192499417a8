"""Which of the servers that run is meant: the same for all commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stein.errors import ConfigurationError
from stein.server import Server, Settings
from stein.server.board import Board
from stein.server.control import ControlError
from stein.serving import servers
from stein.serving.servers import RunningServer, find_control, find_server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.typing import Environ, StartResponse

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
HERE = os.getpid()


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@pytest.fixture
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual folder of control sockets, with nobody in it; and no server runs."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(servers, "servers_with_boards", lambda: iter(()))
    folder = tmp_path / "stein"
    folder.mkdir()
    return folder


def test_a_path_is_a_path() -> None:
    assert find_control("/run/x.sock", None, "stop") == Path("/run/x.sock")


def test_a_process_is_named_by_number_or_by_its_file(sockets: Path, tmp_path: Path) -> None:
    (sockets / "4711.sock").touch()
    assert find_control(None, "4711", "stop") == sockets / "4711.sock"
    file = tmp_path / "shop.pid"
    file.write_text("4711\n")
    assert find_control(None, str(file), "stop") == sockets / "4711.sock"
    file.write_text("x")
    with pytest.raises(ConfigurationError, match="holds no process id"):
        find_control(None, str(file), "stop")
    with pytest.raises(ConfigurationError, match="neither a process id nor a file"):
        find_control(None, str(tmp_path / "no.pid"), "stop")


def test_the_only_one_that_runs_is_meant(sockets: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no server of this user was found.*--pid N"):
        find_server(None)
    (sockets / "999999999.sock").touch()
    (sockets / "x.sock").touch()
    (sockets / f"{HERE}.sock").touch()
    assert find_server(None) == RunningServer(HERE, "", sockets / f"{HERE}.sock")
    assert find_control(None, None, "stop") == sockets / f"{HERE}.sock"


def test_a_server_without_workers_counts_as_one_with_them(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = RunningServer(7, "shop:app", is_alone=True)
    monkeypatch.setattr(servers, "servers_with_boards", lambda: iter((alone,)))
    assert find_server(None) == alone
    (sockets / f"{HERE}.sock").touch()
    monkeypatch.setattr(servers, "name_at", lambda _: "blog:app")
    message = rf"several servers run: 7 \(shop:app\), {HERE} \(blog:app\)\. Say which with --pid N"
    for find in (lambda: find_server(None), lambda: find_control(None, None, "stop")):
        with pytest.raises(ConfigurationError, match=message):
            find()


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (
            RunningServer(7, "shop:app", is_alone=True),
            (
                "stop: process 7 (shop:app) has no control socket, as it is one process alone: "
                "kill -TERM 7 stops it; start it with --workers N to have one"
            ),
        ),
        (
            RunningServer(7),
            (
                "stop: process 7 has no control socket in the usual place: give --control PATH, if "
                "it was started so; kill -TERM 7 stops it"
            ),
        ),
    ],
)
@pytest.mark.usefixtures("sockets")
def test_of_a_server_without_a_control_socket_it_is_said_what_helps(
    monkeypatch: pytest.MonkeyPatch, server: RunningServer, message: str
) -> None:
    monkeypatch.setattr(servers, "servers_with_boards", lambda: iter((server,)))
    with pytest.raises(ControlError) as caught:
        find_control(None, None, "stop")
    assert str(caught.value) == message


def test_a_server_that_says_nothing_has_no_name(sockets: Path) -> None:
    assert servers.name_at(sockets / "7.sock") == ""


@pytest.mark.usefixtures("sockets")
def test_a_process_that_does_not_exist_is_said_so() -> None:
    with pytest.raises(ControlError, match="there is no process 999999999: it has ended"):
        find_server("999999999")


@on_linux
@pytest.mark.usefixtures("sockets")
def test_a_process_that_is_no_server_is_named() -> None:
    with pytest.raises(ControlError, match=f"process {os.getppid()} has no board: it is no server"):
        find_server(str(os.getppid()))


@on_linux
def test_a_board_tells_of_its_server() -> None:
    with Server(application, Settings(threads=2), port=0, name="shop:app"):
        expected = RunningServer(HERE, "shop:app", is_alone=True)
        assert find_server(str(HERE)) == expected
        assert expected in set(servers.servers_with_boards())


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/usr/bin/python3\0/srv/bin/stein\0--app\0shop\0run\0", "stein --app shop run"),
        ("/usr/bin/python3\0-m\0stein\0run\0", "python3 -m stein run"),
        ("python\0shop.py\0", "shop.py"),
        ("python\0", "python"),
        ("python\0" + "x" * 80 + "\0", "x" * 60 + "…"),
        ("", ""),
    ],
)
def test_a_server_without_a_name_is_called_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, shown: str
) -> None:
    monkeypatch.setattr(servers, "PROCESSES", tmp_path)
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(line.encode())
    assert servers.command_of(7) == shown
    assert servers.command_of(8) == ""


class WorkersBoard:
    """As a worker has it."""

    parent = 77
    application = "shop:app"
    workers = 8

    def close(self) -> None:
        """Nothing to do."""


def test_the_number_of_a_worker_leads_to_its_parent(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Board, "of_process", lambda _: WorkersBoard())
    (sockets / "77.sock").touch()
    assert find_server(str(HERE)) == RunningServer(77, "shop:app", sockets / "77.sock")
