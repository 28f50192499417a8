"""The pages: the wall of cards, one card, writing one, and all of them as a file."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING

from stein import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    send_from_directory,
    stream_with_context,
    url_for,
)

from . import cards, landscapes, pictures
from .auth import require_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.web.typing import ResponseReturnValue

bp = Blueprint("main", __name__)


@bp.app_template_filter("day")
def day(written: str) -> str:
    """Write a date as on a postmark: 3 May 2025."""
    when = datetime.fromisoformat(written)
    return f"{when.day} {when:%b %Y}"


@bp.get("/")
def wall() -> ResponseReturnValue:
    """All cards, newest first, or those of ``?author=``."""
    return render_template("wall.html", page=cards.page(), author=request.args.get("author"))


@bp.get("/cards/<int:card_id>")
def card(card_id: int) -> ResponseReturnValue:
    """One card."""
    return render_template("card.html", card=found(card_id))


@bp.get("/cards/<int:card_id>/picture")
def picture(card_id: int) -> ResponseReturnValue:
    """The picture of a card: what was uploaded, else one painted for its place."""
    card = found(card_id)
    if card.picture:
        return send_from_directory(pictures.folder(), card.picture, max_age=3600)
    response = Response(
        render_template("landscape.svg", **landscapes.paint(card)), mimetype="image/svg+xml"
    )
    response.cache_control.max_age = 3600
    return response


def found(card_id: int) -> cards.Card:
    """Give the card of this number, or answer 404."""
    card = cards.find(card_id)
    if card is None:
        abort(404, "There is no such card. Perhaps it was taken down.")
    return card


@bp.route("/write", methods=["GET", "POST"])
def write() -> ResponseReturnValue:
    """Write a card."""
    user = require_user()
    if request.method == "GET":
        return render_template("write.html", faults={})
    place, message = request.form.get("place", ""), request.form.get("message", "")
    upload = request.files.get("picture")
    faults = cards.check(place, message)
    name = None
    # A file field that was left empty arrives as a file without a name.
    if upload and upload.filename and not faults:
        try:
            name = pictures.save(upload.stream)
        except pictures.NotAPicture as error:
            faults["picture"] = str(error)
    if faults:
        return render_template("write.html", faults=faults), 400
    card = cards.add(user, place, message, name)
    flash("Your card is on its way.")
    # After a POST the browser is sent to a page of its own: reloading it sends nothing twice.
    return redirect(url_for("main.card", card_id=card.id), 303)


@bp.post("/cards/<int:card_id>/delete")
def delete(card_id: int) -> ResponseReturnValue:
    """Take one's own card down."""
    user = require_user()
    card = found(card_id)
    if card.author_id != user.id:
        abort(403, "Only who wrote a card can take it down.")
    cards.delete(card)
    if card.picture:
        pictures.remove(card.picture)
    flash("The card is gone.")
    return redirect(url_for("main.wall"), 303)


@bp.get("/cards.csv")
def export() -> ResponseReturnValue:
    """All cards as one file, sent while they are read: a million need no more memory than one."""

    def lines() -> Iterator[str]:
        line = io.StringIO()
        writer = csv.writer(line)
        writer.writerow(["id", "author", "place", "message", "written"])
        for card in cards.every():
            writer.writerow([card.id, card.author, card.place, card.message, card.written])
            yield line.getvalue()
            line.seek(0)
            line.truncate()
        yield line.getvalue()

    # The lines are read after this function has returned. The context, and with it the database
    # connection, stays until the last one is out.
    response = Response(stream_with_context(lines()), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename="cards.csv")
    return response
