"""Run a program as the interpreter would, with the aliases: a module, code or a script."""

from __future__ import annotations

import sys
from typing import Final

from stein.dropin.children import lead
from stein.dropin.finder import install
from stein.interpreter import NotRunnable, run

__all__ = ["launch"]

USAGE: Final = """\
usage: python -m stein.dropin SCRIPT [ARGUMENT ...]  (a file; a folder or zip with __main__.py)
       python -m stein.dropin -m MODULE [ARGUMENT ...]
       python -m stein.dropin -c CODE [ARGUMENT ...]

Runs a Python program with `import flask`, `import werkzeug` and their submodules leading to stein.
Options of the interpreter stand before: python -W error -m stein.dropin -m pytest"""


def launch(arguments: list[str]) -> int | str | None:
    """Run what the arguments name, in this process, as ``__main__``.

    :param arguments: without the name of this program.
    :return: an exit status, if no program was run; what the program raises passes through.
    """
    first, *rest = arguments or ["--help"]
    if first in {"-h", "--help"}:
        print(USAGE)  # noqa: T201 - it is a command
        return 0
    if first in {"-m", "-c"} and not rest:
        return f"stein.dropin: {first} needs an argument\n\n{USAGE}"
    if first.startswith("-") and first not in {"-m", "-c"}:
        return f"stein.dropin: no option {first!r}\n\n{USAGE}"
    install()
    lead()
    if not sys.flags.safe_path:  # otherwise python has not put the current folder first, for us
        del sys.path[0]
    try:
        run(arguments)
    except NotRunnable as error:
        return f"stein.dropin: {error}"
    return None
