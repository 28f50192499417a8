"""How this program was called, so that it can be called again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stein.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["again", "command_for_child", "split_command"]

BOOTSTRAP: Final = str(Path(__file__).with_name("bootstrap.py"))
#: Options of the interpreter with an argument, which may follow at once or as the next word.
WITH_ARGUMENT: Final = "WX"
LONG_WITH_ARGUMENT: Final = "--check-hash-based-pycs"
#: Modules of debuggers that start the program themselves, and follow the processes it starts.
DEBUGGERS: Final = ("debugpy", "pydevd")


def again() -> list[str]:
    """Return the command that this program was called with, on this interpreter."""
    return [sys.executable, *sys.orig_argv[1:]]


def command_for_child() -> list[str]:
    """Return the command that runs this program again, by way of our bootstrap.

    :raises ConfigurationError: there is no file, module or text that could be run again.
    """
    if not sys.executable:
        raise ConfigurationError(
            "the reloader cannot start this program again: Python does not know its own "
            "executable. Switch the reloader off."
        )
    if "ipykernel" in sys.modules:
        raise ConfigurationError(
            "the reloader cannot start a notebook again: call run() with use_reloader=False, or "
            "put the application into a file and use the command run."
        )
    options, words = split_command(sys.orig_argv[1:])
    if any(name in sys.modules for name in DEBUGGERS):
        # The words are those of the debugger, and it will add itself again.
        words = words_of_main(sys.modules["__main__"], sys.argv)
    if not words or words[0] == "-":
        raise ConfigurationError(
            "the reloader cannot start this program again: it was typed in or read from standard "
            "input. Put it into a file, or switch the reloader off."
        )
    return [sys.executable, *options, BOOTSTRAP, *words]


def split_command(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line of python into its own options, and the program with its words.

    The program begins with ``-m``, ``-c`` or the name of a script; it is empty if there is none.

    :param words: without the interpreter.
    """
    options: list[str] = []
    rest = list(words)
    while rest:
        word = rest[0]
        if word == "-" or not word.startswith("-"):
            return options, rest
        del rest[0]
        if word.startswith("--"):
            options.append(word)
            if word == LONG_WITH_ARGUMENT and rest:
                options.append(rest.pop(0))
            continue
        for place, letter in enumerate(word[1:], 1):
            tail = word[place + 1 :]
            if letter in "mc":
                if place > 1:  # as in -um
                    options.append(word[:place])
                return options, [f"-{letter}", tail, *rest] if tail else [f"-{letter}", *rest]
            if letter in WITH_ARGUMENT:
                options.append(word)
                if not tail and rest:
                    options.append(rest.pop(0))
                break
        else:
            options.append(word)
    return options, []


def words_of_main(main: ModuleType, argv: Sequence[str]) -> list[str]:
    """Return the words that name what runs as ``__main__``."""
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return ["-m", spec.name.removesuffix(".__main__"), *argv[1:]]
    file = getattr(main, "__file__", None)
    return [] if file is None else [file, *argv[1:]]
