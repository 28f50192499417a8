"""JSON, by the current application's provider (``app.json``), or plainly where there is none."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, AnyStr

from stein.web.globals import context_var, current_app
from stein.web.json.provider import default_of

if TYPE_CHECKING:
    from stein.web.response import Response

__all__ = ["dump", "dumps", "jsonify", "load", "loads"]


def dumps(obj: Any, **kwargs: Any) -> str:
    """Write a value as JSON.

    :param obj: the value.
    :param kwargs: for the provider's ``dumps``; without an application, for :func:`json.dumps`.
    """
    context = context_var.get(None)
    if context is not None:
        return context.app.json.dumps(obj, **kwargs)
    import json  # noqa: PLC0415 - not every application writes JSON

    kwargs.setdefault("default", default_of)
    return json.dumps(obj, **kwargs)


def dump(obj: Any, fp: IO[str], **kwargs: Any) -> None:
    """Write a value as JSON to a text file.

    :param obj: the value.
    :param fp: the file; its encoding should be UTF-8.
    :param kwargs: for the provider's ``dump``; without an application, for :func:`json.dump`.
    """
    context = context_var.get(None)
    if context is not None:
        context.app.json.dump(obj, fp, **kwargs)
        return
    import json  # noqa: PLC0415 - as above

    kwargs.setdefault("default", default_of)
    json.dump(obj, fp, **kwargs)


def loads(s: str | bytes, **kwargs: Any) -> Any:
    """Read a value from JSON.

    :param s: text, or bytes in UTF-8.
    :param kwargs: for the provider's ``loads``; without an application, for :func:`json.loads`.
    """
    context = context_var.get(None)
    if context is not None:
        return context.app.json.loads(s, **kwargs)
    import json  # noqa: PLC0415 - as above

    return json.loads(s, **kwargs)


def load(fp: IO[AnyStr], **kwargs: Any) -> Any:
    """Read a value from a file with JSON.

    :param fp: the file, of text or of bytes in UTF-8.
    :param kwargs: for the provider's ``load``; without an application, for :func:`json.load`.
    """
    context = context_var.get(None)
    if context is not None:
        return context.app.json.load(fp, **kwargs)
    import json  # noqa: PLC0415 - as above

    return json.load(fp, **kwargs)


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """Make a response with a value as JSON, by the current application's provider.

    A view need not: a dict or a list that it returns becomes the same.

    :param args: the value, or the items of a list; without any, it is None.
    :param kwargs: the items of a dict, instead.
    :raises RuntimeError: if there is no application.
    """
    context = context_var.get(None)
    provider = (current_app if context is None else context.app).json
    return provider.response(*args, **kwargs)
