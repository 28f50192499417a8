"""Figures and tables: short, and never wider than there is room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.observe.figures import Column, cut, percent, rate, shown, size, span, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (61.2, "1 min 1 s"),
        (59.94, "59.9 s"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_how_long_something_goes_on(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "-"),
        (512, "512 B"),
        (1000, "1.0 KiB"),
        (54 << 20, "54 MiB"),
        (3 << 29, "1.5 GiB"),
        (5000 << 40, "5000 TiB"),
    ],
)
def test_how_large_something_is(count: int, text: str) -> None:
    assert size(count) == text


def test_how_often_something_happens() -> None:
    assert [rate(each) for each in (0, 0.44, 99.94, 99.96, 12345.6)] == [
        "0.0", "0.4", "99.9", "100", "12346",
    ]  # fmt: skip


def test_a_share_that_nobody_knows_is_a_dash() -> None:
    assert [percent(each) for each in (None, 0.0, 0.374, 1.5)] == ["-", "0%", "37%", "150%"]


@given(st.text())
def test_nothing_from_outside_reaches_a_terminal_as_it_is(text: str) -> None:
    found = shown(text)
    assert found.isascii()
    assert found.isprintable()


def test_ordinary_text_stays_as_it_is() -> None:
    assert shown("/a/b?c=d") == "/a/b?c=d"
    assert shown("/\x9b31m\x1b[2J") == r"/\x9b31m\x1b[2J"


@given(st.text(), st.integers(0, 40))
def test_what_is_cut_fits(text: str, width: int) -> None:
    assert len(cut(text, width)) <= width
    assert len(text) > width or cut(text, width) == text


def test_what_was_cut_is_marked() -> None:
    assert cut("abcdef", 4) == "abc…"


def test_figures_stand_to_the_right_and_words_to_the_left() -> None:
    columns = [Column("N", ["1", "22"], right=True), Column("WHAT", ["a", "bcd"])]
    assert table(columns, 80) == [" N  WHAT", " 1  a", "22  bcd"]


def test_where_there_is_no_room_the_highest_rank_gives_way_first() -> None:
    columns = [
        Column("A", ["aaaa"]),
        Column("B", ["bbbb"], rank=2),
        Column("C", ["cccc"], rank=1),
        Column("D", ["dddddddd"]),
    ]
    assert table(columns, 30)[1] == "aaaa  bbbb  cccc  dddddddd"
    assert table(columns, 24)[1] == "aaaa  cccc  dddddddd"
    assert table(columns, 16)[1] == "aaaa  dddddddd"


def test_what_is_left_is_cut_at_its_end() -> None:
    assert (
        table([Column("A", ["aaaa"]), Column("D", ["d" * 50])], 20)[1] == "aaaa  " + "d" * 13 + "…"
    )


cells = st.lists(st.text("ab ", max_size=20), min_size=2, max_size=2)
columns = st.lists(
    st.builds(
        Column, st.text("AB", min_size=1, max_size=8), cells, st.booleans(), st.integers(0, 3)
    ),
    min_size=1,
    max_size=6,
)


@given(columns, st.integers(1, 120))
def test_no_row_is_wider_than_there_is_room(found: list[Column], width: int) -> None:
    rows = table(found, width)
    assert len(rows) == 3
    assert all(len(row) <= width for row in rows)
