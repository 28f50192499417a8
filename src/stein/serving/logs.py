"""Where messages go: the error log, colours, and which access log is meant by ``auto``."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

from stein.errors import ConfigurationError
from stein.observe.accesslog import AccessLog
from stein.tracebacks import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.server.settings import Settings
    from stein.typing import ExcInfo

__all__ = ["access_format", "configure_error_log", "make_access_log", "may_colour"]


def may_colour(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether a stream is a terminal whose user has not declined colours (``NO_COLOR``)."""
    if stream is None or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal; a closed or odd one is none."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


def access_format(settings: Settings) -> str:
    """Return the format that ``--access-log`` means: auto depends on where the log goes."""
    if settings.access_log != "auto":
        return settings.access_log
    if settings.access_log_file == "-" and sys.stdout is not None and is_terminal(sys.stdout):
        return "dev"
    return "combined"


def make_access_log(
    settings: Settings, environ: Mapping[str, str], stream: TextIO | None = None
) -> AccessLog | None:
    """Return the access log that the settings ask for; its thread is running.

    :param stream: where it goes if no file is named; standard output if not given.
    :raises ConfigurationError: if its file cannot be opened.
    """
    name = access_format(settings)
    if name == "off":
        return None
    if settings.access_log_file != "-":
        return AccessLog(name, settings.access_log_file)
    stream = sys.stdout if stream is None else stream
    if stream is None:  # pythonw: a program without a console
        return None
    return AccessLog(name, stream, colour=may_colour(stream, environ))


class UserFrames(logging.Formatter):
    """Formats an exception from the frames of the user's program; the server's are left out."""

    def formatException(self, ei: ExcInfo | tuple[None, None, None]) -> str:  # noqa: N802 - logging's
        """Return the traceback of an exception, without a line break at its end."""
        error = ei[1]
        return "" if error is None else render(error).rstrip("\n")


def make_error_handler(file: str) -> logging.Handler:
    """Return what writes the error log.

    :param file: ``-`` for standard error.
    :raises ConfigurationError: the file cannot be opened.
    """
    if file == "-":
        return logging.StreamHandler()
    # Most have none.
    from logging.handlers import WatchedFileHandler  # noqa: PLC0415

    try:
        return WatchedFileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        message = (
            f"error_log_file={file!r} cannot be opened: {error.strerror}. The folder must exist "
            "and be writable."
        )
        raise ConfigurationError(message) from error


def configure_error_log(level: str, file: str = "-") -> None:
    """Send ``stein.error`` to standard error or a file, unless somebody has configured logging.

    To be called after the application was imported, which is where people configure logging.
    ``logging.config`` disables every logger it does not name; the error log is switched on
    again, since a server whose faults nobody hears of helps no one.

    :param level: the setting ``log_level``; a level that was set on the logger goes before it.
    :param file: the setting ``error_log_file``; it is opened anew by itself when it was moved.
    :raises ConfigurationError: the file cannot be opened.
    """
    logger = logging.getLogger("stein.error")
    logger.disabled = False
    if logger.level == logging.NOTSET:
        logger.setLevel(level.upper())
    if not logger.hasHandlers():
        handler = make_error_handler(file)
        handler.setFormatter(UserFrames("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger("stein").addHandler(handler)
