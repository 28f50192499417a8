"""The control socket, with both ends in this process."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ConfigurationError
from stein.server import control as module
from stein.server.control import Control, ControlError, ask, default_path, path_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def control(place: Path) -> Iterator[Control]:
    control = Control(place)
    yield control
    control.close()


def serve_one(control: Control, answer: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Let one visitor in and answer; what it asked for."""
    heard: list[dict[str, Any] | None] = []
    control._sock.setblocking(True)

    def serve() -> None:
        visitor = control.accept()
        if visitor is None:
            return
        visitor._sock.setblocking(True)
        heard.append(visitor.read())
        visitor.answer(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        heard.append(ask(control.path, "reload", patience=3))
    finally:
        thread.join()
    return heard


def test_a_command_is_answered(control: Control) -> None:
    heard = serve_one(control, {"ok": True, "text": "done"})
    assert heard == [{"command": "reload", "patience": 3}, {"ok": True, "text": "done"}]


def test_nobody_else_may_touch_it(control: Control) -> None:
    assert stat.S_IMODE(control.path.stat().st_mode) == 0o600


def test_another_user_is_refused(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "user_of", lambda _sock: os.getuid() + 1)
    (answer,) = serve_one(control, {})
    assert answer is not None
    assert answer["error"] == f"user {os.getuid() + 1} may not do this"


def test_its_file_goes_with_it(place: Path) -> None:
    Control(place).close()
    assert not place.exists()


def test_a_file_that_another_server_has_put_there_stays(place: Path) -> None:
    first = Control(place)
    first._passing = place.with_name("first")  # as another process would have it
    second = Control(place, takes_over=os.getpid())
    assert place.stat().st_ino == first._identity[1]
    second.publish()
    first.close()
    assert place.stat().st_ino == second._identity[1]
    second.close()
    assert list(place.parent.iterdir()) == []


def test_a_successor_that_fails_leaves_the_place_to_the_old_server(place: Path) -> None:
    first = Control(place)
    Control(place, takes_over=os.getpid()).close()
    assert place.exists()
    first.close()


def test_what_a_dead_server_left_is_replaced(place: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(place))
    dead.close()
    Control(place).close()


def test_a_second_server_is_told_who_runs(control: Control) -> None:
    control._sock.setblocking(True)

    def serve() -> None:
        visitor = control.accept()
        assert visitor is not None
        visitor._sock.setblocking(True)
        visitor.read()
        visitor.answer({"ok": True, "parent": {"pid": 4711}})

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ConfigurationError, match="process 4711"):
        Control(control.path)
    thread.join()


def test_a_file_that_is_no_socket_is_not_touched(place: Path) -> None:
    place.write_text("mine")
    with pytest.raises(ConfigurationError, match="no socket"):
        Control(place)
    assert place.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must exist"):
        Control(tmp_path / "no" / "control.sock")


@pytest.mark.parametrize("data", [b"hello\n", b'"status"\n', b'{"command": 3}\n', b"{}\n"])
def test_what_is_no_command_is_no_command(control: Control, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.path))
        client.sendall(data)
        visitor = control.accept()
        assert visitor is not None
        assert visitor.read() == {"command": ""}
        visitor.close()


def test_a_command_may_come_in_pieces(control: Control) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.path))
        visitor = control.accept()
        assert visitor is not None
        assert visitor.read() is None
        client.sendall(b'{"comm')
        assert visitor.read() is None
        client.sendall(b'and": "status"}\n')
        assert visitor.read() == {"command": "status"}
        visitor.close()


@pytest.mark.parametrize("data", [b"", b"x" * 70_000])
def test_who_leaves_or_never_ends_is_let_go(control: Control, data: bytes) -> None:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(control.path))
    visitor = control.accept()
    assert visitor is not None
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    while visitor.is_open:
        assert visitor.read() is None
    visitor.close()
    visitor.answer({"ok": True})  # nobody hears it
    client.close()


def test_nobody_there_is_said(place: Path) -> None:
    with pytest.raises(ControlError, match="no server answers at"):
        ask(place, "status")


def test_an_end_without_an_answer_is_said(control: Control) -> None:
    control._sock.setblocking(True)

    def leave() -> None:
        visitor = control.accept()
        assert visitor is not None
        visitor.close()

    thread = threading.Thread(target=leave)
    thread.start()
    with pytest.raises(ControlError):
        ask(control.path, "status")
    thread.join()


def test_there_is_nobody_to_accept(control: Control) -> None:
    assert control.accept() is None


# -- where it is ----------------------------------------------------------------------------------


def test_the_usual_place_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert path_for("auto") == tmp_path / "stein" / f"{os.getpid()}.sock"
    assert stat.S_IMODE((tmp_path / "stein").stat().st_mode) == 0o700
    assert default_path(7) == tmp_path / "stein" / "7.sock"


def test_what_killed_servers_left_there_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "stein"
    folder.mkdir(mode=0o700)
    for name in (f"{os.getppid()}.sock", "999999999.sock", "mine.sock"):
        (folder / name).touch()
    path_for("auto")
    assert {each.name for each in folder.iterdir()} == {f"{os.getppid()}.sock", "mine.sock"}


def test_without_one_it_is_among_the_passing_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert path_for("auto") == tmp_path / f"stein-{os.getuid()}" / f"{os.getpid()}.sock"


def test_a_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "stein").mkdir(mode=0o777)
    (tmp_path / "stein").chmod(0o777)
    with pytest.raises(ConfigurationError, match="not this user's alone"):
        path_for("auto")


def test_where_nothing_can_be_written_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/proc/nonexistent")
    assert path_for("auto") is None


def test_it_can_be_named_or_left_out(tmp_path: Path) -> None:
    assert path_for("off") is None
    assert path_for(str(tmp_path / "x")) == tmp_path / "x"


def test_an_answer_is_one_line_of_json(control: Control) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.path))
        visitor = control.accept()
        assert visitor is not None
        visitor.answer({"ok": False, "text": "a\nb"})
        data = client.makefile("rb").read()
        assert data.count(b"\n") == 1
        assert json.loads(data) == {"ok": False, "text": "a\nb"}
