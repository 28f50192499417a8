"""Functions of the user's that are called when the server or a worker begins and ends."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stein.errors import ApplicationNotFound
from stein.server.apploader import (
    described,
    failed,
    find_module,
    parse_expression,
    resolve,
    split_target,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.server.settings import Settings

__all__ = ["ServerInfo", "WorkerInfo", "call_hook", "load_hook"]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What ``on_start`` and ``when_ready`` are given."""

    pid: int
    settings: Settings
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What ``worker_start`` and ``worker_exit`` are given.

    ``place`` is a number that is free again when the worker has ended: use it, and not the process
    id, to name files and metrics.  ``cause`` says, in words, how the worker ended.
    """

    pid: int
    place: int
    settings: Settings
    cause: str = ""


def load_hook(target: str, name: str, app_dir: str | None = None) -> Callable[..., object]:
    """Import a function.

    :param target: ``module:function`` or ``path/to/file.py:function``.
    :param name: the setting it is from, for messages.
    :param app_dir: a directory to put first on the import path.
    :raises ApplicationNotFound: naming the setting and what is wrong.
    """
    found = split_target(target.strip())
    if not found or not found["place"] or not found["expression"]:
        message = f"{name}={target!r} names no function; write module:function"
        raise ApplicationNotFound(message)
    try:
        expression = parse_expression(found["expression"], target)
        module = find_module(found["place"], Path(app_dir) if app_dir is not None else None)
        function = resolve(module, expression)
    except ApplicationNotFound as error:
        raise ApplicationNotFound(f"{name}={target!r}: {error}") from error.__cause__
    if not callable(function):
        message = f"{name}={target!r} cannot be called; it is {described(function)}"
        raise ApplicationNotFound(message)
    return function


def call_hook(function: Callable[..., object], name: str, info: Any) -> None:
    """Call a hook, with what it can be told if it takes it.

    :raises ApplicationNotFound: it raised; the exception is the cause.
    """
    try:
        takes = bool(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a callable in C that does not tell
        takes = True
    try:
        function(info) if takes else function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise failed(f"the hook {name} failed", error) from error
