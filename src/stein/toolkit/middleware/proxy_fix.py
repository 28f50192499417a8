"""The request as the client made it, when one's own proxies stand in between.

The application then sees the proxy's address, the scheme and host of the inner network, and the
path behind the proxy's.  What the proxy was asked it tells in the ``X-Forwarded-*`` fields or in
``Forwarded`` (RFC 7239).  So can everybody: the fields are worth what the trust in their sender is
worth, and what is not trusted must not be left lying about for others to believe.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from stein.http.forwarded import Origin, Trust, read_forwarded, read_x_forwarded
from stein.http.hosts import split_host

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["ProxyFix"]

_FORWARDED: Final = "HTTP_FORWARDED"
# In the order of the fields of Origin and Trust.
_X_FORWARDED: Final = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
)
_ALL: Final = (_FORWARDED, *_X_FORWARDED)
_NAMES: Final = ("For", "Proto", "Host", "Port", "Prefix")
_CHANGED: Final = (
    "REMOTE_ADDR",
    "wsgi.url_scheme",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "SCRIPT_NAME",
)
_LONGEST_REMEMBERED: Final = 256  # characters of all fields together
_NOTHING: Final = Origin()
# What this middleware has taken out, for another one of its kind further in.
_DROPPED: Final = "stein.proxy_fix.dropped"
_ORIGINAL: Final = "werkzeug.proxy_fix.orig"


class ProxyFix:
    """Sets the environ to what the outermost trusted proxy was asked.

    ======================= ================================================
    field                   sets
    ======================= ================================================
    ``X-Forwarded-For``     ``REMOTE_ADDR``
    ``X-Forwarded-Proto``   ``wsgi.url_scheme``
    ``X-Forwarded-Host``    ``HTTP_HOST``, ``SERVER_NAME``, ``SERVER_PORT``
    ``X-Forwarded-Port``    ``HTTP_HOST``, ``SERVER_PORT``
    ``X-Forwarded-Prefix``  ``SCRIPT_NAME``
    ``Forwarded``           what its ``for``, ``proto`` and ``host`` say
    ======================= ================================================

    For each field the number of proxies that add to it is told; the value that many places from
    the end counts.  If there are fewer values, or the value is none that could be (an ``unknown``
    address, a port of 0, a prefix of ``//``), nothing is set::

        app = ProxyFix(app, x_for=1, x_proto=1, x_host=1)  # nginx in front
        app = ProxyFix(app, forwarded=1)                   # a proxy that speaks RFC 7239

    Those of the fields above that were not believed are taken out of the environ, so that no
    other code believes them; with nothing trusted at all they stay.  Use this only behind a
    proxy: a client that reaches the application directly would be believed.

    The values from before are in ``environ["werkzeug.proxy_fix.orig"]``, a dict by key.

    :param app: the application.
    :param x_for: how many proxies add to ``X-Forwarded-For``.
    :param x_proto: the same for ``X-Forwarded-Proto``.
    :param x_host: the same for ``X-Forwarded-Host``.
    :param x_port: the same for ``X-Forwarded-Port``.
    :param x_prefix: the same for ``X-Forwarded-Prefix``.
    :param forwarded: the same for ``Forwarded``.  With it ``X-Forwarded-For``, ``-Proto`` and
        ``-Host`` are not trusted: a proxy sets the one or the others, and clients the rest.
    :param trust: all of these numbers as one value, which may be shared with the server; it
        replaces them.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - werkzeug's signature
        self,
        app: WSGIApplication,
        x_for: int = 1,  # most proxies set these two
        x_proto: int = 1,
        x_host: int = 0,  # many leave these to the client
        x_port: int = 0,
        x_prefix: int = 0,
        *,
        forwarded: int = 0,
        trust: Trust | None = None,
    ) -> None:
        self.app = app
        if trust is None:
            trust = Trust(x_for, x_proto, x_host, x_port, x_prefix, forwarded)
        self.x_for, self.x_proto, self.x_host = trust.for_, trust.proto, trust.host
        self.x_port, self.x_prefix, self.forwarded = trust.port, trust.prefix, trust.forwarded

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Set the environ and call the application."""
        get = environ.get
        environ[_ORIGINAL] = {key: get(key) for key in _CHANGED}
        trust = Trust(self.x_for, self.x_proto, self.x_host, self.x_port, self.x_prefix)
        if self.forwarded > 0:
            _apply(environ, self._believe_forwarded(environ, trust))
        elif any(trust):
            _apply(environ, _believe(environ, trust))
        return self.app(environ, start_response)

    def _believe_forwarded(self, environ: Environ, trust: Trust) -> Origin:
        """What ``Forwarded`` says, and for what it has no words the other fields."""
        said = _believe(environ, trust._replace(for_=0, proto=0, host=0))
        field = environ[_DROPPED].get(_FORWARDED)
        told = read_forwarded(field, self.forwarded)
        if told == _NOTHING:
            return said
        environ[_FORWARDED] = field
        return told._replace(port=said.port, prefix=said.prefix)


def _believe(environ: Environ, trust: Trust) -> Origin:
    """Take all fields of proxies out of the environ, and put back what is believed."""
    fields: dict[str, str] = environ.setdefault(_DROPPED, {})
    for key in _ALL:
        if key in environ:
            fields[key] = environ.pop(key)
    values = tuple(map(fields.get, _X_FORWARDED))
    # PERF: reading them takes 3 us, and one client's requests all have the same.
    short = sum(map(len, filter(None, values))) <= _LONGEST_REMEMBERED
    said = (_remembered if short else _read)(trust, values)
    for key, value in zip(_X_FORWARDED, said, strict=True):
        if value is not None:
            environ[key] = fields[key]
    return said


def _read(trust: Trust, values: tuple[str | None, ...]) -> Origin:
    return read_x_forwarded(dict(zip(_NAMES, values, strict=True)).get, trust)


_remembered = lru_cache(maxsize=512)(_read)


def _apply(environ: Environ, said: Origin) -> None:
    """Write what is believed over what the server saw."""
    if said.address:
        environ["REMOTE_ADDR"] = said.address
    if said.scheme:
        environ["wsgi.url_scheme"] = said.scheme
    if said.host:
        environ["HTTP_HOST"] = environ["SERVER_NAME"] = said.host
        name, port = split_host(said.host) or (said.host, None)
        if port is not None:
            environ["SERVER_NAME"], environ["SERVER_PORT"] = name, str(port)
    if said.port:
        parts = split_host(environ.get("HTTP_HOST", ""))
        if parts is not None:
            environ["HTTP_HOST"] = f"{parts[0]}:{said.port}"
        environ["SERVER_PORT"] = str(said.port)
    if said.prefix is not None:
        environ["SCRIPT_NAME"] = said.prefix
