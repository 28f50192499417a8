"""What the leader does now and then: tell the board, and look for calls that run too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stein.server.deadlines import NEVER, Entry
from stein.server.overdue import Overdue

if TYPE_CHECKING:
    from stein.server.engine import Engine

__all__ = ["INTERVAL", "Housekeeper"]

#: Seconds between two rounds while something goes on.
INTERVAL: Final = 0.1


class Housekeeper:
    """Makes its round every :data:`INTERVAL` while there is traffic or a call, and rests else.

    Threads: the leader.

    :param engine: whose house it is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._overdue = Overdue(engine)
        self.resting = True  #: until the poller returns with anything at all
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None

    def rouse(self, now: float) -> None:
        """Something has happened."""
        self.resting = False
        self.deadline = now + INTERVAL
        self._engine.deadlines.watch(self)

    def on_deadline(self, now: float) -> None:
        """Make a round."""
        engine = self._engine
        place = engine.place
        place.beat(now)
        place.set_backlog(sum(listener.backlog for listener in engine.listeners))
        changed = engine.tally.publish(place)
        next_look = self._overdue.look(now)
        if not changed and next_look == NEVER:
            self.resting = True
            self.deadline = NEVER
            return
        self.deadline = min(now + INTERVAL, next_look)
        engine.deadlines.watch(self)
