from __future__ import annotations

import os

import pytest

from stein.web.environment import (
    get_debug_flag,
    get_load_dotenv,
    is_run_by_command,
    is_running_from_reloader,
    look_up,
    note_command,
    set_debug,
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("STEIN_", "FLASK_", "WERKZEUG_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("text", "debug"),
    [("1", True), ("true", True), ("on", True), ("0", False), ("False", False), ("NO", False)],
)
@pytest.mark.parametrize("prefix", ["STEIN", "FLASK"])
def test_debug_mode_comes_from_a_variable(
    *, prefix: str, text: str, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{prefix}_DEBUG", text)
    assert get_debug_flag() is debug


def test_nothing_set_means_no_debugging_and_reading_dotenv_files() -> None:
    assert get_debug_flag() is False
    assert get_load_dotenv() is True
    assert get_load_dotenv(False) is False


def test_our_name_of_a_variable_goes_before_flasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    monkeypatch.setenv("STEIN_DEBUG", "0")
    assert not get_debug_flag()
    monkeypatch.setenv("STEIN_DEBUG", "")
    assert get_debug_flag()
    assert look_up("DEBUG") == "1"


@pytest.mark.parametrize(
    ("text", "read"), [("1", False), ("yes", False), ("0", True), ("no", True)]
)
def test_dotenv_files_can_be_left_unread(
    *, text: str, read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEIN_SKIP_DOTENV", text)
    assert get_load_dotenv() is read
    assert get_load_dotenv(False) is read


def test_debugging_can_be_switched_for_all_who_ask_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "0")
    set_debug(on=True)
    assert get_debug_flag()
    assert "STEIN_DEBUG" not in os.environ
    monkeypatch.setenv("STEIN_DEBUG", "1")
    set_debug(on=False)
    assert not get_debug_flag()
    assert os.environ["FLASK_DEBUG"] == "0"


def test_a_command_and_a_reloader_leave_their_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_run_by_command()
    assert not is_running_from_reloader()
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "false")  # what the next line does is undone, too
    note_command()
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    assert is_run_by_command()
    assert is_running_from_reloader()
