"""``stein status``: what an operator must see is there, and what nobody may see is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.observe.report import Change, Report
from stein.observe.status import MOST, as_fields, as_text, quantile, warnings, worker_table
from stein.snapshot import RESTART_REASONS, Histogram
from tests.observe.snapshots import (
    BUCKETS,
    NOW,
    busy_thread,
    make_counters,
    make_held,
    make_report,
    make_worker,
    reports,
)

STUCK = make_worker(
    0,
    busy=4,
    waiting=12,
    lost=1,
    connections=20,
    backlog=2,
    counters=make_counters(1000),
    threads=(
        busy_thread(0, make_held("/report?token=hush", 61.2)),
        busy_thread(1, make_held("/lost", 300.0), "lost"),
    ),
    held=(make_held("/next", 5.0, state="waiting"),),
)
IDLE = make_worker(1)


@given(reports, st.integers(1, 200))
def test_any_report_can_be_shown_in_any_width(report: Report, width: int) -> None:
    text = as_text(report, width)
    assert all(len(line) <= width or line.startswith("…") for line in text.split("\n"))
    assert all(line.isprintable() for line in text.split("\n"))
    json.dumps(as_fields(report))


def test_the_text_says_what_is_served_and_how_it_goes() -> None:
    text = as_text(
        make_report(STUCK, IDLE, restarts=dict.fromkeys(RESTART_REASONS, 0) | {"oom": 2})
    )
    assert text.startswith("shop:app: serving for 3 min 20 s, 2 of 2 workers ready\n")
    for line in (
        "  process      pid 4711, generation 1, memory 135 MiB in all\n",
        "  requests     1000, 5.0 per second since the start\n",
        "  answers      2xx 1000\n",
        "  outcomes     ok 1000\n",
        "  threads      4 of 8 busy, 12 queued, 0 sending, 1 lost\n",
        "  connections  20 open, 1000 accepted so far, backlog 2\n",
        "  restarts     oom 2\n",
    ):
        assert line in text


def test_paths_that_block_are_named_with_their_ages_and_without_their_queries() -> None:
    text = as_text(make_report(STUCK, IDLE))
    assert "1 min 1 s  running       0  stein-0  10.0.0.7  GET /report\n" in text
    assert "5 min 0 s  lost          0  stein-1  10.0.0.7  GET /lost\n" in text
    assert "    5.0 s  waiting       0  -        10.0.0.7  GET /next\n" in text
    assert "hush" not in text
    assert "hush" not in json.dumps(as_fields(make_report(STUCK)))


def test_one_process_alone_is_named_as_such() -> None:
    text = as_text(make_report(make_worker(pid=4711), application="", generation=0))
    assert text.startswith("process 4711: serving for 3 min 20 s, one process\n")
    assert "generation" not in text


def test_a_server_that_has_no_worker_yet_has_no_tables() -> None:
    assert "WORKER" not in as_text(make_report(state="starting"))


def test_an_idle_server_has_nothing_to_say() -> None:
    """It waits for events, and writes nothing: from its silence nothing follows."""
    idle = make_worker(0, beat=NOW - 600.0, connections=3, threads=(busy_thread(0, None),))
    assert not list(warnings(make_report(idle)))
    thread = busy_thread(0, make_held())
    for work in ({"busy": 1}, {"waiting": 1}, {"threads": (thread,)}):
        (text,) = warnings(make_report(make_worker(0, beat=NOW - 600.0, **work)))
        assert text == "worker 0 (pid 4712) is silent for 10 min 0 s"


def test_more_requests_than_one_reads_are_counted() -> None:
    threads = tuple(busy_thread(place, make_held()) for place in range(MOST + 5))
    text = as_text(make_report(make_worker(threads=threads)))
    assert text.count("GET /report") == MOST
    assert text.endswith("… and 5 more; --json has them all\n")


@pytest.mark.parametrize(
    ("state", "generation", "told"),
    [
        (
            "serving",
            1,
            [
                (
                    "a reload was given up; generations that serve: 1 (2 workers), 2 (1 worker); "
                    "reload again"
                )
            ],
        ),
        ("reloading", 2, []),
        ("serving", 0, []),
    ],
)
def test_two_versions_side_by_side_are_told(state: str, generation: int, told: list[str]) -> None:
    workers = [make_worker(place, generation=1) for place in (0, 1)]
    ending = make_worker(3, generation=3, state="draining")
    report = make_report(
        *workers, make_worker(2, generation=2), ending, state=state, generation=generation
    )
    assert list(warnings(report)) == told


def test_what_an_operator_should_look_at_is_said_in_words() -> None:
    silent = make_worker(1, beat=NOW - 31.0, busy=2)
    alone = make_worker(2, beat=NOW - 31.0, seats=1, busy=1)
    wishes = make_worker(3, recycle="lost_threads")
    report = make_report(STUCK, silent, alone, wishes, replacing={2: "max_rss: it has 900 MiB"})
    assert list(warnings(report)) == [
        "saturated: all threads of worker 0 are busy, 12 requests wait",
        "worker 0: of its threads 1 lost in calls past their time-out",
        "worker 1 (pid 4713) is silent for 31.0 s",
        "worker 2 is to be replaced: max_rss: it has 900 MiB",
        "worker 3 is to be replaced: lost_threads",
    ]
    assert "  ! saturated" in as_text(report)


def test_several_saturated_workers_are_one_warning() -> None:
    full = make_worker(1, busy=4, waiting=3)
    assert next(iter(warnings(make_report(STUCK, full)))) == (
        "saturated: all threads of workers 0, 1 are busy, 15 requests wait"
    )


def test_a_healthy_server_has_no_warnings() -> None:
    assert list(warnings(make_report(IDLE))) == []


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({0: 10}, "< 1 ms"),
        ({4: 10}, "18 ms"),
        ({BUCKETS - 1: 10}, "> 60.00 s"),
        ({4: 90, BUCKETS - 1: 10}, "18 ms"),
    ],
)
def test_a_quantile_is_no_finer_than_the_buckets(counts: dict[int, int], text: str) -> None:
    took = Histogram(tuple(counts.get(place, 0) for place in range(BUCKETS)), 1.0)
    assert quantile(took, 0.5) == text


def test_rates_take_the_place_of_sums_when_there_were_two_looks() -> None:
    report = make_report(STUCK)
    assert "REQUESTS" in worker_table(report, [STUCK], 120)[0]
    titles = worker_table(report, [STUCK], 120, Change(None, report))[0]
    assert "REQ/S" in titles
    assert "CPU" in titles
    assert "REQUESTS" not in titles


def test_json_has_all_of_it_under_plain_names() -> None:
    report = make_report(STUCK, make_worker(1, ready=0.0, state="booting"), processor={4712: 1.5})
    found = as_fields(report)
    assert found["server"] == {
        "pid": 4711,
        "state": "serving",
        "application": "shop:app",
        "generation": 1,
        "supervised": True,
        "workers_wanted": 2,
        "workers_ready": 1,
        "uptime": 200.0,
        "taken_at": 1_700_000_000.0,
        "resident_bytes": 27 << 20,
    }
    assert found["requests"]["by_status"]["2xx"] == found["requests"]["total"] == 1000
    assert found["requests"]["duration"]["buckets"]["+Inf"] == 1000
    assert found["threads"] == {"all": 8, "busy": 4, "lost": 1, "lost_so_far": 0}
    assert found["connections"] == {"open": 20, "accepted": 1000, "backlog": 2}
    first, second = found["workers"]
    assert (first["processor_seconds"], first["resident_bytes"]) == (1.5, 54 << 20)
    assert (first["ready_since"], second["ready_since"]) == (99.0, None)
    assert found["under_way"][1] == {
        "worker": 0,
        "id": "17-3",
        "method": "GET",
        "path": "/report",
        "client": "10.0.0.7",
        "state": "running",
        "thread": "stein-0",
        "age": 61.2,
    }
