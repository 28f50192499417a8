"""The monitor: takes the lead from a leader whose inline call does not end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stein.server.call import Call
    from stein.server.crew import Crew

__all__ = ["TICK", "Monitor"]

TICK: Final = 0.005  # seconds between two looks
_IDLE_TICKS: Final = 20  # looks without news after which it sleeps


class Monitor:
    """Looks at the crew's token every :data:`TICK`, and sleeps while nothing goes on.

    :param crew: whom it watches.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.sleeps = True  #: must be woken by whoever lays the token down
        self._wake = threading.Semaphore(0)
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self.thread = threading.Thread(target=self._watch, name="stein-monitor", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        """Wake it; after the token was laid down, so that it is seen in either case."""
        self.sleeps = False
        self._wake.release()

    def _watch(self) -> None:
        crew = self._crew
        seen: Call | None = None
        last = 0.0
        idle = 0
        while not crew.stopping:
            if self.sleeps:
                self._wake.acquire()
            time.sleep(TICK)
            try:
                call = crew.token[-1]
            except IndexError:  # the leader is not in a call at this moment
                seen = None
                idle += 1
                if crew.last_inline != last:
                    last, idle = crew.last_inline, 0
                elif idle > _IDLE_TICKS:
                    idle = 0
                    self.sleeps = True
                    if crew.token:  # it came just now
                        self.sleeps = False
                continue
            idle = 0
            if call is seen:
                seen = None
                crew.take_over()
            else:
                seen = call
