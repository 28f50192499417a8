# ruff: noqa: FBT001 - tables have columns that are true or false

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.targets import (
    Expression,
    NotLiteralError,
    UnreadableError,
    is_target_itself,
    parse_expression,
)


@pytest.mark.parametrize(
    ("text", "names", "call", "args", "kwargs"),
    [
        ("app", ("app",), False, (), {}),
        (" site.wsgi ", ("site", "wsgi"), False, (), {}),
        ("create_app()", ("create_app",), True, (), {}),
        ("a.make('x', 7, debug=True)", ("a", "make"), True, ("x", 7), {"debug": True}),
    ],
)
def test_what_is_understood(
    text: str,
    names: tuple[str, ...],
    call: bool,
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    assert parse_expression(text) == Expression(names, call, args, kwargs)


@pytest.mark.parametrize("text", ["", "1", "a b", "a[0]", "f()()", "f(**x)", "a\0", "(" * 300])
def test_what_is_not(text: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse_expression(text)
    assert not isinstance(caught.value, NotLiteralError)


@pytest.mark.parametrize("text", ["f(x)", "f(g())", "f(a=x)", "f(*x)"])
def test_arguments_must_be_literal(text: str) -> None:
    with pytest.raises(NotLiteralError):
        parse_expression(text)


@given(st.text())
def test_any_text_gives_an_expression_or_that_it_is_none(text: str) -> None:
    try:
        assert parse_expression(text).names
    except UnreadableError:
        pass


@pytest.mark.parametrize(
    ("missing", "name", "itself"),
    [("shop", "shop", True), ("shop", "shop.web", True), ("shop.web", "shop", False)],
)
def test_a_missing_module_is_the_target_or_one_that_it_imports(
    missing: str,
    name: str,
    itself: bool,
) -> None:
    error = ModuleNotFoundError(f"No module named {missing!r}", name=missing)
    assert is_target_itself(error, name) is itself
    assert not is_target_itself(ImportError("other", name=missing), name)
