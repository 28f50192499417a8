"""What a server is to do, put together from the command line, the environment and a file."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from stein.errors import ConfigurationError
from stein.server.sizing import measure_room, size_for
from stein.serving.configfile import ConfigFile, is_gunicorn, read_config
from stein.serving.load import PREFIX, Given, Loaded, address_from, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stein.server.settings import Settings

__all__ = ["Configuration", "Wishes", "configure"]

#: The file that is read if none is named.
USUAL_FILE: Final = "stein.toml"
GUNICORNS_FILE: Final = "gunicorn.conf.py"
NO_FILE: Final = frozenset({"off", "none"})
#: Defaults of workers whose threads are greenlets.  A lost one costs next to nothing, and a service
#: that does not answer loses many at once; so the share of them is the same as with threads.
OF_GREENLETS: Final = {"threads": "1000", "limit_lost_threads": "250"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a command line says.

    :param flags: settings, by field name.
    :param further: what else there is, by the names of :data:`stein.serving.configfile.FURTHER`.
    :param foreign: gunicorn's flags, each with its value; a switch has none.
    :param mistakes: what is wrong with it.
    """

    flags: Mapping[str, Given] = field(default_factory=dict)
    further: Mapping[str, Given] = field(default_factory=dict)
    config: str | None = None
    host: str | None = None
    port: str | None = None
    foreign: Sequence[tuple[str, str | None]] = ()
    mistakes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a server is to do, and where each part of that was said.

    ``further`` has the application and the folders, ``variables`` what is to be put into the
    environment, ``file`` the configuration file, ``notes`` what the operator should hear.
    """

    loaded: Loaded
    further: Mapping[str, Given]
    variables: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    notes: tuple[str, ...] = ()
    sizing: str = ""

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.loaded.settings

    @property
    def app(self) -> str | None:
        """The application, as it is named."""
        return self._text("app")

    @property
    def app_dir(self) -> str | None:
        """Where it is imported from."""
        return self._text("app_dir")

    @property
    def chdir(self) -> str | None:
        """The folder to go to before anything else."""
        return self._text("chdir")

    def _text(self, name: str) -> str | None:
        return self.further[name].texts[-1] if name in self.further else None


def configure(wishes: Wishes, environ: Mapping[str, str], folder: Path) -> Configuration:
    """Put it together.

    :param wishes: what the command line says.
    :param environ: the environment.
    :param folder: where the server was started.
    :raises ConfigurationError: for all that is wrong, at once.
    """
    mistakes = list(wishes.mistakes)
    flags = dict(wishes.flags)
    try:
        address = address_from(wishes.host, wishes.port)
    except ConfigurationError as error:
        mistakes.append(str(error))
        address = None
    if address is not None and "bind" in flags:
        both = f"{address.source} and --bind both say where to listen; use --bind alone"
        mistakes.append(both)
    elif address is not None:
        flags["bind"] = address
    file, path = found_file(wishes, environ, folder, mistakes)
    further = {**file.further, **further_in(environ), **wishes.further}
    take_foreign(wishes, environ, flags, further, file)
    mistakes += file.mistakes
    if file.defaults:
        default_socket_mode(flags, environ, file)
    sizing, environ = size_workers(flags, environ, file)
    defaults = {**file.defaults, **defaults_of_kind(flags, environ, file)}
    loaded = load_settings(flags, environ, file.given, defaults, mistakes)
    notes = tuple(notes_on(wishes, path, file, loaded, folder))
    return Configuration(loaded, further, file.variables, path, notes, sizing)


def found_file(
    wishes: Wishes, environ: Mapping[str, str], folder: Path, mistakes: list[str]
) -> tuple[ConfigFile, str | None]:
    """Return what the configuration file says, and its path; without one, nothing."""
    path = wishes.config or environ.get("STEIN_CONFIG") or None
    if path is None and (folder / USUAL_FILE).is_file():
        path = USUAL_FILE
    if path is None or path in NO_FILE:
        return ConfigFile(""), None
    try:
        found = read_config(path, folder)
        if is_gunicorn(path):
            # Most have none.
            from stein.serving.gunicornconf import gunicorn_defaults  # noqa: PLC0415

            found.defaults = gunicorn_defaults(environ)
    except ConfigurationError as error:
        if error.__cause__ is not None:  # a program: its traceback is wanted, too
            raise
        mistakes.append(str(error))
        return ConfigFile(path), path
    return found, path


def further_in(environ: Mapping[str, str]) -> dict[str, Given]:
    """Return what the environment says besides settings."""
    names = {name: PREFIX + name.upper() for name in ("app", "app_dir", "chdir")}
    return {
        name: Given(variable, (environ[variable],))
        for name, variable in names.items()
        if environ.get(variable)
    }


def take_foreign(
    wishes: Wishes,
    environ: Mapping[str, str],
    flags: dict[str, Given],
    further: dict[str, Given],
    file: ConfigFile,
) -> None:
    """Take gunicorn's flags, from the command line and from its variable."""
    text = environ.get("GUNICORN_CMD_ARGS", "")
    if not text and not wishes.foreign and file.take_timeout is None:
        return
    # Most have none.
    from stein.serving.gunicornconf import (  # noqa: PLC0415
        read_gunicorn_flags,
        settle_timeout,
        split_flags,
    )

    said, line = ConfigFile("GUNICORN_CMD_ARGS"), ConfigFile("")
    if text:
        try:
            read_gunicorn_flags(said, split_flags(shlex.split(text), said), "GUNICORN_CMD_ARGS: ")
        except ValueError as error:
            said.mistakes.append(f"GUNICORN_CMD_ARGS={text}: {error}")
    read_gunicorn_flags(line, wishes.foreign)
    threads = said_of("threads", {**line.given, **flags}, environ, {**file.given, **said.given})
    settle_timeout((file, said, line), threads)
    file.given.update(said.given)
    further.update({**said.further, **further})
    for name, given in line.given.items():
        flags.setdefault(name, given)
    further.update({**line.further, **wishes.further})
    file.variables.update({**said.variables, **line.variables})
    file.mistakes += [*said.mistakes, *line.mistakes]


def default_socket_mode(
    flags: Mapping[str, Given], environ: Mapping[str, str], file: ConfigFile
) -> None:
    """Let Unix sockets be as open as gunicorn's, under a configuration that was written for it."""
    # Most have none.
    from stein.serving.gunicornconf import socket_mode  # noqa: PLC0415

    bind, umask = (said_of(name, flags, environ, file.given) for name in ("bind", "umask"))
    mode = socket_mode(bind, umask)
    if mode is not None:
        file.defaults["unix_mode"] = mode


def said_of(
    name: str, flags: Mapping[str, Given], environ: Mapping[str, str], file: Mapping[str, Given]
) -> Given | None:
    """Return what was said of a setting, by whoever is listened to; ``None`` if by nobody."""
    variable = PREFIX + name.upper()
    found = Given(variable, (environ[variable],)) if environ.get(variable) else None
    return flags.get(name) or found or file.get(name)


def size_workers(
    flags: dict[str, Given], environ: Mapping[str, str], file: ConfigFile
) -> tuple[str, Mapping[str, str]]:
    """Replace ``auto`` by the number of workers that there is room for.

    :returns: the sum, to show, if there was one; and the environment with the number in it.
    """
    name = PREFIX + "WORKERS"
    given = said_of("workers", flags, environ, file.given)
    if given is None or given.texts[-1].strip().lower() != "auto":
        return "", environ
    sizing = size_for(measure_room())
    number = dataclasses.replace(given, texts=(str(sizing.workers),))
    if "workers" in flags:
        flags["workers"] = number
    elif environ.get(name):
        environ = {**environ, name: str(sizing.workers)}
    else:
        file.given["workers"] = number
    return f"  workers      auto: {sizing.text}\n", environ


def defaults_of_kind(
    flags: Mapping[str, Given], environ: Mapping[str, str], file: ConfigFile
) -> dict[str, Given]:
    """Return what holds for the wanted kind of worker where nobody says otherwise."""
    name = PREFIX + "WORKER_KIND"
    variable = Given(name, (environ[name],)) if environ.get(name) else None
    given = flags.get("worker_kind") or variable or file.given.get("worker_kind")
    if given is None or given.texts[-1].strip() != "gevent":
        return {}
    return {name: Given("worker_kind = gevent", (text,)) for name, text in OF_GREENLETS.items()}


def notes_on(
    wishes: Wishes, path: str | None, file: ConfigFile, loaded: Loaded, folder: Path
) -> list[str]:
    """Return what an operator should hear, each one line."""
    notes = []
    if path is None and not wishes.config and (folder / GUNICORNS_FILE).is_file():
        notes.append(
            f"{GUNICORNS_FILE} is here and was not read; to use it, give --config {GUNICORNS_FILE}"
        )
    held = [name for name in file.defaults if loaded.sources[name] == file.defaults[name].source]
    if held:
        said = ", ".join(f"{name} {'+'.join(file.defaults[name].texts)}" for name in sorted(held))
        notes.append(f"{path} leaves to gunicorn's defaults, and so it is here: {said}")
    return notes
