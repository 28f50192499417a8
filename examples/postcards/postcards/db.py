"""The database: one SQLite file, one connection for each request that asks for it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stein import Blueprint, current_app, g

from . import samples

if TYPE_CHECKING:
    from stein import Stein


#: It has commands and no pages. Without a group they are `stein init-db`, not `stein db init-db`.
bp = Blueprint("db", __name__, cli_group=None)


def get_db() -> sqlite3.Connection:
    """Give the connection of this request, opened when it is first asked for.

    Requests run on many threads at once. A connection belongs to one of them, so it is kept in
    `g`, which belongs to one request, and never in a global variable.
    """
    if "db" not in g:
        g.db = connect(Path(current_app.config["DATA"]))
    db: sqlite3.Connection = g.db
    return db


def connect(data: Path) -> sqlite3.Connection:
    """Open the database in this folder."""
    # Only one connection can write at a time; another one waits for it, at most this many seconds.
    db = sqlite3.connect(data / "postcards.sqlite3", timeout=5)
    db.execute("PRAGMA foreign_keys = ON")
    return db


def close_db(_error: BaseException | None = None) -> None:
    """Close the connection of this request, if it opened one."""
    db: sqlite3.Connection | None = g.pop("db", None)
    if db is not None:
        db.close()


def prepare(app: Stein) -> None:
    """Create what is missing, so that the first start needs no preparation."""
    data = Path(app.config["DATA"])
    with closing(connect(data)) as db:
        # In this mode, which the file remembers, readers go on while somebody writes.
        db.execute("PRAGMA journal_mode = WAL")
        with app.open_resource("schema.sql", "r") as schema:
            db.executescript(schema.read())
        # Two processes may start at once: the second waits here, and finds what the first added.
        with db:
            db.execute("BEGIN IMMEDIATE")
            ((people,),) = db.execute("SELECT count(*) FROM users")
            if app.config["SAMPLES"] and not people:
                samples.add(db)


@bp.cli.command("init-db")
@click.confirmation_option(prompt="This forgets all people and all cards. Go on?")
def init_db_command() -> None:
    """Forget everything and start with empty tables."""
    db = get_db()
    db.executescript("DROP TABLE IF EXISTS cards; DROP TABLE IF EXISTS users;")
    with current_app.open_resource("schema.sql", "r") as schema:
        db.executescript(schema.read())
    for picture in Path(current_app.config["DATA"], "pictures").glob("*.*"):
        picture.unlink()
    click.echo("The database is empty.")


@bp.cli.command("seed")
@click.option("--times", default=1, show_default=True, help="How often to add them.")
def seed_command(times: int) -> None:
    """Add the sample cards, to have something to look at."""
    with get_db() as db:
        for _ in range(times):
            samples.add(db)
    click.echo(f"{times * len(samples.CARDS)} cards were added.")


def init_app(app: Stein) -> None:
    """Prepare the database of this application and give it the commands above."""
    prepare(app)
    app.teardown_appcontext(close_db)
    app.register_blueprint(bp)
