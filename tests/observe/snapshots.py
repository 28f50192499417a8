"""Servers made up: snapshots and reports for tests, one by hand and any that there could be."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

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

counts = st.integers(0, 1 << 40)
durations = st.floats(0, 1e9)
words = st.text(max_size=30)
histograms = st.builds(
    Histogram,
    st.lists(counts, min_size=BUCKETS, max_size=BUCKETS).map(tuple),
    durations,
)
counters = st.builds(
    Counters,
    st.lists(counts, min_size=6, max_size=6).map(tuple),
    st.lists(counts, min_size=len(OUTCOMES), max_size=len(OUTCOMES)).map(tuple),
    counts,
    counts,
    histograms,
    histograms,
)
held_requests = st.builds(
    HeldRequest,
    words, words, words, words, counts, counts, durations,
    st.sampled_from(["running", "waiting", "sending"]),
)  # fmt: skip
thread_snapshots = st.builds(
    ThreadSnapshot,
    counts, words, counts, st.sampled_from(["idle", "busy", "lost"]), st.none() | held_requests,
)  # fmt: skip


def worker_snapshots(index: int) -> st.SearchStrategy[WorkerSnapshot]:
    return st.builds(
        WorkerSnapshot,
        index=st.just(index),
        pid=st.integers(1, 1 << 22),
        generation=counts,
        state=st.sampled_from(WORKER_STATES[1:]),
        born=durations,
        ready=durations,
        beat=durations,
        seats=counts,
        busy=counts,
        waiting=counts,
        sending=counts,
        connections=counts,
        backlog=counts,
        lost=counts,
        recycle=st.sampled_from(["", *RESTART_REASONS]),
        counters=counters,
        threads=st.lists(thread_snapshots, max_size=4).map(tuple),
        held=st.lists(held_requests, max_size=3).map(tuple),
    )


snapshots = st.builds(
    Snapshot,
    taken=durations,
    wall=durations,
    parent=st.integers(1, 1 << 22),
    born=durations,
    capacity=counts,
    workers=st.tuples(worker_snapshots(0), worker_snapshots(3)) | st.just(()),
    departed=counters,
    restarts=st.fixed_dictionaries(dict.fromkeys(RESTART_REASONS, counts)),
)
reports = st.builds(
    Report,
    snapshots,
    words,
    words,
    counts,
    counts,
    st.dictionaries(st.integers(0, 3), words, max_size=2),
    st.dictionaries(st.integers(1, 1 << 22), counts, max_size=3),
    st.dictionaries(st.integers(1, 1 << 22), durations, max_size=3),
)
