"""Answers that send the client elsewhere (RFC 9110 15.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import escape

from stein.http.urls import percent_encode
from stein.toolkit.response import Response as _Response
from stein.toolkit.wsgi import wsgi_decode

if TYPE_CHECKING:
    from stein.typing import Environ

__all__ = ["append_slash_redirect", "redirect"]

# The URL standard's code points of a path and of a query.  In the path of an environ nothing is
# encoded any more, so that a percent sign in it is one; in its query all is as it was sent.
_PATH_SAFE: Final = "!$&'()*+,/:;=@"
_QUERY_SAFE: Final = _PATH_SAFE + "?%"


def redirect(
    location: str,
    code: int = 302,
    Response: type[_Response] | None = None,  # noqa: N803 - programs call it by this name
) -> _Response:
    """Make an answer that sends the client to another URL.

    :param location: the URL, as an IRI, absolute or relative.  It must not be taken from the
        request without a look at its host.
    :param code: 301 (for good), 302, 303 (with GET), 305, 307 (with the same method) or 308
        (the same, for good).
    :param Response: the class of the answer.
    """
    make = _Response if Response is None else Response
    shown = escape(location)
    # The first sentence is part of the interface: tests of many applications look for it.
    response = make(
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n"
        "<h1>Redirecting...</h1>\n<p>You should be redirected automatically to the target URL: "
        f'<a href="{shown}">{shown}</a>. Otherwise follow this link.\n',
        code,
        mimetype="text/html",
    )
    response.headers["Location"] = location
    return response


def append_slash_redirect(environ: Environ, code: int = 308) -> _Response:
    """Make an answer that sends the client to the URL of the request with a slash at its end.

    The URL is relative: ``user/`` for ``/the/user``.  If the path ends with a slash already, it
    is ``./``, which leads to the same path again and again.

    :param environ: of the request.
    :param code: of the answer; 308 keeps the method and the body.
    """
    last = wsgi_decode(environ.get("PATH_INFO") or "").rpartition("/")[2]
    target = f"{percent_encode(last, _PATH_SAFE)}/" if last else "./"
    # RFC 3986 4.2: `javascript:x/` would be a URL with a scheme of its own.
    if ":" in last:
        target = f"./{target}"
    query: str = environ.get("QUERY_STRING", "")
    if query:
        target += f"?{percent_encode(query.encode('latin-1', 'replace'), _QUERY_SAFE)}"
    return redirect(target, code)
