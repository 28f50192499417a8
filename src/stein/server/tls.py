"""TLS: the context that the settings describe.

Imported where it is wanted only: ``ssl`` takes four megabytes.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.errors import CertificateError

if TYPE_CHECKING:
    from stein.server.settings import Settings

__all__ = ["make_context"]

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


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
