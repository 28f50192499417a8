"""Coroutine functions called by code that is not asynchronous: async views, hooks and handlers.

Facts.  A coroutine needs an event loop, and a loop belongs to a thread.  Making a loop takes about
100 us, starting a thread as much again; what a program keeps between requests (an HTTP client, a
pool of connections) is tied to the loop that it was made on.

Decision.  Each thread that runs async views keeps one loop for as long as it lives.  A call makes a
task, runs the loop until that task is done, and leaves it standing there; the calling thread waits.
Tasks that nobody has awaited stay, and go on whenever this thread runs its loop again.

Context variables are those of the caller, and what the coroutine sets is set for the caller, as if
it had been a plain call.

Where the thread is inside of a loop already (an async view calls plain code that calls this; a test
that is itself a coroutine) the call goes to a thread behind this one, with a loop of its own, and
waits for it.  What is tied to the outer loop cannot be awaited there; code that is asynchronous
itself should simply await.

Danger.  A loop that was inherited by fork shares its poller with the parent process; it must be let
go without touching that.  A loop must be closed, in its thread if possible: when the thread ends
that is done by the thread's own storage, at the end of the interpreter by :func:`_close_all`.

With gevent all its greenlets are in one thread, and Python runs one loop per thread: a second async
view that runs while another one waits gets an error that says so.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from asyncio import _get_running_loop as running_loop  # PERF: the public one raises without one
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
    from contextvars import Context
    from types import TracebackType

__all__ = ["iterate", "to_sync"]

P = ParamSpec("P")
T = TypeVar("T")

#: stands for a context variable that is not set
_UNSET: Final = object()
#: seconds that tasks get to notice that their loop is closed
_PATIENCE: Final = 1.0


def to_sync(function: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    """Make a plain function of a coroutine function: it runs the coroutine and waits for it.

    :param function: a coroutine function, or another one that returns something to await.
    :return: a function with the same parameters.  It may be called anywhere, in a coroutine, too.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        context = copy_context()
        try:
            if running_loop() is not None:
                return _helper().run(context, function, args, kwargs)  # type: ignore[no-any-return]
            loop = _here.loop or _own_loop()
            return loop.finish(loop.begin(context, function, args, kwargs))  # type: ignore[no-any-return]
        finally:
            # A copy can only have more variables than the original, and other values.
            for variable, value in context.items():
                if variable.get(_UNSET) is not value:
                    variable.set(value)

    # PERF: functools.update_wrapper() takes 2 us, and hooks are wrapped for each request.
    call.__wrapped__ = function  # type: ignore[attr-defined]
    return call


def iterate(iterable: AsyncIterable[T]) -> Iterator[T]:
    """Give the items of an asynchronous iterable, such as an async generator.

    Each step runs the thread's loop until there is an item.  If the iterator is closed, the async
    generator is, too.
    """
    iterator = aiter(iterable)
    advance = to_sync(iterator.__anext__)
    try:
        while True:
            try:
                item = advance()
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            to_sync(close)()


class _Loop:
    """An event loop that stands still between calls.  Used by one thread only.

    PERF: ``loop.run_until_complete(function())`` takes twice as long, ``asyncio.Runner.run`` five
    times (``bench/``: an async view).
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        _loops.add(self)

    def begin(
        self,
        context: Context,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> asyncio.Task[Any]:
        """Make a task of a call; nothing of it runs yet."""
        loop = self._loop
        return loop.create_task(_run_and_stop(loop, function, args, kwargs), context=context)

    def finish(self, task: asyncio.Task[Any]) -> Any:
        """Run the loop until a task is done.

        :return: what its function returned.
        :raises BaseException: what its function raised.
        """
        loop = self._loop
        try:
            # Anybody may stop the loop, and a call that was broken off may have left a stop behind.
            while not task.done():
                loop.run_forever()
        except BaseException:
            # Ctrl-C, or another error that is not the task's affair, such as a test's time limit.
            self._break_off(task)
            raise
        error = task.exception()
        if error is None:
            return task.result()
        try:
            raise error.with_traceback(_below(error.__traceback__))
        finally:
            del error, task  # breaks the cycle through the traceback's frame

    def _break_off(self, task: asyncio.Task[Any]) -> None:
        """Cancel a task and let it clean up."""
        if not task.done():
            loop = self._loop
            # If it has not begun yet, nothing in it will stop the loop.
            task.add_done_callback(lambda _: loop.stop())
            task.cancel()
            while not task.done():
                loop.run_forever()
        if not task.cancelled():
            task.exception()  # it is known: asyncio need not log that nobody has asked

    def close(self) -> None:
        """Cancel the tasks that are left, end the async generators, and close the loop."""
        loop = self._loop
        if self._process != os.getpid():
            _let_go(loop)
        elif not loop.is_closed() and not loop.is_running():
            try:
                if running_loop() is None:
                    loop.run_until_complete(_wind_up())
            finally:
                loop.close()

    def __del__(self) -> None:
        # The thread has ended.
        self.close()


def _below(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without our own frame, of which nobody wants to know."""
    return None if traceback is None else traceback.tb_next or traceback


async def _run_and_stop(
    loop: asyncio.AbstractEventLoop,
    function: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    try:
        return await function(*args, **kwargs)
    finally:
        # PERF: stopped by a callback, the loop would turn once more (4 us).
        loop.stop()


async def _wind_up() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_PATIENCE)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _let_go(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop that was inherited by fork, and leave that of the parent process as it is."""
    if loop.is_closed():
        return
    selector = getattr(loop, "_selector", None)
    if selector is None:  # uvloop's
        _inherited.append(loop)
        return
    # Closing takes descriptors out of the poller, which (epoll) is the parent's, too.  With its
    # number gone that reaches nobody.
    with contextlib.suppress(OSError, ValueError):
        os.close(selector.fileno())
    with contextlib.suppress(OSError, RuntimeError):
        loop.close()


class _Helper:
    """A thread behind another one, with a loop of its own, for when that one is inside of a loop.

    Only the thread in front uses it, and waits meanwhile.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        name = f"{threading.current_thread().name}-async"
        threading.Thread(target=_help, args=(self._jobs,), name=name, daemon=True).start()

    def run(self, *call: Any) -> Any:
        """Run what :meth:`_Loop.begin` takes, and wait for what it returns or raises."""
        job = _Job(call)
        try:
            self._jobs.put(job)
            job.ended.wait()
        except BaseException:  # Ctrl-C, for the thread that waits
            job.cancel()
            self._jobs.put(job)  # it may have been interrupted in doing so
            job.ended.wait()
            raise
        if job.error is None:
            return job.result
        try:
            raise job.error
        finally:
            del job  # breaks the cycle through the traceback's frame

    def __del__(self) -> None:
        self._jobs.put(None)


class _Job:
    """One call for a helper.

    ``task`` is set by the helper and ``unwanted`` by the thread in front, each before it looks at
    the other's.
    """

    def __init__(self, call: tuple[Any, ...]) -> None:
        self._call = call
        self._task: asyncio.Task[Any] | None = None
        self._unwanted = False
        self._begun = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = threading.Event()

    def cancel(self) -> None:
        """Cancel the call, begun or not.  The thread in front."""
        self._unwanted = True
        task = self._task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # the helper and its loop have ended
                task.get_loop().call_soon_threadsafe(task.cancel)

    def work(self) -> None:
        """Do it, once.  The helper."""
        if self._begun:
            return
        self._begun = True
        try:
            loop = _own_loop()
            self._task = task = loop.begin(*self._call)
            if self._unwanted:
                # Not at once: it must have begun, to stop the loop when it ends.
                task.get_loop().call_soon(task.cancel)
            self.result = loop.finish(task)
        except BaseException as error:  # noqa: BLE001 - it is for the thread that waits
            self.error = error.with_traceback(_below(_below(error.__traceback__)))
        finally:
            self.ended.set()


def _help(jobs: SimpleQueue[_Job | None]) -> None:
    while True:
        job = jobs.get()
        if job is None:
            return
        job.work()
        del job  # what it holds is not to live until the next one comes


class _Here(threading.local):
    """What a thread keeps; it goes when the thread ends."""

    loop: _Loop | None = None
    helper: _Helper | None = None


_here = _Here()
#: what can neither be used nor closed, kept from being collected
_inherited: list[asyncio.AbstractEventLoop] = []
#: for the end of the interpreter; they are kept by their threads
_loops: weakref.WeakSet[_Loop] = weakref.WeakSet()


def _own_loop() -> _Loop:
    """The loop of a thread that is inside of none."""
    if running_loop() is not None:
        raise RuntimeError(
            "an async view was called while another one waits in the same thread, and the thread"
            " that should run it is none: gevent has made greenlets of threads. Python runs one"
            " event loop per thread; use worker threads, or no async views"
        )
    loop = _here.loop
    if loop is None:
        loop = _here.loop = _Loop()
    return loop


def _helper() -> _Helper:
    helper = _here.helper
    if helper is None:
        helper = _here.helper = _Helper()
    return helper


@atexit.register
def _close_all() -> None:
    """Close all loops, as no thread will do it any more."""
    for each in list(_loops):
        each.close()


def _forget_all() -> None:
    """After a fork: no loop is this process's."""
    global _here  # noqa: PLW0603 - each process has its own
    _here = _Here()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
