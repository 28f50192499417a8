"""The control socket: commands to a running server, from the user who runs it.

A Unix socket, of mode 0600 in a folder that others cannot enter; whoever connects is asked for by
the system, too (``SO_PEERCRED``).  One line of JSON in, ``{"command": "status"}``, one line out,
``{"ok": true, …}``; a command that takes its time, as a reload does, is answered when it is done.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import struct
import tempfile
from pathlib import Path
from typing import Any, Final

from stein.errors import ConfigurationError, SteinError
from stein.server.pidfile import is_running

__all__ = ["Control", "ControlError", "Visitor", "ask", "default_path", "path_for"]

_LONGEST_COMMAND: Final = 65536
_CONNECT: Final = 5.0  # seconds
_AUTO: Final = "auto"
_OFF: Final = "off"


class ControlError(SteinError):
    """A server cannot be asked, or did not answer."""


# -- where it is ----------------------------------------------------------------------------


def folder_for_sockets() -> Path:
    """Return the folder of this user's control sockets, by the convention of the system."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime) / "stein"
    return Path(tempfile.gettempdir()) / f"stein-{os.getuid()}"


def default_path(pid: int) -> Path:
    """Return where the control socket of a process is if nobody said otherwise."""
    return folder_for_sockets() / f"{pid}.sock"


def path_for(setting: str) -> Path | None:
    """Return where the control socket is to be by the setting ``control``.

    :raises ConfigurationError: the folder for it is somebody else's, or open to others.
    """
    if setting == _OFF:
        return None
    if setting != _AUTO:
        return Path(setting).absolute()
    path = default_path(os.getpid())
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        status = path.parent.lstat()
    except OSError:
        return None  # a read-only system, say: then there is none
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        message = (
            f"control=auto: the folder {path.parent} is not this user's alone. Remove it, or give "
            "--control PATH, or --control off."
        )
        raise ConfigurationError(message)
    for left in path.parent.glob("*.sock"):  # by servers that were killed
        if left.stem.isdigit() and not is_running(int(left.stem)):
            left.unlink(missing_ok=True)
    return path


# -- the server's side ----------------------------------------------------------------------


class Visitor:
    """A connection to the control socket.  The supervisor's one thread.

    :param sock: accepted, non-blocking.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""
        self.is_open = True

    def fileno(self) -> int:
        """Return the descriptor, for a poller."""
        return self._sock.fileno()

    def read(self) -> dict[str, Any] | None:
        """Return the command, once it is complete; if none will come, it is not open any more."""
        try:
            data = self._sock.recv(_LONGEST_COMMAND)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        self._data += data
        line, end, _ = self._data.partition(b"\n")
        if not data or len(self._data) > _LONGEST_COMMAND:
            self.is_open = False
            return None
        if not end:
            return None
        self._data = b""
        try:
            command = json.loads(line)
        except ValueError:
            command = None
        if not isinstance(command, dict) or not isinstance(command.get("command"), str):
            return {"command": ""}
        return command

    def answer(self, fields: dict[str, Any]) -> None:
        """Answer and close.  Whoever has gone hears nothing."""
        if self.is_open:
            with contextlib.suppress(OSError):
                self._sock.settimeout(1.0)  # a status is longer than what a socket takes at once
                self._sock.sendall(json.dumps(fields).encode() + b"\n")
            self.close()

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        self._sock.close()


class Control:
    """The listening side.

    :param path: where it is.
    :param takes_over: the process whose place it takes when it is told to :meth:`publish`; without
        one it is there at once.
    :raises ConfigurationError: another server answers there, or it cannot be made.
    """

    def __init__(self, path: Path, *, takes_over: int = 0) -> None:
        self.path = path
        self._passing = path.with_name(f"{path.name}.{os.getpid()}")
        self._identity = (0, 0)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if not takes_over:
                refuse_second(path)
            self._listen()
            if not takes_over:
                self.publish()
        except OSError as error:
            self._sock.close()
            message = (
                f"control={str(path)!r} cannot be listened on: {error.strerror or error}. The "
                "folder must exist and be writable; --control off does without."
            )
            raise ConfigurationError(message) from error
        except BaseException:
            self._sock.close()
            raise

    def _listen(self) -> None:
        """Make the file under a name of its own, to be put in place: nobody misses it meanwhile."""
        self._passing.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._sock.bind(str(self._passing))
        finally:
            os.umask(before)
        self._passing.chmod(0o600)
        self._sock.listen(16)
        self._sock.setblocking(False)
        status = self._passing.lstat()
        self._identity = (status.st_dev, status.st_ino)

    def publish(self) -> None:
        """Put the file in place."""
        with contextlib.suppress(FileNotFoundError):  # it is there already
            self._passing.replace(self.path)

    def fileno(self) -> int:
        """Return the descriptor, for a poller."""
        return self._sock.fileno()

    def accept(self) -> Visitor | None:
        """Return who has come, if they may."""
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return None
        sock.setblocking(False)
        visitor = Visitor(sock)
        user = user_of(sock)
        if user not in {None, 0, os.getuid()}:
            visitor.answer({"ok": False, "error": f"user {user} may not do this"})
            return None
        return visitor

    def close(self) -> None:
        """Give the socket up, and its file if it is ours still."""
        self._sock.close()
        self._passing.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            status = self.path.lstat()
            if (status.st_dev, status.st_ino) == self._identity:
                self.path.unlink()


def user_of(sock: socket.socket) -> int | None:
    """Return the user on the other end, where the system tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    try:
        _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, 12))
    except OSError:
        return None
    return int(user)


def refuse_second(path: Path) -> None:
    """Make sure that nobody answers there.

    :raises ConfigurationError: somebody does, or a file is there that is no socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        message = f"control={str(path)!r}: a file that is no socket is there. Choose another path."
        raise ConfigurationError(message)
    try:
        found = ask(path, "status")
    except ControlError:
        return  # nobody: what is left of a server that is gone
    pid = found.get("parent", {}).get("pid", "unknown")
    message = (
        f"control={str(path)!r}: a server answers there already, process {pid}. Stop it "
        f"(stein stop --pid {pid}), or choose another path."
    )
    raise ConfigurationError(message)


# -- the other side -------------------------------------------------------------------------


def ask(
    path: str | os.PathLike[str],
    command: str,
    *,
    timeout: float | None = _CONNECT,
    **fields: Any,
) -> dict[str, Any]:
    """Give a command to a running server.

    :param path: its control socket.
    :param command: ``status``, ``reload``, ``stop``, ``scale``, ``upgrade``, ``reopen``, ``dump``.
    :param timeout: seconds to wait for the answer; ``None``: for ever.
    :param fields: what belongs to the command.
    :returns: the answer; ``ok`` says whether it went well.
    :raises ControlError: nobody answers.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_CONNECT)
        try:
            sock.connect(os.fspath(path))
            with contextlib.suppress(BrokenPipeError):  # it is refused; the answer says why
                sock.sendall(json.dumps({"command": command, **fields}).encode() + b"\n")
            sock.settimeout(timeout)
            return read_answer(sock, path)
        except OSError as error:
            message = f"no server answers at {os.fspath(path)} ({error.strerror or error})"
            raise ControlError(message) from error


def read_answer(sock: socket.socket, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read one line of JSON."""
    data = b""
    while not data.endswith(b"\n"):
        more = sock.recv(_LONGEST_COMMAND)
        if not more:
            message = f"the server at {os.fspath(path)} has ended without an answer"
            raise ControlError(message)
        data += more
    answer: dict[str, Any] = json.loads(data)
    return answer
