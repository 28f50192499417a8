"""Some people and their cards, so that the wall is not bare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


CARDS = [
    ("ada", "Lisbon", "The tram climbs like a goat. I have eaten four custard tarts for science."),
    ("grace", "Tromsø", "It is three in the afternoon and dark. The whole sky is green, though."),
    ("linus", "Kyoto", "Got up at five to have the shrine to myself. So had everybody else."),
    ("ada", "Patagonia", "Wind: yes. Everything else is behind the wind. Wonderful."),
    ("mary", "Naples", "They asked whether I wanted pineapple, and then nobody spoke to me again."),
    ("grace", "Zanzibar", "The sea is warmer than my bath at home, and it has starfish."),
    ("linus", "Reykjavík", "The hot spring smells of eggs. After an hour, so do I."),
    ("mary", "Ulaanbaatar", "Slept in a yurt. The horse outside snored; I have witnesses."),
    ("ada", "Cusco", "Took the stairs. At this height that counts as a career."),
    ("mary", "Isle of Skye", "Rain from all sides. Then sun, from all sides."),
    ("grace", "Samarkand", "All the blue there is was used up here. Melons: as promised."),
    ("linus", "Valparaíso", "Every house has another colour and every street another cat."),
]  # fmt: skip


def add(db: sqlite3.Connection) -> None:
    """Add the sample cards, the last of them written a moment ago.

    Their writers have no password, so nobody can log in as one of them.
    """
    now = datetime.now(UTC)
    for hours, (name, place, message) in zip(range(len(CARDS), 0, -1), CARDS, strict=True):
        written = (now - timedelta(hours=7 * hours)).isoformat(timespec="seconds")
        db.execute("INSERT OR IGNORE INTO users (name, password) VALUES (?, '')", (name,))
        db.execute(
            "INSERT INTO cards (author, place, message, written)"
            " SELECT id, ?, ?, ? FROM users WHERE name = ?",
            (place, message, written, name),
        )
