"""The toolkit: what one builds a WSGI application or a framework from, on any WSGI server.

The names here are found on first use, so that a program pays for what it touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stein.toolkit.client import Client
    from stein.toolkit.request import Request
    from stein.toolkit.response import Response

__all__ = ["Client", "Request", "Response"]

_HOMES: Final = {
    "Client": "stein.toolkit.client",
    "Request": "stein.toolkit.request",
    "Response": "stein.toolkit.response",
}


def __getattr__(name: str) -> object:
    """Import the public name's home module when the name is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}; it offers: {', '.join(__all__)}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
