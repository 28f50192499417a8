"""``stein status`` and ``stein top``: which server is meant, and what is said of it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from click.testing import CliRunner

from stein.server import Server, Settings
from stein.server.board import Board
from stein.server.control import Control, ControlError, ask
from stein.serving import servers
from stein.serving import watching as module
from stein.serving.command import LATE, late_command
from stein.serving.watching import status_command, top_command, watch
from tests.observe.snapshots import answer_of, busy_thread, make_held, make_snapshot, make_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from stein.typing import Environ, StartResponse

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
BUSY = make_worker(threads=(busy_thread(0, make_held("/report?x=1", 61.2)),))


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@contextlib.contextmanager
def answering(path: Path, answer: dict[str, Any]) -> Iterator[None]:
    """A control socket that gives the same answer to everybody."""
    control = Control(path)
    control._sock.setblocking(True)

    def answer_all() -> None:
        while (visitor := control.accept()) is not None:
            visitor._sock.setblocking(True)
            if visitor.read() == {"command": "end"}:
                visitor.close()
                return
            visitor.answer(answer)

    thread = threading.Thread(target=answer_all)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(ControlError):
            ask(path, "end")
        thread.join()
        control.close()


@pytest.fixture
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual folder of control sockets, with nobody in it; and no server runs."""
    monkeypatch.setattr(servers, "folder_for_sockets", lambda: tmp_path)
    monkeypatch.setattr(servers, "default_path", lambda pid: tmp_path / f"{pid}.sock")
    monkeypatch.setattr(servers, "servers_with_boards", lambda: iter(()))
    return tmp_path


def run(command: Callable[..., object], *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(command, words)  # type: ignore[arg-type]
    if isinstance(found.exception, Exception) and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_the_commands_are_there() -> None:
    assert {"status", "top"} <= set(LATE)
    assert late_command("status") is status_command
    assert late_command("top") is top_command


def test_status_says_what_the_control_socket_tells(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with answering(path, answer_of(make_snapshot(BUSY))):
        code, text = run(status_command, "--control", str(path))
    assert code == 0
    assert text.startswith("a:b: reloading for 3 min 20 s, 1 of 4 workers ready\n")
    assert "GET /report" in text


def test_status_as_json_is_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with answering(path, answer_of(make_snapshot(BUSY))):
        code, text = run(status_command, "--json", "--control", str(path))
    assert code == 0
    assert json.loads(text)["under_way"][0]["path"] == "/report"


def test_top_once_is_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with answering(path, answer_of(make_snapshot(BUSY))):
        code, text = run(
            top_command, "--once", "--interval", "0.1", "--by-path", "--control", str(path)
        )
    assert code == 0
    assert text.count("stein: a:b") == 1
    assert text.endswith("1 min 1 s      1  running  0        GET /report\n")


def test_top_without_a_terminal_goes_on_until_the_server_ends(tmp_path: Path) -> None:
    path = tmp_path / "control"
    looks = 0

    def look() -> Any:
        nonlocal looks
        looks += 1
        if looks == 4:
            raise KeyboardInterrupt
        return found()

    with answering(path, answer_of(make_snapshot(BUSY))), pytest.MonkeyPatch.context() as patch:
        found = watch(str(path), None)
        patch.setattr(module, "watch", lambda *_: look)
        code, text = run(top_command, "--interval", "0.1")
    assert code == 0
    assert text.count("stein: a:b") == 2


@pytest.mark.parametrize("command", [status_command, top_command])
def test_nobody_there_is_one_line_and_exit_code_1(
    tmp_path: Path, command: Callable[..., object]
) -> None:
    code, text = run(command, "--control", str(tmp_path / "nobody"))
    assert code == 1
    assert text.startswith("stein: error: no server answers at ")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"ok": False, "error": "user 7 may not do this"}, "user 7 may not do this"),
        ({"ok": False}, "refused"),
        ({"ok": True}, "another version of stein"),
    ],
)
def test_an_answer_that_is_no_status_is_told(
    tmp_path: Path, answer: dict[str, Any], why: str
) -> None:
    path = tmp_path / "control"
    with answering(path, answer):
        code, text = run(status_command, "--control", str(path))
    assert (code, why in text) == (1, True)


def test_a_process_id_leads_to_the_control_socket(sockets: Path) -> None:
    with answering(sockets / "4711.sock", answer_of(make_snapshot(BUSY))):
        assert watch(None, "4711")().application == "a:b"


def test_the_only_server_is_meant_if_nobody_says_which(sockets: Path) -> None:
    with answering(sockets / f"{os.getpid()}.sock", answer_of(make_snapshot(BUSY))):
        (sockets / "word.sock").touch()
        assert watch(None, None)().application == "a:b"


@on_linux
def test_a_server_without_a_control_socket_is_read_from_its_memory() -> None:
    with Server(application, Settings(threads=3), port=0):
        report = watch(None, str(os.getpid()))()
    name = f"{__name__}:application"
    assert (report.state, report.application, report.is_supervised) == ("serving", name, False)
    assert report.memory[os.getpid()] > 1 << 20
    assert report.processor[os.getpid()] > 0


@on_linux
def test_a_server_that_has_ended_is_not_shown_as_if_it_were_there() -> None:
    with Server(application, Settings(threads=2), port=0) as server:
        board = Board.of_process(os.getpid())
        board.parent = 1 << 30
        with pytest.raises(ControlError, match="process 1073741824, has ended"):
            module.read(board)
        board.close()
        assert server.url


@on_linux
def test_a_process_that_is_no_server_is_named() -> None:
    for command in (status_command, top_command):
        code, text = run(command, "--pid", str(os.getppid()))
        assert code == 1
        assert text.startswith(
            f"stein: error: process {os.getppid()} has no board: it is no server"
        )


def test_a_terminal_is_drawn_on_and_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stein.observe.terminal import TerminalScreen

    class Given(TerminalScreen):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def __enter__(self) -> Self:
            self.seen.append("taken")
            return self

        def __exit__(self, *_: object) -> None:
            self.seen.append("given back")

        def size(self) -> tuple[int, int]:
            return 80, 24

        def draw(self, lines: object) -> None:
            self.seen.append("drawn")

        def wait(self, seconds: float) -> str:
            return "q"

    screen = Given()
    monkeypatch.setattr("stein.observe.terminal.screen_for", lambda _: screen)
    path = tmp_path / "control"
    with answering(path, answer_of(make_snapshot(BUSY))):
        assert run(top_command, "--control", str(path)) == (0, "")
    assert screen.seen == ["taken", "drawn", "given back"]
