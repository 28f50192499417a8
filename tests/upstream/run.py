"""Run upstream projects' own tests through the drop-in, and hold the outcome to a list.

``make upstream-werkzeug`` and ``make upstream-flask`` run this.  A source distribution is fetched
once, at the version and hash of ``sources.txt``, into a cache outside the repository; upstream
itself is never installed, and this program stops if it is.

Status 0: what passes and what fails is what the list says, and enough passes.  1: it is not.
2: the tests could not be run.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent
ASIDE: Final = ("flask", "werkzeug")  #: must not be installed


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests that come with a source distribution."""

    source: str  #: the distribution
    folder: str = "."  #: where in it
    least_share: float = 1.0  #: of those that pass
    plugins: tuple[str, ...] = ()  #: of pytest, in ``plugins/``


SUITES: Final = {
    "werkzeug": Suite("werkzeug", least_share=0.97),
    "flask": Suite("flask", least_share=0.98, plugins=("before_pytest_9",)),
    # programs that Flask comes with, and their tests: they run as they are
    "flaskr": Suite("flask", "examples/tutorial"),
    "javascript": Suite("flask", "examples/javascript"),
}


class CannotRun(Exception):  # noqa: N818 - it says what has happened
    """There are no results; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What stands in ``<suite>.toml``; where there is no such file, all tests pass."""

    leave_out: tuple[str, ...]  #: files that belong to another part of stein, with their reason
    differs: dict[str, str]  #: test -> why we differ on purpose

    @classmethod
    def read(cls, path: Path) -> Expectation:
        """Read the list; an entry without a reason is refused."""
        if not path.exists():
            return cls((), {})
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        differs = {}
        for entry in table.get("differs", []):
            reason = entry["reason"].strip()
            for test in entry["tests"]:
                if not reason or test in differs:
                    message = f"{path.name}: {test} needs one reason"
                    raise CannotRun(message)
                differs[test] = reason
        leave_out = tuple(entry["file"] for entry in table.get("leave_out", []))
        return cls(leave_out, differs)


def cache() -> Path:
    """Where source distributions are kept, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stein" / "upstream"


def refuse_installed(project: str) -> None:
    """Stop if the real project can be imported: then the result would prove nothing."""
    if importlib.util.find_spec(project) is not None:
        message = f"{project} is installed in {sys.prefix}: the result would prove nothing"
        raise CannotRun(message)


def refuse_lonely_children() -> None:
    """Stop if the processes that a test starts would not have the aliases.

    Tests of the development server wait for ever for a program that cannot be imported.
    """
    code = (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'import flask']))"
    )
    done = subprocess.run(
        [sys.executable, "-m", "stein.dropin", "-c", code], check=False, capture_output=True
    )
    if done.returncode:
        message = (
            f"child processes do not find the aliases, as {sys.prefix} has no stein-dropin.pth: "
            "install stein again (touch pyproject.toml; make test ARGS=tests/dropin)"
        )
        raise CannotRun(message)


@contextmanager
def passing_copy(folder: Path) -> Iterator[Path]:
    """A copy to run in: the cache stays as it was unpacked, whatever a program writes."""
    with TemporaryDirectory() as passing:
        copy = Path(passing) / folder.name
        shutil.copytree(folder, copy)
        yield copy


def fetch(project: str) -> Path:
    """The folder of the unpacked source distribution; downloaded if it is not there yet."""
    lines = (HERE / "sources.txt").read_text(encoding="utf-8").splitlines()
    pin = next(line for line in lines if line.startswith(f"{project}=="))
    version = pin.split()[0].partition("==")[2]
    folder = cache() / f"{project}-{version}"
    if folder.is_dir():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache()) as passing:
        only = Path(passing) / "requirements.txt"
        only.write_text(pin, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--no-binary", project, "--require-hashes"]
        command += ["--requirement", str(only), "--dest", passing]
        if subprocess.run(command, check=False).returncode:
            message = f"pip could not fetch the source distribution of {project} {version}"
            raise CannotRun(message)
        archive = next(Path(passing).glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(passing, filter="data")
        (Path(passing) / folder.name).rename(folder)
    return folder


def run_tests(
    folder: Path, suite: Suite, expectation: Expectation, extra: list[str]
) -> dict[str, str]:
    """Run the tests; give each one's outcome: passed, failed or skipped."""
    with TemporaryDirectory() as passing:
        report = Path(passing) / "report.xml"
        command = [sys.executable, "-m", "stein.dropin", "-m", "pytest", "-q", "--no-header"]
        command += ["-p", "no:cacheprovider", "--tb=short", "-o", "junit_family=xunit1"]
        command += [f"--junitxml={report}", "--timeout=60"]
        command += [f"--ignore={name}" for name in expectation.leave_out]
        command += [word for name in suite.plugins for word in ("-p", name)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = str(HERE / "plugins")
        subprocess.run([*command, *extra], cwd=folder, env=environment, check=False)
        if not report.exists():
            message = "pytest wrote no report; what it said stands above"
            raise CannotRun(message)
        return outcomes(ET.parse(report))  # noqa: S314 - pytest wrote it a moment ago


def outcomes(report: ET.ElementTree[ET.Element]) -> dict[str, str]:
    """Read the outcomes from a JUnit report, under the names that pytest shows."""
    found = {}
    for case in report.iter("testcase"):
        file = case.get("file") or case.get("classname", "").replace(".", "/") + ".py"
        module = file.removesuffix(".py").replace("/", ".")
        inside = case.get("classname", "").removeprefix(module).strip(".")
        parts = [file, *(inside.split(".") if inside else []), case.get("name", "")]
        kinds = {child.tag for child in case}
        bad, skipped = kinds & {"failure", "error"}, "skipped" in kinds
        found["::".join(parts)] = "failed" if bad else "skipped" if skipped else "passed"
    return found


def judge(
    name: str, found: dict[str, str], expectation: Expectation, least_share: float = 1.0
) -> int:
    """Print how the outcomes compare with the list; the exit status."""
    failed = {test for test, outcome in found.items() if outcome == "failed"}
    passed = {test for test, outcome in found.items() if outcome == "passed"}
    listed = set(expectation.differs)
    share = len(passed) / max(1, len(passed) + len(failed))
    print(
        f"\n{name}: {len(passed)} passed, {len(failed)} failed ({len(failed & listed)} of them "
        f"differ on purpose), {len(found) - len(passed) - len(failed)} skipped: {share:.1%}"
    )
    wrong = 0
    for test in sorted(failed - listed):
        print(f"  fails and is not on the list: {test}")
        wrong = 1
    for test in sorted(listed - failed):
        said = found.get(test, "not there")
        print(f"  is on the list of those that differ, but is {said}: {test}")
        wrong = 1
    if share < least_share:
        print(f"  fewer than {least_share:.0%} pass")
        wrong = 1
    return wrong


def run_suite(name: str, extra: list[str]) -> int:
    """Run one suite and say how it went; the exit status."""
    suite = SUITES[name]
    try:
        for project in ASIDE:
            refuse_installed(project)
        refuse_lonely_children()
        expectation = Expectation.read(HERE / f"{name}.toml")
        with passing_copy(fetch(suite.source) / suite.folder) as folder:
            found = run_tests(folder, suite, expectation, extra)
    except CannotRun as error:
        print(f"upstream {name}: {error}", file=sys.stderr)
        return 2
    if extra:
        return int("failed" in found.values())
    return judge(name, found, expectation, suite.least_share)


def main(arguments: list[str]) -> int:
    """Run the suites that are named; the worst of their exit statuses, where 1 is the worst."""
    first = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="What follows -- is for pytest; the list is then not asked.",
    )
    parser.add_argument("suite", choices=SUITES, nargs="+")
    suites = parser.parse_args(arguments[:first]).suite
    statuses = {run_suite(name, arguments[first + 1 :]) for name in suites}
    return next(status for status in (1, 2, 0) if status in statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
