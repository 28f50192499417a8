"""Cookies as a client keeps them (RFC 6265 5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, Self

from stein.http.cookies import parse_cookie_pairs
from stein.http.dates import parse_date

__all__ = ["Cookie"]

_ADDRESS: Final = re.compile(r"[0-9.]+|.*:.*", re.DOTALL)  # IPv4 or IPv6
_SECONDS: Final = re.compile(r"-?[0-9]{1,18}")  # RFC 6265 5.2.2; more would never end, either


class Cookie:
    """A cookie, as :meth:`Client.get_cookie` gives it.

    :param key: the name, as it is sent.
    :param value: the value, as it is sent.
    :param decoded_key: the name, as the application sets and sees it.
    :param decoded_value: the value, as the application sets and sees it.
    :param expires: the moment from which it is no longer valid.
    :param max_age: for how many seconds it is valid, from when it was set.
    :param domain: the host that has set it, or the domain to whose hosts it is sent.
    :param origin_only: whether it is sent to exactly that host, as no domain was given.
    :param path: is sent for this path and what is below.
    :param secure: whether it is for TLS only; the client sends it all the same.
    :param http_only: whether scripts do not see it.
    :param same_site: ``Strict``, ``Lax`` or ``None``, as text.
    """

    __slots__ = (
        "decoded_key",
        "decoded_value",
        "domain",
        "expires",
        "http_only",
        "key",
        "max_age",
        "origin_only",
        "path",
        "same_site",
        "secure",
        "value",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - a cookie has that many attributes
        self,
        key: str,
        value: str,
        decoded_key: str,
        decoded_value: str,
        expires: datetime | None,
        max_age: int | None,
        domain: str,
        origin_only: bool,  # noqa: FBT001 - positional in the interface
        path: str,
        secure: bool | None,  # noqa: FBT001
        http_only: bool | None,  # noqa: FBT001
        same_site: str | None,
    ) -> None:
        self.key = key
        self.value = value
        self.decoded_key = decoded_key
        self.decoded_value = decoded_value
        self.expires = expires
        self.max_age = max_age
        self.domain = domain
        self.origin_only = origin_only
        self.path = path
        self.secure = secure
        self.http_only = http_only
        self.same_site = same_site

    @classmethod
    def from_header(cls, server_name: str, path: str, header: str) -> Self | None:
        """Read a Set-Cookie field (RFC 6265 5.2).

        :param server_name: the host that sent it, without a port.
        :param path: of the request.
        :param header: the field, as WSGI has it: each byte a character.
        :return: ``None`` for what is no cookie, such as one without a name.
        """
        pair, _, rest = header.partition(";")
        key, equals, value = pair.partition("=")
        key, value = key.strip(" \t"), value.strip(" \t")
        if not key or not equals:
            return None
        decoded = parse_cookie_pairs(_decoded(f"{key}={value}"))
        decoded_key, decoded_value = decoded[0] if decoded else (_decoded(key), _decoded(value))
        attributes = _attributes(rest)
        domain = attributes.get("domain", "").removeprefix(".").lower()
        own_path = attributes.get("path", "")
        return cls(
            key=key,
            value=value,
            decoded_key=decoded_key,
            decoded_value=decoded_value,
            expires=parse_date(attributes.get("expires")),
            max_age=_seconds(attributes.get("max-age")),
            domain=domain or server_name,
            origin_only=not domain,
            path=own_path if own_path[:1] == "/" else _default_path(path),
            secure="secure" in attributes,
            http_only="httponly" in attributes,
            same_site=attributes.get("samesite"),
        )

    @property
    def storage_key(self) -> tuple[str, str, str]:
        """What makes it another cookie if it differs: domain, path, name."""
        return self.domain, self.path, self.decoded_key

    @property
    def is_over(self) -> bool:
        """Whether it takes the place of a cookie to remove it (RFC 6265 5.3)."""
        if self.max_age is not None:
            return self.max_age <= 0
        return self.expires is not None and self.expires <= datetime.now(UTC)

    def matches(self, server_name: str, path: str) -> bool:
        """Whether it is sent with a request (RFC 6265 5.1.3 and 5.1.4).

        :param server_name: the host, without a port.
        :param path: as it stands in the URL.
        """
        if server_name != self.domain and (
            self.origin_only
            or not server_name.endswith(f".{self.domain}")
            or _ADDRESS.fullmatch(server_name) is not None
        ):
            return False
        own = self.path
        if not path.startswith(own):
            return False
        return len(path) == len(own) or own[-1:] == "/" or path[len(own)] == "/"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cookie):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self.__slots__}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in values.items())})"


def _decoded(text: str) -> str:
    """The text that the bytes of a field stand for; what is none of theirs stays."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text


def _attributes(text: str) -> dict[str, Any]:
    """The attributes by their names in lower case; the last one of a name counts."""
    found = {}
    for each in text.split(";"):
        name, _, value = each.partition("=")
        found[name.strip(" \t").lower()] = value.strip(" \t")
    return found


def _seconds(text: str | None) -> int | None:
    return int(text) if text and _SECONDS.fullmatch(text) is not None else None


def _default_path(path: str) -> str:
    """The directory of a path (RFC 6265 5.1.4)."""
    return path.rpartition("/")[0] or "/"
