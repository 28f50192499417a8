"""Header fields: an ordered list of names and values, whose names ignore case.

Two classes with one interface: :class:`Headers` holds a list of pairs, as WSGI wants it for
``start_response``; :class:`EnvironHeaders` shows those of a WSGI environ, and copies nothing.
"""

# ruff: noqa: A002, FBT001, FBT002 - ``type`` and ``lower`` are what programs call them
# ruff: noqa: SLF001 - of other objects of the same class

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeAlias, TypeVar, overload

from stein.http.options import dump_options
from stein.toolkit.datastructures.fields import checked
from stein.toolkit.datastructures.mixins import MISSING, ImmutableHeadersMixin
from stein.toolkit.datastructures.multidict import MultiDict, iter_multi_items
from stein.toolkit.datastructures.names import KEYS, NAMES, environ_key, header_name
from stein.toolkit.exceptions import BadRequestKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import SupportsIndex

__all__ = ["EnvironHeaders", "Headers"]

T = TypeVar("T")

#: whatever Headers can be made from
Source: TypeAlias = "Headers | MultiDict[str, Any] | Mapping[str, Any] | Iterable[tuple[str, Any]]"

_SEVERAL: Final = (list, tuple, set, frozenset)


def _with_options(value: Any, options: dict[str, Any]) -> str:
    return dump_options(value, {k.replace("_", "-"): v for k, v in options.items()})


class Headers:
    """The header fields of a message, in order; a name may come several times.

    Reads by name (any case), by index and by slice.  Iteration gives pairs.  A name that is
    missing raises ``BadRequestKeyError``, which is a ``KeyError`` and, where nobody catches it,
    the answer 400 Bad Request.

    Values become ``str``.  A control character in a name or a value raises :exc:`ValueError`;
    otherwise names are taken as they are and must not come from a client.

    :param defaults: other headers, a ``MultiDict``, a mapping (whose values may be lists, tuples
        or sets of values), pairs, or nothing.
    """

    _list: list[tuple[str, str]]

    #: whether storing a pair and walking over the pairs mean what they mean here
    _plain_add = True
    _plain_iter = True

    def __init__(self, defaults: Source | None = None) -> None:
        self._list = []
        if defaults is not None:
            self.extend(defaults)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note which short cuts would go past what a subclass overrides."""
        super().__init_subclass__(**kwargs)
        cls._plain_add = cls.add is Headers.add
        cls._plain_iter = cls.__iter__ is Headers.__iter__

    @classmethod
    def from_checked(cls, pairs: list[tuple[str, str]]) -> Self:
        """Make one around a list that is its own from now on: nothing is checked or copied.

        :param pairs: of ``str``, without control characters.
        """
        self = cls.__new__(cls)
        self._list = pairs
        return self

    # --- reading

    @overload
    def __getitem__(self, key: str) -> str: ...
    @overload
    def __getitem__(self, key: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: str | int | slice) -> str | tuple[str, str] | Self:
        if isinstance(key, str):
            value = self._find(key)
            if value is None:
                raise BadRequestKeyError(key)
            return value
        if isinstance(key, slice):
            return self.__class__(self._list[key])
        return self._list[key]

    def _find(self, key: str) -> str | None:
        """The first value of a name."""
        length = len(key)
        for name, value in self._list:
            # PERF: most look-ups spell the name as it is; and without a look at the length, each
            # name on the way would be lowered.
            if name == key or (len(name) == length and name.lower() == key.lower()):
                return value
        return None

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    @overload
    def get(self, key: str) -> str | None: ...
    @overload
    def get(self, key: str, default: str) -> str: ...
    @overload
    def get(self, key: str, default: T) -> str | T: ...
    @overload
    def get(self, key: str, *, type: Callable[[str], T]) -> T | None: ...
    @overload
    def get(self, key: str, default: None, type: Callable[[str], T]) -> T | None: ...
    @overload
    def get(self, key: str, default: T, type: Callable[[str], T]) -> T: ...
    def get(self, key: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:
        """Give the first value of a name, converted, or the default.

        :param key: the name, in any case.
        :param default: what to give where there is no such header, or where its value cannot be
            converted.
        :param type: what converts the value: ``int``, any callable.  It says with ``ValueError``
            that it cannot.
        """
        length = len(key)
        for name, value in self._list:  # PERF: as in _find(), without the call
            if name == key or (len(name) == length and name.lower() == key.lower()):
                if type is None:
                    return value
                try:
                    return type(value)
                except ValueError:
                    break
        return default

    @overload
    def getlist(self, key: str) -> list[str]: ...
    @overload
    def getlist(self, key: str, type: Callable[[str], T]) -> list[T]: ...
    def getlist(self, key: str, type: Callable[[str], Any] | None = None) -> list[Any]:
        """Give all values of a name.

        :param type: what converts each value; the list leaves out those for which it raises
            ``ValueError``.
        """
        length = len(key)
        values = [
            value
            for name, value in self._list
            if name == key or (len(name) == length and name.lower() == key.lower())
        ]
        if type is None:
            return values
        converted = []
        for value in values:
            try:
                converted.append(type(value))
            except ValueError:
                pass
        return converted

    def get_all(self, name: str) -> list[str]:
        """Give all values of a name, under the name that :mod:`wsgiref` has for it."""
        return self.getlist(name)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._list)

    def __len__(self) -> int:
        return len(self._list)

    def items(self, lower: bool = False) -> Iterable[tuple[str, str]]:
        """Give the pairs.

        :param lower: give the names in lower case.
        """
        if lower:
            return ((name.lower(), value) for name, value in self)
        return iter(self)

    def keys(self, lower: bool = False) -> Iterable[str]:
        """Give the name of each pair.

        :param lower: in lower case.
        """
        return (name for name, _ in self.items(lower))

    def values(self) -> Iterable[str]:
        """Give the value of each pair."""
        return (value for _, value in self.items())

    def to_wsgi_list(self) -> list[tuple[str, str]]:
        """Give the pairs in a new list, as ``start_response`` takes them."""
        return self._list.copy() if self._plain_iter else list(self)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        ours, theirs = self.items(lower=True), other.items(lower=True)
        return set(ours) == set(theirs)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        """The lines as they go over the wire, with the empty line that ends them."""
        return "".join([*(f"{name}: {value}\r\n" for name, value in self.to_wsgi_list()), "\r\n"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    # --- changing

    def add(self, key: str, value: Any, /, **kwargs: Any) -> None:
        """Add a header at the end.

        :param key: the name.
        :param value: becomes ``str``.
        :param kwargs: parameters that follow the value, with dashes for underscores:
            ``add("Content-Disposition", "attachment", filename="a.txt")``.
        :raises ValueError: if there is a control character in it.
        """
        if kwargs:
            value = _with_options(value, kwargs)
        self._list.append(checked(key, value))

    def add_header(self, key: str, value: Any, /, **kwargs: Any) -> None:
        """Do what :meth:`add` does, under the name that :mod:`wsgiref` has for it."""
        self.add(key, value, **kwargs)

    def extend(self, arg: Source | None = None, /, **kwargs: Any) -> None:
        """Add all pairs of other headers, a mapping or pairs, and the keywords.

        :raises ValueError: if there is a control character in one of them.
        """
        if arg is not None:
            # What other Headers hold has been checked; a list is what WSGI applications pass.
            if self._plain_add and isinstance(arg, Headers) and arg._plain_iter:
                self._list += arg._list
            else:
                self._add_each(arg if type(arg) is list else iter_multi_items(arg))
        if kwargs:
            self._add_each(iter_multi_items(kwargs))

    def _add_each(self, pairs: Iterable[tuple[str, Any]]) -> None:
        if self._plain_add:
            # All or nothing: a value that is refused must leave no half of the pairs behind.
            # PERF: what checked() finds out about nearly all of them, without the call.
            self._list += [
                (name, value)
                if value.__class__ is str and value.isprintable() and name.isprintable()
                else checked(name, value)
                for name, value in pairs
            ]
        else:
            for name, value in pairs:
                self.add(name, value)

    def set(self, key: str, value: Any, /, **kwargs: Any) -> None:
        """Set a header, in the place of the first of its name; remove the others of its name.

        :param key: the name.
        :param value: becomes ``str``.
        :param kwargs: parameters that follow the value, as for :meth:`add`.
        :raises ValueError: if there is a control character in it.
        """
        if kwargs:
            value = _with_options(value, kwargs)
        # PERF: as in _add_each().
        plain = value.__class__ is str and value.isprintable() and key.isprintable()
        pair = (key, value) if plain else checked(key, value)
        pairs = self._list
        length = len(key)
        first = -1
        for at, (name, _) in enumerate(pairs):
            if name == key or (len(name) == length and name.lower() == key.lower()):
                if first >= 0:
                    wanted = key.lower()
                    pairs[at:] = [each for each in pairs[at:] if each[0].lower() != wanted]
                    break
                first = at
        if first < 0:
            pairs.append(pair)
        else:
            pairs[first] = pair

    @overload
    def __setitem__(self, key: str, value: Any) -> None: ...
    @overload
    def __setitem__(self, key: int, value: tuple[str, Any]) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Iterable[tuple[str, Any]]) -> None: ...
    def __setitem__(self, key: str | int | slice, value: Any) -> None:
        if isinstance(key, str):
            self.set(key, value)
        elif isinstance(key, slice):
            self._list[key] = [checked(name, each) for name, each in value]
        else:
            name, each = value
            self._list[key] = checked(name, each)

    def setlist(self, key: str, values: Iterable[Any]) -> None:
        """Set all values of a name; without values, remove it.

        The first value takes the place of the first of its name, the others go to the end.
        """
        values = list(values)
        if not values:
            self.remove(key)
            return
        self.set(key, values[0])
        for value in values[1:]:
            self.add(key, value)

    def setdefault(self, key: str, default: Any) -> str:
        """Give the first value of a name; set it to the default where there is none."""
        value = self._find(key)
        if value is None:
            self.set(key, default)
            value = self[key]
        return value

    def setlistdefault(self, key: str, default: Iterable[Any]) -> list[str]:
        """Give the values of a name; set them to the defaults where there are none.

        :return: a list of the caller's own: what is done to it changes no header.
        """
        if key not in self:
            self.setlist(key, default)
        return self.getlist(key)

    def update(self, arg: Source | None = None, /, **kwargs: Any) -> None:
        """Set the headers of other headers, a mapping or pairs, and the keywords.

        Each replaces what had its name.  :meth:`extend` adds instead.

        :raises ValueError: if there is a control character in one of them.
        """
        if isinstance(arg, Headers | MultiDict):
            for name in dict.fromkeys(arg.keys()):
                self.setlist(name, arg.getlist(name))
        elif isinstance(arg, Mapping):
            self._set_each(arg)
        elif arg is not None:
            for name, value in arg:
                self.set(name, value)
        self._set_each(kwargs)

    def _set_each(self, mapping: Mapping[str, Any]) -> None:
        for name, value in mapping.items():
            if isinstance(value, _SEVERAL):
                self.setlist(name, value)
            else:
                self.set(name, value)

    def __or__(self, other: Mapping[str, Any] | Headers) -> Self:
        if not isinstance(other, Mapping | Headers):
            return NotImplemented
        result = self.copy()
        result.update(other)
        return result

    def __ior__(  # type: ignore[misc]  # takes pairs, too, as dict's does
        self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]
    ) -> Self:
        if not isinstance(other, Iterable):
            return NotImplemented
        self.update(other)
        return self

    def __delitem__(self, key: str | SupportsIndex | slice) -> None:
        if isinstance(key, str):
            self.remove(key)
        else:
            del self._list[key]

    def remove(self, key: str) -> None:
        """Remove all headers of a name, if there are any."""
        wanted = key.lower()
        self._list[:] = [each for each in self._list if each[0].lower() != wanted]

    @overload
    def pop(self, key: int | None = None) -> tuple[str, str]: ...
    @overload
    def pop(self, key: str) -> str: ...
    @overload
    def pop(self, key: str, default: str) -> str: ...
    @overload
    def pop(self, key: str, default: T) -> str | T: ...
    def pop(self, key: str | int | None = None, default: Any = MISSING) -> Any:
        """Remove a name with all its headers, and give its first value.

        :param key: the name; or the index of one header, whose pair is given; or None for the
            last header.
        :param default: what to give where there is no header of the name.
        :raises BadRequestKeyError: if there is neither.
        """
        if key is None:
            return self._list.pop()
        if isinstance(key, int):
            return self._list.pop(key)
        value = self._find(key)
        if value is not None:
            self.remove(key)
            return value
        if default is MISSING:
            raise BadRequestKeyError(key)
        return default

    def popitem(self) -> tuple[str, str]:
        """Remove the last header, and give its pair."""
        return self._list.pop()

    def clear(self) -> None:
        """Remove all headers."""
        self._list.clear()

    def copy(self) -> Self:
        """Give headers of the same kind with a list of their own."""
        copy = self.__class__.__new__(self.__class__)
        copy.__dict__.update(self.__dict__)
        copy._list = self._list.copy()
        return copy

    def __copy__(self) -> Self:
        return self.copy()


class EnvironHeaders(ImmutableHeadersMixin, Headers):
    """The headers of a WSGI environ (PEP 3333), as they are there at the moment.

    They cannot be changed.  Nothing is copied or built: a name is looked up in the environ.

    :param environ: of a request.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ

    @property
    def _list(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return list(self)

    def _find(self, key: str) -> str | None:
        # PERF: changing the case of a name takes four times as long as remembering it.
        return self.environ.get(KEYS.get(key) or environ_key(key))

    def __getitem__(self, key: str) -> str:  # type: ignore[override]
        value = self._find(key)
        if value is None:
            raise BadRequestKeyError(key)
        return value

    if not TYPE_CHECKING:  # the types are those of Headers

        def get(self, key: str, default: Any = None, type: Any = None) -> Any:
            """Give the value of a name, converted, or the default; see :meth:`Headers.get`."""
            value = self.environ.get(KEYS.get(key) or environ_key(key))
            if value is None:
                return default
            if type is None:
                return value
            try:
                return type(value)
            except ValueError:
                return default

        def getlist(self, key: str, type: Any = None) -> list[Any]:
            """Give the value of a name, in a list; see :meth:`Headers.getlist`."""
            value = self.get(key, MISSING, type)
            # An empty CONTENT_TYPE means that there is none (PEP 3333).
            none = value is MISSING or (value == "" and not environ_key(key).startswith("HTTP_"))
            return [] if none else [value]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        known = NAMES
        for key, value in self.environ.items():
            name = known.get(key)
            if name is None:
                name = header_name(key)
            # An empty CONTENT_TYPE means that there is none (PEP 3333).
            if name and (value or key.startswith("HTTP_")):
                yield name, value

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EnvironHeaders):
            return self.environ is other.environ
        return NotImplemented

    __hash__ = None

    def copy(self) -> NoReturn:
        """Refuse: a copy of a view on the environ would be the same view."""
        raise TypeError(
            f"{type(self).__name__!r} objects cannot be copied; "
            "Headers(...) of them gives headers that can be changed"
        )

    def __or__(self, other: Any) -> NoReturn:
        self.copy()
