"""JSON with tags: values that JSON does not have come back as they were.

A value of such a type is written as an object with one key, its tag: ``{" t": [1, 2]}`` is a
tuple.  That a dict looks like this by accident is a tag's business, too (:class:`TagDict`).  It is
how a session is written into its cookie, and the same as Flask writes, byte for byte, since
visitors bring along what they were given before.

A type of one's own takes a class with four things, and goes before those that would take it for
theirs::

    class TagSet(JSONTag):
        __slots__ = ()
        key = " s"

        def check(self, value):
            return isinstance(value, set)

        def to_json(self, value):
            return [self.serializer.tag(item) for item in value]

        def to_python(self, value):
            return set(value)

    app.session_interface.serializer.register(TagSet)
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, ClassVar, Final

from stein.toolkit.http import http_date, parse_date
from stein.web.json import dumps, loads

__all__ = [
    "JSONTag",
    "PassDict",
    "PassList",
    "TagBytes",
    "TagDateTime",
    "TagDict",
    "TagMarkup",
    "TagTuple",
    "TagUUID",
    "TaggedJSONSerializer",
]


class JSONTag:
    """How values of one type are written and read; the base of all of them.

    :param serializer: that the tag belongs to, to have the values inside a value tagged.
    """

    __slots__ = ("serializer",)

    #: what marks such a value; empty for a step on the way that leaves no mark
    key: str = ""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Whether the value is of this tag's type."""
        raise NotImplementedError(f"{type(self).__name__} needs a method check()")

    def to_json(self, value: Any) -> Any:
        """Make something that JSON has of the value."""
        raise NotImplementedError(f"{type(self).__name__} needs a method to_json()")

    def to_python(self, value: Any) -> Any:
        """Make the value again of what :meth:`to_json` gave."""
        raise NotImplementedError(f"{type(self).__name__} needs a method to_python()")

    def tag(self, value: Any) -> Any:
        """What the value is written as: its JSON, under the tag."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dict that looks like a tagged value; two underscores more, and it does not."""

    __slots__ = ()
    key = " di"

    def check(self, value: Any) -> bool:
        """Whether it is a dict with one key, which is somebody's tag."""
        return isinstance(value, dict) and len(value) == 1 and _only(value) in self.serializer.tags

    def to_json(self, value: Any) -> Any:
        """Write the one key with the underscores."""
        key = _only(value)
        return {f"{key}__": self.serializer.tag(value[key])}

    def to_python(self, value: Any) -> Any:
        """Take the underscores away."""
        key = _only(value)
        return {key[:-2]: value[key]}


class PassDict(JSONTag):
    """Any other dict, with its values tagged; its keys are text anyway."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        """Whether it is a dict."""
        return isinstance(value, dict)

    def to_json(self, value: Any) -> Any:
        """Tag the values."""
        tag = self.serializer.tag
        return {key: tag(item) for key, item in value.items()}

    tag = to_json


class TagTuple(JSONTag):
    """A tuple, which is a list to JSON."""

    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        """Whether it is a tuple."""
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        """Tag the items."""
        return list(map(self.serializer.tag, value))

    def to_python(self, value: Any) -> Any:
        """Make it a tuple again."""
        return tuple(value)


class PassList(JSONTag):
    """A list, with its items tagged."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        """Whether it is a list."""
        return isinstance(value, list)

    def to_json(self, value: Any) -> Any:
        """Tag the items."""
        return list(map(self.serializer.tag, value))

    tag = to_json


class TagBytes(JSONTag):
    """Bytes, as Base64 (RFC 4648 4)."""

    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        """Whether it is a bytes object."""
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        """Encode it."""
        from base64 import b64encode  # noqa: PLC0415 - few sessions hold bytes

        return b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        """Decode it."""
        from base64 import b64decode  # noqa: PLC0415 - few sessions hold bytes

        return b64decode(value)


class TagMarkup(JSONTag):
    """What knows its own HTML; it comes back as ``Markup``."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        """Whether it has a method ``__html__``."""
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        """Ask it for its HTML."""
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        """Mark it as HTML."""
        from markupsafe import Markup  # noqa: PLC0415 - few sessions hold HTML

        return Markup(value)  # noqa: S704 - it was HTML when it was signed


class TagUUID(JSONTag):
    """A UUID, as its 32 hexadecimal digits."""

    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        """Whether it is a UUID; there is none while its module was not imported."""
        uuid = sys.modules.get("uuid")
        return uuid is not None and isinstance(value, uuid.UUID)

    def to_json(self, value: Any) -> Any:
        """Write its digits."""
        return value.hex

    def to_python(self, value: Any) -> Any:
        """Read the digits."""
        from uuid import UUID  # noqa: PLC0415 - few sessions hold one

        return UUID(value)


class TagDateTime(JSONTag):
    """A moment, as a date of HTTP (RFC 9110 5.6.7): to the second, and in UTC."""

    __slots__ = ()
    key = " d"

    def check(self, value: Any) -> bool:
        """Whether it is a datetime."""
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        """Write the date."""
        return http_date(value)

    def to_python(self, value: Any) -> Any:
        """Read the date."""
        return parse_date(value)


def _only(value: dict[Any, Any]) -> Any:
    """The one key of a dict."""
    return next(iter(value))


# Types of which JSON gives back what it was given, and which no tag of ours looks at.
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class TaggedJSONSerializer:
    """Writes and reads JSON with tags.

    ``tags`` finds a tag by its key, ``order`` has all in the order in which they are asked.
    """

    __slots__ = ("_stock", "order", "tags")

    #: the tags to begin with
    default_tags: ClassVar[list[type[JSONTag]]] = [
        TagDict,
        PassDict,
        TagTuple,
        PassList,
        TagBytes,
        TagMarkup,
        TagUUID,
        TagDateTime,
    ]

    def __init__(self) -> None:
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        # What `order` is as long as nobody has put in a tag, or a method, of their own: only then
        # are the short cuts below as good as the long way.
        ours = tuple(map(type, self.order)) == _STOCK and type(self).tag is _tag
        self._stock = self.order.copy() if ours else None

    def register(
        self,
        tag_class: type[JSONTag],
        force: bool = False,  # noqa: FBT001, FBT002 - positional in the interface
        index: int | None = None,
    ) -> None:
        """Add a tag.

        :param tag_class: its class, of which an instance is made.
        :param force: let it take the place of another one with the same key.
        :param index: where it stands in ``order``; by default at the end.  A type must be asked
            for before the type that it is a special case of.
        :raises KeyError: if there is a tag with its key, and ``force`` is not set.
        """
        tag = tag_class(self)
        key = tag.key
        if key:
            if key in self.tags and not force:
                raise KeyError(
                    f"the tag {key!r} of {tag_class.__name__} is taken by "
                    f"{type(self.tags[key]).__name__}; choose another, or pass force=True"
                )
            self.tags[key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: Any) -> Any:
        """Make something that JSON has of a value."""
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """Make a value of an object that was read, if it is a tagged one."""
        if len(value) == 1:
            key = _only(value)
            tag = self.tags.get(key)
            if tag is not None:
                return tag.to_python(value[key])
        return value

    def dumps(self, value: Any) -> str:
        """Write a value as JSON with tags and without spaces."""
        # PERF: most sessions hold text and numbers; asking eight tags for each of these, and
        # copying what they are in, takes three times as long as seeing that there is nothing to do.
        if self.order != self._stock or not self._is_plain(value):
            value = self.tag(value)
        return dumps(value, separators=(",", ":"))

    def _is_plain(self, value: Any) -> bool:
        """Whether JSON gives the value back as it is, without the help of a tag."""
        kind = type(value)
        if kind in _PLAIN:
            return True
        if kind is dict:
            if len(value) == 1 and _only(value) in self.tags:
                return False
            value = value.values()
        elif kind is not list:
            return False
        return _PLAIN.issuperset(map(type, value)) or all(map(self._is_plain, value))

    def loads(self, value: str) -> Any:
        """Read what :meth:`dumps` wrote."""
        found = loads(value)
        # PERF: in what dumps() wrote, a tag of ours needs these characters.
        if '" ' not in value and "\\u" not in value and self.order == self._stock:
            return found
        return self._untag_scan(found)

    def _untag_scan(self, value: Any) -> Any:
        """Untag what is in a value, and then the value."""
        if isinstance(value, dict):
            return self.untag({key: self._untag_scan(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self._untag_scan(item) for item in value]
        return value


_STOCK: Final = tuple(TaggedJSONSerializer.default_tags)
_tag: Final = TaggedJSONSerializer.tag
