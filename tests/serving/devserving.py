"""Applications, and a server in a thread, for the tests of server objects."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stein.serving.devserver import make_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.serving.devserver import BaseWSGIServer
    from stein.typing import Environ, StartResponse, WSGIApplication


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Tell of the request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("wsgi.url_scheme", "wsgi.multithread", "wsgi.multiprocess", "PATH_INFO")
    return [" ".join(str(environ[name]) for name in names).encode()]


class Overlaps:
    """An application that counts how many of its calls run at once.

    Each waits until ``at_once`` are inside, or until that has not happened for a while.

    :param at_once: how many there should be.
    :param patience: seconds.
    """

    def __init__(self, at_once: int, patience: float = 0.3) -> None:
        self._guard = threading.Condition()
        self._at_once = at_once
        self._patience = patience
        self._inside = 0
        self.most = 0
        self.threads: set[str] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with self._guard:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.threads.add(threading.current_thread().name)
            self._guard.notify_all()
            self._guard.wait_for(lambda: self.most >= self._at_once, self._patience)
            self._inside -= 1
        return app(environ, start_response)


@contextmanager
def serving(application: WSGIApplication = app, **options: Any) -> Iterator[BaseWSGIServer]:
    """Serve in a thread."""
    options.setdefault("host", "127.0.0.1")
    options.setdefault("port", 0)
    with make_server(app=application, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def fetch(port: int, path: str = "/", method: str = "GET", **options: Any) -> Answer:
    """Ask a server on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, **options)
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Answer:
    """A response that was read."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


def fetch_together(port: int, count: int) -> list[Answer]:
    """Ask as often as that at the same time."""
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(fetch(port))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
