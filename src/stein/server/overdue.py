"""Calls that run past their time-out.

Facts.
    A thread cannot be stopped in Python; a client can be answered without it.
Decision.
    The leader looks at the running calls every tenth of a second.  One that has given nothing for
    longer than it may is given up: its client gets 504 (or, inside a response, the end of its
    connection), the log gets the stack of its thread, and its seat goes to another thread.  With
    too many threads lost the process asks to be replaced.
    What counts is silence: a response that goes on, and one whose client is slow to take it, are
    no reason.
Danger.
    The thread may come to its end at the very moment.  First the connection is closed for it
    (``gone``: every later write raises); only then is it asked whether the response has begun.
    So never two answers are sent.
Price.
    With ``threads=1`` there is no leader while the call runs: a thread of its own looks then, if
    there is a ``request_timeout``; a time-out that only a view sets is not seen.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from stein.clock import monotonic
from stein.server.deadlines import NEVER
from stein.server.stacks import stack_of

if TYPE_CHECKING:
    from stein.server.call import Call
    from stein.server.engine import Engine
    from stein.server.member import Worker

__all__ = ["KEY", "Overdue"]

logger: Final = logging.getLogger("stein.error")

#: Where in the environ a view says how many seconds it may take; 0: as many as it likes.
KEY: Final = "stein.request_timeout"

_SHORTEST_LOOK: Final = 0.02  # seconds between two looks of a thread of its own
_LONGEST_LOOK: Final = 1.0


class Overdue:
    """Finds calls that run past their time-out, and gives them up.

    Threads: the leader; with ``threads=1`` a thread of its own.

    :param engine: whose calls.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def watch_alone(self) -> None:
        """With ``threads=1``: look until the crew has stopped."""
        crew = self._engine.crew
        timeout = self._engine.settings.request_timeout
        interval = min(_LONGEST_LOOK, max(_SHORTEST_LOOK, timeout / 4))
        while not crew.ended.wait(interval):
            self.look(monotonic())

    def look(self, now: float) -> float:
        """Give up what is overdue.

        :return: when to look again, unless something happens; ``NEVER`` if no call runs.
        """
        soonest = NEVER
        for worker in list(self._engine.crew.workers):
            if worker.lost:
                self._cut_suspended(worker, now)
                continue
            call = worker.call
            if call is None:
                continue
            timeout = self._timeout_of(call)
            moment = self._silent_since(worker, call, now) + timeout if timeout else NEVER
            if moment <= now:
                self._give_up(worker, call, timeout, now)
            else:
                soonest = min(soonest, moment, now + _LONGEST_LOOK)
        return soonest

    def _timeout_of(self, call: Call) -> float:
        """The time-out that counts for a call; 0: none."""
        own = call.exchange.variables.get(KEY)
        if own is None:
            return self._engine.settings.request_timeout
        try:
            own = float(own)
        except (TypeError, ValueError):
            own = -1.0
        if own >= 0:
            return own
        wrong = call.exchange.variables.pop(KEY, None)
        default = self._engine.settings.request_timeout
        logger.error(
            "%s: environ[%r] = %r is no number of seconds; going by %g", call.where, KEY, wrong,
            default,
        )  # fmt: skip
        return default

    def _silent_since(self, worker: Worker, call: Call, now: float) -> float:
        """Since when a call has given nothing that its client could take."""
        exchange = call.exchange
        given = exchange.sent_bytes + call.begun
        last = worker.progress
        if last is None or last[0] != exchange.entered:
            since = now if given else exchange.entered
        elif last[1] != given or call.connection.unsent_any:
            since = now
        else:
            return last[2]
        worker.progress = (exchange.entered, given, since)
        return since

    def _give_up(self, worker: Worker, call: Call, timeout: float, now: float) -> None:
        engine, crew, exchange = self._engine, self._engine.crew, call.exchange
        stack = stack_of(worker.thread, engine.runtime)
        was_gone = call.connection.gone
        if not crew.lose(worker, call, now):  # it came to its end just now
            return
        worker.progress = None
        engine.tally.lost_threads += 1
        reason = f"no answer within {timeout:g} s"
        done = call.connection.abandon(call, reason, now, was_gone=was_gone)
        logger.error(
            "%s: %s (request_timeout), entered %.1f s ago; %s; %s is lost, %d of %d; stack:\n%s",
            call.where, reason, now - exchange.entered, done, worker.name, crew.lost, crew.seats,
            stack.rstrip(),
        )  # fmt: skip
        limit = engine.settings.limit_lost_threads
        if limit and crew.lost >= min(limit, crew.seats):
            figures = f"{crew.lost} of {crew.seats} threads are lost in calls past their time-out"
            engine.ask_to_be_replaced("lost_threads", figures)

    def _cut_suspended(self, worker: Worker, now: float) -> None:
        """Give up calls whose clients are ready to take more, but whose thread is lost."""
        for call in self._engine.crew.cut_suspended(worker):
            reason = "its thread was lost in another call"
            call.connection.abandon(call, reason, now, was_gone=False)
