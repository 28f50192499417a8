"""Where a function stands in somebody's code: its name, file and line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stein.web.globals import current_app, request_ctx

if TYPE_CHECKING:
    from stein.web.request import Request

__all__ = ["Place", "describe_view", "find_place", "forgotten_as_view", "place_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is defined."""

    name: str  #: of the function or class, with the class it is in
    module: str
    file: str | None = None  #: None if it is not written in Python
    line: int | None = None  #: of its first decorator or its ``def``

    def __str__(self) -> str:
        if self.file is None:
            return f"{self.name}() of {self.module}"
        return f"{self.name}() ({self.file}:{self.line})"


def find_place(function: Any) -> Place:
    """Where a function, a class-based view or another callable is defined.

    Decorators are looked through, as far as they use :func:`functools.wraps`.

    :param function: any callable.
    """
    kind = getattr(function, "view_class", None)
    if isinstance(kind, type):
        return _place_of_class(kind)
    if isinstance(function, type):
        return _place_of_class(function)
    return _place_of_function(_unwrapped(function))


def _unwrapped(function: Any) -> Any:
    """What is at the bottom of wrappers, partials and bound methods."""
    for _ in range(100):  # not for ever: somebody may have wrapped in a circle
        for attribute in ("__wrapped__", "__func__"):
            inner = getattr(function, attribute, None)
            if inner is not None:
                break
        else:
            # functools.partial; an object of one's own may have a `func`, too
            inner = getattr(function, "func", None)
            if not (callable(inner) and hasattr(function, "keywords")):
                return function
        function = inner
    return function


def _place_of_function(function: Any) -> Place:
    code = getattr(function, "__code__", None)
    if code is None and not hasattr(function, "__name__"):
        # An object that can be called: its class says how.
        function = type(function)
        code = getattr(function.__call__, "__code__", None)
    name = getattr(function, "__qualname__", repr(function)).rpartition("<locals>.")[2]
    module = getattr(function, "__module__", None) or "builtins"
    if code is None:
        return Place(name, module)
    return Place(name, module, code.co_filename, code.co_firstlineno)


def _place_of_class(kind: type) -> Place:
    """A class does not know its line before Python 3.13; its methods do."""
    lines = [
        code.co_firstlineno
        for each in vars(kind).values()
        if (code := getattr(_unwrapped(each), "__code__", None)) is not None
    ]
    line = getattr(kind, "__firstlineno__", None) or min(lines, default=None)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    name = kind.__qualname__.rpartition("<locals>.")[2]
    return Place(name, kind.__module__, file if line is not None else None, line)


def place_of(function: Any) -> str:
    """:func:`find_place` as a text for messages: ``index() (/srv/shop/views.py:12)``."""
    return str(find_place(function))


def describe_view(request: Request) -> str:
    """A sentence about which function has answered a request, so that one finds it.

    :param request: the request.
    """
    answered = request_ctx._answered_by  # noqa: SLF001 - the context's other half
    if answered is not None:
        return f"It is {find_place(answered[1])}."
    rule = request.url_rule
    if rule is None:
        return "No rule has matched, so the value is from a function that was called by other code."
    view = current_app.view_functions.get(rule.endpoint)
    if view is None:
        return f"The endpoint {rule.endpoint!r} has no function in view_functions."
    kind = getattr(view, "view_class", None)
    method = getattr(kind, request.method.lower(), None)
    shown = find_place(view if method is None else method)
    text = f"The view is {shown}"
    if getattr(view, "__wrapped__", None) is not None:
        outer = _place_of_function(view).file, getattr(view.__code__, "co_firstlineno", None)
        text += (
            f", called through a decorator ({outer[0]}:{outer[1]}): the function in there must "
            "return what it gets from the view"
        )
    return f"{text}."


def forgotten_as_view(kind: type[Any]) -> TypeError:
    """The error of a rule that was given a class-based view and not its function.

    :param kind: the class.
    """
    name = kind.__name__
    return TypeError(
        f"view_func is the class {name}, which would make a {name} object and no response for "
        f"each request. Give it the function: view_func={name}.as_view({name.lower()!r})"
    )
