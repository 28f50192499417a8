"""Signals as a list of what is to be done."""

from __future__ import annotations

import os
import select
import signal

import pytest

from stein.server.commands import SIGNALS, SignalPipe, has_terminal
from stein.server.supervisor import Supervisor


def test_each_kind_of_signal_is_taken_once_but_those_that_count_and_in_order() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with SignalPipe() as pipe:
        assert pipe.take() == []
        for number in (
            signal.SIGHUP, signal.SIGTTIN, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU,
        ):  # fmt: skip
            os.kill(os.getpid(), number)
        select.select([pipe], [], [], 10)
        assert pipe.take() == ["hang_up", "add_worker", "add_worker", "remove_worker"]
    assert signal.getsignal(signal.SIGHUP) is before


def test_every_signal_leads_to_a_method() -> None:
    for name, method in SIGNALS.items():
        assert hasattr(signal, name)
        assert callable(getattr(Supervisor, method))


@pytest.mark.parametrize("found", [True, False])
def test_a_terminal_is_looked_for(*, found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda number: found and number == 2)
    assert has_terminal() is found


def test_closed_descriptors_are_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_number: int) -> bool:
        raise OSError

    monkeypatch.setattr(os, "isatty", closed)
    assert not has_terminal()
