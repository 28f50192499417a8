"""Messages that wait in the session for the next page."""

from __future__ import annotations

from typing import Any

import pytest

from stein.toolkit.client import Client
from stein.web.app import Stein
from stein.web.flashing import flash, get_flashed_messages
from stein.web.globals import request_ctx, session
from stein.web.signals import message_flashed
from stein.web.templating import render_template_string


@pytest.fixture
def app() -> Stein:
    app = Stein("flashing", root_path=".")
    app.secret_key = "not a secret"  # noqa: S105 - it says so
    return app


def test_a_message_is_shown_by_the_next_request_and_only_once(app: Stein) -> None:
    @app.route("/say")
    def say() -> str:
        flash("Saved.")
        return ""

    @app.route("/show")
    def show() -> str:
        return render_template_string("{{ get_flashed_messages()|join(' ') }}")

    client = Client(app)
    client.get("/say")
    assert client.get("/show").text == "Saved."
    assert client.get("/show").text == ""


def test_messages_keep_their_order_and_categories(app: Stein) -> None:
    with app.test_request_context("/"):
        flash("one")
        flash("two", "error")
        flash("three", "info")
        assert get_flashed_messages() == ["one", "two", "three"]
        assert get_flashed_messages(with_categories=True) == [
            ("message", "one"),
            ("error", "two"),
            ("info", "three"),
        ]


def test_a_filter_gives_only_some_and_the_others_count_as_shown(app: Stein) -> None:
    with app.test_request_context("/"):
        flash("one")
        flash("two", "error")
        flash("three", "info")
        assert get_flashed_messages(category_filter=["error", "info"]) == ["two", "three"]
        assert get_flashed_messages(True, iter(["error"])) == [("error", "two")]
        assert get_flashed_messages(category_filter=("nothing",)) == []
        assert "_flashes" not in session


def test_a_filter_may_be_a_single_text(app: Stein) -> None:
    with app.test_request_context("/"):
        flash("one", "error")
        flash("two", "info")
        assert get_flashed_messages(category_filter="error") == ["one"]


def test_whoever_asks_again_in_a_request_gets_the_same(app: Stein) -> None:
    with app.test_request_context("/"):
        flash("one")
        first = get_flashed_messages(with_categories=True)
        first.append(("message", "not flashed"))
        assert get_flashed_messages(with_categories=True) == [("message", "one")]
        assert request_ctx.flashes == [("message", "one")]


def test_a_list_inside_of_the_session_is_never_changed_in_place(app: Stein) -> None:
    with app.test_request_context("/"):
        before: Any = []
        session["_flashes"] = before
        session.modified = False
        flash("one")
        assert session.modified
        assert before == []
        assert session["_flashes"] == [("message", "one")]


def test_to_look_for_messages_where_there_are_none_changes_no_session(app: Stein) -> None:
    app.add_url_rule("/", "index", lambda: str(get_flashed_messages()))
    response = Client(app).get("/")
    assert response.text == "[]"
    assert "Set-Cookie" not in response.headers
    assert response.headers["Vary"] == "Cookie"


def test_a_template_that_shows_no_messages_leaves_the_session_alone(app: Stein) -> None:
    app.add_url_rule("/", "index", lambda: render_template_string("{{ request.path }}"))
    assert "Vary" not in Client(app).get("/").headers


def test_the_signal_tells_the_message_and_the_application(app: Stein) -> None:
    heard = []

    def receive(sender: object, message: str, category: str, **_: object) -> None:
        heard.append((sender, message, category))

    with app.test_request_context("/"), message_flashed.connected_to(receive):
        flash("one", "error")
    assert heard == [(app, "one", "error")]
    assert heard[0][0] is app


@pytest.mark.parametrize("call", [lambda: flash("one"), get_flashed_messages])
def test_outside_of_a_request_the_error_says_what_to_do(app: Stein, call: Any) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="test_request_context"):
        call()


def test_without_a_secret_key_the_error_names_it(app: Stein) -> None:
    app.secret_key = None
    with app.test_request_context("/"), pytest.raises(RuntimeError, match="secret"):
        flash("one")
