"""A worker's obedience, with the parent's end of the lifeline in this test's hand."""

from __future__ import annotations

import os
import signal
import socket
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from stein.http.exchange import Exchange, RequestLine
from stein.server import worker as module
from stein.server.lifeline import Lifeline
from stein.server.server import Server
from stein.server.settings import Settings
from stein.server.worker import RequestCount, Worker, dump_stacks, wish_to_be_replaced

if TYPE_CHECKING:
    from collections.abc import Iterator


def hello(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Household:
    """A worker in a thread, and its parent."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.line, self._theirs = Lifeline(ours), Lifeline(theirs)
        self.reopened = threading.Event()
        self.dumped = threading.Event()
        self.server = Server(hello, Settings(threads=2, graceful_timeout=5), port=0)
        self.worker = Worker(
            self._theirs, self.server, reopen=self.reopened.set, dump=self.dumped.set
        )
        self._heard: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self.worker.run)

    def begin(self) -> None:
        self.server.start()
        self._thread.start()
        assert self.hear("ready")["kind"] == "ready"

    def hear(self, kind: str) -> dict[str, Any]:
        while True:
            for message in self._heard:
                if message["kind"] == kind:
                    self._heard.remove(message)
                    return message
            assert not self.line.ended
            self._heard += self.line.receive()

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    def end(self) -> None:
        if self._thread.is_alive():
            self.line.send("retire", graceful=0.0, idle=0.0)
            self.join()
        self.line.close()
        self._theirs.wake()
        for thread in threading.enumerate():
            if thread.name in {"stein-orders", "stein-stop"}:
                thread.join(20)
        self._theirs.close()


@pytest.fixture
def household(monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(module, "GRACE_OF_GRACE", 0.0)
    monkeypatch.setattr(module, "LAST_RESORT", 0.0)
    household = Household()
    household.begin()
    yield household
    household.end()


def test_it_says_that_it_is_ready_and_serves(household: Household) -> None:
    with urllib.request.urlopen(household.server.url) as answer:
        assert answer.read() == b"hello"


def test_it_answers_reopens_and_dumps(household: Household) -> None:
    household.line.send("ping")
    household.hear("pong")
    household.line.send("reopen")
    household.line.send("dump")
    household.line.send("something new")
    assert household.reopened.wait(20)
    assert household.dumped.wait(20)


def test_it_ends_when_it_is_to(household: Household) -> None:
    household.line.send("retire", graceful=5.0, idle=0.0)
    household.join()


def test_it_ends_with_its_parent(household: Household) -> None:
    household.line.close()
    household.join()


@pytest.mark.parametrize("name", ["_on_terminate", "_on_quit"])
def test_a_signal_of_its_own_is_told_to_the_parent(household: Household, name: str) -> None:
    getattr(household.worker, name)(signal.SIGTERM, None)
    household.hear("leaving")
    household.join()


def test_a_signal_reopens_its_log(household: Household) -> None:
    household.worker._on_reopen(signal.SIGUSR1, None)
    assert household.reopened.wait(20)


def test_a_handler_does_not_wait_for_a_thread_to_start(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With greenlets it may be called where nothing can wait: in the one that waits for all."""

    def wait(_event: threading.Event, _timeout: float | None = None) -> bool:
        raise AssertionError("it waits")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", wait)
        household.worker._on_reopen(signal.SIGUSR1, None)
    assert household.reopened.wait(20)


def test_its_signals_are_the_parents_to_tell(household: Household) -> None:
    numbers = [getattr(signal, name) for name in (*module.IGNORED, "SIGTERM", "SIGQUIT", "SIGUSR1")]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        household.worker._handle_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == household.worker._on_terminate
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_wish_is_a_message(household: Household) -> None:
    wish_to_be_replaced(household._theirs, "lost_threads: 3 of 4")
    assert household.hear("replace")["reason"] == "lost_threads: 3 of 4"


def test_the_count_is_told_once_and_passed_on() -> None:
    told: list[str] = []
    seen: list[int] = []
    count = RequestCount(3, told.append, lambda exchanges: seen.append(len(exchanges)))
    one = Exchange(RequestLine("GET", "/", "/", "", "HTTP/1.1"), {})
    for size in (2, 2, 1):
        count.observe([one] * size)
    assert told == ["max_requests: it has answered 4"]
    assert seen == [2, 2, 1]
    RequestCount(1, told.append, None).observe([one])
    assert len(told) == 2


def test_stacks_are_written_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    dump_stacks()
    assert "test_stacks_are_written" in capfd.readouterr().err
