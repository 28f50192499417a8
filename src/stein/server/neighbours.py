"""The other processes that serve the same address, as a process sees them on the board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stein.server.engine import Engine
    from stein.server.places import WorkerPlace

__all__ = ["Neighbours"]

# Seconds for which others are let go first, by a process that could and by one that could not
# call the application at once.
_WITH_SEAT: Final = 0.001
_WITHOUT_SEAT: Final = 0.02
_SLACK: Final = 2  # connections more than another process that are no reason to let it go first


class Neighbours:
    """What a process knows of the others.

    Threads: the leader.

    :param others: their places.
    """

    def __init__(self, others: list[WorkerPlace]) -> None:
        self._others = others

    def courtesy(self, engine: Engine) -> float:
        """For how many seconds another process should be let go first; 0.0: not at all."""
        own = len(engine.connections)
        if own < engine.crew.seats:  # each can have a seat, should all ask for something at once
            own -= _SLACK
        others = [each for each in self._others if each.serves]
        able = [each for each in others if each.has_free_seat]
        if engine.crew.has_free_seat:
            others = able
        elif able:
            return _WITHOUT_SEAT
        return _WITH_SEAT if any(each.connections < own for each in others) else 0.0

    def any_ready(self) -> bool:
        """Whether another process takes requests at once."""
        return any(other.serves and not other.waiting for other in self._others)
