"""The crew: threads that hold no connection, of which one leads.

Facts.
    A hand-over from one thread to another costs more than a short request.  Threads that fight
    for one poller, or for the interpreter lock, cost more than they bring.  But a call of the
    application may block for as long as it likes, and nobody can know before.
Decision.
    One thread, the leader, polls, reads, parses, writes, and runs short calls itself, inline.

    - Before an inline call it lays the lead on the table, with the call as its token; after the
      call it takes the token up again.  A monitor looks every few milliseconds; if it finds the
      token that it found last time, it takes it and gives the lead to another thread.  Whoever
      takes the token up has the lead, so there is never a second leader, and the short path pays
      for two list operations instead of a lock.  A thread that comes back from a long call may
      find the token of its successor, who is in a call now: then it leads again, and the
      successor will not.
    - Paths whose calls took long are remembered; their next calls are handed to another thread
      before they begin.  If too many calls of unknown paths take long, all unknown ones are.
    - At most ``threads`` calls run at once.  Each holds a *seat*; the leader keeps one for its
      inline calls as long as there are any.  So fast paths stay fast while slow ones have taken
      all other seats, and go together with sixteen sleeping views on sixteen seats, if there is
      nothing else to do.
    - There is one thread more than seats: with all seats taken the last thread still leads, so
      that clients are accepted, bodies read, deadlines held and health checks answered.
    - Calls without a seat wait in order; a thread that ends a call takes the next one.
    - A thread whose call ran past its time-out is *lost*: nothing in Python can stop it.  Its seat
      is given to another thread.  If it ever comes back, it is a thread like the others again.
Danger.
    A thread that did not find the token must not touch what belongs to the leader.
    Connection.after_call is told.
Price.
    A call that blocks unexpectedly delays the others by one to two ticks, once.

With ``threads=1`` there is no monitor, no token and no second thread: one thread does it all,
and always the same one, as programs want it that bind a resource to the thread.

Where the interpreter lock is relied on: ``list.append`` and ``list.pop`` are atomic (they are in
free-threaded CPython, too), and so are reads and writes of one attribute.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from stein.clock import monotonic
from stein.server.batch import BRIEF, MOST, TRIFLE, Batch, Trust
from stein.server.deadlines import NEVER, Entry
from stein.server.member import Worker
from stein.server.monitor import Monitor
from stein.server.overdue import Overdue
from stein.server.pace import SLOW, Pace
from stein.server.roster import Roster

if TYPE_CHECKING:
    from stein.server.call import Call
    from stein.server.engine import Engine
    from stein.server.places import WorkerPlace

__all__ = ["Crew"]

logger: Final = logging.getLogger("stein.error")

_RECENT: Final = 0.1  # seconds for which an inline call shows that there is fast traffic


class _SeatDeadline:
    """Wakes the leader when its own seat may be lent out; see Crew._lend_seat."""

    def __init__(self) -> None:
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None

    def on_deadline(self, _now: float) -> None:
        """Nothing: that the leader is awake is all that was wanted."""
        self.deadline = NEVER


class Crew(Roster):
    """Who leads and who follows.

    :param engine: what the leader drives.
    :param threads: how many calls of the application may run at once.
    :param place: where on the board it shows what it does.
    """

    def __init__(self, engine: Engine, threads: int, place: WorkerPlace) -> None:
        super().__init__(engine, threads, place)
        self._watched = threads == 1 and engine.settings.request_timeout > 0
        # the leader's; see the module's text for the token, of which there is one at most
        self.token: list[Call] = []
        self.last_inline = 0.0
        self.pace = Pace(cautious=engine.runtime.cautious)
        self.trust = Trust()
        # A time-out of gevent's that a view has left running is raised in whatever runs then.
        self._stray = BaseException if engine.runtime.cautious else Exception
        # With a parent that will ask what a killed process held, what is kept is shown, too.
        self._told = engine.board is None
        self._kept_places = deque(
            place.extra("sending")  # noqa: S610 - no SQL
            for _ in range(MOST if self._told else 0)
        )
        self._seat_deadline = _SeatDeadline()
        self.monitor = Monitor(self)
        self.ended = threading.Event()  #: the crew has stopped; calls may still be under way

    # -- any thread ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads that are needed from the beginning; none with ``threads=1``."""
        if self._alone:
            return
        self.monitor.start()
        with self._lock:
            self._promote()

    def work_alone(self) -> None:
        """With ``threads=1``: be the crew, in the calling thread, until it is stopped."""
        worker = self._enlist(threading.current_thread().name)
        worker.thread = threading.current_thread()
        worker.place = self._place.thread(worker.name)
        self.workers.append(worker)
        worker.has_seat = True
        self._free_seats = 0
        self._leader = worker
        if self._watched:
            watch = Overdue(self._engine).watch_alone
            threading.Thread(target=watch, name="stein-watch", daemon=True).start()
        self._lead(worker)
        while worker.inbox:  # calls suspended at the end of a stop
            self._run(worker, worker.inbox.popleft())
        self.ended.set()

    def stop(self) -> None:
        """Let every thread end when its call is over.  The leader."""
        with self._lock:
            self.stopping = True
            self.waiting.clear()
            for worker in self._parked:
                worker.wake.release()
            self._parked.clear()
        self.monitor.wake()
        if not self._alone:
            self.ended.set()

    def abandon(self) -> None:
        """Let every thread end, without a leader to see to it."""
        self.stop()
        self.ended.set()

    def join(self, timeout: float) -> bool:
        """Wait until the threads have ended; false if some call did not return in time."""
        end = monotonic() + timeout
        me = threading.current_thread()
        for thread in [self.monitor.thread, *(worker.thread for worker in self.workers)]:
            if thread is not None and thread is not me:
                thread.join(max(0.0, end - monotonic()))
        return not any(
            worker.thread is not None and worker.thread.is_alive() and worker.thread is not me
            for worker in self.workers
        )

    # -- the life of a thread -----------------------------------------------------------------

    def _enlist(self, name: str) -> Worker:
        return Worker(name, Batch(self._kept_places), told=self._told)

    def _work(self, worker: Worker) -> None:
        """Do what the thread is given, a call or the lead (``None``), until the crew stops."""
        worker.place = self._place.thread(worker.name)
        self._park(worker)
        while True:
            task, worker.task = worker.task, None
            if task is not None:
                self._run(worker, task)
            elif self.stopping:
                break
            else:
                self._lead(worker)
            self._next(worker)
        worker.place.free()

    def _park(self, worker: Worker) -> None:
        while True:
            try:
                worker.wake.acquire()
            except self._stray:
                logger.exception("something was raised in %s, which is in no call", worker.name)
            else:
                return

    def _run(self, worker: Worker, call: Call) -> None:
        """Run a call in a thread that does not lead."""
        worker.brief = worker.keeps = False
        if call.suspended:
            call.resume()
        elif call.connection.gone:  # while the call waited for a seat
            call.skip(worker)
        else:
            call.run(worker)
            exchange = call.exchange
            self.pace.judge(exchange.line.path, exchange.left - exchange.entered)
        try:
            self._end(call, worker, leading=False)
        except Exception:
            logger.exception("internal error after a call on %r", call.connection)
            self._engine.post(call.connection.close)
        if worker.ended:
            self._observe_ended(worker)

    def _observe_ended(self, worker: Worker) -> None:
        """Let the exchanges be observed that a thread has ended.

        PERF: once a turn and not once a call; whoever formats many lines in a row has the
        processor's caches for itself (bench: access-log).
        """
        ended = worker.ended[:]
        del worker.ended[: len(ended)]  # the monitor may have added one
        self._engine.observe(ended)

    # -- the leader ---------------------------------------------------------------------------

    def _lead(self, worker: Worker) -> None:
        """Poll and dispatch until the lead has gone to another thread, or the crew stops."""
        worker.brief = not self._alone
        while not self.stopping:
            worker.leads = True
            try:
                leads = self._turn(worker)
            except self._stray:  # the others go on, whatever it was
                logger.exception("internal error in a turn of the engine")
                leads = worker.leads
            if worker.ended:
                self._observe_ended(worker)
            if not leads:
                return

    def _turn(self, worker: Worker) -> bool:  # noqa: C901, PLR0912 - PERF: one frame for a turn
        """Poll once and dispatch what came; false if the lead has gone to another thread."""
        engine = self._engine
        sources, again = engine.sources, engine.again
        begin = self._begin_alone if self._alone else self._begin
        batch = worker.batch
        begun = 0
        try:
            news = engine.poll()
            batch.open = len(news) > 1
            worker.keeps = False
            for fd, events in news:
                source = sources.get(fd)
                if source is None:  # closed by an earlier event of this turn
                    continue
                try:
                    call = source.on_event(events)
                except Exception:  # noqa: BLE001 - whatever it is, the other clients go on
                    engine.contain(source)
                    continue
                if call is not None:
                    if not begin(call, worker):
                        # What is left of this turn is reported again to whoever leads then.
                        return worker.leads
                    begun += 1
                elif batch.calls:
                    batch.send(leading=True)
            for _ in range(len(again)):
                call = again.popleft().on_more()
                if call is not None:
                    if not begin(call, worker):
                        return worker.leads
                    begun += 1
        finally:
            if batch.calls:
                batch.send(leading=worker.leads)
            if begun:
                self._end_turn(worker, begun)
        if self.waiting and worker.has_seat and not self._lend_seat(worker):
            return worker.leads
        return not worker.inbox or self._resume_own(worker)

    def _end_turn(self, worker: Worker, begun: int) -> None:
        """Count the calls of a turn, and take them off the board.

        PERF: once a turn and not once a call; see Tally (bench: hello).
        """
        worker.place.since[0] = 0.0
        usual = begun - worker.unusual
        worker.unusual = 0
        if usual > 0:
            self._engine.tally.count_usual(usual, self.last_inline - self._engine.now)

    def _begin(self, call: Call, worker: Worker) -> bool:  # noqa: C901 - PERF: one frame for a call
        """Run a call, or see to it that it is run.

        :return: false if the turn is over by that, since somebody else may have led in between;
            ``worker.leads`` tells whether the thread still leads, or leads again.
        """
        batch = worker.batch
        exchange = call.exchange
        path = exchange.line[2]
        pace = self.pace
        if (
            not worker.has_seat
            or path in pace.slow_paths
            or not exchange.complete
            or (pace.unsettled and path not in pace.fast_paths)
        ):
            return self._hand_over(call, worker)
        keeps = False
        if batch.open:
            # PERF: Trust.holds, written out (bench: hello).
            worker.keeps = keeps = self.trust.wanting.get(path) == 0
            if not keeps and batch.calls:
                batch.send(leading=True)
        # PERF: _lay_token and _take_token, written out (bench: hello-16).
        self.token.append(call)
        if self.monitor.sleeps:
            self.monitor.wake()
        call.run(worker)
        took = exchange.left - exchange.entered
        try:
            if self.token.pop() is not call:  # that of a leader who is in a call
                self._send_kept(worker)
            leading = True
        except IndexError:
            leading = False
        if took > BRIEF or (batch.open and not keeps and took > TRIFLE):
            self.trust.learn(path, took)
        if took < SLOW and leading:
            worker.call = None
            if call.kept is not None:
                batch.keep(call)
            else:
                call.connection.after_call(call, True, True)
            self.last_inline = exchange.left
            if pace.share:
                pace.judge(path, took)
            return True
        self._end(call, worker, leading=leading)
        pace.judge(path, took)
        return False

    def _begin_alone(self, call: Call, worker: Worker) -> bool:
        """With ``threads=1``: run a call; as :meth:`_begin`."""
        batch = worker.batch
        exchange = call.exchange
        keeps = False
        if batch.open and not self._watched:
            # A body that is not complete may keep everybody waiting.
            keeps = exchange.complete and self.trust.wanting.get(exchange.line[2]) == 0
            worker.keeps = keeps
            if not keeps and batch.calls:
                batch.send(leading=True)
        call.run(worker)
        took = exchange.left - exchange.entered
        if took > BRIEF or (batch.open and not keeps and took > TRIFLE):
            self.trust.learn(exchange.line[2], took)
        if self._watched or took > SLOW:
            self._end(call, worker, leading=True)
            return False
        worker.call = None
        self.last_inline = exchange.left
        if call.kept is not None:
            batch.keep(call)
        else:
            call.connection.after_call(call, True, True)
        return True

    def _end(self, call: Call, worker: Worker, *, leading: bool) -> None:
        """A call has returned: give its connection back, unless it was given up."""
        worker.leads = leading
        worker.place.leave()
        if call.kept is not None:
            call.send_kept()
        with self._lock:
            worker.call = None
            lost = worker.lost
        connection = call.connection
        if lost or connection.closed:
            connection.after_abandoned_call(call, leading=leading)
        else:
            connection.after_call(call, leading, False)
        if lost:
            self._come_back(worker)

    def _resume_own(self, worker: Worker) -> bool:
        """Resume the calls that wait for the leader's own thread; false if the lead is lost."""
        while worker.inbox:
            call = worker.inbox.popleft()
            if not self._alone:
                self._lay_token(call)
            call.resume()
            leading = self._alone or self._take_token(call)
            self._end(call, worker, leading=leading)
            if not leading:
                return False
        return True

    def _lay_token(self, call: Call) -> None:
        self.token.append(call)
        if self.monitor.sleeps:
            self.monitor.wake()

    def take_over(self) -> None:
        """Give the lead to another thread, unless the call has ended just now.  The monitor."""
        leader = self._leader
        call = leader.call if leader is not None else None
        if self._take_token(None):
            with self._lock:  # without which the call's thread goes nowhere
                if leader is not None and call is not None and leader.call is call:
                    leader.place.identify(call.exchange)
                if not self.stopping:
                    self._promote()

    def _send_kept(self, me: Worker | None) -> None:
        """Send what others have kept, who led and are in calls that do not end.

        The monitor, or a thread that has the lead since a moment.
        """
        for worker in self.workers:
            if worker is not me and worker.batch.calls:
                worker.batch.send(leading=False)

    def _take_token(self, call: Call | None) -> bool:
        """Take the token up; false if somebody else was first, and leads.

        :param call: for which it was laid down; ``None``: the monitor takes it away.
        """
        try:
            found = self.token.pop()
        except IndexError:
            return False
        if found is not call:
            self._send_kept(None if call is None else call.worker)
        return True

    def _hand_over(self, call: Call, worker: Worker) -> bool:
        """Let another thread run a call, now or when a seat is free."""
        engine = self._engine
        settings = engine.settings
        worker.unusual += 1
        if worker.batch.calls:
            worker.batch.send(leading=True)
        with self._lock:
            if not worker.has_seat and self._free_seats:
                self._take_seat(worker)
            if self._free_seats and self._give(call):
                return True
            full = 0 < settings.limit_queue <= len(self.waiting)
            if not full:
                self.waiting.enter(call, engine.now)
        if full:
            reason = f"{settings.limit_queue} requests waited for a thread already"
            call.connection.refuse_call(call, 503, "queue_full", reason)
        elif settings.queue_timeout:
            call.connection.wait_in_queue(engine.now + settings.queue_timeout)
        return True

    def _lend_seat(self, worker: Worker) -> bool:
        """Let a waiting call have the leader's own seat, if no fast traffic needs it.

        :return: as :meth:`_begin`.
        """
        engine = self._engine
        idle_from = self.last_inline + _RECENT
        if engine.now < idle_from:  # look again when it may be so
            self._seat_deadline.deadline = idle_from
            engine.deadlines.watch(self._seat_deadline)
            return True
        with self._lock:
            if not self.waiting:
                return True
            call = self.waiting.next()
            call.connection.deadline = NEVER
            self._leave_seat(worker)
            if self._give(call):
                return True
            self._take_seat(worker)
        return self._run_inline(call, worker)  # the system gives no further thread

    def _run_inline(self, call: Call, worker: Worker) -> bool:
        """Run a call in the leader's thread; as :meth:`_begin`, which has it written out."""
        self._lay_token(call)
        call.run(worker)
        self._end(call, worker, leading=self._take_token(call))
        return False
