"""The server that answers while the program cannot."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stein.server import Server
from stein.serving.reloader.failure import page_for

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Sequence

    from stein.server.settings import Settings
    from stein.serving.reloader.failure import Failure

__all__ = ["Stopgap"]

THREADS: Final = 2
GRACE: Final = 0.2  # seconds; a page is sent in far less


class Stopgap:
    """Serves the page about a failure on the parent's sockets; runs nothing of the user's.

    The main thread's.

    :param settings: those of the program's own server.
    :param listeners: stay open.
    :param tls: as for the program.
    """

    def __init__(
        self, settings: Settings, listeners: Sequence[socket.socket], tls: ssl.SSLContext | None
    ) -> None:
        self._settings = replace(
            settings, threads=THREADS, request_buffering=True, health_path=None, access_log="off"
        )
        self._listeners = listeners
        self._tls = tls
        self._server: Server | None = None

    def open(self, failure: Failure, run: str, *, details: bool) -> None:
        """Begin to answer.

        :param failure: what to tell.
        :param run: see :func:`~stein.serving.reloader.failure.page_for`.
        :param details: the same.
        """
        if not self._listeners:
            return
        copies = tuple(f"fd:{os.dup(sock.fileno())}" for sock in self._listeners)
        settings = replace(self._settings, bind=copies)
        server = Server(page_for(failure, run, details=details), settings, tls=self._tls)
        server.start()
        self._server = server

    def close(self, *, wait: bool = False) -> None:
        """Answer no longer; connections that come now wait for the program.

        :param wait: return when it has stopped, and not before.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.request_stop(GRACE)
        if wait:
            server.stop(GRACE)
        else:
            threading.Thread(target=server.stop, args=(GRACE,), name="stein-stopgap").start()
