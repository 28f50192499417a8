"""The peers: how each one is started, the way its own documentation recommends.

Fair means here: the same number of worker processes and of threads, keep-alive on, access log off
unless the case is about it, and room for as many connections as the case opens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
APPS = Path(__file__).resolve().parent / "apps"
BODY_LIMIT = 2**31
MIN_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything a recipe may depend on."""

    python: Path
    target: str
    port: int
    threads: int
    workers: int = 1
    connections: int = MIN_CONNECTIONS
    log: Path | None = None

    @property
    def address(self) -> str:
        """Where to listen: loopback, always."""
        return f"{HOST}:{self.port}"

    def tool(self, name: str) -> str:
        """A command that lives beside the interpreter of the virtual environment."""
        return str(self.python.parent / name)


@dataclass(frozen=True, slots=True)
class Peer:
    """One server of the comparison."""

    name: str
    module: str
    distribution: str
    command: Callable[[Launch], list[str]]
    max_threads: int | None = None
    has_workers: bool = False
    logs_access: bool = False
    keeps_alive: bool = True
    remark: str = ""


def stein(launch: Launch) -> list[str]:
    """Ours, by its own command, like everybody else."""
    log = ["--no-access-log"]
    if launch.log:
        log = ["--access-log", "combined", "--access-log-file", str(launch.log)]
    serve = [str(launch.python), "-m", "stein", "serve", launch.target, "--bind", launch.address]
    # With one it serves itself; with more it supervises them.
    workers = ["--workers", str(launch.workers)] if launch.workers > 1 else []
    return [*serve, *workers, "--threads", str(launch.threads), *log]


def granian(launch: Launch) -> list[str]:
    """Its log is a file by configuration only; the command's output is caught in one anyway."""
    return [
        *(launch.tool("granian"), launch.target),
        *("--interface", "wsgi", "--no-ws", "--workers", str(launch.workers)),
        *("--host", HOST, "--port", str(launch.port)),
        *("--blocking-threads", str(launch.threads)),
        *("--backlog", str(max(1024, launch.connections))),
        *("--backpressure", str(max(1024, launch.connections))),
        "--access-log" if launch.log else "--no-access-log",
    ]


def gunicorn(launch: Launch) -> list[str]:
    """Its threaded worker; the sync worker has neither threads nor keep-alive."""
    log = ["--access-logfile", str(launch.log)] if launch.log else []
    return [
        *(launch.tool("gunicorn"), launch.target, "--bind", launch.address),
        *("-k", "gthread", "--workers", str(launch.workers)),
        *("--threads", str(launch.threads)),
        *("--keep-alive", "75", "--worker-connections", str(launch.connections)),
        *("--no-control-socket", *log),
    ]


def waitress(launch: Launch) -> list[str]:
    """With `poll` where `select` would run out of descriptors, as its documentation says."""
    return [
        *(launch.tool("waitress-serve"), f"--listen={launch.address}"),
        f"--threads={launch.threads}",
        f"--connection-limit={launch.connections}",
        f"--max-request-body-size={BODY_LIMIT}",
        *(["--asyncore-use-poll"] if launch.connections > MIN_CONNECTIONS else []),
        launch.target,
    ]


def uwsgi(launch: Launch) -> list[str]:
    """With the HTTP router in front of the worker, as its documentation says for the open net.

    The worker's own `--http-socket` closes after every response, whatever `--http-keepalive` says,
    and `--http11-socket` gives a whole thread to every open connection.
    """
    log = ["--logger", f"file:{launch.log}"] if launch.log else ["--disable-logging"]
    return [
        *(launch.tool("uwsgi"), "--http", launch.address, "--http-keepalive=75", "--master"),
        *("--processes", "1", "--threads", str(launch.threads)),
        *("--module", launch.target, "--need-app", "--die-on-term", *log),
    ]


def launched(name: str) -> Callable[[Launch], list[str]]:
    """A server that `apps/launch.py` starts."""

    def command(launch: Launch) -> list[str]:
        log = "log" if launch.log else "quiet"
        script = [str(launch.python), str(APPS / "launch.py"), name, launch.target]
        return [*script, str(launch.port), str(launch.threads), log]

    return command


PEERS: tuple[Peer, ...] = (
    Peer("stein", "stein", "stein", stein, has_workers=True, logs_access=True),
    Peer("granian", "granian", "granian", granian, has_workers=True, logs_access=True),
    Peer("fastpysgi", "fastpysgi", "fastpysgi", launched("fastpysgi"), max_threads=1),
    Peer("uwsgi", "pyuwsgi", "pyuwsgi", uwsgi, logs_access=True, remark="router + 1 worker"),
    Peer("waitress", "waitress", "waitress", waitress),
    Peer(
        "gunicorn",
        "gunicorn",
        "gunicorn",
        gunicorn,
        has_workers=True,
        logs_access=True,
        remark="gthread",
    ),
    Peer(
        "werkzeug",
        "werkzeug",
        "werkzeug",
        launched("werkzeug"),
        logs_access=True,
        keeps_alive=False,
        remark="a thread per connection where threads > 1",
    ),
)
