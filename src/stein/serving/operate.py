"""``stein reload``, ``stop``, ``scale`` and ``upgrade``: commands to a server that runs.

Each finds the server's control socket by ``--control PATH`` or ``--pid N``; without either, the one
server of this user is meant: see :mod:`stein.serving.servers`.  Exit codes: 0 when it was done, 1
when it could not be done (the reason, and the traceback if there is one, on standard error), 2 for
a mistake on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from stein.server.control import ControlError, ask
from stein.serving.servers import find_control

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMANDS", "target_options"]


def target_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options that say which server is meant."""
    control = click.option("--control", metavar="PATH", help="The server's control socket.")
    pid = click.option(
        "--pid", metavar="N|FILE", help="The server's parent process, or its pid file."
    )
    return control(pid(command))


def order(name: str, control: str | None, pid: str | None, **fields: Any) -> None:
    """Give a command, wait until it was done, and say how it went.

    :raises SystemExit: with code 1 if it went wrong.
    """
    try:
        path = find_control(control, pid, name)
        answer = ask(path, name, timeout=None, **fields)
    except ControlError as error:
        click.echo(f"stein: error: {error}", err=True)
        raise SystemExit(1) from None
    if answer.get("ok"):
        click.echo(f"{name}: {answer.get('text', 'done')}")
        return
    if answer.get("traceback"):
        click.echo(answer["traceback"].rstrip("\n"), err=True)
    text = answer.get("text") or answer.get("error") or "it was refused"
    click.echo(f"stein: error: {name}: {' '.join(text.split())}", err=True)
    raise SystemExit(1)


@click.command("reload")
@target_options
def reload_command(control: str | None, pid: str | None) -> None:
    """Replace the workers by such with the program as it is now.

    One after the other, each when its successor serves. If the new program cannot start, the old
    one goes on; then the exit code is 1 and the reason is shown.
    """
    order("reload", control, pid)


@click.command("stop")
@target_options
@click.option("--fast", is_flag=True, help="Do not wait for requests under way.")
def stop_command(control: str | None, pid: str | None, *, fast: bool) -> None:
    """Stop a server, and return when it has ended."""
    order("stop", control, pid, fast=fast)


@click.command("scale")
@click.argument("workers", type=click.IntRange(min=1), metavar="N")
@target_options
def scale_command(workers: int, control: str | None, pid: str | None) -> None:
    """Have N workers from now on."""
    order("scale", control, pid, workers=workers)


@click.command("upgrade")
@target_options
def upgrade_command(control: str | None, pid: str | None) -> None:
    """Start the server's command line anew, Python and stein included, and let it take over.

    No connection is refused. If the new one cannot start, the old one goes on; then the exit code
    is 1 and the reason is shown. The process id changes.
    """
    order("upgrade", control, pid)


COMMANDS: Final[dict[str, click.Command]] = {
    "reload": reload_command,
    "scale": scale_command,
    "stop": stop_command,
    "upgrade": upgrade_command,
}
