"""Attributes that are worked out: once (cached), from the environ, from a header field."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

__all__ = ["cached_property", "environ_property", "header_property"]

T = TypeVar("T")

_MISSING: Final[Any] = object()


class cached_property(property, Generic[T]):  # noqa: N801 - used as a decorator
    """A property that is worked out once for each object, when it is first asked for.

    Setting it replaces the value that is kept, deleting it makes it be worked out anew.  There is
    no lock: two threads that ask for it at once may both work it out.

    A class with ``__slots__`` and without a ``__dict__`` needs a slot ``_cache_<name>``, where the
    name is that of the function.

    :param fget: works it out.
    :param name: under which the value is kept, if it is not the function's name.
    :param doc: the docstring, if it is not the function's.
    """

    def __init__(
        self, fget: Callable[[Any], T], name: str | None = None, doc: str | None = None
    ) -> None:
        super().__init__(fget)
        if doc is not None:
            # Given to property itself, it would be hidden by our own docstring (before 3.13).
            self.__doc__ = doc
        self.__name__ = name or fget.__name__
        self.__module__ = fget.__module__
        self.slot_name = f"_cache_{self.__name__}"

    def __set_name__(self, owner: type, name: str) -> None:
        # A subclass may do more in __get__; leave it as it is.
        if type(self) is cached_property and owner.__dictoffset__:
            setattr(owner, name, _Kept(self, name))

    @overload
    def __get__(self, obj: None, type: type | None = None) -> Self: ...
    @overload
    def __get__(self, obj: Any, type: type | None = None) -> T: ...
    def __get__(self, obj: Any, type: type | None = None) -> Any:  # noqa: A002 - part of the interface
        if obj is None:
            return self
        values = getattr(obj, "__dict__", None)
        if values is None:
            value = getattr(obj, self.slot_name, _MISSING)
            if value is _MISSING:
                value = self.fget(obj)  # type: ignore[misc] # never None
                setattr(obj, self.slot_name, value)
        else:
            value = values.get(self.__name__, _MISSING)
            if value is _MISSING:
                value = values[self.__name__] = self.fget(obj)  # type: ignore[misc]
        return value

    def __set__(self, obj: Any, value: T) -> None:
        if hasattr(obj, "__dict__"):
            obj.__dict__[self.__name__] = value
        else:
            setattr(obj, self.slot_name, value)

    def __delete__(self, obj: Any) -> None:
        if not hasattr(obj, "__dict__"):
            delattr(obj, self.slot_name)
        elif obj.__dict__.pop(self.__name__, _MISSING) is _MISSING:
            raise AttributeError(f"{self.__name__!r} has no value yet that could be deleted")


class _Kept:
    """What a :class:`cached_property` becomes in a class whose objects have a ``__dict__``.

    PERF: since this has no ``__set__``, an object's own ``__dict__`` comes before it, and reading
    a kept value calls nothing.  A property has one, and so has any subclass (4 x as slow).
    """

    fset = fdel = None

    def __init__(self, origin: cached_property[Any], attribute: str) -> None:
        self.fget: Callable[[Any], Any] = origin.fget  # type: ignore[assignment] # never None
        self.__name__ = origin.__name__
        self.__doc__ = origin.__doc__
        self.__module__ = origin.__module__
        self.attribute = attribute

    @property  # type: ignore[misc] # nobody may set it
    def __class__(self) -> type:
        """What :mod:`inspect` and those who build documentation shall take it for."""
        return cached_property

    @property
    def __isabstractmethod__(self) -> bool:
        return getattr(self.fget, "__isabstractmethod__", False)

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        if obj is None:
            return self
        values = obj.__dict__
        # It is there if someone comes past the object, as super() does.
        value = values.get(self.attribute, _MISSING)
        if value is _MISSING:
            value = values[self.attribute] = self.fget(obj)
        return value


class _EntryProperty(Generic[T]):
    """An attribute that stands for an entry of a mapping which the object has.

    :param name: the key.
    :param default: the value if there is no entry, or ``load_func`` cannot read it.
    :param load_func: reads the entry; ValueError and TypeError tell that it cannot.
    :param dump_func: turns what is assigned into the entry.
    :param read_only: refuse to set and to delete it.
    :param doc: the docstring.
    """

    read_only = False

    #: finds the mapping in the object
    lookup: Callable[[Any], MutableMapping[str, Any]]

    def __init__(  # noqa: PLR0913, PLR0917 - the interface of its subclasses
        self,
        name: str,
        default: T | None = None,
        load_func: Callable[[str], T] | None = None,
        dump_func: Callable[[T], str] | None = None,
        read_only: bool | None = None,  # noqa: FBT001 - positional in the interface
        doc: str | None = None,
    ) -> None:
        self.__doc__ = doc
        self.name, self.default = name, default
        self.load_func, self.dump_func = load_func, dump_func
        if read_only is not None:
            self.read_only = read_only

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: Any, owner: type) -> T: ...

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = self.lookup(instance).get(self.name, _MISSING)
        if value is _MISSING:
            return self.default
        if self.load_func is None:
            return value
        try:
            return self.load_func(value)
        except (ValueError, TypeError):
            return self.default

    def __set__(self, instance: Any, value: T) -> None:
        if self.read_only:
            self._refuse(instance)
        entry = value if self.dump_func is None else self.dump_func(value)
        self.lookup(instance)[self.name] = entry

    def __delete__(self, instance: Any) -> None:
        if self.read_only:
            self._refuse(instance)
        self.lookup(instance).pop(self.name, None)

    def _refuse(self, instance: Any) -> None:
        raise AttributeError(
            f"{self.name!r} of a {type(instance).__name__} is read only; "
            f"give {type(self).__name__}(..., read_only=False) to have it otherwise"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class environ_property(_EntryProperty[T]):  # noqa: N801 - reads like property
    """An entry of ``self.environ``, read only unless it is made otherwise.

    ::

        class Request:
            method = environ_property("REQUEST_METHOD", "GET")
    """

    read_only = True
    # PERF: written in C; a method that says `return obj.environ` costs a call of Python more.
    lookup = staticmethod(attrgetter("environ"))


class header_property(_EntryProperty[T]):  # noqa: N801 - reads like property
    """A field of ``self.headers``, as :class:`environ_property` is an entry of the environ."""

    lookup = staticmethod(attrgetter("headers"))
