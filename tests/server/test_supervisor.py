"""What the supervisor does with each thing that happens; its workers do nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ConfigurationError
from stein.server import nursery as nursery_module
from stein.server import supervisor as module
from stein.server.board import Board
from stein.server.control import Control
from stein.server.fleet import Outcome
from stein.server.lifeline import Lifeline
from stein.server.plan import Plan
from stein.server.process import READY, RETIRING, WorkerProcess
from stein.server.settings import Settings
from stein.server.supervisor import Hooks, Supervisor
from stein.server.upgrade import Successor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.server.nursery import Nursery

NOWHERE = Path("nowhere.py")


class World:
    """A supervisor, and what would be around it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: Any) -> None:
        self.ends: list[Lifeline] = []  # the workers' own
        self.told: list[str] = []
        self.answers: list[Outcome] = []
        monkeypatch.setattr(module, "spawn", self.spawn)
        monkeypatch.setattr(nursery_module, "spawn", self.spawn)
        self.plan = Plan(Settings(workers=2, heartbeat_timeout=0, **settings), "shop:app")
        self.board = Board.for_settings(self.plan.settings, 8)
        self.control = Control(folder / "control.sock")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.broken: Exception | None = None
        self.supervisor = Supervisor(
            self.plan, [self.listener], NOWHERE, self.board,
            control=self.control,
            hooks=Hooks(notify=self.told.append, reread=self.reread, when_ready=self.fail),
            successor=self.succeed,
        )  # fmt: skip
        self.fleet = self.supervisor.fleet

    def spawn(
        self, _script: Path, place: int, generation: int, _handover: object, _numbers: object
    ) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        self.ends.append(Lifeline(theirs))
        popen = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        worker = WorkerProcess(place, generation, popen.pid, Lifeline(ours), popen)
        worker.stdin = popen.stdin  # type: ignore[attr-defined]
        return worker

    def succeed(self, _workers: int) -> Successor:
        ours, theirs = socket.socketpair()
        self.ends.append(Lifeline(theirs))
        popen = subprocess.Popen([sys.executable, "-c", ""])
        return Successor(popen, Lifeline(ours))

    def fail(self) -> None:
        raise ValueError("this hook fails")

    def reread(self) -> Plan:
        if self.broken is not None:
            raise self.broken
        return self.plan

    def turn(self) -> None:
        self.supervisor._turn()

    def boot(self) -> None:
        self.fleet.adjust(1e9)
        for end in self.ends[-2:]:
            end.send("ready")
        while len(self.fleet.ready) < 2:
            self.turn()

    def close(self) -> None:
        self.supervisor._nurseries.end()
        for worker in [*self.fleet.workers, *(each.process for each in self.supervisor._nurseries)]:
            worker.signal(signal.SIGKILL)
            os.waitpid(worker.pid, 0)
            worker.end(-9)
        for worker in self.spawned:
            worker.stdin.close()  # type: ignore[attr-defined]
        for end in self.ends:
            end.close()
        self.supervisor._close()
        self.board.close()

    spawned: list[WorkerProcess]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    world = World(monkeypatch, tmp_path)
    world.spawned = []
    spawn = world.spawn

    def noting(*words: Any) -> WorkerProcess:
        worker = spawn(*words)
        world.spawned.append(worker)
        return worker

    monkeypatch.setattr(module, "spawn", noting)
    monkeypatch.setattr(nursery_module, "spawn", noting)
    world.boot()
    yield world
    world.close()


def ask(world: World, **command: Any) -> Any:
    """What a visitor is answered, if it is at once."""
    answered: list[dict[str, Any]] = []

    class Visitor:
        def answer(self, fields: dict[str, Any]) -> None:
            answered.append(fields)

    world.supervisor._reception.obey(command, Visitor())  # type: ignore[arg-type]
    return answered[0] if answered else None


def test_readiness_is_told_and_a_hook_that_fails_costs_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.fleet.adjust(1e9)
    assert f"READY=1\nMAINPID={os.getpid()}" in world.told
    assert "the hook when_ready failed" in caplog.text


def test_a_configuration_that_is_wrong_gives_the_reload_up(world: World) -> None:
    world.broken = ConfigurationError("threads=x: must be a number")
    world.supervisor.reload(world.answers.append)
    assert world.answers == [Outcome(ok=False, text="threads=x: must be a number", code=2)]
    assert world.fleet.generation == 1


def test_whatever_reading_the_configuration_raises_is_answered(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.broken = ValueError("a dictionary was expected")
    answer = ask(world, command="reload")
    text = "ValueError: a dictionary was expected"
    assert (answer["ok"], answer["code"]) == (False, 2)
    assert answer["text"].startswith("the configuration cannot be read: ")
    assert answer["text"].endswith(text)
    assert "ValueError" in answer["traceback"]
    assert "the reload was given up: the configuration cannot be read: " in caplog.text
    assert world.fleet.generation == 1


def test_a_visitor_whose_command_fails_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no such descriptor")

    monkeypatch.setattr(world.supervisor, "dump", fail)
    answer = ask(world, command="dump")
    assert answer["text"].startswith("internal error of the supervisor: ")
    assert answer["text"].endswith("RuntimeError: no such descriptor; its log has more")
    assert (answer["ok"], answer["code"]) == (False, 1)
    assert "internal error of the supervisor" in caplog.text


def test_pausing_lets_all_end_and_a_reload_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_terminal", lambda: True)
    world.supervisor.pause()
    assert world.fleet.wanted == 2
    monkeypatch.setattr(module, "has_terminal", lambda: False)
    world.supervisor.pause()
    world.fleet.adjust(1e9)
    assert world.fleet.ready == []
    assert ask(world, command="status")["parent"]["state"] == "paused"
    world.supervisor.reload()
    assert world.fleet.wanted == 2
    assert ask(world, command="status")["parent"]["state"] == "reloading"


@pytest.mark.parametrize(("configured", "wanted"), [(3, 3), (9, 2), (1, 2)])
def test_the_number_of_workers_of_a_reload_that_fails_is_taken_back(
    world: World, configured: int, wanted: int, caplog: pytest.LogCaptureFixture
) -> None:
    world.plan = Plan(Settings(workers=configured, heartbeat_timeout=0), "shop:app")
    world.supervisor.reload(world.answers.append)
    assert world.fleet.wanted == wanted
    assert ("9 workers: this server may have 1 to 4" in caplog.text) is (configured == 9)
    world.fleet.adjust(1e9)
    world.fleet.on_exit(world.fleet.booting[0], 1, 1e9)
    assert not world.answers[0].ok
    assert world.fleet.wanted == 2
    assert world.supervisor.plan.settings.workers == 2


def test_a_terminal_that_goes_away_ends_the_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_terminal", lambda: False)
    world.supervisor._had_terminal = False
    world.supervisor.hang_up()
    assert world.fleet.is_reloading
    world.supervisor._had_terminal = True
    world.supervisor.hang_up()
    assert world.fleet.stopping
    assert "STOPPING=1" in world.told


def test_the_second_stop_does_not_wait(world: World) -> None:
    world.supervisor.stop()
    before = world.fleet.workers[0].deadline
    world.supervisor.stop()
    assert world.fleet.workers[0].deadline < before
    assert ask(world, command="status")["parent"]["state"] == "stopping"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ({"command": "scale", "workers": "3"}, "workers='3' is no whole number"),
        ({"command": "scale", "workers": 3}, "3 workers"),
        ({"command": "scale", "workers": 0}, "may have 1 to 4"),
        ({"command": "explode"}, "there is no command 'explode'"),
        ({"command": ""}, "there is no command ''"),
        ({"command": "reopen"}, "done"),
        ({"command": "dump"}, "each worker writes it"),
    ],
)
def test_visitors_are_answered(world: World, command: dict[str, Any], text: str) -> None:
    assert text in ask(world, **command)["text"]


def test_a_stop_is_answered_at_the_end(world: World) -> None:
    assert ask(world, command="stop", fast=True) is None
    assert world.fleet.stopping
    assert ask(world, command="upgrade")["text"] == "the server is stopping"


def test_workers_are_told_to_reopen_and_to_dump(world: World) -> None:
    world.supervisor.reopen()
    world.supervisor.dump()
    for end in world.ends:
        kinds: list[str] = []
        while len(kinds) < 2:
            kinds += [message["kind"] for message in end.receive()]
        assert kinds == ["reopen", "dump"]


def test_a_visitor_over_the_socket_is_heard_or_let_go(world: World) -> None:
    world.supervisor._watch(world.control)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(world.control.path))
        client.sendall(b'{"command": "reopen"}\n')
        answer = b""
        client.setblocking(False)
        while not answer:
            world.turn()
            try:
                answer = client.recv(4096)
            except BlockingIOError:
                continue
        assert b'"ok": true' in answer
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(world.control.path))
    before = len(world.supervisor._poller.get_map())
    while len(world.supervisor._poller.get_map()) <= before:  # it came in
        world.turn()
    while len(world.supervisor._poller.get_map()) > before:  # and has gone
        world.turn()


def test_an_internal_error_costs_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_worker: WorkerProcess) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.supervisor, "_hear", fail)
    world.ends[0].send("pong")
    world.turn()
    assert "internal error of the supervisor" in caplog.text


def test_a_failed_upgrade_is_answered_when_its_process_has_ended(world: World) -> None:
    world.supervisor.upgrade(world.answers.append)
    world.ends[-1].close()
    while not world.answers:
        world.supervisor.reap()
    assert "ended with exit code 0" in world.answers[0].text
    assert world.supervisor._upgrade.successor is None


def test_a_successor_that_serves_ends_this_parent(world: World) -> None:
    world.supervisor.upgrade(world.answers.append)
    world.ends[-1].send("ready")
    while not world.answers:
        world.turn()
    assert world.answers[0].ok
    assert world.fleet.stopping
    assert {worker.state for worker in world.fleet.workers} == {RETIRING}
    assert world.listener.fileno() == -1
    while world.supervisor._upgrade.successor is not None:
        world.supervisor.reap()


def forked(world: World) -> Nursery:
    """A nursery that has been asked for one worker."""
    plan = Plan(Settings(workers=1, preload=True), "shop:app")
    world.supervisor._plans[2] = plan
    world.fleet.workers.append(world.supervisor._start(7, 2))
    nursery = world.supervisor._nurseries.get(2)
    assert nursery is not None
    return nursery


def test_a_worker_that_ended_before_it_was_announced_has_ended(world: World) -> None:
    nursery = forked(world)
    world.ends[-1].send("ready", warnings=["threads"])
    while not nursery.is_ready:
        world.turn()
    world.supervisor._nurseries.note_end(4711, 3)
    world.ends[-1].send("forked", place=7, pid=4711)
    world.ends[-1].send("forked", place=99, pid=1)  # of nobody
    while any(worker.place == 7 for worker in world.fleet.workers):
        world.supervisor._hear_nursery(nursery)
    assert world.fleet.ready[0].state == READY


def test_without_a_nursery_its_workers_will_not_be(world: World) -> None:
    nursery = forked(world)
    worker = next(each for each in world.fleet.workers if each.place == 7)
    world.ends[-1].send("failed", headline="no such module", traceback="")
    world.ends[-1].close()
    worker.signal(signal.SIGKILL)  # there is only the nursery to get it
    while world.supervisor._nurseries:
        world.supervisor.reap()
    assert worker.failure is not None
    assert worker.failure["headline"] == "no such module"
    assert worker not in world.fleet.workers
    assert nursery.process.state == "ended"
