"""A view for each card that came without a picture."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cards import Card

#: Sky, horizon, hills and shore.
SKIES = [
    ("#f6d365", "#fda085", "#6b4f6f", "#4a3858"),
    ("#a1c4fd", "#dff1fb", "#5e8c6a", "#3f6b50"),
    ("#fbc2eb", "#a6c1ee", "#6a6fa8", "#4b4f85"),
    ("#24486b", "#5fc9a8", "#1f3a4d", "#142838"),
    ("#ffecd2", "#fcb69f", "#b5705b", "#8a4f43"),
    ("#89d4cf", "#e8f6ef", "#2f7f86", "#1f5f6b"),
]


def paint(card: Card) -> dict[str, object]:
    """Give the colours and shapes of its landscape: the same place, the same view."""
    dice = hashlib.sha256(card.place.casefold().encode()).digest()
    sky, horizon, hills, shore = SKIES[dice[19] % len(SKIES)]
    return {
        "sky": sky, "horizon": horizon, "hills": hills, "shore": shore,
        "sun": (90 + dice[1] * 420 // 255, 90 + dice[2] * 110 // 255, 26 + dice[3] * 30 // 255),
        "peaks": [240 - value * 120 // 255 for value in dice[4:11]],
        "waves": [315 - value * 50 // 255 for value in dice[11:18]],
        "sea": dice[25] % 2,
    }  # fmt: skip
