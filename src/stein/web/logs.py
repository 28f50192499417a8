"""The logger of an application, which writes somewhere useful until a program sets up logging.

Imported when an application's logger is first touched: :mod:`logging` takes a while to import.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO

from stein.toolkit.proxy import LocalProxy
from stein.web.globals import context_var

if TYPE_CHECKING:
    from stein.web.app import Stein

__all__ = ["create_logger", "default_handler", "has_level_handler", "wsgi_errors_stream"]


def _errors_stream() -> TextIO:
    context = context_var.get(None)
    current = None if context is None else context.request_context
    if current is None:
        return sys.stderr
    stream: TextIO = current.request.environ["wsgi.errors"]
    return stream


#: Where errors are written: the ``wsgi.errors`` of the request that is being handled (PEP 3333),
#: otherwise ``sys.stderr``.  A logging configuration by dictionary or file names it as
#: ``ext://stein.web.logs.wsgi_errors_stream``.
wsgi_errors_stream: Final[TextIO] = LocalProxy(_errors_stream)  # type: ignore[assignment]

#: What writes the records of an application that nobody has set up logging for.  A program that
#: sets up its own takes it away: ``app.logger.removeHandler(default_handler)``.
default_handler: Final = logging.StreamHandler(wsgi_errors_stream)
default_handler.setFormatter(
    logging.Formatter("[{asctime}] {levelname} in {module}: {message}", style="{")
)


def has_level_handler(logger: logging.Logger) -> bool:
    """Tell whether some handler would get the records that a logger lets pass.

    :param logger: its own handlers count, and those of its parents as far as records propagate.
    """
    level = logger.getEffectiveLevel()
    each: logging.Logger | None = logger
    while each is not None:
        for handler in each.handlers:
            if handler.level <= level:
                return True
        each = each.parent if each.propagate else None
    return False


def create_logger(app: Stein) -> logging.Logger:
    """Give the logger that is named as the application is, set up if nobody else did.

    In debug mode a logger without a level gets DEBUG.  Without a handler that would get its
    records it gets :data:`default_handler`.
    """
    logger = logging.getLogger(app.name)
    if app.debug and logger.level == logging.NOTSET:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
