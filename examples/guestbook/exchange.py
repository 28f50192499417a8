"""One request and its response, read from and written to plain WSGI.

Everything a client sends is checked here, once: lengths, encodings, numbers, and where a form was
sent from. What is wrong becomes a :class:`Refusal`, which carries the status to answer with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import WSGIEnvironment

__all__ = ["Refusal", "Request", "Response"]

BLOCK = 64 * 1024
LARGEST_FORM = 64 * 1024
MOST_FIELDS = 20


class Refusal(Exception):  # noqa: N818 - it is an answer to the client, not a fault of ours
    """The request cannot be served: the status to answer with, and why in a sentence."""

    def __init__(self, status: int, why: str, *headers: tuple[str, str]) -> None:
        super().__init__(why)
        self.status = HTTPStatus(status)
        self.why = why
        self.headers = list(headers)


@dataclass(slots=True)
class Response:
    """What goes back. ``body`` may be a generator: the server then sends each block as it comes."""

    body: Iterable[bytes]
    content_type: str = "text/html; charset=utf-8"
    status: int = HTTPStatus.OK
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def page(cls, text: str, status: int = HTTPStatus.OK) -> Response:
        """An HTML page."""
        return cls([text.encode()], status=status)

    @classmethod
    def json(cls, value: object, status: int = HTTPStatus.OK) -> Response:
        """A value as JSON."""
        return cls([json.dumps(value).encode() + b"\n"], "application/json", status)

    @classmethod
    def see(cls, location: str) -> Response:
        """Go there with GET: after a POST, so that reloading the page does not post again."""
        return cls([], status=HTTPStatus.SEE_OTHER, headers=[("Location", location)])


class Request:
    """A view of the WSGI environ in the words of this program."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        #: Where the program is mounted; every link starts with it.
        self.root = quote(environ.get("SCRIPT_NAME", ""), encoding="latin-1").rstrip("/")
        # WSGI hands over bytes dressed up as latin-1 text. At the bare mount point there are none.
        path: bytes = environ.get("PATH_INFO", "").encode("latin-1") or b"/"
        self.path = path.decode(errors="replace")
        #: The named groups of the route that matched.
        self.captured: dict[str, str] = {}

    @cached_property
    def query(self) -> dict[str, str]:
        """The fields of the query string."""
        return fields(self.environ.get("QUERY_STRING", ""))

    @property
    def wants_json(self) -> bool:
        """Whether programs, not people, ask at this address."""
        return self.path.startswith("/api/")

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number from the query string, or a refusal that says what would do."""
        text = self.query.get(name, "").strip() or str(default)
        # isdecimal() alone takes the digits of every script, and int() takes "1_0" and "+1".
        if text.isascii() and text.isdecimal() and len(text) < 10:
            value = int(text)
            if lowest <= value <= highest:
                return value
        raise Refusal(400, f"{name} must be a whole number from {lowest} to {highest}")

    def refuse_foreign_sites(self) -> None:
        """Turn away a form that another site made the visitor's browser send.

        Browsers say where a request comes from and pages cannot forge it. A client that says
        nothing is no browser, so there is no visitor whose rights it could borrow.
        """
        site = self.environ.get("HTTP_SEC_FETCH_SITE")
        origin = self.environ.get("HTTP_ORIGIN")
        if site is not None:
            allowed = site in ("same-origin", "none")
        elif origin is not None:
            try:
                allowed = urlsplit(origin).netloc == self.environ.get("HTTP_HOST")
            except ValueError:
                allowed = False
        else:
            allowed = True
        if not allowed:
            raise Refusal(403, "this form was sent from another site")

    def blocks(self, limit: int) -> Iterator[bytes]:
        """The body in blocks, so that one of any size takes the same memory."""
        stream = self.environ["wsgi.input"]
        declared = self.environ.get("CONTENT_LENGTH", "")
        if declared:
            if not (declared.isascii() and declared.isdecimal()):
                raise Refusal(400, "the Content-Length is not a number")
            if len(declared) > 18 or int(declared) > limit:
                raise Refusal(413, f"the body may have at most {limit:,} bytes")
            left = int(declared)
            while left:
                block = stream.read(min(left, BLOCK))
                if not block:
                    raise Refusal(400, "the body is shorter than its Content-Length")
                left -= len(block)
                yield block
        elif self.environ.get("wsgi.input_terminated"):
            left = limit
            while block := stream.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise Refusal(413, f"the body may have at most {limit:,} bytes")
                yield block
        elif "HTTP_TRANSFER_ENCODING" in self.environ:
            raise Refusal(411, "this server passes on no body without a Content-Length")

    def form(self) -> dict[str, str]:
        """The fields of a posted form."""
        self._require_type("application/x-www-form-urlencoded")
        return fields(self._text())

    def json(self) -> dict[str, Any]:
        """The posted JSON object."""
        self._require_type("application/json")
        try:
            value = json.loads(self._text())
        except (ValueError, RecursionError):
            raise Refusal(400, "the body is not valid JSON") from None
        if not isinstance(value, dict):
            raise Refusal(400, 'the body must be a JSON object like {"name": …, "message": …}')
        return value

    def _require_type(self, wanted: str) -> None:
        found = self.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if found != wanted:
            raise Refusal(415, f"send this as {wanted}")

    def _text(self) -> str:
        try:
            return b"".join(self.blocks(LARGEST_FORM)).decode()
        except UnicodeDecodeError:
            raise Refusal(400, "the body is not UTF-8") from None


def fields(encoded: str) -> dict[str, str]:
    """URL-encoded fields by name; of a field that occurs twice, the last."""
    try:
        return dict(
            parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        )
    except ValueError:
        raise Refusal(400, f"expected at most {MOST_FIELDS} URL-encoded UTF-8 fields") from None
