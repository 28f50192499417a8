"""What each context has of its own, and the proxies to it."""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
import operator
import pickle
import queue
import threading
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.locals import Local, LocalManager, LocalProxy, LocalStack, release_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Made once: context variables are not collected as garbage.
_NAMESPACE: ContextVar[dict[str, Any]] = ContextVar("tests.namespace")
_STACK: ContextVar[list[Any]] = ContextVar("tests.stack")
_VALUE: ContextVar[Any] = ContextVar("tests.value")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    tokens: Any = [(_NAMESPACE, _NAMESPACE.set({})), (_STACK, _STACK.set([]))]
    yield
    for variable, token in tokens:
        variable.reset(token)


@pytest.fixture
def namespace() -> Local:
    return Local(_NAMESPACE)


@pytest.fixture
def stack() -> LocalStack[Any]:
    return LocalStack(_STACK)


def proxy_of(value: Any) -> Any:
    return LocalProxy(lambda: value)


class TestLocal:
    def test_attributes_are_set_read_listed_and_deleted(self, namespace: Local) -> None:
        namespace.user = "anna"
        namespace.storage = 1
        assert namespace.user == "anna"
        assert dict(namespace) == {"user": "anna", "storage": 1}
        del namespace.user
        assert dict(namespace) == {"storage": 1}

    def test_what_is_not_set_is_an_attribute_error_with_the_name(self, namespace: Local) -> None:
        with pytest.raises(AttributeError, match="'user' is not set in this context"):
            _ = namespace.user
        with pytest.raises(AttributeError, match="'user' is not set in this context"):
            del namespace.user

    def test_it_has_a_variable_of_its_own_if_it_is_given_none(self) -> None:
        one, other = Local(), Local()
        one.user = "anna"
        assert not hasattr(other, "user")
        assert list(other) == []

    def test_release_empties_it(self, namespace: Local) -> None:
        namespace.user = "anna"
        release_local(namespace)
        assert list(namespace) == []

    def test_a_change_is_not_seen_by_the_context_it_was_copied_from(self, namespace: Local) -> None:
        namespace.user = "anna"
        inner = copy_context()
        inner.run(setattr, namespace, "user", "ben")
        inner.run(setattr, namespace, "more", 1)
        assert dict(namespace) == {"user": "anna"}
        assert inner.run(lambda: dict(namespace)) == {"user": "ben", "more": 1}


class TestLocalStack:
    def test_last_in_first_out(self, stack: LocalStack[Any]) -> None:
        assert stack.top is None
        assert stack.pop() is None
        assert stack.push(1) == [1]
        assert stack.push(2) == [1, 2]
        seen = [stack.top, stack.pop(), stack.top, stack.pop(), stack.top]
        assert seen == [2, 2, 1, 1, None]

    def test_release_empties_it(self, stack: LocalStack[Any]) -> None:
        stack.push(1)
        release_local(stack)
        assert stack.top is None

    def test_it_has_a_variable_of_its_own_if_it_is_given_none(self) -> None:
        one: LocalStack[int] = LocalStack()
        one.push(1)
        assert LocalStack[int]().top is None

    def test_a_push_is_not_seen_by_the_context_it_was_copied_from(
        self, stack: LocalStack[Any]
    ) -> None:
        stack.push(1)
        inner = copy_context()
        inner.run(stack.push, 2)
        inner.run(stack.push, 3)
        inner.run(stack.pop)
        assert stack.top == 1
        assert inner.run(lambda: stack.top) == 2


class TestContexts:
    """Threads, greenlets and tasks, all at once: each sees its own."""

    def everything(self, namespace: Local, stack: LocalStack[Any], number: int) -> Iterator[None]:
        """Set, let the others run, and look; again and again."""
        current: Any = stack()
        for turn in range(5):
            namespace.number = (number, turn)
            stack.push([number])
            yield
            assert namespace.number == (number, turn)
            assert current == [number]
            assert stack.pop() == [number]
            yield
            assert stack.top is None

    def in_greenlets(self, run: Callable[[int], Iterator[None]], numbers: range) -> None:
        greenlet = pytest.importorskip("greenlet")
        main = greenlet.getcurrent()

        def work(number: int) -> None:
            for _ in run(number):
                main.switch()

        each = [greenlet.greenlet(work) for _ in numbers]
        for one, number in zip(each, numbers, strict=True):
            one.switch(number)
        while any(each):
            for one in each:
                if not one.dead:
                    one.switch()

    def in_tasks(self, run: Callable[[int], Iterator[None]], numbers: range) -> None:
        async def work(number: int) -> None:
            for _ in run(number):
                await asyncio.sleep(0)

        async def main() -> None:
            await asyncio.gather(*map(work, numbers))

        asyncio.run(main())

    @pytest.mark.parametrize("kinds", [["tasks"], ["greenlets"], ["tasks", "greenlets"]])
    def test_all_at_once(self, namespace: Local, stack: LocalStack[Any], kinds: list[str]) -> None:
        if "greenlets" in kinds:
            pytest.importorskip("greenlet")
        problems: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
        start = threading.Barrier(4)

        def run(number: int) -> Iterator[None]:
            return self.everything(namespace, stack, number)

        def in_thread(first: int) -> None:
            try:
                start.wait(10)
                outer = run(first)
                next(outer)
                numbers = range(first + 1, first + 6)
                for kind in kinds:
                    # The thread's own values are there before, and still there after.
                    context = copy_context()
                    context.run(release_local, stack)
                    context.run(getattr(self, f"in_{kind}"), run, numbers)
                for _ in outer:
                    pass
            except BaseException as error:  # noqa: BLE001 - handed to the test
                problems.put(error)

        threads = [threading.Thread(target=in_thread, args=(i * 100,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert problems.empty(), problems.get()
        assert list(namespace) == []


class TestLocalManager:
    def test_it_takes_one_or_several_or_none(
        self, namespace: Local, stack: LocalStack[Any]
    ) -> None:
        assert LocalManager().locals == []
        assert LocalManager(namespace).locals == [namespace]
        assert LocalManager(stack).locals == [stack]
        both: list[Local | LocalStack[Any]] = [namespace, stack]
        manager = LocalManager(iter(both))
        assert manager.locals == both
        assert repr(manager) == "<LocalManager storages: 2>"

    def test_the_middleware_cleans_up_when_the_response_is_closed(self, namespace: Local) -> None:
        @LocalManager([namespace]).middleware
        def application(environ: Any, start_response: Any) -> list[bytes]:
            """Says who it is."""
            namespace.user = "anna"
            return [b"anna"]

        body: Any = application({}, None)
        assert list(body) == [b"anna"]
        assert namespace.user == "anna"
        body.close()
        assert list(namespace) == []
        assert application.__name__ == "application"
        assert application.__doc__ == "Says who it is."


class Thing:
    """A thing."""

    def __init__(self) -> None:
        self.name = "thing"
        self.asked: list[str] = []

    @property
    def faulty(self) -> int:
        self.asked.append("faulty")
        raise AttributeError("something else")


class TestWhatAProxyStandsFor:
    def test_a_context_variable(self) -> None:
        proxy: Any = LocalProxy(_VALUE)
        thing = Thing()
        context = copy_context()
        context.run(_VALUE.set, thing)
        assert context.run(lambda: proxy.name) == "thing"
        assert context.run(proxy._get_current_object) is thing
        assert context.run(lambda: LocalProxy(_VALUE, "name") + "!") == "thing!"
        with pytest.raises(RuntimeError):
            _ = proxy.name

    def test_the_top_of_a_stack(self, stack: LocalStack[Any]) -> None:
        top, name = stack(), stack("name")
        stack.push(Thing())
        assert isinstance(top, Thing)
        assert name == "thing"
        assert name._get_current_object() is stack.top.name  # type: ignore[union-attr]

    def test_an_attribute_of_a_namespace(self, namespace: Local) -> None:
        user = namespace("user")
        namespace.user = []
        user.append(1)
        assert namespace.user == [1]
        assert namespace("user.__len__")() == 1

    def test_what_a_function_returns(self) -> None:
        value: Any = 1
        proxy: Any = LocalProxy(lambda: value)
        assert proxy == 1
        value = Thing()
        assert proxy._get_current_object() is value
        assert LocalProxy(lambda: value, "name.upper")() == "THING"

    def test_a_namespace_itself_is_not_enough(self, namespace: Local) -> None:
        with pytest.raises(TypeError, match="needs a name"):
            LocalProxy(namespace)

    def test_not_just_anything(self) -> None:
        with pytest.raises(TypeError, match=r"nothing can stand for 'x', which is a str: give a"):
            LocalProxy("x")  # type: ignore[arg-type]

    def test_what_a_function_raises_comes_out(self) -> None:
        def fail() -> Any:
            raise KeyError("x")

        with pytest.raises(KeyError):
            _ = LocalProxy(fail).name


class TestUnbound:
    def proxies(self, **more: Any) -> list[Any]:
        stack: LocalStack[Any] = LocalStack(_STACK)
        return [
            LocalProxy(_VALUE, **more),
            LocalProxy(_VALUE, "name", **more),
            stack(**more),
            stack("name", **more),
            Local(_NAMESPACE)("user", **more),
        ]

    def test_the_error_says_what_to_do(self) -> None:
        for proxy in self.proxies(unbound_message="push a context first"):
            for use in (
                lambda proxy: proxy.name,
                lambda proxy: proxy + 1,
                str,
                len,
                list,
                hash,
                lambda proxy: proxy(),
                lambda proxy: setattr(proxy, "x", 1),
                lambda proxy: delattr(proxy, "x"),
                lambda proxy: proxy._get_current_object(),
                lambda proxy: f"{proxy:>3}",
                lambda proxy: proxy.__enter__,
            ):
                with pytest.raises(RuntimeError, match=r"^push a context first$"):
                    use(proxy)

    def test_without_a_message_it_says_so_too(self) -> None:
        for proxy in self.proxies():
            with pytest.raises(RuntimeError, match="object is not bound"):
                _ = proxy.name

    def test_it_can_be_shown_and_asked_what_it_is(self) -> None:
        for proxy in self.proxies():
            assert repr(proxy) == "<LocalProxy unbound>"
            assert not proxy
            assert dir(proxy) == []
            assert proxy.__class__ is LocalProxy
            assert isinstance(proxy, LocalProxy)
            assert proxy.__doc__ == LocalProxy.__doc__
            assert LocalProxy.__doc__.startswith("A proxy")  # type: ignore[union-attr]
            assert proxy.__wrapped__ is not None
            assert inspect.getmodule(type(proxy)) is not None
            assert proxy.__module__ == "stein.toolkit.proxy"
            assert not callable(getattr(type(proxy), "nothing", None))

    def test_the_wrapped_variable_can_be_reached(self) -> None:
        assert LocalProxy(_VALUE).__wrapped__ is _VALUE
        with pytest.raises(AttributeError):
            _ = proxy_of(1).__wrapped__


class TestAttributes:
    def test_they_are_those_of_the_object(self) -> None:
        thing = Thing()
        proxy = proxy_of(thing)
        proxy.colour = "red"
        assert thing.colour == proxy.colour == "red"  # type: ignore[attr-defined]
        assert proxy.__dict__ is thing.__dict__
        assert "colour" in dir(proxy)
        del proxy.colour
        assert not hasattr(thing, "colour")
        assert not hasattr(proxy, "colour")

    def test_it_looks_like_the_object(self) -> None:
        proxy = proxy_of(Thing())
        assert proxy.__class__ is Thing
        assert proxy.__doc__ == "A thing."
        kind: object = type(proxy)
        assert kind is LocalProxy
        assert isinstance(proxy, Thing)

    def test_a_property_that_fails_is_asked_once(self) -> None:
        thing = Thing()
        with pytest.raises(AttributeError, match="something else"):
            _ = proxy_of(thing).faulty
        assert thing.asked == ["faulty"]

    def test_what_the_object_has_not_the_proxy_has_not(self) -> None:
        proxy = proxy_of(1)
        assert not hasattr(proxy, "__enter__")
        assert not hasattr(proxy, "__aiter__")
        assert not hasattr(proxy, "append")
        with pytest.raises(TypeError):
            len(proxy)

    def test_pickling_pickles_the_object(self) -> None:
        assert pickle.loads(pickle.dumps(proxy_of([1, 2]))) == [1, 2]  # noqa: S301 - our own

    def test_copying_copies_the_object(self) -> None:
        inner = [1]
        for value in ([inner], {"x": inner}, len, 3, "x"):
            copied = copy.copy(proxy_of(value))
            assert copied == value
            assert type(copied) is type(value)
            deep = copy.deepcopy(proxy_of(value))
            assert deep == value
            assert type(deep) is type(value)
        assert copy.copy(proxy_of([inner]))[0] is inner
        assert copy.deepcopy(proxy_of([inner]))[0] is not inner


class TestSubclass:
    class Counting(LocalProxy[Any]):
        """Counts."""

        calls = 0

        def count(self) -> int:
            type(self).calls += 1
            return self.calls

        @property
        def own(self) -> str:
            return "own"

    def test_it_may_have_attributes_of_its_own(self) -> None:
        thing = Thing()
        proxy = self.Counting(lambda: thing)
        assert (proxy.own, proxy.count(), proxy.calls) == ("own", 1, 1)
        assert proxy.name == "thing"
        assert isinstance(proxy, Thing)
        assert proxy.__class__ is Thing
        assert proxy.__doc__ == "Counts."
        assert proxy._get_current_object() is thing
        proxy.colour = "red"
        assert thing.colour == "red"
        with pytest.raises(AttributeError, match="nothing"):
            _ = proxy.nothing

    def test_it_may_be_unbound(self) -> None:
        proxy = self.Counting(_VALUE, unbound_message="bind it")
        assert repr(proxy) == "<Counting unbound>"
        assert proxy.__class__ is self.Counting
        assert proxy.own == "own"
        with pytest.raises(RuntimeError, match="bind it"):
            _ = proxy.name

    def test_its_own_way_of_looking_is_left_alone(self) -> None:
        class Same(LocalProxy[Any]):
            def __getattribute__(self, name: str) -> Any:
                return name

        assert Same(_VALUE).whatever == "whatever"


BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
    *(operator.mod, divmod, pow, operator.lshift, operator.rshift),
    *(operator.and_, operator.or_, operator.xor),
    *(operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge),
]
SMALL = st.integers(1, 20)


def outcome(operation: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return operation(*arguments)
    except (TypeError, ValueError) as error:
        return type(error)


class TestOperators:
    @pytest.mark.parametrize("operation", BINARY, ids=lambda each: each.__name__)
    @given(one=SMALL, other=SMALL)
    def test_two_numbers(self, operation: Callable[..., Any], one: int, other: int) -> None:
        wanted = operation(one, other)
        assert operation(proxy_of(one), other) == wanted
        assert operation(one, proxy_of(other)) == wanted
        assert operation(proxy_of(one), proxy_of(other)) == wanted

    @pytest.mark.parametrize(
        "operation",
        [
            *(operator.neg, operator.pos, operator.invert, abs, int, float, complex, hash, str),
            *(repr, bool, round, bin, hex, math.trunc, math.floor, math.ceil, operator.index),
            format,
        ],
        ids=lambda each: each.__name__,
    )
    @pytest.mark.parametrize("value", [-7, 0, 2.5, "abc"])
    def test_one_value(self, operation: Callable[[Any], Any], value: Any) -> None:
        assert outcome(operation, proxy_of(value)) == outcome(operation, value)

    def test_more_arguments(self) -> None:
        assert round(proxy_of(2.345), 2) == round(2.345, 2)
        assert pow(proxy_of(3), 4, 5) == pow(3, 4, 5)
        assert f"{proxy_of(3.14159):.2f}" == "3.14"
        assert bytes(proxy_of(b"x")) == b"x"

    def test_texts(self) -> None:
        proxy = proxy_of("{} %s")
        assert proxy + "!" == "{} %s!"
        assert "say " + proxy == "say {} %s"
        assert proxy % "x" == "{} x"
        assert proxy.format(1) == "1 %s"
        assert 2 * proxy == proxy * 2

    def test_containers(self) -> None:
        data = [3, 1, 2]
        proxy = proxy_of(data)
        assert (len(proxy), proxy[0], 1 in proxy, 9 in proxy) == (3, 3, True, False)
        assert (list(proxy), sorted(proxy), list(reversed(proxy))) == (data, [1, 2, 3], [2, 1, 3])
        assert operator.length_hint(proxy) == 3
        proxy[1:] = [7]
        del proxy[0]
        assert data == [7]
        assert "abc"[proxy_of(1)] == "b"
        assert next(proxy_of(iter([5]))) == 5

    @pytest.mark.parametrize(
        "name",
        [
            *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow"),
            *("lshift", "rshift", "and", "or", "xor"),
        ],
    )
    def test_augmented_assignment_keeps_the_proxy(self, name: str) -> None:
        class Target:
            got: object = None

        def apply(self: Target, other: object) -> Target:
            self.got = other
            return self

        setattr(Target, f"__i{name}__", apply)
        target = Target()
        proxy = proxy_of(target)
        result = getattr(operator, f"i{name}")(proxy, 3)
        assert result is proxy
        assert type(result) is LocalProxy
        assert target.got == 3

    def test_matrices(self) -> None:
        class Matrix:
            def __matmul__(self, other: int) -> int:
                return other * 2

            def __rmatmul__(self, other: int) -> int:
                return other * 3

        assert proxy_of(Matrix()) @ 2 == 4
        assert 2 @ proxy_of(Matrix()) == 6

    def test_classes(self) -> None:
        proxy = proxy_of(Thing)
        assert type(proxy()) is Thing
        assert isinstance(Thing(), proxy)
        assert not isinstance(1, proxy)
        assert issubclass(Thing, proxy)
        assert not issubclass(int, proxy)
        assert proxy.__mro__ == Thing.__mro__
        assert proxy_of(dict)(a=1) == {"a": 1}

    def test_with_blocks(self) -> None:
        lock = threading.Lock()
        with proxy_of(lock):
            assert lock.locked()
        assert not lock.locked()

    def test_what_is_awaited(self) -> None:
        class Stream:
            def __init__(self) -> None:
                self.left = 2
                self.entered = 0

            def __aiter__(self) -> Stream:
                return self

            async def __anext__(self) -> int:
                if not self.left:
                    raise StopAsyncIteration
                self.left -= 1
                return self.left

            async def __aenter__(self) -> Self:
                self.entered += 1
                return self

            async def __aexit__(self, *exc_info: object) -> None:
                self.entered -= 1

        async def number() -> int:
            return 5

        async def main() -> None:
            stream = Stream()
            proxy = proxy_of(stream)
            async with proxy as entered:
                assert entered is stream
                assert stream.entered == 1
                assert [each async for each in proxy] == [1, 0]
            assert stream.entered == 0
            assert await proxy_of(number()) == 5

        asyncio.run(main())
