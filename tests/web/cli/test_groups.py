"""Groups of commands: whose they are, and when the application is loaded."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.cli import AppGroup, FlaskGroup, ScriptInfo
from stein.web.globals import current_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Invoke = Callable[..., Result]


# -- the application's commands -----------------------------------------------------------------


def test_a_command_of_the_application_runs_in_its_context(invoke: Invoke) -> None:
    app = Stein("x")

    @app.cli.command("greet")
    @click.argument("name")
    def greet(name: str) -> None:
        click.echo(f"{name} of {current_app.name}")

    assert invoke(app, "greet", "ada").output == "ada of x\n"


def test_a_command_may_be_async(invoke: Invoke) -> None:
    app = Stein("shop", root_path=".")

    @app.cli.command("work")
    async def work() -> None:
        click.echo(current_app.name)

    assert invoke(app, "work").output == "shop\n"


def test_parameters_have_the_context_too(invoke: Invoke) -> None:
    app = Stein("x")

    def upper(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
        return f"{value}@{current_app.name}"

    @app.cli.command("show", with_appcontext=False)
    @click.option("--who", callback=upper, default="me")
    def show(who: str) -> None:
        click.echo(who)

    assert invoke(app, "show").output == "me@x\n"


def test_a_group_in_a_group_has_commands_of_the_same_kind() -> None:
    @click.group(cls=AppGroup)
    def outer() -> None: ...

    @outer.group("inner")
    def inner() -> None: ...

    @inner.command("show")
    def show() -> None:
        click.echo(current_app.name)

    info = ScriptInfo(create_app=lambda: Stein("x"))
    assert isinstance(inner, AppGroup)
    assert CliRunner().invoke(outer, ["inner", "show"], obj=info).output == "x\n"


def test_commands_of_a_blueprint_stand_in_a_group_of_its_name(invoke: Invoke) -> None:
    app = Stein("x")
    users = Blueprint("users", __name__)

    @users.cli.command("count")
    def count() -> None:
        click.echo("3")

    app.register_blueprint(users)
    assert invoke(app, "users", "count").output == "3\n"


def test_a_command_that_raises_gives_tests_its_exception(invoke: Invoke) -> None:
    app = Stein("x")

    @app.cli.command("fail")
    def fail() -> None:
        raise KeyError("mine")

    result = invoke(app, "fail")
    assert result.exit_code == 1
    assert isinstance(result.exception, KeyError)


# -- when it is loaded --------------------------------------------------------------------------


def test_the_version_and_the_own_commands_need_no_application(folder: object) -> None:
    def create() -> Stein:
        raise AssertionError

    group = FlaskGroup(name="flask", create_app=create)
    result = CliRunner().invoke(group, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("Python ")
    assert "stein" in result.output
    assert CliRunner().invoke(group, ["run", "--help"]).exit_code == 0


def test_the_help_lists_all_commands(invoke: Invoke) -> None:
    app = Stein("x")
    app.cli.command("greet", help="Say hello.")(lambda: None)
    output = invoke(app, "--help").stdout
    for line in ("greet   Say hello.", "routes  Show", "run     Run", "shell   Run"):
        assert line in output


def test_the_help_is_shown_even_if_there_is_no_application(invoke: Invoke, folder: object) -> None:
    result = invoke(None, "--help")
    assert result.exit_code == 0
    assert "Could not locate an application" in result.stderr
    assert "Usage:" in result.stdout


def test_the_help_is_shown_even_if_the_application_fails() -> None:
    def create() -> Stein:
        raise OSError("no database")

    result = CliRunner().invoke(FlaskGroup(name="flask", create_app=create), ["--help"])
    assert result.exit_code == 0
    assert "OSError: no database" in result.stderr
    assert "/click/" not in result.stderr
    assert "Usage:" in result.stdout


def test_the_help_knows_an_application_from_the_environment(
    invoke: Invoke, write: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "from_environ.py",
        """
        from stein import Stein
        site = Stein(__name__)
        site.cli.command("greet")(lambda: None)
        """,
    )
    write(".env", "STEIN_APP=from_environ\n")
    for args in (["--help"], []):
        assert "greet" in invoke(None, *args).output
    monkeypatch.setenv("STEIN_SKIP_DOTENV", "1")
    monkeypatch.delenv("STEIN_APP", raising=False)
    assert "greet" not in invoke(None, "--help").output


def test_an_unknown_command_says_why_the_application_was_not_asked(
    invoke: Invoke, folder: object
) -> None:
    result = invoke(None, "missing")
    assert result.exit_code == 2
    assert "FLASK_APP" in result.stderr
    assert "No such command 'missing'" in result.stderr


def test_the_commands_of_a_program_can_be_chosen() -> None:
    group = FlaskGroup(name="own", add_default_commands=False, add_version_option=False)
    assert group.commands == {}
    assert "--version" not in [name for param in group.params for name in param.opts]


def test_a_group_keeps_its_own_settings_and_object() -> None:
    info = ScriptInfo(create_app=lambda: Stein("x"))
    group = FlaskGroup(name="own", context_settings={"obj": info, "auto_envvar_prefix": "OWN"})

    @group.command("show")
    def show() -> str:
        return current_app.name

    result = CliRunner().invoke(group, ["show"], standalone_mode=False)
    assert result.return_value == "x"


# -- other distributions ------------------------------------------------------------------------


@click.command()
def extra() -> None:
    """Do something more."""
    click.echo("extra")


def entry_points(monkeypatch: pytest.MonkeyPatch, *points: metadata.EntryPoint) -> None:
    def found(**params: Any) -> list[metadata.EntryPoint]:
        return [point for point in points if point.group == params["group"]]

    monkeypatch.setattr(metadata, "entry_points", found)


@pytest.mark.parametrize("group", ["flask.commands", "stein.commands"])
def test_an_installed_distribution_adds_a_command(
    group: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stein.web.cli.shell.extra", extra, raising=False)
    entry_points(monkeypatch, metadata.EntryPoint("more", "stein.web.cli.shell:extra", group))
    assert invoke(Stein("x"), "more").output == "extra\n"
    assert "Do something more." in invoke(Stein("x"), "--help").output


def test_a_distribution_may_replace_a_command(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stein.web.cli.shell.extra", extra, raising=False)
    point = metadata.EntryPoint("shell", "stein.web.cli.shell:extra", "flask.commands")
    entry_points(monkeypatch, point)
    assert invoke(Stein("x"), "shell").output == "extra\n"


@pytest.mark.parametrize("value", ["no_such_module_anywhere:cli", "os:path"])
def test_a_broken_distribution_takes_nothing_else_away(
    value: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_points(monkeypatch, metadata.EntryPoint("db", value, "flask.commands"))
    assert "(cannot be loaded)" in invoke(Stein("x"), "--help").output
    result = invoke(Stein("x"), "db", "upgrade", "--sql")
    assert result.exit_code == 1
    assert f"The command 'db' of a distribution cannot be loaded from {value!r}" in result.stderr


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"FLASK_SHOW_PORT": "1"}, 1),
        ({"STEIN_RUN_PORT": "1"}, 5000),
        ({}, 5000),
    ],
)
def test_a_users_option_has_the_variable_that_flask_gives_it(
    environ: dict[str, str], port: int, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Stein("x")

    @app.cli.command("show")
    @click.option("--port", default=5000)
    def show(port: int) -> None:
        click.echo(port)

    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert invoke(app, "show").output == f"{port}\n"


@pytest.mark.parametrize("args", [["--debug", "show"], ["show"]])
def test_debug_mode_is_set_before_a_factory_runs(
    args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--debug" not in args:
        monkeypatch.setenv("STEIN_DEBUG", "1")

    def create() -> Stein:
        from stein.web.environment import get_debug_flag

        app = Stein(f"debug={get_debug_flag()}")
        app.cli.command("show")(lambda: click.echo(f"{current_app.name} {current_app.debug}"))
        return app

    result = CliRunner().invoke(FlaskGroup(name="flask", create_app=create), args)
    assert result.output == "debug=True True\n"


def test_an_env_file_is_read_before_the_application_is_looked_for(
    invoke: Invoke, write: Callable[..., object]
) -> None:
    write("by_file.py", "from stein import Stein\nsite = Stein('by-file', static_folder=None)\n")
    write("settings", "FLASK_APP=by_file\n")
    assert "No routes" in invoke(None, "--env-file", "settings", "routes").output
    assert invoke(None, "-e", "missing", "routes").exit_code == 2


def test_an_env_file_without_python_dotenv_says_what_to_install(
    invoke: Invoke, write: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dotenv", None)
    write("settings", "")
    result = invoke(None, "-e", "settings", "routes")
    assert result.exit_code == 2
    assert "pip install 'stein[dotenv]'" in result.stderr
