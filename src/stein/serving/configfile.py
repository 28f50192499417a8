"""The configuration file: ``stein.toml``, a table in ``pyproject.toml``, or a Python file.

Its names are those of the settings, and besides them :data:`FURTHER`.  Whatever is wrong in it is
collected with the line where it stands, so that one start tells all of it.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import json
import re
import sys
import tomllib
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.errors import ConfigurationError
from stein.server.settings import Settings
from stein.serving.load import Given, kind_of
from stein.tracebacks import whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "FURTHER",
    "HOOKS",
    "PROGRAMS",
    "ConfigFile",
    "execute",
    "is_gunicorn",
    "lines_of",
    "read_config",
]

#: What may be said besides the settings: what to serve, and from where.
FURTHER: Final[dict[str, str]] = {
    "app": "the application, as behind stein serve",
    "app_dir": "where it is imported from",
    "chdir": "the folder to go to before anything else",
}
#: Settings that are functions; a Python file may define them.
HOOKS: Final = ("on_start", "when_ready", "worker_start", "worker_exit")
#: How near a name must be to one of ours to be taken for a slip, in a file that may have others.
SLIP: Final = 0.85

#: What programs have defined, by path, for those who call their functions.
PROGRAMS: Final[dict[str, dict[str, Any]]] = {}

FIELDS: Final = {item.name: item for item in dataclasses.fields(Settings)}


@dataclass
class ConfigFile:
    """What a file says.

    ``given`` holds the settings, ``further`` what else there is, ``defaults`` what holds where
    nobody says otherwise, ``variables`` what is put into the environment, ``mistakes`` what is
    wrong, each one line.  Of gunicorn's settings, two mean something only beside those of other
    sources: ``threaded`` is what its kind of workers says, if one was named, and ``take_timeout``
    takes its ``timeout`` when it is known whether there are threads.
    """

    path: str
    given: dict[str, Given] = field(default_factory=dict)
    further: dict[str, Given] = field(default_factory=dict)
    defaults: dict[str, Given] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    threaded: bool | None = None
    take_timeout: Callable[[bool], None] | None = None

    def take(self, name: str, value: object, source: str, *, octal: bool = True) -> None:
        """Take a value under the name of a setting, or of what else may be said.

        :param value: as the file's language has it.
        :param source: the file and the line.
        :param octal: whether a number of permission bits was written as such.
        """
        item = FIELDS.get(name)
        wording = f"{name} = {worded(value)}"
        try:
            texts = texts_of(item, value, octal=octal)
        except ValueError as error:
            self.mistakes.append(f"{source}: {wording}: {error}")
            return
        target = self.further if item is None else self.given
        target[name] = Given(source, texts, wording)


def read_config(path: str, folder: Path) -> ConfigFile:
    """Read a configuration file.

    :param path: by its name it is known what it is: ``.toml``, ``.py``; ``gunicorn`` in the name
        of a Python file means one that was written for gunicorn, as does ``python:module``.
    :param folder: what a relative path is relative to.
    :raises ConfigurationError: there is none, or it cannot be read as what it is.
    """
    if is_gunicorn(path):
        # Most have none.
        from stein.serving.gunicornconf import read_gunicorn_config  # noqa: PLC0415

        return read_gunicorn_config(path, folder)
    try:
        text = (folder / path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        message = f"--config {path}: the file cannot be read: {cause}"
        raise ConfigurationError(message) from None
    if path.endswith(".py"):
        return read_python(path, text, folder)
    if path.endswith(".toml"):
        return read_toml(path, text)
    message = f"--config {path}: must be a .toml file, a .py file or gunicorn.conf.py"
    raise ConfigurationError(message)


def is_gunicorn(path: str) -> bool:
    """Whether a file was written for gunicorn, by its name."""
    if path.startswith("python:"):
        return True
    name = Path(path.removeprefix("file:")).name
    return "gunicorn" in name and not name.endswith(".toml")


# -- TOML -----------------------------------------------------------------------------------------


def read_toml(path: str, text: str) -> ConfigFile:
    """Read ``stein.toml``, or the table ``[tool.stein]`` of another."""
    found = ConfigFile(path)
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"{path}: {error}"
        raise ConfigurationError(message) from None
    header = ""
    if Path(path).name == "pyproject.toml":
        header = "[tool.stein]"
        table = table.get("tool", {}).get("stein", {})
    rows = text.splitlines()
    for name, value in table.items():
        line = line_of(name, rows, header)
        source = f"{path}:{line}"
        if isinstance(value, dict):
            found.mistakes.append(
                f"{source}: [{name}]: there are no tables here; write the settings without them"
            )
        elif name in FIELDS or name in FURTHER:
            octal = "0o" in rows[line - 1]
            found.take(name, value, source, octal=octal)
        else:
            found.mistakes.append(f"{source}: {name}: there is no such setting{near(name)}")
    return found


def line_of(name: str, rows: Sequence[str], header: str = "") -> int:
    """Return the number of the line that a key stands on, behind the header if one is given.

    The reader of the standard library does not tell.
    """
    key = re.compile(rf"""\s*(?:\[\s*)?["']?{re.escape(name)}["']?\s*[=.\]]""")
    start = next((n for n, row in enumerate(rows) if row.strip() == header), 0) if header else 0
    for number, row in enumerate(rows[start:], start + 1):
        if key.match(row):
            return number
    return start + 1


# -- Python ---------------------------------------------------------------------------------------


def read_python(path: str, text: str, folder: Path) -> ConfigFile:
    """Run a Python file; names of settings that it assigns are settings, others its own affair."""
    found = ConfigFile(path)
    names = execute(str(folder / path), text)
    lines = lines_of(text)
    for name, value in names.items():
        source = f"{path}:{lines.get(name, 1)}"
        if name in HOOKS and callable(value):
            found.given[name] = hook_in(folder / path, name, source)
        elif name in FIELDS or name in FURTHER:
            found.take(name, value, source)
        elif is_slip(name, value, [*FIELDS, *FURTHER]):
            found.mistakes.append(f"{source}: {name}: there is no such setting{near(name)}")
    return found


def execute(path: str, text: str) -> dict[str, Any]:
    """Run a configuration file that is a program, and return what it has defined.

    :raises ConfigurationError: it raised, or called sys.exit(); the exception is the cause.
    """
    names: dict[str, Any] = {
        "__file__": path,
        "__name__": "__config__",
        "__builtins__": __builtins__,
    }
    folder = str(Path(path).absolute().parent)
    sys.path.insert(0, folder)  # it may import what lies beside it
    try:
        code = compile(text, path, "exec", dont_inherit=True)
        exec(code, names)  # noqa: S102 - it is a program, and the operator's own
    except (Exception, SystemExit) as error:  # it may end itself; a server that reads it goes on
        message = f"the configuration file raised {whereabouts(error)}"
        raise ConfigurationError(message) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    PROGRAMS[path] = names
    return names


def lines_of(text: str) -> dict[str, int]:
    """Return by name the line where a program last assigns or defines it."""
    lines: dict[str, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines[node.name] = node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines[node.id] = max(node.lineno, lines.get(node.id, 0))
    return lines


def hook_in(path: Path, name: str, source: str) -> Given:
    """Return the setting that leads to a function in a configuration file."""
    target = f"stein.serving.confighooks:function_in({str(path)!r}, {name!r})"
    return Given(source, (target,), f"{name} is defined here")


def is_slip(name: str, value: object, known: Sequence[str]) -> bool:
    """Whether a name that a program defines was probably meant for a setting."""
    if name.startswith("_") or isinstance(value, types.ModuleType) or callable(value):
        return False
    # Constants in capitals are a program's own.
    return bool(difflib.get_close_matches(name, known, n=1, cutoff=SLIP))


# -- values ---------------------------------------------------------------------------------------


def texts_of(item: dataclasses.Field[Any] | None, value: object, *, octal: bool) -> tuple[str, ...]:
    """Return a value as one would write it behind a flag.

    :param item: the setting; ``None`` for what else may be said, which is text.
    :raises ValueError: it has a type that no setting has.
    """
    several = item is not None and kind_of(item) is tuple
    if isinstance(value, str):
        return tuple(filter(None, map(str.strip, value.split(",")))) if several else (value,)
    if several:
        if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
            return tuple(value)
        message = "must be a text, or a list of texts"
        raise ValueError(message)
    if value is None and item is not None:
        return ("",)
    if item is None or kind_of(item) is str:
        message = "must be a text"
        raise ValueError(message)
    return (number_text(item, value, octal=octal),)


def number_text(item: dataclasses.Field[Any], value: object, *, octal: bool) -> str:
    """Return a number, or a switch, as one would write it behind a flag.

    :raises ValueError: it is none.
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:f}".rstrip("0").rstrip(".")
    if not isinstance(value, int):
        message = "must be a text, a number, true or false"
        raise ValueError(message)  # noqa: TRY004 - the caller tells the operator, whatever it is
    if item.metadata["metavar"] != "OCTAL":
        return str(value)
    if not octal:
        message = f'permission bits are octal; write "{value}" or 0o{value}'
        raise ValueError(message)
    return f"{value:o}"


def worded(value: object) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, bool | str | int | float):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(worded, value))}]"
    return "" if value is None else str(value)


def near(name: str, known: Sequence[str] = ()) -> str:
    """Return the end of a message about a name that is none: which one is near."""
    found = difflib.get_close_matches(
        name.lower().replace("-", "_"), known or [*FIELDS, *FURTHER], n=1, cutoff=0.6
    )
    return f"; did you mean {found[0]}?" if found else " (stein serve --print-config shows all)"
