"""Credentials and challenges: Authorization and WWW-Authenticate (RFC 9110 11).

Both carry a scheme and then either one token (``Bearer``) or parameters (``Digest``).
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Final, Self

from stein.http.lists import dump_pairs, parse_pairs
from stein.http.options import quote_value
from stein.toolkit.datastructures.sets import CallbackDict

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Authorization", "WWWAuthenticate"]

# RFC 7616 3.3: these are quoted strings also where a token would do.
_QUOTED_IN_DIGEST: Final = frozenset({"realm", "domain", "nonce", "opaque", "qop"})


def _taken_apart(value: str) -> tuple[str, str]:
    """The scheme in lower case, and what follows it."""
    scheme, _, rest = value.partition(" ")
    return scheme.lower(), rest.strip(" \t")


def _is_token(rest: str) -> bool:
    """Whether it is a token (RFC 9110 11.2), which has ``=`` only at its end."""
    return "=" not in rest.rstrip("=")


class Authorization:
    """The Authorization header of a request.

    ``auth.name``, ``auth["name"]`` and ``auth.get("name")`` read the parameters; the first two
    give ``None`` where there is no such parameter.

    :param auth_type: the scheme, in lower case: ``basic``, ``bearer``, ``digest``.
    :param data: the parameters; for ``basic`` these are ``username`` and ``password``.
    :param token: the token, for a scheme that has no parameters.
    """

    def __init__(
        self,
        auth_type: str,
        data: dict[str, str | None] | None = None,
        token: str | None = None,
    ) -> None:
        #: the scheme
        self.type = auth_type
        #: the parameters; empty where there is a token
        self.parameters: dict[str, str | None] = {} if data is None else data
        #: the token; ``None`` where there are parameters
        self.token = token

    @classmethod
    def from_header(cls, value: str | None) -> Self | None:
        """Read a header.

        :return: ``None`` if it is missing or empty, or if its Basic credentials (RFC 7617) are no
            Base64 of UTF-8.
        """
        if not value:
            return None
        scheme, rest = _taken_apart(value)
        if scheme == "basic":
            try:
                user_pass = a2b_base64(rest, strict_mode=True).decode()
            except ValueError:  # binascii.Error and UnicodeError are that, too
                return None
            username, _, password = user_pass.partition(":")
            return cls(scheme, {"username": username, "password": password})
        if _is_token(rest):
            return cls(scheme, None, rest)
        return cls(scheme, parse_pairs(rest))

    def to_header(self) -> str:
        """Write the value of the header."""
        if self.type == "basic":
            user_pass = f"{self['username']}:{self['password']}".encode()
            return f"Basic {b2a_base64(user_pass, newline=False).decode('ascii')}"
        rest = dump_pairs(self.parameters) if self.token is None else self.token
        return f"{self.type.title()} {rest}"

    def get(self, key: str, default: str | None = None) -> str | None:
        """Give a parameter, or the default."""
        return self.parameters.get(key, default)

    def __getitem__(self, name: str) -> str | None:
        return self.parameters.get(name)

    def __getattr__(self, name: str) -> str | None:
        # The protocols of copy and pickle ask for such names, the latter before there is anything.
        if name.startswith("__") or name == "parameters":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.parameters.get(name)

    def __contains__(self, key: str) -> bool:
        return key in self.parameters

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Authorization):
            return NotImplemented
        return (self.type, self.token, self.parameters) == (
            other.type,
            other.token,
            other.parameters,
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()}>"


class WWWAuthenticate:
    """The WWW-Authenticate header of a response: what a client must show to get further.

    ``auth.name`` and ``auth["name"]`` read, set and delete parameters; to set one to ``None``
    deletes it.  What is done to a challenge that belongs to a response is done to its header.

    :param auth_type: the scheme: ``basic``, ``bearer``, ``digest``.
    :param values: the parameters.
    :param token: the token, for a scheme that has no parameters.
    """

    # Any other attribute is a parameter.
    _OWN: Final = frozenset(
        {"_on_update", "_parameters", "_token", "_type", "parameters", "token", "type"}
    )

    def __init__(
        self,
        auth_type: str,
        values: dict[str, str | None] | None = None,
        token: str | None = None,
    ) -> None:
        # The response that the challenge belongs to sets this one.
        self._on_update: Callable[[WWWAuthenticate], None] | None = None
        self._type = auth_type.lower()
        self._parameters = self._watched(values)
        self._token = token

    def _watched(self, values: dict[str, str | None] | None) -> CallbackDict[str, str | None]:
        return CallbackDict(values, lambda _: self._changed())

    def _changed(self) -> None:
        tell = self._on_update
        if tell is not None:
            tell(self)

    @property
    def type(self) -> str:
        """The scheme, in lower case."""
        return self._type

    @type.setter  # noqa: A003 - it is the property that is meant
    def type(self, value: str) -> None:
        self._type = value.lower()
        self._changed()

    @property
    def parameters(self) -> dict[str, str | None]:
        """The parameters; empty where there is a token."""
        return self._parameters

    @parameters.setter
    def parameters(self, value: dict[str, str | None]) -> None:
        self._parameters = self._watched(value)
        self._changed()

    @property
    def token(self) -> str | None:
        """The token; ``None`` where there are parameters."""
        return self._token

    @token.setter
    def token(self, value: str | None) -> None:
        self._token = value
        self._changed()

    @classmethod
    def from_header(cls, value: str | None) -> Self | None:
        """Read a header with one challenge.

        :return: ``None`` if it is missing or empty.
        """
        if not value:
            return None
        scheme, rest = _taken_apart(value)
        if _is_token(rest):
            return cls(scheme, None, rest)
        return cls(scheme, parse_pairs(rest))

    def to_header(self) -> str:
        """Write the value of the header."""
        scheme = self._type.title()
        if self._token is not None:
            return f"{scheme} {self._token}"
        if not self._parameters:
            return scheme
        if self._type == "digest":
            return f"{scheme} {', '.join(self._digest_parts())}"
        return f"{scheme} {dump_pairs(self._parameters)}"

    def _digest_parts(self) -> list[str]:
        return [
            f"{name}={quote_value(value, allow_token=name not in _QUOTED_IN_DIGEST)}"
            for name, value in self._parameters.items()
            if value is not None
        ]

    def get(self, key: str, default: str | None = None) -> str | None:
        """Give a parameter, or the default."""
        return self._parameters.get(key, default)

    def __getitem__(self, key: str) -> str | None:
        return self._parameters.get(key)

    def __setitem__(self, key: str, value: str | None) -> None:
        if value is None:
            self._parameters.pop(key, None)
        else:
            self._parameters[key] = value

    def __delitem__(self, key: str) -> None:
        self._parameters.pop(key, None)

    def __getattr__(self, name: str) -> str | None:
        if name.startswith("__") or name in self._OWN:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._parameters.get(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._OWN:
            super().__setattr__(name, value)
        else:
            self[name] = value  # type: ignore[assignment]

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __contains__(self, key: str) -> bool:
        return key in self._parameters

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WWWAuthenticate):
            return NotImplemented
        return (self._type, self._token, self._parameters) == (
            other._type,
            other._token,
            other._parameters,
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()}>"
