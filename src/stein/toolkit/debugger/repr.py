"""What a console answers: values as HTML, in colours, with their long parts folded away.

The markup is Werkzeug's, since pages and tests know it: a value is made of ``<span>`` elements
with the classes ``string``, ``number``, ``object``, ``pair``, ``key``, ``value``, ``module``,
``brokenrepr``, and ``extended`` around what is folded.
"""

from __future__ import annotations

import io
import pydoc
import re
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["DebugReprGenerator", "debug_repr", "dump", "helper"]

missing: Final[Any] = object()

#: characters of a text, items of a sequence and pairs of a dict that are shown at once
SHOWN_TEXT: Final = 70
SHOWN_ITEMS: Final = 8
SHOWN_PAIRS: Final = 4
#: items that are written at all; a page with a million of them helps nobody
MOST_ITEMS: Final = 1000


def debug_repr(obj: object) -> str:
    """Return a value as HTML.

    :param obj: the value.
    """
    return DebugReprGenerator().repr(obj)


def span(kind: str, inner: str) -> str:
    """Return HTML, marked as being of a kind."""
    return f'<span class="{kind}">{inner}</span>'


class DebugReprGenerator:
    """Writes values as HTML; one object for one value, as it knows what it is in the middle of."""

    def __init__(self) -> None:
        self._open: list[object] = []

    def repr(self, obj: object) -> str:
        """Return a value as HTML; one whose repr fails is no error."""
        again = any(each is obj for each in self._open)
        self._open.append(obj)
        try:
            return self.dispatch_repr(obj, again)
        except Exception as error:  # noqa: BLE001 - whatever the application's objects do
            return _broken(error)
        finally:
            self._open.pop()

    def dispatch_repr(self, obj: Any, recursive: bool) -> str:  # noqa: FBT001 - Werkzeug's
        """Return a value as HTML, written as one of its kind.

        :param obj: the value.
        :param recursive: it is inside of itself.
        """
        if obj is helper:
            return span("help", repr(helper))
        if isinstance(obj, int | float | complex):
            return span("number", str(escape(repr(obj))))
        for kind, write in _WRITERS:
            if isinstance(obj, kind):
                return write(self, obj, recursive)
        return span("object", str(escape(repr(obj))))

    def text_repr(self, obj: str | bytes, recursive: object = None) -> str:  # noqa: ARG002 - like the others
        """Return a text, or bytes, as HTML."""
        text = repr(obj)
        inner = str(escape(text[:SHOWN_TEXT]))
        # To fold away one or two characters would save no room.
        if len(text) > SHOWN_TEXT + 2:
            inner += span("extended", str(escape(text[SHOWN_TEXT:])))
        else:
            inner = str(escape(text))
        written = span("string", inner)
        # A subclass with a repr of its own has told its name in there.
        return _named(written, obj, (str, bytes)) if text.lstrip("b")[:1] in {"'", '"'} else written

    def pattern_repr(self, obj: re.Pattern[Any], recursive: object = None) -> str:  # noqa: ARG002 - like the others
        """Return a regular expression as HTML."""
        shown = repr(obj.pattern).replace("\\\\", "\\")
        # Not escaped as everything else is: quotes stay, so that it can be copied.
        shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"re.compile({span('string regex', 'r' + shown)})"

    def dict_repr(self, obj: Mapping[Any, Any], recursive: object = None) -> str:
        """Return a dict as HTML."""
        if recursive:
            return _named("{...}", obj, (dict,))
        pairs = (
            span("pair", f"{span('key', self.repr(key))}: {span('value', self.repr(value))}")
            for key, value in obj.items()
        )
        return _named(f"{{{_folded(pairs, SHOWN_PAIRS)}}}", obj, (dict,))

    def items_repr(self, obj: Iterable[Any], recursive: object, left: str, right: str) -> str:
        """Return the items of something as HTML, between brackets."""
        inner = "..." if recursive else _folded(map(self.repr, obj), SHOWN_ITEMS)
        return _named(f"{left}{inner}{right}", obj, (list, tuple, set, frozenset, deque))

    # -- whole objects ---------------------------------------------------------------------------

    def dump_object(self, obj: Any) -> str:
        """Return what an object has, as a table in HTML.

        :param obj: a dict with names as keys is shown by its keys, all else by its attributes.
        """
        about = object.__repr__(obj)[1:-1]
        if isinstance(obj, dict) and all(isinstance(key, str) for key in obj):
            items = [(key, self.repr(value)) for key, value in obj.items()]
            return self.render_object_dump(items, f"Contents of {about}")
        items = []
        for name in sorted(dir(obj), key=lambda name: (name.startswith("_"), name)):
            try:
                items.append((name, self.repr(getattr(obj, name))))
            except Exception:  # noqa: BLE001, S112 - a property that fails has nothing to show
                continue
        return self.render_object_dump(items, f"Details for {about}", self.repr(obj))

    def dump_locals(self, d: Mapping[str, Any]) -> str:
        """Return the variables of a frame, as a table in HTML."""
        items = [(name, self.repr(value)) for name, value in d.items()]
        return self.render_object_dump(items, "Local variables in frame")

    def render_object_dump(
        self,
        items: list[tuple[str, str]],
        title: str,
        repr: str | None = None,  # noqa: A002 - Werkzeug's
    ) -> str:
        """Return a box of HTML with a table.

        :param items: names, and values as HTML.
        :param title: stands above.
        :param repr: the whole as HTML, between title and table.
        """
        rows = [
            f"<tr><th>{escape(name)}</th><td><pre class=repr>{value}</pre></td></tr>"
            for name, value in items
        ] or ["<tr><td><em>Nothing</em></td></tr>"]
        return _box(title, f"<pre class=repr>{repr or ''}</pre><table>{''.join(rows)}</table>")


_WRITERS: Final[list[tuple[Any, Callable[[DebugReprGenerator, Any, bool], str]]]] = [
    ((str, bytes), DebugReprGenerator.text_repr),
    (re.Pattern, DebugReprGenerator.pattern_repr),
    (dict, DebugReprGenerator.dict_repr),
]


def _sequence(kind: type, left: str, right: str) -> None:
    """Have the objects of a type written as items between brackets."""
    _WRITERS.append((kind, lambda own, obj, again: own.items_repr(obj, again, left, right)))


_sequence(list, "[", "]")
_sequence(tuple, "(", ")")
_sequence(set, "set([", "])")
_sequence(frozenset, "frozenset([", "])")
_sequence(deque, f"{span('module', 'collections.')}deque([", "])")


def _folded(parts: Iterable[str], shown: int) -> str:
    """Join parts by commas; those beyond the first few are folded away."""
    seen: list[str] = []
    for part in parts:
        if len(seen) == MOST_ITEMS:
            seen.append("...")
            break
        seen.append(part)
    first, rest = seen[:shown], seen[shown:]
    if not rest:
        return ", ".join(first)
    return f"{', '.join(first)}, {span('extended', ', '.join(rest))}"


def _named(written: str, obj: object, plain: tuple[type, ...]) -> str:
    """Write the name of its class around a value, unless it is an ordinary one."""
    kind = type(obj)
    if kind in plain:
        return written
    module = str(escape(f"{kind.__module__}."))
    return f"{span('module', module)}{escape(kind.__name__)}({written})"


def _broken(error: Exception) -> str:
    try:
        about = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the error may be no better than the object
        about = type(error).__name__
    return span("brokenrepr", f"&lt;broken repr ({escape(about)})&gt;")


def _box(title: str, inner: str) -> str:
    return f"<div class=box><h3>{escape(title)}</h3>{inner}</div>"


# -- what a console can call ---------------------------------------------------------------------


def dump(obj: object = missing) -> None:
    """Show all that an object has, or all variables here, in the console.

    :param obj: the object; without it the variables of the caller are shown.
    """
    generator = DebugReprGenerator()
    if obj is missing:
        shown = generator.dump_locals(sys._getframe(1).f_locals)  # noqa: SLF001 - who calls
    else:
        shown = generator.dump_object(obj)
    write_html(shown)


class _Helper:
    """``help()`` in a console."""

    def __repr__(self) -> str:
        return "Type help(object) for help about object."

    def __call__(self, topic: Any = None) -> None:
        """Show the documentation of an object, or of a topic that is named by a text."""
        if topic is None:
            write_html(span("help", repr(self)))
            return
        pages = io.StringIO()
        pydoc.Helper(io.StringIO(), pages).help(topic)
        title, _, text = pages.getvalue().strip("\n").partition("\n")
        write_html(_box(title.rstrip(":"), f"<pre class=help>{escape(text.strip())}</pre>"))


helper: Final = _Helper()


def write_html(text: str) -> None:
    """Write HTML to the console, as which it is shown; elsewhere it is written as it is."""
    write = getattr(sys.stdout, "write_html", sys.stdout.write)
    write(text)
