"""What a worker process is put together from, in the process itself."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from stein.errors import ApplicationNotFound, SteinError
from stein.parentage import die_with_parent, name_process
from stein.server.apploader import load_application, user_traceback
from stein.server.board import Board
from stein.server.forking import become_nursery, open_sockets, what_forks_lose
from stein.server.hooks import WorkerInfo, call_hook, load_hook
from stein.server.lifeline import Lifeline
from stein.server.plan import Plan
from stein.server.runtime import THREADS
from stein.server.server import Server
from stein.server.worker import RequestCount, Worker, wish_to_be_replaced
from stein.serving.files import raise_file_limit
from stein.serving.logs import configure_error_log, make_access_log
from stein.serving.observing import make_metrics
from stein.serving.preparation import prepare_worker
from stein.tracebacks import render, whereabouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.server.lifeline import Message
    from stein.server.runtime import Runtime
    from stein.server.settings import Settings
    from stein.typing import WSGIApplication

__all__ = ["main", "work"]


def main(number: int) -> NoReturn:
    """Be a worker.

    :param number: the descriptor of the lifeline.
    :raises SystemExit: when it has ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's
    faulthandler.enable()
    die_with_parent()
    sock = socket.socket(fileno=number)
    os.set_inheritable(number, False)
    line = Lifeline(sock)
    handover = first_message(line)
    plan = Plan.from_message(handover)
    sys.argv[:] = plan.argv
    is_nursery = handover.get("role") == "nursery"
    before = open_sockets() if is_nursery else frozenset()
    try:
        prepare_worker(plan)
        application = load_application(plan.target, plan.app_dir)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent wants to know it
        fail(line, error)
    if is_nursery:
        nurse(line, handover, plan, application, before)
    work(line, handover, plan, application)


def nurse(
    line: Lifeline,
    handover: Message,
    plan: Plan,
    application: WSGIApplication,
    before: frozenset[int],
) -> NoReturn:
    """Fork workers that share the application."""

    def live(line_of_worker: Lifeline, place: int) -> None:
        die_with_parent()
        work(line_of_worker, {**handover, "place": place}, plan, application)

    name_process("stein-nursery")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    become_nursery(line, handover["supervisor"], what_forks_lose(before), live)


def first_message(line: Lifeline) -> Message:
    """Return what the parent hands over; without a parent there is nothing to do."""
    while not line.ended:
        for message in line.receive():
            return message
    os._exit(1)


def work(line: Lifeline, handover: Message, plan: Plan, application: WSGIApplication) -> NoReturn:
    """Serve until the parent wants this process to end.

    :raises SystemExit: when it has ended.
    """
    settings, place = plan.settings, handover["place"]
    try:
        name_process(f"stein-w{place}")
        configure_error_log(settings.log_level, settings.error_log_file)
        raise_file_limit()
        access_log = make_access_log(settings, os.environ)
        if settings.worker_start is not None:
            info = WorkerInfo(os.getpid(), place, settings)
            hook = load_hook(settings.worker_start, "worker_start", plan.app_dir)
            call_hook(hook, "worker_start", info)
        board = Board.attach(handover["board"])
        own = board.worker(place)
        if own.state == "free":  # forked: the parent did not know the process id
            own.begin(os.getpid(), seats=settings.threads, generation=handover["generation"])
        wish = partial(wish_to_be_replaced, line)
        observer = None if access_log is None else access_log.observe
        if settings.max_requests:
            import random  # noqa: PLC0415 - few ask for it

            most = settings.max_requests + random.randint(0, settings.max_requests_jitter)  # noqa: S311 - no secret
            count = RequestCount(most, wish, observer)
            observer = count.observe
        runtime, listeners = equip(settings, handover["listeners"])
        server = Server(
            application,
            settings,
            observer=observer,
            listeners=listeners,
            board=board,
            place=place,
            on_recycle=wish,
            metrics=make_metrics(settings),
            runtime=runtime,
        )
        worker = Worker(
            line,
            server,
            reopen=None if access_log is None else access_log.reopen,
            dump=lambda: print(server.stacks(), file=sys.stderr, flush=True),  # noqa: T201 - asked for
        )
        worker.start()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent wants to know it
        fail(line, error)
    worker.run()
    if access_log is not None:
        access_log.close()
    sys.exit(0)


def equip(settings: Settings, numbers: Sequence[int]) -> tuple[Runtime, list[socket.socket]]:
    """Return what the worker's threads are, and its listening sockets.

    :param numbers: of their descriptors.
    """
    if settings.worker_kind == "gevent":
        # Imports gevent.
        from stein.serving.greenlets import make_runtime, plain_socket  # noqa: PLC0415

        runtime, listeners = make_runtime(), [plain_socket(each) for each in numbers]
    else:
        runtime, listeners = THREADS, [socket.socket(fileno=each) for each in numbers]
    for each in listeners:
        each.set_inheritable(False)
    return runtime, listeners


def fail(line: Lifeline, error: BaseException) -> NoReturn:
    """Tell the parent why this worker cannot serve, and end.

    :raises SystemExit: always, with the code that the parent is to end with if it ends by that.
    """
    text, code = "", 1
    if isinstance(error, ApplicationNotFound):
        headline = str(error)
        if error.__cause__ is not None:
            text = user_traceback(error)
    elif isinstance(error, SteinError):
        headline, code = str(error), 2
    else:
        headline, text = whereabouts(error), render(error)
    line.send("failed", headline=headline, traceback=text, code=code)
    sys.stdout.flush()
    # What the application has started by its import may not end by itself.
    os._exit(code)
