"""``passthrough_errors``: an exception of the application's ends the server.

For people whose debugger stops where an exception leaves the program.  The client is answered
first, as far as that is still possible.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.serving.devserver import BaseWSGIServer
    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["passing_through"]

ANSWER = b"500 Internal Server Error\n"


def passing_through(
    server: BaseWSGIServer,
    application: WSGIApplication,
    environ: Environ,
    start_response: StartResponse,
) -> Iterable[bytes]:
    """Call the application; what it raises is the server's end."""
    try:
        result = application(environ, start_response)
    except BaseException as error:  # noqa: BLE001 - it is raised again, elsewhere
        return answer(server, error, start_response)
    if isinstance(result, list | tuple):
        return result
    return Watched(server, result, start_response)


def answer(
    server: BaseWSGIServer, error: BaseException, start_response: StartResponse
) -> Iterable[bytes]:
    """Hand an exception to the server, and tell the client as much as it may know."""
    server.pass_on(error)
    # Raises the exception again if the response has begun: then the connection is cut off.
    start_response("500 Internal Server Error", [("Content-Type", "text/plain")], sys.exc_info())  # type: ignore[arg-type] # one is being handled
    return [ANSWER]


class Watched:
    """The body of a response that may raise on the way."""

    def __init__(
        self, server: BaseWSGIServer, body: Iterable[bytes], start_response: StartResponse
    ) -> None:
        self._server = server
        self._body = body
        self._start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised again, elsewhere
            yield from answer(self._server, error, self._start_response)

    def close(self) -> None:
        """Close the body."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
