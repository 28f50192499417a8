from __future__ import annotations

import io
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.upstream import run
from tests.upstream.run import CannotRun, Expectation, judge, outcomes

REPORT = """\
<testsuites><testsuite name="pytest">
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_plain[x-1]" />
<testcase file="tests/test_a.py" classname="tests.test_a.TestBox" name="test_in">
  <failure message="no" /></testcase>
<testcase file="tests/sub/test_b.py" classname="tests.sub.test_b" name="test_set_up">
  <error message="no" /></testcase>
<testcase file="tests/test_a.py" classname="tests.test_a" name="test_left">
  <skipped message="no" /></testcase>
</testsuite></testsuites>
"""
FOUND = {
    "tests/test_a.py::test_plain[x-1]": "passed",
    "tests/test_a.py::TestBox::test_in": "failed",
    "tests/sub/test_b.py::test_set_up": "failed",
    "tests/test_a.py::test_left": "skipped",
}
MANY = {f"tests/test_a.py::test_{number}": "passed" for number in range(99)}


def test_a_report_gives_the_names_that_pytest_shows() -> None:
    assert outcomes(ET.parse(io.StringIO(REPORT))) == FOUND  # noqa: S314 - written above


def test_all_passed_is_well() -> None:
    assert judge("x", MANY, Expectation((), {})) == 0


def test_a_failure_that_is_listed_is_well() -> None:
    assert judge("x", {**MANY, "t": "failed"}, Expectation((), {"t": "on purpose"}), 0.98) == 0


@pytest.mark.parametrize(
    ("found", "differs", "said"),
    [
        ({**MANY, "t": "failed"}, {}, "fails and is not on the list: t"),
        ({**MANY, "t": "passed"}, {"t": "why"}, "but is passed: t"),
        (MANY, {"t": "why"}, "but is not there: t"),
        ({**MANY, "t": "skipped"}, {"t": "why"}, "but is skipped: t"),
        ({"a": "failed", "b": "passed"}, {"a": "why"}, "fewer than 97% pass"),
        ({}, {}, "fewer than 97% pass"),
    ],
)
def test_what_is_not_as_listed_fails_the_run(
    found: dict[str, str], differs: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge("x", found, Expectation((), differs), 0.97) == 1
    assert said in capsys.readouterr().out


def test_where_there_is_no_list_every_test_has_to_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = Expectation.read(tmp_path / "none.toml")
    assert nothing == Expectation((), {})
    assert judge("x", {**MANY, "t": "failed"}, nothing) == 1
    assert "fewer than 100% pass" in capsys.readouterr().out


def test_a_copy_is_what_runs_and_it_goes_away(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").touch()
    with run.passing_copy(tmp_path / "app") as copy:
        (copy / "b.py").touch()
        assert (copy / "a.py").exists()
    assert not copy.exists()
    assert not (tmp_path / "app" / "b.py").exists()


@pytest.mark.parametrize(
    ("statuses", "status"), [([0, 0], 0), ([0, 2], 2), ([2, 1], 1), ([1, 0], 1)]
)
def test_one_suite_that_fails_fails_all(
    statuses: list[int], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def run_suite(name: str, extra: list[str]) -> int:
        asked.append((name, extra))
        return statuses[len(asked) - 1]

    monkeypatch.setattr(run, "run_suite", run_suite)
    assert run.main(["flask", "flaskr", "--", "-k", "x"]) == status
    assert asked == [("flask", ["-k", "x"]), ("flaskr", ["-k", "x"])]


def test_an_entry_needs_a_reason_and_stands_once(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[[differs]]\ntests = ["a", "b"]\nreason = "so"\n')
    assert Expectation.read(file).differs == {"a": "so", "b": "so"}
    file.write_text('[[differs]]\ntests = ["a"]\nreason = " "\n')
    with pytest.raises(CannotRun, match="a needs one reason"):
        Expectation.read(file)
    file.write_text('[[differs]]\ntests = ["a", "a"]\nreason = "so"\n')
    with pytest.raises(CannotRun, match="a needs one reason"):
        Expectation.read(file)


def test_the_real_project_installed_would_prove_nothing() -> None:
    for project in run.ASIDE:
        run.refuse_installed(project)
    with pytest.raises(CannotRun, match="pytest is installed in"):
        run.refuse_installed("pytest")


def test_the_sources_are_pinned_by_version_and_hash() -> None:
    lines = (Path(run.__file__).parent / "sources.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert all("==" in pin and " --hash=sha256:" in pin for pin in pins)
    assert {pin.partition("==")[0] for pin in pins} == {s.source for s in run.SUITES.values()}


@pytest.mark.parametrize("code", [0, 1])
def test_children_without_the_aliases_stop_it(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", call)
    if code:
        with pytest.raises(CannotRun, match=r"has no stein-dropin\.pth: install stein again"):
            run.refuse_lonely_children()
    else:
        run.refuse_lonely_children()
