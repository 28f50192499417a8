"""Coroutine functions that are called by plain code: one loop for each thread."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

import pytest

from stein.web import asyncviews
from stein.web.app import Stein
from stein.web.asyncviews import iterate, to_sync
from stein.web.globals import g, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_COLOUR: ContextVar[str] = ContextVar("tests.colour")


def in_thread(function: Callable[[], Any]) -> Any:
    """What a function gives in a thread of its own, which has ended then."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


class TestCall:
    def test_arguments_go_in_and_the_result_comes_out(self) -> None:
        async def area(width: int, *, height: int) -> int:
            await asyncio.sleep(0)
            return width * height

        assert to_sync(area)(3, height=4) == 12

    def test_methods_and_whatever_gives_something_to_await_are_called_too(self) -> None:
        class Tank:
            async def fill(self) -> str:
                return "full"

        assert to_sync(Tank().fill)() == "full"
        assert to_sync(lambda: asyncio.sleep(0, "slept"))() == "slept"

    def test_the_function_is_found_behind_it(self) -> None:
        async def view() -> None: ...

        assert to_sync(view).__wrapped__ is view  # type: ignore[attr-defined]
        assert not asyncio.iscoroutinefunction(to_sync(view))

    def test_wrong_arguments_are_a_type_error_of_the_caller(self) -> None:
        async def view() -> None: ...

        with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
            to_sync(view)(depth=3)  # type: ignore[call-arg]

    def test_what_it_raises_comes_out_and_shows_the_coroutine_at_once(self) -> None:
        async def inner() -> None:
            await asyncio.sleep(0)
            raise LookupError("no tank")

        async def view() -> None:
            await inner()

        with pytest.raises(LookupError, match="no tank") as caught:
            to_sync(view)()
        names = [frame.name for frame in traceback.extract_tb(caught.tb)]
        assert names[1:] == ["call", "finish", "view", "inner"]
        assert caught.value.__context__ is None

    def test_an_error_leaves_no_cycle_behind(self) -> None:
        class Value:
            pass

        async def view() -> None:
            value = Value()
            seen.append(weakref.ref(value))
            raise LookupError

        seen: list[weakref.ref[Value]] = []
        gc.collect()
        gc.disable()
        try:
            with contextlib.suppress(LookupError):
                to_sync(view)()
            assert seen[0]() is None
        finally:
            gc.enable()

    def test_a_view_that_cancels_itself_is_cancelled_for_its_caller(self) -> None:
        async def view() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

        with pytest.raises(asyncio.CancelledError):
            to_sync(view)()

    def test_stopping_the_loop_ends_no_call(self) -> None:
        async def view() -> str:
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return "went on"

        assert to_sync(view)() == "went on"


class TestLoop:
    def test_a_thread_keeps_its_loop_and_has_it_alone(self) -> None:
        async def loop() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        def two() -> list[asyncio.AbstractEventLoop]:
            return [to_sync(loop)(), to_sync(loop)()]

        mine, others = two(), in_thread(two)
        assert mine[0] is mine[1]
        assert others[0] is others[1]
        assert mine[0] is not others[0]
        assert not mine[0].is_closed()

    def test_no_thread_is_started(self) -> None:
        before = threading.active_count()
        to_sync(asyncio.sleep)(0)
        assert threading.active_count() == before

    def test_when_the_thread_ends_the_loop_is_closed(self) -> None:
        async def loop() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        assert in_thread(to_sync(loop)).is_closed()

    def test_what_is_left_then_is_ended_in_order(self) -> None:
        said: list[str] = []
        kept: list[Any] = []

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                said.append("task")

        async def items() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                said.append("generator")

        async def view() -> None:
            kept.append(asyncio.create_task(forever()))
            kept.append(items())
            await anext(kept[-1])

        in_thread(to_sync(view))
        assert said == ["task", "generator"]

    def test_a_task_that_nobody_awaited_goes_on_with_the_next_call(self) -> None:
        said: list[str] = []
        kept: list[Any] = []

        async def later() -> None:
            await asyncio.sleep(0)
            said.append("later")

        async def view() -> None:
            kept.append(asyncio.create_task(later()))

        to_sync(view)()
        assert said == []
        to_sync(asyncio.sleep)(0.001)
        assert said == ["later"]

    def test_a_connection_survives_from_one_call_to_the_next(self) -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(line.upper())
            writer.close()

        streams: dict[str, Any] = {}

        async def connect() -> None:
            streams["server"] = server = await asyncio.start_server(echo, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            streams["reader"], streams["writer"] = await asyncio.open_connection(*address)

        async def ask(text: str) -> str:
            streams["writer"].write(f"{text}\n".encode())
            answer: bytes = await streams["reader"].readline()
            return answer.decode().rstrip()

        async def close() -> None:
            streams["writer"].close()
            await streams["writer"].wait_closed()
            streams["server"].close()
            await streams["server"].wait_closed()

        to_sync(connect)()
        assert [to_sync(ask)("a"), to_sync(ask)("b")] == ["A", "B"]
        to_sync(close)()

    def test_closing_it_is_left_to_others_while_it_runs(self) -> None:
        async def view() -> bool:
            asyncviews._close_all()
            return asyncio.get_running_loop().is_closed()

        assert to_sync(view)() is False

    def test_inside_of_another_loop_it_is_closed_without_being_run(self) -> None:
        loop = asyncviews._Loop()

        async def view() -> None:
            loop.close()

        asyncio.run(view())
        assert loop._loop.is_closed()
        loop.close()  # once more is nothing

    def test_a_task_that_does_not_end_holds_nobody_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asyncviews, "_PATIENCE", 0.001)
        asked = []

        async def stubborn() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            asked.append("once")
            await asyncio.Event().wait()

        async def view() -> asyncio.Task[None]:
            task = asyncio.create_task(stubborn())
            await asyncio.sleep(0)
            return task

        task = in_thread(to_sync(view))
        assert asked == ["once"]
        assert not task.done()
        task._log_destroy_pending = False
        task.get_coro().close()


class TestContextVariables:
    def test_they_go_in_and_what_is_set_comes_out(self) -> None:
        token = _COLOUR.set("red")

        async def view() -> str:
            was = _COLOUR.get()
            await asyncio.sleep(0)
            _COLOUR.set("blue")
            return was

        assert to_sync(view)() == "red"
        assert _COLOUR.get() == "blue"
        _COLOUR.reset(token)

    def test_what_is_set_before_an_error_comes_out_too(self) -> None:
        token = _COLOUR.set("red")

        async def view() -> None:
            _COLOUR.set("green")
            raise LookupError

        with pytest.raises(LookupError):
            to_sync(view)()
        assert _COLOUR.get() == "green"
        _COLOUR.reset(token)

    def test_they_are_carried_to_a_helping_thread_and_back(self) -> None:
        token = _COLOUR.set("red")

        async def inner() -> str:
            was = _COLOUR.get()
            _COLOUR.set("white")
            return was

        async def outer() -> tuple[str, str]:
            _COLOUR.set("blue")
            return to_sync(inner)(), _COLOUR.get()

        assert to_sync(outer)() == ("blue", "white")
        assert _COLOUR.get() == "white"
        _COLOUR.reset(token)


class TestInsideOfALoop:
    def test_plain_code_in_a_coroutine_can_call_it(self) -> None:
        async def inner() -> str:
            await asyncio.sleep(0)
            return threading.current_thread().name

        async def outer() -> list[str]:
            return [to_sync(inner)(), to_sync(inner)()]

        first, second = asyncio.run(outer())
        assert first == second == f"{threading.current_thread().name}-async"

    def test_it_can_be_nested_deeper(self) -> None:
        async def down(depth: int) -> list[int]:
            await asyncio.sleep(0)
            return [depth, *(to_sync(down)(depth - 1) if depth else ())]

        assert to_sync(down)(4) == [4, 3, 2, 1, 0]
        assert to_sync(down)(2) == [2, 1, 0]

    def test_its_errors_come_out_and_show_the_coroutine_at_once(self) -> None:
        async def inner() -> None:
            raise LookupError("no tank")

        async def outer() -> None:
            to_sync(inner)()

        with pytest.raises(LookupError, match="no tank") as caught:
            to_sync(outer)()
        names = [frame.name for frame in traceback.extract_tb(caught.tb)]
        assert names[1:] == ["call", "finish", "outer", "call", "run", "inner"]

    def test_the_helping_threads_end_with_the_thread_in_front(self) -> None:
        helpers: list[threading.Thread] = []
        loops: list[asyncio.AbstractEventLoop] = []

        async def inner() -> None:
            helpers.append(threading.current_thread())
            loops.append(asyncio.get_running_loop())

        async def outer() -> None:
            to_sync(inner)()

        in_thread(to_sync(outer))
        helpers[0].join(10)
        assert not helpers[0].is_alive()
        assert loops[0].is_closed()

    def test_a_test_that_is_a_coroutine_can_use_the_client(self) -> None:
        app = Stein(__name__)

        @app.get("/")
        async def index() -> str:
            await asyncio.sleep(0)
            return f"{request.method} {g.user}"

        @app.before_request
        async def before() -> None:
            g.user = "anna"

        async def test() -> str:
            return app.test_client().get("/").text

        assert asyncio.run(test()) == "GET anna"

    def test_where_threads_are_greenlets_the_error_says_so(self) -> None:
        async def inner() -> None: ...

        async def outer() -> None:
            # As if the helper were in this thread.
            job = asyncviews._Job(())
            job.work()
            assert job.error is not None
            raise job.error

        with pytest.raises(RuntimeError, match="gevent has made greenlets of threads"):
            to_sync(outer)()


class TestInterruption:
    def test_ctrl_c_while_it_waits_lets_it_clean_up(self) -> None:
        said: list[str] = []

        async def view() -> None:
            try:
                asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                said.append("cancelled")
                await asyncio.sleep(0)
                raise
            finally:
                said.append("cleaned up")

        with pytest.raises(KeyboardInterrupt):
            to_sync(view)()
        assert said == ["cancelled", "cleaned up"]
        assert to_sync(asyncio.sleep)(0, "and the loop goes on") == "and the loop goes on"

    def test_ctrl_c_in_the_coroutine_itself_comes_out(self) -> None:
        async def view() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            to_sync(view)()
        assert to_sync(asyncio.sleep)(0, "and the loop goes on") == "and the loop goes on"

    def test_a_call_that_has_not_begun_is_never_begun(self) -> None:
        async def view() -> None:
            raise AssertionError

        async def stop() -> None:
            raise KeyboardInterrupt

        loop = asyncviews._Loop()
        context = copy_context()
        loop._loop.call_soon(interrupt)
        task = loop.begin(context, view, (), {})
        with pytest.raises(KeyboardInterrupt):
            loop.finish(task)
        assert task.cancelled()
        loop.close()

    def test_while_a_helper_works_it_is_cancelled_there(self) -> None:
        said: list[str] = []

        async def inner() -> None:
            # Python handles it in the main thread, which waits for this one.  One that comes just
            # before it begins to wait is handled with the next.
            main = threading.main_thread().ident
            assert main is not None
            try:
                while True:
                    signal.pthread_kill(main, signal.SIGINT)
                    await asyncio.sleep(0.01)
            finally:
                said.append("cleaned up")

        async def outer() -> None:
            to_sync(inner)()

        def once(*_: object) -> None:
            if not said:
                said.append("interrupted")
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, once)
        try:
            with pytest.raises(KeyboardInterrupt):
                to_sync(outer)()
        finally:
            signal.signal(signal.SIGINT, before)
        assert said == ["interrupted", "cleaned up"]

    def test_a_job_that_is_cancelled_before_it_began_ends_too(self) -> None:
        async def view() -> None:
            await asyncio.Event().wait()

        job = asyncviews._Job((copy_context(), view, (), {}))
        job.cancel()
        job.work()
        assert isinstance(job.error, asyncio.CancelledError)
        job.cancel()  # and afterwards it is nothing
        job.work()


def interrupt() -> None:
    raise KeyboardInterrupt


class TestIterate:
    def test_the_items_come_one_by_one_on_one_loop(self) -> None:
        loops: set[asyncio.AbstractEventLoop] = set()

        async def items() -> AsyncIterator[int]:
            for each in range(3):
                await asyncio.sleep(0)
                loops.add(asyncio.get_running_loop())
                yield each

        assert list(iterate(items())) == [0, 1, 2]
        assert len(loops) == 1

    def test_closing_it_ends_the_async_generator(self) -> None:
        said: list[str] = []

        async def items() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                said.append("closed")

        iterator = iterate(items())
        assert next(iterator) == 1
        iterator.close()  # type: ignore[attr-defined]
        assert said == ["closed"]

    def test_what_has_no_aclose_is_iterated_too(self) -> None:
        class Countdown:
            left = 2

            def __aiter__(self) -> Countdown:
                return self

            async def __anext__(self) -> int:
                if not self.left:
                    raise StopAsyncIteration
                self.left -= 1
                return self.left

        assert list(iterate(Countdown())) == [1, 0]


class TestApplication:
    def test_every_kind_of_hook_may_be_async(self) -> None:
        app = Stein(__name__)
        said: list[str] = []

        @app.before_request
        async def before() -> None:
            said.append("before")

        @app.after_request
        async def after(response: Any) -> Any:
            said.append("after")
            return response

        @app.teardown_request
        async def teardown(_: BaseException | None) -> None:
            said.append("teardown")

        @app.errorhandler(LookupError)
        async def handle(error: LookupError) -> tuple[str, int]:
            await asyncio.sleep(0)
            return str(error), 418

        @app.get("/")
        async def index() -> str:
            raise LookupError(request.path)

        response = app.test_client().get("/")
        assert (response.status_code, response.text) == (418, "/")
        assert said == ["before", "after", "teardown"]

    def test_ensure_sync_in_an_async_view(self) -> None:
        app = Stein(__name__)

        async def inner() -> str:
            return request.args["name"]

        @app.get("/")
        async def index() -> str:
            value: str = app.ensure_sync(inner)()
            return value

        assert app.test_client().get("/?name=anna").text == "anna"

    def test_no_request_sees_the_variables_of_another(self) -> None:
        app = Stein(__name__)
        barrier = threading.Barrier(4)

        @app.get("/<int:number>")
        async def index(number: int) -> str:
            g.number = number
            barrier.wait(10)
            await asyncio.sleep(0)
            return f"{g.number} {request.path}"

        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda n: app.test_client().get(f"/{n}").text, range(8))
            assert list(answers) == [f"{n} /{n}" for n in range(8)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
class TestFork:
    def test_a_child_has_a_loop_of_its_own_and_leaves_the_parents_alone(self) -> None:
        program = """
import asyncio, os, sys, threading
from stein.web.asyncviews import to_sync

async def loop():
    return asyncio.get_running_loop()

async def later():
    # woken by another thread: needs the poller of this process
    return await asyncio.to_thread(os.getpid)

helper = []
async def nested():
    helper.append(to_sync(loop)())

to_sync(nested)()
before = to_sync(loop)()
child = os.fork()
if not child:
    assert before.is_closed(), "it is let go"
    assert helper[0].is_closed(), "and so is that of a thread that is not here"
    assert to_sync(loop)() is not before
    assert to_sync(later)() == os.getpid()
    to_sync(nested)()
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert not before.is_closed()
assert to_sync(loop)() is before
assert to_sync(later)() == os.getpid()
"""
        run_strictly(program)

    def test_a_loop_of_another_kind_is_left_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class OtherLoop:
            """As uvloop's, which has no selector; it has no close() here."""

            def is_closed(self) -> bool:
                return False

        loop = asyncviews._Loop()
        loop._loop.close()
        other: Any = OtherLoop()
        loop._loop = other
        loop._process = -1
        kept: list[Any] = []
        monkeypatch.setattr(asyncviews, "_inherited", kept)
        loop.close()
        assert kept == [other]

    def test_a_loop_that_was_closed_before_is_no_trouble(self) -> None:
        loop = asyncviews._Loop()
        loop._loop.close()
        loop._process = -1
        loop.close()
        assert loop._loop.is_closed()


class TestEndOfTheInterpreter:
    def test_nothing_is_left_unclosed(self) -> None:
        program = """
import asyncio
from stein.web.asyncviews import to_sync

kept = []
async def items():
    try:
        yield 1
    finally:
        print("generator")

async def inner():
    kept.append(items())
    await anext(kept[-1])

async def view():
    to_sync(inner)()
    kept.append(asyncio.create_task(asyncio.Event().wait()))

to_sync(view)()
"""
        assert run_strictly(program) == "generator\n"

    def test_a_daemon_thread_that_never_ends_is_no_trouble(self) -> None:
        program = """
import asyncio, threading
from stein.web.asyncviews import to_sync

def idle():
    to_sync(asyncio.sleep)(0)
    ready.set()
    threading.Event().wait()

ready = threading.Event()
threading.Thread(target=idle, daemon=True).start()
ready.wait()
"""
        run_strictly(program)


def run_strictly(program: str) -> str:
    """What a program prints; nothing may be written to stderr."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
