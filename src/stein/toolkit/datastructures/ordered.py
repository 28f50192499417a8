"""The multidicts that upstream deprecates: their pairs keep one order across all keys."""

# ruff: noqa: FBT001, FBT002 - ``multi`` is what programs call it

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, overload

from stein.toolkit.datastructures.mixins import MISSING, ImmutableMultiDictMixin
from stein.toolkit.datastructures.multidict import MultiDict, Source, iter_multi_items

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import SupportsIndex

__all__ = ["ImmutableOrderedMultiDict", "OrderedMultiDict", "outdated"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


def outdated(name: str) -> str:
    """Tell what to use in place of a name."""
    instead = name.replace("Ordered", "")
    return f"'OrderedMultiDict' and its like go away: replace {name!r} by {instead!r}"


class OrderedMultiDict(MultiDict[K, V]):
    """A :class:`MultiDict` that also keeps the order among the values of different keys.

    Upstream deprecates it: iteration over a ``MultiDict`` is ordered by keys already.

    On top of the lists of ``MultiDict`` there is one list with the key of each value, in the order
    in which the values came; the pairs follow from the two.
    """

    def __init__(self, mapping: Source[K, V] | None = None) -> None:
        warnings.warn(outdated("OrderedMultiDict"), DeprecationWarning, stacklevel=2)
        super().__init__()
        self._order: list[K] = []
        if mapping is not None:
            self._fill(mapping)

    def _fill(self, mapping: Source[K, V]) -> None:
        for key, value in iter_multi_items(mapping):
            self._order.append(key)
            MultiDict.add(self, key, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, OrderedMultiDict):
            return list(self.items(multi=True)) == list(other.items(multi=True))
        if isinstance(other, MultiDict):
            return dict(self.lists()) == dict(other.lists())
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return type(self), (list(self.items(multi=True)),)

    def __getstate__(self) -> Any:
        return list(self.items(multi=True))

    def __setstate__(self, value: Any) -> None:
        dict.clear(self)
        self._order = []
        self._fill(value)

    def __setitem__(self, key: K, value: V) -> None:
        self.setlist(key, [value])

    def __delitem__(self, key: K) -> None:
        self.pop(key)

    def items(self, multi: bool = False) -> Iterable[tuple[K, V]]:  # type: ignore[override]
        """Give the pairs, one for each key.

        :param multi: give all pairs, in the order in which they came.
        """
        if not multi:
            return super().items()
        # The n-th time that a key stands in the order means its n-th value.
        stored: Any = dict.items(self)
        values = {key: iter(values) for key, values in stored}
        return ((key, next(values[key])) for key in self._order)

    def add(self, key: K, value: V) -> None:
        """Add a value to those of a key, at the end of the order."""
        super().add(key, value)
        self._order.append(key)

    def setlist(self, key: K, new_list: Iterable[V]) -> None:
        """Set the values of a key, in place of those it had, at the end of the order."""
        values = list(new_list)
        self.poplist(key)
        for value in values:
            self.add(key, value)

    def setlistdefault(self, key: Any, default_list: Any = None) -> NoReturn:  # noqa: ARG002 - the signature of MultiDict
        """Refuse: what is done to the list would not be seen in the order."""
        raise TypeError(
            "setlistdefault() would hand out a list whose changes the order cannot see; "
            "use setlist(), or a MultiDict"
        )

    def clear(self) -> None:
        """Remove all keys."""
        super().clear()
        self._order.clear()

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: V) -> V: ...
    @overload
    def pop(self, key: K, default: T) -> V | T: ...
    def pop(self, key: K, default: Any = MISSING) -> Any:
        """Remove a key with all its values, and give the first of them.

        :param default: what to give where there is no such key.
        :raises BadRequestKeyError: if there is neither.
        """
        value = super().pop(key, default)
        self._forget(key)
        return value

    def poplist(self, key: K) -> list[V]:
        """Remove a key, and give its values; none where there is no such key."""
        values = super().poplist(key)
        if values:
            self._forget(key)
        return values

    def popitemlist(self) -> tuple[K, list[V]]:
        """Remove the newest key, and give it with all its values.

        :raises BadRequestKeyError: if there is none.
        """
        key, values = super().popitemlist()
        self._forget(key)
        return key, values

    def _forget(self, key: K) -> None:
        self._order = [each for each in self._order if each != key]


class ImmutableOrderedMultiDict(  # type: ignore[misc]
    ImmutableMultiDictMixin[K, V], OrderedMultiDict[K, V]
):
    """An :class:`OrderedMultiDict` that cannot be changed; its hash knows the order."""

    __hash__ = ImmutableMultiDictMixin.__hash__  # type: ignore[assignment]

    def _iter_hashitems(self) -> Iterable[Any]:
        return enumerate(self.items(multi=True))

    def copy(self) -> OrderedMultiDict[K, V]:  # type: ignore[override]
        """Give a copy that can be changed; ``copy.copy`` gives the object itself."""
        return OrderedMultiDict(self)

    def __copy__(self) -> Self:
        return self
