"""The roster: which threads the crew has, who has a seat, and what waits for one.

What the crew's text says of seats, and of threads that are lost, is kept here, under one lock.
Who leads, and what a leader does, is told in :mod:`stein.server.crew`.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from stein.clock import monotonic
from stein.server.deadlines import NEVER
from stein.server.waiting import WaitingRoom

if TYPE_CHECKING:
    from stein.server.call import Call
    from stein.server.connection import Connection
    from stein.server.engine import Engine
    from stein.server.member import Worker
    from stein.server.places import WorkerPlace

__all__ = ["Roster"]

logger: Final = logging.getLogger("stein.error")


class Roster:
    """The threads of a crew and their seats.

    :param engine: whose calls they run.
    :param threads: how many calls of the application may run at once.
    :param place: where on the board it shows what it does.
    """

    def __init__(self, engine: Engine, threads: int, place: WorkerPlace) -> None:
        self._engine = engine
        self._place = place
        self.seats = threads
        self._alone = threads == 1
        self.stopping = False
        # guarded by _lock: all that decides which thread does what
        self._lock = threading.Lock()
        self.workers: list[Worker] = []
        self._named = 0  # threads so far
        self._leader: Worker | None = None  # by whose promotion; another one may lead again
        self.lost = 0  #: threads that are lost; read by any thread
        self._parked: list[Worker] = []
        self._vacant = False  # nobody leads, and nobody was free to
        self._free_seats = threads
        self.waiting = WaitingRoom(place)

    def _enlist(self, name: str) -> Worker:
        """Make the record of a thread."""
        raise NotImplementedError

    def _park(self, worker: Worker) -> None:
        """Wait in a thread until it has something to do."""
        raise NotImplementedError

    def _work(self, worker: Worker) -> None:
        """Do what the thread is given, until the crew stops."""
        raise NotImplementedError

    # -- any thread ---------------------------------------------------------------------------

    @property
    def saturated(self) -> bool:
        """Whether calls wait for a seat."""
        return len(self.waiting) > 0

    @property
    def has_free_seat(self) -> bool:
        """Whether a further call would run at once."""
        leader = self._leader
        return self._free_seats > 0 or (leader is not None and leader.has_seat)

    # -- threads and seats ----------------------------------------------------------------------

    def _next(self, worker: Worker) -> None:
        """Find the next task of a thread; park it until there is one."""
        with self._lock:
            if self.stopping:
                # What was suspended is closed by the thread that ran it, also now.
                worker.task = worker.inbox.popleft() if worker.inbox else None
                return
            if self._vacant:
                self._vacant = False
                self._take_lead(worker)
                return
            if worker.inbox:
                self._leave_seat(worker)
                worker.task = worker.inbox.popleft()
                return
            if self.waiting and (worker.has_seat or self._free_seats):
                self._take_seat(worker)
                worker.task = call = self.waiting.next()
                call.connection.deadline = NEVER
                return
            self._leave_seat(worker)
            self._parked.append(worker)
        self._park(worker)

    def _find_thread(self) -> Worker | None:
        """A thread with nothing to do, started if all have; the lock is held.

        :return: ``None`` if the system gives no further thread.
        """
        if self._parked:
            return self._parked.pop()
        self._named += 1
        worker = self._enlist(f"stein-{self._named}")
        worker.thread = threading.Thread(
            target=self._work, args=(worker,), name=worker.name, daemon=True
        )
        try:
            worker.thread.start()
        except RuntimeError:
            self._named -= 1
            logger.exception("no further thread; going on with %d", len(self.workers))
            return None
        self.workers.append(worker)
        return worker

    def _give(self, call: Call) -> bool:
        """Give a call to a thread, for which there is a seat; the lock is held."""
        worker = self._find_thread()
        if worker is None:
            return False
        self._take_seat(worker)
        worker.task = call
        if worker.place is not None:  # it is held from now on, though its thread is not awake yet
            worker.place.enter(call.exchange, self._engine.now)
        worker.wake.release()
        return True

    def _promote(self) -> None:
        """Find a new leader; the lock is held."""
        worker = self._find_thread()
        if worker is None:
            self._vacant = True  # the next thread that ends a call leads
            return
        self._take_lead(worker)
        worker.wake.release()

    def _take_lead(self, worker: Worker) -> None:
        worker.task = None
        self._leader = worker
        self._take_seat(worker)
        self._show_seats()

    def _take_seat(self, worker: Worker) -> None:
        if not worker.has_seat and self._free_seats:
            self._free_seats -= 1
            worker.has_seat = True
            self._show_seats()

    def _leave_seat(self, worker: Worker) -> None:
        if worker.has_seat:
            worker.has_seat = False
            self._free_seats += 1
            self._show_seats()

    def _show_seats(self) -> None:
        """Write on the board how many seats calls have; the leader's own is not one of them."""
        leader = self._leader
        own = leader is not None and leader.has_seat
        self._place.set_busy(self.seats - self._free_seats - own)

    # -- for connections and the engine: the leader -------------------------------------------

    def resume(self, call: Call) -> None:
        """Let a suspended call go on in the thread that ran it."""
        worker: Worker = call.worker
        call.suspended = True
        with self._lock:
            if worker in self._parked:
                self._parked.remove(worker)
                worker.task = call
                worker.wake.release()
            else:
                worker.inbox.append(call)

    def take_waiting(self) -> list[Call]:
        """All calls that wait for a seat; they wait no longer."""
        with self._lock:
            return self.waiting.clear()

    def give_up(self, connection: Connection) -> None:
        """A call waited too long for a seat: answer 503."""
        with self._lock:
            call = self.waiting.take_back(connection)
        if call is None:
            return
        reason = f"no thread became free within {self._engine.settings.queue_timeout:g} s"
        connection.refuse_call(call, 503, "queue_timeout", reason)

    # -- lost threads -------------------------------------------------------------------------

    def lose(self, worker: Worker, call: Call, now: float) -> bool:
        """The call of a thread is given up: let another thread have its seat.  The leader.

        From here on the call cannot send, and its connection is the caller's.  If as many threads
        are lost as there are seats, no more are started.

        :return: false if the call has returned just now.
        """
        with self._lock:
            if worker.call is not call:
                return False
            call.connection.gone = True
            worker.lost = now
            worker.place.mark_lost(True)
            self.lost += 1
            self._place.set_lost(self.lost)
            if self._alone or self.lost > self.seats:
                return True
            self._leave_seat(worker)
            while self.waiting and self._free_seats:
                connection = self.waiting[0].connection
                deadline, connection.deadline = connection.deadline, NEVER
                if not self._give(self.waiting[0]):
                    connection.deadline = deadline
                    break
                self.waiting.next()
        return True

    def cut_suspended(self, worker: Worker) -> list[Call]:
        """Calls that could go on, but only in a thread that is lost.  The leader.

        They can send no more, and their connections are the caller's; the thread closes what the
        application gave, if it comes back.
        """
        with self._lock:
            calls = [each for each in worker.inbox if not each.connection.closed]
            if not worker.lost:
                return []
            for call in calls:
                call.connection.gone = True
        return calls

    def _come_back(self, worker: Worker) -> None:
        """A call that was given up has come to its end after all."""
        with self._lock:
            since, worker.lost = worker.lost, 0.0
            self.lost -= 1
            self._place.set_lost(self.lost)
            worker.place.mark_lost(False)
        logger.warning(
            "%s is back, %.1f s after its request was given up", worker.name, monotonic() - since
        )
