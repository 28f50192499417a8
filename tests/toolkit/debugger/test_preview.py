"""Short texts for values, whatever the objects do."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.debugger.masking import MASK, Masker
from stein.toolkit.debugger.preview import LONGEST, MOST_VARIABLES, Preview, preview_variables
from stein.toolkit.locals import LocalProxy


def shown(value: object, name: str = "value") -> str:
    return Preview(Masker()).named(name, value)


class Failing:
    def __repr__(self) -> str:
        raise RuntimeError("not now")


class WorseError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("never")


class FailingWorse:
    def __repr__(self) -> str:
        raise WorseError


class Odd:
    def __repr__(self) -> str:
        return 42  # type: ignore[return-value]


class Config(dict[str, Any]):
    """A dict of an application's own."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        ("text", "'text'"),
        ([1, [2]], "[1, [2]]"),
        ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}"),
        ({}, "{}"),
        (deque([1]), "deque([1])"),
        (Config(a=1), "Config({'a': 1})"),
        ({"password": "x", "n": 1}, f"{{'password': {MASK} (str, masked), 'n': 1}}"),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "{'a': {'b': {'c': {'d': {...}}}}}"),
    ],
)
def test_ordinary_values_are_shown_as_python_shows_them(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_failing_repr_is_told() -> None:
    assert shown(Failing()) == "<Failing object whose repr failed: RuntimeError: not now>"
    assert shown([FailingWorse()]) == "[<FailingWorse object whose repr failed: WorseError>]"
    assert "repr failed: TypeError" in shown(Odd())


def test_a_proxy_without_its_context_is_shown() -> None:
    def unbound() -> object:
        raise RuntimeError("outside")

    proxy: Any = LocalProxy(unbound)
    masker = Masker()
    masker.learn("token", proxy)
    assert "unbound" in Preview(masker).named("proxy", proxy)


def test_what_is_too_long_or_too_deep_is_cut() -> None:
    assert len(shown("x" * 10_000)) < 500
    assert len(shown([["y" * 300] * 100] * 100)) <= LONGEST + 10
    assert shown(list(range(100))).endswith("19, ...]")
    assert shown(dict.fromkeys(range(100))).endswith("... 80 more}")
    loop: list[Any] = []
    loop.append(loop)
    assert "..." in shown(loop)

    class Deep:
        def __repr__(self) -> str:
            return repr(self)

    assert "repr failed: RecursionError" in shown(Deep())


def test_data_comes_before_code_and_names_of_the_language_are_left_out() -> None:
    def function() -> None: ...

    variables = {"__name__": "x", "function": function, "kind": int, "n": 1, "module": sys}
    names = [name for name, _ in preview_variables(variables, Masker())]
    assert names == ["n", "function", "kind", "module"]
    names = [name for name, _ in preview_variables(variables, Masker(), whole_module=True)]
    assert names == ["n", "function"]


def test_many_variables_are_cut() -> None:
    variables = {f"name{number}": number for number in range(500)}
    rows = preview_variables(variables, Masker())
    assert len(rows) == MOST_VARIABLES + 1
    assert rows[-1] == ("...", "there are more; ask the console")


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_data_gives_a_short_text(value: object) -> None:
    assert len(shown(value)) <= LONGEST + 10
