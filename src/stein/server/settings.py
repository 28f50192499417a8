"""Every setting of the server, each written once.

A field carries its default, its help text, its group and, where the name does not tell it, its
flag.  The command line, the environment variables (``STEIN_`` and the name in capitals) and
``docs/settings.md`` are made from these fields; nothing reads argv or the environment past them.
Times are seconds, sizes are bytes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from stein.errors import ConfigurationError
from stein.http.limits import Limits

__all__ = ["GROUPS", "Settings"]

KIB: Final = 1024
MIB: Final = 1024 * 1024

GROUPS: Final = ("Serving", "Deadlines", "Limits", "Buffers", "TLS", "Logs", "Health")


def setting(  # noqa: PLR0913 - the one place where a setting is described
    default: Any,
    help: str,  # noqa: A002 - the word that the field's readers know
    *,
    group: str,
    flags: tuple[str, ...] = (),
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    unit: Literal["", "bytes", "seconds"] = "",
) -> Any:
    """Describe one setting.

    :param default: its value when nobody says otherwise.
    :param help: one sentence for ``--help`` and the reference page.
    :param group: the heading it stands under, one of :data:`GROUPS`.
    :param flags: its command-line flags; made from the field's name when empty.
    :param metavar: how its value is called in ``--help``.
    :param choices: the only values it may have.
    :param minimum: the smallest number it may be.
    :param unit: what its number counts, where it may be written with a suffix: ``64k``, ``2m``.
    """
    metadata = {
        "help": help,
        "group": group,
        "flags": flags,
        "metavar": metavar,
        "choices": choices,
        "minimum": minimum,
        "unit": unit,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server is told, as one frozen value.

    :raises ConfigurationError: for a value that cannot work, naming it and what would.
    """

    # Serving
    bind: tuple[str, ...] = setting(
        ("127.0.0.1:5000",),
        "Address to listen on; may be given several times: HOST:PORT, [IPV6]:PORT, :PORT (every "
        "address, IPv4 and IPv6), unix:PATH, fd:NUMBER, systemd: (socket activation).",
        group="Serving",
        flags=("--bind", "-b"),
        metavar="ADDRESS",
    )
    threads: int = setting(
        16,
        "How many calls of the application may run at once. 1 means a single thread that does "
        "everything: then a call that blocks makes all others wait.",
        group="Serving",
        minimum=1,
    )
    workers: int = setting(
        1,
        "How many worker processes; only 1 works today.",
        group="Serving",
        flags=("--workers", "-w"),
        minimum=1,
    )
    backlog: int = setting(
        2048, "How many connections the kernel may queue before they are accepted.",
        group="Serving", minimum=1,
    )  # fmt: skip
    unix_mode: int = setting(
        0o660, "Permission bits of a Unix socket, in octal.", group="Serving", metavar="OCTAL"
    )
    request_buffering: bool = setting(
        True,
        "Read the whole request body before the application is called, so that a slow upload "
        "holds no thread; off: the application reads it as it arrives.",
        group="Serving",
    )
    server_header: str = setting(
        "stein", "The Server field of every response; empty: none is sent.", group="Serving"
    )

    # Deadlines
    head_timeout: float = setting(
        30.0, "A request head must be complete this long after the connection was accepted, or "
        "after the first byte of a later request.",
        group="Deadlines", minimum=0.001, unit="seconds",
    )  # fmt: skip
    body_timeout: float = setting(
        60.0, "Longest silence inside a request body; also its start-up allowance before "
        "body_min_rate counts.",
        group="Deadlines", minimum=0.001, unit="seconds",
    )  # fmt: skip
    body_min_rate: int = setting(
        500, "A request body that arrives slower than this many bytes per second, after its "
        "allowance, is given up; 0: any rate will do.",
        group="Deadlines", minimum=0, unit="bytes",
    )  # fmt: skip
    keep_alive: float = setting(
        75.0, "How long an idle connection is kept for its next request; 0: connections are "
        "closed after each answer.",
        group="Deadlines", minimum=0, unit="seconds",
    )  # fmt: skip
    write_timeout: float = setting(
        60.0, "Longest time in which a client takes not one byte of its response.",
        group="Deadlines", minimum=0.001, unit="seconds",
    )  # fmt: skip
    handshake_timeout: float = setting(
        10.0, "A TLS handshake must be complete this long after the connection was accepted.",
        group="Deadlines", minimum=0.001, unit="seconds",
    )  # fmt: skip
    linger_timeout: float = setting(
        2.0, "After a closing answer, how long what the client still sends is read and dropped, "
        "so that the answer is not lost to a reset.",
        group="Deadlines", minimum=0.001, unit="seconds",
    )  # fmt: skip
    queue_timeout: float = setting(
        60.0, "How long a complete request may wait for a free thread before it is answered 503; "
        "0: for ever.",
        group="Deadlines", minimum=0, unit="seconds",
    )  # fmt: skip
    retry_after: int = setting(
        5,
        "The Retry-After field of a 503, in seconds; 0: try again at once.",
        group="Deadlines",
        minimum=0,
    )
    graceful_timeout: float = setting(
        30.0, "At a graceful stop, how long running requests may take to finish; 0: they are "
        "cut off at once.",
        group="Deadlines", minimum=0, unit="seconds",
    )  # fmt: skip

    # Limits
    limit_request_line: int = setting(
        8190, "Longest request line; longer: 414.", group="Limits", minimum=64, unit="bytes"
    )
    limit_header_bytes: int = setting(
        64 * KIB,
        "Largest block of header fields; larger: 431.",
        group="Limits",
        minimum=64,
        unit="bytes",
    )
    limit_header_fields: int = setting(
        100, "Most header fields of a request; more: 431.", group="Limits", minimum=1
    )
    limit_chunk_overhead: int = setting(
        16 * KIB, "Most bytes of chunk extensions and trailer fields in one request body; more: "
        "431.",
        group="Limits", minimum=0, unit="bytes",
    )  # fmt: skip
    limit_body: int | None = setting(
        None, "Largest request body; larger: 413. Unlimited by default, as frameworks set their "
        "own.",
        group="Limits", minimum=0, unit="bytes",
    )  # fmt: skip
    limit_connections: int = setting(
        8192, "Most connections at once; further ones wait in the kernel's queue.",
        group="Limits", minimum=1,
    )  # fmt: skip
    limit_connections_per_address: int = setting(
        0, "Most connections at once from one client address; further ones are closed. 0: no "
        "limit, as behind a proxy all clients share one.",
        group="Limits", minimum=0,
    )  # fmt: skip
    limit_connection_requests: int = setting(
        0, "Most requests on one connection; the last answer says Connection: close. 0: no limit.",
        group="Limits", minimum=0,
    )  # fmt: skip
    linger_bytes: int = setting(
        MIB, "Most bytes that are read and dropped after a closing answer.",
        group="Limits", minimum=0, unit="bytes",
    )  # fmt: skip

    # Buffers
    body_buffer: int = setting(
        512 * KIB, "A request body larger than this is kept in a temporary file, not in memory.",
        group="Buffers", minimum=0, unit="bytes",
    )  # fmt: skip
    response_buffer: int = setting(
        MIB, "A streamed response is suspended while more than this waits for a slow client.",
        group="Buffers", minimum=1, unit="bytes",
    )  # fmt: skip

    # TLS
    certfile: str | None = setting(
        None, "Certificate chain (PEM); with it the server speaks HTTPS.",
        group="TLS", metavar="PATH",
    )  # fmt: skip
    keyfile: str | None = setting(
        None, "Private key (PEM), if it is not in the certificate's file.",
        group="TLS", metavar="PATH",
    )  # fmt: skip
    key_password: str | None = setting(
        None, "Password of the private key; better given as STEIN_KEY_PASSWORD, since other "
        "users can read a command line.",
        group="TLS",
    )  # fmt: skip
    sni: tuple[str, ...] = setting(
        (), "A further certificate for one host name, HOST=CERTFILE[:KEYFILE]; may be given "
        "several times. *.example.org covers one level.",
        group="TLS", metavar="HOST=FILES",
    )  # fmt: skip
    client_ca: str | None = setting(
        None, "Authorities (PEM) that client certificates are checked against.",
        group="TLS", flags=("--client-ca", "--ca-certs"), metavar="PATH",
    )  # fmt: skip
    client_cert: str = setting(
        "none", "Are clients asked for a certificate?",
        group="TLS", choices=("none", "optional", "required"),
    )  # fmt: skip
    tls_min_version: str = setting(
        "1.2", "Oldest TLS version that is spoken.", group="TLS", choices=("1.2", "1.3")
    )
    ciphers: str | None = setting(
        None, "Cipher list of TLS 1.2 in OpenSSL's notation.", group="TLS"
    )

    # Logs
    access_log: str = setting(
        "auto", "Format of the access log: auto is dev on a terminal and combined elsewhere.",
        group="Logs", choices=("auto", "dev", "combined", "json", "off"),
    )  # fmt: skip
    access_log_file: str = setting(
        "-", "Where the access log goes; - is standard output.", group="Logs", metavar="PATH"
    )
    log_level: str = setting(
        "info", "How much the error log tells.",
        group="Logs", choices=("debug", "info", "warning", "error", "critical"),
    )  # fmt: skip

    # Health
    health_path: str | None = setting(
        None, "Answer PREFIX/livez and PREFIX/readyz by the engine itself, never by an "
        "application thread; / gives /livez and /readyz.",
        group="Health", metavar="PREFIX",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            check(item, getattr(self, item.name))
        if not self.bind:
            message = "bind=() listens nowhere: give an address, e.g. 127.0.0.1:5000."
            raise ConfigurationError(message)
        if self.workers != 1:
            message = (
                f"workers={self.workers}: several worker processes come with a later version. "
                "Use 1 worker and more --threads, or several servers behind a proxy."
            )
            raise ConfigurationError(message)
        if self.client_cert != "none" and self.client_ca is None:
            message = (
                f"client_cert={self.client_cert!r} needs authorities to check against: "
                "give --client-ca PATH."
            )
            raise ConfigurationError(message)
        if self.certfile is None and (self.keyfile or self.sni):
            message = "keyfile or sni without a certificate: give --certfile PATH."
            raise ConfigurationError(message)
        if self.health_path is not None and not self.health_path.startswith("/"):
            message = f"health_path={self.health_path!r} must begin with /, e.g. / or /-"
            raise ConfigurationError(message)
        if not is_field_value(self.server_header):
            message = f"server_header={self.server_header!r} holds characters no field may have."
            raise ConfigurationError(message)

    @property
    def limits(self) -> Limits:
        """The part of the settings that the request reader holds to."""
        return Limits(
            request_line=self.limit_request_line,
            header_bytes=self.limit_header_bytes,
            header_fields=self.limit_header_fields,
            chunk_overhead=self.limit_chunk_overhead,
            body=self.limit_body,
        )


def is_field_value(text: str) -> bool:
    """Whether ``text`` could stand in a header field (RFC 9110 5.5)."""
    return text.isascii() and (text == "" or text.isprintable())


def check(item: dataclasses.Field[Any], value: object) -> None:
    """Refuse a value that the field's own description rules out."""
    choices, minimum = item.metadata["choices"], item.metadata["minimum"]
    if choices and value not in choices:
        message = f"{item.name}={value!r} is not one of: {', '.join(choices)}."
        raise ConfigurationError(message)
    if minimum is None or value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{item.name}={value!r} must be a number."
        raise ConfigurationError(message)
    if not value >= minimum:
        message = f"{item.name}={value!r} must be at least {minimum}."
        raise ConfigurationError(message)
    if str(item.type).startswith("int") and not isinstance(value, int):
        message = f"{item.name}={value!r} must be a whole number."
        raise ConfigurationError(message)
