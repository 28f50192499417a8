"""The PIN: drawn by chance, the same in all processes of a program, and slow to be guessed."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stein.bequest import given
from stein.toolkit.debugger.pin import (
    PIN_TIME,
    TRIES,
    PinLock,
    cookie_is_right,
    cookie_name,
    drawn,
    for_children,
    get_machine_id,
    get_pin_and_cookie_name,
    hash_pin,
    make_cookie,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is drawn yet, and nobody has chosen a PIN."""
    for name in ("STEIN_DEBUG_PIN", "WERKZEUG_DEBUG_PIN"):
        monkeypatch.delenv(name, raising=False)
    drawn.cache_clear()
    yield
    drawn.cache_clear()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def app() -> None: ...


def test_the_pin_is_nine_digits_and_another_one_at_each_start() -> None:
    first = drawn().pin
    assert re.fullmatch(r"\d{3}-\d{3}-\d{3}", first)
    assert drawn().pin == first
    drawn.cache_clear()
    assert drawn().pin != first


def test_a_process_that_goes_on_has_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first = drawn()
    assert not first.inherited
    for name, text in for_children().items():
        monkeypatch.setitem(given, name, text)
    drawn.cache_clear()
    assert drawn() == replace(first, inherited=True)


@pytest.mark.parametrize("name", ["STEIN_DEBUG_PIN", "WERKZEUG_DEBUG_PIN"])
def test_a_variable_sets_it_or_turns_it_off(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "12-34")
    assert get_pin_and_cookie_name(app)[0] == "12-34"
    monkeypatch.setenv(name, "off")
    assert get_pin_and_cookie_name(app) == (None, None)
    monkeypatch.setenv(name, "no number")
    assert get_pin_and_cookie_name(app)[0] == drawn().pin


def test_the_name_of_the_cookie_tells_programs_apart() -> None:
    def other() -> None: ...

    assert cookie_name(app) == cookie_name(app)
    assert cookie_name(app) != cookie_name(other)
    assert cookie_name(object()).startswith("__stein_debug_")


def test_the_machine_has_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    get_machine_id.cache_clear()
    assert isinstance(get_machine_id(), bytes)

    def fail(self: Path) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_bytes", fail)
    get_machine_id.cache_clear()
    assert get_machine_id() == uuid.getnode().to_bytes(6, "big")
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"\n")
    get_machine_id.cache_clear()
    assert get_machine_id() == uuid.getnode().to_bytes(6, "big")
    get_machine_id.cache_clear()


# -- tries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("entered", ["123-456-789", "123456789", " 123 456 789\n"])
def test_the_right_pin_opens_however_it_is_written(entered: str) -> None:
    verdict = PinLock().try_pin(entered, "123-456-789")
    assert verdict.right
    assert verdict.wait == 0


def test_each_wrong_try_makes_the_next_one_wait_longer() -> None:
    clock = Clock()
    lock = PinLock(clock)
    waits = []
    for left in reversed(range(TRIES)):
        verdict = lock.try_pin("wrong", "123")
        assert (verdict.right, verdict.left) == (False, left)
        waits.append(verdict.wait)
        clock.now += verdict.wait
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert lock.exhausted


def test_a_try_that_comes_too_early_is_not_looked_at_and_not_counted() -> None:
    clock = Clock()
    lock = PinLock(clock)
    lock.try_pin("wrong", "123")
    early = lock.try_pin("123", "123")
    assert (early.right, early.left, early.wait) == (False, TRIES - 1, 0.5)
    clock.now = 1
    assert lock.try_pin("123", "123").right
    assert lock.try_pin("x", "123").left == TRIES - 1  # counted anew


def test_after_ten_wrong_tries_even_the_right_pin_is_refused() -> None:
    clock = Clock()
    lock = PinLock(clock)
    for _ in range(TRIES):
        lock.try_pin("wrong", "123")
        clock.now += 1000
    verdict = lock.try_pin("123", "123")
    assert (verdict.right, verdict.left, verdict.wait) == (False, 0, 0)


# -- the cookie ----------------------------------------------------------------------------------


def has(value: str) -> bool | None:
    return cookie_is_right({"HTTP_COOKIE": f"a=b; name={value}"}, "name", "123")


def test_who_knew_the_pin_is_known_for_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = make_cookie("123")
    assert has(cookie)
    assert cookie_is_right({}, "name", "123") is False
    later = time.time() + PIN_TIME + 10
    monkeypatch.setattr(time, "time", lambda: later)
    assert has(cookie) is False


@pytest.mark.parametrize("value", ["x", "|", "1|", "99999999999|", "x|y", "%7C", "ä|ö"])
def test_a_forged_cookie_is_told_from_none(value: str) -> None:
    assert has(value) is None


def test_a_cookie_of_another_pin_or_start_is_not_ours() -> None:
    assert has(make_cookie("124")) is None
    cookie = make_cookie("123")
    drawn.cache_clear()
    assert has(cookie) is None
    assert hash_pin("123") != hash_pin("124")


def test_the_time_in_a_cookie_is_signed() -> None:
    made, _, signature = make_cookie("123").partition("|")
    assert has(f"{int(made) + 1}|{signature}") is None
