"""Clients that never forgive: each request has a number, and each must get its own answer."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


def numbered(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A WSGI application that notes each number it is asked with, and answers with it."""
    number = environ["QUERY_STRING"].encode()
    with contextlib.suppress(KeyError):
        descriptor = os.open(os.environ["LOAD_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, number + b"\n")
        os.close(descriptor)
    if environ["PATH_INFO"] == "/exit":
        os._exit(3)
    body = number + b" " + str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


_leaked: list[bytes] = []


def leaking(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The same, and each request leaves 32 KiB behind."""
    _leaked.append(bytes(range(256)) * 128)
    return numbered(environ, start_response)


@dataclass
class Result:
    """What the clients have seen."""

    answered: int = 0
    connections: int = 0
    failures: list[str] = field(default_factory=list)
    workers: set[str] = field(default_factory=set)


class Load:
    """Keep-alive clients in threads, for as long as the context lasts.

    A client opens another connection only when an answer has said that it was the last one.

    :param port: of the server, on 127.0.0.1.
    :param clients: how many.
    :param path: what they ask for.
    """

    def __init__(self, port: int, clients: int = 4, path: str = "/") -> None:
        self.result = Result()
        self._port = port
        self._path = path
        self._numbers = iter(range(1, 1 << 60))
        self._lock = threading.Lock()  # guards the numbers and the result
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, until: Callable[[], bool] = lambda: True) -> None:
        """Wait until so many more were answered, and something is true."""
        goal = self.result.answered + more
        pause = threading.Event()
        while self.result.answered < goal or not until():
            assert any(thread.is_alive() for thread in self._threads)
            pause.wait(0.01)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._connection()
            except OSError as error:
                with self._lock:
                    self.result.failures.append(repr(error))

    def _connection(self) -> None:
        """Ask on one connection until the server says that it was the last time."""
        with socket.create_connection(("127.0.0.1", self._port), 30) as sock:
            with self._lock:
                self.result.connections += 1
            file = sock.makefile("rb")
            with file:
                while not self._stop.is_set():
                    with self._lock:
                        number = next(self._numbers)
                    last = self._ask(sock, file, number)
                    if last:
                        return

    def _ask(self, sock: socket.socket, file: Any, number: int) -> bool:
        """One request; true if its answer says that the connection ends."""
        sock.sendall(f"GET {self._path}?{number} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        status = file.readline()
        fields = {}
        while line := file.readline().strip():
            name, _, value = line.decode().partition(":")
            fields[name.lower()] = value.strip()
        body = file.read(int(fields.get("content-length", "0")))
        own, _, worker = body.decode("latin-1").partition(" ")
        with self._lock:
            if status[9:12] == b"200" and own == str(number):
                self.result.answered += 1
                self.result.workers.add(worker)
            else:
                self.result.failures.append(f"{number}: {status!r} {body!r}")
                return True
        last: str = fields.get("connection", "")
        return last.lower() == "close"


def doubles(notes: Path) -> int:
    """How many numbers the application was asked with more than once."""
    numbers = notes.read_text("ascii").split()
    return len(numbers) - len(set(numbers))
