"""What the functions of an application may take and give, as names for type annotations.

The aliases are real unions at run time too, so that :func:`typing.get_type_hints` works on a view
which is annotated with them.

=======================  ===========================================================
of a view                ``ResponseReturnValue`` = ``ResponseValue``, alone or in a tuple
                         with a status, header fields or both; or a WSGI application
of a registered function ``…Callable``: plain, or a coroutine function where that works
=======================  ===========================================================
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.sansio.response import Response
from stein.typing import WSGIApplication

__all__ = [
    "AfterRequestCallable",
    "AppOrBlueprintKey",
    "BeforeFirstRequestCallable",
    "BeforeRequestCallable",
    "ErrorHandlerCallable",
    "HeaderValue",
    "HeadersValue",
    "ResponseClass",
    "ResponseHook",
    "ResponseReturnValue",
    "ResponseValue",
    "RouteCallable",
    "ShellContextProcessorCallable",
    "TeardownCallable",
    "TemplateContextProcessorCallable",
    "TemplateFilterCallable",
    "TemplateGlobalCallable",
    "TemplateTestCallable",
    "URLDefaultCallable",
    "URLValuePreprocessorCallable",
]

#: The body of a response, or a whole one.  A mapping means a dictionary: only this word lets a
#: ``TypedDict`` pass.
ResponseValue: TypeAlias = (
    Response
    | str
    | bytes
    | Iterator[str]
    | Iterator[bytes]
    | AsyncIterator[str]
    | AsyncIterator[bytes]
    | list[Any]
    | Mapping[str, Any]
)

#: one field, or the same field several times
HeaderValue: TypeAlias = str | list[str] | tuple[str, ...]
HeadersValue: TypeAlias = Headers | Mapping[str, HeaderValue] | Sequence[tuple[str, HeaderValue]]

#: all that a view may return
ResponseReturnValue: TypeAlias = (
    ResponseValue
    | tuple[ResponseValue, int]
    | tuple[ResponseValue, HeadersValue]
    | tuple[ResponseValue, int, HeadersValue]
    | WSGIApplication
)

#: A callback says with it that it gives the same class as it takes.  The bound is the base of all
#: response classes, so that an annotation with any of them is accepted.
ResponseClass = TypeVar("ResponseClass", bound=Response)

#: the keys of the tables of an application: a blueprint's name, or ``None`` for the whole of it
AppOrBlueprintKey: TypeAlias = str | None

# --- what an application calls around and instead of a view ---------------------------------------

RouteCallable: TypeAlias = (
    Callable[..., ResponseReturnValue] | Callable[..., Awaitable[ResponseReturnValue]]
)
#: No narrower argument than ``Any`` fits: a handler of ``ValueError`` is no function that takes
#: every exception, and one function may be registered for several classes.
ErrorHandlerCallable: TypeAlias = (
    Callable[[Any], ResponseReturnValue] | Callable[[Any], Awaitable[ResponseReturnValue]]
)
BeforeRequestCallable: TypeAlias = (
    Callable[[], ResponseReturnValue | None] | Callable[[], Awaitable[ResponseReturnValue | None]]
)
BeforeFirstRequestCallable: TypeAlias = Callable[[], None] | Callable[[], Awaitable[None]]
AfterRequestCallable: TypeAlias = (
    Callable[[ResponseClass], ResponseClass] | Callable[[ResponseClass], Awaitable[ResponseClass]]
)
#: What decorators ask for: it also finds the function that forgets to return the response.  The
#: argument is ``Any``, as one that takes our class is no function that takes every response.
ResponseHook: TypeAlias = Callable[[Any], Response] | Callable[[Any], Awaitable[Response]]
TeardownCallable: TypeAlias = (
    Callable[[BaseException | None], None] | Callable[[BaseException | None], Awaitable[None]]
)

# --- URLs, templates, the shell -------------------------------------------------------------------

URLValuePreprocessorCallable: TypeAlias = (
    Callable[[str | None, dict[str, Any] | None], None]
    | Callable[[str | None, dict[str, Any] | None], Awaitable[None]]
)
URLDefaultCallable: TypeAlias = (
    Callable[[str, dict[str, Any]], None] | Callable[[str, dict[str, Any]], Awaitable[None]]
)
TemplateContextProcessorCallable: TypeAlias = (
    Callable[[], dict[str, Any]] | Callable[[], Awaitable[dict[str, Any]]]
)
TemplateFilterCallable: TypeAlias = Callable[..., Any]
TemplateGlobalCallable: TypeAlias = Callable[..., Any]
TemplateTestCallable: TypeAlias = Callable[..., bool]
ShellContextProcessorCallable: TypeAlias = Callable[[], dict[str, Any]]
