"""Servers made up: snapshots and reports for tests, one by hand and any that there could be."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any, Final

from hypothesis import strategies as st

from stein.observe.report import Report
from stein.snapshot import (
    BOUNDS,
    OUTCOMES,
    RESTART_REASONS,
    WORKER_STATES,
    Counters,
    HeldRequest,
    Histogram,
    Snapshot,
    ThreadSnapshot,
    WorkerSnapshot,
)

NOW = 1000.0
BUCKETS = len(BOUNDS) + 1


def make_held(target: str = "/report?secret=1", age: float = 61.2, **changes: Any) -> HeldRequest:
    fields: dict[str, Any] = {
        "method": "GET",
        "target": target,
        "protocol": "HTTP/1.1",
        "peer": "10.0.0.7",
        "connection": 17,
        "number": 3,
        "since": NOW - age,
    }
    return HeldRequest(**(fields | changes))


def make_counters(ok: int = 0, **changes: Any) -> Counters:
    """So many requests that went well, in 2 ms each."""
    took = (0, ok, *[0] * (BUCKETS - 2))
    waited = (ok, *[0] * (BUCKETS - 1))
    fields: dict[str, Any] = {
        "statuses": (0, 0, ok, 0, 0, 0),
        "outcomes": (ok, *[0] * (len(OUTCOMES) - 1)),
        "accepted": ok,
        "duration": Histogram(took, 0.002 * ok),
        "queue": Histogram(waited, 0.0),
    }
    return Counters(**(fields | changes))


def make_worker(index: int = 0, **changes: Any) -> WorkerSnapshot:
    fields: dict[str, Any] = {
        "index": index,
        "pid": 4712 + index,
        "generation": 1,
        "state": "ready",
        "born": NOW - 100,
        "ready": NOW - 99,
        "beat": NOW - 0.1,
        "seats": 4,
    }
    return WorkerSnapshot(**(fields | changes))


def busy_thread(index: int, request: HeldRequest | None, state: str = "busy") -> ThreadSnapshot:
    return ThreadSnapshot(index, f"stein-{index}", 5000 + index, state, request)


def make_snapshot(*workers: WorkerSnapshot, **changes: Any) -> Snapshot:
    fields: dict[str, Any] = {
        "taken": NOW,
        "wall": 1_700_000_000.0,
        "parent": 4711,
        "born": NOW - 200,
        "capacity": 8,
        "workers": workers,
        "departed": Counters(),
        "restarts": dict.fromkeys(RESTART_REASONS, 0),
    }
    return Snapshot(**(fields | changes))


def make_report(*workers: WorkerSnapshot, **changes: Any) -> Report:
    """Of a server with workers; what is not said of the snapshot is said of the report."""
    of_snapshot = {
        name: changes.pop(name)
        for name in ("taken", "born", "departed", "restarts", "parent")
        if name in changes
    }
    fields: dict[str, Any] = {
        "state": "serving",
        "application": "shop:app",
        "generation": 1,
        "wanted": len(workers),
        "memory": {4711: 27 << 20, **{worker.pid: 54 << 20 for worker in workers}},
    }
    return Report(make_snapshot(*workers, **of_snapshot), **(fields | changes))


def answer_of(snapshot: Snapshot, **changes: Any) -> dict[str, Any]:
    """What the control socket answers to ``status``."""
    parent = {"pid": 1, "state": "reloading", "application": "a:b", "generation": 3, "wanted": 4}
    workers = [{"place": 0, "replace": None}, {"place": 3, "replace": "max_rss: too much"}]
    answer = {"ok": True, "parent": parent, "workers": workers}
    text = json.dumps({**answer, "board": dataclasses.asdict(snapshot), **changes})
    parsed: dict[str, Any] = json.loads(text)
    return parsed


# -- any ------------------------------------------------------------------------------------
# Drawn from one number each: of some hundred values a strategy of their own each would take longer
# to draw than the test takes to run.

WORDS: Final = (
    "", "GET", "/a/b?c=d", "shop:app", "10.0.0.7", "a b", 'a"b', "a\\b", "a\nb", "\x1b[2J",
    "\x9b31m", "ä", "€", "😀", "\u202e", "x" * 300,
)  # fmt: skip
COUNTS: Final = (0, 0, 1, 2, 7, 1000, 1 << 40)
MOMENTS: Final = (0.0, 0.001, 1.0, 59.96, 3600.0, NOW, 1e9)


class Dice:
    """Any values.

    :param seed: the same one gives the same values.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.pick = self._random.choice

    def word(self) -> str:
        return self.pick(WORDS)

    def count(self) -> int:
        return self.pick(COUNTS)

    def moment(self) -> float:
        return self.pick(MOMENTS) * self._random.choice((1.0, self._random.random()))

    def counts(self, length: int) -> tuple[int, ...]:
        return tuple(self.count() for _ in range(length))

    def pid(self) -> int:
        return self._random.randint(1, 9)

    def histogram(self) -> Histogram:
        return Histogram(self.counts(BUCKETS), self.moment())

    def counters(self) -> Counters:
        return Counters(
            self.counts(6), self.counts(len(OUTCOMES)), self.count(), self.count(),
            self.histogram(), self.histogram(),
        )  # fmt: skip

    def held(self) -> HeldRequest:
        words = (self.word(), self.word(), self.word(), self.word())
        state = self.pick(("running", "waiting", "sending"))
        return HeldRequest(*words, self.count(), self.count(), self.moment(), state)

    def thread(self, index: int) -> ThreadSnapshot:
        state = self.pick(("idle", "busy", "lost"))
        request = self.pick((None, self.held()))
        return ThreadSnapshot(index, self.word(), self.count(), state, request)

    def worker(self, index: int) -> WorkerSnapshot:
        return WorkerSnapshot(
            index=index,
            pid=self.pid(),
            generation=self.count(),
            state=self.pick(WORKER_STATES[1:]),
            born=self.moment(),
            ready=self.moment(),
            beat=self.moment(),
            seats=self.count(),
            busy=self.count(),
            waiting=self.count(),
            sending=self.count(),
            connections=self.count(),
            backlog=self.count(),
            lost=self.count(),
            recycle=self.pick(("", *RESTART_REASONS)),
            counters=self.counters(),
            threads=tuple(self.thread(place) for place in range(self.pick((0, 1, 5)))),
            held=tuple(self.held() for _ in range(self.pick((0, 1, 50)))),
        )

    def snapshot(self) -> Snapshot:
        return Snapshot(
            taken=self.moment(),
            wall=self.moment(),
            parent=self.pid(),
            born=self.moment(),
            capacity=self.count(),
            workers=tuple(self.worker(3 * place) for place in range(self.pick((0, 1, 2, 9)))),
            departed=self.counters(),
            restarts={reason: self.count() for reason in RESTART_REASONS},
        )

    def report(self) -> Report:
        return Report(
            self.snapshot(),
            self.word(),
            self.word(),
            self.count(),
            self.count(),
            {place: self.word() for place in range(self.pick((0, 4)))},
            {pid: self.count() for pid in range(self.pick((1, 6)))},
            {pid: self.moment() for pid in range(self.pick((1, 6)))},
        )


seeds: Final = st.integers(0, 1 << 32).map(Dice)
snapshots: Final = seeds.map(Dice.snapshot)
reports: Final = seeds.map(Dice.report)
