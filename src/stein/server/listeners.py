"""Where connections come from: TCP, Unix sockets, inherited descriptors, systemd.

``open_listeners`` turns the texts of ``--bind`` into listening sockets; :class:`Listener` accepts
on one of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.errors import BindError
from stein.server.privileges import identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.server.settings import Settings

__all__ = ["address_of", "close_listener", "forget_file", "open_listeners", "own_file", "take_over"]

_SYSTEMD_FIRST_FD: Final = 3  # sd_listen_fds(3)
_TCP: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]*)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")
_LARGEST_PORT: Final = 65535
_LONGEST_COMMAND: Final = 80  # characters of a command line in a message


def open_listeners(settings: Settings, addresses: Sequence[str]) -> list[socket.socket]:
    """Open every address; all of them or none.

    :raises BindError: naming the address, the cause and the next step.
    """
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            opened += _open(address, settings)
    except BaseException:
        for sock in opened:
            close_listener(sock)
        raise
    for sock in opened:
        sock.setblocking(False)
    return opened


def _open(address: str, settings: Settings) -> list[socket.socket]:
    if address.startswith("unix:"):
        return [_open_unix(address.removeprefix("unix:"), settings)]
    if address.startswith("fd:"):
        return [_adopt(address, address.removeprefix("fd:"))]
    if address.startswith("systemd:"):
        return _adopt_from_systemd()
    return [_open_tcp(address, settings)]


# -- TCP ------------------------------------------------------------------------------------------


def _open_tcp(address: str, settings: Settings) -> socket.socket:
    host, port = _split_tcp(address)
    if settings.reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        message = (
            f"cannot bind {address!r} with reuse_port: this system has no SO_REUSEPORT. "
            "Leave reuse_port out, and give each server a port of its own."
        )
        raise BindError(message)
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:  # the latter: no host name at all
        cause = error.strerror if isinstance(error, OSError) else error
        message = (
            f"cannot bind {address!r}: host {host!r} is not known here ({cause}). "
            "Give an address of this machine, such as 127.0.0.1, or :PORT for all of them."
        )
        raise BindError(message) from None
    if not host:  # every address: one dual-stack socket, where the machine has IPv6
        found.sort(key=lambda item: item[0] != socket.AF_INET6)
    failure: OSError | None = None
    for item in found:
        try:
            return _listen_tcp(item, settings, dual=not host)
        except OSError as error:
            failure = failure or error
            if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                failure = error
                break
    assert failure is not None  # noqa: S101 - getaddrinfo never gives an empty list
    raise BindError(_explain(address, port, failure, shared=settings.reuse_port)) from failure


def _split_tcp(address: str) -> tuple[str, int]:
    match = _TCP.fullmatch(address)
    if match is None and address.isascii() and address.isdigit():
        match = _TCP.fullmatch(f":{address}")
    if match is None or int(match["port"]) > _LARGEST_PORT:
        message = (
            f"cannot bind {address!r}: it is none of HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH, "
            "fd:NUMBER, systemd: - a port is 0 to 65535."
        )
        raise BindError(message)
    return match["v6"] if match["v6"] is not None else match["host"], int(match["port"])


def _listen_tcp(item: tuple[Any, ...], settings: Settings, *, dual: bool) -> socket.socket:
    """Listen on one result of ``getaddrinfo``."""
    family, kind, protocol, _, where = item
    sock = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # Without this it depends on the machine whether IPv4 clients get in.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        sock.bind(where)
        sock.listen(settings.backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _explain(address: str, port: int, error: OSError, *, shared: bool) -> str:
    """Why an address could not be bound, and what to do."""
    if error.errno == errno.EADDRINUSE:
        holder = _holder_of(port)
        by = f" by {holder}" if holder else ""
        if shared:
            return (
                f"cannot bind {address!r}: the port is in use{by}. To share it that program has to "
                "be started with reuse_port, too, and by the same user."
            )
        return (
            f"cannot bind {address!r}: the port is in use{by}. "
            "Stop that program, or choose another --port; port 0 takes a free one."
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return (
            f"cannot bind {address!r}: permission denied. Ports below 1024 are the "
            "administrator's: choose a higher one, or let systemd pass the socket in."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"cannot bind {address!r}: this machine has no such address. "
            "Use one of its own, 127.0.0.1, or :PORT for all of them."
        )
    return f"cannot bind {address!r}: {error.strerror or error}."


def _holder_of(port: int) -> str | None:
    """The process that listens on a TCP port, where the system tells (Linux, own processes)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for row in Path(table).read_text("ascii").splitlines()[1:]:
                fields = row.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(link.readlink()) in inodes:
                        return f"process {process.name} ({_command_of(process)})"
    return None


def _command_of(process: Path) -> str:
    """Return how a process was called, in one short line.

    :param process: its folder in /proc.
    """
    words = (process / "cmdline").read_text("utf-8", "replace").split("\0")
    text = " ".join(words) or (process / "comm").read_text("utf-8", "replace")
    text = "".join(char if char.isprintable() else "?" for char in text.strip())
    return text if len(text) <= _LONGEST_COMMAND else f"{text[:_LONGEST_COMMAND]}..."


# -- Unix sockets ---------------------------------------------------------------------------------


class _UnixListener(socket.socket):
    """A Unix socket whose file was made here, and is removed here."""

    __slots__ = ("_file", "_identity")

    def __init__(self, fileno: int | None = None) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fileno)
        self._file: Path | None = None
        self._identity = (0, 0)

    def note_file(self, path: str) -> None:
        """The file is there now."""
        file = Path(path).absolute()  # the application may change the folder later
        status = file.lstat()
        self._file, self._identity = file, (status.st_dev, status.st_ino)

    def forget_file(self) -> None:
        """The file is another process's now, which goes on listening there."""
        self._file = None

    def remove_file(self) -> None:
        """Remove the file, unless another server has put its own there since."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            status = self._file.lstat()
            if (status.st_dev, status.st_ino) == self._identity:
                self._file.unlink()
        self._file = None


def _open_unix(path: str, settings: Settings) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        message = f"cannot bind unix:{path}: this platform has no Unix sockets. Use HOST:PORT."
        raise BindError(message)
    _remove_stale(path)
    sock = _UnixListener()
    try:
        # The umask decides about the mode from the first moment on; chmod then makes it exact.
        before = os.umask(0o777 & ~settings.unix_mode)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        sock.note_file(path)
        identity = identity_of(settings)
        if identity is not None and os.geteuid() == 0:
            os.chown(path, identity.uid, identity.gid)  # as whom the proxy may connect
        Path(path).chmod(settings.unix_mode)
        sock.listen(settings.backlog)
    except OSError as error:
        close_listener(sock)
        message = (
            f"cannot bind unix:{path}: {error.strerror or error}. "
            "The folder must exist and be writable, and the path be under 108 bytes."
        )
        raise BindError(message) from error
    return sock


def _remove_stale(path: str) -> None:
    """Remove the socket file of a server that is gone; never one that still answers."""
    try:
        mode = Path(path).lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        message = f"cannot bind unix:{path}: a file that is no socket is there. Remove it first."
        raise BindError(message)
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.settimeout(1.0)
        probe.connect(path)
    except ConnectionRefusedError:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        message = (
            f"cannot bind unix:{path}: a socket is there and it is not clear whether it is in "
            f"use ({error.strerror or error}). Remove it if no server runs."
        )
        raise BindError(message) from error
    else:
        message = (
            f"cannot bind unix:{path}: {_peer_of(probe)} answers there. "
            "Stop it, or choose another path."
        )
        raise BindError(message)
    finally:
        probe.close()


def _peer_of(sock: socket.socket) -> str:
    """The process on the other end of a Unix socket, where the system tells."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is not None:
        with contextlib.suppress(OSError):
            pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, 12))
            return f"process {pid}"
    return "another server"


# -- inherited ------------------------------------------------------------------------------------


def _adopt(address: str, number: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=int(number))
    except (ValueError, OSError) as error:
        message = (
            f"cannot bind {address!r}: descriptor {number} is no open socket of this process "
            f"({error}). It must be inherited from the program that starts the server."
        )
        raise BindError(message) from error
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        message = f"cannot bind {address!r}: the socket does not listen; call listen() on it first."
        raise BindError(message)
    os.set_inheritable(sock.fileno(), False)
    return sock


def _adopt_from_systemd() -> list[socket.socket]:
    """The sockets of systemd's socket activation, sd_listen_fds(3)."""
    count = os.environ.get("LISTEN_FDS", "")
    meant = os.environ.get("LISTEN_PID", "")
    if not count.isdigit() or int(count) < 1 or meant != str(os.getpid()):
        message = (
            "cannot bind 'systemd:': no sockets were passed in "
            f"(LISTEN_PID={meant or 'unset'}, LISTEN_FDS={count or 'unset'}). "
            "Start the program through a .socket unit."
        )
        raise BindError(message)
    adopted: list[socket.socket] = []
    try:
        for fd in range(_SYSTEMD_FIRST_FD, _SYSTEMD_FIRST_FD + int(count)):
            adopted.append(_adopt(f"systemd:{fd}", str(fd)))  # noqa: PERF401 - closed on failure
    except BindError:
        for sock in adopted:
            sock.close()
        raise
    return adopted


def take_over(address: str, fd: int) -> socket.socket:
    """Adopt a listening socket of a process that is going to give up its place.

    :param address: the text it was bound by.
    :param fd: inherited.
    """
    unix = address.startswith("unix:")
    sock: socket.socket = _UnixListener(fd) if unix else socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def own_file(sock: socket.socket, address: str) -> None:
    """The file of an adopted Unix socket is this process's from now on."""
    if isinstance(sock, _UnixListener):
        with contextlib.suppress(OSError):  # somebody has removed it
            sock.note_file(address.removeprefix("unix:"))


def forget_file(sock: socket.socket) -> None:
    """Leave the file of a Unix socket to a process that goes on listening there."""
    if isinstance(sock, _UnixListener):
        sock.forget_file()


# -- both -----------------------------------------------------------------------------------------


def address_of(sock: socket.socket, scheme: str) -> str:
    """A listening socket as a person writes it: ``http://127.0.0.1:5000``, ``unix:/run/x``."""
    name = sock.getsockname()
    if isinstance(name, str | bytes):
        return f"unix:{os.fsdecode(name)}"
    host, port = name[:2]
    if ":" in host:
        host = f"[{host}]"
    return f"{scheme}://{host}:{port}"


def close_listener(sock: socket.socket) -> None:
    """Close a listening socket, and remove the file of a Unix socket that was made here.

    The file of an inherited one is its maker's: systemd goes on listening there.
    """
    sock.close()
    if isinstance(sock, _UnixListener):
        sock.remove_file()
