"""TLS: the context that the settings describe, and a socket that speaks it without blocking.

Handshakes are driven by the poller like any reading: a silent client costs a socket and a
deadline, never a thread, and never holds up ``accept``.
"""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.errors import CertificateError

if TYPE_CHECKING:
    from stein.server.settings import Settings

__all__ = ["TLSSocket", "make_context"]

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}

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


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context of the settings; ``None`` if they name no certificate.

    :raises CertificateError: naming the file, the cause and the next step.
    """
    if settings.certfile is None:
        return None
    context = _context(settings, settings.certfile, settings.keyfile)
    others: dict[str, ssl.SSLContext] = {}
    for item in settings.sni:
        host, _, files = item.partition("=")
        if not host or not files:
            message = f"sni={item!r} must read HOST=CERTFILE or HOST=CERTFILE:KEYFILE."
            raise CertificateError(message)
        certfile, _, keyfile = files.partition(":")
        others[host.lower()] = _context(settings, certfile, keyfile or None)
    if others:
        context.sni_callback = _chooser(others)
    return context


def _context(settings: Settings, certfile: str, keyfile: str | None) -> ssl.SSLContext:
    for path in filter(None, (certfile, keyfile, settings.client_ca)):
        if not Path(path).is_file():
            message = f"TLS file {path!r} does not exist or is no file. Check the path."
            raise CertificateError(message)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.tls_min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    asked: list[bool] = []

    def password() -> str:
        # Without a function OpenSSL would ask at the terminal, and hang.
        asked.append(True)
        return settings.key_password or ""

    try:
        context.load_cert_chain(certfile, keyfile, password=password)
    except ssl.SSLError as error:
        message = _explain(certfile, keyfile, error, settings, locked=bool(asked))
        raise CertificateError(message) from error
    except OSError as error:
        message = f"TLS file {keyfile or certfile!r} cannot be read: {error.strerror}."
        raise CertificateError(message) from error
    if settings.ciphers is not None:
        try:
            context.set_ciphers(settings.ciphers)
        except ssl.SSLError as error:
            message = f"ciphers={settings.ciphers!r}: OpenSSL knows none of them."
            raise CertificateError(message) from error
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except ssl.SSLError as error:
            message = f"client_ca={settings.client_ca!r} holds no certificates in PEM form."
            raise CertificateError(message) from error
    context.verify_mode = _VERIFY[settings.client_cert]
    return context


def _explain(
    certfile: str, keyfile: str | None, error: ssl.SSLError, settings: Settings, *, locked: bool
) -> str:
    """Why certificate and key could not be loaded."""
    files = f"certificate {certfile!r}" + (f" with key {keyfile!r}" if keyfile else "")
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "mismatch" in reason:
        return f"{files}: the key belongs to another certificate. Give the matching pair."
    if locked:  # OpenSSL's own words depend on its version, the cipher and chance
        given = "is wrong" if settings.key_password else "is missing"
        return f"{files}: the key is encrypted and its password {given}. Set STEIN_KEY_PASSWORD."
    return f"{files} cannot be used ({reason}). Both must be PEM files; is the key in --keyfile?"


def _chooser(others: dict[str, ssl.SSLContext]) -> Any:
    """The server_name callback: an exact name, or ``*`` for its first label."""

    def choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name is None:
            return
        name = name.lower()
        context = others.get(name) or others.get("*." + name.partition(".")[2])
        if context is not None:
            connection.context = context

    return choose


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
