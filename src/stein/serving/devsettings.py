"""What ``run_simple`` and ``make_server`` tell the server, from Werkzeug's parameters.

A setting that has no parameter there is read from its variable, such as ``STEIN_ACCESS_LOG``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

from stein.errors import BindError, CertificateError
from stein.server.server import context_for
from stein.serving.load import Given, address_from, load_settings

if TYPE_CHECKING:
    import ssl

    from stein.server.settings import Settings

__all__ = ["TLS", "address_of", "context_of", "settings_for"]

#: What ``ssl_context`` may be.
TLS: TypeAlias = (
    "ssl.SSLContext | tuple[str | os.PathLike[str], str | os.PathLike[str] | None]"
    " | str | os.PathLike[str] | None"
)

#: What the development server has where neither a parameter nor a variable says otherwise.
DEFAULTS: Final = {
    "access_log": "dev",
    # A stop should not wait for the stream that a browser still has open.
    "graceful_timeout": "1s",
    # Nobody is in front of it who could understand a request otherwise.
    "lenient": "on",
}

#: Threads start when they are needed, so many cost nothing; a page with twenty open streams and
#: a debugger stopped in a few requests should not bring the others to a halt.
THREADS: Final = "64"

#: A process that serves one request at a time holds no connection for later: another process may
#: be free when the next request comes.
ONE_AT_A_TIME: Final = {"keep_alive": "0", "limit_connections": "1", "linger_timeout": "200ms"}


def settings_for(  # noqa: PLR0913 - what run_simple takes
    hostname: str,
    port: int,
    *,
    threads: bool = True,
    processes: int = 1,
    ssl_context: TLS = None,
    fd: int | None = None,
) -> Settings:
    """Return the settings of one development server.

    :param hostname: see :func:`stein.serving.run.run_simple`, as for the following.
    :param port: as there.
    :param threads: whether several requests may run at once in this process.
    :param processes: how many processes share the listener.
    :param ssl_context: only files are of interest here; see :func:`context_of`.
    :param fd: a listening socket to use instead of host and port.
    :raises ConfigurationError: something of it cannot work.
    """
    flags = {"bind": Given("fd", (f"fd:{fd}",)) if fd is not None else address_of(hostname, port)}
    defaults = dict(DEFAULTS)
    if processes > 1:
        flags["threads"] = Given(f"processes={processes}", ("1",))
        for name, text in ONE_AT_A_TIME.items():
            flags[name] = Given(f"processes={processes}", (text,))
    elif threads:
        defaults["threads"] = THREADS
    else:
        flags["threads"] = Given("threaded=False", ("1",))
    flags |= files_of(ssl_context)
    for name, text in defaults.items():
        if not os.environ.get(f"STEIN_{name.upper()}"):
            flags.setdefault(name, Given("run_simple", (text,)))
    return load_settings(flags, os.environ).settings


def address_of(hostname: str, port: int) -> Given:
    """Return the address to listen on, as the settings write it."""
    if hostname.startswith("unix://"):
        return Given("hostname", (f"unix:{hostname.removeprefix('unix://')}",))
    if not 0 <= port <= 0xFFFF:
        raise BindError(f"port {port}: must be a number from 0 to 65535")
    given = address_from(hostname, str(port))
    assert given is not None  # noqa: S101 - for the type: it is None only without both
    return given


def is_context(value: object) -> TypeGuard[ssl.SSLContext]:
    """Whether it is a TLS context: if so, somebody has imported ``ssl``, which takes 4 MB."""
    module = sys.modules.get("ssl")
    return module is not None and isinstance(value, module.SSLContext)


def files_of(ssl_context: Any) -> dict[str, Given]:
    """Return the settings of a certificate that is given as files.

    :raises CertificateError: it is nothing that a certificate can be given as.
    """
    if ssl_context is None or ssl_context == "adhoc" or is_context(ssl_context):
        return {}
    if isinstance(ssl_context, str | os.PathLike):
        return {"certfile": Given("ssl_context", (os.fspath(ssl_context),))}
    if not isinstance(ssl_context, tuple | list) or not 1 <= len(ssl_context) <= 2:
        message = (
            f"ssl_context={ssl_context!r} is no ssl.SSLContext, no pair (certificate file, key "
            "file), no path of a file with both, and not 'adhoc'"
        )
        raise CertificateError(message)
    certfile, *keyfile = ssl_context
    files = {"certfile": Given("ssl_context", (os.fspath(certfile),))}
    if keyfile and keyfile[0] is not None:
        files["keyfile"] = Given("ssl_context", (os.fspath(keyfile[0]),))
    return files


def context_of(settings: Settings, ssl_context: TLS) -> ssl.SSLContext | None:
    """Return the TLS context that ``ssl_context`` asks for.

    :param settings: what :func:`settings_for` made of it.
    :raises CertificateError: naming the file and the reason.
    """
    if is_context(ssl_context):
        return ssl_context
    if ssl_context == "adhoc":
        # Slow to import, and seldom used.
        from stein.serving.certificates import generate_adhoc_ssl_context  # noqa: PLC0415

        return generate_adhoc_ssl_context()
    return context_for(settings)
