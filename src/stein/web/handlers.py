"""The function that answers an error, and how it is found.

Handlers are kept in a table of tables, ``{scope: {code: {class: function}}}``.  The scope is the
name of a blueprint, or ``None`` for the whole application; the code is that of the HTTP error
class, or ``None`` for every other class and for :class:`HTTPException` itself.

The closest handler wins, and "close" means, in this order: it is for the status code of the error,
its blueprint is the innermost, its class is the nearest in the error's method resolution order.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

from stein.toolkit.exceptions import HTTPException, default_exceptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stein.web.typing import AppOrBlueprintKey, ErrorHandlerCallable

    #: the handlers of one scope
    ScopeHandlers: TypeAlias = dict[int | None, dict[type[Exception], ErrorHandlerCallable]]
    #: the whole table
    ErrorHandlers: TypeAlias = dict[AppOrBlueprintKey, ScopeHandlers]

__all__ = ["find_handler", "handler_key", "scope_handlers"]

_WHAT_FITS = "Handlers are for subclasses of Exception and for HTTP error codes"


def scope_handlers() -> ScopeHandlers:
    """An empty table for one scope, which gives a table for each code that it is asked for."""
    return defaultdict(dict)


def handler_key(code_or_exception: Any) -> tuple[type[Exception], int | None]:
    """The class, and the status code, under which a handler is kept.

    :param code_or_exception: an exception class, or an HTTP status code from 400 up.
    :raises ValueError: it is a status code that no error stands for, or a class of another kind.
    :raises TypeError: it is neither a class nor a number.
    """
    if isinstance(code_or_exception, int):
        try:
            kind = default_exceptions[code_or_exception]
        except KeyError:
            raise ValueError(
                f"{int(code_or_exception)} is no HTTP error code that has an exception of its own;"
                " a handler would never be called. Use a subclass of HTTPException with"
                f" 'code = {int(code_or_exception)}', raise it, and register a handler for it."
            ) from None
        return kind, code_or_exception
    _refuse_what_is_no_error_class(code_or_exception)
    known: type[Exception] = code_or_exception
    return known, known.code if issubclass(known, HTTPException) else None


def _refuse_what_is_no_error_class(given: Any) -> None:
    if isinstance(given, type):
        if not issubclass(given, Exception):
            raise ValueError(  # noqa: TRY004 - programs have always caught this one
                f"'{given.__name__}' is not a subclass of Exception. {_WHAT_FITS}: give it that"
                " base class, or name the class that is really raised."
            )
    elif isinstance(given, BaseException):
        raise TypeError(
            f"{given!r} is an instance, not a class. {_WHAT_FITS}: write"
            f" '{type(given).__name__}', without parentheses."
        )
    elif callable(given):
        raise TypeError(
            f"{_named(given)} is a function, where an error code or an exception class is"
            " expected. The decorator needs to know which error to wait for: write"
            " '@app.errorhandler(404)' above the function."
        )
    else:
        raise TypeError(
            f"{given!r} is neither an exception class nor a status code. {_WHAT_FITS}, such as"
            " 'errorhandler(404)' or 'errorhandler(KeyError)'."
        )


def _named(function: Any) -> str:
    return repr(getattr(function, "__name__", function))


def find_handler(
    handlers: Mapping[AppOrBlueprintKey, ScopeHandlers],
    error: Exception,
    blueprints: Iterable[str],
) -> ErrorHandlerCallable | None:
    """The function that is to answer an error; ``None`` if there is no such function.

    Nothing is added to the table, so that threads may look into it at once.

    :param handlers: the table of the application.
    :param error: what was raised.
    :param blueprints: names of those that the view stands in, the innermost first.
    """
    if not handlers:
        return None
    kind = type(error)
    # That of the class, as at registration: an instance may say something else.
    code: int | None = kind.code if issubclass(kind, HTTPException) else None
    scopes = (*blueprints, None)
    if code is not None:
        found = _nearest(handlers, scopes, code, kind)
        if found is not None:
            return found
    return _nearest(handlers, scopes, None, kind)


def _nearest(
    handlers: Mapping[AppOrBlueprintKey, ScopeHandlers],
    scopes: tuple[AppOrBlueprintKey, ...],
    code: int | None,
    kind: type[Exception],
) -> ErrorHandlerCallable | None:
    for scope in scopes:
        by_code = handlers.get(scope)
        if by_code and (by_class := by_code.get(code)):
            for ancestor in kind.__mro__:
                if ancestor in by_class:
                    return by_class[ancestor]
    return None
