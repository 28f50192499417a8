"""URLs with characters of every script, and with ASCII only (RFC 3986, RFC 3987).

Nothing in here raises for any text: what is no URL is taken apart as far as it goes, and what
cannot stand in a URL is percent-encoded where it stands.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "UrlParts",
    "current_url",
    "encode_query",
    "iri_to_uri",
    "percent_decode",
    "percent_encode",
    "split_url",
    "uri_to_iri",
]

# The URL standard's code points of each part; % is for what is encoded already.
_PATH_SAFE: Final = "%!$&'()*+,/:;=@"
_QUERY_SAFE: Final = _PATH_SAFE + "?"
_FRAGMENT_SAFE: Final = _QUERY_SAFE + "#"
_USER_SAFE: Final = "%!$&'()*+,;="
_HOST_SAFE: Final = "%!$&'()*+,;="
_ARGUMENT_SAFE: Final = "!$'()*,/:;?@"
_UNRESERVED: Final = "-._~"

# RFC 3986 B, with the scheme of 3.1; every part ends at a character that it cannot hold.
_URL: Final = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.\-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:\#(.*))?", re.DOTALL
)
_RUN: Final = re.compile("(?:%[0-9A-Fa-f]{2})+")
# A URL that iri_to_uri() has nothing to do for.
_PLAIN: Final = re.compile(
    r"(?:https?://[a-z0-9.\-]+(?::[0-9]+)?|(?!//))(?:[/?#][A-Za-z0-9\-._~%!$&'()*+,/:;=@?#]*)?"
)
#: a host is encoded or decoded up to this many characters: longer names do not exist (RFC 1035)
_LONGEST_HOST: Final = 255
_LONGEST_LABEL: Final = 63


class UrlParts(NamedTuple):
    """The five parts; ``None`` where the mark of a part is missing, too (RFC 3986 5.3)."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None

    def join(self) -> str:
        """Put the parts together again."""
        scheme, authority, path, query, fragment = self
        return "".join((
            "" if scheme is None else f"{scheme}:",
            "" if authority is None else f"//{authority}",
            path,
            "" if query is None else f"?{query}",
            "" if fragment is None else f"#{fragment}",
        ))  # fmt: skip


def split_url(url: str) -> UrlParts:
    """Take a URL, or a reference relative to one, apart; joined again it is the same text."""
    match = _URL.fullmatch(url)
    assert match is not None  # noqa: S101 - every part may be missing: the pattern fits each text
    return UrlParts(*match.groups())


@lru_cache(maxsize=64)
def _encoder(safe: str) -> tuple[Callable[[str], object], list[str]]:
    """The test for texts that stay as they are, and what becomes of each byte of the others."""
    letters = "".join(chr(code) for code in range(128) if chr(code).isalnum())
    stay = letters + _UNRESERVED + safe
    pattern = re.compile(f"[{re.escape(stay)}]*")
    table = [chr(code) if chr(code) in stay else f"%{code:02X}" for code in range(256)]
    return pattern.fullmatch, table


def percent_encode(text: str | bytes, safe: str = "/") -> str:
    """Encode what may not stand in a part of a URL (RFC 3986 2.1).

    :param text: text is encoded as UTF-8; half of a surrogate pair, too.
    :param safe: the ASCII characters that stay, besides letters, digits and ``-._~``.
    """
    stays, table = _encoder(safe)
    if isinstance(text, str):
        if stays(text) is not None:
            return text
        text = text.encode("utf-8", "surrogatepass")
    return "".join([table[byte] for byte in text])


def percent_decode(text: str, errors: str = "replace", charset: str = "utf-8") -> str:
    """Decode all percent-encoded bytes; what else is in the text stays.

    :param errors: what becomes of bytes that the charset does not have, as ``bytes.decode`` takes
        it.
    :param charset: one of Python's codecs.
    """
    if "%" not in text:
        return text
    return _RUN.sub(
        lambda match: bytes.fromhex(match[0].replace("%", "")).decode(charset, errors), text
    )


#: bytes that were no UTF-8, which the decoder let stand as surrogates, encoded again
_UNDECODED: Final = {0xDC00 + code: f"%{code:02X}" for code in range(128, 256)}


@lru_cache(maxsize=8)
def _runs(keep: str) -> Callable[[Callable[[re.Match[str]], str], str], str]:
    """What replaces the runs of encoded bytes that may be decoded.

    Compiled on first use: the four of them take longer than importing this module.
    """
    kept = "|".join([f"{code:02X}" for code in keep.encode()])
    pattern = f"(?:%(?![01]|20|25|7F|{kept})[0-9A-F]{{2}})+"
    return re.compile(pattern, re.IGNORECASE | re.ASCII).sub


def _decoded(match: re.Match[str]) -> str:
    data = bytes.fromhex(match[0].replace("%", ""))
    return data.decode("utf-8", "surrogateescape").translate(_UNDECODED)


def _decode(text: str, keep: str) -> str:
    """Decode what can be without changing what a part of a URL means.

    :param keep: stays encoded, besides controls, the blank and the percent sign itself.
    """
    return _runs(keep)(_decoded, text) if "%" in text else text


# What stays encoded in each part, as it would end it.
_PATH_KEPT: Final = "/?#"
_QUERY_KEPT: Final = "&=+#"
_FRAGMENT_KEPT: Final = "%"
_USER_KEPT: Final = ":@/?#"


def iri_to_uri(iri: str) -> str:
    """Write a URL in ASCII: percent-encoded, its host in Punycode (RFC 3987 3.1).

    A host that has no form in Punycode is percent-encoded as well.  Blanks around the URL are
    dropped; control characters in it are encoded, never dropped, so that they cannot turn a path
    into an authority.

    :param iri: with characters of any script; what is encoded already stays.
    """
    # PERF: most redirects lead to plain paths; taking these apart takes five times as long.
    if _PLAIN.fullmatch(iri) is not None:
        return iri
    scheme, authority, path, query, fragment = split_url(iri.strip(" \t\r\n"))
    return UrlParts(
        scheme and scheme.lower(),
        authority and _map_authority(authority, _encode_host, _encode_user),
        percent_encode(path, _PATH_SAFE),
        None if query is None else percent_encode(query, _QUERY_SAFE),
        None if fragment is None else percent_encode(fragment, _FRAGMENT_SAFE),
    ).join()


def uri_to_iri(uri: str) -> str:
    """Write a URL for people: decoded where that does not change what it means (RFC 3987 3.2).

    Reserved characters, controls, the blank and bytes that are no UTF-8 stay encoded.
    """
    scheme, authority, path, query, fragment = split_url(uri.strip(" \t\r\n"))
    return UrlParts(
        scheme and scheme.lower(),
        authority and _map_authority(authority, _decode_host, _decode_user),
        _decode(path, _PATH_KEPT),
        query and _decode(query, _QUERY_KEPT),
        fragment and _decode(fragment, _FRAGMENT_KEPT),
    ).join()


def _map_authority(
    authority: str, map_host: Callable[[str], str], map_user: Callable[[str], str]
) -> str:
    """Change the parts of ``user:password@host:port`` (RFC 3986 3.2)."""
    userinfo, at, rest = authority.rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or "]" in port:  # none, or one of an IPv6 address
        host, port = rest, ""
    user, password_colon, password = userinfo.partition(":")
    return "".join((
        map_user(user),
        password_colon,
        map_user(password),
        at,
        map_host(host.lower()),
        f":{percent_encode(port, '%')}" if port else "",
    ))  # fmt: skip


def _encode_user(text: str) -> str:
    return percent_encode(text, _USER_SAFE)


def _encode_host(host: str) -> str:
    """The host in ASCII."""
    if host.isascii():
        safe = _HOST_SAFE + ":[]" if host[:1] == "[" and host[-1] == "]" else _HOST_SAFE
        return percent_encode(host, safe).lower()
    name = _punycode(host) if len(host) <= _LONGEST_HOST else host
    return percent_encode(name, _HOST_SAFE).lower()


@lru_cache(maxsize=128)
def _punycode(host: str) -> str:
    """The host in Punycode; as it is if it has no such form."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _decode_user(text: str) -> str:
    return _decode(text, _USER_KEPT)


def _decode_host(host: str) -> str:
    """The host with its Punycode decoded, label by label; what is none stays."""
    if "xn--" not in host or not host.isascii() or len(host) > _LONGEST_HOST:
        return host
    return ".".join([_decode_label(label) for label in host.split(".")])


def _decode_label(label: str) -> str:
    if not label.startswith("xn--") or len(label) > _LONGEST_LABEL:
        return label
    return _depunycode(label)


@lru_cache(maxsize=128)
def _depunycode(label: str) -> str:
    """The label decoded; as it is if it is no Punycode."""
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def current_url(
    scheme: str,
    host: str,
    root_path: str | None = None,
    path: str | None = None,
    query_string: bytes | None = None,
) -> str:
    """The URL of a request, for people to read.

    :param root_path: where the application is mounted, decoded; without it the rest is left out.
    :param path: below the mount point, decoded; without it the query is left out.
    :param query_string: as it was sent.
    """
    url = f"{scheme}://{host}/"
    if root_path is not None:
        root = root_path.rstrip("/")
        if root:
            url = f"{scheme}://{host}{percent_encode(root, _PATH_SAFE)}/"
        if path is not None:
            url += percent_encode(path.lstrip("/"), _PATH_SAFE)
            if query_string:
                url += f"?{percent_encode(query_string, _QUERY_SAFE)}"
    # PERF: most URLs have nothing to decode; uri_to_iri() would take four times as long to see it.
    if "%" not in url and host.islower() and "xn--" not in host:
        return url
    return uri_to_iri(url)


def encode_query(pairs: Iterable[tuple[object, object]]) -> str:
    """Write a query string, as HTML forms do (application/x-www-form-urlencoded).

    :param pairs: names and values; bytes stay bytes, anything else becomes a text.  A pair whose
        value is ``None`` is left out.
    """
    return "&".join(
        [f"{_argument(name)}={_argument(value)}" for name, value in pairs if value is not None]
    )


def _argument(value: object) -> str:
    data = value if isinstance(value, bytes) else str(value)
    return percent_encode(data, _ARGUMENT_SAFE + " ").replace(" ", "+")
