"""What can be found out about a configuration before anything is started."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stein.errors import ConfigurationError
from stein.server.apploader import load_application
from stein.server.hooks import load_hook
from stein.server.privileges import barrier, identity_of
from stein.server.tls import make_context
from stein.serving.logconfig import read_log_config
from stein.serving.preparation import require_gevent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.server.privileges import Identity
    from stein.server.settings import Settings
    from stein.serving.configuration import Configuration

__all__ = ["check_application", "faults_of", "give_files"]

HOOKS: Final = ("on_start", "when_ready", "worker_start", "worker_exit")
#: Settings that name a file which is written.
WRITTEN: Final = ("access_log_file", "error_log_file", "pid_file")


def faults_of(configuration: Configuration) -> list[str]:
    """Return what would keep a server from starting, each one line.

    Nothing is imported, bound or written.
    """
    settings = configuration.settings
    checks: list[Callable[[], object]] = [
        lambda: make_context(settings),
        lambda: require_gevent(settings),
        lambda: identity_of(settings),
        lambda: (
            settings.log_config is None
            or read_log_config(settings.log_config, configuration.app_dir)
        ),
    ]
    faults = [with_source(text, configuration) for text in unwritable(settings)]
    faults += [*missing_folders(configuration), *unreachable(settings)]
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            faults.append(with_source(str(error), configuration))
    return faults


def with_source(text: str, configuration: Configuration) -> str:
    """Return a complaint with where the setting came from that it begins with."""
    name = text.partition("=")[0]
    source = configuration.loaded.sources.get(name, "default")
    return text if source == "default" else f"{source}: {text}"


def unwritable(settings: Settings) -> Iterator[str]:
    """Give the files that could not be written."""
    for name in WRITTEN:
        path = getattr(settings, name)
        if path in {None, "-"}:
            continue
        file = Path(path)
        if file.is_dir():
            yield f"{name}={path!r} is a folder; name a file in it."
        elif not file.absolute().parent.is_dir():
            yield f"{name}={path!r}: its folder does not exist. Create {file.absolute().parent}."
        elif not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
            yield f"{name}={path!r} may not be written by user {os.geteuid()}; change its owner."


def missing_folders(configuration: Configuration) -> Iterator[str]:
    """Give the folders that are named and not there."""
    for name in ("app_dir",):
        given = configuration.further.get(name)
        if given is not None and not Path(given.texts[-1]).is_dir():
            yield f"{given.source}: {name}={given.texts[-1]!r}: there is no such folder."


def unreachable(settings: Settings) -> Iterator[str]:
    """Give what the workers' user could not read, and could not run without."""
    try:
        identity = identity_of(settings)
    except ConfigurationError:  # told elsewhere
        return
    if identity is None or identity.uid == os.geteuid():
        return
    for what, file in (("Python's library", os.__file__), ("stein", __file__)):
        found = barrier(identity, Path(file).resolve())
        if found is not None:
            yield (
                f"user={settings.user!r}: user {identity.uid} may not read {what}, for {found} "
                "is closed to it. Install Python where every user can read it."
            )


def check_application(configuration: Configuration, target: str) -> None:
    """Import what a server would import.

    :raises ApplicationNotFound: the application, or a hook, is not there.
    """
    load_application(target, configuration.app_dir)
    for name in HOOKS:
        hook = getattr(configuration.settings, name)
        if hook is not None:
            load_hook(hook, name, configuration.app_dir)


def give_files(settings: Settings) -> None:
    """Let the workers' user write the log files that root has to make.

    The folder may be that user's, who may have put there whatever leads to a file of root's.

    :raises ConfigurationError: it cannot be done, or must not.
    """
    identity = identity_of(settings)
    if identity is None or os.geteuid() != 0:
        return
    for name in ("access_log_file", "error_log_file"):
        path = getattr(settings, name)
        if path == "-":
            continue
        try:
            refusal = give_file(path, identity)
        except OSError as error:
            message = f"{name}={path!r} cannot be given to user {identity.uid}: {error.strerror}"
            raise ConfigurationError(message) from error
        if refusal:
            message = f"{name}={path!r} cannot be given to user {identity.uid}: {refusal}"
            raise ConfigurationError(message)


def give_file(path: str, identity: Identity) -> str:
    """Make a log file if there is none, and let a user have it; return why not, or nothing.

    :raises OSError: it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        number = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a pipe that nobody reads yet
            return ""
        if Path(path).is_symlink():  # systems differ in the error's number
            return "" if needs_no_giving(Path(path), identity) else (
                "it is a symbolic link, and may lead to a file that is not meant. Name that file "
                "itself."
            )  # fmt: skip
        raise
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):  # what root is told to log to may be a device
            return ""
        if status.st_nlink != 1 and status.st_uid != identity.uid:
            return (
                f"it has {status.st_nlink} names (hard links), and may be another program's file. "
                "Name a file of its own."
            )
        os.fchown(number, identity.uid, identity.gid)
    finally:
        os.close(number)
    return ""


def needs_no_giving(path: Path, identity: Identity) -> bool:
    """Whether a link leads to what is no file, or to one that the user has already."""
    try:
        status = path.stat()
    except OSError:
        return False
    return not stat.S_ISREG(status.st_mode) or status.st_uid == identity.uid
