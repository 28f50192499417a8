"""Signals, as a server that runs as a program takes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import stein
from stein.server.settings import Settings
from stein.serving import signals
from stein.serving.signals import heard, signals_to

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are hardly any signals")


class Server:
    """Notes how it is told to stop."""

    settings = Settings(graceful_timeout=7.0)

    def __init__(self) -> None:
        self.told: list[float | str] = []
        self.heard = threading.Semaphore(0)

    def request_stop(self, graceful: float) -> None:
        self.told.append(graceful)
        self.heard.release()

    def reopen(self) -> None:
        self.told.append("reopen")
        self.heard.release()

    def send(self, number: signal.Signals) -> None:
        os.kill(os.getpid(), number)
        assert self.heard.acquire(timeout=20)


def test_signals_are_requests_to_the_server() -> None:
    server = Server()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with signals_to(server, server):
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            server.send(number)
    assert server.told == ["reopen", 7.0, 7.0, 0.0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_what_came_before_the_end_is_heard_and_nobody_waits_for_another_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = threading.Event()
    monkeypatch.setattr(signals, "GRACE_OF_GRACE", 0.01)
    monkeypatch.setattr(signals, "leave", left.set)
    server = Server()
    with signals_to(server, server):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            signal.raise_signal(number)
    assert server.told == [7.0, 7.0, 0.0]
    assert not any(isinstance(each, threading.Timer) and not each.finished.is_set()
                   for each in threading.enumerate())  # fmt: skip


def test_a_server_may_have_no_log() -> None:
    server = Server()
    with signals_to(server, None):
        os.kill(os.getpid(), signal.SIGUSR1)
        server.send(signal.SIGTERM)
    assert server.told == [7.0]


def test_a_main_thread_that_waits_hears_a_signal_that_came_before() -> None:
    seen = threading.Event()
    with heard({signal.SIGUSR1: seen.set}):
        # No instruction of Python's stands between the two: the handler has no chance to run.
        os.kill(os.getpid(), signal.SIGUSR1)
        assert seen.wait(20)


def test_signals_are_heard_although_somebody_else_has_taken_the_descriptor() -> None:
    seen = threading.Event()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with heard({signal.SIGUSR1: seen.set}):
        ours = signal.set_wakeup_fd(writer)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert seen.wait(20)
        assert signal.set_wakeup_fd(ours) == writer
        signal.raise_signal(signal.SIGUSR1)
    assert os.read(reader, 10) == bytes([signal.SIGUSR1])
    os.close(reader)
    os.close(writer)


def test_other_signals_are_the_programs_own() -> None:
    own: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _frame: own.append(number))
    server = Server()
    try:
        with signals_to(server, server):
            os.kill(os.getpid(), signal.SIGUSR2)
            server.send(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert own == [signal.SIGUSR2]


def test_a_server_that_does_not_stop_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()
    monkeypatch.setattr(signals, "GRACE_OF_GRACE", -7.0)
    monkeypatch.setattr(signals, "leave", left.set)
    server = Server()
    with signals_to(server, server):
        server.send(signal.SIGTERM)
        assert left.wait(20)


def run(code: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip


def test_leaving_says_why() -> None:
    result = run("from stein.serving.signals import leave; leave()")
    assert (result.returncode, result.stderr) == (
        1, "stein: a request did not end in time; leaving without it\n"
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked")
def test_a_forked_process_is_ended_by_a_signal_and_its_parent_is_not() -> None:
    result = run(
        "import os, signal, time, warnings\n"
        "from stein.serving.signals import heard\n"
        "warnings.simplefilter('ignore')\n"
        "heard_of = []\n"
        "reader, writer = os.pipe()\n"
        "with heard({signal.SIGTERM: lambda: heard_of.append(1)}):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.write(writer, b'!')\n"
        "        time.sleep(20)\n"
        "        os._exit(0)\n"
        "    os.read(reader, 1)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "print(heard_of)\n"
    )
    assert (result.stdout, result.stderr) == (f"-{signal.SIGTERM.value}\n[]\n", "")
