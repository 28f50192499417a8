"""Modules that cost nothing until they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["LateModule"]


class LateModule:
    """A class attribute that is a module, imported when it is first asked for.

    A subclass or an instance may have another one in its place.

    :param name: of the module.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.module: Any = None

    def __get__(self, instance: object | None, owner: type) -> Any:
        if self.module is None:
            self.module = import_module(self.name)
        return self.module
