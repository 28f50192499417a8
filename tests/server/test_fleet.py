"""The one rule, with workers that exist on paper and a clock that is a number."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Any

import pytest

from stein.server.fleet import LONGEST_PAUSE, MOST_FAILURES, NEVER, QUICK, Fleet, Outcome, Rules
from stein.server.process import BOOTING, READY, RETIRING, WorkerProcess

if TYPE_CHECKING:
    from stein.server.lifeline import Lifeline


class Line:
    """Notes what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **fields: Any) -> bool:
        self.said.append((kind, fields))
        return True

    def close(self) -> None:
        self.said.append(("closed", {}))


class Paper(WorkerProcess):
    """A worker without a process."""

    def __init__(self, place: int, generation: int, pid: int, now: float) -> None:
        self.wire = Line()
        line: Lifeline = self.wire  # type: ignore[assignment]
        super().__init__(place, generation, pid, line)
        self.born = now
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def said(self, kind: str) -> dict[str, Any] | None:
        return next((fields for word, fields in reversed(self.wire.said) if word == kind), None)


def signals_of(worker: WorkerProcess) -> list[int]:
    assert isinstance(worker, Paper)
    return worker.signals


def said_to(worker: WorkerProcess, kind: str) -> dict[str, Any] | None:
    assert isinstance(worker, Paper)
    return worker.said(kind)


class Scene:
    """A fleet, and a hand that plays the world."""

    def __init__(self, wanted: int = 2, places: int = 8, **rules: Any) -> None:
        self.now = 100.0
        self.pids = iter(range(1000, 9999))
        self.started: list[Paper] = []
        self.ended: list[tuple[int, str, bool]] = []
        self.readiness = 0
        self.answers: list[Outcome] = []
        self.refuses: OSError | None = None
        self.memory_short = False
        self.slow_to_close = False
        self.fleet = Fleet(
            self.start,
            wanted,
            places,
            Rules(**{"heartbeat": 0.0, **rules}),
            on_end=lambda worker, cause, wanted: self.ended.append((worker.pid, cause, wanted)),
            on_ready=self.on_ready,
            memory_was_short=lambda: self.memory_short,
        )

    def on_ready(self) -> None:
        self.readiness += 1

    def start(self, place: int, generation: int) -> Paper:
        if self.refuses is not None:
            raise self.refuses
        worker = Paper(place, generation, next(self.pids), self.now)
        self.started.append(worker)
        return worker

    def adjust(self, later: float = 0.0) -> None:
        self.now += later
        self.fleet.adjust(self.now)

    def say(self, worker: WorkerProcess, kind: str, **fields: Any) -> None:
        self.fleet.on_message(worker, {"kind": kind, **fields}, self.now)
        self.adjust()
        if not self.slow_to_close:
            self.close_doors()
            self.adjust()

    def prove(self, worker: WorkerProcess) -> None:
        """Let a worker get ready, and serve for long enough to be relied on."""
        self.say(worker, "ready")
        self.adjust(QUICK)
        if not self.slow_to_close:
            self.close_doors()
            self.adjust()

    def close_doors(self) -> None:
        """Let those that retire accept no more connections."""
        for worker in self.fleet.workers:
            if worker.state == RETIRING and worker.accepts:
                self.fleet.on_message(worker, {"kind": "closed"}, self.now)

    def end(self, worker: WorkerProcess, code: int = 0) -> None:
        self.fleet.on_exit(worker, code, self.now)
        self.adjust()

    def boot(self) -> None:
        """Let all that boot get ready."""
        self.adjust()
        for worker in self.fleet.booting:
            self.say(worker, "ready")

    def reload(self, wanted: int | None = None) -> None:
        self.fleet.reload(self.answers.append, self.now, wanted)
        self.adjust()

    @property
    def places(self) -> list[int]:
        return [worker.place for worker in self.fleet.ready]


@pytest.fixture
def scene() -> Scene:
    """Two workers that serve."""
    scene = Scene()
    scene.boot()
    scene.adjust(10.0)
    return scene


def test_all_are_started_at_once_and_readiness_is_told_once() -> None:
    scene = Scene(3)
    scene.adjust()
    assert [worker.place for worker in scene.fleet.booting] == [0, 1, 2]
    assert scene.readiness == 0
    scene.boot()
    assert scene.places == [0, 1, 2]
    assert scene.readiness == 1
    scene.adjust(1.0)
    assert scene.readiness == 1


def test_a_worker_that_dies_is_replaced_at_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    first = scene.fleet.ready[0]
    scene.end(first, -signal.SIGKILL)
    assert scene.ended == [(first.pid, "it was killed by SIGKILL", False)]
    assert scene.fleet.restarts == {"killed": 1}
    assert [worker.place for worker in scene.fleet.booting] == [0]
    assert first.state == "ended"


def test_one_that_runs_out_of_memory_is_said_to_have(scene: Scene) -> None:
    scene.memory_short = True
    scene.end(scene.fleet.ready[0], -signal.SIGKILL)
    assert "memory" in scene.ended[0][1]
    assert scene.fleet.restarts == {"oom": 1}


def test_a_reload_starts_one_and_retires_one_and_never_has_fewer(scene: Scene) -> None:
    old = scene.fleet.ready
    scene.reload()
    for step in (1, 2):
        assert len(scene.fleet.ready) == 2
        assert len(scene.fleet.booting) == 1
        assert scene.answers == []
        scene.prove(scene.fleet.booting[0])
        assert len(scene.fleet.ready) == 2
        assert sum(worker.state == RETIRING for worker in old) == step
    assert scene.answers[0].ok
    assert scene.fleet.generation == 2
    assert scene.fleet.restarts == {"reload": 2}
    assert said_to(old[0], "retire") == {"graceful": 30.0, "idle": 5.0}


def test_a_reload_is_done_when_no_old_worker_accepts_connections_any_more(scene: Scene) -> None:
    scene.slow_to_close = True
    scene.reload()
    while scene.fleet.booting:
        scene.prove(scene.fleet.booting[0])
    assert scene.answers == []
    scene.close_doors()
    scene.adjust()
    assert scene.answers[0].ok


def test_a_reload_that_cannot_start_is_given_up_and_nobody_was_retired(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    old = scene.fleet.ready
    scene.reload()
    new = scene.fleet.booting[0]
    scene.say(new, "failed", headline="app.py:1: oh", traceback="Traceback\n  oh\n")
    scene.end(new, 1)
    assert scene.answers == [
        Outcome(ok=False, text="app.py:1: oh", traceback="Traceback\n  oh\n", code=1)
    ]
    assert scene.fleet.ready == old
    assert scene.fleet.booting == []
    assert not any(map(scene.fleet.is_stale, old))
    assert "Traceback\n  oh" in caplog.text


def test_a_new_version_that_dies_at_once_counts_as_one_that_cannot_start(scene: Scene) -> None:
    scene.reload()
    new = scene.fleet.booting[0]
    scene.say(new, "ready")
    scene.now += 0.1
    scene.end(new, -signal.SIGSEGV)
    assert not scene.answers[0].ok
    assert "SIGSEGV" in scene.answers[0].text
    assert scene.fleet.generation == 1
    scene.boot()
    assert len(scene.fleet.ready) == 2
    assert len({worker.generation for worker in scene.fleet.ready}) == 1


def test_no_old_worker_goes_before_a_new_one_has_served_for_a_moment(scene: Scene) -> None:
    old = scene.fleet.ready
    scene.reload()
    new = scene.fleet.booting[0]
    scene.say(new, "ready")
    assert scene.fleet.ready == [*old, new]
    assert scene.fleet.booting == []
    assert scene.fleet.next_due(scene.now) == scene.now + QUICK
    scene.now += 0.9
    scene.end(new, -signal.SIGSEGV)
    assert not scene.answers[0].ok
    assert scene.fleet.ready == old
    assert scene.fleet.booting == []


def test_what_was_new_and_serves_stays_when_a_later_one_fails_and_it_is_told(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.reload()
    first = scene.fleet.booting[0]
    scene.prove(first)
    scene.say(scene.fleet.booting[0], "failed", headline="app.py:1: oh", traceback="")
    scene.end(scene.fleet.booting[0], 1)
    told = "1 worker of the new version serves and 1 of the old: reload again"
    assert scene.answers == [Outcome(ok=False, text=f"app.py:1: oh; {told}", code=1)]
    assert f"the reload was given up, {told}: app.py:1: oh" in caplog.text
    assert first in scene.fleet.ready
    assert sorted(each.generation for each in scene.fleet.ready) == [1, 2]
    assert not any(map(scene.fleet.is_stale, scene.fleet.ready))
    scene.adjust(60.0)
    assert scene.fleet.booting == []  # the old version is not on the disk any more


def test_a_reload_replaces_all_that_one_that_was_given_up_has_left(scene: Scene) -> None:
    for _ in range(2):
        scene.reload()
        scene.prove(scene.fleet.booting[0])
        scene.end(scene.fleet.booting[0], 1)
    assert len(scene.fleet.ready) == 2
    scene.reload()
    while scene.fleet.booting:
        scene.prove(scene.fleet.booting[0])
    assert [each.ok for each in scene.answers] == [False, False, True]
    assert {each.generation for each in scene.fleet.ready} == {4}


def test_of_a_mixture_the_new_ones_go_first(scene: Scene) -> None:
    scene.reload()
    first = scene.fleet.booting[0]
    scene.prove(first)
    scene.end(scene.fleet.booting[0], 1)
    scene.fleet.scale(1)
    scene.adjust()
    assert first.state == RETIRING
    assert [each.generation for each in scene.fleet.ready] == [1]


def test_where_workers_are_forked_the_old_version_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(3, 12, returns=True)
    scene.boot()
    scene.reload()
    scene.prove(scene.fleet.booting[0])
    scene.end(scene.fleet.booting[0], 1)
    assert scene.answers[0].text.endswith("; 1 of the new version is replaced by old ones")
    while scene.fleet.booting:
        scene.say(scene.fleet.booting[0], "ready")
    assert [each.generation for each in scene.fleet.ready] == [1, 1, 1]


def test_a_second_reload_overtakes_the_first_and_both_are_answered(scene: Scene) -> None:
    scene.reload()
    outdated = scene.fleet.booting[0]
    scene.reload()
    assert outdated.state == RETIRING
    assert signals_of(outdated) == [signal.SIGKILL]
    while scene.fleet.booting:
        scene.prove(scene.fleet.booting[0])
    assert [each.ok for each in scene.answers] == [True, True]
    assert {worker.generation for worker in scene.fleet.ready} == {3}


def test_a_reload_that_is_given_up_leaves_the_number_of_workers_as_it_was(scene: Scene) -> None:
    for wanted in (4, 1):
        scene.reload(wanted)
        scene.end(scene.fleet.booting[0], 1)
        for retired in [each for each in scene.fleet.workers if each.state == RETIRING]:
            scene.end(retired, -signal.SIGKILL)
        assert not scene.answers[-1].ok
        assert scene.fleet.wanted == 2
        assert len(scene.fleet.ready) == 2
        assert scene.fleet.booting == []


def test_a_reload_to_fewer_workers_lets_none_go_before_it_is_done() -> None:
    scene = Scene(3, 12)
    scene.boot()
    scene.reload(1)
    scene.prove(scene.fleet.booting[0])
    while scene.fleet.is_reloading:
        assert len(scene.fleet.ready) == 3
        scene.say(scene.fleet.booting[0], "ready")
    assert scene.answers[0].ok
    assert [each.generation for each in scene.fleet.ready] == [2]


def test_more_workers_are_there_at_once_and_what_is_asked_for_meanwhile_counts(
    scene: Scene,
) -> None:
    scene.reload(4)
    assert len(scene.fleet.booting) == 2
    scene.fleet.scale(3)
    scene.end(scene.fleet.booting[0], 1)
    assert not scene.answers[0].ok
    assert scene.fleet.wanted == 3


def test_a_paused_server_stays_paused_when_its_reload_is_given_up(scene: Scene) -> None:
    scene.fleet.scale(0)
    scene.adjust()
    for worker in list(scene.fleet.workers):
        scene.end(worker)
    scene.reload(2)
    scene.end(scene.fleet.booting[0], 1)
    assert not scene.answers[0].ok
    assert scene.fleet.wanted == 0
    assert not scene.fleet.stopping


def test_four_that_want_to_be_replaced_are_so_one_at_a_time() -> None:
    scene = Scene(4, 12)
    scene.boot()
    for worker in scene.fleet.ready:
        scene.say(worker, "replace", reason="max_requests: it has answered 7")
    seen = []
    while scene.fleet.booting:
        assert len(scene.fleet.booting) == 1
        scene.say(scene.fleet.booting[0], "ready")
        seen.append(len(scene.fleet.ready))
    assert seen == [4, 4, 4, 4]
    assert scene.fleet.restarts == {"max_requests": 4}


def test_a_reload_ends_while_workers_go_on_to_be_replaced_for_their_age(scene: Scene) -> None:
    scene.reload()
    for _ in range(2):
        scene.prove(scene.fleet.booting[0])
        new = [worker for worker in scene.fleet.ready if worker.generation == 2]
        scene.say(new[-1], "replace", reason="max_requests: it has answered 7")
    assert scene.answers
    assert scene.answers[0].ok
    assert {worker.generation for worker in scene.fleet.ready} == {2}


def test_a_wish_is_counted_once(scene: Scene) -> None:
    worker = scene.fleet.ready[0]
    scene.say(worker, "replace", reason="max_rss: big")
    scene.say(worker, "replace", reason="lost_threads: 3")
    assert worker.replace == "max_rss: big"


def test_fewer_and_more(scene: Scene) -> None:
    scene.fleet.scale(3)
    scene.boot()
    assert scene.places == [0, 1, 2]
    scene.fleet.scale(1)
    scene.adjust()
    assert scene.places == [0]
    assert scene.fleet.restarts == {"scale": 2}


def test_the_first_failure_of_all_ends_the_server_with_its_code(scene: Scene) -> None:
    scene = Scene(2)
    scene.adjust()
    first, second = scene.fleet.booting
    scene.say(first, "failed", headline="no such thing", traceback="")
    scene.end(first, 2)
    assert scene.fleet.failure == Outcome(ok=False, text="no such thing", code=2)
    assert scene.fleet.stopping
    assert signals_of(second) == [signal.SIGKILL]
    scene.end(second, -signal.SIGKILL)
    assert scene.fleet.failure.text == "no such thing"
    assert scene.fleet.workers == []


def test_one_that_says_nothing_is_described_by_its_end() -> None:
    scene = Scene(1)
    scene.adjust()
    scene.end(scene.fleet.booting[0], 3)
    assert scene.fleet.failure is not None
    assert scene.fleet.failure.text == "it ended with exit code 3 before it served"
    assert scene.fleet.failure.code == 3


def test_what_fails_again_and_again_waits_longer_and_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(1)
    scene.boot()
    scene.adjust(10.0)
    scene.end(scene.fleet.ready[0], -signal.SIGKILL)
    pauses = []
    while not scene.fleet.stopping:
        scene.end(scene.fleet.booting[0], 1)
        if scene.fleet.booting or scene.fleet.stopping:
            pauses.append(0.0)
            continue
        due = scene.fleet.next_due(scene.now)
        pauses.append(due - scene.now)
        scene.adjust(due - scene.now)
    assert len(pauses) == MOST_FAILURES
    assert pauses[:4] == [0.0, 0.5, 1.0, 2.0]
    assert max(pauses) <= LONGEST_PAUSE
    assert scene.fleet.failure is not None
    assert "8 times in a row" in scene.fleet.failure.text


def test_while_one_serves_it_is_tried_for_ever(scene: Scene) -> None:
    scene.end(scene.fleet.ready[0], -signal.SIGKILL)
    for _ in range(3 * MOST_FAILURES):
        if scene.fleet.booting:
            scene.end(scene.fleet.booting[0], 1)
        else:
            scene.adjust(LONGEST_PAUSE)
    assert not scene.fleet.stopping
    assert len(scene.fleet.ready) == 1


def test_a_worker_that_keeps_dying_early_waits_too(scene: Scene) -> None:
    scene.end(scene.fleet.ready[0], -signal.SIGSEGV)
    for _ in range(2):
        new = scene.fleet.booting[0]
        scene.say(new, "ready")
        scene.now += 0.1
        scene.end(new, -signal.SIGSEGV)
    assert scene.fleet.restarts == {"crashed": 3}
    assert scene.fleet.booting == []
    assert scene.fleet.next_due(scene.now) > scene.now


def test_when_the_system_gives_no_process_it_is_tried_later(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.refuses = OSError(11, "Resource temporarily unavailable")
    scene.end(scene.fleet.ready[0], -signal.SIGKILL)
    assert "no process can be started" in caplog.text
    scene.refuses = None
    scene.adjust(1.0)
    assert len(scene.fleet.booting) == 1


def test_without_a_free_place_the_next_waits_for_one_to_end() -> None:
    scene = Scene(2, 3)
    scene.boot()
    scene.reload()
    scene.prove(scene.fleet.booting[0])
    assert scene.fleet.booting == []  # two serve, one still ends
    retiring = next(worker for worker in scene.fleet.workers if worker.state == RETIRING)
    scene.end(retiring)
    assert [worker.place for worker in scene.fleet.booting] == [retiring.place]


def test_a_boot_deadline_is_told_in_words() -> None:
    scene = Scene(1, boot_timeout=5.0)
    scene.adjust()
    worker = scene.fleet.booting[0]
    assert scene.fleet.next_due(scene.now) == worker.born + 5.0
    scene.adjust(5.0)
    assert signals_of(worker) == [signal.SIGKILL]
    scene.end(worker, -signal.SIGKILL)
    assert scene.fleet.failure is not None
    assert "had not imported the application after 5 s" in scene.fleet.failure.text


def test_a_long_start_is_mentioned_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stein.error")
    scene = Scene(1)
    scene.adjust()
    scene.adjust(31.0)
    scene.adjust(31.0)
    assert caplog.text.count("has been starting for") == 1
    assert scene.fleet.next_due(scene.now) == NEVER


def test_one_that_does_not_answer_is_ended_and_replaced() -> None:
    scene = Scene(2, heartbeat=9.0)
    scene.boot()
    mute, well = scene.fleet.ready
    scene.adjust(3.0)
    assert said_to(mute, "ping") == {}
    for _ in range(3):
        scene.say(well, "pong")
        scene.adjust(3.0)
    assert signals_of(mute) == [signal.SIGABRT]
    scene.adjust(1.5)
    assert signals_of(mute) == [signal.SIGABRT, signal.SIGKILL]
    scene.end(mute, -signal.SIGABRT)
    assert "no Python code has run in it for 9 s" in scene.ended[0][1]
    assert scene.fleet.restarts == {"no_heartbeat": 1}
    assert well.state == READY


def test_one_that_does_not_end_in_time_is_killed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.fleet.scale(1)
    scene.adjust()
    worker = next(each for each in scene.fleet.workers if each.state == RETIRING)
    scene.now = worker.deadline
    scene.adjust()
    assert signals_of(worker) == [signal.SIGKILL]
    assert "did not end in time" in caplog.text


def test_one_that_was_told_to_end_by_a_signal_of_its_own_is_replaced(scene: Scene) -> None:
    worker = scene.fleet.ready[0]
    scene.say(worker, "leaving")
    assert worker.state == RETIRING
    assert len(scene.fleet.booting) == 1
    scene.end(worker)
    assert scene.ended == [(worker.pid, "it ended with exit code 0", True)]


def test_a_stop_ends_all_and_starts_none(scene: Scene) -> None:
    scene.reload()
    scene.fleet.stop(4.0, scene.now)
    scene.adjust()
    assert not scene.answers[0].ok
    assert {worker.state for worker in scene.fleet.workers} == {RETIRING}
    for worker in list(scene.fleet.workers):
        scene.end(worker)
    assert scene.fleet.workers == []
    assert scene.fleet.failure is None
    scene.reload()
    assert scene.answers[-1].text == "the server is stopping"


def test_a_second_stop_shortens_the_time(scene: Scene) -> None:
    scene.fleet.stop(30.0, scene.now)
    before = scene.fleet.workers[0].deadline
    scene.fleet.stop(0.0, scene.now)
    assert scene.fleet.workers[0].deadline < before


def test_what_there_is_can_be_told(scene: Scene) -> None:
    first, second = scene.fleet.described(scene.now)
    assert (first["place"], second["place"]) == (0, 1)
    assert first["state"] == "ready"
    assert BOOTING == "booting"
