"""Whole numbers in fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.numbers import MAX_DIGITS, parse_int


@given(st.integers(min_value=0, max_value=10**MAX_DIGITS - 1))
def test_every_number_is_read(number: int) -> None:
    assert parse_int(f" {number}\t") == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+1", "1_000", "1.0", "0x1", "1 2", "a", "\u0661", "\xb2", "\U0001fbf1", "1\n"],
)
def test_nothing_else_is_a_number(text: str) -> None:
    assert parse_int(text) is None


def test_a_number_of_absurd_length_is_none() -> None:
    assert parse_int("9" * MAX_DIGITS) is not None
    assert parse_int("9" * (MAX_DIGITS + 1)) is None
    assert parse_int("9" * 1_000_000) is None
