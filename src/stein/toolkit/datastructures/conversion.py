"""A list and dicts that cannot be changed, and a dict whose ``get`` converts."""

# ruff: noqa: A002 - ``type`` is what programs call it

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from stein.toolkit.datastructures.mixins import ImmutableDictMixin, ImmutableListMixin

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ImmutableDict",
    "ImmutableList",
    "ImmutableTypeConversionDict",
    "TypeConversionDict",
]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class ImmutableList(ImmutableListMixin, list[V]):  # type: ignore[misc]  # a list has no hash
    """A list that cannot be changed, and has a hash."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list.__repr__(self)})"


class TypeConversionDict(dict[K, V]):
    """A dict whose :meth:`get` can convert the value."""

    @overload  # type: ignore[override]
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    @overload
    def get(self, key: K, default: T) -> V | T: ...
    @overload
    def get(self, key: K, *, type: Callable[[V], T]) -> T | None: ...
    @overload
    def get(self, key: K, default: None, type: Callable[[V], T]) -> T | None: ...
    @overload
    def get(self, key: K, default: T, type: Callable[[V], T]) -> T: ...
    def get(self, key: K, default: Any = None, type: Callable[[V], Any] | None = None) -> Any:
        """Give the value of a key, converted, or the default.

        :param key: which value.
        :param default: what to give where there is no such key, or where its value cannot be
            converted.
        :param type: what converts the value: ``int``, ``float``, any callable.  It says with
            ``ValueError`` or ``TypeError`` that it cannot.
        """
        try:
            value = self[key]
        except KeyError:
            return default
        if type is None:
            return value
        try:
            return type(value)
        except (ValueError, TypeError):
            return default


class ImmutableTypeConversionDict(  # type: ignore[misc]  # the mixin takes away what dict offers
    ImmutableDictMixin[K, V], TypeConversionDict[K, V]
):
    """A :class:`TypeConversionDict` that cannot be changed, and has a hash."""

    def copy(self) -> TypeConversionDict[K, V]:
        """Give a copy that can be changed; ``copy.copy`` gives the object itself."""
        return TypeConversionDict(self)

    def __copy__(self) -> Self:
        return self


class ImmutableDict(ImmutableDictMixin[K, V], dict[K, V]):  # type: ignore[misc]
    """A dict that cannot be changed, and has a hash."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict.__repr__(self)})"

    def copy(self) -> dict[K, V]:
        """Give a copy that can be changed; ``copy.copy`` gives the object itself."""
        return dict(self)

    def __copy__(self) -> Self:
        return self
