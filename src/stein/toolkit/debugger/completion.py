"""How code in a console may go on: names, attributes, keys."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Completion", "complete"]

#: suggestions that are worth reading
MOST: Final = 60

_CHAIN: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_ATTRIBUTE: Final = re.compile(rf"(?<![\w.\])}}\"'])({_CHAIN})\.(\w*)$")
_KEY: Final = re.compile(rf"(?<![\w.\])}}\"'])({_CHAIN})\[(['\"])([^'\"\\\[\]]*)$")
_NAME: Final = re.compile(r"(?<![\w.])([^\W\d]\w*)$")
#: Nobody types that much in front of a name; more would only be searched in vain.
_LOOKED_AT: Final = 400


class Completion(NamedTuple):
    """Suggestions for the end of a code."""

    start: int  #: where in the code they begin to replace it
    texts: list[str]


def complete(code: str, names: Mapping[str, Any]) -> Completion:
    """Return how a code may go on.

    Reading an attribute may run code of the application; nothing is called besides.

    :param code: up to the cursor.
    :param names: what the code can see.
    """
    tail = code[-_LOOKED_AT:].rpartition("\n")[2]
    found: Iterable[str]
    if match := _KEY.search(tail):
        chain, quote, begun = match.groups()
        keys = _keys(_follow(chain, names))
        texts = [f"{key}{quote}]" for key in keys if key.startswith(begun) and quote not in key]
        return Completion(len(code) - len(begun), texts[:MOST])
    if match := _ATTRIBUTE.search(tail):
        chain, begun = match.groups()
        found = _attributes(_follow(chain, names))
    elif match := _NAME.search(tail):
        begun = match[1]
        found = {*names, *dir(builtins), *keyword.kwlist}
    else:
        return Completion(len(code), [])
    return Completion(len(code) - len(begun), _fitting(found, begun))


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    """Return the names that begin so, those with an underscore only if one was typed."""
    fitting = [
        name for name in names if name.startswith(begun) and (begun[:1] == "_" or name[:1] != "_")
    ]
    return sorted(fitting)[:MOST]


_NOTHING: Final = object()


def _follow(chain: str, names: Mapping[str, Any]) -> Any:
    """Return the object that dotted names lead to."""
    first, *rest = chain.split(".")
    value = names.get(first, getattr(builtins, first, _NOTHING))
    for name in rest:
        try:
            value = getattr(value, name)
        except Exception:  # noqa: BLE001 - whatever the application's properties do
            return _NOTHING
    return value


def _attributes(value: Any) -> list[str]:
    if value is _NOTHING:
        return []
    try:
        return dir(value)
    except Exception:  # noqa: BLE001 - as above
        return []


def _keys(value: Any) -> list[str]:
    """Return the keys that are texts, of something with keys."""
    if not callable(getattr(type(value), "keys", None)):
        return []
    try:
        keys = [key for key in value.keys() if isinstance(key, str)]  # noqa: SIM118 - of anything
    except Exception:  # noqa: BLE001 - as above
        return []
    return sorted(keys)
