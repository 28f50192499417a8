"""What each context has of its own: a namespace, a stack, and proxies to what is in them.

A context is what :mod:`contextvars` says: every thread, every asyncio task and every greenlet
has its own.  A new task begins with what its creator had at that moment, so that no value here is
ever changed in place; a change makes a new dictionary or list.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from stein.toolkit.proxy import LocalProxy
from stein.toolkit.wsgi import ClosingIterator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stein.toolkit.proxy import Pick
    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["Local", "LocalManager", "LocalProxy", "LocalStack", "release_local"]

T = TypeVar("T")

_NOTHING: Final[dict[str, Any]] = {}


def release_local(local: Local | LocalStack[Any]) -> None:
    """Empty a :class:`Local` or a :class:`LocalStack`, for the current context only."""
    local.__release_local__()


class Local:
    """A namespace: its attributes are those of the current context.

    :param context_var: where to keep them; by default a variable of its own.  Make it once for
        the module: context variables are not collected as garbage.
    """

    # Mangled, since every plain name may be that of an attribute.
    __slots__ = ("__storage",)

    __storage: ContextVar[dict[str, Any]]

    def __init__(self, context_var: ContextVar[dict[str, Any]] | None = None) -> None:
        storage = ContextVar(f"stein.Local({id(self)})") if context_var is None else context_var
        object.__setattr__(self, "_Local__storage", storage)

    def __call__(self, name: str, *, unbound_message: str | None = None) -> LocalProxy[Any]:
        """A proxy that stands for one of the attributes.

        :param unbound_message: of the error when the attribute is not set.
        """
        return LocalProxy(self, name, unbound_message=unbound_message)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.__storage.get(_NOTHING).items())

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__storage.get(_NOTHING)[name]
        except KeyError:
            raise AttributeError(f"{name!r} is not set in this context") from None

    def __setattr__(self, name: str, value: Any) -> None:
        values = self.__storage.get(_NOTHING).copy()
        values[name] = value
        self.__storage.set(values)

    def __delattr__(self, name: str) -> None:
        values = self.__storage.get(_NOTHING).copy()
        if name not in values:
            raise AttributeError(f"{name!r} is not set in this context")
        del values[name]
        self.__storage.set(values)

    def __release_local__(self) -> None:
        self.__storage.set({})

    def __current__(self, pick: Pick, unbound_message: str) -> Callable[[], Any]:
        if pick is None:
            raise TypeError(
                "a namespace has no current object: LocalProxy(local, name) needs a name"
            )

        def current() -> Any:
            try:
                return pick(self)
            except AttributeError:
                raise RuntimeError(unbound_message) from None

        return current


class LocalStack(Generic[T]):
    """A stack: what lies on it is that of the current context.

    :param context_var: as in :class:`Local`.
    """

    __slots__ = ("_storage",)

    _storage: ContextVar[list[T]]

    def __init__(self, context_var: ContextVar[list[T]] | None = None) -> None:
        self._storage = (
            ContextVar(f"stein.LocalStack({id(self)})") if (context_var is None) else context_var
        )

    def __call__(
        self, name: str | None = None, *, unbound_message: str | None = None
    ) -> LocalProxy[Any]:
        """A proxy that stands for what lies on top.

        :param name: stand for this attribute of it.
        :param unbound_message: of the error when the stack is empty.
        """
        return LocalProxy(self, name, unbound_message=unbound_message)

    @property
    def top(self) -> T | None:
        """What lies on top; None if the stack is empty."""
        stack = self._storage.get(None)
        return stack[-1] if stack else None

    def push(self, obj: T) -> list[T]:
        """Lay something on top; gives the whole stack."""
        stack = [*self._storage.get(()), obj]
        self._storage.set(stack)
        return stack

    def pop(self) -> T | None:
        """Take away what lies on top, and give it; None if the stack is empty."""
        stack = self._storage.get(None)
        if not stack:
            return None
        self._storage.set(stack[:-1])
        return stack[-1]

    def __release_local__(self) -> None:
        self._storage.set([])

    def __current__(self, pick: Pick, unbound_message: str) -> Callable[[], Any]:
        def current() -> Any:
            found = self.top
            if found is None:
                raise RuntimeError(unbound_message)
            return found if pick is None else pick(found)

        return current


class LocalManager:
    """Empties namespaces and stacks at the end of a request.

    :param locals: one or several.
    """

    __slots__ = ("locals",)

    def __init__(
        self,
        locals: Local | LocalStack[Any] | Iterable[Local | LocalStack[Any]] | None = None,  # noqa: A002 - part of the interface
    ) -> None:
        self.locals: list[Local | LocalStack[Any]]
        if isinstance(locals, Local | LocalStack):
            self.locals = [locals]
        else:
            self.locals = list(locals or ())

    def cleanup(self) -> None:
        """Empty them all, for the current context."""
        for each in self.locals:
            release_local(each)

    def make_middleware(self, app: WSGIApplication) -> WSGIApplication:
        """Wrap an application: when the server closes its response, :meth:`cleanup` is called."""

        def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            return ClosingIterator(app(environ, start_response), self.cleanup)

        return application

    def middleware(self, func: WSGIApplication) -> WSGIApplication:
        """:meth:`make_middleware` as a decorator: the name and docstring stay."""
        return update_wrapper(self.make_middleware(func), func)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} storages: {len(self.locals)}>"
