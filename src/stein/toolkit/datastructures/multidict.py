"""Dicts whose keys have several values, as the fields of a form and the words of a query do.

A :class:`MultiDict` is a real ``dict`` that stores one list per key.  What reads like a dict sees
the first value of a key; ``getlist``, ``lists`` and ``items(multi=True)`` see all of them.
"""

# ruff: noqa: A002, FBT001, FBT002 - ``type``, ``multi`` and ``flat`` are what programs call them

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self, TypeAlias, TypeVar, overload

from stein.toolkit.datastructures.conversion import (
    ImmutableDict,
    ImmutableList,
    ImmutableTypeConversionDict,
    TypeConversionDict,
)
from stein.toolkit.datastructures.mixins import MISSING, ImmutableMultiDictMixin
from stein.toolkit.exceptions import BadRequestKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import SupportsIndex

__all__ = [
    "CombinedMultiDict",
    "ImmutableDict",
    "ImmutableList",
    "ImmutableMultiDict",
    "ImmutableTypeConversionDict",
    "MultiDict",
    "TypeConversionDict",
    "iter_multi_items",
]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

#: whatever a MultiDict can be made from
Source: TypeAlias = (
    "MultiDict[K, V] | Mapping[K, V | list[V] | tuple[V, ...] | set[V]] | Iterable[tuple[K, V]]"
)

#: as the value of a mapping, these are several values
_SEVERAL: Final = (list, tuple, set)

# The storage below the MultiDict: the plain methods of dict, which see the lists.
# PERF: `super().get(key)` builds a super object per call on Python 3.11.
_stored_get: Final[Any] = dict.get
_stored_set: Final[Any] = dict.__setitem__
_stored_items: Final[Any] = dict.items
_stored_values: Final[Any] = dict.values
_stored_pop: Final[Any] = dict.pop
_stored_popitem: Final[Any] = dict.popitem
_stored_update: Final[Any] = dict.update


def iter_multi_items(mapping: Source[K, V]) -> Iterator[tuple[K, V]]:
    """Give all pairs of a multidict, a mapping or pairs, and drop none of them.

    :param mapping: a ``MultiDict``; a mapping, whose values may be lists, tuples or sets of
        values; or pairs.
    """
    if isinstance(mapping, MultiDict):
        return iter(mapping.items(multi=True))
    if isinstance(mapping, Mapping):
        return _flattened(mapping)
    return iter(mapping)


def _flattened(mapping: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    for key, value in mapping.items():
        if isinstance(value, _SEVERAL):
            for each in value:
                yield key, each
        else:
            yield key, value


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    if pairs.__class__ is list:
        # PERF: most keys have one value, and one sweep makes them all (bench: form-urlencoded).
        groups = {key: [value] for key, value in pairs}
        if len(groups) == len(pairs):
            return groups
    groups = {}
    for key, value in pairs:
        # PERF: `setdefault(key, []).append(value)` makes a list and two calls for each pair.
        if key in groups:
            groups[key].append(value)
        else:
            groups[key] = [value]
    return groups


def _grouped_mapping(mapping: Mapping[Any, Any]) -> dict[Any, list[Any]]:
    groups = {}
    for key, value in mapping.items():
        if not isinstance(value, _SEVERAL):
            groups[key] = [value]
        elif value:
            groups[key] = list(value)
    return groups


class MultiDict(TypeConversionDict[K, V]):
    """A dict whose keys may have several values, in order.

    It is a ``dict``: subscripts, ``get``, ``items`` and iteration see the first value of a key.
    A key that is missing raises ``BadRequestKeyError``, which is a ``KeyError`` and, where nobody
    catches it, the answer 400 Bad Request.

    :param mapping: a ``MultiDict``, a mapping (whose values may be lists, tuples or sets of
        values), pairs, or nothing.
    """

    def __init__(self, mapping: Source[K, V] | None = None) -> None:
        if mapping is None:
            return
        kind: Any = type(mapping)
        # PERF: asking an abstract class about a list costs as much as storing three pairs.
        if kind is list or kind is tuple:
            if mapping:
                _stored_update(self, _grouped(mapping))  # type: ignore[arg-type]
        elif isinstance(mapping, MultiDict):
            stored = _stored_items if kind.lists is MultiDict.lists else kind.lists
            _stored_update(self, {key: values[:] for key, values in stored(mapping)})
        elif isinstance(mapping, Mapping):
            _stored_update(self, _grouped_mapping(mapping))
        else:
            _stored_update(self, _grouped(mapping))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """See to it that a ``__getitem__`` of a subclass is what ``get`` asks, too."""
        super().__init_subclass__(**kwargs)
        if cls.get is MultiDict.get and cls.__getitem__ is not MultiDict.__getitem__:
            cls.get = TypeConversionDict.get  # type: ignore[method-assign]

    @classmethod
    def from_lists(cls, lists: Mapping[K, list[V]]) -> Self:
        """Make one from lists that are its own from now on: nothing is looked at or copied.

        :param lists: key -> values, at least one.
        """
        self = cls.__new__(cls)
        _stored_update(self, lists)
        return self

    def __getstate__(self) -> Any:
        return dict(self.lists())

    def __setstate__(self, value: Any) -> None:
        dict.clear(self)
        _stored_update(self, value)

    def __iter__(self) -> Iterator[K]:
        # Not what it looks like: without a method of its own here, `dict(self)` and `{**self}`
        # would copy the storage, lists and all (https://github.com/python/cpython/issues/87412).
        return dict.__iter__(self)

    def __getitem__(self, key: K) -> V:
        values = _stored_get(self, key)
        if values:
            return values[0]  # type: ignore[no-any-return]
        raise BadRequestKeyError(key)

    def __setitem__(self, key: K, value: V) -> None:
        _stored_set(self, key, [value])

    if not TYPE_CHECKING:  # the types are those of TypeConversionDict

        def get(self, key: Any, default: Any = None, type: Any = None) -> Any:
            """Give the first value of a key, converted, or the default.

            :param key: which values.
            :param default: what to give where there is no such key, or where its value cannot
                be converted.
            :param type: what converts the value: ``int``, ``float``, any callable.  It says with
                ``ValueError`` or ``TypeError`` that it cannot.
            """
            # PERF: the inherited method asks `self[key]`, and pays an exception for a missing key.
            values = _stored_get(self, key)
            if not values:
                return default
            if type is None:
                return values[0]
            try:
                return type(values[0])
            except (ValueError, TypeError):
                return default

    def add(self, key: K, value: V) -> None:
        """Add a value to those of a key."""
        values = _stored_get(self, key)
        if values is None:
            _stored_set(self, key, [value])
        else:
            values.append(value)

    @overload
    def getlist(self, key: K) -> list[V]: ...
    @overload
    def getlist(self, key: K, type: Callable[[V], T]) -> list[T]: ...
    def getlist(self, key: K, type: Callable[[V], Any] | None = None) -> list[Any]:
        """Give all values of a key, in a list of the caller's own.

        :param type: what converts each value; the list leaves out those for which it raises
            ``ValueError`` or ``TypeError``.
        """
        values = _stored_get(self, key)
        if values is None:
            return []
        return [*values] if type is None else _converted(values, type)

    def setlist(self, key: K, new_list: Iterable[V]) -> None:
        """Set the values of a key, in place of those it had.

        :param new_list: is copied.
        """
        _stored_set(self, key, list(new_list))

    @overload
    def setdefault(self, key: K, default: None = None) -> V | None: ...
    @overload
    def setdefault(self, key: K, default: V) -> V: ...
    def setdefault(self, key: K, default: Any = None) -> Any:
        """Give the first value of a key; set it to the default where there is no such key."""
        if key not in self:
            self[key] = default
        return self[key]

    def setlistdefault(self, key: K, default_list: Iterable[V] | None = None) -> list[V]:
        """Give the values of a key; set them to a copy of the defaults where there are none.

        :return: the stored list itself: what is done to it is done to the key.
        """
        if key not in self:
            _stored_set(self, key, list(default_list or ()))
        return _stored_get(self, key)  # type: ignore[no-any-return]

    def items(self, multi: bool = False) -> Iterable[tuple[K, V]]:  # type: ignore[override]
        """Give the pairs, one for each key, as they are now.

        :param multi: give a pair for each value of each key.
        """
        # PERF: a generator takes half as long again as the list, and breaks when the loop over it
        # changes the dict.
        if multi:
            return iter([(key, value) for key, values in _stored_items(self) for value in values])
        return iter([(key, values[0]) for key, values in _stored_items(self) if values])

    def lists(self) -> Iterable[tuple[K, list[V]]]:
        """Give each key with a list of all its values, which is the caller's own."""
        return iter([(key, [*values]) for key, values in _stored_items(self)])

    def values(self) -> Iterable[V]:  # type: ignore[override]
        """Give the first value of each key."""
        return iter([values[0] for values in _stored_values(self) if values])

    def listvalues(self) -> Iterable[list[V]]:
        """Give the stored list of each key."""
        return _stored_values(self)  # type: ignore[no-any-return]

    def copy(self) -> Self:
        """Give a copy with lists of its own and the same values."""
        return self.__class__(self)

    def deepcopy(self, memo: Any = None) -> Self:
        """Give a copy whose values are copies."""
        return self.__class__(deepcopy(self.to_dict(flat=False), memo))

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Self:
        return self.deepcopy(memo=memo)

    @overload
    def to_dict(self, flat: Literal[True] = ...) -> dict[K, V]: ...
    @overload
    def to_dict(self, flat: Literal[False]) -> dict[K, list[V]]: ...
    def to_dict(self, flat: bool = True) -> dict[K, V] | dict[K, list[V]]:
        """Give a plain dict.

        :param flat: with the first value of each key; otherwise with a list of all its values.
        """
        if not flat:
            return dict(self.lists())
        if type(self).items is MultiDict.items:
            return {key: values[0] for key, values in _stored_items(self) if values}
        return dict(self.items())

    def update(self, mapping: Source[K, V]) -> None:  # type: ignore[override]
        """Add all values of another multidict, mapping or pairs to those that are there."""
        add = self.add
        for key, value in iter_multi_items(mapping):
            add(key, value)

    def __or__(  # type: ignore[override]
        self, other: Mapping[K, V | list[V] | tuple[V, ...] | set[V]]
    ) -> MultiDict[K, V]:
        if not isinstance(other, Mapping):
            return NotImplemented
        result = self.copy()
        result.update(other)
        return result

    def __ior__(self, other: Source[K, V]) -> Self:  # type: ignore[override]
        if not isinstance(other, Iterable):
            return NotImplemented
        self.update(other)
        return self

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: V) -> V: ...
    @overload
    def pop(self, key: K, default: T) -> V | T: ...
    def pop(self, key: K, default: Any = MISSING) -> Any:
        """Remove a key with all its values, and give the first of them.

        :param default: what to give where there is no value.
        :raises BadRequestKeyError: if there is neither.
        """
        values = _stored_pop(self, key, None)
        if values:
            return values[0]
        if default is MISSING:
            raise BadRequestKeyError(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Remove the newest key, and give it with its first value.

        :raises BadRequestKeyError: if there is none.
        """
        key, values = self.popitemlist()
        if not values:
            raise BadRequestKeyError(key)
        return key, values[0]

    def poplist(self, key: K) -> list[V]:
        """Remove a key, and give its values; none where there is no such key."""
        return _stored_pop(self, key, [])  # type: ignore[no-any-return]

    def popitemlist(self) -> tuple[K, list[V]]:
        """Remove the newest key, and give it with all its values.

        :raises BadRequestKeyError: if there is none.
        """
        try:
            return _stored_popitem(self)  # type: ignore[no-any-return]
        except KeyError as error:
            raise BadRequestKeyError(*error.args) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.items(multi=True))!r})"


def _converted(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    converted = []
    for value in values:
        try:
            converted.append(convert(value))
        except (ValueError, TypeError):
            pass
    return converted


class ImmutableMultiDict(ImmutableMultiDictMixin[K, V], MultiDict[K, V]):  # type: ignore[misc]
    """A :class:`MultiDict` that cannot be changed, and has a hash."""

    def copy(self) -> MultiDict[K, V]:  # type: ignore[override]
        """Give a copy that can be changed; ``copy.copy`` gives the object itself."""
        return MultiDict(self)

    def __copy__(self) -> Self:
        return self


class CombinedMultiDict(ImmutableMultiDictMixin[K, V], MultiDict[K, V]):
    """Several multidicts, read as if they were one.

    Nothing is copied: it shows what the multidicts hold at the moment.  It cannot be changed
    itself.  Keys come in the order in which the multidicts name them first.

    :param dicts: the first one that has a key gives its first value; ``getlist`` and ``lists``
        collect from all of them.
    """

    def __init__(self, dicts: Iterable[MultiDict[K, V]] | None = None) -> None:
        self.dicts: list[MultiDict[K, V]] = list(dicts or ())

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return type(self), (self.dicts,)

    @classmethod
    def fromkeys(cls, keys: Any, value: Any = None) -> NoReturn:  # noqa: ARG003 - dict's signature
        """Refuse: there would be no multidict behind it."""
        raise TypeError(
            f"{cls.__name__!r} shows other multidicts and cannot be made from keys; "
            "make a MultiDict, and combine that"
        )

    def __getitem__(self, key: K) -> V:
        for each in self.dicts:
            if key in each:
                return each[key]
        raise BadRequestKeyError(key)

    if not TYPE_CHECKING:  # the types are those of MultiDict

        def get(self, key: Any, default: Any = None, type: Any = None) -> Any:
            """Give the value of a key, converted, from the first multidict where there is one.

            :param key: which value.
            :param default: what to give where no multidict has a value that can be converted.
            :param type: what converts the value; it says with ``ValueError`` or ``TypeError``
                that it cannot.
            """
            for each in self.dicts:
                value = each.get(key, MISSING, type)
                if value is not MISSING:
                    return value
            return default

        def getlist(self, key: Any, type: Any = None) -> list[Any]:
            """Give the values of a key in all the multidicts.

            :param type: what converts each value; the list leaves out those for which it raises
                ``ValueError`` or ``TypeError``.
            """
            return [value for each in self.dicts for value in each.getlist(key, type)]

    def _keys(self) -> dict[K, None]:
        return dict.fromkeys(key for each in self.dicts for key in each)

    def keys(self) -> Iterable[K]:  # type: ignore[override]
        """Give each key once."""
        return self._keys().keys()

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys())

    def __reversed__(self) -> Iterator[K]:
        return reversed(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __contains__(self, key: object) -> bool:
        return any(key in each for each in self.dicts)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiDict):
            return dict(self.lists()) == dict(other.lists())
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        # dict brings one of its own, which looks at the empty storage.
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none
        # Not kept, as what stands behind may change.
        return hash(frozenset(self._iter_hashitems()))

    def items(self, multi: bool = False) -> Iterable[tuple[K, V]]:  # type: ignore[override]
        """Give the pairs, one for each key.

        :param multi: give a pair for each value of each key.
        """
        if multi:
            return (pair for each in self.dicts for pair in each.items(multi=True))
        found: dict[K, V] = {}
        for each in self.dicts:
            for key, value in each.items():
                if key not in found:
                    found[key] = value
        return iter(found.items())

    def values(self) -> Iterable[V]:  # type: ignore[override]
        """Give the first value of each key."""
        return (value for _, value in self.items())

    def lists(self) -> Iterable[tuple[K, list[V]]]:
        """Give each key with a list of its values in all the multidicts."""
        lists: dict[K, list[V]] = {}
        for each in self.dicts:
            for key, values in each.lists():
                lists.setdefault(key, []).extend(values)
        return lists.items()

    def listvalues(self) -> Iterable[list[V]]:
        """Give the list of the values of each key."""
        return (values for _, values in self.lists())

    def copy(self) -> MultiDict[K, V]:  # type: ignore[override]
        """Give a :class:`MultiDict` of what is to be seen now, which can be changed."""
        return MultiDict(self)

    def deepcopy(self, memo: Any = None) -> Self:
        """Give one that shows copies of the multidicts."""
        return self.__class__(deepcopy(self.dicts, memo))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dicts!r})"


def __getattr__(name: str) -> Any:
    """Give the ordered multidicts: with a warning, or without one under a private name (PEP 562).

    They are upstream's and deprecated there; who does not ask for them does not load them.
    """
    public = name.removeprefix("_")
    if public not in {"OrderedMultiDict", "ImmutableOrderedMultiDict"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Late, because that module stands above this one.
    from stein.toolkit.datastructures import ordered  # noqa: PLC0415 - see above

    if public == name:
        warnings.warn(ordered.outdated(name), DeprecationWarning, stacklevel=2)
    return getattr(ordered, public)
