"""A process and its children, seen through /proc: who they are, their memory, their CPU time.

A server is started as the leader of a session, so "the server" is every process of that session,
also one that made a process group of its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
RESET_PEAK = "5"

# Positions in /proc/PID/stat after the command name, which is in brackets and may hold spaces.
STATE, SESSION, UTIME, STIME = 0, 3, 11, 12


def stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the command name; None if the process has gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        fields = stat(int(entry.name))
        if fields and int(fields[SESSION]) == session and fields[STATE] not in "ZX":
            found.append(int(entry.name))
    return found


def resident(pid: int) -> int:
    """Resident memory of one process now, in bytes."""
    return memory([pid], "VmRSS")


def cpu_seconds(pids: list[int]) -> float:
    """User and system time the processes have used so far."""
    total = 0
    for pid in pids:
        fields = stat(pid)
        if fields:
            total += int(fields[UTIME]) + int(fields[STIME])
    return total / TICKS


def memory(pids: list[int], field: str) -> int:
    """The sum of one `kB` field of /proc/PID/status in bytes: VmRSS is now, VmHWM is the peak."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
                if line.startswith(field + ":"):
                    total += int(line.split()[1]) * 1024
    return total


def forget_peak(pids: list[int]) -> None:
    """Let VmHWM start again from the present resident size."""
    for pid in pids:
        with suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text(RESET_PEAK, encoding="ascii")
