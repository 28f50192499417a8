"""Deadlines against a model that simply asks everybody each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from stein.server.deadlines import NEVER, Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from stein.server.deadlines import Entry

MOMENTS = st.floats(min_value=0, max_value=100) | st.just(NEVER)
IDLE = 7.0


class Thing:
    """A subject that counts how often its deadline passed."""

    def __init__(self, deadline: float, then: Callable[[Thing], object] | None = None) -> None:
        self.deadline = deadline
        self.timer = NEVER
        self.entry: Entry | None = None
        self.fired: list[float] = []
        self._then = then

    def on_deadline(self, now: float) -> None:
        self.fired.append(now)
        if self._then is not None:
            self._then(self)


class AgainstTheModel(RuleBasedStateMachine):
    """The model: watched things, each looked at in every turn."""

    things = Bundle("things")

    def __init__(self) -> None:
        super().__init__()
        self.deadlines = Deadlines(IDLE)
        self.now = 0.0
        self.watched: set[Thing] = set()
        self.expected: dict[Thing, list[float]] = {}

    @rule(target=things, delay=MOMENTS)
    def make(self, delay: float) -> Thing:
        thing = Thing(self.now + delay)
        self.expected[thing] = []
        self.watched.add(thing)
        self.deadlines.watch(thing)
        return thing

    @rule(thing=things, delay=MOMENTS)
    def move(self, thing: Thing, delay: float) -> None:
        """As a connection does it: the short path writes a number only."""
        thing.deadline = moment = self.now + delay
        self.watched.add(thing)
        if moment < thing.timer:
            self.deadlines.watch(thing)

    @rule(thing=consumes(things))
    def forget(self, thing: Thing) -> None:
        self.deadlines.forget(thing)
        self.watched.discard(thing)

    @rule(step=st.floats(min_value=0, max_value=50))
    def pass_time(self, step: float) -> None:
        self.now += step
        self.deadlines.expire(self.now)
        for thing in [thing for thing in self.watched if thing.deadline <= self.now]:
            self.expected[thing].append(self.now)
            self.watched.discard(thing)

    @invariant()
    def everybody_was_called_when_the_model_says(self) -> None:
        for thing, moments in self.expected.items():
            assert thing.fired == moments

    @invariant()
    def nobody_is_looked_at_too_late(self) -> None:
        due = min((thing.deadline for thing in self.watched), default=NEVER)
        assert self.deadlines.next() <= due

    @invariant()
    def each_has_one_entry_that_is_no_later_than_its_deadline(self) -> None:
        live = [entry for entry in self.deadlines._heap if entry[2] is not None]
        assert len(live) == len({id(entry[2]) for entry in live})
        for thing in self.watched:
            assert thing.timer <= thing.deadline


AgainstTheModel.TestCase.settings = settings(max_examples=100, deadline=None)
TestAgainstTheModel = AgainstTheModel.TestCase


def test_nothing_is_due_at_first() -> None:
    deadlines = Deadlines()
    assert deadlines.next() == NEVER
    deadlines.expire(1e9)
    deadlines.watch(Thing(NEVER))
    assert len(deadlines) == 0


def test_a_deadline_that_moved_on_is_put_back_and_costs_nothing_until_then() -> None:
    deadlines = Deadlines()
    thing = Thing(10.0)
    deadlines.watch(thing)
    thing.deadline = 25.0
    deadlines.watch(thing)
    assert (len(deadlines), deadlines.next()) == (1, 10.0)
    deadlines.expire(12.0)
    assert (thing.fired, deadlines.next()) == ([], 25.0)
    deadlines.expire(25.0)
    assert thing.fired == [25.0]
    assert len(deadlines) == 0


def test_a_subject_without_a_deadline_is_looked_at_again() -> None:
    deadlines = Deadlines(IDLE)
    thing = Thing(10.0)
    deadlines.watch(thing)
    thing.deadline = NEVER
    deadlines.expire(10.0)
    assert (thing.fired, deadlines.next()) == ([], 10.0 + IDLE)
    thing.deadline = 20.0
    deadlines.expire(17.0)
    deadlines.expire(20.0)
    assert thing.fired == [20.0]


def test_equal_moments_go_in_the_order_of_watching() -> None:
    deadlines = Deadlines()
    order: list[int] = []
    for number in range(5):
        deadlines.watch(Thing(1.0, lambda _thing, number=number: order.append(number)))  # type: ignore[misc]
    deadlines.expire(1.0)
    assert order == [0, 1, 2, 3, 4]


def test_a_subject_may_watch_and_forget_while_it_is_called() -> None:
    deadlines = Deadlines()
    victim = Thing(2.0)

    def act(thing: Thing) -> None:
        deadlines.forget(victim)
        thing.deadline = 9.0
        deadlines.watch(thing)

    thing = Thing(1.0, act)
    deadlines.watch(thing)
    deadlines.watch(victim)
    deadlines.expire(5.0)
    assert (thing.fired, victim.fired) == ([5.0], [])
    assert deadlines.next() == 9.0


def test_empty_entries_are_swept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deadlines, "_FEW", 8)
    deadlines = Deadlines()
    kept = [Thing(500.0 + number) for number in range(5)]
    for thing in kept:
        deadlines.watch(thing)
    for number in range(1000):
        thing = Thing(float(number))
        deadlines.watch(thing)
        deadlines.forget(thing)
        deadlines.forget(thing)
    assert len(deadlines) <= 5 + 9 + 1
    deadlines.expire(1000.0)
    assert [len(thing.fired) for thing in kept] == [1] * 5
    assert len(deadlines) == 0


def test_a_thousand_connections_that_are_kept_alive_have_one_entry_each() -> None:
    deadlines = Deadlines()
    things = [Thing(75.0) for _ in range(1000)]
    for thing in things:
        deadlines.watch(thing)
    for turn in range(1, 50):
        for thing in things:
            thing.deadline = 75.0 + turn
            deadlines.watch(thing)
    assert len(deadlines) == 1000
