"""What the kernel is asked to do for a process and its parent; Linux does it, others do not.

Where it is not done, the socket between the two has to do: one that reads from it learns of the
other's end.
"""

from __future__ import annotations

import signal
import sys
from typing import Final

__all__ = ["adopt_orphans", "die_with_parent", "name_process"]

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_LONGEST_NAME: Final = 15  # bytes


def die_with_parent() -> None:
    """Let the kernel end this process when its parent has ended, however that happens (Linux).

    Without it a child that is busy in a library written in C would not notice.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> bool:
    """Let the kernel give this process the children that its descendants leave behind (Linux)."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """Let the system's tools show a name for this process, where they can (Linux)."""
    _prctl(_PR_SET_NAME, name.encode()[:_LONGEST_NAME])


def _prctl(option: int, argument: int | bytes) -> bool:
    """Call prctl(2); false if this system has none, or it failed."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes  # noqa: PLC0415 - only where it is needed

        return ctypes.CDLL(None).prctl(option, argument, 0, 0, 0) == 0  # type: ignore[no-any-return]
    except (ImportError, OSError, AttributeError):  # a Python without it: the lifeline has to do
        return False
