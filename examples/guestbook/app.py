"""A guestbook in plain WSGI: ``stein serve app:app``.

It needs nothing but the standard library and runs on every WSGI server. Each request goes through
`Guestbook.__call__`: find the route, call its view, hand the response to the server. A view that
cannot go on raises a `Refusal`, which is answered here as a page or, under /api/, as JSON. Any
other exception is a bug and is left to the server, which logs it and answers 500.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import assets
import pages
import views
from exchange import Refusal, Request, Response
from store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["Guestbook", "app"]

View = Callable[[Request, Store], Response]

ENTRY = r"(?P<id>[1-9][0-9]{0,17})"

#: Path pattern, and the view of each method. HEAD is answered wherever GET is.
ROUTES: tuple[tuple[str, dict[str, View]], ...] = (
    (r"/", {"GET": views.front, "POST": views.add_by_form}),
    (rf"/entries/{ENTRY}", {"GET": views.show_entry}),
    (rf"/entries/{ENTRY}/delete", {"POST": views.delete_by_form}),
    (r"/slow", {"GET": views.slow}),
    (r"/ticker", {"GET": views.ticker}),
    (r"/upload", {"GET": views.show_upload, "PUT": views.receive_upload}),
    (r"/environ", {"GET": views.environ}),
    (r"/api/entries", {"GET": views.show_listing, "POST": views.add_by_json}),
    (rf"/api/entries/{ENTRY}", {"GET": views.show_by_json, "DELETE": views.delete_by_json}),
    (r"/api/slow", {"GET": views.slow_by_json}),
    (r"/static/(?P<name>[a-z]+\.[a-z]+)", {"GET": assets.asset}),
)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: The page may load its own style and scripts, talk to its own server, and nothing else.
SECURITY_HEADERS = [
    (
        "Content-Security-Policy",
        (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
]


class Guestbook:
    """The WSGI application, over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; called on many threads at once."""
        response = self.respond(environ)
        status = HTTPStatus(response.status)
        headers = [*response.headers, *SECURITY_HEADERS]
        if status is not HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Type", response.content_type))
        start_response(f"{status.value} {status.phrase}", headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            close = getattr(response.body, "close", None)
            if close is not None:
                close()
            return []
        return response.body

    def respond(self, environ: WSGIEnvironment) -> Response:
        """The response of the view, or the one that says why there is none."""
        request = Request(environ)
        try:
            view = route(request)
            if request.method not in SAFE_METHODS:
                request.refuse_foreign_sites()
            return view(request, self.store)
        except Refusal as refusal:
            return refused(refusal, request)


def route(request: Request) -> View:
    """The view for this request; what its path captured is kept in the request."""
    wanted = "GET" if request.method == "HEAD" else request.method
    for pattern, methods in ROUTES:
        match = re.fullmatch(pattern, request.path)
        if match is None:
            continue
        if wanted not in methods:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            raise Refusal(405, f"this address takes {allowed}", ("Allow", allowed))
        request.captured = match.groupdict()
        return methods[wanted]
    raise Refusal(404, "there is nothing at this address")


def refused(refusal: Refusal, request: Request) -> Response:
    """The refusal in the form in which the client asked."""
    if request.wants_json:
        response = Response.json({"error": refusal.why}, refusal.status)
    else:
        page = pages.problem(request.root, refusal.status, refusal.why)
        response = Response.page(page, refusal.status)
    response.headers.extend(refusal.headers)
    return response


def database() -> Path:
    """``GUESTBOOK_DB``, else a file in the user's data folder, else in the temporary folder."""
    named = os.environ.get("GUESTBOOK_DB")
    if named:
        return Path(named)
    try:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        folder = data / "stein-guestbook"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        folder = Path(tempfile.gettempdir()) / "stein-guestbook"
    return folder / "guestbook.sqlite3"


app = Guestbook(Store(database()))
