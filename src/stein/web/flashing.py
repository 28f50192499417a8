"""Flashed messages: said in one request, shown in the next.

They wait in the session under ``_flashes``, as pairs of category and message.  Cookies are small:
what is flashed should be a sentence, and what is shown is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from stein.web.globals import current_app, request_ctx, session
from stein.web.signals import message_flashed

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["flash", "get_flashed_messages"]

_KEY = "_flashes"


def flash(message: str, category: str = "message") -> None:
    """Keep a message for the next page that the user sees.

    It stays in the session until a template, or a view, calls :func:`get_flashed_messages`.

    :param message: what the user is told.
    :param category: any word, for templates to sort and colour by; ``message``, ``info``,
        ``warning`` and ``error`` are usual.
    :raises RuntimeError: no request is being handled, or sessions have no secret key.
    """
    current = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - of the proxy
    # The list is stored anew: a session cannot see that a list inside of it has changed.
    current[_KEY] = [*current.get(_KEY, ()), (category, message)]
    if message_flashed.receivers:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - of the proxy
        message_flashed.send(
            app, _async_wrapper=app.ensure_sync, message=message, category=category
        )


@overload
def get_flashed_messages(
    with_categories: Literal[False] = False,  # noqa: FBT002 - positional in the interface
    category_filter: Iterable[str] = (),
) -> list[str]: ...
@overload
def get_flashed_messages(
    with_categories: Literal[True], category_filter: Iterable[str] = ()
) -> list[tuple[str, str]]: ...
@overload
def get_flashed_messages(
    with_categories: bool,  # noqa: FBT001 - positional in the interface
    category_filter: Iterable[str] = (),
) -> list[str] | list[tuple[str, str]]: ...
def get_flashed_messages(
    with_categories: bool = False,  # noqa: FBT001, FBT002 - positional in the interface
    category_filter: Iterable[str] = (),
) -> list[str] | list[tuple[str, str]]:
    """Take the flashed messages out of the session, to show them.

    Whoever asks again in the same request gets the same.

    :param with_categories: give pairs of category and message instead of messages.
    :param category_filter: give only messages of these categories; the others count as shown, too.
    :raises RuntimeError: no request is being handled.
    """
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - of the proxy
    flashes: list[tuple[str, str]] | None = context.flashes
    if flashes is None:
        current = context.session
        # Asked first, as taking something out marks the session as changed.
        flashes = current.pop(_KEY) if _KEY in current else []
        context.flashes = flashes
    if category_filter:
        wanted = category_filter if isinstance(category_filter, str) else tuple(category_filter)
        flashes = [each for each in flashes if each[0] in wanted]
    if with_categories:
        return list(flashes)
    return [message for _, message in flashes]
