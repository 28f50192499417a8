"""Certificates for development: made on the spot, signed by nobody."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stein.errors import CertificateError
from stein.server.settings import Settings
from stein.server.tls import make_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate, GeneralName

__all__ = [
    "context_from",
    "generate_adhoc_ssl_context",
    "generate_adhoc_ssl_pair",
    "load_ssl_context",
    "make_pem",
    "make_ssl_devcert",
]

VALID_DAYS: Final = 365
KEY_BITS: Final = 2048


def generate_adhoc_ssl_pair(cn: str | None = None) -> tuple[Certificate, RSAPrivateKey]:
    """Make a key and a certificate for a host, signed with that same key.

    :param cn: the host's name, which then covers its subdomains too; by default this machine, as
        ``localhost``, ``127.0.0.1`` and ``::1``.
    :raises CertificateError: the package cryptography is not installed.
    """
    try:
        from cryptography import x509  # noqa: PLC0415 - not installed with stein
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    except ImportError:
        message = (
            "A certificate made on the spot needs the package cryptography, which is not "
            "installed: pip install cryptography, or give the files of a certificate and its key."
        )
        raise CertificateError(message) from None
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    host = cn or "localhost"
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Made by stein for development"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, host),
        ]
    )
    names: list[GeneralName] = [x509.DNSName(host), x509.DNSName(f"*.{host}")]
    if cn is None:
        names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def make_ssl_devcert(
    base_path: str, host: str | None = None, cn: str | None = None
) -> tuple[str, str]:
    """Write a certificate and its key to files, which can be used at each start.

    A browser that was told once to trust it will not ask again, as it would with one that is
    made anew each time.

    :param base_path: the files' path without ``.crt`` and ``.key``.
    :param host: the host that it is for, with its subdomains.
    :param cn: the same, where no ``host`` is given.
    :returns: the paths of certificate and key.
    :raises CertificateError: the package cryptography is not installed.
    """
    certificate, key = generate_adhoc_ssl_pair(host or cn)
    files = f"{base_path}.crt", f"{base_path}.key"
    write_pair(certificate, key, *files)
    return files


def generate_adhoc_ssl_context() -> ssl.SSLContext:
    """Make a TLS context with a new certificate, of which no file is kept."""
    return context_from(make_pem())


def make_pem() -> str:
    """Make a key and a certificate for this machine, and return both as one text (PEM).

    :raises CertificateError: the package cryptography is not installed.
    """
    return b"".join(texts_of(*generate_adhoc_ssl_pair())).decode("ascii")


def context_from(pem: str) -> ssl.SSLContext:
    """Make a TLS context of what :func:`make_pem` has made."""
    with path_of(pem.encode("ascii")) as path:
        return load_ssl_context(path)


@contextmanager
def path_of(text: bytes) -> Iterator[str]:
    """Give a path that OpenSSL can read a secret from, as it reads files only.

    Where there are files in memory nothing of it comes to a disk, even if this process is killed
    meanwhile.
    """
    own = Path("/proc/self/fd")
    if hasattr(os, "memfd_create") and own.exists():
        number = os.memfd_create("stein-certificate")
        with os.fdopen(number, "wb") as file:
            file.write(text)
            file.flush()
            yield str(own / str(number))
    else:
        with tempfile.NamedTemporaryFile() as named:  # for its owner alone
            named.write(text)
            named.flush()
            yield named.name


def load_ssl_context(
    cert_file: str, pkey_file: str | None = None, protocol: int | None = None
) -> ssl.SSLContext:
    """Make a TLS context of a certificate and its key.

    :param cert_file: the certificate (PEM).
    :param pkey_file: its key; in the certificate's file if not given.
    :param protocol: a ``PROTOCOL_…`` constant of :mod:`ssl`; by default that of a server.
    :raises CertificateError: naming the file and the reason.
    """
    context = make_context(Settings(certfile=cert_file, keyfile=pkey_file))
    if protocol is None or protocol == ssl.PROTOCOL_TLS_SERVER:
        assert context is not None  # noqa: S101 - for the type: there is a certificate
        return context
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(cert_file, pkey_file)
    return context


def write_pair(certificate: Certificate, key: RSAPrivateKey, crt: str, pem: str) -> None:
    """Write both as PEM; only the owner may read the key."""
    public, text = texts_of(certificate, key)
    Path(crt).write_bytes(public)
    # Made with its mode, so that there is no moment in which others could read it.
    Path(pem).unlink(missing_ok=True)
    with os.fdopen(os.open(pem, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)


def texts_of(certificate: Certificate, key: RSAPrivateKey) -> tuple[bytes, bytes]:
    """Return both as PEM."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - not with stein

    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
