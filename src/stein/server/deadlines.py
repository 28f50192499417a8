"""All deadlines in one structure.

A heap of (moment, subject).  On the short path nothing is moved in it: a connection only writes
a later moment into its own ``deadline``; when its old entry comes up, the entry is put back at
the moment that counts by then.  So a subject has one entry that is never later than its
deadline, and a kept-alive connection costs one heap operation per keep-alive time, not per
request.  Only a deadline that becomes *earlier* than the entry needs a new one.

What is closed leaves an empty entry behind; when these are the majority they are swept out.

Threads: the leader only.
"""

from __future__ import annotations

import heapq
from typing import Final, Protocol, TypeAlias

__all__ = ["NEVER", "Deadlines", "Entry", "Subject"]

NEVER: Final = float("inf")

#: moment, a number that breaks ties, the subject or None
Entry: TypeAlias = "list[float | int | Subject | None]"


class Subject(Protocol):
    """Something that has a deadline.

    ``deadline`` is the moment that counts, :data:`NEVER` for none.  ``timer`` and ``entry``
    belong to :class:`Deadlines`: the moment of the subject's entry, :data:`NEVER` if it has
    none, and that entry.
    """

    deadline: float
    timer: float
    entry: Entry | None

    def on_deadline(self, now: float) -> None:
        """The deadline has passed."""


class Deadlines:
    """The moments at which somebody must be looked at.

    :param idle: seconds after which a subject without a deadline is looked at again.
    """

    __slots__ = ("_count", "_empty", "_heap", "_idle")

    _FEW: Final = 1024  # empty entries that are not worth a sweep

    def __init__(self, idle: float = 60.0) -> None:
        self._heap: list[Entry] = []
        self._count = 0
        self._empty = 0
        self._idle = idle

    def __len__(self) -> int:
        return len(self._heap)

    def watch(self, subject: Subject, moment: float | None = None) -> None:
        """See to it that ``subject`` is looked at no later than at its deadline.

        :param moment: when to look; its deadline if not given.
        """
        if moment is None:
            moment = subject.deadline
        if moment >= subject.timer:
            return
        self.forget(subject)
        self._count += 1
        entry: Entry = [moment, self._count, subject]
        subject.timer, subject.entry = moment, entry
        heapq.heappush(self._heap, entry)

    def forget(self, subject: Subject) -> None:
        """Let go of a subject that needs no looking at any more."""
        entry, subject.entry, subject.timer = subject.entry, None, NEVER
        if entry is None:
            return
        entry[2] = None
        self._empty += 1
        if self._empty > self._FEW and self._empty > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2] is not None]
            heapq.heapify(self._heap)
            self._empty = 0

    def next(self) -> float:
        """The moment at which :meth:`expire` has something to do."""
        return self._heap[0][0] if self._heap else NEVER  # type: ignore[return-value]

    def expire(self, now: float) -> None:
        """Call ``on_deadline`` of every subject whose deadline has passed."""
        while self.next() <= now:
            subject = heapq.heappop(self._heap)[2]
            if subject is None:
                self._empty -= 1
                continue
            assert not isinstance(subject, int | float)  # noqa: S101 - the entry's own shape
            subject.timer, subject.entry = NEVER, None
            if subject.deadline <= now:
                subject.on_deadline(now)
            elif subject.deadline == NEVER:
                self.watch(subject, now + self._idle)
            else:
                self.watch(subject)
