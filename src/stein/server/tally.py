"""What one process counts of its requests, until it is copied to the board.

Facts.
    Almost all requests of a busy server are alike: answered with 200 within a millisecond by the
    thread that leads, many in one turn.  On a busy machine a single addition to a counter costs a
    hundredth of such a request.
Decision.
    Those are counted once a turn: how many, and how long the turn took until the last of them was
    answered.  All others are counted one by one, by whoever ends them, under a lock.  A tenth of a
    second later at most, the numbers are copied to the board.
Price.
    Of the usual ones each duration is what it would be if all of a turn took equally long.  They
    never wait for a thread, so their wait counts as nothing.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from stein.snapshot import BOUNDS, OUTCOMES

if TYPE_CHECKING:
    from stein.http.exchange import Exchange
    from stein.server.places import WorkerPlace

__all__ = ["Tally"]

_OUTCOME: Final = {name: number for number, name in enumerate(OUTCOMES)}


class Tally:
    """Counts the requests of a process."""

    __slots__ = (
        "_count",
        "_duration",
        "_durations",
        "_lock",
        "_outcomes",
        "_seen",
        "_statuses",
        "_times",
        "_wait",
        "_waits",
        "accepted",
        "lost_threads",
    )

    def __init__(self) -> None:
        # the leader's
        self.accepted = 0
        self.lost_threads = 0
        # guarded by _lock
        self._lock = threading.Lock()
        self._statuses = [0] * 6
        self._outcomes = [0] * len(OUTCOMES)
        self._durations = [0] * (len(BOUNDS) + 1)
        self._waits = [0] * (len(BOUNDS) + 1)
        self._duration = 0.0
        self._wait = 0.0
        self._count = 0
        self._seen = (0, 0, 0)
        self._times = 0

    def count(self, exchange: Exchange) -> None:
        """Count an exchange that has ended.  Any thread."""
        entered, read = exchange.entered, exchange.read
        with self._lock:
            self._count += 1
            self._statuses[min(exchange.status // 100, 5)] += 1
            self._outcomes[_OUTCOME[exchange.outcome]] += 1
            if entered and read:
                took = exchange.left - read
                self._durations[bisect_left(BOUNDS, took)] += 1
                self._duration += took
                wait = max(0.0, entered - read)  # a streamed body is read after the call began
                self._waits[bisect_left(BOUNDS, wait)] += 1
                self._wait += wait

    def count_usual(self, count: int, span: float) -> None:
        """Count requests that were answered with 200 in one turn.  Whoever led it.

        :param span: seconds from their being read until the last of them was answered.
        """
        with self._lock:
            self._count += count
            self._statuses[2] += count
            self._outcomes[_OUTCOME["ok"]] += count
            self._waits[0] += count
            self._duration += span * (count + 1) / 2
            if span <= BOUNDS[0]:
                self._durations[0] += count
            else:
                for number in range(1, count + 1):
                    self._durations[bisect_left(BOUNDS, span * number / count)] += 1

    def publish(self, place: WorkerPlace) -> bool:
        """Copy the numbers to the board.  The leader, or the last thread.

        :return: whether anything was counted since the last time.
        """
        with self._lock:
            seen = (self._count, self.accepted, self.lost_threads)
            if seen == self._seen:
                return False
            self._seen = seen
            numbers = [
                *self._statuses,
                *self._outcomes,
                self.accepted,
                self.lost_threads,
                *self._durations,
                *self._waits,
            ]
            sums = (self._duration, self._wait)
        self._times += 1
        place.publish(numbers, sums, self._times)
        return True
