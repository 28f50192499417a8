"""The two clocks.

Deadlines and durations are read from a clock that never jumps (NTP, suspend, an operator's
hand); the wall clock serves only what a person reads: the ``Date`` field and log lines.
"""

from __future__ import annotations

import time

__all__ = ["monotonic", "wall"]

monotonic = time.monotonic
wall = time.time
