"""stein: one package that carries a web request from the socket to the view function and back.

The names here are the public ones.  They are resolved on first use, so that ``import stein``
costs nothing for a program that needs only a part of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stein.server import Server, Settings
    from stein.web import json
    from stein.web.app import Flask, Stein
    from stein.web.blueprint import Blueprint
    from stein.web.config import Config
    from stein.web.context import (
        after_this_request,
        copy_current_request_context,
        has_app_context,
        has_request_context,
    )
    from stein.web.flashing import flash, get_flashed_messages
    from stein.web.globals import current_app, g, request, session
    from stein.web.json import jsonify
    from stein.web.request import Request
    from stein.web.response import Response
    from stein.web.shortcuts import (
        abort,
        make_response,
        redirect,
        send_file,
        send_from_directory,
        url_for,
    )
    from stein.web.signals import (
        appcontext_popped,
        appcontext_pushed,
        appcontext_tearing_down,
        before_render_template,
        got_request_exception,
        message_flashed,
        request_finished,
        request_started,
        request_tearing_down,
        template_rendered,
    )
    from stein.web.streaming import stream_with_context
    from stein.web.templating import (
        get_template_attribute,
        render_template,
        render_template_string,
        stream_template,
        stream_template_string,
    )
    from stein.web.views import MethodView, View

__version__ = "0.1.0.dev0"

#: module -> the public names that it holds
_OFFERED: Final = {
    "stein.server": "Server Settings",
    "stein.web.app": "Flask Stein",
    "stein.web.blueprint": "Blueprint",
    "stein.web.config": "Config",
    "stein.web.context": (
        "after_this_request copy_current_request_context has_app_context has_request_context "
    ),
    "stein.web.flashing": "flash get_flashed_messages",
    "stein.web.globals": "current_app g request session",
    "stein.web.json": "jsonify",
    "stein.web.request": "Request",
    "stein.web.response": "Response",
    "stein.web.shortcuts": "abort make_response redirect send_file send_from_directory url_for",
    "stein.web.signals": (
        "appcontext_popped appcontext_pushed appcontext_tearing_down "
        "before_render_template got_request_exception message_flashed request_finished "
        "request_started request_tearing_down template_rendered "
    ),
    "stein.web.streaming": "stream_with_context",
    "stein.web.views": "MethodView View",
    "stein.web.templating": (
        "get_template_attribute render_template render_template_string stream_template "
        "stream_template_string "
    ),
}
#: public names that are modules themselves
_MODULES: Final = {"json": "stein.web.json"}
_HOMES: Final = _MODULES | {
    name: home for home, names in _OFFERED.items() for name in names.split()
}

__all__ = [
    "Blueprint",
    "Config",
    "Flask",
    "MethodView",
    "Request",
    "Response",
    "Server",
    "Settings",
    "Stein",
    "View",
    "__version__",
    "abort",
    "after_this_request",
    "appcontext_popped",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "before_render_template",
    "copy_current_request_context",
    "current_app",
    "flash",
    "g",
    "get_flashed_messages",
    "get_template_attribute",
    "got_request_exception",
    "has_app_context",
    "has_request_context",
    "json",
    "jsonify",
    "make_response",
    "message_flashed",
    "redirect",
    "render_template",
    "render_template_string",
    "request",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "send_file",
    "send_from_directory",
    "session",
    "stream_template",
    "stream_template_string",
    "stream_with_context",
    "template_rendered",
    "url_for",
]


def __getattr__(name: str) -> object:
    """Import the public name's home module when the name is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise _unknown(name)
    value: object = importlib.import_module(home)
    if name not in _MODULES:
        value = getattr(value, name)
    globals()[name] = value
    return value


def _unknown(name: str) -> AttributeError:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    near = get_close_matches(name, __all__, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it offers {', '.join(__all__)}"
    return AttributeError(f"module 'stein' has no attribute {name!r}; {hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
