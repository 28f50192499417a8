"""statsd: what was counted once is sent once, and who does not listen costs nothing."""

from __future__ import annotations

import logging
import re
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.observe.statsd import LARGEST, Statsd, datagrams, lines_between
from stein.snapshot import RESTART_REASONS, Counters, Histogram, Snapshot
from tests.observe.snapshots import (
    BUCKETS,
    busy_thread,
    make_counters,
    make_held,
    make_snapshot,
    make_worker,
    snapshots,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LINE = re.compile(r"[a-z0-9_.]+:\d+(\.\d+)?(e\+\d+)?\|[cg]")


def looks(*found: Snapshot) -> Callable[[], Snapshot]:
    """One after the other, and the last one for ever."""
    waiting = list(found)
    return lambda: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def lines_of(before: Snapshot, after: Snapshot) -> dict[str, str]:
    return dict(line.split(":") for line in lines_between(before, after, lambda _: 7 << 20))


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(30)
        yield sock


def address_of(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


@given(snapshots, snapshots)
def test_any_two_looks_give_lines_that_statsd_can_read(before: Snapshot, after: Snapshot) -> None:
    for line in lines_between(before, after, lambda pid: pid):
        assert LINE.fullmatch(line), line


def test_counters_are_sent_as_what_has_come() -> None:
    before = make_snapshot(make_worker(counters=make_counters(10)))
    after = make_snapshot(
        make_worker(counters=make_counters(2)),
        departed=make_counters(15),
        restarts=dict.fromkeys(RESTART_REASONS, 0) | {"reload": 1},
    )
    found = lines_of(before, after)
    assert found["requests.2xx"] == "7|c"
    assert found["outcomes.ok"] == "7|c"
    assert found["connections.accepted"] == "7|c"
    assert found["restarts.reload"] == "1|c"
    assert "requests.5xx" not in found
    assert found["requests.duration.p50"] == "1.75|g"


def test_a_board_that_began_anew_sends_nothing_below_zero() -> None:
    before, after = make_snapshot(departed=make_counters(99)), make_snapshot()
    assert not [line for line in lines_between(before, after) if line.endswith("|c")]


def test_gauges_say_how_things_are() -> None:
    stuck = make_worker(
        busy=3, waiting=4, sending=2, connections=9, backlog=5, lost=1,
        threads=(busy_thread(0, make_held(age=61.2)),),
    )  # fmt: skip
    found = lines_of(make_snapshot(), make_snapshot(stuck, make_worker(1, state="booting")))
    assert found == {
        "workers.ready": "1|g",
        "threads.all": "8|g",
        "threads.busy": "3|g",
        "threads.lost": "1|g",
        "requests.queued": "4|g",
        "requests.sending": "2|g",
        "requests.oldest_seconds": "61.2|g",
        "connections.open": "9|g",
        "connections.backlog": "5|g",
        "worker.0.resident_bytes": "7340032|g",
        "worker.1.resident_bytes": "7340032|g",
    }


def test_quantiles_are_those_of_the_interval() -> None:
    def with_one(bucket: int) -> Snapshot:
        counts = tuple(int(place == bucket) for place in range(BUCKETS))
        return make_snapshot(departed=Counters(duration=Histogram(counts, 1.0)))

    assert "requests.duration.p99" not in lines_of(with_one(3), with_one(3))
    assert lines_of(make_snapshot(), with_one(9))["requests.duration.p99"] == "995|g"


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1)
    ),
    st.integers(1, 60),
)
def test_packets_hold_all_lines_in_order_and_are_no_larger_than_they_may(
    lines: list[str], largest: int
) -> None:
    packets = list(datagrams(lines, largest))
    assert b"\n".join(packets).decode().split("\n") == (lines or [""])
    for packet in packets:
        assert len(packet) <= largest or b"\n" not in packet


def test_a_server_hears_of_each_interval_and_of_the_last_one(server: socket.socket) -> None:
    first, second = make_snapshot(), make_snapshot(departed=make_counters(3))
    statsd = Statsd(
        address_of(server),
        looks(first, second),
        prefix="shop",
        tags=("env:live", "x"),
        interval=900,
    )
    statsd.close()
    statsd.close()
    data = server.recv(LARGEST).decode().split("\n")
    assert "shop.requests.2xx:3|c|#env:live,x" in data
    assert all(line.startswith("shop.") for line in data)


def test_it_is_sent_while_it_lasts(server: socket.socket) -> None:
    statsd = Statsd(address_of(server), looks(make_snapshot()), prefix="", interval=0.001)
    try:
        assert server.recv(LARGEST).startswith(b"workers.ready:0|g")
        assert server.recv(LARGEST)
    finally:
        statsd.close()


def test_a_unix_socket_does_as_well(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))
        Statsd(f"unix:{tmp_path}/s", looks(make_snapshot()), interval=900).close()
        assert server.recv(LARGEST).startswith(b"stein.workers.ready")


def test_a_server_that_is_not_there_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    def look() -> Snapshot:
        nonlocal tried
        tried += 1
        if tried == 6:
            done.set()
        return make_snapshot()

    import threading

    done = threading.Event()
    with caplog.at_level(logging.WARNING, "stein.error"):
        statsd = Statsd(f"unix:{tmp_path}/nobody", look, interval=0.001)
        assert done.wait(30)
        statsd.close()
    (record,) = caplog.records
    assert "nobody cannot be reached (No such file" in record.getMessage().replace("[Errno 2] ", "")


def test_one_that_comes_later_is_found(tmp_path: Path) -> None:
    statsd = Statsd(f"unix:{tmp_path}/s", looks(make_snapshot()), interval=0.001)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.settimeout(30)
            server.bind(str(tmp_path / "s"))
            assert server.recv(LARGEST)
    finally:
        statsd.close()
