"""Screens: a real terminal (of the system's making) is taken and given back; a file gets lines."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import pytest

from stein.observe import terminal as module
from stein.observe.terminal import LineScreen, TerminalScreen, is_drawable, screen_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")
XTERM = {"TERM": "xterm"}


class Terminal:
    """Both ends of a terminal of 60 columns and 5 lines."""

    def __init__(self) -> None:
        self.far, near = pty.openpty()
        self.near: TextIO = os.fdopen(near, "w", encoding="utf-8")
        self.keys: TextIO = os.fdopen(os.dup(near), encoding="utf-8")
        self.resize(60, 5)

    def resize(self, columns: int, lines: int) -> None:
        size = lines.to_bytes(2, sys.byteorder) + columns.to_bytes(2, sys.byteorder) + bytes(4)
        fcntl.ioctl(self.far, termios.TIOCSWINSZ, size)

    def press(self, data: bytes) -> None:
        os.write(self.far, data)

    def written(self) -> str:
        return os.read(self.far, 65536).decode()

    def mode(self) -> list[object]:
        found: list[object] = termios.tcgetattr(self.keys.fileno())
        return found

    def close(self) -> None:
        self.near.close()
        self.keys.close()
        if self.far >= 0:
            os.close(self.far)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_the_terminal_is_put_right_whatever_happens(terminal: Terminal) -> None:
    before = terminal.mode()
    screen = TerminalScreen(terminal.near, terminal.keys)
    with pytest.raises(KeyboardInterrupt), screen:
        raise KeyboardInterrupt
    assert terminal.mode() == before
    assert terminal.written() == "\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l"


def test_a_frame_is_drawn_over_the_one_before(terminal: Terminal) -> None:
    with TerminalScreen(terminal.near, terminal.keys) as screen:
        assert screen.is_live
        terminal.written()
        screen.draw([("WORKER", "title"), ("plain", "plain"), ("! bad", "alarm")])
        assert terminal.written() == (
            "\x1b[H\x1b[K\x1b[7mWORKER\x1b[0m\r\n"
            "\x1b[Kplain\r\n"
            "\x1b[K\x1b[1;31m! bad\x1b[0m\r\n"
            "\x1b[J"
        )


def test_a_frame_that_fills_the_screen_does_not_scroll_it(terminal: Terminal) -> None:
    with TerminalScreen(terminal.near, terminal.keys, colour=False) as screen:
        terminal.written()
        screen.draw([(str(line), "title") for line in range(5)])
        found = terminal.written()
    assert found.endswith("4")
    assert "\x1b[7m" not in found


def test_the_size_is_that_of_the_moment(terminal: Terminal) -> None:
    screen = TerminalScreen(terminal.near, terminal.keys)
    assert screen.size() == (60, 5)
    terminal.resize(70, 9)
    assert screen.size() == (70, 9)
    terminal.resize(0, 0)
    assert screen.size() == (module.WIDTH, 0)


def test_keys_come_one_by_one_and_without_a_line_break(terminal: Terminal) -> None:
    before = terminal.mode()
    with TerminalScreen(terminal.near, terminal.keys) as screen:
        assert terminal.mode() != before
        assert screen.wait(0) == ""
        terminal.press(b"s")
        assert screen.wait(30) == "s"
        terminal.press(b"\x1b[A")  # an arrow
        assert screen.wait(30) == "\x1b"
        terminal.press(b"\xff")
        assert screen.wait(30) == "�"


def test_a_terminal_that_has_gone_is_left(terminal: Terminal) -> None:
    screen = TerminalScreen(terminal.near, terminal.keys)
    os.close(terminal.far)
    terminal.far = -1
    assert screen.wait(30) == "q"


def test_lines_go_anywhere_one_frame_below_the_other() -> None:
    stream = io.StringIO()
    waited: list[float] = []
    screen = LineScreen(stream, waited.append)
    assert not screen.is_live
    screen.draw([("a", "title"), ("b", "alarm")])
    assert screen.wait(1.5) == ""
    screen.draw([("c", "plain")])
    assert stream.getvalue() == "a\nb\n\nc\n"
    assert waited == [1.5]


def test_a_width_that_nobody_knows_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", os.terminal_size)
    assert LineScreen(io.StringIO()).size() == (module.WIDTH, 0)


def test_what_an_encoding_does_not_have_becomes_a_question_mark() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    LineScreen(stream).draw([("… and 3 more", "plain")])
    assert raw.getvalue() == b"? and 3 more\n"


def test_a_dumb_terminal_and_a_pipe_are_not_drawn_on(terminal: Terminal) -> None:
    assert is_drawable(terminal.near, terminal.keys, XTERM)
    assert not is_drawable(terminal.near, terminal.keys, {"TERM": "dumb"})
    assert not is_drawable(terminal.near, terminal.keys, {})
    assert not is_drawable(io.StringIO(), terminal.keys, XTERM)
    assert not is_drawable(terminal.near, io.StringIO(), XTERM)


def test_a_closed_stream_is_not_drawn_on(terminal: Terminal) -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_drawable(closed, terminal.keys, XTERM)


def test_a_system_without_such_terminals_gets_lines(
    monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setattr(module, "HAS_TERMINALS", False)
    assert not is_drawable(terminal.near, terminal.keys, XTERM)


def test_the_better_screen_is_taken(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setattr(sys, "stdin", terminal.keys)
    monkeypatch.setattr(sys, "stdout", terminal.near)
    assert isinstance(screen_for(XTERM), TerminalScreen)
    assert isinstance(screen_for({"TERM": "dumb"}), LineScreen)
