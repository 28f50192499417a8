"""What :mod:`traceback` knows of an exception and of those behind it, in the words of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from traceback import TracebackException

__all__ = ["CAUSE", "CONTEXT", "behind_of", "chain_of", "message_of", "type_of"]

CAUSE: Final = "The exception above was raised because of this one"
CONTEXT: Final = "The exception above was raised while this one was being handled"


def type_of(te: TracebackException) -> str:
    """Return the name of an exception's class, without its module."""
    # Python 3.13 has deprecated exc_type, and brought exc_type_str.
    name: str | None = getattr(te, "exc_type_str", None)
    if name is not None:
        return name.rpartition(".")[2]
    kind = te.exc_type
    return kind.__qualname__ if kind is not None else "None"  # type: ignore[redundant-expr]


def message_of(te: TracebackException) -> str:
    """Return what an exception says, without its notes."""
    if type_of(te) in {"SyntaxError", "IndentationError", "TabError"}:
        return getattr(te, "msg", None) or ""
    return str(te)


def behind_of(te: TracebackException) -> tuple[str | None, TracebackException | None]:
    """Return the exception behind one, and how it comes in."""
    if te.__cause__ is not None:
        return CAUSE, te.__cause__
    if te.__context__ is not None and not te.__suppress_context__:
        return CONTEXT, te.__context__
    return None, None


def chain_of(te: TracebackException) -> Iterator[tuple[str | None, TracebackException]]:
    """Give an exception and those behind it, each with how the next one comes in."""
    current: TracebackException | None = te
    while current is not None:
        message, behind = behind_of(current)
        yield message, current
        current = behind
