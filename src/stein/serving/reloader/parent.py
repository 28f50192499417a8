"""The process that lives longer than the program: holds the sockets, and starts it again.

Everything that happens (a change, a message, an end, a signal) is put into one queue by the
thread that saw it; one loop, in the main thread, acts.  Linux ends a child together with the
*thread* that has started it, which is a reason more for that.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import cache_from_source
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from stein.serving.reloader.failure import Failure
from stein.serving.reloader.inventory import (
    Inventory,
    is_installed_command,
    is_library,
    take_inventory,
)
from stein.serving.reloader.invocation import command_for_child
from stein.serving.reloader.offspring import NEVER, Offspring
from stein.serving.reloader.options import AGAIN, ReloadOptions, make_filter
from stein.serving.reloader.stopgap import Stopgap
from stein.serving.reloader.terminal import Terminal
from stein.serving.reloader.tree import Tree
from stein.serving.reloader.watcher import Watcher
from stein.serving.signals import heard
from stein.web.environment import files_read

if TYPE_CHECKING:
    import socket
    import ssl

    from stein.messages import Message
    from stein.server.settings import Settings

__all__ = ["supervise"]

Event: TypeAlias = Callable[[], object]

#: how a program ends on Ctrl-C, by itself or by the interpreter
INTERRUPTED: Final = {-signal.SIGINT, 128 + signal.SIGINT}
#: seconds for which a program must have served, or its end counts as one of a series
STABLE: Final = 5.0
#: pauses in such a series, in seconds; after the last the next change is waited for
PAUSES: Final = (0.0, 0.5, 1.0, 2.0)
#: seconds that calls under way get when everything is stopped
FAREWELL: Final = 1.0
#: seconds after which it is said that a start takes long
LONG_START: Final = 10.0
#: more changes than this are counted and not named
NAMED_CHANGES: Final = 3


def supervise(
    settings: Settings | None,
    listeners: Sequence[socket.socket],
    options: ReloadOptions,
    *,
    tls: ssl.SSLContext | None = None,
    say: Callable[[str], object] | None = None,
) -> int:
    """Run this program in child processes, one after the other, until told to stop.

    Of signals SIGINT, SIGTERM and SIGHUP stop it, a second one at once.

    :param settings: of the server that the child will make; the page about a failure is served
        with them.
    :param listeners: stay open, and the caller's.
    :param options: see there.
    :param tls: the context of the server, if it has one.
    :param say: called with lines for the user; by default they go to standard error.
    :returns: the exit code for this process: 0 after a stop that was asked for.
    :raises ConfigurationError: this program cannot be started again.
    """
    return Parent(settings, listeners, options, tls, say or tell).run()


def tell(text: str) -> None:
    """Write a line on standard error; nobody may be there to read it any more."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(f" * {text}", err=True)


def forget_bytecode(paths: Iterable[str]) -> None:
    """Let changed modules be compiled anew.

    Python takes compiled code for that of a file with the same length and the same second of its
    last change.  Who saves twice in a second, as editors and people do, would get the first of the
    two.
    """
    for path in paths:
        with contextlib.suppress(NotImplementedError, OSError, ValueError):
            Path(cache_from_source(path)).unlink()


class Parent:
    """What the loop knows.  The main thread's, except for :attr:`events`."""

    def __init__(
        self,
        settings: Settings | None,
        listeners: Sequence[socket.socket],
        options: ReloadOptions,
        tls: ssl.SSLContext | None,
        say: Callable[[str], object],
    ) -> None:
        # for life
        self.command = command_for_child()
        self.listeners = listeners
        self.options = options
        self.say = say
        self.events: SimpleQueue[Event] = SimpleQueue()  # its put() is made for signal handlers
        self.terminal = Terminal()
        self.stopgap = None if settings is None else Stopgap(settings, listeners, tls)
        self.tree = Tree(make_filter(options.exclude_patterns), live=options.live)
        self.watcher = Watcher(
            self.tree,
            lambda paths: self.events.put(lambda: self.on_change(paths)),
            say,
            engine=options.engine,
            interval=options.interval,
        )
        self.own = take_inventory(files_read)
        self.folder = str(Path.cwd())  # which may be gone later
        self.extra = [Path(path).absolute() for path in options.extra_files]
        # changing
        self.serving: Offspring | None = None
        self.starting: Offspring | None = None
        self.leaving: set[Offspring] = set()
        self.exit_code: int | None = None  # set: everything is being stopped
        self.start_at = NEVER  # a start that was put off
        self.warn_at = NEVER
        self.retry = False  # the new process failed while the old one was still there
        self.alone = True  # the process that is starting shares the machine with no older one
        self.deaths = 0
        self.changed: set[str] = set()  # since the last start
        self.attempt = 0
        self.last_good = Inventory()
        self.last_attempt = Inventory()

    # -- the loop -----------------------------------------------------------------------------

    def run(self) -> int:
        """Start the program, and act on what happens until all is over."""
        with self.signals():
            try:
                self.watcher.want(self.first_inventory())
                self.watcher.start()
                self.start()
                while self.exit_code is None or self.children():
                    self.turn()
            finally:
                self.end_all()
        return self.exit_code or 0

    def turn(self) -> None:
        """Wait for what happens next, or for the next moment at which something is due."""
        due = min(
            self.start_at,
            self.warn_at,
            *(each.next_step for each in self.children()),
            NEVER,
        )
        try:
            event = self.events.get(timeout=None if due == NEVER else max(0.0, due - monotonic()))
        except Empty:
            now = monotonic()
            for each in self.children():
                each.escalate(now)
            if self.start_at <= now:
                self.start_at = NEVER
                self.start()
            if self.warn_at <= now:
                self.warn_at = NEVER
                self.say(f"still starting after {LONG_START:g} s; requests wait for it")
        else:
            event()

    def children(self) -> set[Offspring]:
        """Return all processes that have not ended."""
        return self.leaving | {each for each in (self.serving, self.starting) if each is not None}

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let signals stop everything; what hears them only enqueues."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int) -> None:
            self.events.put(lambda: self.on_signal(number))

        names = ("SIGINT", "SIGTERM", "SIGHUP")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        # nohup: a closed terminal is not to matter
        numbers = [each for each in numbers if signal.getsignal(each) != signal.SIG_IGN]
        with heard({number: partial(note, number) for number in numbers}):
            yield

    def end_all(self) -> None:
        """Leave nothing behind, whatever has happened."""
        for each in self.children():
            each.kill()
        for each in self.children():
            each.close()
        if self.stopgap is not None:
            self.stopgap.close(wait=True)
        self.watcher.stop()
        self.terminal.restore()

    # -- starting -----------------------------------------------------------------------------

    def first_inventory(self) -> Inventory:
        """Return what is watched before the program has told anything."""
        # A command has the folder on its import path only once it has begun to work.
        is_command = is_installed_command(sys.argv[0]) and not is_library(self.folder)
        # What is not there, or not at the moment, may become either.
        return self.own | Inventory(
            frozenset([self.folder] if is_command else ()),
            frozenset(str(path) for path in self.extra if not path.is_dir()),
            frozenset(str(path) for path in self.extra if not path.is_file()),
        )

    def start(self) -> None:
        """Start the program."""
        self.attempt += 1
        self.last_attempt = Inventory()
        forget_bytecode(self.changed)
        self.changed.clear()
        self.alone = not self.leaving
        self.warn_at = monotonic() + LONG_START
        self.starting = Offspring(
            self.command,
            self.listeners,
            self.options.bequest,
            lambda child, message: self.events.put(lambda: self.on_message(child, message)),
            lambda child, code: self.events.put(lambda: self.on_end(child, code)),
        )

    def restart(self) -> None:
        """Start the program anew, in the place of what serves or tries to."""
        self.start_at, self.retry = NEVER, False
        if self.starting is not None:
            self.starting.discard()
            self.leaving.add(self.starting)
            self.starting = None
        if self.serving is not None:
            if self.options.overlap:
                self.serving.drain()
            else:
                self.serving.retire(0.0)
            self.leaving.add(self.serving)
            self.serving = None
        if self.stopgap is not None:
            self.stopgap.close()
        self.say(f"Restarting with {self.watcher.name}")
        if self.leaving and not self.options.overlap:
            self.retry = True  # when they are gone
        else:
            self.start()

    def retire_old(self) -> None:
        """Let those end that a newer one has replaced."""
        for each in self.leaving:
            each.retire(self.options.grace)

    # -- what happens -------------------------------------------------------------------------

    def on_change(self, paths: list[str]) -> None:
        """Files have changed."""
        if self.exit_code is not None:
            return
        code = [path for path in paths if not self.tree.is_live(path)]
        if not code:
            if self.serving is not None:
                self.serving.order("live", paths=paths)
            return
        named = ", ".join(repr(path) for path in code[:NAMED_CHANGES])
        more = len(code) - NAMED_CHANGES
        self.say(f"Detected change in {named}{f' and {more} more' if more > 0 else ''}, reloading")
        self.deaths = 0
        self.changed.update(code)
        self.restart()

    def on_message(self, child: Offspring, message: Message) -> None:
        """A process has told something."""
        kind = message["kind"]
        if child.draining:
            return
        if kind == "watch":
            self.last_attempt = Inventory.from_message(message)
            wanted = self.first_inventory() | self.last_good | self.last_attempt
            self.watcher.want(wanted, child.born)
        elif kind == "failure":
            child.failure = Failure.from_message(message)
            child.printed = message["printed"]
        elif kind == "ready" and child is self.starting:
            self.on_ready(child)

    def on_ready(self, child: Offspring) -> None:
        """The new process serves."""
        child.ready_since = monotonic()
        self.serving, self.starting, self.warn_at = child, None, NEVER
        self.last_good = self.last_attempt
        self.retire_old()
        if self.options.show_watched:
            self.show_watched()

    def show_watched(self) -> None:
        """Tell what is watched, and how."""
        self.watcher.want(self.first_inventory() | self.last_good)
        for line in self.watcher.describe():
            self.say(line)

    def on_end(self, child: Offspring, code: int) -> None:
        """A process has ended."""
        child.close()
        self.terminal.restore()
        if child in self.leaving:
            self.leaving.discard(child)
            if self.retry and not self.leaving and self.exit_code is None:
                self.retry = False
                self.start()
        elif child is self.starting:
            self.starting, self.warn_at = None, NEVER
            self.on_failed_start(child, code)
        elif child is self.serving:
            self.serving = None
            self.on_death(child, code)

    def on_failed_start(self, child: Offspring, code: int) -> None:
        """The program has ended before it served."""
        if self.exit_code is not None:
            return
        if code in INTERRUPTED:
            self.stop(0)
            return
        if code == AGAIN and child.failure is None:
            self.start()
            return
        if not self.alone and (child.failure is None or not child.failure.is_mistake):
            # The old process may have held what the new one wanted: a port, a lock.
            self.retry = True
            for each in self.leaving:
                each.retire(0.0)
            if not self.leaving:
                self.retry = False
                self.start()
            return
        self.show(child, child.failure or Failure(how_it_ended(code)))

    def show(self, child: Offspring, failure: Failure) -> None:
        """Tell of a failure, in the terminal and in the browser, and wait for a change."""
        self.retire_old()
        if not child.printed:
            text = failure.text or f"{failure.headline}\n"
            with contextlib.suppress(OSError, ValueError):
                click.echo(text, err=True, nl=False)
        self.say("The program is not running; it is started again after the next change")
        if self.stopgap is not None:
            self.stopgap.open(failure, f"failed-{self.attempt}", details=self.options.show_errors)

    def on_death(self, child: Offspring, code: int) -> None:
        """The program has ended although it served."""
        if self.exit_code is not None:
            return
        if code == 0 or code in INTERRUPTED:  # it was stopped, or stopped itself
            self.stop(0)
            return
        if code == AGAIN:
            self.start()
            return
        if self.stopgap is None and code > 0:
            # Nobody is served: it has done, and failed at, what it would only do again.
            self.show(child, child.failure or Failure(how_it_ended(code)))
            return
        since = child.ready_since or 0.0
        self.deaths = 1 if monotonic() - since > STABLE else self.deaths + 1
        how = how_it_ended(code)
        if self.deaths > len(PAUSES):
            self.say(f"{how} {self.deaths} times in a row")
            self.show(child, child.failure or Failure(how))
            return
        if child.failure is not None and not child.printed:
            click.echo(child.failure.text, err=True, nl=False)
        pause = PAUSES[self.deaths - 1]
        when = f"in {pause:g} s" if pause else "now"
        self.say(f"{how}; starting it again {when}")
        self.start_at = monotonic() + pause

    def on_signal(self, number: int) -> None:
        """Stop; the second signal does not wait."""
        if self.exit_code is None:
            self.stop(0)
        elif number != signal.SIGHUP:
            for each in self.children():
                each.kill()

    def stop(self, code: int) -> None:
        """Begin to stop everything."""
        self.exit_code = code
        self.start_at = self.warn_at = NEVER
        if self.stopgap is not None:
            self.stopgap.close()
        if self.starting is not None:
            self.starting.discard()
        for each in self.children():
            each.retire(FAREWELL, last=True)


def how_it_ended(code: int) -> str:
    """Return an exit code in words."""
    if code >= 0:
        without = " without having served anything" if code == 0 else ""
        return f"The program ended with exit code {code}{without}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"The program was ended by {name}"
