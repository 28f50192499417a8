"""The command ``stein`` with the commands of the framework and of an application."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stein
from stein.serving import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[..., tuple[int, str, str]]

APP = """
import click
from stein import Stein

app = Stein(__name__)

@app.cli.command()
def greet():
    '''Say hello.'''
    click.echo("hello")
"""


@pytest.fixture(autouse=True)
def as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    modules, path, environ = set(sys.modules), list(sys.path), dict(os.environ)
    for name in environ:
        if name.startswith(("STEIN_", "FLASK_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def call_stein(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            command.main("stein", args)
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capsys.readouterr()

    return call_stein


def one_line(err: str) -> str:
    assert err.startswith("stein: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("stein: error: ")


def test_the_help_lists_serve_and_the_commands_of_the_application(call: Call) -> None:
    Path("app.py").write_text(APP)
    for args in ([], ["--help"]):
        code, out, err = call(*args)
        assert (code, err) == (0, "")
        for line in ("  greet    Say hello.", "  run      Run", "  serve    Serve the WSGI"):
            assert line in out


def test_without_an_application_the_help_says_so(call: Call) -> None:
    code, out, err = call("--help")
    assert code == 0
    assert "serve" in out
    assert err.startswith("Commands of an application are not listed. Could not locate")


def test_a_command_of_the_application_runs(call: Call) -> None:
    Path("site_of_program.py").write_text(APP)
    assert call("--app", "site_of_program", "greet") == (0, "hello\n", "")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--app shop routes --explain", "stein routes"),
        ("--app run routes --explain", "stein routes"),
        ("serve --bind", "stein serve"),
        ("--app", "stein"),
        ("--nope routes", "stein"),
    ],
)
def test_an_option_that_cannot_be_read_leads_to_the_help_of_its_command(
    call: Call, words: str, shown: str
) -> None:
    code, _, err = call(*words.split())
    assert code == 2
    assert one_line(err).endswith(f"({shown} --help shows what there is)\n")


def test_an_application_without_a_command_shows_the_help(call: Call) -> None:
    Path("site_of_program.py").write_text(APP)
    code, out, _ = call("--app", "site_of_program")
    assert code == 0
    assert "greet" in out


def test_a_mistyped_command_is_told_the_near_one(call: Call) -> None:
    Path("app.py").write_text(APP)
    code, _, err = call("gret")
    assert code == 2
    assert one_line(err).startswith("No such command 'gret'. Did you mean 'greet'? (stein --help")


def test_an_unknown_command_without_an_application_says_both(call: Call) -> None:
    code, _, err = call("rutes")
    assert code == 2
    assert one_line(err).startswith(
        "No such command 'rutes'. Did you mean 'routes'? If the application has it: Could not"
    )


@pytest.mark.parametrize("name", ["hello.py", "hello:app"])
def test_an_application_in_the_place_of_a_command_is_told_its_place(name: str, call: Call) -> None:
    code, _, err = call(name)
    assert code == 2
    assert f"stein --app {name} run, or stein serve {name}." in one_line(err)


def test_an_unknown_option_is_told(call: Call) -> None:
    code, _, err = call("--nothing")
    assert code == 2
    assert "No such option" in one_line(err)


def test_an_application_that_is_not_found_is_one_line_and_code_1(call: Call) -> None:
    code, _, err = call("--app", "nowhere_at_all", "routes")
    assert code == 1
    assert "Could not import 'nowhere_at_all'" in one_line(err)


@pytest.mark.parametrize("name", ["routes", "greet"])
def test_an_import_that_fails_brings_the_users_traceback(name: str, call: Call) -> None:
    Path("breaks_of_program.py").write_text("import surely_missing_here\n")
    code, _, err = call("--app", "breaks_of_program", name)
    assert code == 1
    *trace, last = err.splitlines()
    assert trace[0] == "Traceback (most recent call last):"
    assert len([line for line in trace if line.startswith("  File")]) == 1
    assert "breaks_of_program.py:1: ModuleNotFoundError: No module named" in one_line(f"{last}\n")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("1 / 0\n", ":1: ZeroDivisionError: division by zero"),
        ("def broken(:\n", ":1: SyntaxError: "),
    ],
)
def test_other_errors_of_the_application_are_shown_without_our_frames(
    source: str, fault: str, call: Call
) -> None:
    Path("fails_of_program.py").write_text(source)
    code, _, err = call("--app", "fails_of_program", "routes")
    assert code == 1
    assert fault in one_line(f"{err.splitlines()[-1]}\n")
    assert "click" not in err
    assert f"stein{os.sep}" not in err


def test_an_error_of_ours_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_words: object) -> None:
        raise LookupError

    monkeypatch.setattr(command, "program_for", fail)
    monkeypatch.setattr("stein.web.cli.groups.MACHINERY_OF_COMMANDS", ("",))
    with pytest.raises(LookupError):
        command.main("stein", ["routes"])


def test_a_complaint_of_a_command_is_one_line_with_its_code(call: Call) -> None:
    Path("app.py").write_text(
        f"{APP}\n@app.cli.command()\ndef refuse():\n    raise click.ClickException('not\\nnow')\n"
    )
    assert call("refuse") == (1, "", "stein: error: not now\n")


def test_what_stops_a_command_is_told(call: Call) -> None:
    Path("app.py").write_text(
        f"{APP}\n@app.cli.command()\ndef halt():\n    raise KeyboardInterrupt\n"
    )
    code, _, _ = call("halt")
    assert code == 130


def test_a_code_that_a_command_asks_for_is_the_programs(call: Call) -> None:
    Path("app.py").write_text(
        f"{APP}\n@app.cli.command()\n@click.pass_context\ndef leave(ctx):\n    ctx.exit(7)\n"
    )
    assert call("leave")[0] == 7


def loaded_by(*args: str) -> set[str]:
    """The modules of stein in a process that has run a command."""
    program = (
        "import sys\nfrom stein.serving.command import main\n"
        f"try:\n    main('stein', {list(args)!r})\nexcept SystemExit:\n    pass\n"
        "print('|', *(name for name in sys.modules if name.startswith('stein.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return set(done.stdout.rpartition("|")[2].split())


@pytest.mark.live
def test_each_command_imports_what_it_needs() -> None:
    serve = loaded_by("serve", "--help")
    assert "stein.server.server" in serve
    assert not {name for name in serve if name.startswith("stein.web")}
    for args in (["--version"], ["run", "--help"]):
        others = loaded_by(*args)
        assert not {name for name in others if name.startswith(("stein.server", "stein.observe"))}
        assert "stein.web.app" not in others
