"""Signals: what extensions and tests listen to, without the application knowing them.

They are signals of blinker.  Most programs connect to none of them, and blinker needs a
good part of the standard library's tools for source code.  So each begins as an object that knows
only its name and that nobody listens, and becomes a real signal when anything else is asked of it.

Who sends one looks first whether somebody listens, which is all that a request pays::

    if request_started.receivers:
        request_started.send(app, _async_wrapper=app.ensure_sync)

The sender is the application, itself and not a proxy.
"""

from __future__ import annotations

from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blinker import NamedSignal, Namespace

__all__ = [
    "appcontext_popped",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "before_render_template",
    "got_request_exception",
    "message_flashed",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "template_rendered",
]

#: held while a signal becomes a real one, so that no receiver gets lost
_becoming: Final = Lock()


class _QuietSignal:
    """A signal that nobody has asked for anything but whether somebody listens."""

    receivers: Mapping[Any, Any] = MappingProxyType({})

    def __init__(self, name: str, doc: str) -> None:
        self.name = name
        self.__doc__ = doc

    def __getattr__(self, name: str) -> Any:
        from blinker import NamedSignal  # noqa: PLC0415 - only a program that listens needs it

        with _becoming:
            if type(self) is _QuietSignal:
                real = NamedSignal(self.name, self.__doc__)
                self.__dict__.update(real.__dict__)
                # The object stays the same, since other modules have imported it.
                self.__class__ = NamedSignal  # type: ignore[assignment]
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: nobody listens>"


_quiet: Final[dict[str, _QuietSignal]] = {}


def _signal(name: str, doc: str) -> NamedSignal:
    made = _quiet[name] = _QuietSignal(name, doc)
    return cast("NamedSignal", made)


request_started = _signal("request-started", "A request comes in; its context is there.")
request_finished = _signal(
    "request-finished", "A response is ready; receivers get it as ``response``."
)
request_tearing_down = _signal(
    "request-tearing-down", "A request's context ends; ``exc`` is the error of it, or None."
)
got_request_exception = _signal(
    "got-request-exception",
    "A request failed with ``exception``, which no handler was there for; handled or raised next.",
)
appcontext_pushed = _signal("appcontext-pushed", "An application's context became current.")
appcontext_popped = _signal("appcontext-popped", "An application's context is current no more.")
appcontext_tearing_down = _signal(
    "appcontext-tearing-down", "An application's context ends; ``exc`` is the error of it, or None."
)
before_render_template = _signal(
    "before-render-template", "A ``template`` is about to be rendered with a ``context``."
)
template_rendered = _signal(
    "template-rendered", "A ``template`` was rendered with a ``context``, all of it."
)
message_flashed = _signal(
    "message-flashed", "A ``message`` of a ``category`` was put into the session."
)


def __getattr__(name: str) -> Namespace | type[Namespace]:
    if name not in {"Namespace", "_signals"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from blinker import Namespace  # noqa: PLC0415 - as above

    if name == "Namespace":  # extensions make signals of their own with it
        return Namespace
    # Under this name the namespace is known to programs that look inside.
    namespace = globals()["_signals"] = Namespace(_quiet)  # type: ignore[arg-type]
    return namespace
