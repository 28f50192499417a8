"""How many files a process may have open."""

from __future__ import annotations

from typing import Final

__all__ = ["raise_file_limit"]

#: More descriptors than this no server here can use, while some programs that an application
#: starts close every number up to the limit, one by one.
MOST_FILES: Final = 1 << 20


def raise_file_limit() -> None:
    """Allow as many open files as the system does: each connection is one.

    The soft limit is a courtesy to programs that use select(), which this server does not.
    """
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return  # macOS allows less than it says; the soft limit stays
