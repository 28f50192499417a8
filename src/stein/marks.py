"""The marks of one exchange: when each step of the road was passed.

A mark is an attribute of :class:`stein.http.exchange.Exchange`: seconds of
:func:`stein.clock.monotonic`, ``0.0`` while the step has not been reached.  Whoever observes
reads them; nobody but the engine sets them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MARKS"]

MARKS: Final[dict[str, str]] = {
    "began": "the first bytes of the request were seen",
    "read": "head and, unless it is streamed, body were read: the request waits for a thread",
    "entered": "the application was called",
    "left": "the application gave its last piece, and close() returned",
    "sent": "the last byte was handed to the operating system",
}
