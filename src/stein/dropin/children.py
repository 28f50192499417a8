"""Child processes: a program that was started with the aliases starts others that need them, too.

Facts.
    A reloader, :mod:`multiprocessing`, a test of a command start ``sys.executable`` again.  The
    child inherits the environment, or most of it; of the import hook it knows nothing.  Arguments
    and ``PYTHONPATH`` are the program's own affair.
Decision.
    :mod:`~stein.dropin.launcher` sets one variable, with the folder that ``stein`` is imported
    from.  The wheel brings one line for the interpreter's start, ``stein-dropin.pth`` (in this
    folder as ``children.pth``), that does nothing unless the variable is there.  Whoever wants a
    child without the aliases takes the variable from its environment.
Price.
    Every start of an interpreter with stein installed looks for the variable: some microseconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from stein.dropin.finder import install

__all__ = ["VARIABLE", "follow", "lead"]

VARIABLE: Final = "STEIN_DROPIN"


def lead() -> None:
    """Let the processes that this one starts have the aliases, too."""
    os.environ[VARIABLE] = str(Path(__file__).resolve().parents[2])


def follow() -> None:
    """Have the aliases in this process, as the one has that started it."""
    install()
