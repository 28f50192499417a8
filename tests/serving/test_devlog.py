"""The development server's log, and the logger that programs for Werkzeug know."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest

from stein.serving import devlog
from stein.serving.devlog import DevelopmentLog, say
from stein.serving.devsettings import settings_for
from tests.serving.devserving import fetch, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The logger as it is when nobody has touched it; nothing else is configured."""
    monkeypatch.setattr(devlog.logger, "handlers", [])
    monkeypatch.setattr(devlog.logger, "propagate", False)
    before = devlog.logger.level
    devlog.logger.setLevel(logging.NOTSET)
    yield devlog.logger
    devlog.logger.setLevel(before)
    devlog.logger.disabled = False


def logged() -> list[str]:
    """The lines on standard error of a server that was asked once."""
    # Set here and not by a fixture: pytest puts its own in place before each test.
    with redirect_stderr(io.StringIO()) as stream, serving() as server:
        fetch(server.port, "/one")
    return stream.getvalue().splitlines()


def test_without_any_configuration_messages_go_to_standard_error(logger: logging.Logger) -> None:
    logger.handlers.clear()  # pytest puts one here before each test, as propagation is off
    for _ in range(2):
        with redirect_stderr(io.StringIO()) as stream:
            say("info", "hello %s\n", "you")
        assert stream.getvalue() == "hello you\n"


def test_a_level_and_a_handler_of_the_programs_are_kept(logger: logging.Logger) -> None:
    own = io.StringIO()
    logger.addHandler(logging.StreamHandler(own))
    logger.setLevel(logging.ERROR)
    with redirect_stderr(io.StringIO()) as stream:
        say("info", "not this")
        say("error", "this")
    assert (own.getvalue(), stream.getvalue()) == ("this\n", "")


def test_requests_are_logged_to_standard_error_in_short(logger: logging.Logger) -> None:
    logger.handlers.clear()
    (line,) = logged()
    assert " 200 GET /one " in line


def test_the_logger_can_silence_requests(logger: logging.Logger) -> None:
    logger.setLevel(logging.ERROR)
    assert logged() == []
    logger.setLevel(logging.INFO)
    logger.disabled = True
    assert logged() == []


def test_a_handler_of_the_logger_gets_the_requests(logger: logging.Logger) -> None:
    own = io.StringIO()
    logger.addHandler(logging.StreamHandler(own))
    logger.setLevel(logging.INFO)
    assert logged() == []
    assert " 200 GET /one " in own.getvalue()


def test_the_log_can_be_switched_off_and_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with DevelopmentLog(settings_for("localhost", 0)) as log:
        log.reopen()
    monkeypatch.setenv("STEIN_ACCESS_LOG", "off")
    assert logged() == []
    with DevelopmentLog(settings_for("localhost", 0)) as log:
        log.reopen()
