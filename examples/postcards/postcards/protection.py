"""What keeps other sites from acting in a visitor's name."""

from __future__ import annotations

import hmac
import os
import secrets
from typing import TYPE_CHECKING

from stein import abort, request, session

if TYPE_CHECKING:
    from pathlib import Path

    from stein import Response, Stein


#: Pages load style, scripts and pictures from here and nothing from anywhere else. Whatever markup
#: a visitor might smuggle in could run nothing.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def kept_secret(path: Path) -> str:
    """Give the secret key in this file, made when it is first asked for.

    Sessions are signed with it: whoever knows it can log in as anybody.
    """
    if not path.exists():
        # Written whole under another name first, and linked only if no other process was faster.
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with open(new, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_hex(32))
        try:
            path.hardlink_to(new)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return path.read_text()


def csrf_token() -> str:
    """Give the word that each form of this visitor sends back in a hidden field.

    It is kept in the session, and other sites can read neither the session nor our pages.
    """
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    token: str = session["csrf"]
    return token


def check_csrf_token() -> None:
    """Refuse a request that changes something and was sent from elsewhere than our own forms."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or request.endpoint is None:
        return  # nothing is changed, or there is nothing at this address
    if request.blueprint == "api":
        return  # it looks at no cookie, so there is nothing that another site could make use of
    sent = request.form.get("csrf", "")
    if not hmac.compare_digest(sent.encode(), session.get("csrf", "").encode()) or not sent:
        abort(400, "This form is out of date. Go back, reload the page and send it again.")


def add_headers(response: Response) -> Response:
    """Tell the browser what our pages never do."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def init_app(app: Stein) -> None:
    """Protect this application."""
    app.before_request(check_csrf_token)
    app.after_request(add_headers)
    app.add_template_global(csrf_token)
