from __future__ import annotations

from typing import Any

import pytest

from stein.toolkit.datastructures.mixins import (
    ImmutableDictMixin,
    ImmutableHeadersMixin,
    UpdateDictMixin,
)


class Frozen(ImmutableDictMixin[str, int], dict[str, int]):  # type: ignore[misc]
    pass


class Told(UpdateDictMixin[str, Any]):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.calls: list[dict[str, Any]] = []
        self.on_update = lambda me: self.calls.append(dict(me))


def test_a_program_freezes_a_dict_of_its_own() -> None:
    frozen = Frozen(a=1)
    assert hash(frozen) == hash(Frozen(a=1))
    changes: list[Any] = [frozen.update, lambda: frozen.pop("b", None)]
    for change in changes:
        with pytest.raises(TypeError, match=r"'Frozen' objects are immutable; .*copy"):
            change()


def test_frozen_headers_have_no_hash_of_their_own() -> None:
    assert ImmutableHeadersMixin.__hash__ is object.__hash__


def test_each_change_is_told_once() -> None:
    told = Told({"a": 1, "b": 2, "c": 3})
    told["a"] = 2
    told["a"] = 2  # also if it changes nothing
    del told["a"]
    assert told.pop("b") == 2
    assert told.popitem() == ("c", 3)
    assert told.setdefault("d", 4) == 4
    told.update({"e": 5}, f=6)
    told.update([("g", 7)])
    told.update(None)  # type: ignore[arg-type]  # as upstream
    told |= {"h": 8}
    told.clear()
    assert len(told.calls) == 11
    assert told.calls[-2] == {"d": 4, "e": 5, "f": 6, "g": 7, "h": 8}
    assert told.calls[-1] == {}


def test_what_changes_nothing_is_not_told() -> None:
    told = Told({"a": 1})
    assert told.pop("b", None) is None
    assert told.setdefault("a") == 1
    for change in (
        lambda: told.pop("b"),
        lambda: told.__delitem__("b"),
        lambda: told.update(5),  # type: ignore[arg-type]
    ):
        with pytest.raises((KeyError, TypeError)):
            change()
    assert told.copy() == {"a": 1}
    assert told.calls == []


def test_nobody_needs_to_listen() -> None:
    quiet: UpdateDictMixin[str, int] = UpdateDictMixin()
    quiet["a"] = 1
    assert quiet == {"a": 1}
