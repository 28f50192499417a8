from __future__ import annotations

import os
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from stein.serving.reloader import terminal
from stein.serving.reloader.terminal import Terminal, ensure_echo_on

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal as standard input, in whose foreground this test is."""
    ours, theirs = os.openpty()
    with open(theirs, encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdin", file)
        monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp())
        yield theirs
    os.close(ours)


def switch_echo_off(number: int) -> None:
    state = termios.tcgetattr(number)
    state[3] &= ~termios.ECHO
    termios.tcsetattr(number, termios.TCSANOW, state)


def has_echo(number: int) -> bool:
    return bool(termios.tcgetattr(number)[3] & termios.ECHO)


def test_a_terminal_gets_back_the_state_that_it_had(stdin: int) -> None:
    state = Terminal()
    switch_echo_off(stdin)
    state.restore()
    assert has_echo(stdin)
    state.restore()


def test_echo_is_switched_on_where_it_is_off(stdin: int) -> None:
    ensure_echo_on()
    switch_echo_off(stdin)
    ensure_echo_on()
    assert has_echo(stdin)


def test_in_the_background_the_terminal_is_somebody_elses(
    stdin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Terminal()
    switch_echo_off(stdin)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: -1)
    state.restore()
    ensure_echo_on()
    assert not has_echo(stdin)


def test_what_is_no_terminal_has_no_state(monkeypatch: pytest.MonkeyPatch, stdin: int) -> None:
    for odd in (None, object()):
        monkeypatch.setattr(sys, "stdin", odd)
        Terminal().restore()
        ensure_echo_on()
    with open(os.devnull, encoding="utf-8") as file:  # noqa: PTH123 - the name is a text
        monkeypatch.setattr(sys, "stdin", file)
        assert terminal.attributes() is None


def test_a_terminal_that_has_gone_in_the_meantime_is_left_alone(
    stdin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = termios.tcgetattr(stdin)
    with open(os.devnull, encoding="utf-8") as file:  # noqa: PTH123 - the name is a text
        monkeypatch.setattr(sys, "stdin", file)
        terminal.set_attributes(state)


def test_other_faults_are_not_hidden(stdin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_number: int) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(termios, "tcgetattr", fail)
    with pytest.raises(RuntimeError):
        terminal.attributes()
