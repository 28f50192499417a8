"""Redirects that lose what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stein.toolkit.routing.exceptions import RequestRedirect

if TYPE_CHECKING:
    from stein.web.request import Request

__all__ = ["FormDataRoutingRedirect"]


class FormDataRoutingRedirect(AssertionError):  # noqa: N818 - public name
    """Routing would redirect a request so that its method and body get lost.

    That is so with a 301 or 302 for anything but GET, HEAD and OPTIONS.  It is raised in debug
    mode only; otherwise the redirect is sent.

    :param request: whose ``routing_exception`` is the redirect.
    """

    def __init__(self, request: Request) -> None:
        redirect = request.routing_exception
        if not isinstance(redirect, RequestRedirect):
            raise TypeError(f"routing has not redirected {request!r}, but: {redirect!r}")
        text = (
            f"A {request.method} request was sent to {request.url!r}, and routing answers with a "
            f"redirect ({redirect.code}) to the canonical URL {redirect.new_url!r}. "
        )
        if redirect.new_url.partition("?")[0] == f"{request.base_url}/":
            text += "The rule ends with a slash, and the URL that was asked for does not. "
        super().__init__(
            f"{text}Browsers would ask for that with GET and without the form data. Send the "
            f"request to the canonical URL (url_for() builds it), or let routing answer with 307 "
            "or 308. This is an error in debug mode only."
        )
