"""A successor and what it inherits, without a second program."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from stein.server import upgrade as module
from stein.server.fleet import Outcome
from stein.server.lifeline import Lifeline
from stein.server.upgrade import VARIABLE, Inheritance, Successor, Upgrade, start_successor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Popen:
    """A process on paper."""

    def __init__(self) -> None:
        self.pid = 4711
        self.signals: list[int] = []
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


class Scene:
    """An old parent, and the other end of its successor's lifeline."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.there = Lifeline(theirs)
        self.popen = Popen()
        self.successor = Successor(self.popen, Lifeline(ours))  # type: ignore[arg-type]
        self.wanted: list[int] = []
        self.answers: list[Outcome] = []
        self.upgrade = Upgrade(self.start)

    def start(self, workers: int) -> Successor:
        self.wanted.append(workers)
        return self.successor

    def begin(self) -> Successor | None:
        return self.upgrade.begin(3, self.answers.append)

    def close(self) -> None:
        self.there.close()
        self.successor.line.close()


def test_it_is_answered_when_the_successor_serves() -> None:
    scene = Scene()
    assert scene.begin() is scene.successor
    assert scene.wanted == [3]
    assert scene.upgrade.refusal() == "one is under way, process 4711"
    scene.there.send("something new")
    assert not scene.upgrade.hear(scene.successor)
    scene.there.send("ready")
    assert scene.upgrade.hear(scene.successor)
    scene.upgrade.finish(scene.successor)
    assert scene.answers == [Outcome(ok=True, text="process 4711 has taken over")]
    scene.upgrade.cancel()  # too late
    scene.upgrade.on_end(0)
    assert scene.popen.signals == []
    scene.close()


@pytest.mark.parametrize("said", [True, False])
def test_a_failure_is_passed_on_and_another_try_allowed(*, said: bool) -> None:
    scene = Scene()
    scene.begin()
    if said:
        scene.there.send("failed", headline="no such file", traceback="Traceback …")
    scene.there.close()
    scene.upgrade.on_end(2)
    (answer,) = scene.answers
    assert not answer.ok
    assert answer.text == ("no such file" if said else "the new parent ended with exit code 2")
    assert answer.traceback == ("Traceback …" if said else "")
    assert scene.popen.returncode == 2
    assert scene.upgrade.refusal() == ""


def test_a_stop_ends_a_successor_that_has_not_taken_over() -> None:
    scene = Scene()
    scene.upgrade.cancel()
    scene.begin()
    scene.upgrade.cancel()
    assert len(scene.popen.signals) == 1
    scene.close()


def refused(start: Callable[[int], Successor] | None) -> str:
    answers: list[Outcome] = []
    assert Upgrade(start).begin(1, answers.append) is None
    (answer,) = answers
    assert not answer.ok
    return answer.text


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_workers: int) -> Successor:
        raise OSError(12, "Cannot allocate memory")

    assert "no process can be started" in refused(fail)
    assert "not started by a command" in refused(None)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert "first process of a container" in refused(fail)


PROGRAM = """
import os, sys
sys.path[:0] = {path!r}
from stein.server.upgrade import Inheritance
found = Inheritance.take(os.environ)
(sock,) = found.take_listeners("127.0.0.1:0")
assert found.take_listeners("other") == []
assert Inheritance.take(os.environ) is None
found.close_rest()
found.tell_failure(f"{{found.workers(2)}} {{found.workers(5)}} {{sock.getsockname()[1]}}")
found.tell_ready()
"""


def test_sockets_and_figures_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(path=sys.path))
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, str(program)])
    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_server(("", 0)) as rest:
        listeners = {"127.0.0.1:0": [sock], "gone:0": [rest]}
        successor = start_successor(listeners, str(tmp_path), os.environ, (2, 3))
        port = sock.getsockname()[1]
    said = []
    while not successor.line.ended:
        said += successor.line.receive()
    assert [each["kind"] for each in said] == ["failed", "ready"]
    assert said[0]["headline"] == f"3 5 {port}"
    _, status = os.waitpid(successor.pid, 0)
    successor.close(os.waitstatus_to_exitcode(status))
    assert status == 0


def test_a_variable_that_somebody_has_kept_means_nothing() -> None:
    ours, theirs = socket.socketpair()
    given = {"pid": os.getpid(), "line": theirs.detach(), "listeners": {}, "workers": [1, 1]}
    environ = {VARIABLE: json.dumps(given)}
    assert Inheritance.take(environ) is None
    assert environ == {}
    assert ours.recv(1) == b""
    ours.close()


def test_a_program_that_cannot_be_started_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(FileNotFoundError):
        start_successor({}, str(tmp_path), {}, (1, 1))
    assert module.VARIABLE == VARIABLE
