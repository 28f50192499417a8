"""``routes --explain``: the way of one request on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.cli.roadmap import lay_out, read_request
from stein.web.explain.road import Handler, Hook, Miss, Place, Road

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Invoke = Callable[..., Result]

T = TypeVar("T")


def shop() -> Stein:
    app = Stein("shop", static_folder=None)
    users = Blueprint("users", __name__, url_prefix="/users")

    @app.before_request
    def look_up_user() -> None: ...

    @users.before_request
    def members_only() -> None: ...

    @users.get("/<int:number>")
    def show(number: int) -> str:
        return str(number)

    @app.errorhandler(404)
    def nothing(_error: Exception) -> str:
        return "nothing"

    app.register_blueprint(users)
    return app


def explained(invoke: Invoke, request: str, columns: int = 100) -> str:
    environ = {"COLUMNS": str(columns)}
    result = invoke(shop(), "routes", "--explain", request, env=environ)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_rule_the_hooks_and_the_view_are_shown_with_their_lines(invoke: Invoke) -> None:
    output = explained(invoke, "GET /users/3")
    assert output.startswith("GET http://localhost/users/3\n  200 The rule is matched")
    place = r"\S*test_roadmap\.py:\d+"
    for pattern in (
        r"^  rule       /users/<int:number>  GET, HEAD, OPTIONS$",
        r"^  endpoint   users\.show$",
        r"^  blueprint  users$",
        r"^  values     number=3$",
        rf"^  before     before_request  look_up_user\(\)  {place}$",
        rf"^             before_request  members_only\(\)  {place}  \(blueprint users\)$",
        rf"^  view       show\(\)  {place}$",
        rf"^  on errors  404 NotFound  nothing\(\)  {place}$",
    ):
        assert re.search(pattern, output, re.MULTILINE), (pattern, output)


def test_a_request_that_leads_nowhere_shows_what_was_near(invoke: Invoke) -> None:
    output = explained(invoke, "/users/three")
    assert "  404 No rule is for this path." in output
    assert re.search(r"^  answer     404 NotFound  nothing\(\)", output, re.MULTILINE)
    assert "  not taken  /users/<int:number>  GET, HEAD, OPTIONS  users.show\n" in output
    assert "'int' of <number> does not take 'three'" in output


def test_a_wrong_method_shows_the_right_ones(invoke: Invoke) -> None:
    assert "  405 " in explained(invoke, "post /users/3")


def test_options_are_answered_without_the_view(invoke: Invoke) -> None:
    output = explained(invoke, "OPTIONS /users/3")
    assert "  view       not called: OPTIONS is answered automatically" in output


@pytest.mark.parametrize("request_text", ["", "GET", "a b c", "get /a b"])
def test_what_is_no_request_is_told(request_text: str, invoke: Invoke) -> None:
    result = invoke(shop(), "routes", "--explain", request_text)
    assert result.exit_code == 2
    assert f"{request_text!r} is no request; write" in result.stderr


def test_what_is_no_url_is_told(invoke: Invoke) -> None:
    result = invoke(shop(), "routes", "--explain", "http://[x/")
    assert result.exit_code == 2
    assert "'http://[x/' is no URL" in result.stderr


def test_a_path_alone_means_get() -> None:
    assert read_request("/a") == ("GET", "/a")
    assert read_request("  post   /a ") == ("POST", "/a")


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_long_things_go_to_a_line_of_their_own(columns: int, invoke: Invoke) -> None:
    lines = explained(invoke, "GET /users/3", columns).splitlines()
    prose = [line for line in lines if ".py:" not in line and "<int" not in line]
    assert max(map(len, prose)) <= max(columns, 40)
    hook = next(index for index, line in enumerate(lines) if "look_up_user" in line)
    assert (".py:" in lines[hook]) is (columns == 200)


def test_colours_are_for_terminals_only(invoke: Invoke) -> None:
    assert "\x1b" not in explained(invoke, "/")
    args = ("routes", "--explain", "/users/3")
    assert "\x1b[1m" in invoke(shop(), *args, color=True).output
    plain = invoke(shop(), *args, color=True, env={"NO_COLOR": "1"}).output
    assert "\x1b" not in plain


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40
)
places = st.builds(Place, texts, texts, st.none() | texts, st.integers(1, 9999))
hooks = st.builds(Hook, texts, st.none() | texts, places)
handlers = st.builds(Handler, texts, st.none() | st.integers(400, 599), st.none() | texts, places)
misses = st.builds(Miss, texts, texts, st.just(()), texts, texts)


def some(items: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=3).map(tuple)


roads = st.builds(
    Road, st.just("GET"), texts, texts, st.sampled_from([200, 308, 404]), texts,
    rule=st.none() | texts, domain=st.none() | texts, endpoint=texts, redirect=st.none() | texts,
    values=st.dictionaries(texts, st.integers()), view=st.none() | places, blueprints=some(texts),
    before=some(hooks), after=some(hooks), handlers=some(handlers),
    answered_by=st.none() | handlers, misses=some(misses),
)  # fmt: skip


@given(roads, st.integers(40, 120))
def test_nothing_of_a_road_gets_lost(road: Road, width: int) -> None:
    whole = "\n".join(click.unstyle(line) for line in lay_out(road, width))
    shown = [road.redirect, *(hook.place.name for hook in (*road.before, *road.after))]
    shown += [handler.place.name for handler in road.handlers]
    if road.rule is not None:
        shown += [road.rule, road.endpoint, road.domain, *road.blueprints]
    for text in filter(None, shown):
        assert text in whole
    assert all(line == line.rstrip() for line in map(click.unstyle, whole.splitlines()))
