"""Answers that are complete and wait a moment, so that several are sent in a row.

Facts.
    What costs most in sending to a client on the same machine, as a reverse proxy is, is to wake
    it: more than parsing the request.  A client that is still awake takes the next answer for
    half of that.  A leader that answers eight connections in a turn wakes the proxy up to eight
    times, since the proxy is back to sleep before the next answer is made.
Decision.
    In a turn of several events the leader keeps the answers of brief calls, and sends them when
    there are :data:`MOST`, when the first has waited for :data:`LONGEST`, before anything begins
    that may take longer than a brief call, and at the end of the turn.
    Calls that take next to nothing are not worth it: the client has no time to fall asleep between
    two answers.  Which calls are brief is learnt by path: after some in a row that took less than
    :data:`BRIEF`; one that took longer takes the trust away for many more.
Danger.
    A trusted path may block all the same.  Whoever takes the lead away from its call sends what
    that leader has kept: the monitor, or a thread that is back and finds the token of that call.
    With ``threads=1`` there is nobody: then the answers kept, no more than :data:`MOST`, wait with
    everybody else.
    A worker process that is killed takes with it what it has kept; so that its parent can tell
    which requests are lost, each stands on the board until it is sent.
Price.
    Under load an answer leaves up to :data:`LONGEST` later than it could.  A turn with a single
    event keeps nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from stein.clock import monotonic

if TYPE_CHECKING:
    from stein.server.call import Call
    from stein.server.places import ThreadPlace

__all__ = ["BRIEF", "LARGEST", "LONGEST", "MOST", "TRIFLE", "Batch", "Trust"]

logger: Final = logging.getLogger("stein.error")

MOST: Final = 16  #: answers
LONGEST: Final = 0.0002  #: seconds from the end of the first call
BRIEF: Final = 0.0001  #: seconds that a call may take
TRIFLE: Final = 0.000003  #: seconds; an answer that took less is sent at once
LARGEST: Final = 16384  #: bytes of a body that is kept

_PROOF: Final = 8  # brief calls in a row that make a path trusted
_PENANCE: Final = 64  # the same after one that was not
_MOST_PATHS: Final = 4096


class Trust:
    """Which paths have brief calls.  The leader; two at once may lose a lesson."""

    def __init__(self) -> None:
        #: by path, how many brief calls are wanting, below 0; 0: it is trusted
        self.wanting: dict[str, int] = {}

    def holds(self, path: str) -> bool:
        """Whether the next call of a path will be brief, as far as one can know."""
        return self.wanting.get(path) == 0

    def learn(self, path: str, took: float) -> None:
        """Note how many seconds a call took."""
        paths = self.wanting
        if took > BRIEF:
            if path in paths:  # others have no trust to lose
                paths[path] = -_PENANCE
        elif took > TRIFLE and (wanting := paths.get(path, -_PROOF)):
            paths[path] = wanting + 1
            if len(paths) > _MOST_PATHS:
                paths.clear()


class Batch:
    """The answers that one leader keeps in a turn.

    Threads: the leader; :meth:`send` also whoever has taken the lead, at the same time.

    :param places: on the board, for what is kept; empty if nobody would look.
    """

    def __init__(self, places: deque[ThreadPlace]) -> None:
        self._places = places
        self.open = False  #: there are several events in this turn
        #: whose answers are kept, and where that is shown
        self.calls: deque[tuple[Call, ThreadPlace | None]] = deque()
        self._until = 0.0

    def keep(self, call: Call) -> None:
        """Keep the answer of a call that has ended, if it is to be kept, and send what is due.

        The call's connection stays in the call until the answer is sent.
        """
        left = call.exchange.left
        calls = self.calls
        if not calls:
            self._until = left + LONGEST
        shown: ThreadPlace | None = None
        if self._places:
            shown = self._places.popleft()
            shown.enter(call.exchange, left)
            call.worker.place.since[0] = 0.0  # there is one of it
        calls.append((call, shown))
        if left >= self._until or len(calls) >= MOST:
            self.send(leading=True)

    def send(self, *, leading: bool) -> None:
        """Send what is kept, and give the connections back.

        :param leading: whether the calling thread leads.
        """
        calls = self.calls
        now: float | None = None
        while True:
            try:
                call, shown = calls.popleft()
            except IndexError:  # somebody else may be sending, too
                return
            connection = call.connection
            if now is None and connection.engine.observer is not None:
                now = monotonic()
            if shown is not None:
                shown.leave()  # before it is sent, see Call._send_whole
                self._places.append(shown)
            try:
                call.send_kept()
                connection.after_call(call, leading, True, now)
            except Exception:  # the others are to have their answers, and the crew its leader
                logger.exception("internal error after a call on %r", connection)
                connection.engine.post(connection.close)
