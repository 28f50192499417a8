"""New cards, shown as they arrive: server-sent events, which browsers read by themselves."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from stein import (
    Blueprint,
    Response,
    get_template_attribute,
    render_template,
    request,
    stream_with_context,
)

from . import cards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.web.typing import ResponseReturnValue

bp = Blueprint("live", __name__)

#: A stream holds a thread of the server all the while, so only so many are kept open at once.
places = threading.BoundedSemaphore(6)

#: Seconds after which a stream ends. The browser opens the next one by itself.
LENGTH = 15


@bp.get("/live")
def watch() -> ResponseReturnValue:
    """The page that listens."""
    return render_template("live.html", newest=cards.newest_id())


@bp.get("/live/events")
def events() -> ResponseReturnValue:
    """The events: each is one card, as HTML, and its id is the number of the card.

    A browser that comes back says which one it saw last, so it misses none.
    """
    seen = request.headers.get("Last-Event-ID", type=int)
    if seen is None:
        seen = request.args.get("after", cards.newest_id(), type=int)
    stays = places.acquire(blocking=False)
    response = Response(
        stream_with_context(stream(seen, LENGTH if stays else 0)),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )
    if stays:
        response.call_on_close(places.release)  # at the end, and when the browser has gone
    return response


def stream(seen: int, seconds: float) -> Iterator[str]:
    """Write what is new, again and again for this many seconds."""
    tile = get_template_attribute("_cards.html", "tile")
    end = time.monotonic() + seconds
    yield "retry: 2000\n\n"  # milliseconds until the browser asks again
    while True:
        for card in cards.newer(seen):
            seen = card.id
            html = " ".join(tile(card).split())  # an event's data is one line
            yield f"id: {card.id}\ndata: {html}\n\n"
        if time.monotonic() >= end:
            return
        yield ": still here\n\n"  # a comment; writing it is how one learns that nobody listens
        time.sleep(1)
