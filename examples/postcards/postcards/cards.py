"""The cards: what one is, how to find them, what may be written on one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stein import current_app, request

from .db import get_db

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .auth import User

LONGEST_PLACE = 60
LONGEST_MESSAGE = 500
LARGEST_ID = 2**63 - 1

SELECT = """
SELECT cards.id, cards.author, users.name, place, message, picture, written
FROM cards JOIN users ON users.id = cards.author
"""
COUNT = "SELECT count(*) FROM cards JOIN users ON users.id = cards.author"

#: Values go to the database beside the statement, never inside it. Without an author, all pass.
WHERE_AUTHOR = "WHERE users.name = coalesce(:author, users.name)"


@dataclass(frozen=True, slots=True)
class Card:
    """One postcard; the fields in the order of SELECT."""

    id: int
    author_id: int
    author: str
    place: str
    message: str
    picture: str | None
    written: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of cards, newest first, and where it stands among the others."""

    cards: list[Card]
    number: int
    count: int
    total: int

    @property
    def previous(self) -> int | None:
        """The number of the page with newer cards."""
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        """The number of the page with older cards."""
        return self.number + 1 if self.number < self.count else None


def page() -> Page:
    """Give the page that ``?page=`` asks for, of all cards or those of ``?author=``."""
    values = {"author": request.args.get("author")}
    ((total,),) = get_db().execute(f"{COUNT} {WHERE_AUTHOR}", values)
    size: int = current_app.config["CARDS_PER_PAGE"]
    count = max(1, -(-total // size))
    # What is no number becomes 1, and a page that does not exist the nearest that does.
    number = min(max(request.args.get("page", 1, type=int), 1), count)
    rows = get_db().execute(
        f"{SELECT} {WHERE_AUTHOR} ORDER BY cards.id DESC LIMIT :size OFFSET :skip",
        {**values, "size": size, "skip": (number - 1) * size},
    )
    return Page([Card(*row) for row in rows], number, count, total)


def find(card_id: int) -> Card | None:
    """Give the card of this number."""
    if card_id > LARGEST_ID:  # in an address, a number may have any length; in SQLite, 64 bits
        return None
    row = get_db().execute(f"{SELECT} WHERE cards.id = ?", (card_id,)).fetchone()
    return Card(*row) if row else None


def check(place: object, message: object) -> dict[str, str]:
    """Say what is wrong with a card, by field; nothing if it can be sent."""
    faults = {}
    for field, text, most, missing in (
        ("place", place, LONGEST_PLACE, "Where are you?"),
        ("message", message, LONGEST_MESSAGE, "A card wants a few words."),
    ):
        if not isinstance(text, str) or not text.strip():
            faults[field] = missing
        elif len(text) > most:
            faults[field] = f"At most {most} characters, please."
        elif text != text.encode(errors="replace").decode():  # JSON can spell half of one: "\ud83d"
            faults[field] = "Whole characters only, please."
    return faults


def add(author: User, place: str, message: str, picture: str | None = None) -> Card:
    """Keep a new card."""
    place, message = place.strip(), message.strip()
    written = datetime.now(UTC).isoformat(timespec="seconds")
    with get_db() as db:
        ((card_id,),) = db.execute(
            "INSERT INTO cards (author, place, message, picture, written)"
            " VALUES (?, ?, ?, ?, ?) RETURNING id",
            (author.id, place, message, picture, written),
        )
    return Card(card_id, author.id, author.name, place, message, picture, written)


def delete(card: Card) -> None:
    """Forget a card."""
    with get_db() as db:
        db.execute("DELETE FROM cards WHERE id = ?", (card.id,))


def every() -> Iterator[Card]:
    """Give all cards, oldest first, read one after the other: there may be many."""
    for row in get_db().execute(f"{SELECT} ORDER BY cards.id"):
        yield Card(*row)


def newest_id() -> int:
    """Give the number of the newest card; 0 if there is none."""
    ((number,),) = get_db().execute("SELECT coalesce(max(id), 0) FROM cards")
    return int(number)


def newer(card_id: int) -> list[Card]:
    """Give the cards after that number, oldest first, a handful at most."""
    card_id = min(max(card_id, 0), LARGEST_ID)
    rows = get_db().execute(f"{SELECT} WHERE cards.id > ? ORDER BY cards.id LIMIT 20", (card_id,))
    return [Card(*row) for row in rows]
