"""One thread of the crew, as the crew sees it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stein.http.exchange import Exchange
    from stein.server.batch import Batch
    from stein.server.call import Call
    from stein.server.places import ThreadPlace

__all__ = ["Worker"]


class Worker:
    """One thread of the crew.

    :param name: of the thread.
    :param batch: for the answers that it keeps while it leads.
    :param told: somebody will ask what the process held when it was killed.
    """

    __slots__ = (
        "batch",
        "brief",
        "call",
        "ended",
        "has_seat",
        "inbox",
        "keeps",
        "leads",
        "lost",
        "name",
        "place",
        "progress",
        "task",
        "thread",
        "told",
        "unusual",
        "wake",
    )

    place: ThreadPlace  #: on the board; None until the thread has taken it

    def __init__(self, name: str, batch: Batch, *, told: bool) -> None:
        self.name = name
        self.batch = batch
        self.told = told
        self.keeps = False  #: the answer of its call is not sent but kept, if it is a whole one
        self.place = None  # type: ignore[assignment] # before its first task
        #: its calls are short: of each the board needs no more than the line and since when
        self.brief = False
        self.unusual = 0  #: calls begun in this turn that are counted one by one
        self.call: Call | None = None  #: what it is in; read by any thread
        #: since when its call is lost, 0.0 if it is not; guarded by the crew's lock
        self.lost = 0.0
        #: what was seen of its call last: when it began, what it had given, since when that is so
        self.progress: tuple[float, int, float] | None = None
        self.has_seat = False
        #: exchanges that this thread has ended and nobody has observed yet
        self.ended: list[Exchange] = []
        self.leads = False  #: still, after a call that ended a turn
        #: suspended calls of this thread that can go on; guarded by the crew's lock
        self.inbox: deque[Call] = deque()
        #: what a parked thread is to do; set by whoever releases ``wake``
        self.task: Call | None = None
        # Odd use of a lock: it is held while the thread has nothing to do, and released by
        # another thread in order to wake it.
        self.wake = threading.Lock()
        self.wake.acquire()
        self.thread: threading.Thread | None = None
