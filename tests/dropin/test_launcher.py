"""``python -m stein.dropin``, as a process: what a program sees must be what python shows it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.programs import OPTIONS, WORDS, name_of, programs, seen

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["programs"]

SHOW = """\
import sys, json
import werkzeug.utils
spec = __spec__ and __spec__.name
print(json.dumps([__name__, sys.argv, sys.path[0], __package__, globals().get("__file__"), spec]))
"""


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stein.dropin", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False, cwd=folder
    )


def shown(done: subprocess.CompletedProcess[str]) -> list[object]:
    import json

    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_a_script_sees_its_folder_and_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "show.py").write_text(SHOW)
    done = run("inner/show.py", "-x", "1", folder=tmp_path)
    folder = str(tmp_path.resolve() / "inner")
    argv = ["inner/show.py", "-x", "1"]
    assert shown(done) == ["__main__", argv, folder, None, f"{folder}/show.py", None]


def test_a_module_sees_the_working_folder_and_its_spec(tmp_path: Path) -> None:
    (tmp_path / "show.py").write_text(SHOW)
    file = str(tmp_path.resolve() / "show.py")
    done = run("-m", "show", "a", folder=tmp_path)
    assert shown(done) == ["__main__", [file, "a"], str(tmp_path.resolve()), "", file, "show"]


def test_a_package_runs_its_main_module(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "__main__.py").write_text(SHOW)
    file = str(tmp_path.resolve() / "pack" / "__main__.py")
    done = run("-m", "pack", folder=tmp_path)
    assert shown(done) == [
        "__main__", [file], str(tmp_path.resolve()), "pack", file, "pack.__main__",
    ]  # fmt: skip


def test_code_sees_what_python_gives_to_code(tmp_path: Path) -> None:
    done = run("-c", SHOW, "a", folder=tmp_path)
    assert shown(done) == ["__main__", ["-c", "a"], "", None, None, None]


@pytest.mark.parametrize("words", WORDS, ids=name_of)
@pytest.mark.parametrize("options", OPTIONS)
def test_a_program_sees_what_python_itself_would_show_it(
    programs: Path, options: list[str], words: list[str]
) -> None:
    expected = seen(programs, *options, *words)
    if expected is None:
        pytest.skip("a module of the current folder is not found so, by python neither")
    assert seen(programs, *options, "-m", "stein.dropin", *words) == expected


def test_our_future_statements_are_not_the_programs(tmp_path: Path) -> None:
    source = "def f(x: int): pass\nprint(f.__annotations__)\n"
    (tmp_path / "show.py").write_text(source)
    for words in (("show.py",), ("-c", source)):
        assert run(*words, folder=tmp_path).stdout == "{'x': <class 'int'>}\n"


def test_the_program_decides_the_exit_status(tmp_path: Path) -> None:
    assert run("-c", "raise SystemExit(7)", folder=tmp_path).returncode == 7
    failed = run("-c", "1/0", folder=tmp_path)
    assert failed.returncode == 1
    assert "ZeroDivisionError" in failed.stderr


def test_functions_of_main_outlive_the_end_of_its_code(tmp_path: Path) -> None:
    code = "import atexit\nword = 'bye'\natexit.register(lambda: print(word))"
    assert run("-c", code, folder=tmp_path).stdout == "bye\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.py"], "cannot read 'missing.py': No such file"),
        (["."], "'.' has no __main__.py in it"),
        (["-m", "missing_module"], "no module 'missing_module'"),
        (["-m", "missing_module.sub"], "no module 'missing_module.sub'"),
        (["-m", "sys"], "'sys'"),
        (["-m", "empty"], "'empty.__main__'|'empty'"),
        (["-m"], "-m needs an argument"),
        (["-c"], "-c needs an argument"),
        (["--nothing"], "no option '--nothing'"),
    ],
)
def test_what_cannot_run_is_said_in_one_line(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "__init__.py").touch()
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert any(word in done.stderr for word in words.split("|")), done.stderr


def test_help_tells_the_three_ways(tmp_path: Path) -> None:
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    assert all(way in done.stdout for way in ("SCRIPT", "-m MODULE", "-c CODE"))
    assert run(folder=tmp_path).stdout == done.stdout


SITE = """\
from flask import Flask
app = Flask(__name__)

@app.route("/there")
def there():
    return "there"

@app.cli.command()
def greet():
    print("hello")
"""


def test_the_flask_command_runs_as_a_module(tmp_path: Path) -> None:
    (tmp_path / "site_one.py").write_text(SITE)
    done = run("-m", "flask", "--app", "site_one", "routes", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "/there" in done.stdout
    assert run("-m", "flask", "--app", "site_one", "greet", folder=tmp_path).stdout == "hello\n"
    assert "python -m flask" in run("-m", "flask", "--help", folder=tmp_path).stdout
    wrong = run("-m", "flask", "--app", "nothing", "routes", folder=tmp_path)
    assert wrong.returncode == 2
    assert "nothing" in wrong.stderr


def test_pytest_runs_tests_that_import_flask(tmp_path: Path) -> None:
    (tmp_path / "site_one.py").write_text(SITE)
    (tmp_path / "test_site.py").write_text(
        "from site_one import app\n\n"
        "def test_it():\n    assert app.test_client().get('/there').text == 'there'\n"
    )
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
