"""From command line, environment and file to one :class:`~stein.server.settings.Settings`.

A flag goes before ``STEIN_<FIELD>``, that before the configuration file, that before the default.
Each value keeps where it came from, and a message about it begins with that:
``STEIN_THREADS=abc: must be a whole number``.  All that is wrong is told at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stein.errors import ConfigurationError, Mistakes
from stein.server.settings import Settings, check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "PREFIX",
    "Given",
    "Loaded",
    "address_from",
    "environment_name",
    "flags_of",
    "is_switch",
    "kind_of",
    "load_settings",
    "read_octal",
    "suspicious_names",
]

PREFIX: Final = "STEIN_"

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = "5000"

ON: Final = frozenset({"on", "true", "yes", "1"})
OFF: Final = frozenset({"off", "false", "no", "0"})

#: One letter or the word in full; all are powers of 1024, as memory is counted.
SIZE_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
TIME_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

NUMBER: Final = r"([0-9]+(?:\.[0-9]+)?)"
size_form = re.compile(NUMBER + r"\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE).fullmatch
time_form = re.compile(NUMBER + r"\s*(ms|s|m|h|)", re.IGNORECASE).fullmatch

Field = dataclasses.Field[Any]


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody wrote for one setting.

    ``source`` is where: a flag, a variable, or a file and its line; ``texts`` the values: one,
    unless the setting may be given several times; ``wording`` how it was written, if that was
    otherwise than behind a flag or in a variable.
    """

    source: str
    texts: tuple[str, ...]
    wording: str = ""

    def __str__(self) -> str:
        if self.wording:
            return f"{self.source}: {self.wording}"
        sign = " " if self.source.startswith("-") else "="
        return f"{self.source}{sign}{','.join(self.texts)}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for each field where its value came from: a flag, a variable, default."""

    settings: Settings
    sources: Mapping[str, str]


def load_settings(
    flags: Mapping[str, Given],
    environ: Mapping[str, str],
    file: Mapping[str, Given] | None = None,
    defaults: Mapping[str, Given] | None = None,
    mistakes: Sequence[str] = (),
) -> Loaded:
    """Make the settings.

    :param flags: what the command line gave, by field name.
    :param environ: the environment; of it only ``STEIN_<FIELD>`` is read.
    :param file: what a configuration file gave.
    :param defaults: what holds where nobody has said anything, instead of the fields' defaults.
    :param mistakes: what was found to be wrong already.
    :returns: the settings and their sources.
    :raises ConfigurationError: for values that cannot be read or cannot work, all of them; each
        line of the message begins with where the value came from.
    """
    values: dict[str, Any] = {}
    given: dict[str, Given] = {}
    found = list(mistakes)
    for item in dataclasses.fields(Settings):
        wish = (
            flags.get(item.name)
            or from_environment(item, environ)
            or (file or {}).get(item.name)
            or (defaults or {}).get(item.name)
        )
        if wish is not None:
            given[item.name] = wish
            try:
                values[item.name] = read_value(item, wish)
            except ConfigurationError as error:
                found.append(str(error))
    try:
        settings = Settings(**values)
    except ConfigurationError as error:
        found += explained(error, given, values)
        settings = Settings()
    if found:
        raise ConfigurationError(found[0]) if len(found) == 1 else Mistakes(found)
    sources_of = {
        item.name: given[item.name].source if item.name in given else "default"
        for item in dataclasses.fields(Settings)
    }
    return Loaded(settings, sources_of)


def explained(
    error: ConfigurationError, given: Mapping[str, Given], values: Mapping[str, Any]
) -> list[str]:
    """Return how settings do not go with each other, with the sources of the fields named.

    What depends on a value that could not be read is left out: it was complained about already.
    """
    texts = []
    for fault in getattr(error, "mistakes", (str(error),)):
        words = set(re.findall(r"\w+", fault.partition(":")[0]))
        named = [name for name in given if name in words]
        if all(name in values for name in named):
            sources = [f"{name} is from {given[name].source}" for name in named]
            texts.append(f"{fault} ({', '.join(sources)})" if sources else fault)
    return texts


def from_environment(item: Field, environ: Mapping[str, str]) -> Given | None:
    """Return what the environment says of a setting.

    An empty variable is an unset one, as compose files and unit files leave them behind; only
    where the empty text is a value of its own does it count.
    """
    name = environment_name(item)
    text = environ.get(name)
    if text is None or (text == "" and kind_of(item) is not str):
        return None
    if kind_of(item) is tuple:
        return Given(name, tuple(part.strip() for part in text.split(",") if part.strip()))
    return Given(name, (text,))


def read_value(item: Field, given: Given) -> Any:
    """Turn what was written into the field's type, and hold it against the field's own rules."""
    if kind_of(item) is tuple:
        return given.texts
    text = given.texts[-1]
    if kind_of(item) is not str:  # a password may begin with a blank
        text = text.strip()
    if is_optional(item) and (text == "" or (kind_of(item) is int and text.lower() == "none")):
        return None
    try:
        value = reader_of(item)(text)
    except ValueError as error:
        raise ConfigurationError(f"{shown(item, given)}: {error}") from None
    try:
        check(item, value)
    except ConfigurationError as error:
        fault = str(error).removeprefix(f"{item.name}={value!r} ")
        raise ConfigurationError(f"{shown(item, given)}: {fault}") from None
    return value


def shown(item: Field, given: Given) -> str:
    """Return source and value for a message, but no secret."""
    if "password" not in item.name:
        return str(given)
    return f"{given.source}: {item.name}" if given.wording else given.source


# -- how a field is written ---------------------------------------------------------------------


def kind_of(item: Field) -> type:
    """Return the plain type of a field: bool, int, float, str or tuple, without its None."""
    hint = hints()[item.name]
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return typing.cast("type", typing.get_origin(hint) or hint)


def is_optional(item: Field) -> bool:
    """Whether a field may be None."""
    return type(None) in typing.get_args(hints()[item.name])


@functools.cache
def hints() -> dict[str, Any]:
    """Return the types of the fields, by name."""
    return typing.get_type_hints(Settings)


def is_switch(item: Field) -> bool:
    """Whether a field is on or off."""
    return kind_of(item) is bool


def flags_of(item: Field) -> tuple[str, ...]:
    """Return the command-line flags of a field."""
    return item.metadata["flags"] or ("--" + item.name.replace("_", "-"),)


def environment_name(item: Field) -> str:
    """Return the environment variable of a field."""
    return PREFIX + item.name.upper()


def reader_of(item: Field) -> Callable[[str], Any]:
    """Return the function that reads one value of a field."""
    kind = kind_of(item)
    if kind is bool:
        return read_switch
    if item.metadata["unit"] == "seconds":
        return read_duration
    if kind is str:
        return str
    if item.metadata["metavar"] == "OCTAL":
        return read_octal
    return read_size if item.metadata["unit"] == "bytes" else read_whole_number


def read_switch(text: str) -> bool:
    """Read ``on`` or ``off``, or another of the usual words for them."""
    word = text.lower()
    if word in ON:
        return True
    if word in OFF:
        return False
    message = "must be on or off"
    raise ValueError(message)


def read_whole_number(text: str) -> int:
    """Read a whole number; stricter than int(), which takes ``1_0`` and other scripts' digits."""
    if not re.fullmatch(r"-?[0-9]+", text):
        message = "must be a whole number"
        raise ValueError(message)
    return int(text)


def read_octal(text: str) -> int:
    """Read permission bits as chmod writes them: ``660``, ``0660`` or ``0o660``."""
    if not re.fullmatch(r"(0o)?[0-7]{1,4}", text):
        message = "must be permission bits in octal, such as 660"
        raise ValueError(message)
    return int(text, 8)


def read_size(text: str) -> int:
    """Read a number of bytes: ``8190``, ``64k``, ``64KiB``, ``1.5m``, ``2g``."""
    found = size_form(text)
    if not found:
        message = "must be a size in bytes, such as 8190, 64k or 2MiB"
        raise ValueError(message)
    return int(float(found[1]) * SIZE_UNITS[(found[2] or "").lower()])


def read_duration(text: str) -> float:
    """Read a number of seconds: ``30``, ``30s``, ``500ms``, ``2m``, ``1h``."""
    found = time_form(text)
    if not found:
        message = "must be a time, such as 30, 500ms or 2m"
        raise ValueError(message)
    return round(float(found[1]) * TIME_UNITS[found[2].lower()], 6)


def suspicious_names(environ: Mapping[str, str]) -> dict[str, str]:
    """Return variables that look like misspelt settings, each with the name that was meant.

    No more than a hint: Kubernetes sets ``STEIN_PORT`` and others for a service called stein.
    """
    known = [environment_name(item) for item in dataclasses.fields(Settings)]
    known += [PREFIX + name for name in ("APP", "APP_DIR", "CHDIR", "CONFIG")]
    hints = {}
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                hints[name] = near[0]
    return hints


def address_from(host: str | None, port: str | None) -> Given | None:
    """Return the address that ``--host`` and ``--port`` give, or None if neither was given."""
    if host is None and port is None:
        return None
    if port is not None and not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        message = f"--port {port}: must be a number from 0 to 65535"
        raise ConfigurationError(message)
    name = DEFAULT_HOST if host is None else host
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    source = " and ".join(
        flag for flag, value in (("--host", host), ("--port", port)) if value is not None
    )
    return Given(source, (f"{name}:{port or DEFAULT_PORT}",))
