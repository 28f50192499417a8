"""Commands, templates and tests of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import click

from stein import Blueprint, Stein, current_app, render_template_string, session
from stein.web.cli import AppGroup, with_appcontext
from stein.web.testing import FlaskClient, FlaskCliRunner

if TYPE_CHECKING:
    from click.testing import Result

app = Stein(__name__)
users = AppGroup("users")
blueprint = Blueprint("tools", __name__, cli_group="tools")


@app.cli.command("greet")
@click.argument("name")
@click.option("--times", default=1, type=int)
def greet(name: str, times: int) -> None:
    """Greet somebody."""
    click.echo(f"{current_app.name}: {name}" * times)


@users.command("add")
@click.argument("name")
def add_user(name: str) -> None:
    click.echo(name)


@blueprint.cli.command("clean")
def clean() -> None: ...


@click.command()
@with_appcontext
def standalone() -> None:
    click.echo(current_app.name)


app.cli.add_command(users)
app.cli.add_command(standalone)
app.register_blueprint(blueprint)


def create_app(config: dict[str, object] | None = None) -> Stein:
    made = Stein(__name__)
    made.config.from_mapping(config or {})
    return made


def test_client() -> None:
    with app.test_client() as client:
        assert_type(client, FlaskClient)
        answer = client.post("/login", data={"name": "ada"}, follow_redirects=True)
        assert_type(answer.status_code, int)
        assert_type(answer.text, str)
        assert_type(answer.data, bytes)
        assert_type(answer.headers.get("Location"), str | None)
        assert answer.get_json() is None
        client.set_cookie("a", "1")
        client.get("/", query_string={"page": 1}, headers={"X-One": "1"}, json={"a": [1]})
        with client.session_transaction() as opened:
            opened["user"] = 1
        assert session["user"] == 1


def test_runner() -> None:
    runner = app.test_cli_runner()
    assert_type(runner, FlaskCliRunner)
    result: Result = runner.invoke(args=["greet", "ada"])
    assert result.output
    runner.invoke(greet, ["ada"])


def test_contexts() -> None:
    with app.app_context() as ctx:
        assert_type(ctx.app, Stein)
    with app.test_request_context("/a?b=1", method="POST", json={"a": 1}) as inside:
        assert_type(inside.request.path, str)
        assert_type(render_template_string("{{ a }}", a=1), str)
