"""The page for Prometheus: every number of the board is on it, under its rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given

from stein.observe.metrics import CONTENT_TYPE, exposition, families, oldest
from stein.server import engine
from stein.snapshot import OUTCOMES, RESTART_REASONS, Snapshot
from tests.observe.promtext import read
from tests.observe.snapshots import (
    NOW,
    busy_thread,
    make_counters,
    make_held,
    make_snapshot,
    make_worker,
    snapshots,
)

TWO = make_snapshot(
    make_worker(0, counters=make_counters(5), busy=1, backlog=3),
    make_worker(
        2, counters=make_counters(7), threads=(busy_thread(0, make_held(age=61.0)),), backlog=3
    ),
    departed=make_counters(30),
    restarts=dict.fromkeys(RESTART_REASONS, 0) | {"reload": 2},
)


@given(snapshots)
def test_any_server_gives_a_page_that_holds_to_the_format(snapshot: Snapshot) -> None:
    families = read(exposition(snapshot, lambda pid: pid, "1.0"))
    total = snapshot.total
    assert sum(families["stein_requests_total"].samples.values()) == sum(total.statuses)
    assert families["stein_request_duration_seconds"].value("_count") == total.duration.count
    assert families["stein_connections_accepted_total"].value() == total.accepted
    for worker in snapshot.workers:
        labels = {"worker": str(worker.index)}
        assert families["stein_worker_busy_threads"].value(**labels) == worker.busy
        assert families["stein_worker_resident_memory_bytes"].value(**labels) == worker.pid


def test_what_is_counted_includes_the_workers_that_are_gone() -> None:
    families = read(exposition(TWO))
    assert families["stein_requests_total"].value(status="2xx") == 42
    assert families["stein_request_outcomes_total"].value(outcome="ok") == 42
    assert families["stein_request_duration_seconds"].value("_bucket", le="0.001") == 0
    assert families["stein_request_duration_seconds"].value("_bucket", le="0.0025") == 42
    assert families["stein_worker_restarts_total"].value(reason="reload") == 2


def test_series_are_named_by_places_and_never_by_process_ids() -> None:
    page = exposition(TWO, lambda _: 1 << 20)
    assert set(re.findall(r'worker="(.*?)"', page)) == {"0", "2"}
    assert "4712" not in page
    assert "4714" not in page


def test_series_are_there_before_anything_has_happened() -> None:
    families = read(exposition(make_snapshot()))
    assert set(families["stein_request_outcomes_total"].samples) == {
        ("", (("outcome", name),)) for name in OUTCOMES
    }
    assert families["stein_backlog_connections"].value() == 0
    assert "stein_worker_threads" not in families


def test_a_queue_that_all_workers_share_is_counted_once() -> None:
    assert read(exposition(TWO))["stein_backlog_connections"].value() == 3


def test_one_process_alone_has_no_parent_besides() -> None:
    alone = make_snapshot(make_worker(0, pid=4711))
    assert "stein_parent_resident_memory_bytes" not in exposition(alone, lambda _: 1)
    assert "stein_parent_resident_memory_bytes 1" in exposition(TWO, lambda _: 1)


def test_memory_that_nobody_knows_is_left_out() -> None:
    assert "resident_memory" not in exposition(TWO)


def test_how_long_something_is_stuck_is_told_per_worker() -> None:
    family = read(exposition(TWO))["stein_worker_oldest_request_seconds"]
    assert (family.value(worker="0"), family.value(worker="2")) == (0, 61)


@pytest.mark.parametrize(("state", "age"), [("waiting", 9.0), ("sending", 0.0)])
def test_a_response_on_its_way_is_not_stuck(state: str, age: float) -> None:
    worker = make_worker(held=(make_held(age=9.0, state=state),))
    assert oldest(worker, NOW) == age


def test_moments_are_those_of_the_wall_clock() -> None:
    families = read(exposition(TWO, version="1.2"))
    assert families["stein_start_time_seconds"].value() == 1_700_000_000 - 200
    assert families["stein_worker_start_time_seconds"].value(worker="2") == 1_700_000_000 - 100
    assert families["stein_info"].value(version="1.2") == 1


def test_the_docs_name_every_metric_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "observe.md").read_text("utf-8")
    rows = re.findall(r"^\| `(stein_\w+)` \| (\w+) \|", page, re.MULTILINE)
    assert dict(rows) == {family.name: family.kind for family in families(TWO)}


def test_the_engine_sends_the_media_type_of_the_format() -> None:
    assert engine._METRICS == CONTENT_TYPE
