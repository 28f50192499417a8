"""What a process has from the one before it, whose work it goes on with.

It comes over a socket that only the two of them have.  The environment of a process can be read by
whatever runs as the same user, is inherited by all that the process starts, and is shown by many a
page about an error.
"""

from __future__ import annotations

from typing import Final

__all__ = ["given"]

#: texts by name; filled before the program begins
given: Final[dict[str, str]] = {}
