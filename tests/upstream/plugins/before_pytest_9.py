"""A plugin for Flask's own tests: the name in pytest's inside that their conftest.py asks for.

pytest 9 calls it otherwise, and the tests use it only as the mark of "this variable is not set".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _pytest import monkeypatch

if TYPE_CHECKING:
    import pytest

inside: Any = monkeypatch
if not hasattr(inside, "notset"):
    inside.notset = inside.NOTSET


def pytest_report_header(config: pytest.Config) -> str:
    """Say that something was put in place."""
    return "stein: _pytest.monkeypatch.notset is there, as before pytest 9"
