"""What a hook has returned that nobody can do anything with."""

from __future__ import annotations

from typing import Any

from stein.web.explain.views import place_of

__all__ = ["no_response", "no_variables"]


def no_response(kind: str, function: Any, value: Any) -> TypeError:
    """The error of a function that was given the response and returned something else.

    :param kind: how it was registered, such as ``after_request``.
    :param function: the function.
    :param value: what it returned.
    """
    return TypeError(
        f"The {kind} function {place_of(function)} returned {_named(value)}: it must return the "
        "response that it is given, or another one."
    )


def no_variables(function: Any, value: Any) -> TypeError:
    """The error of a context processor that returned no dict.

    :param function: the context processor.
    :param value: what it returned.
    """
    return TypeError(
        f"The context processor {place_of(function)} returned {_named(value)}: it must return a "
        "dict of variables, which may be empty."
    )


def _named(value: Any) -> str:
    """The type of a value, since the value itself is nobody's business."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
