"""Answers under conditions: not modified, precondition failed, and parts (RFC 9110 13 and 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein.http.etags import parse_etags
from stein.toolkit.exceptions import RequestedRangeNotSatisfiable
from stein.toolkit.http import http_date, is_resource_modified, parse_range_header
from stein.toolkit.wsgi import _RangeWrapper

if TYPE_CHECKING:
    from stein.toolkit.request import Request
    from stein.toolkit.response import Response
    from stein.typing import Environ

__all__ = ["apply", "environ_of"]


def environ_of(request_or_environ: Environ | Request) -> Environ:
    """The environ, be it that of a request.

    :raises TypeError: it is neither.
    """
    environ: Any = getattr(request_or_environ, "environ", request_or_environ)
    if not isinstance(environ, dict):
        kind = type(environ).__name__
        raise TypeError(f"{environ!r} is a {kind}; give a request or a WSGI environ (dict)")
    return environ


def apply(
    response: Response,
    environ: Environ,
    accept_ranges: bool | str,  # noqa: FBT001 - as make_conditional has it
    complete_length: int | None,
) -> None:
    """Do what ``Response.make_conditional`` says."""
    if environ.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
        return
    headers = response.headers
    if "Date" not in headers:
        headers["Date"] = http_date()
    if accept_ranges:
        response.accept_ranges = "bytes" if accept_ranges is True else accept_ranges
    if not (accept_ranges and _give_part(response, environ, complete_length)) and not _is_modified(
        response, environ
    ):
        # RFC 9110 13.2.2: If-Match comes first, and what it forbids is not done at all.
        tags = parse_etags(environ.get("HTTP_IF_MATCH"))
        failed = tags.star or tags.strong or tags.weak
        response.status_code = 412 if failed else 304
    if response.automatically_set_content_length and "Content-Length" not in headers:
        length = response.calculate_content_length()
        if length is not None:
            headers["Content-Length"] = str(length)


def _is_modified(response: Response, environ: Environ, *, ignore_if_range: bool = True) -> bool:
    get = response.headers.get
    return is_resource_modified(
        environ,
        get("ETag"),
        last_modified=get("Last-Modified"),
        ignore_if_range=ignore_if_range,
    )


def _give_part(response: Response, environ: Environ, length: int | None) -> bool:
    """Make the response the part that is asked for, if one is, and it is still one of the same.

    :param length: of the whole.
    :return: whether it is a part now.
    :raises RequestedRangeNotSatisfiable: there is no such part.
    """
    if not length or "HTTP_RANGE" not in environ:
        return False
    if "HTTP_IF_RANGE" in environ and _is_modified(response, environ, ignore_if_range=False):
        return False
    wanted = parse_range_header(environ["HTTP_RANGE"])
    part = None if wanted is None else wanted.range_for_length(length)
    if wanted is None or part is None:
        raise RequestedRangeNotSatisfiable(length)
    start, stop = part
    response.content_length = stop - start
    response.content_range = wanted.make_content_range(length)  # type: ignore[assignment]
    response.status_code = 206
    response.response = _RangeWrapper(response.response, start, stop - start)  # type: ignore[arg-type]
    return True
