from __future__ import annotations

import importlib

import pytest

from stein.dropin.table import ALIASES, DISTRIBUTIONS

# What programs try in order to tell versions apart: these must stay away.
GONE = [
    ("werkzeug", "__version__"),
    ("werkzeug.urls", "url_quote"),
    ("werkzeug.urls", "url_parse"),
    ("werkzeug.http", "parse_authorization_header"),
    ("werkzeug.wrappers", "BaseResponse"),
]


def resolve(module: str, name: str) -> object:
    target = ALIASES[module]
    if isinstance(target, str):
        return getattr(importlib.import_module(target), name)
    home, _, own = target[name].partition(":")
    return getattr(importlib.import_module(home), own or name)


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_an_alias_has_its_parent_in_the_table(alias: str) -> None:
    parent, _, _ = alias.rpartition(".")
    assert not parent or parent in ALIASES


@pytest.mark.parametrize("alias", sorted(ALIASES))
@pytest.mark.filterwarnings("ignore:.*Ordered:DeprecationWarning")
def test_everything_that_an_alias_leads_to_is_there(alias: str) -> None:
    target = ALIASES[alias]
    if isinstance(target, str):
        assert importlib.import_module(target).__name__ == target
        return
    for name in target:
        assert resolve(alias, name) is not None, name


@pytest.mark.parametrize(("module", "name"), GONE)
def test_what_upstream_has_dropped_is_not_offered(module: str, name: str) -> None:
    with pytest.raises((AttributeError, KeyError)):
        resolve(module, name)


def test_every_top_level_alias_is_a_distribution_with_a_version() -> None:
    assert {alias for alias in ALIASES if "." not in alias} == set(DISTRIBUTIONS)
