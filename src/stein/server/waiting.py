"""The calls that are complete and wait for a seat."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stein.server.call import Call
    from stein.server.connection import Connection
    from stein.server.places import ThreadPlace, WorkerPlace

__all__ = ["WaitingRoom"]


class WaitingRoom:
    """Calls without a seat, in the order in which they came.

    What waits is shown on the board, so that it is known what a process held that was killed.

    Threads: whoever holds the crew's lock; whether it is empty may be asked by any.

    :param place: where it is shown.
    """

    def __init__(self, place: WorkerPlace) -> None:
        self._place = place
        self._calls: deque[Call] = deque()
        self._shown: dict[Call, ThreadPlace] = {}
        self.since = 0.0  #: the moment from which on it was never empty

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, number: int) -> Call:
        return self._calls[number]

    def enter(self, call: Call, now: float) -> None:
        """Wait from now on, behind those that wait already."""
        if not self._calls:
            self.since = now
        self._calls.append(call)
        shown = self._shown[call] = self._place.extra("waiting")  # noqa: S610 - no QuerySet
        shown.enter(call.exchange, now)
        self._place.set_waiting(len(self._calls))

    def next(self) -> Call:
        """The one whose turn it is; it waits no longer."""
        return self._left(self._calls.popleft())

    def take_back(self, connection: Connection) -> Call | None:
        """The call of a connection, which waits no longer; ``None`` if it did not wait."""
        call = next((each for each in self._calls if each.connection is connection), None)
        if call is None:
            return None
        self._calls.remove(call)
        return self._left(call)

    def clear(self) -> list[Call]:
        """All of them; none waits any longer."""
        calls = list(self._calls)
        self._calls.clear()
        for call in calls:
            self._left(call)
        return calls

    def _left(self, call: Call) -> Call:
        self._shown.pop(call).free()
        self._place.set_waiting(len(self._calls))
        return call
