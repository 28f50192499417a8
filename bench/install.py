"""The virtual environment of the peers: made once, filled from the pins, asked what it holds."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peers import Peer

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
REQUIREMENTS = HERE / "requirements.txt"
STAMP = "bench-requirements.txt"
PIP_SECONDS = 600
ASK_SECONDS = 30

PROBE = """
import importlib.metadata, importlib.util, json, platform, sys
found = {}
for module, distribution in json.loads(sys.argv[1]):
    if importlib.util.find_spec(module):
        try:
            found[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            found[distribution] = "unknown"
print(json.dumps({"python": platform.python_version(), "versions": found}))
"""


@dataclass(slots=True)
class Environment:
    """The interpreter the servers run under, what is there, what would not install."""

    python: Path
    version: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def why_missing(self, peer: Peer) -> str | None:
        """Why this peer cannot run here, in pip's own words if it was pip."""
        if peer.distribution in self.versions:
            return None
        failure = self.failures.get(peer.distribution)
        return f"not installed: {failure}" if failure else "not installed"


def run(command: Sequence[str | Path], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run to the end and keep the output; a command that cannot run is one that failed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """The line of pip's output that names the cause: the last error, or else the last line."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or [f"pip ended with status {done.returncode}"])[-1][:160]


def create(folder: Path, interpreter: str) -> Path:
    """The environment's interpreter; an environment made by another Python is made anew."""
    python = folder / "bin" / "python"
    version = run([interpreter, "-c", "import sys; print(sys.version)"], ASK_SECONDS)
    if version.returncode != 0:
        raise BenchError(f"--python {interpreter!r} does not run: {reason(version)}")
    if run([python, "-c", "import sys; print(sys.version)"], ASK_SECONDS).stdout != version.stdout:
        made = run([interpreter, "-m", "venv", "--clear", folder], PIP_SECONDS)
        if made.returncode != 0:
            raise BenchError(f"no virtual environment in {folder}: {reason(made)}")
    return python


def pip(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One `pip install` in the environment; it uses whatever index the machine is set up for."""
    quiet = ["--quiet", "--disable-pip-version-check"]
    return run([python, "-m", "pip", "install", *quiet, *arguments], PIP_SECONDS)


def pins() -> list[str]:
    """The requirements one by one."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def install_peers(environment: Environment, folder: Path) -> None:
    """All pins at once; if that fails, one by one, so that one bad peer costs only itself."""
    stamp, wanted = folder / STAMP, REQUIREMENTS.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if pip(environment.python, "-r", REQUIREMENTS).returncode == 0:
        stamp.write_text(wanted, encoding="utf-8")
        return
    for pin in pins():
        done = pip(environment.python, pin)
        if done.returncode != 0:
            environment.failures[pin.partition("==")[0]] = reason(done)


def install_stein(environment: Environment) -> None:
    """Ours from the working tree, every time: its dependencies may have changed."""
    done = pip(environment.python, "-e", REPOSITORY)
    if done.returncode != 0:
        environment.failures["stein"] = reason(done)


def look(environment: Environment, peers: Sequence[Peer]) -> None:
    """Ask the environment itself what can be imported; an old install counts as one."""
    wanted = json.dumps([(peer.module, peer.distribution) for peer in peers])
    done = run([environment.python, "-c", PROBE, wanted], ASK_SECONDS)
    if done.returncode != 0:
        raise BenchError(
            f"{environment.python} cannot be asked what is installed ({reason(done)});"
            " next: run once without --no-install"
        )
    found = json.loads(done.stdout)
    environment.version, environment.versions = found["python"], found["versions"]


def prepare(folder: Path, interpreter: str, peers: Sequence[Peer], *, install: bool) -> Environment:
    """An environment ready to run the peers, with the reasons for those it cannot run."""
    if install:
        environment = Environment(create(folder, interpreter))
        install_peers(environment, folder)
        if any(peer.name == "stein" for peer in peers):
            install_stein(environment)
    else:
        environment = Environment(folder / "bin" / "python")
    look(environment, peers)
    return environment
