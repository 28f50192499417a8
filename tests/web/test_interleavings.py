"""Contexts in threads, greenlets and tasks, switched between in any order that hypothesis finds.

A *strand* is one of the three.  Only one runs at a time, and only for one step: the machine below
tells it what to do and waits for it.  Contexts are pushed, popped, pushed again, copied, streamed
and preserved, and requests stop in the middle of their views.  The machine keeps its own books of
what each strand must see, and asks all of them after every step.
"""

# ruff: noqa: S106 - a token says whose data it is, and is no password
# ruff: noqa: PLW0108 - the lambdas run in another strand

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import weakref
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stein.toolkit.client import create_environ, run_wsgi_app
from stein.web.app import Stein
from stein.web.context import copy_current_request_context, has_app_context, has_request_context
from stein.web.globals import (
    app_ctx,
    context_var,
    current_app,
    g,
    request,
    request_ctx,
    session,
)
from stein.web.shortcuts import url_for
from stein.web.streaming import stream_with_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.typing import Environ

greenlet: Any = pytest.importorskip("greenlet")

MOST_STRANDS: Final = 5
PROXIES: Final[list[Any]] = [current_app, g, request, request_ctx, session]

# --- strands --------------------------------------------------------------------------------------


class Strand(ABC):
    """Something that runs for a step when it is told to.

    While a step runs a view, the view takes further steps; ``None`` lets it return.
    """

    can_stop_in_views = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[Push] = []  #: what is pushed here, by the machine's books
        self.stopped = False  #: also the views return at once that still run

    def do(self, work: Callable[[], Any] | None) -> Any:
        """Run a step over there."""
        result = self._hand_over(work)
        if isinstance(result, BaseException):
            raise result
        return result

    @abstractmethod
    def _hand_over(self, work: Callable[[], Any] | None) -> Any: ...

    def serve(self) -> None:
        """Over there: take steps until one is None."""
        work = self._report(None)
        while work is not None and not self.stopped:
            work = self._report(outcome(work))

    @abstractmethod
    def _report(self, result: Any) -> Callable[[], Any] | None: ...

    @abstractmethod
    def end(self) -> None: ...


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except BaseException as error:  # noqa: BLE001 - raised again where it can be seen
        return error


class InGreenlet(Strand):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._main = greenlet.getcurrent()
        self._greenlet = greenlet.greenlet(self.serve)
        self._greenlet.switch()

    def _hand_over(self, work: Callable[[], Any] | None) -> Any:
        return self._greenlet.switch(work)

    def _report(self, result: Any) -> Callable[[], Any] | None:
        work: Callable[[], Any] | None = None if self.stopped else self._main.switch(result)
        return work

    def end(self) -> None:
        self.stopped = True
        self._greenlet.switch(None)
        assert self._greenlet.dead


class InThread(Strand):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._steps: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        self._results.get(timeout=30)

    def _hand_over(self, work: Callable[[], Any] | None) -> Any:
        self._steps.put(work)
        return self._results.get(timeout=30)

    def _report(self, result: Any) -> Callable[[], Any] | None:
        if self.stopped:
            return None
        self._results.put(result)
        return self._steps.get(timeout=30)

    def end(self) -> None:
        self.stopped = True
        self._steps.put(None)
        self._thread.join(30)
        assert not self._thread.is_alive()


class InTask(Strand):
    """A task of a loop, which runs only while a step is taken."""

    can_stop_in_views = False  # a view is no place to await

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name)
        self._loop = loop
        self._steps: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue()
        self._task = loop.create_task(self._serve())

    async def _serve(self) -> None:
        while True:
            work, result = await self._steps.get()
            if work is None:
                return
            result.set_result(outcome(work))

    def _hand_over(self, work: Callable[[], Any] | None) -> Any:
        result = self._loop.create_future()
        self._steps.put_nowait((work, result))
        return self._loop.run_until_complete(result)

    def _report(self, result: Any) -> Callable[[], Any] | None:
        raise NotImplementedError

    def end(self) -> None:
        self._steps.put_nowait((None, self._loop.create_future()))
        self._loop.run_until_complete(self._task)


# --- books ----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Book:
    """What the machine knows of one context."""

    app: int
    token: str | None  #: of its request, if it has one
    context: Any = None
    mark: str | None = None  #: what was written into its own g
    pushed: int = 0


@dataclass(eq=False)
class Push:
    """A context on the stack of a strand."""

    book: Book
    home: Book  #: whose g is seen
    kind: str  #: how it came there: pushed, handled in a view, or preserved by a client
    client: Any = None


@dataclass(eq=False)
class Stream:
    book: Book
    home: Book
    pieces: Iterator[str]
    left: int = 3


@dataclass
class Expected:
    """What is seen in a strand."""

    app: Stein | None = None
    context: Any = None
    mark: str | None = None
    token: str | None = None
    request_app: Stein | None = None

    def check(self) -> None:
        """Run in the strand."""
        assert has_app_context() == (self.app is not None)
        assert has_request_context() == (self.token is not None)
        if self.app is None:
            assert context_var.get(None) is None
            assert not any(PROXIES)
        else:
            assert current_app == self.app
            assert g.get("mark") == self.mark
            if self.context is not None:
                assert app_ctx.app is self.app
        if self.token is None:
            assert not any(PROXIES[2:])
            with pytest.raises(RuntimeError, match="outside of request context"):
                session.get("token")
        else:
            adapter = request_ctx.url_adapter
            assert adapter is not None
            host = f"{self.token}.example"
            seen = (request.path, request.host, session["token"], adapter.server_name)
            assert seen == (f"/view/{self.token}", host, self.token, host)
            assert request_ctx.app is self.request_app
            if self.app is self.request_app:
                assert url_for("view", token="x", _external=True) == f"http://{host}/view/x"


def build(name: str) -> Stein:
    app = Stein(name, root_path="/", static_folder=None)
    app.config.update(SECRET_KEY=f"key of {name}", PROPAGATE_EXCEPTIONS=True)

    @app.route("/view/<token>")
    def view(token: str) -> str:
        strand = request.environ.get("test.strand")
        if strand is not None:
            strand.serve()
        assert request.path == f"/view/{token}"
        return token

    return app


APPS: Final = [build(f"app{number}") for number in range(2)]


def environ_of(app: Stein, token: str) -> Environ:
    interface: Any = app.session_interface
    cookie = interface.get_signing_serializer(app).dumps({"token": token})
    headers = {"Cookie": f"session={cookie}"}
    return create_environ(f"/view/{token}", f"http://{token}.example", headers=headers)


def mark_g(mark: str) -> None:
    g.mark = mark


# --- the machine ----------------------------------------------------------------------------------


class Contexts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.strands: list[Strand] = []
        self.popped: list[Book] = []  #: requests' contexts that could be pushed again
        self.streams: list[Stream] = []
        self.made: list[weakref.ref[Any]] = []
        self.count = 0

    def name(self) -> str:
        self.count += 1
        return f"t{self.count}"

    @initialize(kinds=st.lists(st.sampled_from("tga"), min_size=2, max_size=MOST_STRANDS))
    def start(self, kinds: list[str]) -> None:
        for number, kind in enumerate(kinds):
            name = f"{kind}{number}"
            if kind == "a":
                self.strands.append(InTask(name, self.loop))
            else:
                self.strands.append(InThread(name) if kind == "t" else InGreenlet(name))

    # -- books

    def entered(self, strand: Strand, book: Book, kind: str, client: Any = None) -> None:
        """Note that a context was pushed; write into its g if nobody has yet."""
        outer = strand.stack[-1] if strand.stack else None
        home = book
        within = outer is not None and outer.book.app == book.app
        if outer is not None and within and book.token is not None and book.mark is None:
            home = outer.home  # unless it has had its own before
        if home.mark is None:
            home.mark = self.name()
            strand.do(lambda: mark_g(home.mark or ""))
        book.pushed += 1
        strand.stack.append(Push(book, home, kind, client))

    def left(self, strand: Strand) -> Push:
        push = strand.stack.pop()
        push.book.pushed -= 1
        return push

    def expected(self, strand: Strand) -> Expected:
        if not strand.stack:
            return Expected()
        top = strand.stack[-1]
        found = Expected(APPS[top.book.app], top.book.context, top.home.mark)
        for push in reversed(strand.stack):
            if push.book.token is not None:
                found.token = push.book.token
                found.request_app = APPS[push.book.app]
                break
        return found

    def visible(self, strand: Strand) -> Push | None:
        """The request that a strand sees."""
        return next((push for push in reversed(strand.stack) if push.book.token), None)

    def note(self, book: Book, context: Any) -> Book:
        book.context = context
        self.made.append(weakref.ref(context))
        return book

    def pick(self, data: st.DataObject, choices: list[Any]) -> Any:
        return choices[data.draw(st.integers(0, len(choices) - 1))]

    def strand(self, data: st.DataObject) -> Strand:
        found: Strand = self.pick(data, self.strands)
        return found

    # -- what can happen

    @rule(data=st.data(), app=st.integers(0, 1))
    def push_an_application(self, data: st.DataObject, app: int) -> None:
        strand = self.strand(data)
        book = self.note(Book(app, None), APPS[app].app_context())
        strand.do(book.context.push)
        self.entered(strand, book, "pushed")

    @rule(data=st.data(), app=st.integers(0, 1))
    def push_a_request(self, data: st.DataObject, app: int) -> None:
        strand, token = self.strand(data), self.name()
        environ = environ_of(APPS[app], token)
        book = self.note(Book(app, token), APPS[app].request_context(environ))
        strand.do(book.context.push)
        self.entered(strand, book, "pushed")

    @rule(data=st.data())
    def push_the_current_one_again(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        if strand.stack and strand.stack[-1].kind == "pushed":
            book = strand.stack[-1].book
            strand.do(book.context.push)
            self.entered(strand, book, "pushed")

    @precondition(lambda self: self.popped)
    @rule(data=st.data())
    def push_one_that_was_popped(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        book = self.popped.pop(data.draw(st.integers(0, len(self.popped) - 1)))
        strand.do(book.context.push)
        self.entered(strand, book, "pushed")

    @rule(data=st.data())
    def pop(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        if strand.stack and strand.stack[-1].kind == "pushed":
            push = self.left(strand)
            strand.do(push.book.context.pop)
            if not push.book.pushed and len(self.popped) < 3:
                self.popped.append(push.book)

    @rule(data=st.data())
    def pop_the_wrong_one(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        others = [push.book for each in self.strands for push in each.stack if each is not strand]
        if others:
            context = self.pick(data, others).context
            with pytest.raises(AssertionError, match="Popped wrong context"):
                strand.do(context.pop)

    @rule(data=st.data())
    def copy_a_request_to_another_strand(self, data: st.DataObject) -> None:
        source, target = self.strand(data), self.strand(data)
        push = self.visible(source)
        if push is None:
            return
        context = source.do(lambda: request_ctx.copy())
        book = self.note(Book(push.book.app, push.book.token), context)
        target.do(context.push)
        self.entered(target, book, "pushed")

    @rule(data=st.data())
    def run_a_function_in_a_copy(self, data: st.DataObject) -> None:
        source, target = self.strand(data), self.strand(data)
        push = self.visible(source)
        if push is None:
            return

        def work() -> str:
            return str(session["token"] + request.path)

        copied = source.do(lambda: copy_current_request_context(work))
        assert target.do(copied) == f"{push.book.token}/view/{push.book.token}"

    @rule(data=st.data(), app=st.integers(0, 1))
    def begin_a_view(self, data: st.DataObject, app: int) -> None:
        strand, token = self.strand(data), self.name()
        if not strand.can_stop_in_views:
            return
        environ = environ_of(APPS[app], token)
        environ["test.strand"] = strand
        strand.do(lambda: run_wsgi_app(APPS[app], environ))
        context = strand.do(lambda: context_var.get())
        self.entered(strand, self.note(Book(app, token), context), "handled")

    @rule(data=st.data())
    def end_a_view(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        if strand.stack and strand.stack[-1].kind == "handled":
            push = self.left(strand)
            body, status, _ = strand.do(None)
            assert status == "200 OK"
            assert b"".join(body).decode() == push.book.token

    @rule(data=st.data(), app=st.integers(0, 1))
    def handle_a_whole_request(self, data: st.DataObject, app: int) -> None:
        strand, token = self.strand(data), self.name()
        environ = environ_of(APPS[app], token)
        body, _, _ = strand.do(lambda: run_wsgi_app(APPS[app], environ))
        assert b"".join(body).decode() == token

    @rule(data=st.data(), app=st.integers(0, 1), again=st.booleans())
    def preserve_a_request(self, data: st.DataObject, app: int, *, again: bool) -> None:
        strand, token = self.strand(data), self.name()
        client: Any
        if again and strand.stack and strand.stack[-1].client is not None:
            push = self.left(strand)  # the client lets go of it when the next request begins
            client, app = push.client, push.book.app
        else:
            client = strand.do(APPS[app].test_client(use_cookies=False).__enter__)
        environ = environ_of(APPS[app], token)
        answer = strand.do(
            lambda: client.get(
                f"/view/{token}",
                base_url=f"http://{token}.example",
                headers={"Cookie": environ["HTTP_COOKIE"]},
            )
        )
        assert answer.text == token
        context = strand.do(lambda: context_var.get())
        self.entered(strand, self.note(Book(app, token), context), "preserved", client)

    @rule(data=st.data())
    def close_a_client(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        if strand.stack and strand.stack[-1].kind == "preserved":
            push = self.left(strand)
            strand.do(lambda: push.client.__exit__(None, None, None))

    @rule(data=st.data())
    def begin_a_stream(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        push = self.visible(strand)
        if push is None or push.kind == "preserved":
            return
        token, mark = push.book.token or "", push.home.mark

        def pieces() -> Iterator[str]:
            for _ in range(3):
                assert request.path == f"/view/{token}"
                assert (session["token"], g.mark) == (token, mark)
                yield token

        if strand.stack[-1] is push:  # else it would stream with the application's g
            stream = strand.do(lambda: stream_with_context(pieces()))
            self.streams.append(Stream(push.book, push.home, stream))

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def stream_a_piece_anywhere(self, data: st.DataObject) -> None:
        strand = self.strand(data)
        stream = self.pick(data, self.streams)
        # A context is in one strand at a time, and what runs a stream is the thread that has it.
        owners = {each for each in self.strands for push in each.stack if push.book is stream.book}
        owners |= {each for each in self.strands for push in each.stack if push.book is stream.home}
        if owners and owners != {strand}:
            return
        piece = strand.do(lambda: next(stream.pieces, None))
        assert piece == (stream.book.token if stream.left else None)
        stream.left -= 1
        if piece is None:
            self.streams.remove(stream)

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def give_a_stream_up(self, data: st.DataObject) -> None:
        stream = self.pick(data, self.streams)
        self.streams.remove(stream)
        self.strand(data).do(stream.pieces.close)

    # -- what must hold

    @invariant()
    def each_strand_sees_its_own(self) -> None:
        assert context_var.get(None) is None
        for strand in self.strands:
            strand.do(self.expected(strand).check)

    def teardown(self) -> None:
        try:
            self.leave_everything()
        finally:
            for strand in self.strands:
                strand.end()
            self.loop.close()
        self.strands, self.popped, self.streams = [], [], []
        gc.collect()
        assert not [each() for each in self.made if each() is not None]

    def leave_everything(self) -> None:
        for strand in self.strands:
            while strand.stack:
                push = self.left(strand)
                if push.kind == "handled":
                    strand.do(None)
                elif push.kind == "preserved":
                    strand.do(partial(push.client.__exit__, None, None, None))
                else:
                    strand.do(push.book.context.pop)
            strand.do(Expected().check)
        for stream in self.streams:
            stream.pieces.close()  # type: ignore[attr-defined] # it has one


Contexts.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


TestContexts = pytest.mark.slow(Contexts.TestCase)


def test_a_stream_keeps_its_g_wherever_it_is_read() -> None:
    app = APPS[0]
    with app.request_context(environ_of(app, "one")):

        def pieces() -> Iterator[str]:
            yield g.setdefault("mark", "made in the stream")
            yield g.mark

        stream = stream_with_context(pieces())
    with app.request_context(environ_of(app, "two")):
        g.mark = "two"
        assert [*stream] == ["made in the stream"] * 2
        assert g.mark == "two"


def test_a_context_that_is_pushed_again_inside_another_keeps_its_g() -> None:
    app = APPS[0]
    context = app.request_context(environ_of(app, "one"))
    with context:
        g.mark = "one"
    with app.app_context():
        g.mark = "outer"
        with context, app.request_context(environ_of(app, "two")):
            assert g.mark == "one"
        assert g.mark == "outer"
