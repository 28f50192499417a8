"""What the server says of itself when it starts: at most six lines, each of them true."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Final

import stein
from stein.serving.logs import access_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.server.settings import Settings

__all__ = ["banner", "duration", "size"]

BOLD: Final = "\x1b[1m"
PLAIN: Final = "\x1b[0m"
SHOWN_ADDRESSES: Final = 4


def banner(
    settings: Settings,
    addresses: Sequence[str],
    application: str,
    *,
    colour: bool = False,
    supervised: bool = False,
) -> str:
    """Return the lines that are printed at the start.

    :param settings: what the server runs with.
    :param addresses: what it listens on, as it told after binding.
    :param application: how the application was named on the command line.
    :param colour: whether version and addresses stand out, with ANSI sequences.
    :param supervised: whether worker processes serve, and this one only sees to them.
    :returns: six lines, each with its line break.
    """
    strong, plain = (BOLD, PLAIN) if colour else ("", "")
    shown = ", ".join(addresses[:SHOWN_ADDRESSES])
    if len(addresses) > SHOWN_ADDRESSES:
        shown += f" and {len(addresses) - SHOWN_ADDRESSES} more"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{strong}stein {stein.__version__}{plain}, {python}, pid {os.getpid()}\n"
        f"  listens on   {strong}{shown}{plain}\n"
        f"  runs         {model(settings, supervised=supervised)}\n"
        f"  application  {application}\n"
        f"  limits       {limits(settings)}\n"
        f"  logs         {logs(settings)}; Ctrl-C stops\n"
    )


def model(settings: Settings, *, supervised: bool = False) -> str:
    """Return how requests are run, in words."""
    count = settings.threads
    if supervised:
        workers = settings.workers
        each = " each" if workers > 1 else ""
        kind = "greenlet" if settings.worker_kind == "gevent" else "thread"
        most = "one request at a time" if count == 1 else f"up to {count} requests at once"
        return (
            f"{workers} worker{'s' * (workers != 1)} of {count} {kind}{'s' * (count != 1)}: "
            f"{most}{each}"
        )
    if count == 1:
        return "1 thread: a request that blocks makes all others wait; --threads N runs N at once"
    return f"{count} threads: up to {count} requests at once, short ones run inline"


def limits(settings: Settings) -> str:
    """Return the limits and deadlines that a client meets first."""
    body = "any size" if settings.limit_body is None else f"up to {size(settings.limit_body)}"
    idle = f"idle {duration(settings.keep_alive)}" if settings.keep_alive else "no keep-alive"
    return (
        f"head {duration(settings.head_timeout)} and {size(settings.limit_header_bytes)}, "
        f"body {body}, {duration(settings.body_timeout)} between its pieces, {idle}"
    )


def logs(settings: Settings) -> str:
    """Return where requests and errors are logged."""
    name = access_format(settings)
    errors = "stderr" if settings.error_log_file == "-" else settings.error_log_file
    if name == "off":
        return f"no access log, errors to {errors}"
    place = "stdout" if settings.access_log_file == "-" else settings.access_log_file
    return f"access ({name}) to {place}, errors to {errors}"


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that keeps it whole."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024 or count % 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"


def duration(seconds: float) -> str:
    """Return a time as people say it: ``500 ms``, ``30 s``, ``2 min``."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g} ms"
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"
