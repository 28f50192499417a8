"""A proxy that stands for "the current" object of its kind: :class:`LocalProxy`."""

from __future__ import annotations

import math
import operator
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeAlias

    #: picks the attribute that a proxy stands for; None if it stands for the object itself
    Pick: TypeAlias = Callable[[Any], Any] | None

    class Place(Protocol):
        """Somewhere a proxy can get its object from, such as a stack."""

        def __current__(self, pick: Pick, unbound_message: str) -> Callable[[], Any]:
            """A function that gives the object, or raises RuntimeError with the message."""


__all__ = ["LocalProxy"]

T = TypeVar("T")


def _function(local: Any, name: str | None, unbound_message: str | None) -> Callable[[], Any]:
    """The function that gives the object a proxy stands for."""
    message = "object is not bound" if unbound_message is None else unbound_message
    pick = None if name is None else attrgetter(name)
    if isinstance(local, ContextVar):
        return _read(local.get, pick, message)
    place = getattr(type(local), "__current__", None)
    if place is not None:
        current: Callable[[], Any] = place(local, pick, message)
        return current
    if not callable(local):
        kind = type(local).__name__
        raise TypeError(
            f"nothing can stand for {local!r}, which is a {kind}: give a ContextVar, a Local, a "
            "LocalStack, or a function that returns the object"
        )
    if pick is None:
        function: Callable[[], Any] = local
        return function
    return lambda: pick(local())


def _read(get: Callable[[], Any], pick: Pick, message: str) -> Callable[[], Any]:
    def current() -> Any:
        try:
            found = get()
        except LookupError:
            raise RuntimeError(message) from None
        return found if pick is None else pick(found)

    return current


class _Holder:
    """The slots of a proxy, in a class of their own so that its methods can be made with them."""

    __slots__ = ("_LocalProxy__wrapped", "_get_current_object")


#: gives a proxy's function, past the proxy's own ``__getattribute__``
_function_of: Final[Callable[[LocalProxy[Any]], Callable[[], Any]]] = (
    _Holder._get_current_object.__get__  # type: ignore[attr-defined]  # noqa: SLF001 - our slot
)

# -- its special methods ----------------------------------------------------------------------
# Python looks for them in the class, past __getattribute__, so that there must be one of each
# there.  Each does its operation once more, on the object.


def _unary(operation: Callable[[Any], Any]) -> Callable[[LocalProxy[Any]], Any]:
    return lambda self: operation(_function_of(self)())


def _binary(operation: Callable[[Any, Any], Any]) -> Callable[[LocalProxy[Any], Any], Any]:
    return lambda self, other: operation(_function_of(self)(), other)


def _any_number(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args: operation(_function_of(self)(), *args)


def _reflected(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other, *more: operation(other, _function_of(self)(), *more)


def _in_place(operation: Callable[[Any, Any], Any]) -> Callable[[LocalProxy[Any], Any], Any]:
    """An augmented assignment: the name goes on to stand for the proxy, not for the result."""

    def method(self: LocalProxy[Any], other: Any) -> LocalProxy[Any]:
        operation(_function_of(self)(), other)
        return self

    return method


class _Forwarded:
    """A method or attribute that is looked up in the object, and may be missing there.

    :param fallback: gives the value for a proxy that is not bound.
    :param on_class: the value for the class itself.
    """

    __slots__ = ("_fallback", "_name", "_on_class")

    def __init__(
        self,
        fallback: Callable[[LocalProxy[Any]], Any] | None = None,
        on_class: object = None,
    ) -> None:
        self._fallback = fallback
        self._on_class = on_class

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: LocalProxy[Any] | None, owner: type | None = None) -> Any:
        if instance is None:
            return self if self._on_class is None else self._on_class
        try:
            current = _function_of(instance)()
        except RuntimeError:
            if self._fallback is None:
                raise
            return self._fallback(instance)
        return getattr(current, self._name)


#: attributes of the proxy, not of the object
_OWN: Final = frozenset({"_LocalProxy__wrapped", "_get_current_object", "__copy__", "__deepcopy__"})


class LocalProxy(_Holder, Generic[T]):
    """A proxy that stands for another object: whatever is done to it is done to that.

    ::

        _request = ContextVar("request")
        request = LocalProxy(_request)  # what the variable holds
        session = LocalProxy(_request, "session")  # an attribute of it

    Only ``type(proxy)`` tells it from the object; ``isinstance`` looks at the object.  A subclass
    may have attributes of its own, and pays for them with a slower access to all.

    :param local: says which object it is at present: a context variable, a function (what it
        returns), a ``LocalStack`` (what lies on top), or a ``Local`` (``name`` is needed).
    :param name: stand for this attribute of the object; dots lead further.
    :param unbound_message: of the RuntimeError when there is no object at present.  It should say
        what to do about it.
    """

    __slots__ = ()

    #: gives the object itself, for someone who must not get a proxy, or before many accesses
    _get_current_object: Callable[[], T]

    def __init__(
        self,
        local: ContextVar[T] | Place | Callable[[], T],
        name: str | None = None,
        *,
        unbound_message: str | None = None,
    ) -> None:
        object.__setattr__(self, "_LocalProxy__wrapped", local)
        object.__setattr__(self, "_get_current_object", _function(local, name, unbound_message))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__getattribute__" not in cls.__dict__:
            cls.__getattribute__ = _own_first  # type: ignore[method-assign]

    # PERF: frameworks read attributes through a proxy all the time (`request.args`).  The plain
    # way is __getattr__, for which Python makes an AttributeError each time (2 x as slow).
    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            if name == "_get_current_object":
                return _function_of(self)
            return object.__getattribute__(self, name)
        try:
            current = _function_of(self)()
        except RuntimeError:
            if hasattr(LocalProxy, name):
                return object.__getattribute__(self, name)
            raise
        return getattr(current, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_function_of(self)(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_function_of(self)(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object."""
        return _function_of(self)()(*args, **kwargs)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, _function_of(self)())

    def __subclasscheck__(self, subclass: Any) -> bool:
        return issubclass(subclass, _function_of(self)())

    def __copy__(self) -> Any:
        from copy import copy  # noqa: PLC0415 - only who copies needs it

        return copy(_function_of(self)())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        from copy import deepcopy  # noqa: PLC0415

        return deepcopy(_function_of(self)(), memo)

    # -- what a proxy that is not bound has, too

    def __repr__(self) -> str:
        try:
            current = _function_of(self)()
        except RuntimeError:
            return f"<{type(self).__name__} unbound>"
        return repr(current)

    def __bool__(self) -> bool:
        try:
            current = _function_of(self)()
        except RuntimeError:
            return False
        return bool(current)

    def __dir__(self) -> list[str]:
        try:
            current = _function_of(self)()
        except RuntimeError:
            return []
        return dir(current)

    __class__ = _Forwarded(type)
    __doc__ = _Forwarded(lambda self: type(self).__doc__, on_class=__doc__)
    __wrapped__ = _Forwarded(attrgetter("_LocalProxy__wrapped"))

    # -- what an object has or has not

    __aenter__ = _Forwarded()
    __aexit__ = _Forwarded()
    __aiter__ = _Forwarded()
    __anext__ = _Forwarded()
    __await__ = _Forwarded()
    __enter__ = _Forwarded()
    __exit__ = _Forwarded()
    __format__ = _Forwarded()

    # -- operators

    __eq__ = _binary(operator.eq)
    __ne__ = _binary(operator.ne)
    __lt__ = _binary(operator.lt)
    __le__ = _binary(operator.le)
    __gt__ = _binary(operator.gt)
    __ge__ = _binary(operator.ge)
    __hash__ = _unary(hash)

    __str__ = _unary(str)
    __bytes__ = _unary(bytes)
    __int__ = _unary(int)
    __float__ = _unary(float)
    __complex__ = _unary(complex)
    __index__ = _unary(operator.index)
    __round__ = _any_number(round)
    __trunc__ = _unary(math.trunc)
    __floor__ = _unary(math.floor)
    __ceil__ = _unary(math.ceil)
    __neg__ = _unary(operator.neg)
    __pos__ = _unary(operator.pos)
    __abs__ = _unary(abs)
    __invert__ = _unary(operator.invert)

    __len__ = _unary(len)
    __length_hint__ = _unary(operator.length_hint)
    __iter__ = _unary(iter)
    __next__ = _unary(next)
    __reversed__ = _unary(reversed)
    __contains__ = _binary(operator.contains)
    __getitem__ = _binary(operator.getitem)
    __setitem__ = _any_number(operator.setitem)
    __delitem__ = _binary(operator.delitem)

    __add__ = _binary(operator.add)
    __sub__ = _binary(operator.sub)
    __mul__ = _binary(operator.mul)
    __matmul__ = _binary(operator.matmul)
    __truediv__ = _binary(operator.truediv)
    __floordiv__ = _binary(operator.floordiv)
    __mod__ = _binary(operator.mod)
    __divmod__ = _binary(divmod)
    __pow__ = _any_number(pow)
    __lshift__ = _binary(operator.lshift)
    __rshift__ = _binary(operator.rshift)
    __and__ = _binary(operator.and_)
    __or__ = _binary(operator.or_)
    __xor__ = _binary(operator.xor)

    __radd__ = _reflected(operator.add)
    __rsub__ = _reflected(operator.sub)
    __rmul__ = _reflected(operator.mul)
    __rmatmul__ = _reflected(operator.matmul)
    __rtruediv__ = _reflected(operator.truediv)
    __rfloordiv__ = _reflected(operator.floordiv)
    __rmod__ = _reflected(operator.mod)
    __rdivmod__ = _reflected(divmod)
    __rpow__ = _reflected(pow)
    __rlshift__ = _reflected(operator.lshift)
    __rrshift__ = _reflected(operator.rshift)
    __rand__ = _reflected(operator.and_)
    __ror__ = _reflected(operator.or_)
    __rxor__ = _reflected(operator.xor)

    __iadd__ = _in_place(operator.iadd)
    __isub__ = _in_place(operator.isub)
    __imul__ = _in_place(operator.imul)
    __imatmul__ = _in_place(operator.imatmul)
    __itruediv__ = _in_place(operator.itruediv)
    __ifloordiv__ = _in_place(operator.ifloordiv)
    __imod__ = _in_place(operator.imod)
    __ipow__ = _in_place(operator.ipow)
    __ilshift__ = _in_place(operator.ilshift)
    __irshift__ = _in_place(operator.irshift)
    __iand__ = _in_place(operator.iand)
    __ior__ = _in_place(operator.ior)
    __ixor__ = _in_place(operator.ixor)


def _own_first(self: LocalProxy[Any], name: str) -> Any:
    """``__getattribute__`` of a subclass: what the class has comes before what the object has."""
    try:
        return object.__getattribute__(self, name)
    except AttributeError:
        return getattr(_function_of(self)(), name)
