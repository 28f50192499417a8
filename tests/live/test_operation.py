"""``stein serve`` in operation: configuration, service managers, users, and proxies in front."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stein.server.privileges import Identity, barrier
from tests.live.supervised import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
BOUND = 20.0
APP = """
import json, os

NAMES = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "HTTP_X_FORWARDED_FOR")

def app(environ, start_response):
    seen = {name: environ.get(name) for name in NAMES}
    seen.update(uid=os.getuid(), variable=os.environ.get("SHOP"), folder=os.getcwd())
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
"""


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "stein", *args]


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEIN_")}
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), **variables}


def run(folder: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), cwd=folder, env=environment(**variables), capture_output=True, text=True,
        timeout=BOUND, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def running(args: list[str], folder: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(args, cwd=folder, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(BOUND)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + BOUND
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.01)
        else:
            return


def get(port: int, source: str = "127.0.0.1", **headers: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, BOUND, source_address=(source, 0))
    with contextlib.closing(connection):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", "/", headers={"Host": "shop.example", **names})
        answer = connection.getresponse()
        assert answer.status == 200
        found: dict[str, Any] = json.loads(answer.read())
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


class Manager:
    """Stands for systemd's end of a notify socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(BOUND)
        self.heard: list[str] = []

    def until(self, text: str) -> str:
        """Wait for a message that has this line."""
        while True:
            message = self.sock.recv(4096).decode()
            self.heard.append(message)
            if text in message.splitlines():
                return message

    def until_one_begins(self, text: str, unlike: list[int]) -> str:
        """Wait for a line that begins so, and goes on with none of these numbers."""
        known = {f"{text}{number}" for number in unlike}
        while True:
            for line in self.sock.recv(4096).decode().splitlines():
                if line.startswith(text) and line not in known:
                    return line

    def until_gone(self, pid: int) -> None:
        """Wait for the end of a process that is not ours."""
        end = time.monotonic() + BOUND
        while is_alive(pid):
            assert time.monotonic() < end, f"process {pid} goes on"
            time.sleep(0.01)

    def forget(self) -> None:
        """Leave out what has come so far."""
        self.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.sock.recv(4096)
        self.sock.settimeout(BOUND)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.sock.close()


# -- configuration ---------------------------------------------------------------------------------


def test_a_server_from_a_file_alone(folder: Path, manager: Manager) -> None:
    port = free_port()
    (folder / "inside").mkdir()
    (folder / "stein.toml").write_text(
        f'app = "shop:app"\napp_dir = "{folder}"\nchdir = "inside"\nbind = "127.0.0.1:{port}"\n'
        'umask = "027"\nerror_log_file = "errors"\n'
    )
    args = environment(NOTIFY_SOCKET=manager.path)
    with running(command("serve"), folder, env=args) as process:
        assert f"MAINPID={process.pid}" in manager.until("READY=1")
        assert get(port)["folder"] == str(folder / "inside")
        process.terminate()
        manager.until("STOPPING=1")
    assert process.returncode == 0
    assert (folder / "inside" / "errors").stat().st_mode & 0o777 in {0o640, 0o644}


def test_a_check_tells_all_that_is_wrong_and_starts_nothing(folder: Path) -> None:
    done = run(
        folder, "serve", "shop:app", "--check-config", "--user", "no-such-user",
        "--certfile", "no.pem", "--pid-file", "no/x.pid", "--log-config", "no.toml",
        "--app-dir", "none",
    )  # fmt: skip
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    for text in (
        "--pid-file: pid_file='no/x.pid': its folder does not exist",
        "--app-dir: app_dir='none': there is no such folder",
        "TLS file 'no.pem' does not exist",
        "--user: user='no-such-user': there is no such user here",
        "--log-config: log_config='no.toml' cannot be read",
    ):
        assert any(text in line for line in lines), text


def test_a_check_imports_the_application_and_the_hooks(folder: Path) -> None:
    good = run(folder, "serve", "shop:app", "--check-config")
    assert (good.returncode, good.stdout) == (
        0,
        "stein: nothing is wrong with this configuration\n",
    )
    bad = run(folder, "serve", "shop:app", "--check-config", "--on-start", "shop:no_such")
    assert bad.returncode == 1
    assert "on_start='shop:no_such'" in bad.stderr


def test_what_is_printed_starts_the_same_server(folder: Path) -> None:
    printed = run(folder, "serve", "shop:app", "--print-config", "-w", "2", "--keep-alive", "3s")
    assert printed.returncode == 0
    (folder / "stein.toml").write_text(printed.stdout)
    again = run(folder, "serve", "--print-config")
    assert 'keep_alive = "3s"' in again.stdout
    assert "# stein.toml:" in again.stdout
    assert run(folder, "serve", "--check-config").returncode == 0


# -- with workers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("preload", [False, True])
def test_a_gunicorn_configuration_serves(folder: Path, manager: Manager, *, preload: bool) -> None:
    port = free_port()
    (folder / "gunicorn.conf.py").write_text(
        f"""
bind = "127.0.0.1:{port}"
workers = 2
preload_app = {preload}
pidfile = "shop.pid"
raw_env = ["SHOP=open"]
errorlog = "errors"
accesslog = "requests"

def on_starting(server):
    server.log.info("hook: starting with %d workers", server.cfg.workers)

def post_worker_init(worker):
    worker.log.info("hook: worker %d", worker.age)

def worker_exit(server, worker):
    worker.log.info("hook: bye")
"""
    )
    variables = environment(NOTIFY_SOCKET=manager.path)
    args = command("serve", "-c", "gunicorn.conf.py", "--timeout", "60", "shop:app")
    with running(args, folder, env=variables, stderr=subprocess.DEVNULL) as process:
        manager.until("READY=1")
        assert (folder / "shop.pid").read_text() == f"{process.pid}\n"
        seen = get(port, X_Forwarded_Proto="https", X_Forwarded_For="6.6.6.6")
        assert (seen["variable"], seen["wsgi.url_scheme"]) == ("open", "https")
        assert seen["REMOTE_ADDR"] == "127.0.0.1"
        stranger = get(port, "127.0.0.2", X_Forwarded_Proto="https", X_Forwarded_For="6.6.6.6")
        assert stranger["wsgi.url_scheme"] == "http"
        assert stranger["HTTP_X_FORWARDED_FOR"] == "6.6.6.6"  # for ProxyFix to judge
        second = run(folder, *args[3:], "--bind", "127.0.0.1:0")
        assert second.returncode == 2
        assert f"process {process.pid} runs with it" in second.stderr
        assert (folder / "shop.pid").read_text() == f"{process.pid}\n"
    assert process.returncode == 0
    assert not (folder / "shop.pid").exists()
    text = (folder / "errors").read_text()
    assert "hook: starting with 2 workers" in text
    assert text.count("hook: worker ") == text.count("hook: bye") == 2
    assert '"GET / HTTP/1.1" 200' in (folder / "requests").read_text()


def test_a_service_manager_hears_of_reloads_and_gets_signs_of_life(
    folder: Path, manager: Manager
) -> None:
    port = free_port()
    (folder / "stein.toml").write_text(
        f'app = "shop:app"\nbind = "127.0.0.1:{port}"\nworkers = 1\n'
    )
    variables = environment(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="200000")
    errors = (folder / "errors").open("wb")
    with errors, running(command("serve"), folder, env=variables, stderr=errors) as process:
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
        (folder / "stein.toml").write_text(
            f'app = "shop:app"\nbind = "127.0.0.1:{port}"\nworkers = 1\nbacklog = 0\nthread = 1\n'
        )
        process.send_signal(signal.SIGHUP)
        while b"thread: there is no such setting" not in (folder / "errors").read_bytes():
            manager.until("WATCHDOG=1")
        assert not any("RELOADING=1" in message for message in manager.heard)
        (folder / "stein.toml").write_text(
            f'app = "shop:app"\nbind = "127.0.0.1:{port}"\nworkers = 2\nthreads = 2\n'
        )
        process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.until("RELOADING=1")
        manager.until("READY=1")
        assert len(names_of_children(process.pid)) >= 2
        assert get(port)["REMOTE_ADDR"] == "127.0.0.1"
        process.terminate()
        manager.until("STOPPING=1")
    assert process.returncode == 0


@pytest.mark.parametrize("preload", [False, True])
def test_a_reload_changes_the_environment_of_workers(
    folder: Path, manager: Manager, *, preload: bool
) -> None:
    port = free_port()
    file = folder / "gunicorn.conf.py"
    text = f"bind = '127.0.0.1:{port}'\npreload_app = {preload}\n"
    file.write_text(f"{text}raw_env = ['SHOP=open', 'STEIN_THREADS=x']\n")
    variables = environment(NOTIFY_SOCKET=manager.path, SHOP="outside")
    args = command("serve", "-c", file.name, "--access-log", "off", "shop:app")
    with running(args, folder, env=variables, stderr=subprocess.DEVNULL) as process:
        manager.until("READY=1")
        assert get(port)["variable"] == "open"
        for line, value in (("raw_env = ['SHOP=closed']", "closed"), ("", "outside")):
            file.write_text(f"{text}{line}\n")
            process.send_signal(signal.SIGHUP)
            manager.until_one_begins("RELOADING=1", unlike=[])
            manager.until("READY=1")
            assert get(port)["variable"] == value


def test_signs_of_life_go_on_after_every_upgrade(folder: Path, manager: Manager) -> None:
    variables = environment(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="200000")
    words = command("serve", "shop:app", "-w", "1", "--port", "0", "--control", "off")
    # systemd names the process that it has started.
    script = 'WATCHDOG_PID=$$ exec "$@"'
    with running(["sh", "-c", script, "sh", *words], folder, env=variables) as process:
        assert f"MAINPID={process.pid}" in manager.until("READY=1")
        pids = [process.pid]
        try:
            for _ in range(2):
                os.kill(pids[-1], signal.SIGUSR2)
                line = manager.until_one_begins("MAINPID=", unlike=pids)
                pids.append(int(line.partition("=")[2]))
                if len(pids) == 2:
                    process.wait(BOUND)
                manager.until_gone(pids[-2])
                manager.forget()
                manager.until("WATCHDOG=1")
        finally:
            os.kill(pids[-1], signal.SIGTERM)
        manager.until_gone(pids[-1])


def test_sockets_from_a_service_manager(folder: Path, manager: Manager) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        # LISTEN_PID is known only after the fork, as for systemd.
        script = (
            "import os, sys\n"
            f"os.dup2({sock.fileno()}, 3)\n"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'stein', *sys.argv[1:]])\n"
        )
        args = [sys.executable, "-c", script, "serve", "shop:app", "--bind", "systemd:", "-w", "1"]
        variables = environment(NOTIFY_SOCKET=manager.path)
        fds = (sock.fileno(), 3) if sock.fileno() != 3 else (3,)
        with contextlib.suppress(OSError):
            os.fstat(3)
        with running(args, folder, env=variables, pass_fds=fds[:1], stderr=subprocess.DEVNULL):
            manager.until("READY=1")
            assert get(port)["REMOTE_ADDR"] == "127.0.0.1"
        # The socket is the manager's: it listens on.
        socket.create_connection(("127.0.0.1", port), 5).close()


def may_be_read_by(user: str) -> bool:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return False
    identity = Identity(entry.pw_uid, entry.pw_gid, (entry.pw_gid,))
    files = (os.__file__, str(ROOT / "src" / "stein" / "__init__.py"), http.client.__file__)
    return all(barrier(identity, Path(file).resolve()) is None for file in files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.skipif(not may_be_read_by("nobody"), reason="nobody may not read this Python")
def test_workers_run_as_another_user(manager: Manager) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "shop.py").write_text(APP)
        port, uid = free_port(), pwd.getpwnam("nobody").pw_uid
        path = folder / "shop.sock"
        args = command(
            "serve", "shop:app", "-u", "nobody", "-b", f"127.0.0.1:{port}", "-b", f"unix:{path}",
            "--access-log-file", "requests",
        )  # fmt: skip
        variables = environment(NOTIFY_SOCKET=manager.path)
        with running(args, folder, env=variables, stderr=subprocess.DEVNULL):
            manager.until("READY=1")
            assert get(port)["uid"] == uid
            assert path.stat().st_uid == uid
        assert "GET / HTTP/1.1" in (folder / "requests").read_text()


# -- proxies in front ------------------------------------------------------------------------------

NGINX = """
%(user)s
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:%(front)d;
    location / {
      proxy_pass %(back)s;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
"""
HAPROXY = """
global
  maxconn 64
defaults
  mode %(mode)s
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:%(front)d
  default_backend shop
backend shop
  %(option)s
  server one 127.0.0.1:%(back)d %(send)s
"""
nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
haproxy = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_nginx = pytest.mark.skipif(nginx is None, reason="needs nginx")
needs_haproxy = pytest.mark.skipif(haproxy is None, reason="needs haproxy")


def clients_in(folder: Path) -> list[str]:
    lines = (folder / "requests").read_text().splitlines()
    return [line.split()[0] for line in lines]


@needs_nginx
@pytest.mark.parametrize("by", ["tcp", "unix"])
def test_nginx_tells_who_the_client_is(folder: Path, manager: Manager, by: str) -> None:
    assert nginx is not None
    front, back = free_port(), free_port()
    path = folder / "shop.sock"
    place = f"http://127.0.0.1:{back}" if by == "tcp" else f"http://unix:{path}"
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX % {"front": front, "back": place, "user": user})
    args = [nginx, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    serve = ["--trusted-proxies", "127.0.0.1" if by == "tcp" else "unix", "--threads", "2"]
    serve += ["--bind", f"127.0.0.1:{back}" if by == "tcp" else f"unix:{path}"]
    variables = environment(NOTIFY_SOCKET=manager.path)
    server = command("serve", "shop:app", "--access-log-file", "requests", *serve)
    with running(server, folder, env=variables, stderr=subprocess.DEVNULL):
        manager.until("READY=1")
        with running(args, folder, stderr=subprocess.DEVNULL) as proxy:
            until_open(front, proxy)
            seen = get(front, "127.0.0.5", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https")
            assert seen["REMOTE_ADDR"] == "127.0.0.5"
            assert seen["HTTP_X_FORWARDED_FOR"] == "127.0.0.5"
            assert seen["wsgi.url_scheme"] == "http"
            assert seen["HTTP_HOST"] == "shop.example"
        if by == "tcp":
            seen = get(back, "127.0.0.6", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https")
            assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.6", "http")
            assert seen["HTTP_X_FORWARDED_FOR"] is None
    assert clients_in(folder) == ["127.0.0.5", "127.0.0.6"][: 2 if by == "tcp" else 1]


@needs_haproxy
@pytest.mark.parametrize("send", ["", "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_haproxy_tells_who_the_client_is(folder: Path, manager: Manager, send: str) -> None:
    assert haproxy is not None
    front, back = free_port(), free_port()
    values = {
        "front": front,
        "back": back,
        "mode": "tcp" if send else "http",
        "send": send,
        "option": "" if send else "option forwardfor",
    }
    (folder / "haproxy.cfg").write_text(HAPROXY % values)
    serve = ["--trusted-proxies", "127.0.0.1", "--bind", f"127.0.0.1:{back}"]
    serve += ["--proxy-protocol"] if send else []
    variables = environment(NOTIFY_SOCKET=manager.path)
    server = command("serve", "shop:app", "--access-log-file", "requests", *serve)
    with running(server, folder, env=variables, stderr=subprocess.DEVNULL):
        manager.until("READY=1")
        args = [haproxy, "-db", "-f", "haproxy.cfg"]
        with running(args, folder, stderr=subprocess.DEVNULL) as proxy:
            until_open(front, proxy)
            seen = get(front, "127.0.0.5", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https")
            assert seen["REMOTE_ADDR"] == "127.0.0.5"
            assert seen["HTTP_X_FORWARDED_FOR"] == (None if send else "127.0.0.5")
        # Who goes around the proxy is nobody to be believed.
        seen = get(back, "127.0.0.6", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https")
        assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.6", "http")
        with socket.create_connection(("127.0.0.1", back), BOUND, ("127.0.0.6", 0)) as sock:
            sock.sendall(b"PROXY TCP4 6.6.6.6 1.1.1.1 1 1\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert clients_in(folder)[:2] == ["127.0.0.5", "127.0.0.6"]
    assert clients_in(folder)[2:] == ["127.0.0.6"]


# -- as the first process of a container -----------------------------------------------------------

ORPHAN = """
import subprocess, sys

# A process that outlives who started it is left to the first process of the container.
subprocess.run([sys.executable, "-c", "import os; os.fork() or os.execlp('sleep', 'sleep', '0.2')"])
"""


def can_unshare() -> bool:
    """Whether this machine lets us have a container of our own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    args = [unshare, "-pf", "--mount-proc", "true"]
    return subprocess.run(args, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="needs the right to make a pid namespace")
def test_the_first_process_of_a_container(folder: Path, manager: Manager) -> None:
    (folder / "orphaning.py").write_text(ORPHAN + APP)
    port = free_port()
    args = ["unshare", "-pf", "--mount-proc", "--kill-child", "--"]
    args += command("serve", "orphaning:app", "-w", "2", "-b", f"127.0.0.1:{port}")
    variables = environment(NOTIFY_SOCKET=manager.path)
    errors = (folder / "errors").open("wb")
    with errors, running(args, folder, env=variables, stderr=errors) as outside:
        manager.until("MAINPID=1")
        assert get(port)["REMOTE_ADDR"] == "127.0.0.1"
        (child,) = children_of(outside.pid)
        assert set(names_of_children(child)) == {"stein-w0", "stein-w1"}
        until_reaped(child)
        os.kill(child, signal.SIGTERM)
        assert outside.wait(BOUND) == 0


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(word) for word in text.split()]


def names_of_children(pid: int) -> list[str]:
    found = []
    for child in children_of(pid):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{child}/comm").read_text("ascii").strip())
    return [name for name in found if name.startswith("stein-w")]


def until_reaped(pid: int) -> None:
    """Wait until a process has no children but workers."""
    end = time.monotonic() + BOUND
    while len(children_of(pid)) != len(names_of_children(pid)):
        assert time.monotonic() < end, "orphans are left unreaped"
        time.sleep(0.01)
