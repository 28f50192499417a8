"""``log_config``: Python's logging, as the operator wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stein.errors import ApplicationNotFound, ConfigurationError
from stein.server.apploader import find_module, parse_expression, resolve, split_target

__all__ = ["apply_log_config", "read_log_config"]

#: Loggers of gunicorn whose handlers serve ours, so that a configuration made for it goes on.
NAMESAKES: Final = {"gunicorn.error": "stein.error", "gunicorn.access": "stein.access"}


def apply_log_config(target: str | None, app_dir: str | None = None) -> None:
    """Configure logging; before the application is imported, which may configure its own.

    :param target: the setting ``log_config``; ``None``: nothing is done.
    :param app_dir: where a module is looked for first.
    :raises ConfigurationError: it cannot be read, or logging refuses it.
    """
    if target is None:
        return
    import logging.config  # noqa: PLC0415 - most do without

    found = read_log_config(target, app_dir)
    try:
        if isinstance(found, str):
            logging.config.fileConfig(found, disable_existing_loggers=False)
        else:
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **found})
    except Exception as error:
        cause = error.__cause__ or error
        raise ConfigurationError(f"log_config={target!r}: {error} ({cause})") from error
    for theirs, ours in NAMESAKES.items():
        source, sink = logging.getLogger(theirs), logging.getLogger(ours)
        if source.handlers and not sink.handlers:
            sink.handlers = list(source.handlers)
            sink.propagate = source.propagate
            sink.setLevel(source.level or sink.level)


def read_log_config(target: str, app_dir: str | None = None) -> dict[str, Any] | str:
    """Return what logging is to be configured with: a dictionary, or the path of an INI file.

    :raises ConfigurationError: there is none, or it cannot be read as what its name says.
    """
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix not in {".toml", ".json"} and (":" in target and not path.is_file()):
        return dictionary_of(target, app_dir)
    try:
        text = path.read_text("utf-8")
        if suffix == ".toml":
            import tomllib  # noqa: PLC0415 - few have such a file

            return tomllib.loads(text)
        if suffix != ".json":
            return target
        found = json.loads(text)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        message = f"log_config={target!r} cannot be read: {cause}"
        raise ConfigurationError(message) from None
    if not isinstance(found, dict):
        message = f"log_config={target!r}: must be an object, as logging.config.dictConfig wants it"
        raise ConfigurationError(message)
    return found


def dictionary_of(target: str, app_dir: str | None) -> dict[str, Any]:
    """Return the dictionary that ``module:NAME`` leads to."""
    parts = split_target(target)
    if not parts or not parts["place"] or not parts["expression"]:
        raise ConfigurationError(f"log_config={target!r} names nothing; write module:NAME")
    try:
        expression = parse_expression(parts["expression"], target)
        module = find_module(parts["place"], Path(app_dir) if app_dir is not None else None)
        found = resolve(module, expression)
    except ApplicationNotFound as error:
        raise ConfigurationError(f"log_config={target!r}: {error}") from error.__cause__
    if not isinstance(found, Mapping):
        message = f"log_config={target!r} is no dictionary, as logging.config.dictConfig wants it"
        raise ConfigurationError(message)
    return dict(found)
