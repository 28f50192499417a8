"""From what a view returned to a response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.exceptions import HTTPException
from stein.toolkit.response import Response as ResponseBase
from stein.web.globals import request, request_ctx

if TYPE_CHECKING:
    from stein.web.app import Stein
    from stein.web.response import Response

__all__ = ["to_response"]


def to_response(app: Stein, value: Any) -> Response:
    """Make a response of what a view returned.

    :param app: the application, whose ``response_class`` and ``json`` are used.
    :param value: one of

        * text or bytes, the body;
        * a dict or a list, sent as JSON;
        * an iterator, such as a generator, of text or bytes, which is sent as it comes; so is an
          asynchronous one;
        * a response: of the application's class it is given back as it is, others are changed
          into one;
        * any other callable, which is called as a WSGI application;
        * a tuple: one of the above and a status, or header fields, or both in this order.
    :raises TypeError: it is nothing of that, which mostly means that the view returned nothing.
    """
    cls = app.response_class
    status = headers = None
    if isinstance(value, tuple):
        value, status, headers = _unpack(value)
    if isinstance(value, cls):
        response = value
    elif isinstance(value, (dict, list)):
        response = _as_json(app, value)
    elif isinstance(value, (str, bytes, bytearray, Iterator)):
        # The class is told status and fields at once, as it may look at them.
        return cls(cast("Any", value), status=status, headers=headers)
    else:
        response = _forced(app, value)
    if status is not None:
        if isinstance(status, (str, bytes, bytearray)):
            response.status = status  # type: ignore[assignment]
        else:
            response.status_code = status
    if headers:
        response.headers.update(headers)
    return response


def _unpack(value: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """Body, status and fields out of a tuple."""
    if len(value) == 3:
        return value
    if len(value) == 2:
        body, other = value
        if isinstance(other, (Headers, dict, tuple, list)):
            return body, None, other
        return body, other, None
    raise TypeError(
        f"The {_answerer()} did not return a valid response tuple. The tuple must have the form"
        f" (body, status, headers), (body, status), or (body, headers), but it has {len(value)}"
        f" items. {_culprit()}"
    )


def _as_json(app: Stein, value: Any) -> Response:
    """The response with a dict or a list."""
    try:
        return app.json.response(value)
    except (TypeError, ValueError) as error:
        # Late: only for who returned something wrong.
        from stein.tracebacks import MACHINERY, user_frames  # noqa: PLC0415

        kind = TypeError if isinstance(error, TypeError) else ValueError
        # What the standard library did on the way says nothing; a function of the user's does.
        cause = error if user_frames(error, (*MACHINERY, *_json_files())) else None
        raise kind(f"{error}. {_culprit()}") from cause


def _json_files() -> tuple[str]:
    import json  # noqa: PLC0415 - late, as above

    return (str(json.__file__).removesuffix("__init__.py"),)


def _forced(app: Stein, value: Any) -> Response:
    """The response of what is seldom returned: an application, a response of another class, ..."""
    if hasattr(value, "__aiter__"):
        from stein.web.asyncviews import iterate  # noqa: PLC0415 - late: asyncio

        return app.response_class(iterate(value))
    if value is None:
        raise TypeError(
            f"The {_answerer(of_endpoint=True)} did not return a valid response. The"
            f" function either returned None or ended without a return statement. {_culprit()}"
        )
    cause = None
    if isinstance(value, ResponseBase) or callable(value):
        try:
            if isinstance(value, HTTPException):
                # PERF: as an application it would do the same, and take 6 us more.
                value = value.get_response(request.environ)
            return app.response_class.force_type(value, request.environ)
        except TypeError as error:
            cause = error
    reason = "" if cause is None else f"{cause}\n"
    raise TypeError(
        f"{reason}The {_answerer()} did not return a valid response. The return type must be a"
        " string, dict, list, tuple with headers or status, Response instance, or WSGI callable,"
        f" but it was a {type(value).__name__}. {_culprit()}"
    ) from cause


def _answerer(*, of_endpoint: bool = False) -> str:
    """What kind of function it was."""
    answered = request_ctx._answered_by  # noqa: SLF001 - the context's other half
    if answered is not None:
        return answered[0]
    return f"view function for {request.endpoint!r}" if of_endpoint else "view function"


def _culprit() -> str:
    """Which function it was, and where it stands."""
    # Late: only for who returned something wrong.
    from stein.web.explain.views import describe_view  # noqa: PLC0415

    return describe_view(request)
