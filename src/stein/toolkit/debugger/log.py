"""The log of the debugger, which is that of the development server."""

from __future__ import annotations

import logging
import sys
from typing import Final

__all__ = ["say"]

logger: Final = logging.getLogger("werkzeug")


def say(level: int, message: str, *values: object) -> None:
    """Log a line where programs expect those of the development server.

    :param level: of :mod:`logging`.
    """
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if logger.hasHandlers():
        logger.log(level, message, *values)
    elif logger.isEnabledFor(level) and sys.stderr is not None:
        # Nobody has configured logging: without a handler only warnings would be seen.
        sys.stderr.write(f"{message % values}\n")
