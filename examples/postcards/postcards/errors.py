"""What is said when something cannot be done: a page to people, JSON to programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stein import render_template, request
from stein.toolkit.exceptions import HTTPException, RequestEntityTooLarge

if TYPE_CHECKING:
    from stein import Stein
    from stein.web.typing import ResponseReturnValue


def explain(error: HTTPException) -> ResponseReturnValue:
    """Answer with the status and the headers of the error, and a body for who asked."""
    response = error.get_response()
    # An address under /api/ that nobody knows belongs to no blueprint, so the path decides.
    if request.path.startswith("/api/"):
        response.content_type = "application/json"
        response.set_data(json.dumps({"error": error.description}))
    else:
        response.set_data(render_template("error.html", error=error))
    return response


def explain_too_large(error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say the limit, which people meet when they upload a picture."""
    error.description = "That is too large: a picture may have up to 4 MB."
    return explain(error)


def init_app(app: Stein) -> None:
    """Answer the errors of this application."""
    app.register_error_handler(HTTPException, explain)
    app.register_error_handler(RequestEntityTooLarge, explain_too_large)
