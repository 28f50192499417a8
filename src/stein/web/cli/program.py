"""The program: ``flask`` under the drop-in, and what ``python -m stein.web.cli`` runs."""

from __future__ import annotations

import sys

import click

from stein.errors import SteinError
from stein.tracebacks import render, user_frames
from stein.web.cli.groups import MACHINERY_OF_COMMANDS, FlaskGroup

__all__ = ["cli", "main"]

cli = FlaskGroup(
    name="flask",
    help="""\
Run, inspect and manage a web application.

It is named with '--app', by the variable 'STEIN_APP' or 'FLASK_APP', or it is in a file 'wsgi.py'
or 'app.py' in the current directory.
""",
)


def main() -> None:
    """Run the program and leave with its exit code.

    An exception that a command did not catch is shown with the frames of the user's code, and the
    code is 1.

    :raises SystemExit: always.
    """
    try:
        cli.main()
    except SteinError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if not user_frames(error, MACHINERY_OF_COMMANDS):
            raise
        click.echo(render(error, MACHINERY_OF_COMMANDS), err=True, nl=False)
        sys.exit(1)
