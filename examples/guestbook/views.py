"""What each address does: from a request and the store to a response."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from unicodedata import category

import pages
from exchange import Refusal, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from store import Entry, Listing, Store

__all__ = [
    "add_by_form",
    "add_by_json",
    "delete_by_form",
    "delete_by_json",
    "environ",
    "front",
    "receive_upload",
    "show_by_json",
    "show_entry",
    "show_listing",
    "show_upload",
    "slow",
    "slow_by_json",
    "ticker",
]

LONGEST = {"name": 80, "message": 2000}
LARGEST_UPLOAD = 256 * 1024**2
LAST_PAGE = 10**8

#: A server may mix its own process environment into the environ, and that can hold passwords. So
#: the page shows the keys that describe a request and no others.
SHOWN_PREFIXES = ("HTTP_", "REMOTE_", "REQUEST_", "SERVER_", "stein.", "wsgi.")
SHOWN_KEYS = ("CONTENT_LENGTH", "CONTENT_TYPE", "PATH_INFO", "QUERY_STRING", "SCRIPT_NAME")


def front(request: Request, store: Store) -> Response:
    """The guestbook itself."""
    listing = _listing(request, store)
    notice = request.query.get("notice", "")
    return Response.page(pages.front(request.root, listing, notice=notice, draft={}, faults=[]))


def add_by_form(request: Request, store: Store) -> Response:
    """Take a new entry; with a fault in it, show the form again with what was typed."""
    typed = request.form()
    draft, faults = _checked(typed)
    if faults:
        page = pages.front(request.root, store.listing(), draft=draft, faults=faults)
        return Response.page(page, 400)
    store.add(**draft)
    return Response.see(f"{request.root}/?notice=added")


def show_entry(request: Request, store: Store) -> Response:
    """One entry."""
    return Response.page(pages.entry(request.root, _entry(request, store)))


def delete_by_form(request: Request, store: Store) -> Response:
    """Forget one entry."""
    store.delete(_entry(request, store).id)
    return Response.see(f"{request.root}/?notice=deleted")


def show_listing(request: Request, store: Store) -> Response:
    """One page of entries, for programs."""
    listing = _listing(request, store)
    return Response.json(
        {
            "entries": [_as_json(entry) for entry in listing.entries],
            "page": listing.page,
            "pages": listing.pages,
            "total": listing.total,
        }
    )


def add_by_json(request: Request, store: Store) -> Response:
    """Take a new entry from a program."""
    draft, faults = _checked(request.json())
    if faults:
        raise Refusal(400, "; ".join(faults))
    entry = store.add(**draft)
    response = Response.json(_as_json(entry), 201)
    response.headers.append(("Location", f"{request.root}/api/entries/{entry.id}"))
    return response


def show_by_json(request: Request, store: Store) -> Response:
    """One entry, for programs."""
    return Response.json(_as_json(_entry(request, store)))


def delete_by_json(request: Request, store: Store) -> Response:
    """Forget one entry, for programs."""
    entry = _entry(request, store)
    store.delete(entry.id)
    return Response.json({"deleted": entry.id})


def slow(request: Request, _store: Store) -> Response:
    """Sleep, as a view does that waits for a database or another service."""
    seconds, facts = _sleep(request)
    response = Response.page(pages.slow(request.root, seconds, facts))
    response.headers.append(("Cache-Control", "no-store"))
    return response


def slow_by_json(request: Request, _store: Store) -> Response:
    """The same for the script that draws the bars."""
    return Response.json(_sleep(request)[1])


def ticker(request: Request, _store: Store) -> Response:
    """A page that comes line by line, to be seen as it arrives."""
    lines = request.number("lines", 10, 1, 60)
    interval = request.number("interval", 1, 0, 5)

    def page() -> Iterator[bytes]:
        yield pages.opening(request.root, "Ticker", here="/ticker").encode()
        yield b'<p>One line a second; the page is done after the last.</p><ol class="ticks">\n'
        for number in range(1, lines + 1):
            thread = threading.current_thread().name
            yield pages.tick(number, thread, _clock()).encode()
            if number < lines:
                time.sleep(interval)
        yield f"</ol>\n{pages.CLOSING}".encode()

    return Response(page(), headers=[("Cache-Control", "no-store")])


def show_upload(request: Request, _store: Store) -> Response:
    """Where a file can be chosen."""
    return Response.page(pages.upload(request.root, LARGEST_UPLOAD))


def receive_upload(request: Request, _store: Store) -> Response:
    """Hash a file while it comes in, without ever holding it as a whole."""
    digest = hashlib.sha256()
    size = blocks = 0
    started = time.monotonic()
    for block in request.blocks(LARGEST_UPLOAD):
        digest.update(block)
        size += len(block)
        blocks += 1
    seconds = round(time.monotonic() - started, 3)
    facts = {"size": size, "sha256": digest.hexdigest(), "blocks": blocks, "seconds": seconds}
    return Response.json(facts | _who())


def environ(request: Request, _store: Store) -> Response:
    """The request as this program sees it."""
    keys = {
        key: repr(value)
        for key, value in sorted(request.environ.items())
        if key in SHOWN_KEYS or key.startswith(SHOWN_PREFIXES)
    }
    return Response.page(pages.environ(request.root, _who(), keys))


def _checked(given: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The two fields of an entry, cleaned, and what is wrong with them in sentences."""
    draft, faults = {}, []
    for name, longest in LONGEST.items():
        value = given.get(name, "")
        if not isinstance(value, str):
            faults.append(f"{name} must be text")
            continue
        # Control characters have no place in a text, and half a surrogate pair is no character.
        text = "".join(c for c in value if c == "\n" or category(c) not in ("Cc", "Cs"))
        # A name stands in the middle of a line; only a message may have several.
        text = text.strip() if name == "message" else " ".join(text.split())
        draft[name] = text
        if not text:
            faults.append(f"{name} is missing")
        elif len(text) > longest:
            faults.append(f"{name} may have at most {longest} characters, this has {len(text)}")
    return draft, faults


def _listing(request: Request, store: Store) -> Listing:
    page = request.number("page", 1, 1, LAST_PAGE)
    listing = store.listing(page, request.query.get("q", "").strip()[:100])
    if page > listing.pages:
        raise Refusal(404, f"there is no page {page}; the last one is {listing.pages}")
    return listing


def _entry(request: Request, store: Store) -> Entry:
    number = request.captured["id"]
    entry = store.entry(int(number))
    if entry is None:
        raise Refusal(404, f"there is no entry {number}")
    return entry


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "name": entry.name,
        "message": entry.message,
        "written": entry.written,
    }


def _sleep(request: Request) -> tuple[int, dict[str, object]]:
    seconds = request.number("seconds", 2, 0, 30)
    started = _clock()
    time.sleep(seconds)
    return seconds, {"started": started, "finished": _clock(), **_who()}


def _who() -> dict[str, object]:
    return {"thread": threading.current_thread().name, "process": os.getpid()}


def _clock() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
