"""What signals mean to a server that runs as a program, and a way out if it does not stop."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from stein.observe.accesslog import AccessLog
    from stein.server import Server

__all__ = ["signals_to"]

#: seconds that the server has to notice the end of a graceful stop by itself
GRACE_OF_GRACE: Final = 1.0


@contextmanager
def signals_to(server: Server, access_log: AccessLog | None) -> Iterator[None]:
    """Turn signals into requests to the server; the handlers only enqueue."""
    interrupts = 0
    orders: SimpleQueue[float | None] = SimpleQueue()  # its put() is made for signal handlers
    Thread(target=see_to_the_end, args=(orders,), name="stein-stop", daemon=True).start()

    def stop(graceful: float) -> None:
        server.request_stop(graceful)
        orders.put(graceful)

    def terminate(_number: int, _frame: FrameType | None) -> None:
        stop(server.settings.graceful_timeout)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        stop(server.settings.graceful_timeout if interrupts == 1 else 0.0)

    def reopen(_number: int, _frame: FrameType | None) -> None:
        if access_log is not None:
            access_log.reopen()

    wanted = {"SIGTERM": terminate, "SIGINT": interrupt, "SIGUSR1": reopen}
    numbers = {
        getattr(signal, name): handler for name, handler in wanted.items() if hasattr(signal, name)
    }
    old = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        orders.put(None)


def see_to_the_end(orders: SimpleQueue[float | None]) -> None:
    """End the process if it has not stopped in the time that it was given.

    With one thread nothing else can: the thread that would notice is inside the request.

    :param orders: the seconds that each stop allows; ``None`` once the server has stopped.
    """
    graceful = orders.get()
    while graceful is not None:
        try:
            graceful = orders.get(timeout=graceful + GRACE_OF_GRACE)
        except Empty:
            click.echo("stein: a request did not end in time; leaving without it", err=True)
            os._exit(1)
