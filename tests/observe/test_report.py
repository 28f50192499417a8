"""Reports: what is read from a server's answer is what was said, and what changed between two."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given

from stein.observe.report import (
    Change,
    Report,
    UnknownReport,
    held_requests,
    snapshot_from,
)
from stein.snapshot import Counters, Snapshot
from tests.observe.snapshots import (
    NOW,
    answer_of,
    busy_thread,
    make_counters,
    make_held,
    make_report,
    make_snapshot,
    make_worker,
    snapshots,
)


@given(snapshots)
def test_a_snapshot_comes_out_of_json_as_it_went_in(snapshot: Snapshot) -> None:
    assert snapshot_from(json.loads(json.dumps(dataclasses.asdict(snapshot)))) == snapshot


def test_an_answer_tells_of_the_parent_and_of_workers_that_are_to_go() -> None:
    snapshot = make_snapshot(make_worker())
    report = Report.of_answer(answer_of(snapshot))
    assert (report.state, report.application, report.generation) == ("reloading", "a:b", 3)
    assert (report.wanted, report.replacing) == (4, {3: "max_rss: too much"})
    assert report.snapshot == snapshot


def test_what_a_later_version_says_besides_does_no_harm() -> None:
    answer = answer_of(make_snapshot(make_worker()))
    answer["board"]["mood"] = "fine"
    answer["board"]["workers"][0]["colour"] = "blue"
    assert Report.of_answer(answer).snapshot == make_snapshot(make_worker())


@pytest.mark.parametrize(
    "broken",
    [
        {"parent": None},
        {"parent": {}},
        {"board": []},
        {"board": {}},
        {"workers": 3},
        {"board": dataclasses.asdict(make_snapshot()) | {"departed": {"statuses": [1]}}},
        {
            "board": dataclasses.asdict(make_snapshot())
            | {"departed": dataclasses.asdict(Counters(statuses=(1,)))}
        },
    ],
)
def test_an_answer_of_another_version_is_named_as_such(broken: dict[str, Any]) -> None:
    with pytest.raises(UnknownReport, match="another version of stein"):
        Report.of_answer(answer_of(make_snapshot(), **broken))


@pytest.mark.parametrize(
    ("states", "state"),
    [((), "starting"), (("booting",), "booting"), (("draining", "ready"), "serving")],
)
def test_a_board_alone_tells_the_state_too(states: tuple[str, ...], state: str) -> None:
    workers = [make_worker(place, state=each) for place, each in enumerate(states)]
    report = Report.of_board(make_snapshot(*workers))
    assert (report.state, report.generation, report.application) == (state, 0, "")


def test_a_process_that_is_its_own_parent_is_one_alone() -> None:
    assert not make_report(make_worker(pid=4711)).is_supervised
    assert make_report(make_worker(pid=4712)).is_supervised
    assert make_report(make_worker(pid=4711)).pids == [4711]
    assert make_report(make_worker(pid=4712)).pids == [4711, 4712]


def test_requests_under_way_are_in_the_order_of_their_ages() -> None:
    idle = busy_thread(2, None, "idle")
    worker = make_worker(
        1,
        threads=(
            busy_thread(0, make_held("/new", 1.0)),
            busy_thread(1, make_held("/old", 90.0), "lost"),
            idle,
        ),
        held=(make_held("/queued", 30.0, state="waiting"),),
    )
    found = held_requests(make_snapshot(make_worker(), worker))
    shown = [(each.request.path, each.state, each.thread, each.worker) for each in found]
    assert shown == [
        ("/old", "lost", "stein-1", 1),
        ("/queued", "waiting", "", 1),
        ("/new", "running", "stein-0", 1),
    ]
    assert [each.age for each in found] == [90.0, 30.0, 1.0]


# -- changes --------------------------------------------------------------------------------


def two_reports() -> tuple[Report, Report]:
    first = make_worker(0, counters=make_counters(100))
    before = make_report(first, taken=NOW - 2, processor={4712: 10.0})
    grown = dataclasses.replace(first, counters=make_counters(150))
    after = make_report(grown, make_worker(1, born=NOW - 1, counters=make_counters(30)),
                        processor={4712: 11.0, 4713: 0.5})  # fmt: skip
    return before, after


def test_rates_are_those_between_two_looks() -> None:
    change = Change(*two_reports())
    first, second = two_reports()[1].snapshot.workers
    assert (change.seconds, change.rate) == (2.0, 40.0)
    assert change.rate_of(first) == 25.0
    assert change.rate_of(second) == 30.0  # a second old
    assert (change.duration.count, change.queue.count) == (80, 80)
    assert change.processor_of(4712) == 0.5
    assert change.processor_of(4713) is None


def test_without_an_earlier_look_rates_are_since_the_start() -> None:
    report = make_report(make_worker(counters=make_counters(400)))
    change = Change(None, report)
    assert (change.seconds, change.rate) == (200.0, 2.0)
    assert change.rate_of(report.snapshot.workers[0]) == 4.0
    assert change.processor_of(4712) is None


def test_a_server_that_was_started_anew_is_another_one() -> None:
    before = make_report(make_worker(counters=make_counters(10_000)), born=NOW - 900)
    change = Change(before, make_report(make_worker(counters=make_counters(100))))
    assert change.rate == 0.5


def test_two_looks_at_the_same_moment_have_no_rate() -> None:
    report = make_report(make_worker(), born=NOW, processor={4712: 1.0})
    change = Change(report, report)
    assert (change.rate, change.processor_of(4712)) == (0.0, None)
    assert change.rate_of(report.snapshot.workers[0]) == 0.0
