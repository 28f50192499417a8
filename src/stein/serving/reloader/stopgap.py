"""The server that answers while the program cannot."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stein.server import Server
from stein.serving.devlog import DevelopmentLog
from stein.serving.reloader.failure import page_for
from stein.serving.reloader.live import without_questions

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
        self._log_settings = settings
        self._running: tuple[Server, DevelopmentLog] | None = None

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
        page = page_for(failure, run, details=details)
        log = DevelopmentLog(self._log_settings)
        observe = without_questions(log.observe)
        server = Server(page, settings, tls=self._tls, observer=observe)
        server.start()
        self._running = server, log

    def close(self, *, wait: bool = False) -> None:
        """Answer no longer; connections that come now wait for the program.

        :param wait: return when it has stopped, and not before.
        """
        running, self._running = self._running, None
        if running is None:
            return
        server, log = running
        server.request_stop(GRACE)
        if wait:
            end(server, log)
        else:
            threading.Thread(target=end, args=(server, log), name="stein-stopgap").start()


def end(server: Server, log: DevelopmentLog) -> None:
    """Let a server stop, and its last requests be logged."""
    server.stop(GRACE)
    log.close()
