"""Accounts: register, log in, log out, and who is asking."""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stein import Blueprint, abort, flash, g, redirect, render_template, request, session, url_for
from stein.toolkit.security import check_password_hash, generate_password_hash

from .db import get_db

if TYPE_CHECKING:
    from stein.web.typing import ResponseReturnValue

bp = Blueprint("auth", __name__)

NAME = re.compile(r"[A-Za-z0-9_-]{2,20}")
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with an account."""

    id: int
    name: str


@bp.app_template_global()
def current_user() -> User | None:
    """Give who is asking, or None; worked out when it is first asked for."""
    if "user" not in g:
        g.user = find_user(session["user_id"]) if "user_id" in session else None
    user: User | None = g.user
    return user


def require_user() -> User:
    """Give who is asking, or send them to the login page, and back afterwards."""
    user = current_user()
    if user is None:
        # The session is ours; an address in the query string could lead to another site.
        session["wanted"] = request.full_path.rstrip("?") if request.method == "GET" else None
        flash("Please log in first.")
        abort(redirect(url_for("auth.login"), 303))
    return user


def find_user(user_id: int) -> User | None:
    """Give the user of this number; none if the account is gone."""
    row = get_db().execute("SELECT id, name FROM users WHERE id = ?", (user_id,)).fetchone()
    return User(*row) if row else None


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Make an account, and be logged in."""
    if request.method == "GET":
        return render_template("register.html", faults={})
    name, password = request.form.get("name", ""), request.form.get("password", "")
    faults = {}
    if not NAME.fullmatch(name):
        faults["name"] = "2 to 20 letters, digits, - or _, please."
    if len(password) < SHORTEST_PASSWORD:
        faults["password"] = f"At least {SHORTEST_PASSWORD} characters, please."
    elif len(password) > LONGEST_PASSWORD:
        faults["password"] = f"At most {LONGEST_PASSWORD} characters, please."
    if not faults:
        try:
            with get_db() as db:
                db.execute(
                    "INSERT INTO users (name, password) VALUES (?, ?)",
                    (name, generate_password_hash(password)),
                )
        except sqlite3.IntegrityError:  # asking first would leave a gap for somebody faster
            faults["name"] = f"{name} is taken."
    if faults:
        return render_template("register.html", faults=faults), 400
    return log_in(name)


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Log in."""
    if request.method == "GET":
        return render_template("login.html", faults={})
    name, password = request.form.get("name", ""), request.form.get("password", "")
    row = get_db().execute("SELECT password FROM users WHERE name = ?", (name,)).fetchone()
    # Somebody unknown costs as much time as a wrong password, so the clock gives no name away.
    stored = row[0] if row and row[0] else unknown_password()
    if len(password) > LONGEST_PASSWORD or not check_password_hash(stored, password):
        faults = {"password": "Name and password do not belong together."}
        return render_template("login.html", faults=faults), 400
    return log_in(name)


@functools.cache
def unknown_password() -> str:
    """Give the hash of a password that nobody knows."""
    return generate_password_hash(secrets.token_hex())


def log_in(name: str) -> ResponseReturnValue:
    """Start a new session for this user."""
    user_id, name = get_db().execute(
        "SELECT id, name FROM users WHERE name = ?", (name,)
    ).fetchone()  # fmt: skip
    wanted = session.get("wanted")
    session.clear()  # nothing that was there before the login goes on after it
    session["user_id"] = user_id
    session.permanent = True
    flash(f"Hello, {name}!")
    return redirect(wanted or url_for("main.wall"), 303)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Log out."""
    session.clear()
    flash("You are logged out.")
    return redirect(url_for("main.wall"), 303)


@bp.route("/account", methods=["GET", "POST"])
def account() -> ResponseReturnValue:
    """Show the account. POST makes an API token, shown this once, in place of an older one."""
    user = require_user()
    token = None
    if request.method == "POST":
        token = secrets.token_urlsafe(32)
        with get_db() as db:
            db.execute("UPDATE users SET token = ? WHERE id = ?", (fingerprint(token), user.id))
    return render_template("account.html", token=token)


def fingerprint(token: str) -> str:
    """Give what is kept of a token. It is long and random, so a fast hash will do."""
    return hashlib.sha256(token.encode()).hexdigest()


def user_of_token(token: str) -> User | None:
    """Find the owner of an API token."""
    row = get_db().execute(
        "SELECT id, name FROM users WHERE token = ?", (fingerprint(token),)
    ).fetchone()  # fmt: skip
    return User(*row) if row else None
