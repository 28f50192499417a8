"""The debugger: an application's exceptions in the browser, with a console in each frame.

``DebuggedApplication`` is the middleware.  What else is here has the names that Werkzeug's
``werkzeug.debug`` has.
"""

from __future__ import annotations

from stein.toolkit.debugger.application import DebuggedApplication
from stein.toolkit.debugger.console import Console
from stein.toolkit.debugger.frames import DebugFrameSummary
from stein.toolkit.debugger.page import render_console_html
from stein.toolkit.debugger.pin import (
    PIN_TIME,
    get_machine_id,
    get_pin_and_cookie_name,
    hash_pin,
)
from stein.toolkit.debugger.tracebacks import DebugTraceback

__all__ = [
    "PIN_TIME",
    "Console",
    "DebugFrameSummary",
    "DebugTraceback",
    "DebuggedApplication",
    "get_machine_id",
    "get_pin_and_cookie_name",
    "hash_pin",
    "render_console_html",
]
