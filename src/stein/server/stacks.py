"""Where threads stand: their Python stacks, as text."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

from stein.clock import monotonic
from stein.server.runtime import THREADS, Runtime
from stein.tracebacks import MACHINERY

if TYPE_CHECKING:
    from types import FrameType

    from stein.server.engine import Engine
    from stein.server.member import Worker

__all__ = ["all_stacks", "stack_of"]


def stack_of(thread: threading.Thread | None, runtime: Runtime = THREADS) -> str:
    """The stack of a thread, as in a traceback, the innermost call last.

    Of a thread that is in a call of the application only the application's part is shown.

    :param thread: it may go on meanwhile.
    :param runtime: what it is made of.
    """
    ident = None if thread is None else thread.ident
    return text_of(None if ident is None else runtime.frame_of(ident))


def text_of(frame: FrameType | None) -> str:
    """The stack that ends with a frame; as :func:`stack_of`."""
    if frame is None:
        return "  (the thread has ended)\n"
    frames = traceback.extract_stack(frame)
    ours = [each.filename.startswith(MACHINERY) for each in frames]
    below = ours.index(True) if True in ours else 0
    theirs = [each for each, own in zip(frames[below:], ours[below:], strict=True) if not own]
    return "".join(traceback.format_list(theirs or frames))


def all_stacks(engine: Engine) -> str:
    """What each thread of the process does, with its stack.  Any thread."""
    now, runtime = monotonic(), engine.runtime
    workers = {worker.thread: worker for worker in list(engine.crew.workers)}
    parts = []
    for thread in threading.enumerate():
        title = f"{thread.name} ({thread.native_id})"
        worker = workers.get(thread)
        if worker is not None:
            title += _occupation(worker, now)
        parts.append(f"{title}:\n{stack_of(thread, runtime)}")
    parts += [f"{name}:\n{text_of(runtime.frame_of(ident))}" for name, ident in runtime.besides()]
    return "\n".join(parts)


def _occupation(worker: Worker, now: float) -> str:
    call = worker.call
    if call is None:
        return ", idle"
    exchange = call.exchange
    lost = ", lost" if worker.lost else ""
    return (
        f", {exchange.line.method} {exchange.line.target!a} for {now - exchange.entered:.1f} s "
        f"(connection {call.connection.id}, request {exchange.number}){lost}"
    )
