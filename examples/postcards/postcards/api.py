"""The same cards for programs, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein import Blueprint, abort, jsonify, request, url_for
from stein.toolkit.datastructures import WWWAuthenticate
from stein.toolkit.exceptions import Unauthorized

from . import cards
from .auth import User, user_of_token

if TYPE_CHECKING:
    from stein.web.typing import ResponseReturnValue

bp = Blueprint("api", __name__, url_prefix="/api")


@bp.get("/cards")
def listing() -> ResponseReturnValue:
    """One page of cards, newest first."""
    page = cards.page()
    following = None
    if page.next:
        author = request.args.get("author")
        following = url_for(".listing", page=page.next, author=author, _external=True)
    return {
        "cards": [as_json(card) for card in page.cards],
        "page": page.number,
        "pages": page.count,
        "total": page.total,
        "next": following,
    }


@bp.get("/cards/<int:card_id>")
def show(card_id: int) -> ResponseReturnValue:
    """One card."""
    card = cards.find(card_id)
    if card is None:
        abort(404, f"There is no card {card_id}.")
    return as_json(card)


@bp.post("/cards")
def create() -> ResponseReturnValue:
    """Write a card: ``{"place": …, "message": …}``."""
    author = require_token()
    sent = request.get_json()
    if not isinstance(sent, dict):
        abort(400, 'Send an object like {"place": "Oslo", "message": "Snow!"}.')
    place, message = sent.get("place"), sent.get("message")
    faults = cards.check(place, message)
    if faults:
        return {"error": "This card cannot be sent.", "faults": faults}, 400
    card = cards.add(author, str(place), str(message))
    return jsonify(as_json(card)), 201, {"Location": url_for(".show", card_id=card.id)}


def require_token() -> User:
    """Find who is asking by ``Authorization: Bearer <token>``, or answer 401."""
    sent = request.authorization
    user = user_of_token(sent.token) if sent and sent.type == "bearer" and sent.token else None
    if user is None:
        raise Unauthorized(
            "Send your token: Authorization: Bearer <token>. Your account page makes one.",
            www_authenticate=WWWAuthenticate("bearer"),
        )
    return user


def as_json(card: cards.Card) -> dict[str, Any]:
    """Give what others may know of a card."""
    return {
        "id": card.id,
        "author": card.author,
        "place": card.place,
        "message": card.message,
        "written": card.written,
        "url": url_for("main.card", card_id=card.id, _external=True),
        "picture": url_for("main.picture", card_id=card.id, _external=True),
    }
