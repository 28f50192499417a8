"""Postcards: send one to everybody.

A small application in stein with all that a real one has. `create_app` puts it together; each
part lives in a module of its own.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stein import Stein

from . import api, auth, db, errors, live, main, protection

if TYPE_CHECKING:
    from collections.abc import Mapping


def create_app(config: Mapping[str, Any] | None = None) -> Stein:
    """Make the application.

    :param config: settings that win over all others: those of a test, for example.
    """
    app = Stein(__name__)
    app.config.from_mapping(
        DATA=app.instance_path,  # the folder of the database, the pictures and the secret key
        SAMPLES=True,  # whether a new database starts with some cards in it
        CARDS_PER_PAGE=9,
        MAX_CONTENT_LENGTH=4 * 1024 * 1024,  # of a request, and so of a picture
        PERMANENT_SESSION_LIFETIME=timedelta(days=30),
        # Browsers send this cookie with no form that stands on another site.
        SESSION_COOKIE_SAMESITE="Lax",
        # Cookies do not know ports: without a name of its own it would meet those of other
        # programs on localhost.
        SESSION_COOKIE_NAME="postcards",
    )
    app.config.from_prefixed_env("POSTCARDS")  # POSTCARDS_DATA=/srv/cards, POSTCARDS_SAMPLES=false
    app.config.from_mapping(config or {})

    data = Path(app.config["DATA"])
    data.mkdir(parents=True, exist_ok=True)
    if not app.secret_key:
        app.secret_key = protection.kept_secret(data / "secret_key")

    db.init_app(app)
    protection.init_app(app)
    errors.init_app(app)
    app.register_blueprint(main.bp)
    app.register_blueprint(auth.bp)
    app.register_blueprint(api.bp)
    app.register_blueprint(live.bp)
    return app
