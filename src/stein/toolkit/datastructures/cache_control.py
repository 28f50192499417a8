"""The Cache-Control header of requests and of responses (RFC 9111 5.2)."""

# ruff: noqa: A002 - ``type`` is the parameter's name in a public function
# ruff: noqa: SLF001 - the properties belong to the class, though they are made outside of it

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from stein.http.lists import dump_pairs
from stein.toolkit.datastructures.mixins import ImmutableDictMixin
from stein.toolkit.datastructures.sets import CallbackDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["RequestCacheControl", "ResponseCacheControl", "cache_control_property"]


def cache_control_property(
    key: str, empty: Any, type: type[Any] | None, *, doc: str | None = None
) -> Any:
    """Make a property for a directive, for instance one that a subclass adds.

    :param key: the directive's name in the header.
    :param empty: what the property gives where the directive stands without a value.
    :param type: ``bool`` for a directive that is there or not; ``None`` for text; or what
        converts the text, and says with ``ValueError`` that it cannot: then the property is
        ``None``.
    :param doc: the property's docstring, instead of one made from the above.
    """

    def read(control: CacheControl) -> Any:
        return control._get_cache_value(key, empty, type)

    def write(control: CacheControl, value: Any) -> None:
        control._set_cache_value(key, value, type)

    def delete(control: CacheControl) -> None:
        control._del_cache_value(key)

    return property(read, write, delete, doc or _describe(key, empty, type))


def _describe(key: str, empty: Any, type: Any) -> str:
    if type is bool:
        return f"Whether the ``{key}`` directive is there."
    parts = [f"The ``{key}`` directive: a ``{type.__name__ if type else 'str'}``"]
    if empty is not None:
        parts.append(f"``{empty!r}`` where it has no value")
    parts.append("``None`` where it is not there.")
    return ", ".join(parts)


class CacheControl(CallbackDict[str, "str | None"]):
    """A dict of directives, each of which is an attribute as well, with underscores for dashes.

    An attribute that is set to None or False removes its directive; True sets it without a value.

    :param values: a mapping or pairs; ``None`` for a header that is not there.
    :param on_update: called with the object after each change.
    """

    no_store: bool = cache_control_property("no-store", None, bool)
    max_age: int | None = cache_control_property("max-age", None, int)
    no_transform: bool = cache_control_property("no-transform", None, bool)
    stale_if_error: int | None = cache_control_property("stale-if-error", None, int)

    def __init__(
        self,
        values: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = (),
        on_update: Callable[[Any], None] | None = None,
    ) -> None:
        super().__init__(values, on_update)
        #: whether there was a header
        self.provided = values is not None

    # The three have upstream's names, as properties of other people's making call them.

    def _get_cache_value(self, key: str, empty: Any, type: Any) -> Any:
        if type is bool:
            return key in self
        if key not in self:
            return None
        value = self[key]
        if value is None:
            return empty
        if type is None:
            return value
        try:
            return type(value)
        except ValueError:
            return None

    def _set_cache_value(self, key: str, value: Any, type: Any) -> None:
        if value is None or value is False or (type is bool and not value):
            self.pop(key, None)
        elif value is True or type is bool:
            self[key] = None
        else:
            self[key] = str(value if type is None else type(value))

    def _del_cache_value(self, key: str) -> None:
        self.pop(key, None)

    def to_header(self) -> str:
        """Write the directives as the value of the header."""
        return dump_pairs(self)

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        directives = " ".join(f"{name}={value!r}" for name, value in sorted(self.items()))
        return f"<{type(self).__name__} {directives}>"

    cache_property = staticmethod(cache_control_property)


class RequestCacheControl(ImmutableDictMixin[str, "str | None"], CacheControl):  # type: ignore[misc]
    """The directives of a request (RFC 9111 5.2.1); they cannot be changed."""

    no_cache: bool = cache_control_property("no-cache", None, bool)
    max_stale: int | Literal[True] | None = cache_control_property("max-stale", True, int)
    min_fresh: int | None = cache_control_property("min-fresh", None, int)
    only_if_cached: bool = cache_control_property("only-if-cached", None, bool)


class ResponseCacheControl(CacheControl):
    """The directives of a response (RFC 9111 5.2.2, RFC 5861, RFC 8246)."""

    # who may store it
    no_cache: str | Literal[True] | None = cache_control_property("no-cache", True, None)
    private: str | Literal[True] | None = cache_control_property("private", True, None)
    public: bool = cache_control_property("public", None, bool)
    must_understand: bool = cache_control_property("must-understand", None, bool)
    # for how long
    s_maxage: int | None = cache_control_property("s-maxage", None, int)
    immutable: bool = cache_control_property("immutable", None, bool)
    # and what then
    must_revalidate: bool = cache_control_property("must-revalidate", None, bool)
    proxy_revalidate: bool = cache_control_property("proxy-revalidate", None, bool)
    stale_while_revalidate: int | None = cache_control_property("stale-while-revalidate", None, int)


#: the name of the common base upstream
_CacheControl = CacheControl
