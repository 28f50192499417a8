"""The server: sockets, threads and the call of a WSGI application.  It knows no framework."""

from stein.server.server import Server
from stein.server.settings import Settings

__all__ = ["Server", "Settings"]
