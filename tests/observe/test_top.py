"""``stein top``: what a frame shows, and what the loop does between two of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.errors import SteinError
from stein.observe.top import ORDERS, Line, Screen, Top, View, frame
from tests.observe.snapshots import (
    NOW,
    busy_thread,
    make_counters,
    make_held,
    make_report,
    make_worker,
    reports,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stein.observe.report import Report


def stuck(index: int, *ages: float, path: str = "/report") -> Report:
    """A server one worker of which has calls that do not come back."""
    threads = tuple(busy_thread(place, make_held(path, age)) for place, age in enumerate(ages))
    worker = make_worker(index, busy=len(ages), threads=threads, counters=make_counters(50))
    return make_report(worker, make_worker(index + 1))


def texts(lines: Sequence[Line]) -> list[str]:
    return [text for text, _ in lines]


def drawn(report: Report, view: View | None = None, width: int = 100, height: int = 50) -> str:
    return "\n".join(texts(frame(report, None, view or View(), width, height)))


# -- frames ---------------------------------------------------------------------------------


@given(
    st.none() | reports,
    reports,
    st.builds(View, st.sampled_from(ORDERS), st.booleans()),
    st.tuples(st.integers(1, 150), st.integers(1, 60)),
    st.text(max_size=60),
)
def test_a_frame_fits_whatever_it_shows_and_wherever(
    before: Report | None,
    report: Report,
    view: View,
    size: tuple[int, int],
    notice: str,
) -> None:
    width, height = size
    lines = frame(report, before, view, width, height, notice=notice, keys=bool(notice))
    assert len(lines) <= height
    for text in texts(lines):
        assert len(text) <= width
        assert text.isprintable()


def test_the_paths_that_block_are_named_with_their_ages_the_oldest_first() -> None:
    lines = drawn(stuck(0, 61.2, 5.0)).split("\n")
    assert lines[-2:] == [
        "1 min 1 s  running       0  stein-0  10.0.0.7  GET /report",
        "    5.0 s  running       0  stein-1  10.0.0.7  GET /report",
    ]


def test_equal_paths_can_be_put_together() -> None:
    shown = drawn(stuck(3, 61.2, 5.0, 7.0), View(by_path=True)).split("\n")
    assert shown[-2:] == [
        "      AGE  COUNT  STATE    WORKERS  REQUEST",
        "1 min 1 s      3  running  3        GET /report",
    ]


def test_speed_is_that_between_two_looks() -> None:
    before = stuck(0, 1.0)
    worker = dataclasses.replace(before.snapshot.workers[0], counters=make_counters(150))
    after = make_report(worker, taken=NOW + 2)
    lines = texts(frame(after, before, View(), 120, 50))
    assert lines[1] == (
        "requests   50.0/s  p50 1.75 ms  p95 2.43 ms  p99 2.49 ms  queue p99 < 1 ms"
    )
    assert " 50.0   " in next(line for line in lines if line.lstrip().startswith("0  4712"))


def test_the_head_says_how_many_workers_there_are_and_which_program() -> None:
    report = make_report(make_worker(), make_worker(1, state="booting"), generation=4, wanted=2)
    assert drawn(report).split("\n")[0] == (
        "stein: shop:app  serving for 3 min 20 s  1 of 2 workers ready  generation 4"
    )
    alone = make_report(make_worker(pid=4711), application="")
    assert drawn(alone).split("\n")[0] == "stein: process 4711  serving for 3 min 20 s"


def test_nothing_under_way_is_said_in_words() -> None:
    assert drawn(make_report(make_worker())).endswith("\n\nnothing is under way")


def test_warnings_and_notices_stand_out() -> None:
    full = make_worker(busy=4, waiting=2)
    lines = frame(make_report(full), None, View(), 100, 50, notice="gone\x1b[2J")
    alarms = [text for text, style in lines if style == "alarm"]
    assert alarms == [
        "! saturated: all threads of worker 0 are busy, 2 requests wait",
        r"! gone\x1b[2J",
    ]


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("worker", [0, 1, 2]),
        ("rate", [1, 0, 2]),
        ("busy", [2, 0, 1]),
        ("cpu", [2, 1, 0]),
        ("memory", [1, 2, 0]),
    ],
)
def test_workers_are_sorted_by_what_was_asked_for(order: str, places: list[int]) -> None:
    workers = (
        make_worker(0, busy=1, counters=make_counters(10)),
        make_worker(1, busy=0, counters=make_counters(20)),
        make_worker(2, busy=2, waiting=3),
    )
    memory = {4712: 1 << 20, 4713: 3 << 20, 4714: 2 << 20}
    before = make_report(*(make_worker(each) for each in range(3)), taken=NOW - 1,
                         processor={4712: 1.0, 4713: 1.0, 4714: 1.0})  # fmt: skip
    after = make_report(*workers, memory=memory, processor={4712: 1.0, 4713: 1.2, 4714: 1.5})
    lines = texts(frame(after, before, View(order), 120, 50))
    first = next(place for place, line in enumerate(lines) if line.startswith("WORKER")) + 1
    assert [int(line.split()[0]) for line in lines[first : first + 3]] == places


def test_where_there_are_more_rows_than_room_the_rest_is_counted() -> None:
    threads = tuple(busy_thread(place, make_held(age=float(place))) for place in range(30))
    workers = [make_worker(0, threads=threads), *(make_worker(each) for each in range(1, 12))]
    lines = texts(frame(make_report(*workers), None, View(), 100, 24, keys=True))
    assert len(lines) == 24
    assert "… and 6 more workers" in lines
    assert "… and 24 more requests" in lines
    assert lines[-1].startswith("q quits")


def test_one_table_takes_the_room_that_the_other_one_has_no_use_for() -> None:
    workers = [make_worker(each) for each in range(12)]
    lines = texts(frame(make_report(*workers), None, View(), 100, 24))
    assert not any(line.startswith("…") for line in lines)
    assert lines[-1] == "nothing is under way"


# -- the loop -------------------------------------------------------------------------------


class FakeScreen:
    """Presses keys as they are given, and keeps what was drawn.

    :param keys: one for each wait; at their end there is an interrupt.
    """

    def __init__(self, *keys: str, is_live: bool = True) -> None:
        self.keys = list(keys)
        self.is_live = is_live
        self.frames: list[list[str]] = []

    def size(self) -> tuple[int, int]:
        return 100, 30 if self.is_live else 0

    def draw(self, lines: Sequence[Line]) -> None:
        self.frames.append(texts(lines))

    def wait(self, seconds: float) -> str:
        assert seconds == 0.5
        if not self.keys:
            raise KeyboardInterrupt
        return self.keys.pop(0)


def looks(*reports: Report | str) -> Callable[[], Report]:
    """One after the other; a text is what is wrong."""
    waiting = list(reports)

    def look() -> Report:
        found = waiting.pop(0)
        if isinstance(found, str):
            raise SteinError(found)
        return found

    return look


def test_a_frame_is_drawn_for_each_look_until_q() -> None:
    screen: Screen = (kept := FakeScreen("", "q"))
    Top(looks(stuck(0, 1.0), stuck(0, 2.0)), screen, interval=0.5).run()
    assert [lines[-3][:5] for lines in kept.frames] == ["1.0 s", "2.0 s"]


def test_a_key_shows_the_same_look_otherwise() -> None:
    screen = FakeScreen("", "s", "p", "x", "q")
    Top(looks(stuck(0, 1.0), stuck(0, 2.0)), screen, interval=0.5).run()
    assert [lines[-1] for lines in screen.frames] == [
        "q quits, s sorts workers (by worker), p puts equal paths together",
        "q quits, s sorts workers (by worker), p puts equal paths together",
        "q quits, s sorts workers (by rate), p puts equal paths together",
        "q quits, s sorts workers (by rate), p shows each request",
        "q quits, s sorts workers (by rate), p shows each request",
    ]


def test_the_orders_go_round() -> None:
    view = View()
    seen = []
    for _ in ORDERS:
        seen.append(view.order)
        assert view.press("s")
    assert tuple(seen) == ORDERS
    assert view.order == ORDERS[0]


def test_a_server_that_does_not_answer_is_waited_for() -> None:
    screen = FakeScreen("", "", "q")
    Top(looks(stuck(0, 1.0), "no server answers", stuck(0, 3.0)), screen, interval=0.5).run()
    assert ["! no server answers" in lines for lines in screen.frames] == [False, True, False]


def test_where_nobody_could_see_that_it_is_an_error() -> None:
    screen = FakeScreen("", "", is_live=False)
    with pytest.raises(SteinError, match="no server answers"):
        Top(looks(stuck(0, 1.0), "no server answers"), screen, interval=0.5).run()


def test_once_is_one_frame_after_two_looks() -> None:
    screen = FakeScreen("", is_live=False)
    Top(looks(stuck(0, 1.0), stuck(0, 2.0)), screen, interval=0.5).once()
    assert len(screen.frames) == 1
    assert "q quits" not in screen.frames[0][-1]
    assert screen.frames[0][-1].startswith("2.0 s")
