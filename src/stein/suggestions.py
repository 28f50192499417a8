"""The end of an error message that offers other names: the near misses first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["missing_module", "modules_beside", "offer"]

#: How many names a message offers.
OFFERED: Final = 5


def offer(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about a name that does not exist.

    :param name: what was asked for.
    :param names: what there is.
    :returns: ``; did you mean x? (it also offers y)``, or only what it offers, or nothing.
    """
    import difflib  # noqa: PLC0415 - only where something was not found

    near = difflib.get_close_matches(name, names, n=OFFERED, cutoff=0.5)
    others = [item for item in names if item not in near][: OFFERED - len(near)]
    if near:
        rest = f" (it also offers {', '.join(others)})" if others else ""
        return f"; did you mean {' or '.join(near)}?{rest}"
    return f"; it offers {', '.join(others)}" if others else ""


def missing_module(error: BaseException) -> str:
    """Return the end of a message about an import that failed for want of Flask or Werkzeug.

    :param error: what was raised.
    :returns: ``; ...`` that tells of the drop-in, or nothing.
    """
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or name not in {"flask", "werkzeug"}:
        return ""
    return (
        f"; {name} is not installed, and stein stands in for it when the program is started with"
        " the drop-in: put 'python -m stein.dropin -m' in front of the command"
    )


def modules_beside(directory: Path, missing: str) -> list[str]:
    """Return the names of the modules that could have been meant.

    :param directory: where the import was to begin.
    :param missing: the dotted name that was not found; what is beside its last part is offered.
    """
    for package in missing.split(".")[:-1]:
        directory /= package
    if not directory.is_dir():
        return []
    files = [path.stem for path in directory.glob("*.py") if path.stem != "__init__"]
    return files + [path.parent.name for path in directory.glob("*/__init__.py")]
