# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.lists import parse_pairs
from stein.toolkit.datastructures.cache_control import (
    RequestCacheControl,
    ResponseCacheControl,
    cache_control_property,
)


def test_directives_are_attributes() -> None:
    control = RequestCacheControl(parse_pairs("max-age=5, no-cache, max-stale, min-fresh=x"))
    assert control.max_age == 5
    assert control.no_cache is True
    assert control.no_store is False
    assert control.max_stale is True
    assert control.min_fresh is None
    assert control.only_if_cached is False
    assert control.stale_if_error is None
    assert control.provided
    assert not RequestCacheControl(None).provided


def test_a_number_of_5000_digits_is_no_number() -> None:
    assert RequestCacheControl({"max-age": "9" * 5000}).max_age is None


def test_directives_of_a_request_cannot_be_changed() -> None:
    control = RequestCacheControl({"max-age": "5"})
    with pytest.raises(TypeError, match="'RequestCacheControl' objects are immutable"):
        control.max_age = 6
    with pytest.raises(TypeError, match="immutable"):
        del control.max_age
    assert hash(control) == hash(RequestCacheControl({"max-age": "5"}))
    assert pickle.loads(pickle.dumps(control)) == control


def test_attributes_write_directives() -> None:
    calls: list[str] = []
    control = ResponseCacheControl((), lambda control: calls.append(str(control)))
    control.max_age = 0
    control.public = True
    control.private = "Set-Cookie"
    control.no_cache = True
    control.public = False
    control.private = None
    control.no_cache = False  # type: ignore[assignment]
    del control.max_age
    assert calls == [
        "max-age=0",
        "max-age=0, public",
        "max-age=0, public, private=Set-Cookie",
        "max-age=0, public, private=Set-Cookie, no-cache",
        "max-age=0, private=Set-Cookie, no-cache",
        "max-age=0, no-cache",
        "max-age=0",
        "",
    ]
    assert control.private is None
    control.s_maxage = "7"  # type: ignore[assignment]
    assert control == {"s-maxage": "7"}
    with pytest.raises(ValueError, match="x"):
        control.max_age = "x"  # type: ignore[assignment]


def test_text_and_its_absence() -> None:
    control = ResponseCacheControl([("no-cache", None), ("private", "a, b")])
    assert control.no_cache is True
    assert control.private == "a, b"
    assert control.to_header() == 'no-cache, private="a, b"'
    assert repr(control) == "<ResponseCacheControl no-cache=None private='a, b'>"


def test_a_program_adds_a_directive_of_its_own() -> None:
    class Extended(ResponseCacheControl):
        community = cache_control_property("community", "all", None)
        level = cache_control_property("level", None, int, doc="How much.")
        strict = ResponseCacheControl.cache_property("strict", None, bool)

    control = Extended({"community": "UCI", "level": "3"})
    assert control.community == "UCI"
    assert control.level == 3
    assert not control.strict
    assert Extended({"community": None}).community == "all"
    assert Extended.community.__doc__ == (
        "The ``community`` directive: a ``str``, ``'all'`` where it has no value, "
        "``None`` where it is not there."
    )
    assert Extended.level.__doc__ == "How much."
    assert Extended.strict.__doc__ == "Whether the ``strict`` directive is there."
    own: Any = ResponseCacheControl
    assert "``int``" in own.max_age.__doc__


@given(st.text(alphabet='amx-ge=0,5" \\\0é', max_size=30))
def test_any_header_can_be_read_and_written(value: str) -> None:
    control = RequestCacheControl(parse_pairs(value))
    assert control.max_age is None or isinstance(control.max_age, int)
    assert isinstance(control.to_header(), str)
