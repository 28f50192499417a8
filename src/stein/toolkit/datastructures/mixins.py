"""What makes a container immutable, or makes it tell that it was changed.

The mixins stand in front of ``list``, ``dict``, ``MultiDict`` or ``Headers`` in a class's bases.
They are public because programs build their own classes from them.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import SupportsIndex

__all__ = [
    "ImmutableDictMixin",
    "ImmutableHeadersMixin",
    "ImmutableListMixin",
    "ImmutableMultiDictMixin",
    "UpdateDictMixin",
]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

#: stands for an argument that was not given, where None is a value like any other
MISSING: Final[Any] = object()


def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
    """Refuse: what would change this object raises :exc:`TypeError`."""
    name = type(self).__name__
    raise TypeError(
        f"{name!r} objects are immutable; change a copy instead: most kinds give one with .copy()"
    )


class ImmutableListMixin:
    """Refuses, with a :exc:`TypeError`, whatever changes a :class:`list`; the list is hashable."""

    _hash_cache: int | None = None

    def __hash__(self) -> int:
        if self._hash_cache is None:
            self._hash_cache = hash(tuple(self))  # type: ignore[arg-type]
        return self._hash_cache

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return type(self), (list(self),)  # type: ignore[call-overload]

    __delitem__ = __setitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse


class ImmutableDictMixin(Generic[K, V]):
    """Refuses, with a :exc:`TypeError`, whatever changes a :class:`dict`; the dict is hashable."""

    _hash_cache: int | None = None

    @classmethod
    def fromkeys(cls, keys: Iterable[K], value: Any = None) -> Self:
        """Make one that has the same value under each key."""
        return cls(zip(keys, repeat(value)))  # type: ignore[call-arg]  # the dict takes pairs

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return type(self), (dict(self),)  # type: ignore[call-overload]

    def _iter_hashitems(self) -> Iterable[Any]:
        return self.items()  # type: ignore[attr-defined,no-any-return]

    def __hash__(self) -> int:
        if self._hash_cache is None:
            self._hash_cache = hash(frozenset(self._iter_hashitems()))
        return self._hash_cache

    __delitem__ = __setitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


class ImmutableMultiDictMixin(ImmutableDictMixin[K, V]):
    """Refuses, with a :exc:`TypeError`, whatever changes a ``MultiDict``; it is hashable."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return type(self), (list(self.items(multi=True)),)  # type: ignore[attr-defined]

    def _iter_hashitems(self) -> Iterable[Any]:
        return self.items(multi=True)  # type: ignore[attr-defined,no-any-return]

    add = popitemlist = poplist = setlist = setlistdefault = _refuse


class ImmutableHeadersMixin:
    """Refuses, with a :exc:`TypeError`, whatever changes ``Headers``.

    It gives no hash: what stands behind it may change all the same, as an environ does.
    """

    __delitem__ = __setitem__ = __ior__ = _refuse
    add = add_header = clear = extend = insert = pop = popitem = remove = _refuse
    set = setdefault = setlist = setlistdefault = update = _refuse


class UpdateDictMixin(dict[K, V]):
    """A dict that calls ``on_update`` with itself after each change.

    What could change it and does not (``pop`` or ``setdefault`` that find nothing to do) makes no
    call; nor does what raises.
    """

    on_update: Callable[[Self], None] | None = None

    def _changed(self: Self) -> None:  # said again, as mypy takes it for the class otherwise
        tell = self.on_update
        if tell is not None:
            tell(self)

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self._changed()

    def __delitem__(self, key: K) -> None:
        super().__delitem__(key)
        self._changed()

    def __ior__(  # type: ignore[override,misc]  # dict's has overloads by the values' type
        self, other: Mapping[K, V] | Iterable[tuple[K, V]]
    ) -> Self:
        super().__ior__(other)
        self._changed()
        return self

    def clear(self) -> None:
        """Remove all items."""
        super().clear()
        self._changed()

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: V) -> V: ...
    @overload
    def pop(self, key: K, default: T) -> V | T: ...
    def pop(self, key: K, default: Any = MISSING) -> Any:
        """Remove a key and give its value, or the default where there is no such key.

        :raises KeyError: if there is neither.
        """
        if key not in self and default is not MISSING:
            return default
        value = super().pop(key)
        self._changed()
        return value

    def popitem(self) -> tuple[K, V]:
        """Remove the newest item and give it."""
        item = super().popitem()
        self._changed()
        return item

    @overload
    def setdefault(self, key: K, default: None = None) -> V | None: ...
    @overload
    def setdefault(self, key: K, default: V) -> V: ...
    def setdefault(self, key: K, default: Any = None) -> Any:
        """Give the value of a key; set it to the default first where there is no such key."""
        if key in self:
            return self[key]
        super().__setitem__(key, default)
        self._changed()
        return default

    def update(  # type: ignore[override]  # dict's has overloads by the kind of argument
        self, arg: Mapping[K, V] | Iterable[tuple[K, V]] = (), /, **kwargs: V
    ) -> None:
        """Set the items of a mapping, or pairs, and of the keywords; one call for all of them."""
        super().update(arg or (), **kwargs)  # or None, as ever
        self._changed()
