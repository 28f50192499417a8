"""stein: one package that carries a web request from the socket to the view function and back.

The names here are the public ones.  They are resolved on first use, so that ``import stein``
costs nothing for a program that needs only a part of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stein.server import Server, Settings

__version__ = "0.1.0.dev0"
__all__ = ["Server", "Settings", "__version__"]

_HOMES = {"Server": "stein.server", "Settings": "stein.server"}


def __getattr__(name: str) -> object:
    """Import the public name's home module when the name is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module 'stein' has no attribute {name!r}; it offers: {', '.join(__all__)}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
