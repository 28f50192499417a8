"""Every setting of the server, each written once.

A field carries its default, its help text, its group and, where the name does not tell it, its
flag.  The command line, the environment variables (``STEIN_`` and the name in capitals) and
``docs/settings.md`` are made from these fields; nothing reads argv or the environment past them.
Times are seconds, sizes are bytes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from stein.errors import ConfigurationError, Mistakes
from stein.http.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GROUPS", "PROXY_HEADERS", "Settings"]

KIB: Final = 1024
MIB: Final = 1024 * 1024

GROUPS: Final = (
    "Serving", "Workers", "Process", "Proxies", "Deadlines", "Limits", "Buffers", "TLS", "Logs",
    "Health", "Metrics",
)  # fmt: skip

#: The fields by which a proxy may say what it was asked.
PROXY_HEADERS: Final = (
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
    "x-forwarded-prefix", "forwarded",
)  # fmt: skip


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
    backlog: int = setting(
        2048, "How many connections the kernel may queue before they are accepted.",
        group="Serving", minimum=1,
    )  # fmt: skip
    reuse_port: bool = setting(
        False,
        "Let other servers of the same user, who are told so too, listen on the same port; Linux "
        "spreads the connections over them. Workers of one server share its sockets without it.",
        group="Serving",
    )
    unix_mode: int = setting(
        0o660, "Permission bits of a Unix socket, in octal.", group="Serving", metavar="OCTAL"
    )
    request_buffering: bool = setting(
        True,
        "Read the whole request body before the application is called, so that a slow upload "
        "holds no thread; off: the application reads it as it arrives, and holds a thread "
        "meanwhile; a client that waits for 100 Continue gets it when that begins.",
        group="Serving",
    )
    lenient: bool = setting(
        False,
        "Mend requests that RFC 9112 lets a server mend, with a warning, instead of refusing them: "
        "folded field lines, a Content-Length beside Transfer-Encoding, a fragment in the target, "
        "a path as Host on a Unix socket. Not for a server behind a proxy, which may mend them "
        "otherwise. The development server does so by default.",
        group="Serving",
    )
    server_header: str = setting(
        "stein", "The Server field of every response; empty: none is sent.", group="Serving"
    )

    # Workers
    workers: int = setting(
        1,
        "How many worker processes; auto: as many as the processors and the memory that this "
        "process may use allow. If it is given, be it as 1, a parent process supervises them.",
        group="Workers",
        flags=("--workers", "-w"),
        metavar="N|auto",
        minimum=1,
    )
    worker_kind: str = setting(
        "threads",
        "What runs the calls of a worker: threads, or gevent: greenlets, of which one process can "
        "have thousands, for calls that wait most of their time. Needs stein[gevent]. Unless they "
        "are given, threads is 1000 then and limit_lost_threads 250.",
        group="Workers",
        choices=("threads", "gevent"),
    )
    preload: bool = setting(
        False,
        "Import the application once, in a process of its own, and fork the workers from it: they "
        "share its memory. Linux only. What it opens or starts at import is shared, too: threads "
        "are lost, connections must be opened anew (see worker_start).",
        group="Workers",
    )
    boot_timeout: float = setting(
        0.0, "A worker that has not imported the application after this time has failed to start; "
        "0: it may take as long as it likes.",
        group="Workers", minimum=0, unit="seconds",
    )  # fmt: skip
    heartbeat_timeout: float = setting(
        30.0, "A worker process in which no Python code has run for this long, because a library "
        "does not release the interpreter lock, is ended and replaced; 0: never. This is no "
        "deadline for requests.",
        group="Workers", minimum=0, unit="seconds",
    )  # fmt: skip
    max_requests: int = setting(
        0, "A worker is replaced after this many requests; 0: never.", group="Workers", minimum=0
    )
    max_requests_jitter: int = setting(
        0, "Up to so many requests more, drawn anew for each worker.", group="Workers", minimum=0
    )
    max_rss: int = setting(
        0, "A worker is replaced when its resident memory has grown beyond this; 0: never.",
        group="Workers", minimum=0, unit="bytes",
    )  # fmt: skip
    max_lifetime: float = setting(
        0.0, "A worker is replaced after this time; 0: never.",
        group="Workers", minimum=0, unit="seconds",
    )  # fmt: skip
    control: str = setting(
        "auto",
        "Socket for stein status, reload, scale, stop and upgrade; auto: one in a folder of the "
        "user's own, found by process id; off: none. Only the user who runs the server, and root, "
        "may use it.",
        group="Workers",
        metavar="PATH|off",
    )
    pid_file: str | None = setting(
        None, "File that holds the parent's process id while it runs.",
        group="Workers", metavar="PATH",
    )  # fmt: skip
    on_start: str | None = setting(
        None, "Function, as module:name, that the parent calls before any worker is started; if it "
        "raises, the server does not start.",
        group="Workers", metavar="FUNCTION",
    )  # fmt: skip
    when_ready: str | None = setting(
        None, "Function that the parent calls once, when all workers serve.",
        group="Workers", metavar="FUNCTION",
    )  # fmt: skip
    worker_start: str | None = setting(
        None, "Function that each worker calls before it serves, and after the fork with preload.",
        group="Workers", metavar="FUNCTION",
    )  # fmt: skip
    worker_exit: str | None = setting(
        None, "Function that the parent calls when a worker has ended.",
        group="Workers", metavar="FUNCTION",
    )  # fmt: skip

    # Process
    user: str | None = setting(
        None, "User, by name or number, that the workers run as. The parent, started by root, "
        "keeps its rights: it opens sockets and log files, and runs no code of the application.",
        group="Process", flags=("--user", "-u"), metavar="USER",
    )  # fmt: skip
    group: str | None = setting(
        None, "Group of the workers; the user's own by default.",
        group="Process", flags=("--group", "-g"), metavar="GROUP",
    )  # fmt: skip
    umask: int | None = setting(
        None, "Permission bits that new files of the workers do not get, in octal; by default "
        "as it is where the server is started.",
        group="Process", flags=("--umask", "-m"), metavar="OCTAL",
    )  # fmt: skip

    # Proxies
    trusted_proxies: tuple[str, ...] = setting(
        (), "Proxies of one's own: addresses, networks as 10.0.0.0/8, unix for whoever connects by "
        "a Unix socket, * for everybody. What they say of the client is believed, see "
        "proxy_headers and proxy_protocol; the same fields from anybody else are dropped, see "
        "drop_forwarded. Without this nothing is believed, and nothing dropped.",
        group="Proxies", metavar="ADDRESS",
    )  # fmt: skip
    proxy_headers: tuple[str, ...] = setting(
        ("x-forwarded-for", "x-forwarded-proto"),
        "Which fields a trusted proxy sets, and sets always: what it leaves to the client is not "
        "to stand here. Of x-forwarded-for, -proto, -host, -port, -prefix and forwarded.",
        group="Proxies", metavar="FIELD",
    )  # fmt: skip
    drop_forwarded: bool = setting(
        True, "Take X-Forwarded-* and Forwarded out of the requests of anybody but "
        "trusted_proxies; off: all fields stay as they came, and a rule of the application's own, "
        "such as ProxyFix, has to judge them.",
        group="Proxies",
    )  # fmt: skip
    proxy_protocol: bool = setting(
        False, "Trusted proxies begin each connection with a PROXY protocol header, version 1 or "
        "2, which says who the client is; without it they are turned away.",
        group="Proxies",
    )  # fmt: skip

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
    request_timeout: float = setting(
        0.0, "How long a call of the application may give nothing of its response: the client gets "
        "504, the log the stack of the thread, and another thread the seat. Inside a response, how "
        'long it may fall silent. A view sets its own as environ["stein.request_timeout"], 0: '
        "for ever.",
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
    limit_queue: int = setting(
        1024, "Most complete requests that wait for a free thread; further ones are answered 503 "
        "at once. 0: no limit.",
        group="Limits", minimum=0,
    )  # fmt: skip
    limit_lost_threads: int = setting(
        4, "When so many threads are lost at once, in calls past their request_timeout, the worker "
        "asks to be replaced; no more than there are threads. 0: never.",
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
    error_log_file: str = setting(
        "-", "Where the error log goes; - is standard error. A file that was moved away is opened "
        "anew by itself.",
        group="Logs", metavar="PATH",
    )  # fmt: skip
    log_config: str | None = setting(
        None, "Configuration of Python's logging, for syslog, journald or files of one's own: a "
        "TOML or JSON file, an INI file, or module:DICT. The loggers are stein.error and "
        "stein.access.",
        group="Logs", metavar="PATH",
    )  # fmt: skip
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

    unready_after: float = setting(
        1.0, "How long requests must have waited for a thread without a break until readyz says "
        "503; 0: at once.",
        group="Health", minimum=0, unit="seconds",
    )  # fmt: skip

    # Metrics
    metrics_path: str | None = setting(
        None, "Answer this path, e.g. /metrics, with Prometheus' text format, by the engine "
        "itself: of all workers, whichever is asked. Whoever reaches the server reads it, unless "
        "the proxy in front keeps it back.",
        group="Metrics", metavar="PATH",
    )  # fmt: skip
    statsd: str | None = setting(
        None, "Send metrics to a statsd server, by UDP every 10 s: HOST:PORT, or unix:PATH.",
        group="Metrics", metavar="ADDRESS",
    )  # fmt: skip
    statsd_prefix: str = setting(
        "stein", "What the names of metrics sent to statsd begin with.", group="Metrics"
    )
    statsd_tags: tuple[str, ...] = setting(
        (), "Tag that each metric sent to statsd carries, as NAME:VALUE; DogStatsD and its kin "
        "understand them.",
        group="Metrics", metavar="TAG",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            check(item, getattr(self, item.name))
        faults = list(self._contradictions())
        if len(faults) == 1:
            raise ConfigurationError(faults[0])
        if faults:
            raise Mistakes(faults)

    def _contradictions(self) -> Iterator[str]:
        """Give what does not go together, and what only its own rule can refuse."""
        if not self.bind:
            yield "bind=() listens nowhere: give an address, e.g. 127.0.0.1:5000."
        for each in self.bind if self.reuse_port else ():
            if each.startswith(("unix:", "fd:", "systemd:")):
                yield f"reuse_port is for ports, and bind={each!r} is none: leave one of them out."
        if self.client_cert != "none" and self.client_ca is None:
            yield (
                f"client_cert={self.client_cert!r} needs authorities to check against: "
                "give --client-ca PATH."
            )
        if self.certfile is None and (self.keyfile or self.sni):
            yield "keyfile or sni without a certificate: give --certfile PATH."
        if self.health_path is not None and not self.health_path.startswith("/"):
            yield f"health_path={self.health_path!r} must begin with /, e.g. / or /-"
        if self.preload and self.worker_kind == "gevent":
            yield (
                "preload does not go with worker_kind='gevent', whose loop no fork can share: "
                "leave one of them out."
            )
        if not is_field_value(self.server_header):
            yield f"server_header={self.server_header!r} holds characters no field may have."
        yield from self._faults_of_proxies()
        yield from self._faults_of_metrics()

    def _faults_of_proxies(self) -> Iterator[str]:
        for each in self.trusted_proxies:
            if not is_proxy(each):
                yield (
                    f"trusted_proxies={each!r} is no address (10.0.0.1), network (10.0.0.0/8), "
                    "unix or *."
                )
        for each in self.proxy_headers:
            if each.lower() not in PROXY_HEADERS:
                yield f"proxy_headers={each!r} is not one of: {', '.join(PROXY_HEADERS)}."
        if self.proxy_protocol and not self.trusted_proxies:
            yield "proxy_protocol without proxies to believe: give --trusted-proxies ADDRESS."

    def _faults_of_metrics(self) -> Iterator[str]:
        if self.metrics_path is not None and not self.metrics_path.startswith("/"):
            yield f"metrics_path={self.metrics_path!r} must begin with /, e.g. /metrics"
        if self.statsd is not None and not is_statsd_address(self.statsd):
            yield (
                f"statsd={self.statsd!r} is no address: HOST:PORT, e.g. 127.0.0.1:8125, or "
                "unix:PATH"
            )
        if not is_statsd_word(self.statsd_prefix) or ":" in self.statsd_prefix:
            yield f"statsd_prefix={self.statsd_prefix!r} holds a character that no name may have."
        for each in self.statsd_tags:
            if not is_statsd_word(each):
                yield f"statsd_tags={each!r} holds a character that no tag may have."

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


def is_statsd_address(text: str) -> bool:
    """Whether metrics can be sent to ``text``."""
    if text.startswith("unix:"):
        return len(text) > len("unix:")
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536


def is_statsd_word(text: str) -> bool:
    """Whether ``text`` may be a part of a line for statsd."""
    return text.isprintable() and not set(text) & set(" ,|#@")


def is_proxy(text: str) -> bool:
    """Whether ``text`` says who may be a proxy."""
    import ipaddress  # noqa: PLC0415 - few need it

    if text in {"*", "unix"}:
        return True
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


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
