"""``log_config``: every form of it, and what is wrong with one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from stein.errors import ConfigurationError
from stein.serving.logconfig import apply_log_config, read_log_config
from stein.serving.logs import configure_error_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOML = """
[handlers.file]
class = "logging.FileHandler"
filename = "{file}"
[loggers."{logger}"]
handlers = ["file"]
level = "INFO"
propagate = false
"""
JSON = """{{"handlers": {{"file": {{"class": "logging.FileHandler", "filename": "{file}"}}}},
"loggers": {{"{logger}": {{"handlers": ["file"], "level": "INFO"}}}}}}"""
INI = """
[loggers]
keys=root,x
[handlers]
keys=file
[formatters]
keys=
[logger_root]
handlers=
[logger_x]
qualname={logger}
handlers=file
level=INFO
[handler_file]
class=FileHandler
args=({file!r},)
"""
NAMES = ("stein", "stein.error", "stein.access", "gunicorn.error", "gunicorn.access")


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Loggers as they were."""
    known = [logging.getLogger(name) for name in NAMES] + [logging.getLogger()]
    before = [(each.handlers[:], each.level, each.propagate, each.disabled) for each in known]
    for each in known[:-1]:
        each.handlers = []
    yield
    for each, (handlers, level, propagate, disabled) in zip(known, before, strict=True):
        for handler in each.handlers:
            if handler not in handlers:
                handler.close()
        each.handlers, each.propagate, each.disabled = handlers, propagate, disabled
        each.setLevel(level)


@pytest.mark.parametrize("logger", ["stein.error", "gunicorn.error"])
@pytest.mark.parametrize(
    ("name", "text"), [("l.toml", TOML), ("l.json", JSON), ("l.ini", INI), ("l.conf", INI)]
)
def test_a_file_sends_the_error_log_where_it_says(
    tmp_path: Path, name: str, text: str, logger: str
) -> None:
    (tmp_path / name).write_text(text.format(file=str(tmp_path / "log"), logger=logger))
    apply_log_config(str(tmp_path / name))
    logging.getLogger("stein.error").info("it is there")
    assert (tmp_path / "log").read_text() == "it is there\n"


def test_a_dictionary_in_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs_of_test.py").write_text("LOGS = {'version': 1}\nFIVE = 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_log_config("logs_of_test:LOGS") == {"version": 1}
    assert read_log_config("logs_of_test:LOGS", str(tmp_path)) == {"version": 1}
    with pytest.raises(ConfigurationError, match="log_config='logs_of_test:FIVE' is no dictionary"):
        read_log_config("logs_of_test:FIVE")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.toml", "x = ", "cannot be read: Invalid value"),
        ("l.json", "[1]", "must be an object, as logging.config.dictConfig wants it"),
        ("l.json", "{", "cannot be read: "),
        ("l.toml", "[handlers.x]\nclass = 'no.such'", "Unable to configure handler 'x'"),
        ("l.ini", "", "l.ini"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        apply_log_config(str(tmp_path / name))
    assert str(caught.value).startswith("log_config=")


@pytest.mark.parametrize("target", ["none.toml", "no_such_module:X", ":x", "none.ini"])
def test_what_is_not_there_is_told(target: str) -> None:
    with pytest.raises(ConfigurationError, match=f"log_config='{target}'"):
        read_log_config(target)


def test_the_error_log_may_be_a_file_that_is_moved_away(tmp_path: Path) -> None:
    logging.getLogger().handlers, before = [], logging.getLogger().handlers
    try:
        configure_error_log("info", str(tmp_path / "log"))
    finally:
        logging.getLogger().handlers = before
    logger = logging.getLogger("stein.error")
    logger.error("one")
    (tmp_path / "log").rename(tmp_path / "log.1")
    logger.error("two")
    assert (tmp_path / "log.1").read_text().endswith("ERROR stein.error: one\n")
    assert (tmp_path / "log").read_text().endswith("ERROR stein.error: two\n")


def test_an_error_log_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    logging.getLogger().handlers, before = [], logging.getLogger().handlers
    try:
        with pytest.raises(ConfigurationError, match=r"error_log_file='.*' cannot be opened"):
            configure_error_log("info", str(tmp_path / "none" / "log"))
    finally:
        logging.getLogger().handlers = before
