"""What a service manager is told, read from a socket that stands for systemd's."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from stein.serving.notify import NEVER, Notifier, Watchdog, for_successor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINE = str(os.getpid())


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The name of a notify socket as NOTIFY_SOCKET has it, and the socket."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@stein-test-{MINE}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0"))
        sock.settimeout(10)
        yield name, sock


def test_messages_arrive_as_they_are(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.wanted
    assert notifier("READY=1\nMAINPID=7")
    assert sock.recv(4096) == b"READY=1\nMAINPID=7"


def test_a_reload_says_when_it_began(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    Notifier({"NOTIFY_SOCKET": name})("RELOADING=1")
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=[0-9]+", sock.recv(4096))


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative"])
def test_without_a_socket_nobody_is_told(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert not notifier.wanted
    assert not notifier("READY=1")
    assert notifier.pulse(1.0) == NEVER
    with Watchdog(notifier):
        pass


def test_a_manager_that_is_gone_or_stuck_stops_nothing(tmp_path: Path) -> None:
    assert not Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")})("READY=1")


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": MINE}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getppid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1" + MINE}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_which_signs_of_life_are_wanted(variables: dict[str, str], seconds: float) -> None:
    assert Notifier(variables).watchdog == seconds


@pytest.mark.parametrize(
    ("pid", "successors"),
    [(MINE, MINE), (str(os.getppid()), MINE), ("1" + MINE, "1" + MINE), (None, None)],
)
def test_whoever_takes_over_gives_the_signs_of_life(
    pid: str | None, successors: str | None
) -> None:
    variables = {"WATCHDOG_USEC": "3000000", "SHOP": "1"}
    given = variables if pid is None else {**variables, "WATCHDOG_PID": pid}
    wanted = variables if successors is None else {**variables, "WATCHDOG_PID": successors}
    assert for_successor(given) == wanted


def test_a_loop_gives_a_sign_in_half_the_time(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"})
    assert notifier.pulse(10.0) == 11.0
    assert notifier.pulse(10.5) == 11.0
    assert notifier.pulse(11.0) == 12.0
    assert [sock.recv(100), sock.recv(100)] == [b"WATCHDOG=1"] * 2
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(100)


def test_a_thread_gives_signs_until_the_end(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    with Watchdog(Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"})):
        assert [sock.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
