"""Which paths are slow: learnt from how long their calls took.

Any thread; two at once may lose one of two lessons, which does no harm.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SLOW", "Pace"]

SLOW: Final = 0.001  # seconds; a call that takes longer is better run by another thread
_MOST_PATHS: Final = 4096  # remembered as slow
_MANY: Final = 0.05  # share of slow calls from which on unknown paths count as slow
_WEIGHT: Final = 0.02  # of one call in that share


class Pace:
    """What is known of the paths of an application.

    :attr:`slow_paths` and :attr:`unsettled` are read by whoever decides, without a call.

    :param cautious: whether a path must always be known as fast.
    """

    def __init__(self, *, cautious: bool = False) -> None:
        self.slow_paths: dict[str, float] = {}  #: with how long their last calls took, roughly
        self.fast_paths: dict[str, None] = {}  #: known as fast, kept only where it matters
        self.share = 0.0  #: of slow calls among the last ones
        #: so many calls were slow that a path must be known as fast
        self.unsettled = self._cautious = cautious

    def judge(self, path: str, took: float) -> None:
        """Learn from a call how long its path takes."""
        slow = took > SLOW
        self.share += _WEIGHT * (slow - self.share)
        if self.share < 0.001:
            self.share = 0.0
        self.unsettled = self._cautious or self.share > _MANY
        paths = self.slow_paths
        known = paths.get(path)
        if slow:
            if known is None and len(paths) >= _MOST_PATHS:
                paths.clear()
            paths[path] = took
            self.fast_paths.pop(path, None)
        elif known is not None:
            # It has to be fast several times before it is trusted again.
            known *= 0.5
            if known < SLOW:
                paths.pop(path, None)
            else:
                paths[path] = known
        elif self.share or self._cautious:
            if len(self.fast_paths) >= _MOST_PATHS:
                self.fast_paths.clear()
            self.fast_paths[path] = None
