"""Much of everything: large bodies, many requests, many clients that do nothing.

What is asserted are amounts (bytes, descriptors, memory), which hold on any machine; of times
only a ratio that has room for a busy one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import sys
import threading
import time
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.live.apps import BLOCK
from tests.live.process import ServeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import IOBase

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

GIB = 1 << 30
MIB = 1 << 20
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ServeProcess]:
    """One server for all tests of this module, so that a leak of one shows in the next."""
    with ServeProcess("tests.live.apps:application", "--no-access-log") as process:
        yield process


@pytest.fixture(scope="module")
def digest() -> str:
    """The SHA-256 of one GiB of the test's bytes."""
    found = hashlib.sha256()
    for _ in range(GIB // len(BLOCK)):
        found.update(BLOCK)
    return found.hexdigest()


def read_head(file: IOBase) -> dict[str, str]:
    """Read a response head; its fields in lower case, and the status under ``""``."""
    head = {"": file.readline().decode().split()[1]}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(":")
        head[name.lower()] = value.strip()
    return head


def get(sock: socket.socket) -> float:
    """One short request on a kept-alive connection; how long it took, in seconds."""
    started = time.perf_counter()
    sock.sendall(GET)
    data = b""
    while not data.endswith(b"hello"):
        received = sock.recv(4096)
        assert received, data
        data += received
    return time.perf_counter() - started


def download(server: ServeProcess, path: str) -> tuple[str, int]:
    """Download; the SHA-256 of the body and by how much the server's memory grew at most."""
    before, peak = server.resident(), 0
    found = hashlib.sha256()
    with server.connect() as sock, sock.makefile("rb", buffering=1 << 18) as file:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        head = read_head(file)
        assert head[""] == "200"
        left = int(head.get("content-length", "0"))
        while True:
            if "content-length" not in head:
                left = int(file.readline(), 16)
                if not left:
                    break
            while left:
                block = file.read(min(left, 1 << 18))
                assert block, "cut short"
                found.update(block)
                left -= len(block)
                peak = max(peak, server.resident())
            if "content-length" in head:
                break
            assert file.readline() == b"\r\n"
    return found.hexdigest(), peak - before


@pytest.mark.parametrize("kind", ["file", "generate"])
def test_a_gibibyte_comes_down_in_constant_memory(
    server: ServeProcess, digest: str, kind: str
) -> None:
    download(server, f"/{kind}/64")  # warm up
    found, growth = download(server, f"/{kind}/{GIB // len(BLOCK)}")
    assert found == digest
    assert growth < 20 * MIB


@pytest.mark.parametrize("chunked", [False, True])
def test_a_gibibyte_goes_up_in_constant_memory(
    server: ServeProcess, digest: str, *, chunked: bool
) -> None:
    before, peak = server.resident(), 0
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {GIB}"
    with server.connect(120) as sock, sock.makefile("rb") as file:
        sock.sendall(f"POST /digest HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n".encode())
        block = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK
        for number in range(GIB // len(BLOCK)):
            sock.sendall(block)
            if number % 64 == 0:
                peak = max(peak, server.resident())
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        assert read_head(file)[""] == "200"
        assert file.read(64).decode() == digest
        peak = max(peak, server.resident())
    assert peak - before < 20 * MIB


def test_slow_readers_cost_neither_memory_nor_a_thread() -> None:
    with (
        ServeProcess("tests.live.apps:application", "--threads", "2", "--no-access-log") as server,
        server.connect() as sock,
        contextlib.ExitStack() as stack,
    ):
        get(sock)
        before = server.resident()
        for _ in range(12):  # many more than there are threads
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            reader.connect(("127.0.0.1", server.port))
            reader.sendall(b"GET /generate/4096 HTTP/1.1\r\nHost: test\r\n\r\n")
            assert reader.recv(1024).startswith(b"HTTP/1.1 200")
        assert all(get(sock) for _ in range(100))
        # Twelve times what may wait for one of them, and what the allocator makes of it.
        assert server.resident() - before < 12 * 3 * MIB


def test_three_hundred_thousand_requests_leave_nothing_behind(server: ServeProcess) -> None:
    batch = GET * 100

    def run(batches: int) -> None:
        with server.connect() as sock:
            for _ in range(batches):
                sock.sendall(batch)
                left = 100
                data = b""
                while left:
                    data = data[-4:] + sock.recv(1 << 16)
                    left -= data.count(b"hello")
                    data = b"" if data.endswith(b"hello") else data

    run(100)
    memory, descriptors = server.resident(), server.descriptors()
    run(2900)
    for _ in range(1000):
        run(1) if _ % 100 == 0 else server.connect().close()
    assert server.resident() - memory < 2 * MIB
    wait_until(lambda: server.descriptors() <= descriptors)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a fact about another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.01)


def test_silent_and_dripping_clients_do_not_slow_down_the_others(
    certificate: tuple[str, str],
) -> None:
    certfile, keyfile = certificate
    with (
        ServeProcess("tests.live.apps:application", "--threads", "2", "--no-access-log") as plain,
        ServeProcess(
            "tests.live.apps:application", "--threads", "2", "--no-access-log",
            "--certfile", certfile, "--keyfile", keyfile,
        ) as secure,
        contextlib.ExitStack() as stack,
    ):  # fmt: skip
        with plain.connect() as sock:
            unloaded = p99(get(sock) for _ in range(2000))
        silent = [stack.enter_context(plain.connect()) for _ in range(1000)]
        silent += [stack.enter_context(secure.connect()) for _ in range(200)]
        dripping = [stack.enter_context(plain.connect()) for _ in range(100)]
        head = b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: "
        stop = threading.Event()

        def drip() -> None:
            for byte in head:
                for sock in dripping:
                    sock.send(bytes([byte]))
                if stop.wait(1.0):
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with plain.connect() as sock:
                loaded = p99(get(sock) for _ in range(5000))
            context = ssl.create_default_context(cafile=certfile)
            with (
                secure.connect() as raw,
                context.wrap_socket(raw, server_hostname="localhost") as sock,
            ):
                get(sock)
        finally:
            stop.set()
            thread.join()
        assert len(silent) == 1200
        # A bound with room for a busy machine; bench/ measures the ratio, which is below 2.
        assert loaded < 5 * unloaded + 0.01


def p99(times: Iterable[float]) -> float:
    """The 99th percentile."""
    ordered = sorted(times)
    return ordered[int(len(ordered) * 0.99)]


def test_idle_connections_cost_next_to_nothing(server: ServeProcess) -> None:
    count = min(5000, open_files() - 200)
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            get(stack.enter_context(server.connect()))
        before = server.resident()
        connections = [stack.enter_context(server.connect()) for _ in range(count)]
        for sock in connections:
            get(sock)
        assert (server.resident() - before) / count < 10 * 1024
        used = server.cpu_seconds()
        threading.Event().wait(2.0)  # the fact to see is that nothing happens meanwhile
        assert server.cpu_seconds() - used <= 0.05
        assert median(get(sock) for sock in connections[:100]) < 0.1


def open_files() -> int:
    """How many descriptors this process may have, once it has asked for all it can get."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def test_the_server_process_ends_with_code_zero() -> None:
    with ServeProcess("tests.live.apps:application") as process:
        assert process.stop() == os.EX_OK
