"""The JSON route of `framework_app.py` as falcon's users write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import falcon

if TYPE_CHECKING:
    from falcon import Request, Response


class Index:
    """The greeting."""

    def on_get(self, _request: Request, response: Response) -> None:
        """Thirteen characters."""
        response.content_type = falcon.MEDIA_HTML
        response.text = "Hello, World!"


class User:
    """One integer from the path, three fields of JSON."""

    def on_get(self, _request: Request, response: Response, number: int) -> None:
        """What `jsonify` makes there."""
        response.media = {"id": number, "name": "Ada Lovelace", "active": True}


app = falcon.App()
app.add_route("/", Index())
app.add_route("/user/{number:int}", User())
