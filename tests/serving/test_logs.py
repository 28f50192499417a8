"""Where messages go."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING

import pytest

from stein.errors import ConfigurationError
from stein.server.settings import Settings
from stein.serving.logs import access_format, configure_error_log, make_access_log, may_colour

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """Loggers as a new process has them."""
    names = ("stein", "stein.error")
    for logger in [logging.getLogger(), *map(logging.getLogger, names)]:
        monkeypatch.setattr(logger, "handlers", [])
        monkeypatch.setattr(logger, "disabled", False)
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield logging.getLogger("stein.error")
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_colour_is_for_terminals_that_want_it() -> None:
    assert may_colour(Terminal(), {})
    assert not may_colour(Terminal(), {"NO_COLOR": "1"})
    assert may_colour(Terminal(), {"NO_COLOR": ""})
    assert not may_colour(Terminal(), {"TERM": "dumb"})
    assert not may_colour(io.StringIO(), {})
    assert not may_colour(None, {})


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not may_colour(stream, {})


def test_auto_is_dev_on_a_terminal_and_combined_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert access_format(Settings()) == "dev"
    assert access_format(Settings(access_log_file="/var/log/a")) == "combined"
    assert access_format(Settings(access_log="json")) == "json"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert access_format(Settings()) == "combined"


def test_no_access_log_where_none_is_wanted_or_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_access_log(Settings(access_log="off"), {}) is None
    monkeypatch.setattr(sys, "stdout", None)
    assert make_access_log(Settings(), {}) is None


def test_an_access_log_to_a_file(tmp_path: Path) -> None:
    log = make_access_log(Settings(access_log_file=str(tmp_path / "log")), {})
    assert log is not None
    log.close()
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        make_access_log(Settings(access_log_file=str(tmp_path)), {})


def test_the_error_log_goes_to_stderr_at_its_level(
    loggers: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own is there by now
    configure_error_log("warning")
    loggers.info("not this")
    loggers.warning("but this")
    text = capsys.readouterr().err
    assert text.endswith(" WARNING stein.error: but this\n")
    assert "not this" not in text


def test_a_users_handler_is_enough(
    loggers: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(stream))
    configure_error_log("info")
    loggers.info("once")
    assert stream.getvalue() == "once\n"
    assert capsys.readouterr().err == ""


def test_a_users_level_stays_and_a_disabled_log_is_switched_on(loggers: logging.Logger) -> None:
    loggers.setLevel("ERROR")
    loggers.disabled = True
    configure_error_log("debug")
    assert loggers.level == logging.ERROR
    assert not loggers.disabled
