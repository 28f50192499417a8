"""The response that an application's views give."""

from __future__ import annotations

from typing import Any

from stein.toolkit.late import LateModule
from stein.toolkit.response import Response as ResponseBase
from stein.web.globals import context_var

__all__ = ["Response"]


class Response(ResponseBase):
    """A response, which is HTML unless said otherwise; see :class:`stein.toolkit.Response`.

    Views seldom make one themselves, see :meth:`~stein.web.app.Stein.make_response`.  A subclass
    of it is used if the application's ``response_class`` says so.
    """

    default_mimetype: str | None = "text/html"
    json_module: Any = LateModule("stein.web.json")
    autocorrect_location_header = False

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """The most bytes of a cookie that is not warned of: the key ``MAX_COOKIE_SIZE``."""
        context = context_var.get(None)
        if context is None:
            return ResponseBase.max_cookie_size
        size: int = context.app.config["MAX_COOKIE_SIZE"]
        return size
