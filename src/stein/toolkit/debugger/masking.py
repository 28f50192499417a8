"""Which values are nobody's business, told by the names that they have.

A page with a traceback is copied into chats and shown on screens.  What is called a password or a
token is masked in it, and so is the same text where it turns up under another name.
"""

from __future__ import annotations

import re
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

__all__ = ["MASK", "Masker", "looks_secret"]

MASK: Final = "••••••"

_SECRET_WORDS: Final = frozenset(
    [
        "apikey", "auth", "authorization", "bearer", "cookie", "cookies", "credential",
        "credentials", "csrf", "cvv", "jwt", "otp", "passcode", "passphrase", "passwd",
        "password", "passwords", "passwort", "pin", "pwd", "secret", "secrets", "token",
        "tokens", "xsrf",
    ]
)  # fmt: skip
#: Keys of these kinds open nothing.
_HARMLESS_KEYS: Final = frozenset(
    [
        "cache", "dict", "foreign", "group", "index", "lookup", "map", "natural", "partition",
        "primary", "public", "sort", "sorting", "translation", "unique",
    ]
)  # fmt: skip
#: What follows such a word is about a secret, and none: SESSION_COOKIE_NAME, token_type.
_ABOUT: Final = frozenset(
    [
        "age", "class", "count", "domain", "expires", "field", "fields", "form", "httponly",
        "length", "lifetime", "limit", "max", "method", "methods", "name", "names",
        "partitioned", "path", "policy", "required", "samesite", "secure", "size", "timeout",
        "ttl", "type", "types", "uri", "url",
    ]
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# What objects say about themselves: Login(password='x'), token=abc, "secret": "y".
_NAME: Final = re.compile(r"""([A-Za-z_][\w-]{0,60})['"]?\s{0,3}[=:]\s{0,3}""")
_VALUE: Final = re.compile(
    r"""[bru]{0,2}'(?:[^'\\]|\\.)*'|[bru]{0,2}"(?:[^"\\]|\\.)*"|[^\s,;&)\]}'"]+""", re.DOTALL
)
# scheme://user:password@host
_IN_URL: Final = re.compile(r"(?<=://)([^\s/:@'\"]{0,100}):([^\s/@'\"]{1,200})@")

#: Shorter texts turn up everywhere by chance.
_SHORTEST_KNOWN: Final = 8

#: entries of a dict that are looked at for secrets
MOST_LEARNED: Final = 200

_TEXTS: Final = (str, bytes)
_SAYS_NOTHING: Final = frozenset(["None", "True", "False", "''", '""', MASK])
_OPEN: Final = (
    bool,
    type(None),
    type,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    ModuleType,
)


def looks_secret(name: str) -> bool:
    """Whether a name is one that secrets have: ``password``, ``API_KEY``, ``Set-Cookie``, ...

    :param name: of a variable, a key or a field.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if words and words[-1] in _ABOUT:
        return False
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    return len(words) > 1 and words[-1] in {"key", "keys"} and words[-2] not in _HARMLESS_KEYS


class Masker:
    """Masks values for one page, and remembers which texts it has masked.

    :param shows_variables: whether the page may show values of variables at all.
    """

    def __init__(self, *, shows_variables: bool = True) -> None:
        self.shows_variables = shows_variables
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def hides(self, name: object, value: object) -> bool:
        """Whether a value is masked because of its name.

        :param name: the name, or a key of any kind.
        :param value: what says nothing (``None``, an empty text, a function) is not masked.
        """
        # By type(), not by isinstance(): proxies say they are what they stand for, or fail.
        kind = type(value)
        if not issubclass(type(name), str) or issubclass(kind, _OPEN):
            return False
        return looks_secret(str(name)) and not (issubclass(kind, _TEXTS) and not value)

    def learn(self, name: object, value: Any) -> None:
        """Remember a value, and those in a dict, if their names are those of secrets."""
        kind = type(value)
        if issubclass(kind, dict):
            for key, inner in list(dict.items(value))[:MOST_LEARNED]:
                if issubclass(type(inner), _TEXTS) and self.hides(key, inner):
                    self._remember(inner)
        elif issubclass(kind, _TEXTS) and self.hides(name, value):
            self._remember(value)

    def _remember(self, value: str | bytes) -> None:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        # One word, however it is used, is found everywhere by chance; better ones are not.
        if len(text) >= _SHORTEST_KNOWN and not text.isalpha():
            # As it stands in a repr: there the lines of a longer text are joined by \n.
            self._known.update((text, repr(text)[1:-1]))
            self._pattern = None

    def known(self, text: str) -> str:
        """Mask within a text what was masked elsewhere."""
        if not self._known:
            return text
        if self._pattern is None:
            parts = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, parts)))
        return self._pattern.sub(MASK, text)

    def text(self, text: str) -> str:
        """Mask within a text what was masked elsewhere, and what looks like it."""
        text = self.known(text)
        text = _IN_URL.sub(rf"\1:{MASK}@", text)
        pieces: list[str] = []
        end = 0
        for name in _NAME.finditer(text):
            if name.start() >= end and looks_secret(name[1]):
                value = _VALUE.match(text, name.end())
                if value is not None and value[0] not in _SAYS_NOTHING:
                    pieces += (text[end : name.end()], MASK)
                    end = value.end()
        return f"{''.join(pieces)}{text[end:]}"

    def placeholder(self, value: Any) -> str:
        """Return what stands in place of a masked value."""
        return f"{MASK} ({type(value).__name__}, masked)"
