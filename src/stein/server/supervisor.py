"""The parent of the workers: it binds, starts, watches, replaces and ends, and serves nobody.

Facts.
    It must outlive whatever its workers do, so it runs none of their code: it never imports the
    application (hooks that are named in the settings are the one exception).  A signal may come at
    any moment.
Decision.
    One thread, one loop, one poller: for signals (as bytes in a pipe), for what workers say, for
    visitors on the control socket.  What has happened is told to the :class:`Fleet`, and after each
    turn its one rule is applied.  The listening sockets are bound here once and inherited, so no
    connection is refused while workers come and go.
Ends.
    Workers end with their parent, however it ends: the kernel sees to that on Linux, and the end of
    their lifeline everywhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import selectors
import signal
from typing import TYPE_CHECKING, Final, TypeAlias

from stein.clock import monotonic
from stein.errors import ConfigurationError
from stein.server.commands import SignalPipe, has_terminal
from stein.server.control import Control, Visitor
from stein.server.deaths import OutOfMemory
from stein.server.fleet import Fleet, Outcome, Rules
from stein.server.listeners import close_listener, forget_file
from stein.server.nursery import Nurseries, Nursery
from stein.server.process import READY, RETIRING, WorkerProcess, spawn
from stein.server.reception import Reception
from stein.server.recycler import Recycler
from stein.server.upgrade import Upgrade
from stein.tracebacks import render, whereabouts

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stein.server.board import Board
    from stein.server.lifeline import Message
    from stein.server.plan import Plan
    from stein.server.upgrade import Successor
    from stein.snapshot import HeldRequest, WorkerSnapshot

__all__ = ["Hooks", "Supervisor"]

logger: Final = logging.getLogger("stein.error")

#: seconds for which a retired worker's idle connections may bring one more request
IDLE_GRACE: Final = 5.0
#: how long the loop sleeps at most, so that nothing can be forgotten for ever
LONGEST_SLEEP: Final = 30.0
#: held requests that are named in the line about a dead worker
NAMED: Final = 5

Source: TypeAlias = "WorkerProcess | SignalPipe | Control | Visitor | Nursery | Successor"


@dataclasses.dataclass(frozen=True, slots=True)
class Hooks:
    """What is called when something has happened; each may do nothing.

    :param when_ready: all workers serve.
    :param worker_exit: a worker has ended; the cause in words, and whether it was wanted.
    :param lost: the requests that a worker held when it died.
    :param reopen: log files are to be opened anew.
    :param notify: tells a service manager how things are, in the words of sd_notify(3).
    :param reread: reads the configuration again, at a reload.
    :param pulse: called in each turn with the moment, returns when it is to be called again.
    """

    when_ready: Callable[[], object] = lambda: None
    worker_exit: Callable[[WorkerProcess, str], object] = lambda *_: None
    lost: Callable[[Sequence[HeldRequest], WorkerSnapshot], object] = lambda *_: None
    reopen: Callable[[], object] = lambda: None
    notify: Callable[[str], object] = lambda _: None
    reread: Callable[[], Plan] | None = None
    pulse: Callable[[float], float] = lambda _: float("inf")


class Supervisor:
    """Runs the workers of one server, in the thread that calls :meth:`run`.

    :param plan: what they run.
    :param listeners: bound and listening; closed at the end.
    :param script: what a worker process executes.
    :param board: where they write what they do; with a place for each.
    :param control: the control socket, or ``None``.
    :param hooks: what is called.
    :param successor: starts a process that takes over, for an upgrade, with so many workers;
        ``None``: there is no way.
    """

    def __init__(  # noqa: PLR0913 - the parts, each made by whoever knows how
        self,
        plan: Plan,
        listeners: Sequence[socket.socket],
        script: Path,
        board: Board,
        *,
        control: Control | None = None,
        hooks: Hooks | None = None,
        successor: Callable[[int], Successor] | None = None,
    ) -> None:
        settings = plan.settings
        self._plans = {1: plan}
        self._listeners = list(listeners)
        self._script = script
        self._board = board
        self._control = control
        self._hooks = hooks or Hooks()
        self._upgrade = Upgrade(successor)
        self._nurseries = Nurseries()
        self._poller = selectors.DefaultSelector()
        self._recycler = Recycler(settings)
        self._reception = Reception(self, board)
        self._stops = 0
        ignored = hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._had_terminal = has_terminal() and not ignored  # nohup(1)
        self.fleet = Fleet(
            self._start,
            settings.workers,
            board.workers,
            rules_of(plan),
            on_end=self._on_end,
            on_restart=board.count_restart,
            on_ready=self._on_ready,
            memory_was_short=OutOfMemory().has_risen,
        )

    @property
    def plan(self) -> Plan:
        """What new workers run."""
        return self._plans[self.fleet.generation]

    # -- the loop ----------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Start the workers and see to them until all have ended.

        :returns: how it went: a stop that was asked for is well.
        """
        with SignalPipe() as signals:
            self._watch(signals)
            if self._control is not None:
                self._watch(self._control)
            try:
                while not self._is_done():
                    self._turn()
            finally:
                self._close()
        return self.fleet.failure or Outcome(ok=True, text="stopped")

    def _is_done(self) -> bool:
        return self.fleet.stopping and not self.fleet.workers and not self._nurseries

    def _turn(self) -> None:
        now = monotonic()
        self.fleet.adjust(now)
        for worker in self._recycler.look(self.fleet.workers, now):
            self.fleet.replace(worker, worker.replace or "")
        due = min(self.fleet.next_due(now), self._recycler.next_look, self._hooks.pulse(now))
        pause = min(max(0.0, due - monotonic()), LONGEST_SLEEP)
        if self._is_done():
            return
        for key, _ in self._poller.select(pause):
            try:
                self._on_event(key.fileobj)  # type: ignore[arg-type]
            except Exception:
                logger.exception("internal error of the supervisor")

    def _watch(self, source: Source) -> None:
        self._poller.register(source, selectors.EVENT_READ)

    def _unwatch(self, source: Source) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._poller.unregister(source)

    def _on_event(self, source: Source) -> None:
        if isinstance(source, SignalPipe):
            for name in source.take():
                getattr(self, name)()
        elif isinstance(source, WorkerProcess):
            self._hear(source)
        elif isinstance(source, Control):
            visitor = source.accept()
            if visitor is not None:
                self._watch(visitor)
        elif isinstance(source, Visitor):
            self._on_visitor(source)
        elif isinstance(source, Nursery):
            self._hear_nursery(source)
        else:
            self._hear_successor(source)

    def _hear(self, worker: WorkerProcess) -> None:
        """Read what a worker says."""
        for message in worker.line.receive():
            self.fleet.on_message(worker, message, monotonic())
            if message["kind"] == "ready":
                self._hooks.notify(f"STATUS=worker {worker.place} is ready")
        if worker.line.ended:
            self._unwatch(worker)

    # -- workers -----------------------------------------------------------------------------

    def _start(self, place: int, generation: int) -> WorkerProcess:
        plan = self._plans[generation]
        numbers = [each.fileno() for each in self._listeners]
        handover = {
            **plan.as_message(),
            "place": place,
            "generation": generation,
            "listeners": numbers,
            "board": self._board.fd,
        }
        inherited = [*numbers, self._board.fd]
        if plan.settings.preload:
            worker = self._nursery(generation, handover, inherited).fork(place)
        else:
            worker = spawn(self._script, place, generation, handover, inherited)
            seats = plan.settings.threads
            self._board.worker(place).begin(worker.pid, seats=seats, generation=generation)
        self._watch(worker)
        return worker

    # -- preload ------------------------------------------------------------------------------

    def _nursery(self, generation: int, handover: Message, inherited: Sequence[int]) -> Nursery:
        nursery = self._nurseries.get(generation)
        if nursery is None:
            nursery = Nursery(self._script, generation, handover, inherited)
            self._nurseries.add(nursery)
            self._watch(nursery)
        return nursery

    def _hear_nursery(self, nursery: Nursery) -> None:
        line = nursery.process.line
        for message in line.receive():
            kind = message["kind"]
            if kind == "ready":
                for warning in message["warnings"]:
                    logger.warning("preload: %s", warning)
                nursery.on_ready()
            elif kind == "failed":
                nursery.process.failure = message
            elif kind == "forked":
                self._claim(nursery.on_forked(message["place"], message["pid"]))
        if line.ended:
            self._unwatch(nursery)

    def _claim(self, worker: WorkerProcess | None) -> None:
        """A forked worker has a process id; it may have ended already, or never have been."""
        if worker is None:
            return
        code = self._nurseries.code_of(worker) if worker.pid else 1
        if code is not None:
            self._on_worker_end(worker, code)

    def _on_nursery_end(self, nursery: Nursery, code: int) -> None:
        """It could not import the application, or somebody has killed it."""
        while nursery.process.line.has_news():
            self._hear_nursery(nursery)
        self._unwatch(nursery)
        self._nurseries.remove(nursery)
        nursery.process.end(code)
        for worker in nursery.take_orphans():
            worker.failure = worker.failure or nursery.process.failure
            self._on_worker_end(worker, code or 1)

    # -- ends --------------------------------------------------------------------------------

    def reap(self) -> None:
        """Take leave of processes that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            code = os.waitstatus_to_exitcode(status)
            worker = next((each for each in self.fleet.workers if each.pid == pid), None)
            nursery = self._nurseries.of_process(pid)
            successor = self._upgrade.successor
            if worker is not None:
                self._on_worker_end(worker, code)
            elif nursery is not None:
                self._on_nursery_end(nursery, code)
            elif successor is not None and successor.pid == pid:
                self._unwatch(successor)
                self._upgrade.on_end(code)
            else:
                self._nurseries.note_end(pid, code)
            # Or it was left to us by a process that has ended, as to the first of a container.

    def _on_worker_end(self, worker: WorkerProcess, code: int) -> None:
        self._hear_last_words(worker)
        self.fleet.on_exit(worker, code, monotonic())

    def _hear_last_words(self, worker: WorkerProcess) -> None:
        """Read what has come before the end."""
        self._unwatch(worker)
        while worker.line.has_news():
            for message in worker.line.receive():
                self.fleet.on_message(worker, message, monotonic())

    def _on_end(self, worker: WorkerProcess, cause: str, wanted: bool) -> None:  # noqa: FBT001 - a callback
        last = self._board.retire(worker.place)
        held = last.requests
        if not wanted and worker.state in {READY, RETIRING}:
            logger.error("worker %d (pid %d): %s%s", worker.place, worker.pid, cause, named(last))
        elif held:
            logger.warning("worker %d (pid %d) has ended%s", worker.place, worker.pid, named(last))
        if held:
            self._hooks.lost(held, last)
        self._guarded("worker_exit", lambda: self._hooks.worker_exit(worker, cause))

    def _on_ready(self) -> None:
        logger.info("all %d workers are ready", len(self.fleet.ready))
        self._hooks.notify(f"READY=1\nMAINPID={os.getpid()}")
        self._guarded("when_ready", self._hooks.when_ready)

    def _guarded(self, name: str, call: Callable[[], object]) -> None:
        """Call a hook; its failure is told, and costs nothing else."""
        try:
            call()
        except Exception:
            logger.exception("the hook %s failed", name)

    # -- what may be asked for: signals and the control socket -------------------------------

    def stop(self) -> None:
        """End gracefully; the second time, at once."""
        self._stops += 1
        self._stop(self.plan.settings.graceful_timeout if self._stops == 1 else 0.0)

    def quit(self) -> None:
        """End at once."""
        self._stop(0.0)

    def _stop(self, graceful: float) -> None:
        if not self.fleet.stopping:
            logger.info("stopping%s", "" if graceful else " at once")
            self._hooks.notify("STOPPING=1")
            self._close_listeners()
            self._nurseries.end()
        self._upgrade.cancel()
        self.fleet.stop(graceful, monotonic())

    def _close_listeners(self) -> None:
        for each in self._listeners:
            close_listener(each)

    def hang_up(self) -> None:
        """Reload; but if it is the terminal that has gone, stop."""
        if self._had_terminal and not has_terminal():
            self.stop()
        else:
            self.reload()

    def reload(self, answer: Callable[[Outcome], object] = lambda _: None) -> None:
        """Replace the workers by such with the program as it is now."""
        before = self.plan
        try:
            plan = before if self._hooks.reread is None else self._hooks.reread()
        except Exception as error:  # noqa: BLE001 - it runs the operator's own program
            outcome = outcome_of(error)
            trace = f"\n{outcome.traceback.rstrip()}" if outcome.traceback else ""
            logger.error("the reload was given up: %s%s", outcome.text, trace)  # noqa: TRY400 - ours
            answer(outcome)
            return
        logger.info("reloading")
        self._hooks.notify("RELOADING=1")
        self._plans[self.fleet.next_generation()] = plan
        self.fleet.reload(
            lambda outcome: self._on_reloaded(outcome, answer), monotonic(),
            self._wanted_by(plan.settings.workers, before.settings.workers),
        )  # fmt: skip

    def _wanted_by(self, configured: int, before: int) -> int | None:
        """Return how many workers a reload asks for, if it does.

        :param configured: what the configuration says now.
        :param before: what it said at the last reload.
        """
        if self.fleet.wanted != 0 and configured == before:
            return None  # perhaps somebody has scaled since
        refusal = self._refusal(configured)
        if refusal:
            logger.warning("%s", refusal)
            return self.fleet.wanted or before
        return configured

    def _refusal(self, wanted: int) -> str:
        """Return why there cannot be so many workers; empty if there can."""
        most = self._board.workers // 2
        if 1 <= wanted <= most:
            return ""
        return f"{wanted} workers: this server may have 1 to {most}; restart it for more"

    def _on_reloaded(self, outcome: Outcome, answer: Callable[[Outcome], object]) -> None:
        if outcome.ok:
            logger.info("reloaded: %s", outcome.text)
        self.fleet.rules = rules_of(self.plan)
        in_use = {self.fleet.generation, *(each.generation for each in self.fleet.workers)}
        self._plans = {number: plan for number, plan in self._plans.items() if number in in_use}
        self._nurseries.end(keep={self.fleet.generation})
        self._hooks.notify("READY=1")
        answer(outcome)

    def reopen(self) -> None:
        """Open log files anew, here and in the workers."""
        self._guarded("reopen", self._hooks.reopen)
        for worker in self.fleet.workers:
            worker.line.send("reopen")

    def add_worker(self) -> None:
        """Have one more."""
        self.scale(self.fleet.wanted + 1)

    def remove_worker(self) -> None:
        """Have one fewer; the last one stays."""
        self.scale(max(1, self.fleet.wanted - 1))

    def scale(self, wanted: int) -> Outcome:
        """Have so many workers."""
        refusal = self._refusal(wanted)
        if refusal:
            logger.warning("%s", refusal)
            return Outcome(ok=False, text=refusal, code=1)
        logger.info("%d workers instead of %d", wanted, self.fleet.wanted)
        self.fleet.scale(wanted)
        return Outcome(ok=True, text=f"{wanted} workers")

    def pause(self) -> None:
        """Let all workers end and stay; SIGHUP or SIGTTIN goes on.  Not for terminals' sizes."""
        if not has_terminal():
            logger.info("pausing: no workers until SIGHUP or SIGTTIN")
            self.fleet.scale(0)

    def dump(self) -> None:
        """Let each worker write where its threads stand."""
        for worker in self.fleet.workers:
            worker.line.send("dump")

    # -- the upgrade --------------------------------------------------------------------------

    def upgrade(self, answer: Callable[[Outcome], object] = lambda _: None) -> None:
        """Start another parent from the program as it is now; it gets the sockets, and takes over.

        :param answer: called when it has, or could not.
        """
        if self.fleet.stopping:
            answer(Outcome(ok=False, text="the server is stopping", code=1))
            return
        logger.info("upgrading: starting a new parent")
        successor = self._upgrade.begin(self.fleet.wanted, answer)
        if successor is not None:
            self._watch(successor)

    def _hear_successor(self, successor: Successor) -> None:
        if self._upgrade.hear(successor):
            self._hand_over(successor)
        if successor.line.ended:
            self._unwatch(successor)

    def _hand_over(self, successor: Successor) -> None:
        """The successor serves: finish what was begun, and end."""
        self._upgrade.finish(successor)
        self._hooks.notify(f"MAINPID={successor.pid}")
        for each in self._listeners:
            forget_file(each)
        self._close_listeners()
        self._nurseries.end()
        self.fleet.stop(self.plan.settings.graceful_timeout, monotonic(), IDLE_GRACE)

    # -- the control socket -------------------------------------------------------------------

    def _on_visitor(self, visitor: Visitor) -> None:
        command = visitor.read()
        if command is not None or not visitor.is_open:
            self._unwatch(visitor)
        if command is not None:
            self._reception.obey(command, visitor)
        elif not visitor.is_open:
            visitor.close()

    # -- the end -----------------------------------------------------------------------------

    def _close(self) -> None:
        for worker in self.fleet.workers:  # only after an internal error
            worker.signal(signal.SIGKILL)
        self._nurseries.end()
        self._close_listeners()
        self._reception.say_farewell()
        if self._control is not None:
            self._control.close()
        self._poller.close()


def outcome_of(error: Exception) -> Outcome:
    """Return what is said of a configuration that could not be read."""
    if isinstance(error, ConfigurationError):  # it says it all, unless a program raised it
        cause = error.__cause__
        trace = "" if cause is None else render(cause)
        return Outcome(ok=False, text=str(error), traceback=trace, code=2)
    text = f"the configuration cannot be read: {whereabouts(error)}"
    return Outcome(ok=False, text=text, traceback=render(error), code=2)


def rules_of(plan: Plan) -> Rules:
    """Return what the fleet goes by, from the settings."""
    settings = plan.settings
    return Rules(
        graceful=settings.graceful_timeout,
        idle=min(IDLE_GRACE, settings.graceful_timeout),
        boot_timeout=settings.boot_timeout,
        heartbeat=settings.heartbeat_timeout,
        returns=settings.preload,
    )


def named(last: WorkerSnapshot) -> str:
    """Return what a worker held, for a log line."""
    held = last.requests
    if not held:
        return "; it held no request"
    now = monotonic()
    texts = [f"{each.method} {each.path} since {now - each.since:.1f} s" for each in held[:NAMED]]
    more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
    return f"; of {last.connections} connection(s) it held {len(held)}: {', '.join(texts)}{more}"
