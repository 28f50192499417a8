"""Pages that show themselves anew when what they are made of has changed.

Facts.  A stream to every open page would hold a thread each, and with one thread all of them.  A
browser sends a question again by itself when a connection was closed.

Decision.  A script in the page asks the server twice a second, while the page can be seen.  While
the program is started anew the question waits in the kernel's queue, so that the answer comes as
early as one can come.  It names the process, and how often templates and style sheets have
changed since that was started.

Price.  Two small requests a second for a page that is looked at.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stein.http.exchange import Exchange
    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["ASK_PATH", "SCRIPT_PATH", "Live", "script", "state_of", "without_questions"]

ASK_PATH: Final = "/_stein/reload"
SCRIPT_PATH: Final = "/_stein/reload.js"
TAG: Final = f'<script src="{SCRIPT_PATH}"></script>'.encode()
#: Where a whole page is wanted, as browsers tell it (Fetch Metadata).
DOCUMENTS: Final = frozenset(["document", "frame", "iframe"])


def state_of(run: str, page: int, css: int) -> bytes:
    """Return the answer to the script's question."""
    return b'{"run":"%b","page":%d,"css":%d}' % (run.encode(), page, css)


def script() -> bytes:
    """Return the script."""
    # Slow to import, and asked for seldom.
    from importlib.resources import files  # noqa: PLC0415

    return files(__package__ or "").joinpath("live.js").read_bytes()


class Live:
    """An application with answers to the script's questions, and with the script in its pages.

    :param application: whose pages these are.
    :param inject: put the script into pages; otherwise only the questions are answered, which a
        page about a program that failed may have.
    """

    def __init__(self, application: WSGIApplication, *, inject: bool) -> None:
        self.application = application
        self._inject = inject
        self._run = f"{os.getpid()}-{time.time_ns():x}"
        self._page = 0
        self._css = 0

    def note(self, paths: Iterable[str]) -> None:
        """Files have changed that pages are made of.  Any thread."""
        for path in paths:
            if path.endswith(".css"):
                self._css += 1
            else:
                self._page += 1

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, as PEP 3333 has it."""
        path = environ.get("PATH_INFO", "")
        if path == ASK_PATH:
            body = state_of(self._run, self._page, self._css)
            return answer(start_response, body, "application/json")
        if path == SCRIPT_PATH:
            return answer(start_response, script(), "text/javascript; charset=utf-8")
        if not self._inject or not wants_page(environ):
            return self.application(environ, start_response)
        page = Page(start_response)
        return page.extended(self.application(environ, page.start_response))


def answer(start_response: StartResponse, body: bytes, kind: str) -> list[bytes]:
    """Answer with a body that nobody keeps."""
    length = str(len(body))
    fields = [("Content-Type", kind), ("Content-Length", length), ("Cache-Control", "no-store")]
    start_response("200 OK", fields)
    return [body]


def wants_page(environ: Environ) -> bool:
    """Whether the answer, if it is HTML, will be a page of its own and no part of one."""
    if environ.get("REQUEST_METHOD") == "HEAD":
        return False
    destination = environ.get("HTTP_SEC_FETCH_DEST")
    if destination is not None:
        return destination in DOCUMENTS
    return "text/html" in environ.get("HTTP_ACCEPT", "") and "HTTP_HX_REQUEST" not in environ


class Page:
    """One answer, which gets the script at its end if it is a page."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self._is_page = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Pass the head on, with another length."""
        fields = {name.lower(): value for name, value in headers}
        self._is_page = (
            fields.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
            and "content-encoding" not in fields
            and status[:3] not in {"204", "206", "304"}
        )
        length = fields.get("content-length", "")
        if self._is_page and length.isdigit():
            longer = str(int(length) + len(TAG))
            headers = [
                (name, longer if name.lower() == "content-length" else value)
                for name, value in headers
            ]
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)

    def extended(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        """Give the pieces, and then the script.

        Browsers take it there although the document has ended (HTML 13.2.6.4.22).
        """
        return Extended(pieces, self)

    @property
    def tail(self) -> bytes:
        """What comes at the end."""
        return TAG if self._is_page else b""


class Extended:
    """An iterable of pieces with one more at its end; closes what it was made of."""

    def __init__(self, pieces: Iterable[bytes], page: Page) -> None:
        self._pieces = pieces
        self._page = page

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        tail = self._page.tail
        if tail:
            yield tail

    def close(self) -> None:
        """End what the application gave."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


def without_questions(
    observer: Callable[[Sequence[Exchange]], None],
) -> Callable[[Sequence[Exchange]], None]:
    """Return an observer that does not see the script's questions: no log should be full of them.

    :param observer: sees all others.
    """

    def observe(exchanges: Sequence[Exchange]) -> None:
        kept = [each for each in exchanges if not is_question(each)]
        if kept:
            observer(kept)

    return observe


def is_question(exchange: Exchange) -> bool:
    """Whether an exchange was the script's."""
    return exchange.line.path.startswith(ASK_PATH)
