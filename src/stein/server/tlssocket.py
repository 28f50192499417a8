"""A socket that speaks TLS without blocking.

Handshakes are driven by the poller like any reading: a silent client costs a socket and a
deadline, never a thread, and never holds up ``accept``.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any, Final

__all__ = ["TLSSocket"]

# RFC 4514 3, for the names that Python gives
_SHORT_NAMES: Final = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_SPECIAL: Final = re.compile(r'[,+"\\<>;]|^[ #]|(?<!^) \Z')  # RFC 4514 2.4


class TLSSocket:
    """A TLS connection with the face of a non-blocking socket.

    OpenSSL may need to write in order to read, and the reverse; :attr:`wants_write` tells which
    readiness it waits for when a call raises :class:`BlockingIOError`.

    Threads: the one that owns the connection.
    """

    __slots__ = ("_tls", "wants_write")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._tls = context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self.wants_write = False

    def handshake(self) -> None:
        """Go on with the handshake.

        :raises BlockingIOError: it needs another turn.
        :raises OSError: it failed.
        """
        self._call(self._tls.do_handshake)

    def recv(self, size: int) -> bytes:
        """As :meth:`socket.socket.recv`."""
        try:
            return self._call(self._tls.recv, size)  # type: ignore[no-any-return]
        except ssl.SSLZeroReturnError:  # the peer's close_notify
            return b""

    def send(self, data: Any) -> int:
        """As :meth:`socket.socket.send`."""
        return self._call(self._tls.send, data)  # type: ignore[no-any-return]

    def send_in_the_clear(self, data: bytes) -> None:
        """Send without encryption what fits, to a peer that has not spoken TLS."""
        try:
            socket.socket.send(self._tls, data)
        except OSError:
            return  # gone, or it takes nothing: nobody will miss the explanation

    def pending(self) -> bool:
        """Whether decrypted bytes wait inside, of which no poller knows."""
        return self._tls.pending() > 0

    def _call(self, method: Any, *arguments: Any) -> Any:
        self.wants_write = False
        try:
            return method(*arguments)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self.wants_write = True
            raise BlockingIOError from None

    def variables(self) -> dict[str, str]:
        """What the handshake agreed on, under the names of Apache's mod_ssl."""
        cipher = self._tls.cipher()
        found = {
            "SSL_PROTOCOL": self._tls.version() or "",
            "SSL_CIPHER": cipher[0] if cipher else "",
        }
        certificate = self._tls.getpeercert(binary_form=True)
        if certificate:
            found["SSL_CLIENT_VERIFY"] = "SUCCESS"
            found["SSL_CLIENT_CERT"] = ssl.DER_cert_to_PEM_cert(certificate)
            found["SSL_CLIENT_S_DN"] = _distinguished_name(self._tls.getpeercert() or {})
        return found

    def fileno(self) -> int:
        """As :meth:`socket.socket.fileno`."""
        return self._tls.fileno()

    def shutdown(self, how: int) -> None:
        """Say goodbye to the peer (close_notify), as far as that does not block."""
        if how == socket.SHUT_WR:
            try:
                # One-sided: the answer of the peer is not waited for (RFC 8446 6.1).
                self._call(self._tls.unwrap)
            except (OSError, ValueError):
                pass
        if self._tls.fileno() < 0:
            return
        if how == socket.SHUT_WR:
            self._tls.shutdown(how)
        else:
            # Not SSLSocket.shutdown: it takes the encryption off first, and a call that runs
            # could send its next bytes in the clear.
            socket.socket.shutdown(self._tls, how)

    def close(self) -> None:
        """As :meth:`socket.socket.close`."""
        self._tls.close()


def _distinguished_name(certificate: dict[str, Any]) -> str:
    """The subject of a certificate on one line, as RFC 4514 writes it."""
    names = [
        "+".join(f"{_SHORT_NAMES.get(key, key)}={_escape(value)}" for key, value in group)
        for group in certificate.get("subject", ())
    ]
    # Bytes in the guise of text, as all of environ is (PEP 3333).
    return ",".join(reversed(names)).encode("utf-8").decode("latin-1")


def _escape(value: str) -> str:
    """An attribute's value in which nothing can be taken for another attribute."""
    return _SPECIAL.sub(r"\\\g<0>", value).replace("\0", "\\00")
