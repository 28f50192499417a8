"""The measuring client: raw sockets for what wrk cannot measure. A program of its own.

    client.py paced    PORT RATE SECONDS WARMUP     latency of fast and slow requests, apart
    client.py upload   PORT BYTES                   one large request body, in MB/s
    client.py download PORT BYTES                   one large response body, in MB/s
    client.py idle     PORT COUNT                   hold COUNT keep-alive connections open

Every result is one line of JSON. `idle` writes a line when all connections are open, waits for a
line on standard input, writes how many are still open, and ends.

Why `paced` sends at a fixed rate and not "as fast as answers come": 32 closed-loop connections all
end up waiting behind the slow requests, so they would measure the length of the queue that they
make themselves. Nine fast requests to one slow one at a rate that keeps half of sixteen
threads busy asks the question of real life: do slow views delay their neighbours? Latency counts
from the moment the request was due, so a stalled server cannot hide by slowing its client down.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from collections import deque
from contextlib import suppress
from math import ceil
from time import perf_counter

HOST = "127.0.0.1"
FAST, SLOW = "/", "/slow"
SLOW_EVERY = 10
CONNECTIONS = 64
GRACE = 2.0
BLOCK = 1024 * 1024
PATIENCE = 5.0
TRANSFER_PATIENCE = 30.0
HEAD_LIMIT = 65_536


class ClientError(Exception):
    """The server did not do what the measurement needs. The message goes into the table."""


def say(**found: float) -> None:
    """Write one result for the process that started us."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def request(path: str, method: str = "GET", length: int | None = None) -> bytes:
    """Build the head of a request; a body of `length` bytes is the caller's business."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    if length is not None:
        lines += [f"Content-Length: {length}", "Content-Type: application/octet-stream"]
    return "\r\n".join([*lines, "", ""]).encode()


def response_size(received: bytes | bytearray) -> tuple[int, int, bool] | None:
    """Length of the head, length of the body, and whether the connection stays open.

    None while the head is incomplete. The applications state every length, so chunked framing is
    refused: a server that adds it would be measured doing other work than its neighbours.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > HEAD_LIMIT:
            raise ClientError(f"no end of the response head in {len(received)} bytes")
        return None
    first, *lines = bytes(received[:end]).decode("latin-1").split("\r\n")
    version, status = first.split(" ")[:2]
    if status != "200":
        raise ClientError(f"the server answered {first!r}")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip().lower()
    if "content-length" not in fields:
        raise ClientError("the response has no Content-Length though the application set one")
    wish = fields.get("connection", "")
    stays = wish == "keep-alive" or (version == "HTTP/1.1" and wish != "close")
    return end + 4, int(fields["content-length"]), stays


def percentile(values: list[float], share: float) -> float:
    """Find the smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


class Connection:
    """One keep-alive connection that carries one request at a time."""

    __slots__ = ("due", "path", "port", "received", "sock")

    def __init__(self, port: int) -> None:
        self.port = port
        self.sock: socket.socket | None = None
        self.received = bytearray()
        self.path = ""
        self.due = 0.0

    def send(self, selector: selectors.BaseSelector, path: str, due: float) -> None:
        """Send one request, over a new socket if the server has closed the old one."""
        if self.sock is None:
            self.sock = socket.create_connection((HOST, self.port), timeout=PATIENCE)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(self.sock, selectors.EVENT_READ, self)
        self.path, self.due = path, due
        self.received.clear()
        try:
            self.sock.sendall(request(path))
        except OSError:
            self.close(selector)
            self.send(selector, path, due)

    def receive(self, selector: selectors.BaseSelector) -> bool:
        """Take what has arrived; true when a response is complete."""
        data = b""
        if self.sock is not None:
            with suppress(ConnectionError):
                data = self.sock.recv(65_536)
        if not data:
            self.close(selector)
            if self.path:
                raise ClientError("the server closed a connection in the middle of a response")
            return False
        self.received += data
        size = response_size(self.received)
        if size is None or len(self.received) < size[0] + size[1]:
            return False
        if not size[2]:
            self.close(selector)
        return True

    def close(self, selector: selectors.BaseSelector) -> None:
        """Forget the socket; the next request opens another."""
        if self.sock is not None:
            selector.unregister(self.sock)
            self.sock.close()
            self.sock = None


class Pace:
    """Requests at fixed moments, whatever the server does; see the head of this module."""

    def __init__(self, port: int, rate: float) -> None:
        self.selector = selectors.DefaultSelector()
        self.interval = 1 / rate
        self.free = deque(Connection(port) for _ in range(CONNECTIONS))
        self.waiting: deque[tuple[float, str]] = deque()
        self.busy: set[Connection] = set()
        self.sent = 0
        self.latencies: dict[str, list[float]] = {FAST: [], SLOW: []}

    def run(self, seconds: float, warmup: float) -> None:
        """Poll without pause: the core is ours, and a sleeping client would wake up too late."""
        start = perf_counter()
        counted, end = start + warmup, start + warmup + seconds
        due = start
        while True:
            now = perf_counter()
            while due <= now and due < end:
                self.waiting.append((due, SLOW if self.sent % SLOW_EVERY == 0 else FAST))
                self.sent += 1
                due += self.interval
            if now > end and (now > end + GRACE or not (self.busy or self.waiting)):
                break
            self.step(counted)
        self.give_up(end + GRACE, counted)

    def step(self, counted: float) -> None:
        """Send what is due to free connections, then take the answers that are there."""
        while self.waiting and self.free:
            due, path = self.waiting.popleft()
            connection = self.free.popleft()
            connection.send(self.selector, path, due)
            self.busy.add(connection)
        for key, _ in self.selector.select(0):
            connection = key.data
            if connection.receive(self.selector):
                self.record(connection.path, connection.due, perf_counter(), counted)
                connection.path = ""
                self.busy.discard(connection)
                self.free.append(connection)

    def give_up(self, now: float, counted: float) -> None:
        """Requests without an answer count as if it had come now: the kindest possible figure."""
        for connection in self.busy:
            self.record(connection.path, connection.due, now, counted)
        for due, path in self.waiting:
            self.record(path, due, now, counted)

    def record(self, path: str, due: float, now: float, counted: float) -> None:
        """Keep a latency in milliseconds, unless the request belongs to the warm-up."""
        if due >= counted:
            self.latencies[path].append((now - due) * 1000)


def paced(port: int, rate: float, seconds: float, warmup: float) -> None:
    """Report the latency of fast and of slow requests, apart."""
    pace = Pace(port, rate)
    pace.run(seconds, warmup)
    fast, slow = pace.latencies[FAST], pace.latencies[SLOW]
    say(
        fast_p50=percentile(fast, 0.50),
        fast_p99=percentile(fast, 0.99),
        slow_p50=percentile(slow, 0.50),
        slow_p99=percentile(slow, 0.99),
        unanswered=len(pace.busy) + len(pace.waiting),
        requests=len(fast) + len(slow),
    )


def read_head(sock: socket.socket) -> tuple[int, bytes]:
    """The length of the response body, and the part of it that came with the head."""
    received = bytearray()
    while (size := response_size(received)) is None:
        data = sock.recv(65_536)
        if not data:
            raise ClientError("the server closed the connection instead of answering")
        received += data
    return size[1], bytes(received[size[0] :])


def upload(port: int, size: int) -> None:
    """Send `size` bytes; the time ends when the application has counted and answered them."""
    block = memoryview(bytes(BLOCK))
    start = perf_counter()
    with socket.create_connection((HOST, port), timeout=TRANSFER_PATIENCE) as sock:
        sock.sendall(request("/upload", "POST", size))
        left = size
        while left:
            left -= sock.send(block[: min(left, BLOCK)])
        length, body = read_head(sock)
        while len(body) < length:
            body += sock.recv(length - len(body))
    seconds = perf_counter() - start
    if int(body) != size:
        raise ClientError(f"the application saw {int(body)} of {size} bytes")
    say(rate=size / 1e6 / seconds)


def download(port: int, size: int) -> None:
    """Receive `size` bytes; the time starts with the request."""
    buffer = bytearray(BLOCK)
    start = perf_counter()
    with socket.create_connection((HOST, port), timeout=TRANSFER_PATIENCE) as sock:
        sock.sendall(request(f"/download?bytes={size}"))
        length, body = read_head(sock)
        left = length - len(body)
        while left > 0:
            count = sock.recv_into(buffer, min(left, BLOCK))
            if not count:
                raise ClientError(f"the server closed with {left} of {size} bytes missing")
            left -= count
    if length != size:
        raise ClientError(f"the server announced {length} of {size} bytes")
    say(rate=size / 1e6 / (perf_counter() - start))


def open_one(port: int) -> socket.socket:
    """A connection that has had one answer and is now idle."""
    sock = socket.create_connection((HOST, port), timeout=PATIENCE)
    sock.sendall(request(FAST))
    length, body = read_head(sock)
    while len(body) < length:
        body += sock.recv(length - len(body))
    return sock


def is_open(sock: socket.socket) -> bool:
    """Whether the server still holds its end: an idle socket that is readable has been closed."""
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def idle(port: int, count: int) -> None:
    """Open connections one after the other, then only hold them until told to look again."""
    sockets = []
    with suppress(TimeoutError):
        for _ in range(count):
            sockets.append(open_one(port))  # noqa: PERF401 - those opened before a timeout count
    say(opened=len(sockets))
    sys.stdin.readline()
    say(held=sum(map(is_open, sockets)))


def main(task: str, *arguments: str) -> None:
    """Do one task; the head of this module lists them."""
    port = int(arguments[0])
    if task == "paced":
        rate, seconds, warmup = map(float, arguments[1:])
        paced(port, rate, seconds, warmup)
    else:
        {"upload": upload, "download": download, "idle": idle}[task](port, int(arguments[1]))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (ClientError, OSError) as error:
        sys.exit(str(error) or type(error).__name__)
