"""The lock files against pyproject.toml: what is declared is pinned, and nothing names a place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = dict(PROJECT["dependency-groups"])
GROUPS["dev"] = [*GROUPS["dev"], *PROJECT["project"]["dependencies"]]


def pinned(group: str) -> dict[str, str]:
    """Distribution name to the text of its pin, hashes included."""
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return {entry.partition("==")[0]: entry for entry in entries}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_declared_tool_is_pinned_with_a_hash(group: str) -> None:
    pins = pinned(group)
    declared = {re.split(r"[\[<>=; ]", line, maxsplit=1)[0] for line in GROUPS[group]}
    assert declared <= pins.keys(), "run: make lock"
    assert [name for name, pin in pins.items() if "--hash=sha256:" not in pin] == []


def test_a_tool_has_one_version_in_all_locks() -> None:
    versions: dict[str, set[str]] = {}
    for group in GROUPS:
        for name, pin in pinned(group).items():
            versions.setdefault(name, set()).add(pin.split()[0])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_lock_says_what_and_never_from_where(group: str) -> None:
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, flags=re.MULTILINE)
