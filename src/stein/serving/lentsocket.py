"""``environ["werkzeug.socket"]``: a client's socket for programs that speak to it themselves.

WebSocket packages for Flask look for it.  It is duplicated when it is first used: an application
that leaves it alone pays for one small object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket

__all__ = ["LentSocket"]

#: A socket without a deadline would be a blocking one, and the engine's own would become one too:
#: that is a property of the connection, which both share.
FOR_EVER: Final = 365 * 86400.0


class LentSocket:
    """A duplicate of a client's socket, made at first use; it has all methods of a socket.

    :param sock: the engine's.
    """

    __slots__ = ("_lent", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lent: socket.socket | None = None

    def __getattr__(self, name: str) -> Any:
        if self._lent is None:
            self._lent = self._sock.dup()
            self._lent.settimeout(FOR_EVER)
        return getattr(self._lent, name)

    def __del__(self) -> None:
        if self._lent is not None:
            self._lent.close()
