"""``stein serve`` in a process of its own, and what the system says about that process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]


class ServeProcess:
    """``python -m stein serve`` on a free port of 127.0.0.1.

    Ready as soon as the banner names the address, which it does once the socket listens.
    """

    def __init__(self, application: str, *arguments: str, cwd: Path | None = None) -> None:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stein", "serve", application, "--port", "0", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=cwd or ROOT,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.pid = self._process.pid
        self.banner: list[str] = []
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.banner.append(line)
            if "logs" in line:
                break
        listens = next((line for line in self.banner if "listens on" in line), "")
        if not listens:
            self.stop()
            message = f"the server did not start: {self.banner}"
            raise RuntimeError(message)
        self.port = int(listens.rsplit(":", 1)[1])

    def connect(self, timeout: float = 30.0) -> socket.socket:
        """A new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def resident(self) -> int:
        """Resident memory in bytes, as the system counts it."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """How many descriptors are open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - the count alone

    def stop(self) -> int:
        """End it as an operator would, and say with which code it ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            if self._process.stderr is not None:
                self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
