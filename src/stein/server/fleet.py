"""The workers of one server: how many there are to be, who comes and who goes.

Facts.
    A worker may fail to start, may die at any moment, may refuse to end.  The program on the disk
    may be broken now although the one in memory is well.
Decision.
    One rule, applied after everything that happens (:meth:`Fleet.adjust`): if there are fewer
    workers than wanted, start some; if one of them is *stale* (of an older version of the program,
    or to be replaced for its age or size), start one more; if more of them serve than are wanted,
    retire one, the stale ones first.  Reload, recycling, scaling and the replacement of the dead
    are this same rule with another reason, so a worker is retired only when more than the wanted
    number serve, and only one is replaced at a time.
    A reload whose first failure comes before its end is given up: the old version is the wanted
    one again, and as many workers as before.  No old worker is retired before the first new one
    has served for a moment, so the usual failures cost none.  What fails later leaves both
    versions serving, for the old one is not on the disk any more; that is said wherever somebody
    may look, and only where workers are forked (``preload``) the new ones are taken back.
    What fails is tried again after a pause that doubles; if it has failed too often while nobody
    serves at all, the server gives up.  One that has never served gives up at once.

Nothing here waits, and nothing reads a clock: whoever drives it passes the moment in.
"""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from stein.server.deaths import cause_of, reason_of
from stein.server.process import BOOTING, ENDED, READY, RETIRING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.server.lifeline import Message
    from stein.server.process import WorkerProcess

__all__ = ["Fleet", "Outcome", "Rules"]

logger: Final = logging.getLogger("stein.error")

NEVER: Final = float("inf")
#: seconds before what has failed is tried again, the first time and at most
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
#: failures in a row, while nobody serves, after which the server gives up
MOST_FAILURES: Final = 8
#: a worker that served for less than this many seconds counts as one that failed to start
QUICK: Final = 1.0
#: seconds between two questions whether a worker still runs Python code
ASK_EVERY: Final = 5.0
#: seconds after which it is said that a worker is still starting
LONG_START: Final = 30.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the fleet goes by; seconds.

    ``idle`` is how long a retired worker's idle connections may bring one more request;
    ``returns``: a worker of an older version can still be started, as its memory is kept.
    """

    graceful: float = 30.0
    idle: float = 5.0
    boot_timeout: float = 0.0
    heartbeat: float = 30.0
    returns: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reload, or the whole start, has ended.

    ``code`` is the exit code that it would be worth.
    """

    ok: bool
    text: str
    traceback: str = ""
    code: int = 0


class Starter(Protocol):
    """Starts a worker."""

    def __call__(self, place: int, generation: int) -> WorkerProcess:
        """Start one; it reports by itself."""


@dataclass(slots=True)
class Rollout:
    """A reload under way.

    ``previous`` is the generation before it, ``before`` how many workers were wanted then, and
    ``after`` how many will be when it is done; ``proven``: a worker of the new version has served
    for a moment.
    """

    previous: int
    before: int
    after: int
    proven: bool = False
    answers: list[Callable[[Outcome], object]] = field(default_factory=list)


class Fleet:
    """The workers.

    :param start: starts one.
    :param wanted: how many are to serve.
    :param places: how many there may be at once, old and new together.
    :param rules: what is held to.
    :param on_end: called with a worker that has ended, the cause in words, and whether it was
        wanted; before its place is free.
    :param on_restart: called with the reason when a worker was replaced, or has died; one of
        :data:`stein.snapshot.RESTART_REASONS` mostly.
    :param on_ready: called once, when as many serve as are wanted.
    :param memory_was_short: tells whether the kernel has killed for want of memory lately.
    """

    def __init__(  # noqa: PLR0913 - what it needs of the world, each one function
        self,
        start: Starter,
        wanted: int,
        places: int,
        rules: Rules,
        *,
        on_end: Callable[[WorkerProcess, str, bool], object] = lambda *_: None,
        on_restart: Callable[[str], object] = lambda _: None,
        on_ready: Callable[[], object] = lambda: None,
        memory_was_short: Callable[[], bool] = lambda: False,
    ) -> None:
        self._start = start
        self.wanted = wanted
        self.places = places
        self.rules = rules
        self._on_end = on_end
        self._on_restart = on_restart
        self._on_ready = on_ready
        self._memory_was_short = memory_was_short
        self.workers: list[WorkerProcess] = []
        self.generation = 1
        self.stopping = False
        #: why the server has to end, if it has
        self.failure: Outcome | None = None
        #: how often a worker was replaced, by reason
        self.restarts: dict[str, int] = {}
        self._generations = 1  # so many there have been
        self._rollout: Rollout | None = None
        #: generations whose reload was given up, and whose workers serve on
        self._kept: frozenset[int] = frozenset()
        self._was_ready = False
        self._failures = 0  # in a row
        self._not_before = 0.0
        self._ask_at = 0.0
        self._asked: dict[int, float] = {}  # place -> when a question was left unanswered
        self._mentioned: set[int] = set()  # pids of those that take long to start

    # -- what is asked for ------------------------------------------------------------------------

    @property
    def ready(self) -> list[WorkerProcess]:
        """Those that serve."""
        return [each for each in self.workers if each.state == READY]

    @property
    def booting(self) -> list[WorkerProcess]:
        """Those that import the application."""
        return [each for each in self.workers if each.state == BOOTING]

    @property
    def is_reloading(self) -> bool:
        """Whether a reload is under way."""
        return self._rollout is not None

    def is_stale(self, worker: WorkerProcess) -> bool:
        """Whether another is to take this worker's place."""
        return self._is_outdated(worker) or worker.replace is not None

    def _is_outdated(self, worker: WorkerProcess) -> bool:
        return worker.generation != self.generation and worker.generation not in self._kept

    def scale(self, wanted: int) -> None:
        """Have another number of workers, whatever becomes of a reload under way."""
        self.wanted = wanted
        if self._rollout is not None:
            self._rollout.before = self._rollout.after = wanted

    def next_generation(self) -> int:
        """Return the number that the next reload will have."""
        return self._generations + 1

    def reload(
        self, answer: Callable[[Outcome], object], now: float, wanted: int | None = None
    ) -> None:
        """Replace all workers, one after the other.  A reload under way is overtaken.

        :param answer: called when it is done, or given up.
        :param now: the moment.
        :param wanted: how many workers the new version is to have; as many as there are, if not
            given.  More of them start at once, fewer are had when it is done.
        """
        if self.stopping:
            answer(Outcome(ok=False, text="the server is stopping", code=1))
            return
        self._generations += 1
        if self._rollout is None:
            self._rollout = Rollout(self.generation, self.wanted, self.wanted)
        self.generation = self._generations
        self._kept = frozenset()
        self._rollout.proven = False
        self._rollout.answers.append(answer)
        if wanted is not None:
            self._rollout.after = wanted
            self.wanted = max(self._rollout.before, wanted)
        self._not_before = 0.0
        for worker in self.booting:  # what they import may be the old program
            worker.retire(now, 0.0)

    def stop(self, graceful: float, now: float, idle: float = 0.0) -> None:
        """End all workers.  A second call may only shorten the time.

        :param graceful: seconds that running requests may take.
        :param now: the moment.
        :param idle: seconds for which idle connections may bring one more request: only if
            somebody else goes on serving.
        """
        self.stopping = True
        self._finish_rollout(Outcome(ok=False, text="the server was stopped", code=1))
        for worker in self.workers:
            if worker.state != ENDED:
                worker.retire(now, graceful, idle)

    # -- what happens -----------------------------------------------------------------------------

    def on_message(self, worker: WorkerProcess, message: Message, now: float) -> None:
        """A worker has said something."""
        worker.heard = now
        self._asked.pop(worker.place, None)
        kind = message["kind"]
        if kind == "ready" and worker.state == BOOTING:
            worker.state = READY
            worker.accepts = True
            worker.ready_since = now
            logger.info(
                "worker %d (pid %d) is ready after %.1f s",
                worker.place, worker.pid, now - worker.born,
            )  # fmt: skip
        elif kind == "closed":
            worker.accepts = False
        elif kind == "failed":
            worker.failure = message
        elif kind == "replace" and worker.state == READY and worker.replace is None:
            self.replace(worker, message["reason"])
        elif kind == "leaving" and worker.is_alive:
            logger.info("worker %d (pid %d) was told by a signal to end", worker.place, worker.pid)
            self._count("killed")
            worker.retire(now, self.rules.graceful)

    def replace(self, worker: WorkerProcess, reason: str) -> None:
        """Have a worker replaced, once another serves in its stead.

        :param reason: its first word, before the colon, is what is counted.
        """
        worker.replace = reason
        logger.info("worker %d (pid %d) will be replaced: %s", worker.place, worker.pid, reason)

    def on_exit(self, worker: WorkerProcess, code: int, now: float) -> None:
        """A worker's process has ended.

        :param code: negative for a signal.
        """
        state, memory = worker.state, self._memory_was_short() and code == -signal.SIGKILL
        cause = worker.killed or cause_of(code, memory=memory)
        expected = state == RETIRING and worker.killed is None
        self._on_end(worker, cause, expected or self.stopping)
        self.workers.remove(worker)
        self._asked.pop(worker.place, None)
        worker.end(code)
        if state == BOOTING and not self.stopping:
            self._on_failed_start(worker, code, cause, now)
        elif expected or self.stopping:
            logger.debug("worker %d (pid %d) has ended", worker.place, worker.pid)
        else:
            self._count("no_heartbeat" if worker.killed else reason_of(code, memory=memory))
            self._on_death(worker, cause, now)

    def _on_death(self, worker: WorkerProcess, cause: str, now: float) -> None:
        """A worker that served has died without anybody having wanted it."""
        if now - (worker.ready_since or now) >= QUICK:
            self._failures = 0
            self._not_before = 0.0
        elif self._rollout is not None and worker.generation == self.generation:
            text = f"a worker of the new version has died at once: {cause}"
            self._abort(Outcome(ok=False, text=text, code=1), now)
        else:
            self._pause(now)

    def _on_failed_start(self, worker: WorkerProcess, code: int, cause: str, now: float) -> None:
        said = worker.failure or {}
        headline = said.get("headline") or f"{cause} before it served"
        outcome = Outcome(
            ok=False,
            text=headline,
            traceback=said.get("traceback", ""),
            code=code if code > 0 else 1,
        )
        if self._rollout is not None and worker.generation == self.generation:
            self._abort(outcome, now)
        elif not self._was_ready:
            self.failure = self.failure or outcome
            self.stop(0.0, now)
        else:
            self._count("boot_failed")
            self._pause(now)
            logger.error(
                "worker %d (pid %d) could not start: %s%s", worker.place, worker.pid, headline,
                f"\n{outcome.traceback.rstrip()}" if outcome.traceback else "",
            )  # fmt: skip
            if self._failures >= MOST_FAILURES and not self.ready:
                text = f"no worker has been able to start, {self._failures} times in a row"
                self.failure = Outcome(ok=False, text=f"{text}: {headline}", code=outcome.code)
                self.stop(0.0, now)

    def _pause(self, now: float) -> None:
        """Something has failed: wait before the next try, but for the first, longer each time."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures / 2) if self._failures else 0.0
        self._failures += 1
        if not pause:
            return
        self._not_before = now + pause
        logger.warning("the next worker will be started in %.1f s", pause)

    def _count(self, reason: str) -> None:
        self.restarts[reason] = self.restarts.get(reason, 0) + 1
        self._on_restart(reason)

    # -- the rule ----------------------------------------------------------------------------

    def adjust(self, now: float) -> None:
        """Do what follows from all that has happened."""
        for worker in list(self.workers):
            self._hold_to_time(worker, now)
        self._ask(now)
        if self.stopping:
            return
        self._retire_surplus(now)
        if now >= self._not_before:
            self._start_missing(now)
        self._note_success()
        self._retire_surplus(
            now
        )  # of a reload to fewer workers that is done; nothing else may come

    def _start_missing(self, now: float) -> None:
        ready, booting = self.ready, self.booting
        missing = self.wanted - len(ready) - len(booting)
        if missing == 0 and not booting and any(map(self.is_stale, ready)):
            missing = 1
        for _ in range(missing):
            taken = {worker.place for worker in self.workers}
            place = next((each for each in range(self.places) if each not in taken), None)
            if place is None:  # many of them still end; one of these places will be next
                return
            try:
                self.workers.append(self._start(place, self.generation))
            except OSError as error:
                logger.error("no process can be started: %s", error)  # noqa: TRY400 - says it all
                self._pause(now)
                return

    def _retire_surplus(self, now: float) -> None:
        ready = self.ready
        surplus = len(ready) - self.wanted
        if surplus <= 0 or not self._is_proven(now):
            return
        # The old version's before those that are too old themselves, or a reload might never end.
        ready.sort(
            key=lambda each: (
                not self.is_stale(each),
                each.generation == self.generation,
                self._rank(each),
            )
        )
        for worker in ready[:surplus]:
            if worker.replace is not None:
                self._count(worker.replace.partition(":")[0])
            else:
                self._count("reload" if self.is_stale(worker) else "scale")
            logger.info(
                "worker %d (pid %d) is retired: %s", worker.place, worker.pid,
                worker.replace or ("reload" if self.is_stale(worker) else "fewer are wanted"),
            )  # fmt: skip
            worker.retire(now, self.rules.graceful, self.rules.idle)

    def _is_proven(self, now: float) -> bool:
        """Whether the new version of a reload has served for long enough to be relied on."""
        rollout = self._rollout
        if rollout is None or rollout.proven:
            return True
        rollout.proven = any(moment <= now for moment in self._proofs())
        return rollout.proven

    def _proofs(self) -> Iterator[float]:
        """Give for each new worker of a reload the moment when it proves its version."""
        for worker in self.ready:
            if worker.generation == self.generation and worker.ready_since is not None:
                yield worker.ready_since + QUICK

    def _rank(self, worker: WorkerProcess) -> float:
        """Of the stale the oldest goes first, of the others the one with the highest number."""
        return (worker.ready_since or 0.0) if self.is_stale(worker) else -worker.place

    def _note_success(self) -> None:
        ready = self.ready
        # Those that are to be replaced for their age may always be some.
        if len(ready) < self.wanted or any(map(self._is_outdated, ready)):
            return
        if not self._was_ready:
            self._was_ready = True
            self._on_ready()
        if any(each.accepts and each.generation != self.generation for each in self.workers):
            return  # it is told to stop, and has not done so yet
        count = len(ready)
        which = "1 worker of the new version serves"
        text = which if count == 1 else f"{count} workers of the new version serve"
        self._finish_rollout(Outcome(ok=True, text=text))

    def _abort(self, outcome: Outcome, now: float) -> None:
        """Give a reload up: the old version is the wanted one again."""
        rollout = self._rollout
        assert rollout is not None  # noqa: S101 - asked before
        failed, self.generation = self.generation, rollout.previous
        rollout.after = rollout.before
        for worker in self.booting:
            if worker.generation == failed:
                worker.retire(now, 0.0)
        new = [each for each in self.ready if each.generation != self.generation]
        if not self.rules.returns:
            self._kept = frozenset(each.generation for each in new)
        state = self._state_after(len(new))
        logger.error(
            "the reload was given up, %s: %s%s", state, outcome.text,
            f"\n{outcome.traceback.rstrip()}" if outcome.traceback else "",
        )  # fmt: skip
        if new:
            outcome = replace(outcome, text=f"{outcome.text}; {state}")
        self._finish_rollout(outcome)

    def _state_after(self, new: int) -> str:
        """Return who serves after a reload that was given up.

        :param new: so many ready workers are not of the old version.
        """
        old = len(self.ready) - new
        if not new:
            return (
                f"{old} worker{'' if old == 1 else 's'} go{'es' if old == 1 else ''} on as before"
            )
        if self.rules.returns:
            return f"{new} of the new version {'is' if new == 1 else 'are'} replaced by old ones"
        return (
            f"{new} worker{'' if new == 1 else 's'} of the new version "
            f"serve{'s' if new == 1 else ''} and {old} of the old: reload again"
        )

    def _finish_rollout(self, outcome: Outcome) -> None:
        rollout, self._rollout = self._rollout, None
        if rollout is None:
            return
        self.wanted = rollout.after
        for answer in rollout.answers:
            answer(outcome)

    # -- time --------------------------------------------------------------------------------

    def _hold_to_time(self, worker: WorkerProcess, now: float) -> None:
        """End a worker that starts, answers or ends too slowly."""
        if worker.state == RETIRING:
            if worker.escalate(now):
                logger.warning(
                    "worker %d (pid %d) did not end in time, and is killed",
                    worker.place,
                    worker.pid,
                )
        elif worker.state == BOOTING:
            age, limit = now - worker.born, self.rules.boot_timeout
            if limit and age >= limit:
                text = f"it had not imported the application after {limit:g} s (boot_timeout)"
                worker.failure = {"headline": text}
                worker.signal(signal.SIGKILL)
            elif age >= LONG_START and worker.pid not in self._mentioned:
                self._mentioned.add(worker.pid)
                logger.info(
                    "worker %d (pid %d) has been starting for %.0f s", worker.place, worker.pid, age
                )
        elif now - self._asked.get(worker.place, now) >= self.rules.heartbeat > 0:
            worker.kill(
                now,
                f"no Python code has run in it for {self.rules.heartbeat:g} s (heartbeat_timeout)",
            )

    def _ask(self, now: float) -> None:
        """Let those that serve show that they live."""
        if not self.rules.heartbeat or now < self._ask_at:
            return
        self._ask_at = now + min(ASK_EVERY, self.rules.heartbeat / 3)
        for worker in self.ready:
            if worker.place not in self._asked:
                self._asked[worker.place] = now
                worker.line.send("ping")

    def next_due(self, now: float) -> float:
        """Return when :meth:`adjust` is to be called even if nothing happens.

        :param now: the moment of the last call.
        """
        return min((moment for moment in self._moments() if moment > now), default=NEVER)

    def _moments(self) -> Iterator[float]:
        yield self._not_before
        if self._rollout is not None and not self._rollout.proven:
            yield from self._proofs()
        if self.rules.heartbeat and self.ready:
            yield self._ask_at
        for worker in self.workers:
            yield worker.deadline
            if worker.state == BOOTING:
                limit = self.rules.boot_timeout
                yield worker.born + (limit or LONG_START)

    def described(self, now: float) -> list[dict[str, Any]]:
        """Return what there is, for whoever asks over the control socket."""
        return [
            {
                "place": worker.place,
                "pid": worker.pid,
                "state": worker.state,
                "generation": worker.generation,
                "age": round(now - worker.born, 3),
                "replace": worker.replace,
            }
            for worker in sorted(self.workers, key=lambda each: each.place)
        ]
