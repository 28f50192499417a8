"""The limits, and that they are those of the settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stein.http.limits import Limits
from stein.server.settings import Settings


def test_limits_are_one_frozen_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().body = 1  # type: ignore[misc]
    assert Limits() == Limits()
    assert hash(Limits()) == hash(Limits())


def test_each_limit_is_a_setting_with_the_same_default() -> None:
    settings = Settings()
    for field in dataclasses.fields(Limits):
        assert getattr(settings, f"limit_{field.name}") == field.default


def test_each_setting_arrives_at_its_limit() -> None:
    names = [field.name for field in dataclasses.fields(Limits)]
    numbers: dict[str, Any] = {f"limit_{name}": 1000 + number for number, name in enumerate(names)}
    limits = dataclasses.replace(Settings(), **numbers).limits
    assert dataclasses.asdict(limits) == {name: 1000 + number for number, name in enumerate(names)}
