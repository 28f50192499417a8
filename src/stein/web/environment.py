"""What the process's environment says to the framework: ``STEIN_DEBUG``, ``FLASK_DEBUG`` and so on.

Each variable has two names, ``STEIN_…`` and ``FLASK_…``. Programs and hosts that know Flask set
the second; where both are set the first wins. One that is set to nothing counts as not set.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = [
    "PREFIXES",
    "files_read",
    "get_debug_flag",
    "get_load_dotenv",
    "is_run_by_command",
    "is_running_from_reloader",
    "look_up",
    "note_command",
    "set_debug",
    "variables_of_files",
]

#: In the order in which they are asked.
PREFIXES: Final = ("STEIN", "FLASK")

#: Tells ``app.run()`` that a command has imported the program; a mark, so it has this name only.
RUN_FROM_CLI: Final = "FLASK_RUN_FROM_CLI"

#: Where settings were read from, as absolute paths; a reloader watches these files.
files_read: Final[set[str]] = set()

#: Variables that such a file has set, each with its value: a process that is started anew reads
#: them from the file again, and is not to inherit what stood there before.
variables_of_files: Final[dict[str, str]] = {}

#: How people write "no" where yes or no is wanted.
NO: Final = frozenset({"0", "false", "no"})


def look_up(name: str) -> str | None:
    """Return the value of a variable of ours under either of its names.

    :param name: the name without its prefix, such as ``DEBUG``.
    :returns: the text of the first that is set and not empty, otherwise ``None``.
    """
    for prefix in PREFIXES:
        value = os.environ.get(f"{prefix}_{name}")
        if value:
            return value
    return None


def get_debug_flag() -> bool:
    """Tell whether the environment (``STEIN_DEBUG``, ``FLASK_DEBUG``) asks for debug mode.

    ``0``, ``false`` and ``no`` in any case mean no, every other text means yes.

    :returns: whether to debug; ``False`` when nothing is set.
    """
    value = look_up("DEBUG")
    return value is not None and value.lower() not in NO


def set_debug(*, on: bool) -> None:
    """Write to the environment whether to debug, for everything that asks later on.

    ``FLASK_DEBUG`` is what programs read, so that is set; ``STEIN_DEBUG`` only where it stands
    already and would speak against it.
    """
    word = "1" if on else "0"
    os.environ["FLASK_DEBUG"] = word
    if "STEIN_DEBUG" in os.environ:
        os.environ["STEIN_DEBUG"] = word


def get_load_dotenv(default: bool = True) -> bool:  # noqa: FBT001, FBT002 - Flask's signature
    """Tell whether ``.env`` and ``.flaskenv`` are to be read (``STEIN_SKIP_DOTENV`` says no).

    :param default: the answer when neither variable is set.
    :returns: ``False`` if a variable is set to anything but ``0``, ``false`` or ``no``.
    """
    value = look_up("SKIP_DOTENV")
    return default if value is None else value.lower() in NO


def is_run_by_command() -> bool:
    """Tell whether a command is running, so that ``app.run()`` must not start a server.

    A module that calls it without ``if __name__ == "__main__":`` would block the command which
    imports the module.  The command has called :func:`note_command`.
    """
    return os.environ.get(RUN_FROM_CLI) == "true"


def note_command() -> None:
    """Mark this process as one in which a command runs."""
    os.environ[RUN_FROM_CLI] = "true"


def is_running_from_reloader() -> bool:
    """Tell whether this process is the one that a reloader starts anew at each change.

    It is marked by ``WERKZEUG_RUN_MAIN=true``, which many programs look at.
    """
    return os.environ.get("WERKZEUG_RUN_MAIN") == "true"
