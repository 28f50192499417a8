"""``stein serve`` with workers: what the parent is put together from."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stein.errors import SteinError
from stein.server.board import Board
from stein.server.control import Control, path_for
from stein.server.hooks import ServerInfo, WorkerInfo, call_hook, load_hook
from stein.server.listeners import address_of, close_listener, open_listeners, own_file
from stein.server.lost import exchange_of
from stein.server.nursery import require_forks
from stein.server.pidfile import PidFile
from stein.server.server import context_for
from stein.server.supervisor import Hooks, Supervisor
from stein.server.upgrade import Inheritance, Successor, start_successor
from stein.serving.banner import banner
from stein.serving.files import raise_file_limit
from stein.serving.logs import configure_error_log, make_access_log, may_colour
from stein.serving.notify import NEVER, for_successor
from stein.serving.observing import sending_metrics

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from stein.observe.accesslog import AccessLog
    from stein.server.fleet import Outcome
    from stein.server.plan import Plan
    from stein.server.process import WorkerProcess
    from stein.serving.notify import Notifier
    from stein.snapshot import HeldRequest, WorkerSnapshot

__all__ = ["supervise"]

SCRIPT: Final = Path(__file__).with_name("workerscript.py")


def supervise(
    plan: Plan,
    *,
    reread: Callable[[], Plan] | None = None,
    notify: Notifier | None = None,
    note: str = "",
    folder: str | None = None,
) -> int:
    """Serve with worker processes until told to stop.

    :param plan: what they run.
    :param reread: reads the configuration again, at a reload.
    :param notify: tells a service manager how things are; nobody, if not given.
    :param note: what else to say at the start.
    :param folder: where the program was started; here, if not given.
    :returns: the exit code.
    :raises ConfigurationError: something cannot work; no worker was started.
    """
    environ = for_successor(os.environ)  # as it was given, for whoever takes over
    inheritance = Inheritance.take(os.environ)
    try:
        with ExitStack() as stack:
            parent = Parent(plan, inheritance, environ, stack, folder)
            return parent.run(reread, notify, note)
    except SteinError as error:
        if inheritance is not None:
            inheritance.tell_failure(str(error))
        raise


class Parent:
    """The parts, made in the order in which they can fail.

    :param plan: what the workers run.
    :param inheritance: what a predecessor hands over.
    :param environ: the variables this program was started with.
    :param stack: closes what was opened.
    :param folder: where that was; here, if not given.
    """

    def __init__(
        self,
        plan: Plan,
        inheritance: Inheritance | None,
        environ: Mapping[str, str],
        stack: ExitStack,
        folder: str | None = None,
    ) -> None:
        self._plan = plan
        self._settings = settings = plan.settings
        self._inheritance = inheritance
        self._environ = environ
        self._folder = folder or os.getcwd()  # noqa: PTH109 - a text
        self._stack = stack
        self._note = ""
        predecessor = 0 if inheritance is None else inheritance.pid
        configure_error_log(settings.log_level, settings.error_log_file)
        raise_file_limit()
        if settings.preload:
            require_forks()
        context_for(settings)  # a certificate that cannot be used is a mistake of the start
        self._hooks = self._load_hooks()
        self._access_log = self._open_access_log()
        self._listeners = self._open_listeners()
        self._pid_file = None
        if settings.pid_file is not None:
            self._pid_file = PidFile(settings.pid_file, takes_over=predecessor)
            stack.callback(self._pid_file.remove)
        path = path_for(settings.control)
        self._control = None
        if path is not None:
            self._control = Control(path, takes_over=predecessor)
            stack.callback(self._control.close)
        self._addresses = tuple(
            address_of(sock, "https" if settings.certfile else "http") for sock in self._sockets()
        )

    def _sockets(self) -> list[socket.socket]:
        return [sock for socks in self._listeners.values() for sock in socks]

    def _load_hooks(self) -> dict[str, Callable[..., object]]:
        names = ("on_start", "when_ready", "worker_exit")
        targets = {name: getattr(self._settings, name) for name in names}
        return {
            name: load_hook(target, name, self._plan.app_dir)
            for name, target in targets.items()
            if target is not None
        }

    def _open_access_log(self) -> AccessLog | None:
        """The parent's own, for requests whose worker cannot write a line any more."""
        log = make_access_log(self._settings, os.environ)
        if log is not None:
            self._stack.callback(log.close)
        return log

    def _open_listeners(self) -> dict[str, list[socket.socket]]:
        found: dict[str, list[socket.socket]] = {}
        for address in self._settings.bind:
            taken = self._inheritance.take_listeners(address) if self._inheritance else []
            found[address] = taken or open_listeners(self._settings, (address,))
            for sock in found[address]:
                self._stack.callback(close_listener, sock)
        if self._inheritance is not None:
            self._inheritance.close_rest()
        return found

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        reread: Callable[[], Plan] | None,
        notify: Notifier | None,
        note: str,
    ) -> int:
        """Start, serve and end; return the exit code."""
        self._note = note
        info = ServerInfo(os.getpid(), self._settings, self._addresses)
        if "on_start" in self._hooks:
            call_hook(self._hooks["on_start"], "on_start", info)
        board = Board.for_settings(self._settings, 2 * self._settings.workers + 4)
        board.application = self._plan.target
        self._stack.callback(board.close)
        self._stack.enter_context(sending_metrics(self._settings, board.read))
        supervisor = Supervisor(
            self._plan,
            self._sockets(),
            SCRIPT,
            board,
            control=self._control,
            hooks=Hooks(
                when_ready=lambda: self._when_ready(info),
                worker_exit=self._worker_exit,
                lost=self._log_lost,
                reopen=self._reopen,
                notify=notify or (lambda _: None),
                reread=reread,
                pulse=notify.pulse if notify is not None else lambda _: NEVER,
            ),
            successor=self._start_successor,
        )
        if self._inheritance is not None:
            supervisor.fleet.scale(self._inheritance.workers(self._settings.workers))
        if self._inheritance is None:
            self._introduce()
        outcome = supervisor.run()
        if not outcome.ok:
            self._tell(outcome)
        return outcome.code

    def _start_successor(self, wanted: int) -> Successor:
        workers = (self._settings.workers, wanted)
        return start_successor(self._listeners, self._folder, self._environ, workers)

    def _tell(self, outcome: Outcome) -> None:
        if self._inheritance is not None:
            self._inheritance.tell_failure(outcome.text, outcome.traceback)
        if outcome.traceback:
            click.echo(outcome.traceback, err=True, nl=not outcome.traceback.endswith("\n"))
        click.echo(f"stein: error: {' '.join(outcome.text.split())}", err=True)

    def _introduce(self) -> None:
        colour = may_colour(sys.stderr, os.environ)
        text = banner(
            self._settings, self._addresses, self._plan.target, colour=colour, supervised=True
        )
        click.echo(text + self._note, err=True, nl=False)

    def _when_ready(self, info: ServerInfo) -> None:
        if self._inheritance is not None:
            self._introduce()  # not before: it may fail, and the old one goes on
            self._take_over(self._inheritance)
        if "when_ready" in self._hooks:
            call_hook(self._hooks["when_ready"], "when_ready", info)

    def _take_over(self, inheritance: Inheritance) -> None:
        """Only now is this process the server: until here the old one went on."""
        for address, socks in self._listeners.items():
            for sock in socks:
                own_file(sock, address)
        if self._pid_file is not None:
            self._pid_file.publish()
        if self._control is not None:
            self._control.publish()
        inheritance.tell_ready()

    def _worker_exit(self, worker: WorkerProcess, cause: str) -> None:
        if "worker_exit" in self._hooks:
            info = WorkerInfo(worker.pid, worker.place, self._settings, cause)
            call_hook(self._hooks["worker_exit"], "worker_exit", info)

    def _reopen(self) -> None:
        if self._access_log is not None:
            self._access_log.reopen()

    def _log_lost(self, held: Sequence[HeldRequest], worker: WorkerSnapshot) -> None:
        """Write the access log's lines of requests that have gone down with a worker."""
        if self._access_log is not None:
            self._access_log.observe([exchange_of(each, worker.pid) for each in held])
