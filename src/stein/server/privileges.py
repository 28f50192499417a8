"""Whom the workers run as: user, group, umask.

A parent that was started by root keeps its rights, which it needs for ports below 1024 and for log
files; it runs no code of the application.  Each worker gives its own up before it imports anything
of the user's.  The parent looks the names up, too, so that a mistake is told before any is started.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stein.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stein.server.settings import Settings

__all__ = ["Identity", "barrier", "drop", "identity_of"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Numbers of a user, its group, and all groups it is in; the name, if it has one."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str | None = None
    home: str | None = None


def identity_of(settings: Settings) -> Identity | None:
    """Return whom the workers shall run as; ``None`` if as whoever started the server.

    :raises ConfigurationError: there is no such user or group, or this process may not become it.
    """
    if settings.user is None and settings.group is None:
        return None
    if os.name != "posix":
        message = "user and group: this system has none; leave them out"
        raise ConfigurationError(message)
    uid, own, name, home = user_entry(settings)
    gid = own if settings.group is None else group_number(settings.group)
    groups = tuple(sorted({gid, *os.getgrouplist(name, gid)})) if name else (gid,)
    if os.geteuid() != 0 and (uid != os.geteuid() or gid not in {os.getegid(), *os.getgroups()}):
        message = (
            f"user={settings.user!r}, group={settings.group!r}: only root may become another; "
            f"this server was started by user {os.geteuid()}. Start it as that user, with User= "
            "in a unit file, and leave both out."
        )
        raise ConfigurationError(message)
    return Identity(uid, gid, groups, name, home)


def user_entry(settings: Settings) -> tuple[int, int, str | None, str | None]:
    """Return number, group, name and home of the user; the last two only if they are known.

    :raises ConfigurationError: there is no such user, or its group is not known.
    """
    import pwd  # noqa: PLC0415 - there is none on Windows

    text = settings.user
    if text is None:
        return os.getuid(), os.getgid(), None, None
    number = int(text) if text.isascii() and text.isdigit() else None
    try:
        entry = pwd.getpwnam(text) if number is None else pwd.getpwuid(number)
    except KeyError:
        if number is None:
            known = [each.pw_name for each in pwd.getpwall()]
            message = f"user={text!r}: there is no such user here{near(text, known)}"
            raise ConfigurationError(message) from None
        if settings.group is None and number != os.geteuid():
            message = (
                f"user={text!r} is in no user database, so that its group is not known: give "
                "--group NUMBER."
            )
            raise ConfigurationError(message) from None
        return number, os.getgid(), None, None
    return entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir


def group_number(text: str) -> int:
    """Return the number of a group.

    :raises ConfigurationError: there is none of this name.
    """
    import grp  # noqa: PLC0415 - there is none on Windows

    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        known = [each.gr_name for each in grp.getgrall()]
        message = f"group={text!r}: there is no such group here{near(text, known)}"
        raise ConfigurationError(message) from None


def near(name: str, known: Sequence[str]) -> str:
    """Return the end of a message about a name that is none."""
    import difflib  # noqa: PLC0415 - only for a mistake

    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else ". Create it, or choose another."


def barrier(identity: Identity, path: Path) -> Path | None:
    """Return what keeps a user from reading a file: the file itself or a folder it is in.

    :param path: absolute.
    """
    for each in [*reversed(path.parents), path]:
        try:
            status = each.stat()
        except OSError:  # it is not there; that is another complaint
            return None
        bits = status.st_mode
        if identity.uid == 0:
            continue
        if status.st_uid == identity.uid:
            bits >>= 6
        elif status.st_gid in {identity.gid, *identity.groups}:
            bits >>= 3
        wanted = 0o1 if each != path else 0o4
        if not bits & wanted:
            return each
    return None


def drop(settings: Settings, identity: Identity | None) -> None:
    """Become the user, for good, and set the umask.  Before any code of the user's is run.

    :raises ConfigurationError: it could not be done, or could be undone.
    """
    if settings.umask is not None:
        os.umask(settings.umask)
    if identity is None:
        return
    try:
        if os.geteuid() == 0:
            os.setgroups(identity.groups)
        os.setgid(identity.gid)
        os.setuid(identity.uid)
    except OSError as error:
        message = f"cannot become user {identity.uid}, group {identity.gid}: {error.strerror}"
        raise ConfigurationError(message) from error
    if identity.uid and can_become_root():
        message = f"user {identity.uid} could become root again; the rights were not given up"
        raise ConfigurationError(message)
    if identity.home is not None:
        os.environ["HOME"] = identity.home
    if identity.name is not None:
        os.environ["USER"] = os.environ["LOGNAME"] = identity.name


def can_become_root() -> bool:
    """Whether a process that gave its rights up gets them back."""
    try:
        os.setuid(0)
    except OSError:
        return False
    return True
