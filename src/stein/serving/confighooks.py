"""Functions that a configuration file in Python defines, for the processes that call them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stein.serving.configfile import PROGRAMS, execute

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["function_in"]


def function_in(path: str, name: str) -> Callable[..., Any]:
    """Return a function of a configuration file; the file is run once in each process.

    :param path: absolute.
    """
    names = PROGRAMS.get(path) or execute(path, Path(path).read_text("utf-8"))
    found: Callable[..., Any] = names[name]
    return found
