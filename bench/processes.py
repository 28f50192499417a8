"""Reloads, upgrades, kills and a soak, for as long as one likes: nothing may be lost unseen.

The same checks as in ``tests/live``, where they take seconds::

    python bench/processes.py reloads --reloads 50 --upgrades 10
    python bench/processes.py kills --seconds 60
    python bench/processes.py recycling --seconds 60
    python bench/processes.py soak --requests 2000000
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.live.load import Load, doubles  # noqa: E402 - found by the lines above
from tests.live.supervised import Supervised, json_lines  # noqa: E402

QUIET = ("--access-log", "off")


def reloads(options: argparse.Namespace, folder: Path) -> list[str]:
    """Reload and upgrade under keep-alive load; all four workers also reach max_requests."""
    notes = folder / "notes.txt"
    arguments = ("-w", "4", "--threads", "4", "--max-requests", "5000", *QUIET)
    program = "tests.live.load:numbered"
    with Supervised(program, *arguments, folder=folder, LOAD_NOTES=str(notes)) as server:
        with Load(server.port, options.clients) as load:
            for number in range(options.reloads):
                if not server.ask("reload")["ok"]:
                    return [server.log]
                load.wait_for(50)
                print(f"reload {number + 1}: {load.result.answered} answered", flush=True)
            for number in range(options.upgrades):
                answer = server.command("upgrade")
                if answer.returncode:
                    return [answer.stderr]
                load.wait_for(50)
                print(f"upgrade {number + 1}: {answer.stdout.strip()}", flush=True)
        server.command("stop")
    result = load.result
    print(f"{result.answered} answered by {len(result.workers)} workers")
    return [*result.failures, *["a request was run twice"] * doubles(notes)]


def kills(options: argparse.Namespace, folder: Path) -> list[str]:
    """Kill a worker every second; what is lost must be what is logged."""
    access = folder / "access.jsonl"
    arguments = ("-w", "4", "--access-log", "json", "--access-log-file", str(access))
    with Supervised("tests.live.slow:application", *arguments, folder=folder) as server:
        with Load(server.port, options.clients) as load:
            end = time.monotonic() + options.seconds
            while time.monotonic() < end:
                threading.Event().wait(1.0)
                os.kill(random.choice(list(server.workers().values())), signal.SIGKILL)
        count = server.ask()["restarts"]["killed"]
    lost = [line for line in json_lines(access) if line["outcome"] == "killed"]
    held = sum(int(number) for number in re.findall(r"held (\d+):", server.log))
    unread = [each for each in load.result.failures if "ConnectionReset" in each]
    failed = len(load.result.failures) - len(unread)
    print(
        f"{count} killed, {load.result.answered} answered, {failed} lost, {len(lost)} in the "
        f"access log, {held} in the error log, {len(unread)} never read by any process"
    )
    # Between a system call and the note that it was made there is a moment for the kill.
    allowed = 1 + count // 5
    return [] if len(lost) == held and abs(failed - held) <= allowed else ["the counts differ"]


def recycling(options: argparse.Namespace, folder: Path) -> list[str]:
    """Workers that all reach max_requests together, and workers that leak, under load."""
    faults: list[str] = []
    for program, reason, *limits in (
        ("tests.live.load:numbered", "max_requests", "--max-requests", "3000"),
        ("tests.live.load:leaking", "max_rss", "--max-rss", "60m"),
    ):
        with Supervised(program, "-w", "4", *limits, *QUIET, folder=folder) as server:
            fewest = 4
            with Load(server.port, options.clients) as load:
                end = time.monotonic() + options.seconds / 2
                while time.monotonic() < end:
                    threading.Event().wait(0.02)
                    fewest = min(fewest, len(server.workers()))
            count = server.ask()["restarts"].get(reason, 0)
            largest = max(weight(pid)[0] for pid in server.workers().values())
        print(
            f"{reason}: {count} replaced, {load.result.answered} answered, "
            f"{len(load.result.failures)} failed, never fewer than {fewest} ready of 4, "
            f"the largest at the end {largest >> 10} MiB"
        )
        faults += load.result.failures
        faults += [f"{reason}: fewer than 3 were ready"] * (fewest < 3)
        faults += [f"{reason}: none was replaced"] * (not count)
    return faults


def soak(options: argparse.Namespace, folder: Path) -> list[str]:
    """Many requests; memory and descriptors must be flat after the first tenth."""
    faults: list[str] = []
    with Supervised("tests.live.load:numbered", "-w", "2", *QUIET, folder=folder) as server:
        pids = [server.pid, *server.workers().values()]
        with Load(server.port, options.clients) as load:
            load.wait_for(options.requests // 10)
            first = {pid: weight(pid) for pid in pids}
            for step in range(9):
                load.wait_for(options.requests // 10)
                now = {pid: weight(pid) for pid in pids}
                print(f"{step + 2}/10: {now}", flush=True)
        for pid in pids:
            (memory, files), (memory_now, files_now) = first[pid], weight(pid)
            if memory_now > memory * 1.05 or files_now > files + 2:
                faults.append(f"{pid}: {first[pid]} became {weight(pid)}")
    return [*faults, *load.result.failures]


def weight(pid: int) -> tuple[int, int]:
    """Resident memory in KiB, and open descriptors."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def main() -> None:
    """Run what the command line names; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["reloads", "kills", "recycling", "soak"])
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--upgrades", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--requests", type=int, default=2_000_000)
    parser.add_argument("--clients", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tasks = {"reloads": reloads, "kills": kills, "recycling": recycling, "soak": soak}
        faults = tasks[options.what](options, Path(folder))
    for fault in faults[:20]:
        print(fault)
    print(f"{options.what}: {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
