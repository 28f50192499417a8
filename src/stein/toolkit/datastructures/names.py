"""The names of header fields, and the keys under which a WSGI environ has them (PEP 3333)."""

from __future__ import annotations

from typing import Final

__all__ = ["KEYS", "NAMES", "environ_key", "header_name"]

# What a program asks for, and what clients send, are few different names; but a client may also
# send ever new ones, so neither memory grows past this.
_REMEMBERED: Final = 512
_LONGEST: Final = 64

KEYS: Final[dict[str, str]] = {}  # any spelling of a name -> its key in an environ
NAMES: Final[dict[str, str]] = {}  # a key in an environ -> the name, or "" if it is none


def environ_key(name: object) -> str:
    """Give the key under which an environ has the field of a name."""
    if not isinstance(name, str):
        return ""  # no environ has it
    key = name.upper().replace("-", "_")
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    return _remember(KEYS, name, key)


def header_name(key: str) -> str:
    """Give the name of the field that a key of an environ holds; empty if it holds none."""
    if key in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}:
        name = ""  # some servers give these twice
    elif key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        name = key.replace("_", "-").title()
    elif key.startswith("HTTP_"):
        name = key[5:].replace("_", "-").title()
    else:
        name = ""
    return _remember(NAMES, key, name)


def _remember(memory: dict[str, str], question: str, answer: str) -> str:
    if len(question) <= _LONGEST:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        memory[question] = answer
    return answer
