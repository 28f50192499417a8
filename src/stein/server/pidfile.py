"""The file that holds the process id of a running server."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from stein.errors import ConfigurationError

__all__ = ["PidFile", "is_running"]


class PidFile:
    """Writes the file; removes it if it is ours still.

    :param path: where.
    :param takes_over: the process that the file may belong to, until this one is told to
        :meth:`publish`; without one it is there at once.
    :raises ConfigurationError: another server runs with this file, or it cannot be written.
    """

    def __init__(self, path: str, *, takes_over: int = 0) -> None:
        self.path = Path(path).absolute()
        other = self._read()
        if other and other not in {takes_over, os.getpid()} and is_running(other):
            message = (
                f"pid_file={path!r}: process {other} runs with it. Stop it (kill {other}), or "
                "choose another file."
            )
            raise ConfigurationError(message)
        self._passing = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self._passing.write_text(f"{os.getpid()}\n", "ascii")
            self._passing.chmod(0o644)
            if not takes_over:
                self.publish()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._passing.unlink()
            message = (
                f"pid_file={path!r} cannot be written: {error.strerror}. The folder must exist "
                "and be writable."
            )
            raise ConfigurationError(message) from error

    def publish(self) -> None:
        """Put the file in place."""
        with contextlib.suppress(FileNotFoundError):  # it is there already
            self._passing.replace(self.path)

    def _read(self) -> int:
        try:
            text = self.path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return 0
        return int(text) if text.isdigit() else 0

    def remove(self) -> None:
        """Remove it, unless another process has put its own number there."""
        self._passing.unlink(missing_ok=True)
        if self._read() == os.getpid():
            with contextlib.suppress(OSError):
                self.path.unlink()


def is_running(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
