"""Workers whose threads are greenlets: a thousand calls that wait, and all that holds for threads.

What runs at the same time is counted by the application, and not guessed from the clock: a view at
``/crowd/N`` waits until N of them are inside.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.live.load import Load, doubles
from tests.live.supervised import Supervised, is_alive, json_lines, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytest.importorskip("gevent", reason="needs: pip install 'stein[gevent]'")

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

PROGRAM = """
import concurrent.futures, os, queue, socket, subprocess, threading, time, urllib.request

lock, full, inside, most = threading.Lock(), threading.Event(), 0, 0
pool = concurrent.futures.ThreadPoolExecutor(2)
tasks = queue.Queue()
held = threading.Lock()
held.acquire()
ours, theirs = socket.socketpair()

def crowd(count):
    global inside, most
    with lock:
        inside += 1
        most = max(most, inside)
        if inside >= count:
            full.set()
    full.wait(30)
    with lock:
        inside -= 1
    return f"{most} at once"

def computes(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "computed"

def streamed(start_response, pieces):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    for _ in range(pieces):
        time.sleep(0)
        yield b"x" * 65536

def app(environ, start_response):
    _, kind, argument, *_ = environ["PATH_INFO"].split("/") + [""]
    if kind == "crowd":
        text = crowd(int(argument))
    elif kind == "sleep":
        time.sleep(float(argument))
        text = "slept"
    elif kind == "lock":
        with held:
            text = "had the lock"
    elif kind == "queue":
        text = tasks.get()
    elif kind == "socket":
        text = theirs.recv(100).decode()
    elif kind == "future":
        text = pool.submit(tasks.get).result()
    elif kind == "process":
        text = subprocess.run(["cat"], stdin=theirs, stdout=subprocess.PIPE).stdout.decode()
    elif kind == "release":
        if argument == "lock":
            held.release()
        elif argument == "socket":
            ours.sendall(b"received")
        else:
            tasks.put("taken")
        text = "released"
    elif kind == "stray":
        import gevent
        gevent.Timeout(0.02).start()  # never cancelled
        text = "left a time-out behind"
    elif kind == "computes":
        text = computes(float(argument))
    elif kind == "digest":
        text = str(len(environ["wsgi.input"].read()))
    elif kind == "stream":
        return streamed(start_response, int(argument))
    elif kind == "wait":
        open("waits", "w").close()
        while not os.path.exists("go on"):
            time.sleep(0.01)
        text = f"{environ['stein.disconnected']()}"
    else:
        text = f"{threading.current_thread().name} {os.getpid()}"
    body = text.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""

GREENLETS = ("--worker-kind", "gevent")
QUIET = ("--access-log", "off")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(PROGRAM)
    return tmp_path


@contextlib.contextmanager
def serving(program: Path, *arguments: str) -> Iterator[Supervised]:
    with Supervised("shop:app", *GREENLETS, *arguments, *QUIET, folder=program) as server:
        yield server


def connect(server: Supervised, path: str, *fields: str) -> socket.socket:
    """A connection on which a request was sent."""
    sock = socket.create_connection(("127.0.0.1", server.port), 30)
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", "Connection: close", *fields, "", ""])
    sock.sendall(head.encode())
    return sock


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """Status and body, once the server has closed the connection."""
    with sock, sock.makefile("rb") as file:
        data = file.read()
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head[9:12]), body


def answers(socks: Sequence[socket.socket]) -> list[tuple[int, bytes]]:
    """All of them, read as they come."""
    with selectors.DefaultSelector() as selector:
        received = {}
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ)
            received[sock] = bytearray()
        while selector.get_map():
            ready = selector.select(30)
            assert ready, f"{len(selector.get_map())} of {len(socks)} have no answer"
            for key, _ in ready:
                sock = cast("socket.socket", key.fileobj)
                if data := sock.recv(65536):
                    received[sock] += data
                else:
                    selector.unregister(sock)
                    sock.close()
    return [(int(data[9:12]), bytes(data.partition(b"\r\n\r\n")[2])) for data in received.values()]


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[0] < count:
        if before[1] != resource.RLIM_INFINITY and before[1] < count:
            pytest.skip(f"this machine allows {before[1]} open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def shown(server: Supervised, what: str) -> int:
    """A number that the only worker shows on the board."""
    (worker,) = server.ask()["board"]["workers"]
    number: int = worker[what]
    return number


def loads_gevent(pid: int) -> bool:
    return "gevent" in Path(f"/proc/{pid}/maps").read_text("ascii")


def test_a_time_out_that_a_view_leaves_behind_ends_no_thread_of_the_crew(program: Path) -> None:
    with serving(program, "--threads", "3") as server:
        for _ in range(5):
            assert answer(connect(server, "/stray")) == (200, b"left a time-out behind")
        # They are raised in whatever runs by then, another call for example; the crew goes on.
        assert answer(connect(server, "/sleep/0.2"))[0] in {200, 500}
        assert {answer(connect(server, "/crowd/1"))[0] for _ in range(10)} == {200}
        assert server.log.count("is ready") == 1  # it is the same worker


def test_a_thousand_calls_wait_at_once_in_one_process_of_one_thread(program: Path) -> None:
    with many_files(2048), serving(program) as server:
        assert "1 worker of 1000 greenlets: up to 1000 requests at once" in server.log
        socks = [connect(server, "/crowd/1000") for _ in range(1000)]
        assert set(answers(socks)) == {(200, b"1000 at once")}
        (pid,) = server.workers().values()
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        assert threads < 10
        assert loads_gevent(pid)
        assert not loads_gevent(server.pid)


def test_a_thousand_sleeping_calls_take_little_longer_than_one(program: Path) -> None:
    with many_files(2048), serving(program, "--threads", "1000") as server:
        socks = [connect(server, "/sleep/1") for _ in range(1000)]
        assert set(answers(socks)) == {(200, b"slept")}
        # In a row they would take over a quarter of an hour, on whatever machine.


@pytest.mark.parametrize("kind", ["lock", "queue", "socket", "future", "process"])
def test_whatever_a_call_waits_for_the_others_go_on(program: Path, kind: str) -> None:
    with serving(program, "--threads", "4") as server:
        waiting = connect(server, f"/{kind}")
        until(lambda: shown(server, "busy") == 1)
        for _ in range(20):
            assert server.get().startswith("stein-")
        if kind == "process":
            (pid,) = server.workers().values()
            children = Path(f"/proc/{pid}/task/{pid}/children")
            (cat,) = until(lambda: children.read_text().split())
            # Before it has become another program it has the worker's own handlers.
            until(lambda: Path(f"/proc/{cat}/comm").read_text() == "cat\n")
            os.kill(int(cat), signal.SIGTERM)
            assert answer(waiting) == (200, b"")
            return
        server.get("/release/" + kind)
        status, body = answer(waiting)
        assert (status, body) == (
            200,
            {"lock": b"had the lock", "socket": b"received"}.get(kind, b"taken"),
        )


def test_more_than_there_are_seats_wait_in_order_or_are_refused(program: Path) -> None:
    limits = ("--threads", "2", "--limit-queue", "1", "--queue-timeout", "200ms")
    with serving(program, *limits, "--health-path", "/") as server:
        inside = [connect(server, "/wait") for _ in range(2)]
        until(lambda: shown(server, "busy") == 2)
        assert answer(connect(server, "/queued"))[0] == 503
        third = connect(server, "/queued")
        until(lambda: shown(server, "waiting") == 1)
        assert answer(connect(server, "/full"))[0] == 503
        assert answer(third)[0] == 503
        assert answer(connect(server, "/livez"))[0] == 200
        (program / "go on").touch()
        assert answers(inside) == [(200, b"False")] * 2


def test_a_call_past_its_time_gets_504_and_the_log_its_stack(program: Path) -> None:
    with serving(program, "--request-timeout", "300ms") as server:
        socks = [connect(server, "/wait") for _ in range(100)]
        assert {status for status, _ in answers(socks)} == {504}
        assert server.get().startswith("stein-")
        server.says("is lost, 100 of 1000")
        server.says("in app\n    time.sleep(0.01)", times=100)
        assert shown(server, "lost") == 100
        (program / "go on").touch()
        server.says("is back", times=100)
        assert shown(server, "lost") == 0


def test_a_client_that_has_gone_is_seen(program: Path) -> None:
    with serving(program) as server:
        sock = connect(server, "/wait")
        until((program / "waits").exists)
        sock.shutdown(socket.SHUT_WR)
        (program / "go on").touch()
        assert answer(sock)[1] == b"True"


def test_status_shows_what_waits_and_the_dump_where(program: Path) -> None:
    with serving(program) as server:
        waiting = [connect(server, "/wait") for _ in range(30)]
        until(lambda: shown(server, "busy") == 30)
        assert "GET /wait" in server.command("status").stdout
        server.ask("dump")
        server.says("time.sleep(0.01)", times=30)
        server.says("GET '/wait' for", times=30)
        server.says("stein-orders")
        (program / "go on").touch()
        assert {status for status, _ in answers(waiting)} == {200}


def test_sigterm_lets_a_hundred_calls_end(program: Path) -> None:
    with serving(program) as server:
        waiting = [connect(server, "/wait") for _ in range(100)]
        until(lambda: shown(server, "busy") == 100)
        (pid,) = server.workers().values()
        server.signal(signal.SIGTERM)
        server.says("stopping")
        (program / "go on").touch()
        assert answers(waiting) == [(200, b"False")] * 100
        assert server.wait() == 0
        assert not is_alive(pid)


def test_ctrl_c_cuts_calls_off(program: Path) -> None:
    with serving(program) as server:
        waiting = connect(server, "/wait")
        until((program / "waits").exists)
        server.signal(signal.SIGINT)
        assert server.wait() == 0
        waiting.close()
    assert "killed" not in server.log


def test_a_worker_that_is_told_to_end_is_replaced_when_its_calls_are_over(program: Path) -> None:
    with serving(program) as server:
        waiting = connect(server, "/wait")
        until((program / "waits").exists)
        (pid,) = server.workers().values()
        os.kill(pid, signal.SIGTERM)
        until(lambda: pid not in server.workers().values() and server.workers())
        (program / "go on").touch()
        assert answer(waiting) == (200, b"False")
        until(lambda: not is_alive(pid))


def test_a_worker_in_which_a_greenlet_computes_for_too_long_is_replaced(program: Path) -> None:
    with serving(program, "--heartbeat-timeout", "600ms") as server:
        (pid,) = server.workers().values()
        with connect(server, "/computes/60"):
            server.says("no Python code has run in it for 0.6 s")
            until(lambda: server.workers() and pid not in server.workers().values())
        assert "in computes" in server.log


@pytest.mark.timeout(120)
def test_reloads_cost_no_request(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    arguments = (*GREENLETS, "-w", "2", *QUIET)
    app = "tests.live.slow:application"
    with Supervised(app, *arguments, folder=tmp_path, LOAD_NOTES=str(notes)) as server:
        with Load(server.port, clients=16) as load:
            for _ in range(2):
                server.signal(signal.SIGHUP)
                before = set(server.workers().values())
                until(lambda: not before & set(server.workers().values()))  # noqa: B023
                load.wait_for(50)
        assert server.command("stop").returncode == 0
    assert load.result.failures == []
    assert doubles(notes) == 0
    assert len(load.result.workers) >= 4


def test_a_worker_is_replaced_after_its_requests(program: Path) -> None:
    with serving(program, "--max-requests", "20") as server:
        first = server.get().split()[1]
        until(lambda: server.get().split()[1] != first)
        server.says("max_requests: it has answered")


def test_slow_uploads_and_slow_readers_hold_nobody_up(program: Path) -> None:
    with serving(program, "--threads", "2") as server:
        upload = socket.create_connection(("127.0.0.1", server.port), 30)
        upload.sendall(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n")
        upload.sendall(b"Connection: close\r\n\r\n")
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", server.port))
        reader.sendall(b"GET /stream/200 HTTP/1.0\r\nHost: x\r\n\r\n")
        reader.recv(1)
        for part in range(16):
            upload.sendall(b"x" * 4096)
            assert server.get().startswith("stein-"), part
        assert answer(upload) == (200, b"65536")
        with reader, reader.makefile("rb") as file:
            assert len(file.read().partition(b"\r\n\r\n")[2]) == 200 * 65536


def test_unbuffered_uploads_are_waited_for_by_their_own_greenlet(program: Path) -> None:
    with serving(program, "--threads", "4", "--request-buffering", "off") as server:
        upload = socket.create_connection(("127.0.0.1", server.port), 30)
        upload.sendall(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n")
        upload.sendall(b"Connection: close\r\n\r\n")
        for part in range(16):
            upload.sendall(b"x" * 4096)
            assert server.get().startswith("stein-"), part
        assert answer(upload) == (200, b"65536")


def test_tls(program: Path, certificate: tuple[str, str]) -> None:
    certfile, keyfile = certificate
    with serving(program, "--certfile", certfile, "--keyfile", keyfile) as server:
        context = ssl.create_default_context(cafile=certfile)
        socks = []
        for _ in range(20):
            plain = socket.create_connection(("127.0.0.1", server.port), 30)
            sock = context.wrap_socket(plain, server_hostname="localhost")
            sock.sendall(b"GET /crowd/20 HTTP/1.0\r\nHost: localhost\r\n\r\n")
            socks.append(sock)
        for sock in socks:
            assert answer(sock) == (200, b"20 at once")


def test_one_greenlet_is_a_promise_too(program: Path) -> None:
    with serving(program, "--threads", "1", "--request-timeout", "300ms") as server:
        assert server.get().startswith("MainThread")
        assert answer(connect(server, "/wait"))[0] == 504
        (program / "go on").touch()
        until(lambda: "is back" in server.log)
        assert server.get().startswith("MainThread")


def test_the_access_log_and_a_unix_socket(program: Path) -> None:
    path = program / "shop.sock"
    arguments = (*GREENLETS, "--bind", f"unix:{path}", "--access-log", "json")
    log = program / "access.log"
    with Supervised("shop:app", *arguments, "--access-log-file", str(log), folder=program):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        sock.sendall(b"GET /x HTTP/1.0\r\nHost: x\r\n\r\n")
        assert answer(sock)[0] == 200
    (line,) = json_lines(log)
    assert line["path"] == "/x"
    assert line["outcome"] == "ok"


FLASKY = """
import threading
from stein import Stein, g, request, session, current_app

app = Stein(__name__)
app.secret_key = "x" * 32
lock, full, inside = threading.Lock(), threading.Event(), 0

@app.before_request
def note():
    g.number = request.args["n"]

@app.get("/<int:number>")
def view(number):
    global inside
    session["number"] = number
    with lock:
        inside += 1
        if inside >= 500:
            full.set()
    assert full.wait(30)
    assert g.number == request.args["n"] == str(number) == str(session["number"])
    assert current_app._get_current_object() is app
    return f"{g.number} {request.path}"

@app.after_request
def tell(response):
    response.headers["X-Number"] = g.number
    return response
"""


def test_contexts_of_five_hundred_greenlets_are_their_own(tmp_path: Path) -> None:
    (tmp_path / "flasky.py").write_text(FLASKY)
    with (
        many_files(2048),
        Supervised("flasky:app", *GREENLETS, *QUIET, folder=tmp_path) as server,
    ):
        socks = [connect(server, f"/{number}?n={number}") for number in range(500)]
        found = answers(socks)
        assert found == [(200, f"{number} /{number}".encode()) for number in range(500)]


def test_gunicorns_words_for_it_are_understood(program: Path) -> None:
    """A file that patches the process which reads it, too, as some do."""
    (program / "gunicorn.conf.py").write_text(
        "from gevent import monkey\nmonkey.patch_all()\n"
        'worker_class = "gevent"\nworker_connections = 50\nworkers = 2\nbind = "127.0.0.1:0"\n'
    )
    arguments = ("-c", "gunicorn.conf.py", "--bind", "127.0.0.1:0", *QUIET)
    with Supervised("shop:app", *arguments, folder=program) as server:
        assert "2 workers of 50 greenlets" in server.log
        assert answer(connect(server, "/sleep/0.1")) == (200, b"slept")
        server.signal(signal.SIGHUP)
        server.says("reloaded: 2 workers of the new version serve")
        assert server.get().startswith("stein-")
    with Supervised("shop:app", "-k", "gevent", *QUIET, folder=program) as server:
        assert "1 worker of 1000 greenlets" in server.log


def test_preload_is_refused(program: Path) -> None:
    with Supervised("shop:app", *GREENLETS, "--preload", folder=program, serves=False) as server:
        assert server.wait() == 2
        assert "preload does not go with worker_kind='gevent'" in server.log


def test_without_gevent_nothing_starts(program: Path) -> None:
    """A Python that finds no gevent, as far as the parent can see."""
    (program / "sitecustomize.py").write_text(
        "import importlib.util as u; f = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'gevent' else f(name, *rest)\n"
    )
    path = os.pathsep.join([str(program), str(Path(__file__).parents[2])])
    with Supervised(
        "shop:app", *GREENLETS, folder=program, serves=False, PYTHONPATH=path
    ) as server:
        assert server.wait() == 2
        assert "pip install 'stein[gevent]'" in server.log
        assert "worker 0" not in server.log
