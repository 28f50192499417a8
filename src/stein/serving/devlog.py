"""What a development server says of each request, and where.

Lines go to standard error, in the format ``dev`` unless ``STEIN_ACCESS_LOG`` says otherwise.
Programs written for Werkzeug know its logger by name: ``logging.getLogger("werkzeug")`` with a
level above INFO, or disabled, makes the server silent, and a handler that was put there gets the
lines.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Final, Self

from stein.observe.lines import DevLines
from stein.serving.logs import make_access_log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from stein.http.exchange import Exchange
    from stein.server.settings import Settings

__all__ = ["DevelopmentLog", "say"]

logger: Final = logging.getLogger("werkzeug")

#: Where messages go as long as nobody has configured logging.
stderr_handler: Final = logging.StreamHandler()


def say(kind: str, message: str, *args: object) -> None:
    """Log a message as Werkzeug's server does.

    Without any configuration it goes to standard error as it is.

    :param kind: the name of a method of the logger: ``info``, ``error`` and so on.
    """
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        logger.addHandler(stderr_handler)
    # What it was when the program began may have been replaced, by a test for example.
    stderr_handler.setStream(sys.stderr)
    getattr(logger, kind)(message.rstrip(), *args)


def is_silenced() -> bool:
    """Whether the program has told Werkzeug's logger to be silent about requests."""
    return logger.disabled or logger.level > logging.INFO


class DevelopmentLog:
    """The access log of a development server, as a context manager.

    :param settings: format and file.
    :raises ConfigurationError: the file cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        self._log = make_access_log(settings, os.environ, sys.stderr)
        self._plain = DevLines(colour=False)

    def observe(self, exchanges: Sequence[Exchange]) -> None:
        """Write a line for each exchange.  Any thread."""
        if is_silenced():
            return
        if any(handler is not stderr_handler for handler in logger.handlers):
            for line in self._plain(exchanges).splitlines():
                logger.info("%s", line)
        elif self._log is not None:
            self._log.observe(exchanges)

    def reopen(self) -> None:
        """Open the file anew.  Any thread, and signal handlers."""
        if self._log is not None:
            self._log.reopen()

    def close(self) -> None:
        """Write what is waiting, and end."""
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
