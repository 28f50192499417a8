"""The debugger's answers: what is asked for, in which form, and what browsers may do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stein.toolkit.debugger import page
from stein.toolkit.request import Request
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from stein.typing import Environ

__all__ = ["NO_STORE", "html_response", "json_response", "request_of", "same_text", "wanted_form"]

NO_STORE: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def request_of(environ: Environ) -> Request:
    """Return the request, without leaving a trace of it for the application."""
    return Request(environ, populate_request=False)


def wanted_form(request: Request) -> str:
    """Return the media type in which an exception is shown."""
    accept = request.accept_mimetypes
    if not accept:
        return "text/html"
    if all(kind in {"*/*", "*"} for kind in accept.values()):
        return "text/plain"  # curl, and scripts
    forms = ("text/html", "application/json", "text/plain")
    return accept.best_match(forms, "text/plain")


def html_response(html: str, status: int, nonce: str, origin: str = "") -> Response:
    """Return a page as an answer.

    :param nonce: of its scripts and styles.
    :param origin: where it is from, if that can be trusted.
    """
    headers = {**NO_STORE, "Content-Security-Policy": page.policy(nonce, origin)}
    return Response(html, status, headers, mimetype="text/html")


def json_response(data: dict[str, Any], status: int = 200) -> Response:
    """Return data as an answer, in JSON."""
    # Late: not all programs use it.
    import json  # noqa: PLC0415

    return Response(json.dumps(data), status, NO_STORE, mimetype="application/json")


def same_text(given: str, right: str) -> bool:
    """Whether two texts are the same; it takes the same time wherever they differ."""
    # Late: most programs never get here.
    from hmac import compare_digest  # noqa: PLC0415

    return compare_digest(given.encode("utf-8", "replace"), right.encode())
