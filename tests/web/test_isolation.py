"""No request ever sees another's data: ten thousand, in threads, greenlets and tasks at once.

Each thread runs an event loop.  On it, twenty tasks keep request contexts and streams open across
their awaits, while one more steps twenty greenlets, which are switched away from in the middle of
their views.  What a request sees is compared with its token at every point where it has waited.
"""

# ruff: noqa: S106 - a token says whose data it is, and is no password

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

import pytest

from stein.toolkit.client import create_environ, run_wsgi_app
from stein.toolkit.request import Request as RequestBase
from stein.toolkit.routing.adapter import MapAdapter
from stein.web.app import Stein
from stein.web.context import AppContext, AppGlobals
from stein.web.globals import context_var, current_app, g, request, request_ctx, session
from stein.web.sessions import SessionMixin
from stein.web.shortcuts import url_for
from stein.web.streaming import stream_with_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.typing import Environ

greenlet: Any = pytest.importorskip("greenlet")

THREADS: Final = 64
STRANDS: Final = 20  #: greenlets in each thread, and as many tasks
REQUESTS: Final = 4  #: of each of them
KINDS: Final = (AppContext, RequestBase, AppGlobals, SessionMixin, MapAdapter)


def check(token: str) -> None:
    """Whether everything that is current belongs to one request."""
    app: Any = current_app
    seen = (
        request.path.rpartition("/")[2],
        request.args["token"],
        session["token"],
        g.token,
        request.host,
        request_ctx.url_adapter and request_ctx.url_adapter.server_name,
        url_for("plain", token="x", _external=True),
        app._get_current_object() is request.environ["test.app"],
    )
    host = f"{token}.example"
    assert seen == (token, token, token, token, host, host, f"http://{host}/plain/x", True)


class Watch:
    """The applications, and weak references to all contexts that they have handled requests in."""

    def __init__(self) -> None:
        self.seen: list[weakref.ref[Any]] = []
        self.handled = 0
        self.apps = [self.build(f"app{number}") for number in range(2)]
        self.cookies: dict[str, str] = {}

    def build(self, name: str) -> Stein:  # noqa: C901 - an application with all its views
        app = Stein(name, root_path="/", static_folder=None)
        app.config.update(SECRET_KEY=f"key of {name}", PROPAGATE_EXCEPTIONS=True)

        @app.before_request
        def mark() -> None:
            assert "token" not in g
            g.token = request.args["token"]
            self.note()

        @app.teardown_request
        def unmark(error: BaseException | None) -> None:
            assert error is None
            assert g.token == request.args["token"]

        @app.route("/plain/<token>")
        def plain(token: str) -> str:
            wait = request.environ.get("test.wait")
            for _ in range(3):
                check(token)
                if wait is not None:
                    wait()
            check(token)
            session["count"] = token
            return token

        @app.route("/stream/<token>")
        def stream(token: str) -> Iterator[str]:
            def pieces() -> Iterator[str]:
                for _ in range(3):
                    check(token)
                    yield token

            return stream_with_context(pieces())

        @app.route("/async/<token>")
        async def asynchronous(token: str) -> str:
            async def again() -> None:
                check(token)
                await asyncio.sleep(0)
                check(token)

            await asyncio.gather(again(), again(), asyncio.create_task(again()))
            if "test.thread" in request.environ:
                await asyncio.to_thread(check, token)
            check(token)
            return token

        return app

    def note(self) -> None:
        context: Any = request_ctx
        self.seen.append(weakref.ref(context._get_current_object()))

    def environ(self, kind: str, token: str) -> tuple[Stein, Environ]:
        app = self.apps[hash(token) % 2]
        interface: Any = app.session_interface
        serializer = interface.get_signing_serializer(app)
        environ = create_environ(
            f"/{kind}/{token}?token={token}",
            f"http://{token}.example",
            headers={"Cookie": f"session={serializer.dumps({'token': token})}"},
        )
        environ["test.app"] = app
        self.handled += 1
        return app, environ

    def call(self, kind: str, token: str, wait: Callable[[], None] | None = None) -> None:
        """One whole request."""
        app, environ = self.environ(kind, token)
        if wait is None:
            environ["test.thread"] = True
        else:
            environ["test.wait"] = wait
        body, status, headers = run_wsgi_app(app, environ)
        text = b"".join(body).decode()
        assert (status, set(text.split(token))) == ("200 OK", {""})
        if kind == "plain":
            assert headers["Set-Cookie"].startswith("session=")
        assert context_var.get(None) is None


def in_greenlet(watch: Watch, name: str) -> None:
    main = greenlet.getcurrent().parent
    assert context_var.get(None) is None
    for number in range(REQUESTS):
        kind = ("plain", "stream", "plain", "async")[number % 4]
        watch.call(kind, f"{name}r{number}", main.switch)
        main.switch()


async def step_greenlets(watch: Watch, name: str) -> None:
    waiting = [greenlet.greenlet(in_greenlet) for _ in range(STRANDS)]
    for number, strand in enumerate(waiting):
        strand.switch(watch, f"{name}g{number}")
    while waiting := [strand for strand in waiting if not strand.dead]:
        for strand in waiting:
            strand.switch()
            assert context_var.get(None) is None
        await asyncio.sleep(0)


async def in_task(watch: Watch, name: str) -> None:
    assert context_var.get(None) is None
    for number in range(REQUESTS):
        token = f"{name}r{number}"
        if number % 2:
            app, environ = watch.environ("plain", token)
            with app.request_context(environ) as context:
                app.preprocess_request()
                for _ in range(3):
                    check(token)
                    await asyncio.sleep(0)
                with context.copy(), app.app_context():
                    await asyncio.sleep(0)
                    assert request.args["token"] == session["token"] == token
                    assert "token" not in g
                check(token)
        else:
            app, environ = watch.environ("stream", token)
            body, _, _ = run_wsgi_app(app, environ)
            for piece in body:
                assert piece == token.encode()
                assert context_var.get(None) is None
                await asyncio.sleep(0)
        assert context_var.get(None) is None


async def on_loop(watch: Watch, name: str) -> None:
    tasks = [in_task(watch, f"{name}t{number}") for number in range(STRANDS)]
    await asyncio.gather(step_greenlets(watch, name), *tasks)


def in_thread(
    watch: Watch, name: str, wrong: list[BaseException], start: threading.Barrier
) -> None:
    try:
        assert context_var.get(None) is None
        start.wait()
        asyncio.run(on_loop(watch, name))
        for number in range(2):
            watch.call("async", f"{name}a{number}")
        assert context_var.get(None) is None
    except BaseException as error:  # noqa: BLE001 - it is raised in the main thread
        wrong.append(error)


def alive() -> int:
    gc.collect()
    return sum(isinstance(each, KINDS) for each in gc.get_objects())


def run_threads(watch: Watch, name: str, count: int) -> None:
    wrong: list[BaseException] = []
    start = threading.Barrier(count)
    threads = [
        threading.Thread(target=in_thread, args=(watch, f"{name}n{number}", wrong, start))
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def wait_for_loops(threads: set[threading.Thread]) -> None:
    """Wait for threads of event loops: they end when these are closed, and nobody waits."""
    for thread in set(threading.enumerate()) - threads:
        thread.join(30)
        assert not thread.is_alive(), thread


def is_coverages(thing: object) -> bool:
    """Whether coverage has made it, which keeps some methods for each thread there ever was."""
    if type(thing) is not MethodType:
        return False
    return type(thing.__self__).__module__.startswith("coverage.")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_request_sees_another_and_none_is_left_after_ten_thousand() -> None:
    watch = Watch()
    watch.call("plain", "first")
    before, threads = alive(), set(threading.enumerate())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-3)
    try:
        run_threads(watch, "a", THREADS)
    finally:
        sys.setswitchinterval(interval)
    assert watch.handled >= 10_000
    wait_for_loops(threads)
    assert context_var.get(None) is None
    assert alive() == before
    assert not [each for each in watch.seen if each() is not None]


def test_nothing_grows_from_one_run_to_the_next() -> None:
    watch = Watch()
    sizes, threads = [], set(threading.enumerate())
    for _ in range(6):
        run_threads(watch, "a", 2)
        wait_for_loops(threads)
        watch.seen.clear()
        gc.collect()
        sizes.append(sum(1 for each in gc.get_objects() if not is_coverages(each)))
    # What the interpreter keeps for itself comes and goes, up to a hundred at a time; one object
    # for each request would be more than three hundred after each run.
    assert min(sizes[3:]) <= min(sizes[1:3]) + 200, sizes
