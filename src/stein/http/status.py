"""Status codes and their reason phrases (RFC 9110 15 and the IANA registry)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

__all__ = ["BODILESS", "REASONS", "status_text"]

REASONS: Final[dict[int, str]] = {
    **{status.value: status.phrase for status in HTTPStatus},
    # RFC 9110 renamed these; the standard library follows only from Python 3.13 on
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}

#: final statuses whose response never has content (RFC 9112 6.3)
BODILESS: Final = frozenset({204, 304})


def status_text(code: int) -> str:
    """The status as ``start_response`` takes it: ``404`` gives ``"404 Not Found"``."""
    return f"{code} {REASONS.get(code, 'Unknown')}"
