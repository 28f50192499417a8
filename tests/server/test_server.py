"""The server as a program sees it: starting, stopping, and what it says of itself."""

from __future__ import annotations

import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stein
from stein.errors import BindError, CertificateError, SteinError
from stein.server import Server, Settings
from tests.server.client import BOUND, Client, request, serving, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.http.exchange import Exchange
    from stein.typing import Environ, StartResponse, WSGIApplication

pytestmark = pytest.mark.usefixtures("no_leaks")
both = pytest.mark.parametrize("threads", [1, 16])


def hello(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Gate:
    """An application whose calls wait until the test lets them go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        self.entered.release()
        self.go.wait(BOUND)
        return hello(environ, start_response)

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=BOUND)


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=BOUND).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


# -- its name ------------------------------------------------------------------------------------


class Framework:
    """As an application object of Flask or Django is."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        return hello(environ, start_response)


class Named(Framework):
    name = "shop"


class Lazy(Framework):
    @property
    def name(self) -> str:
        raise RuntimeError("too early")


class Around(Framework):
    """Middleware."""

    def __init__(self, app: object) -> None:
        self.app = app


@pytest.mark.parametrize(
    ("application", "name"),
    [
        (hello, f"{__name__}:hello"),
        (Framework(), f"{__name__}:Framework"),
        (Named(), "shop"),
        (Around(Around(Named())), "shop"),
        (Lazy(), f"{__name__}:Lazy"),
        (Around(None), f"{__name__}:Around"),
        (Server(hello).start, ""),  # as a function that hides what it calls
        (Named().__call__, f"{__name__}:Framework.__call__"),
    ],
)
def test_the_board_has_the_applications_name(application: WSGIApplication, name: str) -> None:
    with Server(application, Settings(threads=2), port=0) as server:
        assert server.board.application == name


def test_a_name_that_was_given_goes_before() -> None:
    with Server(hello, Settings(threads=2), port=0, name="shop:app") as server:
        assert server.board.application == "shop:app"


# -- starting -----------------------------------------------------------------------------------


@both
def test_a_context_manager(threads: int) -> None:
    with Server(hello, Settings(threads=threads), port=0) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert server.addresses == [server.url]
        with urllib.request.urlopen(server.url, timeout=BOUND) as response:
            assert response.read() == b"hello"
    assert is_refused(server.port)


@both
def test_several_addresses(threads: int, tmp_path: Path) -> None:
    path = tmp_path / "s"
    bind = (f"unix:{path}", "127.0.0.1:0", "127.0.0.1:0")
    with serving(hello, bind=bind, threads=threads) as server:
        assert len(server.addresses) == 3
        assert server.addresses[0] == f"unix:{path}"
        assert server.url == server.addresses[1] == f"http://{server.host}:{server.port}"
        for address in server.addresses[1:]:
            with urllib.request.urlopen(address, timeout=BOUND) as response:
                assert response.read() == b"hello"
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        with Client(sock) as client:
            assert client.ask().body == b"hello"


def test_it_can_be_started_when_the_address_is_free_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        server = Server(hello, port=port)
        with pytest.raises(BindError):
            server.start()
        server.stop()  # nothing to stop
    with server:
        assert server.port == port


@both
def test_it_starts_once_only(threads: int) -> None:
    with Server(hello, Settings(threads=threads), port=0) as server:
        with pytest.raises(SteinError, match="was started before; make a new one"):
            server.start()
        assert not is_refused(server.port)
    with pytest.raises(SteinError, match="was started before"):
        server.start()


def test_serving_needs_a_start() -> None:
    server = Server(hello, port=0)
    for method in (server.serve, server.wait):
        with pytest.raises(SteinError, match=r"was not started: call start\(\) first"):
            method()
    server.stop()
    server.request_stop()


def test_settings_that_cannot_work_are_refused_at_once() -> None:
    with pytest.raises(CertificateError):
        Server(hello, Settings(certfile="no-such-file.pem"))


# -- stopping -----------------------------------------------------------------------------------


@both
def test_run_serves_until_another_thread_stops_it(threads: int) -> None:
    server = Server(hello, Settings(threads=threads), port=0)
    runner = threading.Thread(target=server.run)
    runner.start()
    until(lambda: server.port)
    with urllib.request.urlopen(server.url, timeout=BOUND) as response:
        assert response.read() == b"hello"
    server.request_stop()
    runner.join(BOUND)
    assert not runner.is_alive()


@both
def test_run_ends_and_stop_returns_when_both_are_called(threads: int) -> None:
    server = Server(hello, Settings(threads=threads), port=0)
    runner = threading.Thread(target=server.run)
    runner.start()
    until(lambda: server.port)
    server.stop()
    runner.join(BOUND)
    assert not runner.is_alive()
    assert is_refused(server.port)


@both
def test_it_may_be_stopped_twice_and_by_several_threads(threads: int) -> None:
    with Server(hello, Settings(threads=threads), port=0) as server:
        stoppers = [threading.Thread(target=server.stop) for _ in range(4)]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(BOUND)
            assert not stopper.is_alive()
        server.stop()
        server.request_stop()


@pytest.mark.timeout(20)
def test_a_server_that_never_served_can_be_stopped() -> None:
    server = Server(hello, Settings(threads=1), port=0)
    server.start()
    stopper = threading.Thread(target=server.stop, daemon=True)
    stopper.start()
    stopper.join(1.0)
    stuck = stopper.is_alive()
    if stuck:  # what the user could not know: it has to serve in order to stop
        server.serve()
        stopper.join(BOUND)
    assert not stuck


@both
def test_the_application_may_ask_for_a_stop(threads: int) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        server.request_stop()
        return hello(environ, start_response)

    server = Server(app, Settings(threads=threads), port=0)
    runner = threading.Thread(target=server.run)
    runner.start()
    until(lambda: server.port)
    with Client.to(server) as client:
        assert client.ask().body == b"hello"
        assert client.is_closed()
    runner.join(BOUND)
    assert not runner.is_alive()


@both
def test_a_running_request_is_finished(threads: int) -> None:
    gate = Gate()
    with Server(gate, Settings(threads=threads), port=0) as server:
        stopper = threading.Thread(target=server.stop)
        with Client.to(server) as client:
            client.send(request())
            gate.wait_entered()
            stopper.start()
            if threads > 1:  # one thread alone is with the application and cannot close the door
                until(lambda: is_refused(server.port))
            gate.go.set()
            answer = client.answer()
            assert answer.body == b"hello"
            assert threads == 1 or answer.header("connection") == "close"
            assert client.is_closed()
        stopper.join(BOUND)
        assert not stopper.is_alive()


def test_idle_connections_are_closed_at_once_and_fresh_ones_too() -> None:
    gate = Gate()
    with (
        serving(gate) as server,
        Client.to(server) as busy,
        Client.to(server) as fresh,
        Client.to(server) as idle,
    ):
        gate.go.set()
        idle.ask()
        gate.go.clear()
        gate.wait_entered()
        busy.send(request())
        gate.wait_entered()
        server.request_stop()
        assert idle.is_closed()
        assert fresh.is_closed()
        assert busy.is_silent()
        gate.go.set()
        assert busy.answer().body == b"hello"


def test_a_request_that_is_on_its_way_when_the_server_stops_is_answered() -> None:
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    server = Server(hello, port=0)
    with server, socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(get)
        assert b"Connection: close" not in client.recv(4096)
        server.request_stop(5)
        until(lambda: is_refused(server.port))
        client.sendall(get)
        assert b"\r\nConnection: close\r\n" in client.recv(4096)


def test_a_request_that_does_not_end_is_cut_off_at_the_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()
    server = Server(gate, port=0)
    server.start()
    with Client.to(server) as client:
        client.send(request())
        gate.wait_entered()
        server.stop(graceful=0.05)
        assert client.is_closed()
    gate.go.set()
    assert "stopping with 1 requests under way" in caplog.text


def test_a_second_stop_cuts_the_first_one_short() -> None:
    gate = Gate()
    server = Server(gate, Settings(graceful_timeout=600), port=0)
    server.start()
    with Client.to(server) as client:
        client.send(request())
        gate.wait_entered()
        server.request_stop()
        until(lambda: is_refused(server.port))
        server.stop(graceful=0)
        assert client.is_closed()
    gate.go.set()


def test_waiting_calls_are_refused_at_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    server = Server(gate, Settings(threads=2), port=0)
    server.start()
    clients = [Client.to(server) for _ in range(4)]
    for client in clients:
        client.send(request())
    gate.wait_entered()
    gate.wait_entered()
    until(lambda: server._engine is not None and server._engine.crew.saturated)
    server.stop(graceful=0)
    # Two were in calls and are cut off; two waited and are told.
    ends = []
    for client in clients:
        with client:
            ends.append(client.rest()[:12])
    assert sorted(ends) == [b"", b"", b"HTTP/1.1 503", b"HTTP/1.1 503"]
    gate.go.set()
    assert not gate.entered.acquire(blocking=False)


PROGRAM = """
import sys, threading, time
from stein.server import Server, Settings
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
server = Server(app, Settings(threads=int(sys.argv[1]), bind=("unix:" + sys.argv[2],)))
def ready():
    while not server._serving:  # Ctrl-C before that is the program's own affair
        time.sleep(0.001)
    print("ready", flush=True)
threading.Thread(target=ready).start()
server.start()
server.serve()
"""


@pytest.mark.live
@both
def test_ctrl_c_in_a_program_of_its_own_leaves_no_file(threads: int, tmp_path: Path) -> None:
    path = tmp_path / "s"
    environ = {**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(threads), str(path)],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        process.wait(BOUND)
    assert not path.exists()


EARLY = """
import signal
from stein.serving import command, serve

class Early(serve.Server):
    def start(self):
        super().start()  # from here on clients are served
        signal.raise_signal(signal.SIGTERM)

def app(environ, start_response):
    raise AssertionError

serve.Server = Early
serve.load_application = lambda *_: app
command.main("stein", ["serve", "ignored", "--port", "0", "--access-log", "off"])
"""


@pytest.mark.live
def test_a_signal_right_after_the_start_is_a_graceful_stop() -> None:
    result = subprocess.run(
        [sys.executable, "-c", EARLY],
        env={**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0


# -- observing ----------------------------------------------------------------------------------


@both
def test_the_observer_is_told_each_exchange(threads: int) -> None:
    seen: list[Exchange] = []
    with serving(hello, seen.extend, threads=threads) as server, Client.to(server) as client:
        client.ask("/a?b=c")
        client.ask("/d", method="HEAD")
        client.send(b"nonsense\r\n\r\n")
        assert client.answer().status == 400
        assert client.is_closed()
    lines = [(each.line.target, each.status, each.outcome, each.sent_bytes) for each in seen]
    assert lines == [
        ("/a?b=c", 200, "ok", 5), ("/d", 200, "ok", 0), ("nonsense", 400, "bad_request", 16)
    ]  # fmt: skip
    assert [each.number for each in seen] == [1, 2, 3]
    for each in seen[:2]:
        assert each.began <= each.read <= each.entered <= each.left <= each.sent
        assert each.thread.startswith("stein-")


def test_an_observer_that_fails_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    def observer(_exchanges: Sequence[Exchange]) -> None:
        raise ValueError("this observer is broken")

    program = (
        "import sys, threading, urllib.request\n"
        "from stein.server import Server\n"
        "threading.excepthook = lambda _args: None\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
        "def observer(exchanges): raise ValueError\n"
        "server = Server(app, port=0, observer=observer)\n"
        "server.start()\n"
        "for _ in range(2):\n"
        "    print(urllib.request.urlopen(server.url, timeout=3).read(), flush=True)\n"
        "server.stop()\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, timeout=30, check=False
    )
    assert result.stdout.split() == [b"b'ok'", b"b'ok'"]


def test_many_clients_at_once() -> None:
    """A little of everything at once: each answer is the one of its own request."""

    def echo(environ: Environ, start_response: StartResponse) -> list[bytes]:
        body = environ["PATH_INFO"].encode() + environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    faults: list[object] = []

    def talk(number: int) -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=BOUND)
        try:
            for turn in range(50):
                path, body = f"/{number}/{turn}", b"x" * (turn * number % 3000)
                connection.request("POST", path, body)
                if connection.getresponse().read() != path.encode() + body:
                    faults.append(path)
        except Exception as error:  # noqa: BLE001 - told by the test
            faults.append(error)
        finally:
            connection.close()

    with serving(echo) as server:
        talkers = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
        for talker in talkers:
            talker.start()
        for talker in talkers:
            talker.join(30)
    assert faults == []


def test_the_log_is_quiet_when_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, "stein"),
        serving(hello) as server,
        Client.to(server) as client,
    ):
        client.ask()
    assert caplog.text == ""
