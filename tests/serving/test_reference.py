"""The reference page is what the settings say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from stein.observe.accesslog import OUTCOMES
from stein.server.settings import GROUPS, Settings
from stein.serving.reference import main, reference

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_current() -> None:
    remedy = "run: python -m stein.serving.reference docs/settings.md"
    assert PAGE.read_text(encoding="utf-8") == reference(), remedy


def test_every_setting_and_every_outcome_is_on_it() -> None:
    page = reference()
    for item in dataclasses.fields(Settings):
        assert f"### `{item.name}`\n" in page
        assert f"`STEIN_{item.name.upper()}`" in page
    for group in GROUPS:
        assert f"## {group}\n" in page
    for outcome, meaning in OUTCOMES.items():
        assert f"| `{outcome}` | {meaning} |" in page


def test_it_is_printed_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert capsys.readouterr().out == reference()
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == reference()
