"""``run``: its options, and what the server is told."""

from __future__ import annotations

import ssl
import sys
import types
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from stein.serving import run as serving
from stein.web.app import Stein
from stein.web.cli import FlaskGroup, run_command, show_server_banner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Write = Callable[..., Path]
    Invoke = Callable[..., Result]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    told: dict[str, Any] = {}

    def record(host: str, port: int, app: object, **options: Any) -> None:
        told.update(options, host=host, port=port, app=app)

    monkeypatch.setattr(serving, "run_simple", record)
    return told


def test_the_server_is_told_what_was_asked_for(told: dict[str, Any], invoke: Invoke) -> None:
    app = Stein("x")
    result = invoke(
        app, "run", "-h", "0.0.0.0", "-p", "8000", "--without-threads", "--no-reload",
        "--debugger", "--extra-files", __file__, "--exclude-patterns", "a*:b*",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output == " * Debug mode: off\n"
    assert told == {
        "host": "0.0.0.0", "port": 8000, "app": app, "threaded": False, "use_reloader": False,
        "use_debugger": True, "ssl_context": None, "extra_files": [__file__],
        "exclude_patterns": ["a*", "b*"],
    }  # fmt: skip


@pytest.mark.parametrize("args", [["--debug", "run"], ["run", "--debug"]])
def test_debug_mode_asks_for_reloader_and_debugger(
    args: list[str], told: dict[str, Any], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Stein("x")
    assert " * Debug mode: on" in invoke(app, *args).output
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")  # the process that serves
    invoke(app, *args)
    assert told["use_reloader"] is True
    assert told["use_debugger"] is True
    assert app.debug


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"FLASK_RUN_PORT": "8001"}, 8001),
        ({"STEIN_RUN_PORT": "8002"}, 8002),
        ({"STEIN_RUN_PORT": "8002", "FLASK_RUN_PORT": "8001"}, 8002),
        ({"STEIN_RUN_PORT": "", "FLASK_RUN_PORT": "8001"}, 8001),
    ],
)
def test_options_come_from_variables_under_both_names(
    *, environ: dict[str, str], port: int, told: dict[str, Any], invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert invoke(Stein("x"), "run").exit_code == 0
    assert told["port"] == port


@pytest.mark.parametrize("args", [["--app", "named_r", "run"], ["run", "--app", "named_r"]])
def test_the_application_may_be_named_before_or_behind(
    args: list[str], told: dict[str, Any], invoke: Invoke, write: Write
) -> None:
    write("named_r.py")
    assert " * Serving app 'named_r'" in invoke(None, *args).output
    assert told["app"].name == "named_r"


def test_an_application_as_an_argument_is_shown_its_place(
    told: dict[str, Any], invoke: Invoke
) -> None:
    result = invoke(None, "run", "hello.py")
    assert result.exit_code == 2
    assert "The application is named with --app: flask run --app hello.py" in result.stderr
    assert "--app" not in invoke(None, "run", "--prot", "1").stderr.replace("Usage", "")


def test_an_application_that_cannot_be_loaded_ends_the_command(
    told: dict[str, Any], invoke: Invoke, folder: Path
) -> None:
    assert "Could not locate an application" in invoke(None, "run").stderr
    assert told == {}


def test_the_process_of_the_reloader_does_not_load_the_application(
    told: dict[str, Any], invoke: Invoke
) -> None:
    def create() -> Stein:
        raise OSError("no database")

    result = CliRunner().invoke(FlaskGroup(name="flask", create_app=create), ["run", "--debug"])
    assert result.exit_code == 0
    with pytest.raises(RuntimeError, match="serves no requests itself"):
        told["app"]({}, None)


def test_the_process_that_a_reloader_has_started_loads_it_and_fails_with_it(
    told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")

    def create() -> Stein:
        raise OSError("no database")

    result = CliRunner().invoke(FlaskGroup(name="flask", create_app=create), ["run", "--debug"])
    assert isinstance(result.exception, OSError)
    assert told == {}


def test_what_only_our_server_knows_is_asked_of_it_only_if_wanted(
    told: dict[str, Any], invoke: Invoke
) -> None:
    invoke(Stein("x"), "run", "--live", "--show-watched")
    assert told["live_reload"] is True
    assert told["show_watched"] is True


def test_the_banner_says_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    show_server_banner(None, None)
    assert capsys.readouterr().out == ""
    show_server_banner(True, "hello:app")
    assert capsys.readouterr().out == " * Serving app 'hello:app'\n * Debug mode: on\n"


# -- certificates -------------------------------------------------------------------------------


def cert_of(*args: str) -> Any:
    return run_command.make_context("run", list(args)).params["cert"]


def refusal(*args: str) -> str:
    with pytest.raises(click.BadParameter) as caught:
        cert_of(*args)
    return caught.value.message


def test_certificate_and_key_are_a_pair_in_any_order() -> None:
    pair = (__file__, __file__)
    assert cert_of("--cert", __file__, "--key", __file__) == pair
    assert cert_of("--key", __file__, "--cert", __file__) == pair
    assert cert_of() is None


def test_one_of_the_two_is_not_enough() -> None:
    assert "private key is needed" in refusal("--cert", __file__)
    assert 'give "--cert" as well' in refusal("--key", __file__)


def test_a_certificate_made_on_the_spot_needs_cryptography(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert "pip install cryptography" in refusal("--cert", "adhoc")
    monkeypatch.setitem(sys.modules, "cryptography", types.ModuleType("cryptography"))
    assert cert_of("--cert", "ADHOC") == "adhoc"
    assert '"adhoc" as "--cert" has its key already' in refusal(
        "--cert", "adhoc", "--key", __file__
    )


def test_a_tls_context_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    monkeypatch.setattr("stein.web.cli.run.context", context, raising=False)
    assert cert_of("--cert", "stein.web.cli.run:context") is context
    text = refusal("--cert", "stein.web.cli.run:context", "--key", __file__)
    assert 'an SSLContext as "--cert" has its key already' in text


@pytest.mark.parametrize("value", ["stein.web.cli.run:no", "no.such.module", "no-file.pem"])
def test_what_is_no_certificate_is_told(value: str) -> None:
    text = refusal("--cert", value)
    assert f"File {value!r} does not exist. Nor is it 'adhoc'" in text


def test_python_without_tls_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ssl", None)
    assert "built without TLS" in refusal("--cert", "adhoc")
