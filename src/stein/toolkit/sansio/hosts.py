"""The host, the URL and the length of a request, worked out from its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stein.http.hosts import host_is_trusted, request_host
from stein.http.lists import split_list
from stein.http.numbers import parse_int
from stein.http.urls import current_url as get_current_url
from stein.toolkit.exceptions import SecurityError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["get_content_length", "get_current_url", "get_host", "host_is_trusted"]


def get_host(
    scheme: str,
    host_header: str | None,
    server: tuple[str, int | None] | None = None,
    trusted_hosts: Collection[str] | None = None,
) -> str:
    """The host that a request is for, with its port unless the scheme has that one anyway.

    :param scheme: of the request.
    :param host_header: the Host field; ``None`` if there was none.
    :param server: address and port where the server listens, for requests without the field; path
        and ``None`` if it is a Unix socket, which makes no host.
    :param trusted_hosts: as :func:`host_is_trusted` takes them; none trusts every host.
    :return: empty if nothing is known, or the host has characters that no host can have.
    :raises SecurityError: if the host is none of the trusted ones.
    """
    host = request_host(scheme, host_header, server)
    if not trusted_hosts or host_is_trusted(host, trusted_hosts):
        return host
    if host_header is None and (server is None or server[1] is None):
        return ""
    shown = server[0] if host_header is None and server is not None else host_header
    raise SecurityError(f"{shown!r} is none of the hosts that this application trusts.")


def get_content_length(
    http_content_length: str | None = None, http_transfer_encoding: str | None = None
) -> int | None:
    """How many bytes the content of a request has.

    :param http_content_length: the Content-Length field.
    :param http_transfer_encoding: the Transfer-Encoding field.
    :return: ``None`` if the length shows only at the end, as nothing is said about it or the
        content is chunked; 0 for a length that is no number.
    """
    if http_content_length is None:
        return None
    if http_transfer_encoding is not None:
        codings = split_list(http_transfer_encoding.lower())
        if "chunked" in codings:
            return None
    return parse_int(http_content_length) or 0
