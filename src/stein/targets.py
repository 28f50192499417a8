"""The names of programs as people write them: what stands behind the colon of ``module:app``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stein.tracebacks import user_frames

__all__ = [
    "Expression",
    "NotLiteralError",
    "UnreadableError",
    "is_target_itself",
    "parse_expression",
]


class UnreadableError(ValueError):
    """It is neither a name nor a call with literal arguments."""


class NotLiteralError(UnreadableError):
    """A call has an argument that is no literal value."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands behind the colon.

    ``call`` tells whether it is a call; then it has literal arguments.
    """

    names: tuple[str, ...]
    call: bool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def parse_expression(text: str) -> Expression:
    """Read ``name``, ``dotted.name`` or ``name(literals)``; no code is run.

    :raises NotLiteralError: it is a call, with other arguments than literal values.
    :raises UnreadableError: it is anything else.
    """
    import ast  # noqa: PLC0415 - once in the life of a process, and not in all of them

    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise UnreadableError(text) from None
    call = isinstance(node, ast.Call)
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if isinstance(node, ast.Call):
        if any(item.arg is None for item in node.keywords):  # **mapping
            raise UnreadableError(text)
        try:
            args = tuple(ast.literal_eval(item) for item in node.args)
            kwargs = {str(item.arg): ast.literal_eval(item.value) for item in node.keywords}
        except (ValueError, TypeError, MemoryError, RecursionError):
            raise NotLiteralError(text) from None
        node = node.func
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise UnreadableError(text)
    return Expression((node.id, *names), call, args, kwargs)


def is_target_itself(error: ImportError, name: str) -> bool:
    """Whether the missing module is the one that was asked for, not an import inside it.

    :param error: what was raised when it was imported.
    :param name: the dotted name that was asked for.
    """
    missing = error.name or ""
    return (
        isinstance(error, ModuleNotFoundError)
        and (name == missing or name.startswith(missing + "."))
        and not user_frames(error)
    )
