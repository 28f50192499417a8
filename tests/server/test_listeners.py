"""Listening sockets: every way to get one, and what is said when there is none to be had."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stein
from stein.errors import BindError
from stein.server import Settings
from stein.server.listeners import address_of, close_listener, open_listeners
from tests.server.client import Client, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.typing import Environ, StartResponse

SOURCE = Path(stein.__file__).parents[1]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


def hello(environ: Environ, start_response: StartResponse) -> list[bytes]:
    body = f"{environ['REMOTE_ADDR']} {environ['SERVER_NAME']} {environ['SERVER_PORT']}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def listening(*addresses: str, **settings: object) -> Iterator[list[socket.socket]]:
    listeners = open_listeners(Settings(**settings), addresses)  # type: ignore[arg-type]
    with ExitStack() as stack:
        for sock in listeners:
            stack.callback(close_listener, sock)
        yield listeners


def complaint(*addresses: str, **settings: object) -> str:
    """The message, which is one line that names the address."""
    with pytest.raises(BindError) as caught, listening(*addresses, **settings):
        pass
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("cannot bind ")
    return text


def get(sock: socket.socket, target: tuple[str, int] | str) -> str:
    sock.settimeout(10)
    with Client(sock) as client:
        sock.connect(target)
        answer = client.ask()
        assert answer.status == 200
        return answer.body.decode()


def by_tcp(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return get(socket.socket(family), (host, port))


def by_unix(path: Path) -> str:
    return get(socket.socket(socket.AF_UNIX), str(path))


# -- TCP ----------------------------------------------------------------------------------------


def test_ipv4_and_a_free_port() -> None:
    with serving(hello, bind=("127.0.0.1:0",)) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert by_tcp("127.0.0.1", server.port) == f"127.0.0.1 127.0.0.1 {server.port}"


@pytest.mark.parametrize("address", ["0:0", "localhost:0", "127.0.0.1:00000"])
def test_names_and_odd_forms(address: str) -> None:
    with listening(address) as (sock,):
        assert address_of(sock, "http").startswith("http://")


def test_a_number_alone_is_a_port() -> None:
    with listening("127.0.0.1:0") as (first,):
        port = first.getsockname()[1]
        assert f"'{port}': the port is in use" in complaint(str(port))


@ipv6
def test_ipv6() -> None:
    with serving(hello, bind=("[::1]:0",)) as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert by_tcp("::1", server.port) == f"::1 ::1 {server.port}"


@ipv6
def test_no_host_is_every_address_in_both_families() -> None:
    with serving(hello, bind=(":0",)) as server:
        assert server.host == "::"
        assert by_tcp("127.0.0.1", server.port) == f"127.0.0.1 localhost {server.port}"
        assert by_tcp("::1", server.port) == f"::1 localhost {server.port}"


@ipv6
def test_an_ipv6_address_is_for_ipv6_alone() -> None:
    """Whatever net.ipv6.bindv6only says, so that 0.0.0.0:P and [::]:P go together."""
    with listening("[::]:0") as (six,):
        port = six.getsockname()[1]
        with listening(f"0.0.0.0:{port}") as (four,):
            assert four.getsockname()[1] == port


def test_no_host_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.__init__

    def refuse(self: socket.socket, family: int = -1, *rest: int, **more: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        real(self, family, *rest, **more)

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    with listening(":0") as (sock,):
        assert sock.family == socket.AF_INET


def test_listeners_do_not_block_and_are_not_inherited() -> None:
    with listening("127.0.0.1:0") as (sock,):
        assert not sock.getblocking()
        assert not sock.get_inheritable()
        with pytest.raises(BlockingIOError):
            sock.accept()


def test_a_port_can_be_taken_again_at_once() -> None:
    with serving(hello) as server:
        port = server.port
        assert by_tcp("127.0.0.1", port)
    with serving(hello, bind=(f"127.0.0.1:{port}",)) as server:
        assert by_tcp("127.0.0.1", port)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who it is")
def test_an_address_in_use_names_the_process_that_holds_it() -> None:
    with listening("127.0.0.1:0") as (sock,):
        port = sock.getsockname()[1]
        text = complaint(f"127.0.0.1:{port}")
    assert f"the port is in use by process {os.getpid()} ({sys.orig_argv[0][:80]}" in text
    assert "choose another --port; port 0 takes a free one" in text


def test_an_address_in_use_by_nobody_knows_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: (_ for _ in ()).throw(OSError()))
    with listening("127.0.0.1:0") as (sock,):
        text = complaint(f"127.0.0.1:{sock.getsockname()[1]}")
    assert "the port is in use. Stop" in text


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_permission_denied(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: socket.socket, _address: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    text = complaint("127.0.0.1:80")
    assert "permission denied. Ports below 1024 are the administrator's" in text


def test_an_error_that_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: socket.socket, _address: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert complaint("127.0.0.1:80") == "cannot bind '127.0.0.1:80': Input/output error."


def test_an_address_of_another_machine() -> None:
    assert "this machine has no such address" in complaint("192.0.2.1:0")  # RFC 5737


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64, "exa mple"])
def test_an_unknown_host(host: str) -> None:
    text = complaint(f"{host}:0")
    assert f"host {host!r} is not known here" in text
    assert "Give an address of this machine" in text


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "::1:80", "host:port", "host:-1", "[::1]", ":65536", ":999999",
                "http://localhost:80", "unix", "127.0.0.1:80/"]
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    text = complaint(address)
    assert text.startswith(f"cannot bind {address!r}: it is none of HOST:PORT, [IPV6]:PORT, :PORT")


def test_all_or_none() -> None:
    with listening("127.0.0.1:0") as (sock,):
        free = f"127.0.0.1:{sock.getsockname()[1]}"
    complaint(free, "fd:9999")
    with listening(free):  # was given back
        pass


# -- Unix sockets -------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "mode"), [({}, 0o660), ({"unix_mode": 0o600}, 0o600)])
def test_a_unix_socket(tmp_path: Path, settings: dict[str, int], mode: int) -> None:
    path = tmp_path / "s"
    before = os.umask(0o002)
    try:
        with serving(hello, bind=(f"unix:{path}",), **settings) as server:
            assert server.addresses == [f"unix:{path}"]
            assert server.url == ""
            assert stat.S_IMODE(path.lstat().st_mode) == mode
            assert os.umask(0o002) == 0o002
            assert by_unix(path) == " localhost 80"
    finally:
        os.umask(before)
    assert not path.exists()


def test_the_file_of_a_server_that_is_gone_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(hello, bind=(f"unix:{path}",)):
        assert by_unix(path)


def test_a_server_that_lives_is_not_replaced_but_named(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(hello, bind=(f"unix:{path}",)):
        text = complaint(f"unix:{path}")
        if hasattr(socket, "SO_PEERCRED"):
            assert f"process {os.getpid()} answers there" in text
        assert "Stop it, or choose another path." in text
        assert by_unix(path)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    assert "a file that is no socket is there. Remove it first." in complaint(f"unix:{path}")
    link = tmp_path / "link"
    link.symlink_to(path)
    assert "a file that is no socket is there" in complaint(f"unix:{link}")
    assert path.read_text() == "precious"


def test_a_socket_of_which_nothing_is_known_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert "it is not clear whether it is in use" in complaint(f"unix:{path}")
        assert path.exists()


@pytest.mark.parametrize("name", ["no/such/folder", "x" * 200])
def test_a_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    text = complaint(f"unix:{tmp_path / name}")
    assert "The folder must exist and be writable, and the path be under 108 bytes." in text
    assert "None" not in text


def test_the_file_is_removed_although_the_folder_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with listening("unix:s"):
        assert (tmp_path / "s").exists()
        monkeypatch.chdir("/")
    assert not (tmp_path / "s").exists()


def test_the_file_of_a_successor_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(f"unix:{path}"):
        path.rename(tmp_path / "old")
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
    assert path.exists()


# -- inherited ----------------------------------------------------------------------------------


def test_an_inherited_descriptor() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        inherited = os.dup(sock.fileno())
        os.set_inheritable(inherited, True)
        with serving(hello, bind=(f"fd:{inherited}",)) as server:
            assert server.port == sock.getsockname()[1]
            assert not os.get_inheritable(inherited)
            assert by_tcp("127.0.0.1", server.port)


@pytest.mark.parametrize("number", ["9999", "x", "", "-1"])
def test_a_number_that_is_no_socket(number: str) -> None:
    text = complaint(f"fd:{number}")
    assert f"descriptor {number} is no open socket of this process" in text


def test_a_descriptor_that_is_a_file(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as file:
        assert "is no open socket" in complaint(f"fd:{file.fileno()}")
        file.write("still open")


def test_a_socket_that_does_not_listen_stays_its_owner_s() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert "the socket does not listen" in complaint(f"fd:{sock.fileno()}")
        sock.listen()


def test_the_file_of_an_inherited_unix_socket_is_its_maker_s(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        with serving(hello, bind=(f"fd:{os.dup(sock.fileno())}",)):
            assert by_unix(path)
        assert path.exists()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "me"},
        {"LISTEN_FDS": "x", "LISTEN_PID": "me"},
    ],
)
def test_no_socket_activation(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("me", str(os.getpid())))
    text = complaint("systemd:")
    assert "no sockets were passed in" in text
    assert "Start the program through a .socket unit." in text


ACTIVATE = """
import os, sys
first, count, *command = sys.argv[1:]
for number in range(int(count)):
    os.dup2(int(first.split(",")[number]), 3 + number)
os.environ.update(LISTEN_FDS=count, LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, *command])
"""

APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "9")])
    return [b"activated"]
"""


@pytest.mark.live
def test_socket_activation(tmp_path: Path) -> None:
    """As systemd does it: the sockets are 3 and 4, and LISTEN_PID is the server's own."""
    (tmp_path / "activated.py").write_text(APPLICATION)
    path = tmp_path / "s"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        # Numbers out of the way of 3 and 4, wherever these two happen to be.
        numbers = [os.dup2(sock.fileno(), 50 + index) for index, sock in enumerate((tcp, unix))]
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, "50,51", "2",
             "-m", "stein", "serve", "activated:app", "--bind", "systemd:", "--access-log", "off"],
            cwd=tmp_path, pass_fds=numbers, env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        for number in numbers:
            os.close(number)
        try:
            # Connections wait in the kernel's queue until the server is there.
            assert by_tcp(*tcp.getsockname()) == "activated"
            assert by_unix(path) == "activated"
            assert process.stderr is not None
            banner = "".join(process.stderr.readline() for _ in range(6))  # handles signals now
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert re.search(r"listens on +http://127\.0\.0\.1:\d+, unix:", banner)
        assert path.exists()


# -- several servers on one port ------------------------------------------------------------------

shared = pytest.mark.skipif(
    not hasattr(socket, "SO_REUSEPORT") or sys.platform == "win32", reason="no SO_REUSEPORT"
)


@shared
def test_servers_that_both_want_it_share_a_port() -> None:
    with listening("127.0.0.1:0", reuse_port=True) as (first,):
        address = "{}:{}".format(*first.getsockname())
        with listening(address, reuse_port=True) as (second,):
            assert second.getsockname() == first.getsockname()


@shared
def test_one_that_does_not_want_it_shares_nothing() -> None:
    with listening("127.0.0.1:0") as (first,):
        address = "{}:{}".format(*first.getsockname())
        text = complaint(address, reuse_port=True)
        assert "the port is in use" in text
        assert "has to be started with reuse_port, too, and by the same user" in text
    with listening("127.0.0.1:0", reuse_port=True) as (first,):
        text = complaint("{}:{}".format(*first.getsockname()))
        assert "the port is in use" in text
        assert "reuse_port" not in text


def test_a_system_that_knows_no_shared_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    text = complaint("127.0.0.1:0", reuse_port=True)
    assert "with reuse_port: this system has no SO_REUSEPORT" in text
