"""How code may go on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.debugger.completion import MOST, complete


class Basket:
    apples = 1
    pears = 2
    _count = 3

    @property
    def broken(self) -> object:
        raise RuntimeError


class Secretive:
    def __dir__(self) -> list[str]:
        raise RuntimeError


class Keyed:
    def keys(self) -> object:
        raise RuntimeError


NAMES: dict[str, Any] = {
    "basket": Basket(),
    "secretive": Secretive(),
    "prices": {"apple": 1, "pear's": 2, 3: 4},
    "keyed": Keyed(),
    "_hidden": 1,
    "größe": 1,
}


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("bask", ["basket"]),
        ("x = bask", ["basket"]),
        ("f(bask", ["basket"]),
        ("gr", ["größe"]),
        ("basket.", ["apples", "broken", "pears"]),
        ("basket.a", ["apples"]),
        ("basket._c", ["_count"]),
        ("_hid", ["_hidden"]),
        ("basket.broken.x", []),
        ("basket.nothing.x", []),
        ("nothing.x", []),
        ("secretive.x", []),
        ("lam", ["lambda"]),
        ("isinst", ["isinstance"]),
        ("str.upp", ["upper"]),
        ('prices["', ['apple"]', "pear's\"]"]),
        ("prices['p", []),
        ("prices['a", ["apple']"]),
        ("keyed['", []),
        ("basket['", []),
        ("f().x", []),
        ("'text'.up", []),
        ("1 + ", []),
        ("", []),
        ("first line\nbask", ["basket"]),
    ],
)
def test_code_goes_on_as_its_names_allow(code: str, texts: list[str]) -> None:
    assert complete(code, NAMES).texts == texts


def test_it_tells_what_is_replaced() -> None:
    start, texts = complete("x = basket.ap", NAMES)
    assert "x = basket.ap"[:start] + texts[0] == "x = basket.apples"


def test_nobody_reads_a_thousand() -> None:
    assert len(complete("n", {f"n{number}": 1 for number in range(1000)}).texts) == MOST


@given(st.text(alphabet="ab._[\"'(\\ \n", max_size=500))
def test_any_code_is_answered(code: str) -> None:
    start, _ = complete(code, {"a": {"b": 1}, "b": "text"})
    assert 0 <= start <= len(code)
