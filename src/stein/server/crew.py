"""The crew: threads that hold no connection, of which one leads.

Facts.
    A hand-over from one thread to another costs more than a short request.  Threads that fight
    for one poller, or for the interpreter lock, cost more than they bring.  But a call of the
    application may block for as long as it likes, and nobody can know before.
Decision.
    One thread, the leader, polls, reads, parses, writes, and runs short calls itself, inline.

    - Before an inline call it lays the lead on the table, as a token; after the call it takes the
      token up again.  A monitor looks every few milliseconds; if it finds a token that did not
      move on, it takes it and gives the lead to another thread.  Whoever takes the token up has
      the lead, so there is never a second leader, and the short path pays for two list
      operations instead of a lock.  A thread that comes back from a long call may find the token
      of its successor, who is in a call now: then it leads again, and the successor will not.
    - Paths whose calls took long are remembered; their next calls are handed to another thread
      before they begin.  If too many calls of unknown paths take long, all unknown ones are.
    - At most ``threads`` calls run at once.  Each holds a *seat*; the leader keeps one for its
      inline calls as long as there are any.  So fast paths stay fast while slow ones have taken
      all other seats, and go together with sixteen sleeping views on sixteen seats, if there is
      nothing else to do.
    - There is one thread more than seats: with all seats taken the last thread still leads, so
      that clients are accepted, bodies read, deadlines held and health checks answered.
    - Calls without a seat wait in order; a thread that ends a call takes the next one.
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
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from stein.clock import monotonic
from stein.server.deadlines import NEVER, Entry

if TYPE_CHECKING:
    from stein.http.exchange import Exchange
    from stein.server.call import Call
    from stein.server.connection import Connection
    from stein.server.engine import Engine

__all__ = ["Crew"]

logger: Final = logging.getLogger("stein.error")

TICK: Final = 0.005  # seconds between two looks of the monitor
_IDLE_TICKS: Final = 20  # looks without news after which the monitor sleeps
SLOW: Final = 0.001  # seconds; a call that takes longer is better run by another thread
_MOST_PATHS: Final = 4096  # remembered as slow
_MANY: Final = 0.05  # share of slow calls from which on unknown paths count as slow
_WEIGHT: Final = 0.02  # of one call in that share
_RECENT: Final = 0.1  # seconds for which an inline call shows that there is fast traffic


class Worker:
    """One thread of the crew."""

    __slots__ = ("ended", "has_seat", "inbox", "leads", "name", "task", "thread", "wake")

    def __init__(self, name: str) -> None:
        self.name = name
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


class _SeatDeadline:
    """Wakes the leader when its own seat may be lent out; see Crew._lend_seat."""

    def __init__(self) -> None:
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None

    def on_deadline(self, _now: float) -> None:
        """Nothing: that the leader is awake is all that was wanted."""
        self.deadline = NEVER


class Crew:
    """Who leads and who follows.

    :param engine: what the leader drives.
    :param threads: how many calls of the application may run at once.
    """

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self.seats = threads
        self._alone = threads == 1
        self._stopping = False
        # guarded by _lock: all that decides which thread does what
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._parked: list[Worker] = []
        self._vacant = False  # nobody leads, and nobody was free to
        self._free_seats = threads
        self._waiting: deque[Call] = deque()
        # the leader's; see the module's text for the token, of which there is one at most
        self._token: list[None] = []
        self._inline_calls = 0
        self._last_inline = 0.0
        self._slow_paths: dict[str, float] = {}
        self._slow_share = 0.0
        self._fast_paths: dict[str, None] = {}
        self._seat_deadline = _SeatDeadline()
        # the monitor's
        self._monitor: threading.Thread | None = None
        self._monitor_sleeps = True
        self._monitor_wake = threading.Semaphore(0)
        self.ended = threading.Event()  #: the crew has stopped; calls may still be under way

    # -- any thread ---------------------------------------------------------------------------

    @property
    def saturated(self) -> bool:
        """Whether calls wait for a seat."""
        return bool(self._waiting)

    def start(self) -> None:
        """Start the threads that are needed from the beginning; none with ``threads=1``."""
        if self._alone:
            return
        self._monitor = threading.Thread(target=self._watch, name="stein-monitor", daemon=True)
        self._monitor.start()
        with self._lock:
            self._promote()

    def work_alone(self) -> None:
        """With ``threads=1``: be the crew, in the calling thread, until it is stopped."""
        worker = Worker(threading.current_thread().name)
        self._workers.append(worker)
        worker.has_seat = True
        self._free_seats = 0
        self._lead(worker)
        while worker.inbox:  # calls suspended at the end of a stop
            self._run(worker, worker.inbox.popleft())
        self.ended.set()

    def stop(self) -> None:
        """Let every thread end when its call is over.  The leader."""
        with self._lock:
            self._stopping = True
            self._waiting.clear()
            for worker in self._parked:
                worker.wake.release()
            self._parked.clear()
        self._monitor_wake.release()
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
        for thread in [self._monitor, *(worker.thread for worker in self._workers)]:
            if thread is not None and thread is not me:
                thread.join(max(0.0, end - monotonic()))
        return not any(
            worker.thread is not None and worker.thread.is_alive() and worker.thread is not me
            for worker in self._workers
        )

    # -- the life of a thread -----------------------------------------------------------------

    def _work(self, worker: Worker) -> None:
        """Do what the thread is given, a call or the lead (``None``), until the crew stops."""
        worker.wake.acquire()
        while True:
            task, worker.task = worker.task, None
            if task is not None:
                self._run(worker, task)
            elif self._stopping:
                return
            else:
                self._lead(worker)
            self._next(worker)

    def _run(self, worker: Worker, call: Call) -> None:
        """Run a call in a thread that does not lead."""
        if call.suspended:
            call.resume()
        elif call.connection.gone:  # while the call waited for a seat
            call.skip(worker)
        else:
            call.run(worker)
            exchange = call.exchange
            self._judge(exchange.line.path, exchange.left - exchange.entered)
        try:
            call.connection.after_call(call, False)
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
        ended, worker.ended = worker.ended, []
        self._engine.observe(ended)

    def _next(self, worker: Worker) -> None:
        """Find the next task of a thread; park it until there is one."""
        with self._lock:
            if self._stopping:
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
            if self._waiting and (worker.has_seat or self._free_seats):
                self._take_seat(worker)
                worker.task = call = self._waiting.popleft()
                call.connection.deadline = NEVER
                return
            self._leave_seat(worker)
            self._parked.append(worker)
        worker.wake.acquire()

    def _take_seat(self, worker: Worker) -> None:
        if not worker.has_seat and self._free_seats:
            self._free_seats -= 1
            worker.has_seat = True

    def _leave_seat(self, worker: Worker) -> None:
        if worker.has_seat:
            worker.has_seat = False
            self._free_seats += 1

    def _take_lead(self, worker: Worker) -> None:
        worker.task = None
        self._take_seat(worker)

    def _find_thread(self) -> Worker | None:
        """A thread with nothing to do, started if all have; the lock is held.

        :return: ``None`` if the system gives no further thread.
        """
        if self._parked:
            return self._parked.pop()
        worker = Worker(f"stein-{len(self._workers) + 1}")
        worker.thread = threading.Thread(
            target=self._work, args=(worker,), name=worker.name, daemon=True
        )
        try:
            worker.thread.start()
        except RuntimeError:
            logger.exception("no further thread; going on with %d", len(self._workers))
            return None
        self._workers.append(worker)
        return worker

    def _give(self, call: Call) -> bool:
        """Give a call to a thread, for which there is a seat; the lock is held."""
        worker = self._find_thread()
        if worker is None:
            return False
        self._take_seat(worker)
        worker.task = call
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

    # -- the leader ---------------------------------------------------------------------------

    def _lead(self, worker: Worker) -> None:
        """Poll and dispatch until the lead has gone to another thread, or the crew stops."""
        while not self._stopping:
            worker.leads = True
            try:
                leads = self._turn(worker)
            except Exception:  # the others go on, whatever it was
                logger.exception("internal error in a turn of the engine")
                leads = worker.leads
            if worker.ended:
                self._observe_ended(worker)
            if not leads:
                return

    def _turn(self, worker: Worker) -> bool:
        """Poll once and dispatch what came; false if the lead has gone to another thread."""
        engine = self._engine
        sources, again = engine.sources, engine.again
        begin = self._begin
        for fd, events in engine.poll():
            source = sources.get(fd)
            if source is None:  # closed by an earlier event of this turn
                continue
            try:
                call = source.on_event(events)
            except Exception:  # noqa: BLE001 - whatever it is, the other clients go on
                engine.contain(source)
                continue
            if call is not None and not begin(call, worker):
                # What is left of this turn is reported again to whoever leads then.
                return worker.leads
        for _ in range(len(again)):
            call = again.popleft().on_more()
            if call is not None and not begin(call, worker):
                return worker.leads
        if self._waiting and worker.has_seat and not self._lend_seat(worker):
            return worker.leads
        return not worker.inbox or self._resume_own(worker)

    def _begin(self, call: Call, worker: Worker) -> bool:
        """Run a call, or see to it that it is run.

        :return: false if the turn is over by that, since somebody else may have led in between;
            ``worker.leads`` tells whether the thread still leads, or leads again.
        """
        if self._alone:
            call.run(worker)
            call.connection.after_call(call, True)
            return True
        exchange = call.exchange
        path = exchange.line[2]
        if (
            not worker.has_seat
            or path in self._slow_paths
            or not exchange.complete
            or (self._slow_share > _MANY and path not in self._fast_paths)
        ):
            return self._hand_over(call, worker)
        # PERF: _lay_token and _take_token, written out (bench: hello-16).
        self._inline_calls += 1
        self._token.append(None)
        if self._monitor_sleeps:
            self._wake_monitor()
        call.run(worker)
        try:
            self._token.pop()
            leading = True
        except IndexError:
            leading = worker.leads = False
        call.connection.after_call(call, leading)
        took = exchange.left - exchange.entered
        if took < SLOW and leading:
            self._last_inline = exchange.left
            if self._slow_share:
                self._judge(path, took)
            return True
        self._judge(path, took)
        worker.leads = leading
        return False

    def _resume_own(self, worker: Worker) -> bool:
        """Resume the calls that wait for the leader's own thread; false if the lead is lost."""
        while worker.inbox:
            call = worker.inbox.popleft()
            if not self._alone:
                self._lay_token()
            call.resume()
            leading = worker.leads = self._alone or self._take_token()
            call.connection.after_call(call, leading)
            if not leading:
                return False
        return True

    def _lay_token(self) -> None:
        self._inline_calls += 1
        self._token.append(None)
        if self._monitor_sleeps:
            self._wake_monitor()

    def _wake_monitor(self) -> None:
        """Wake the monitor; after the token was laid down, so that it is seen in either case."""
        self._monitor_sleeps = False
        self._monitor_wake.release()

    def _take_token(self) -> bool:
        """Take the token up; false if somebody else was first, and leads."""
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    def _hand_over(self, call: Call, worker: Worker) -> bool:
        """Let another thread run a call, now or when a seat is free."""
        with self._lock:
            if not worker.has_seat and self._free_seats:
                self._take_seat(worker)
            if self._free_seats and self._give(call):
                return True
            self._waiting.append(call)
        timeout = self._engine.settings.queue_timeout
        if timeout:
            call.connection.wait_in_queue(self._engine.now + timeout)
        return True

    def _lend_seat(self, worker: Worker) -> bool:
        """Let a waiting call have the leader's own seat, if no fast traffic needs it.

        :return: as :meth:`_begin`.
        """
        engine = self._engine
        idle_from = self._last_inline + _RECENT
        if engine.now < idle_from:  # look again when it may be so
            self._seat_deadline.deadline = idle_from
            engine.deadlines.watch(self._seat_deadline)
            return True
        with self._lock:
            if not self._waiting:
                return True
            call = self._waiting.popleft()
            call.connection.deadline = NEVER
            self._leave_seat(worker)
            if self._give(call):
                return True
            self._take_seat(worker)
        return self._run_inline(call, worker)  # the system gives no further thread

    def _run_inline(self, call: Call, worker: Worker) -> bool:
        """Run a call in the leader's thread; as :meth:`_begin`, which has it written out."""
        self._lay_token()
        call.run(worker)
        worker.leads = self._take_token()
        call.connection.after_call(call, worker.leads)
        return False

    def _judge(self, path: str, took: float) -> None:
        """Learn from a call how long its path takes.

        Any thread; two at once may lose one of two lessons, which does no harm.
        """
        slow = took > SLOW
        self._slow_share += _WEIGHT * (slow - self._slow_share)
        if self._slow_share < 0.001:
            self._slow_share = 0.0
        paths = self._slow_paths
        known = paths.get(path)
        if slow:
            if known is None and len(paths) >= _MOST_PATHS:
                paths.clear()
            paths[path] = took
            self._fast_paths.pop(path, None)
        elif known is not None:
            # It has to be fast several times before it is trusted again.
            known *= 0.5
            if known < SLOW:
                paths.pop(path, None)
            else:
                paths[path] = known
        elif self._slow_share:
            if len(self._fast_paths) >= _MOST_PATHS:
                self._fast_paths.clear()
            self._fast_paths[path] = None

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
            calls = list(self._waiting)
            self._waiting.clear()
        return calls

    def give_up(self, connection: Connection) -> None:
        """A call waited too long for a seat: answer 503."""
        with self._lock:
            call = next((each for each in self._waiting if each.connection is connection), None)
            if call is None:
                return
            self._waiting.remove(call)
        reason = f"no thread became free within {self._engine.settings.queue_timeout:g} s"
        connection.refuse_call(call, 503, "queue_timeout", reason)

    # -- the monitor --------------------------------------------------------------------------

    def _watch(self) -> None:
        """Take the lead from a leader whose inline call does not end."""
        seen = -1
        idle = 0
        while not self._stopping:
            if self._monitor_sleeps:
                self._monitor_wake.acquire()
            time.sleep(TICK)
            if self._inline_calls != seen:
                seen, idle = self._inline_calls, 0
            elif self._token:
                self._take_over()
            else:
                idle += 1
                if idle > _IDLE_TICKS:
                    idle = 0
                    self._monitor_sleeps = True
                    if self._token or self._inline_calls != seen:  # it came just now
                        self._monitor_sleeps = False

    def _take_over(self) -> None:
        if self._take_token():  # else the call ended just now
            with self._lock:
                if not self._stopping:
                    self._promote()
