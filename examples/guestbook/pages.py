"""The HTML. Each function returns text; whatever a visitor can influence goes through `escape`.

Writing HTML in f-strings is fine for a handful of pages and for showing how little WSGI needs. A
larger program wants a template engine that escapes without being asked.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from http import HTTPStatus

    from store import Entry, Listing

__all__ = ["CLOSING", "entry", "environ", "front", "opening", "problem", "slow", "tick", "upload"]

NAVIGATION = {
    "/": "Guestbook",
    "/slow": "Slow",
    "/ticker": "Ticker",
    "/upload": "Upload",
    "/environ": "Environ",
}

#: What to say after a form was worked on; the address carries the key, never the sentence.
NOTICES = {"added": "Thank you, your entry is in the book.", "deleted": "The entry is gone."}

CLOSING = """</main>
<footer>One file of SQLite, no framework, served by stein.</footer>
</body>
</html>
"""


def opening(root: str, title: str, *, here: str = "", script: str = "") -> str:
    """The page up to where its content starts, so that a stream can send it first."""
    links = "".join(
        f'<li><a href="{root}{path}"{current(path == here)}>{name}</a></li>'
        for path, name in NAVIGATION.items()
    )
    extra = f'<script src="{root}/static/{script}" defer></script>\n' if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} – Guestbook</title>
<link rel="stylesheet" href="{root}/static/style.css">
<link rel="icon" href="{root}/static/icon.svg" type="image/svg+xml">
{extra}</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><nav aria-label="Pages"><ul>{links}</ul></nav></header>
<main id="content">
<h1>{escape(title)}</h1>
"""


def current(here: bool) -> str:  # noqa: FBT001 - one flag, one call shape
    """The attribute that marks a link to the page one is on."""
    return ' aria-current="page"' if here else ""


def front(
    root: str, listing: Listing, *, notice: str = "", draft: Mapping[str, str], faults: list[str]
) -> str:
    """The entries of one page, the search field, and the form for a new entry."""
    said = NOTICES.get(notice, "")
    return (
        opening(root, "Guestbook", here="/")
        + (f'<p class="notice" role="status">{said}</p>' if said else "")
        + _form(root, draft, faults)
        + _search(root, listing)
        + "".join(_card(root, item) for item in listing.entries)
        + _steps(root, listing)
        + CLOSING
    )


def _form(root: str, draft: Mapping[str, str], faults: list[str]) -> str:
    why = "".join(f"<li>{escape(fault)}</li>" for fault in faults)
    name, message = escape(draft.get("name", "")), escape(draft.get("message", ""))
    return f"""<form class="card" method="post" action="{root}/">
<h2>Write something</h2>
{f'<ul class="faults" id="faults" role="alert">{why}</ul>' if faults else ""}
<label for="name">Name</label>
<input id="name" name="name" value="{name}" maxlength="80" required autocomplete="nickname">
<label for="message">Message</label>
<textarea id="message" name="message" rows="3" maxlength="2000" required>
{message}</textarea>
<button>Sign the book</button>
</form>
"""


def _search(root: str, listing: Listing) -> str:
    if listing.query:
        found = f"{listing.total} found for “{escape(listing.query)}”."
    else:
        found = f"{listing.total} so far." if listing.total else "Nobody has written yet."
    return f"""<form class="search" role="search" action="{root}/">
<label for="q">Search</label>
<input id="q" name="q" type="search" maxlength="100" value="{escape(listing.query)}">
<button class="quiet">Find</button>
</form>
<p class="faint">{found}</p>
"""


def _steps(root: str, listing: Listing) -> str:
    if listing.pages == 1:
        return ""

    def step(page: int, label: str, relation: str) -> str:
        if not 1 <= page <= listing.pages:
            return f'<span class="faint">{label}</span>'
        query = {"page": page} | ({"q": listing.query} if listing.query else {})
        return f'<a rel="{relation}" href="{root}/?{escape(urlencode(query))}">{label}</a>'

    return (
        '<nav class="steps" aria-label="Pages of entries">'
        + step(listing.page - 1, "Newer", "prev")
        + f"<span>Page {listing.page} of {listing.pages}</span>"
        + step(listing.page + 1, "Older", "next")
        + "</nav>\n"
    )


def _card(root: str, item: Entry) -> str:
    return f"""<article class="card">
<p class="message" dir="auto">{escape(item.message)}</p>
<p class="faint"><bdi>{escape(item.name)}</bdi>,
<a href="{root}/entries/{item.id}">{_time(item)}</a></p>
</article>
"""


def _time(item: Entry) -> str:
    written = escape(item.written)
    return f'<time datetime="{written}">{written[:10]} {written[11:16]} UTC</time>'


def entry(root: str, item: Entry) -> str:
    """One entry by itself, with the button that deletes it."""
    return (
        opening(root, f"Entry {item.id}")
        + f"""<article class="card">
<p class="message" dir="auto">{escape(item.message)}</p>
<p class="faint"><bdi>{escape(item.name)}</bdi>, {_time(item)}</p>
<form method="post" action="{root}/entries/{item.id}/delete">
<button class="quiet">Delete</button>
</form>
</article>
<p><a href="{root}/">All entries</a></p>
"""
        + CLOSING
    )


def slow(root: str, seconds: int, facts: Mapping[str, object]) -> str:
    """Who served this slow page, and a button that asks for ten of them together."""
    return (
        opening(root, "A slow page", here="/slow", script="together.js")
        + f"""<p>This view slept for {seconds} s before it answered. While it slept it held one
thread; the other threads went on serving.</p>
{_table(facts)}
<form class="search" action="{root}/slow">
<label for="seconds">Seconds</label>
<input id="seconds" name="seconds" type="number" min="0" max="30" value="{seconds}">
<button class="quiet">Again</button>
</form>
<h2>Ten at once</h2>
<p>Each bar is one request that sleeps 2 s. Browsers open six connections to a host, so the last
four start when the first are done; ten clients would be served together.</p>
<p><button id="together" data-address="{root}/api/slow" hidden>Start ten requests</button></p>
<noscript>
<p class="faint">The bars need JavaScript; the README shows the same with curl.</p>
</noscript>
<ol id="bars" class="bars" aria-live="polite"></ol>
"""
        + CLOSING
    )


def tick(number: int, thread: str, clock: str) -> str:
    """One line of the ticker."""
    return f"<li>{escape(clock)}, line {number}, written by {escape(thread)}</li>\n"


def upload(root: str, largest: int) -> str:
    """Choose a file; the script sends it as the raw body of a PUT."""
    return (
        opening(root, "Upload", here="/upload", script="upload.js")
        + f"""<p>The file is hashed while it comes in, block by block, and not kept.
At most {largest // 1024**2} MiB.</p>
<form class="card" id="upload" data-address="{root}/upload">
<label for="file">File</label>
<input id="file" type="file" required>
<button>Send</button>
<noscript><p class="faint">Without JavaScript: curl -T FILE {root}/upload</p></noscript>
</form>
<pre id="answer" class="card" role="status" hidden></pre>
"""
        + CLOSING
    )


def environ(root: str, facts: Mapping[str, object], keys: Mapping[str, str]) -> str:
    """The request as the server handed it to this program."""
    return (
        opening(root, "Environ", here="/environ")
        + "<p>What the server knows about this request, as WSGI passes it on.</p>"
        + _table(facts)
        + "<h2>The environ</h2>"
        + _table(keys)
        + CLOSING
    )


def _table(rows: Mapping[str, object]) -> str:
    cells: Iterable[str] = (
        f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(str(value))}</code></td></tr>'
        for name, value in rows.items()
    )
    return f'<div class="wide"><table>{"".join(cells)}</table></div>\n'


def problem(root: str, status: HTTPStatus, why: str) -> str:
    """Why there is no page here."""
    sentence = f"{why[:1].upper()}{why[1:]}."
    return (
        opening(root, f"{status.value} {status.phrase}")
        + f'<p>{escape(sentence)}</p>\n<p><a href="{root}/">To the guestbook</a></p>\n'
        + CLOSING
    )
