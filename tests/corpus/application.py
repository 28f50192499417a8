"""The WSGI application of the corpus: it notes each call and answers with what it was given."""

from __future__ import annotations

import dataclasses
import http
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PREFIX = "/app/"
"""Paths under it choose another behaviour: unread, beyond, pieces, status/NNN."""


@dataclasses.dataclass(slots=True)
class Call:
    """What one call was given; `body` stays None when the application did not read it whole."""

    environ: dict[str, str]
    body: bytes | None = None

    @property
    def method(self) -> str:
        """The method as the server delivered it."""
        return self.environ.get("REQUEST_METHOD", "")

    @property
    def path(self) -> str:
        """The decoded path as the server delivered it."""
        return self.environ.get("PATH_INFO", "")

    def content(self) -> bytes:
        """Give the call as the answer carries it."""
        body = None if self.body is None else self.body.decode("latin-1")
        return json.dumps({"environ": self.environ, "body": body}).encode("ascii")


class Application:
    """Answers 200 with the JSON of its call, and remembers all calls since `forget`."""

    def __init__(self) -> None:
        """Start with no calls."""
        # Appended by the server's threads, read by the test after the answer: list.append is
        # atomic and the answer comes after it, so no lock is needed.
        self.calls: list[Call] = []
        self.paths: set[str] = set()

    def forget(self) -> None:
        """Begin a new case; the paths of the whole life stay known, for late calls."""
        self.calls = []

    def __call__(
        self,
        environ: dict[str, Any],
        start_response: Callable[[str, list[tuple[str, str]]], object],
    ) -> Iterable[bytes]:
        """Note the call first, then read the body, then answer: a failing read leaves a trace."""
        strings = {name: value for name, value in environ.items() if isinstance(value, str)}
        call = Call(strings)
        self.calls.append(call)
        self.paths.add(call.path)
        behaviour = call.path.removeprefix(PREFIX) if call.path.startswith(PREFIX) else ""
        if behaviour != "unread":
            stream = environ["wsgi.input"]
            call.body = stream.read()
            if behaviour == "beyond":
                call.body += stream.read() + stream.read(100) + stream.readline()
        if behaviour.startswith("status/"):
            code = http.HTTPStatus(int(behaviour.removeprefix("status/")))
            start_response(f"{code.value} {code.phrase}", [])
            return []
        content = call.content()
        headers = [("Content-Type", "application/json")]
        if behaviour == "pieces":
            start_response("200 OK", headers)
            return iter((content[:10], b"", content[10:20], content[20:]))
        start_response("200 OK", [*headers, ("Content-Length", str(len(content)))])
        return [content]
