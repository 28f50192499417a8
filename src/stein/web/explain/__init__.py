"""Errors that say what to change, and how a request is dealt with: for people who develop.

Nothing of this is imported before there is something to explain, and most of it only in debug mode.
Messages have names in them (of fields, files, functions), and no values: what a user has typed is
nobody's business.
"""

from __future__ import annotations

from stein.web.explain.forms import (
    DebugFilesKeyError,
    UnexpectedUnicodeError,
    attach_enctype_error_multidict,
    explain_key_error,
    explain_missing_keys,
)
from stein.web.explain.redirects import FormDataRoutingRedirect
from stein.web.explain.templates import explain_template_loading_attempts, missing_template
from stein.web.explain.views import describe_view, place_of

__all__ = [
    "DebugFilesKeyError",
    "FormDataRoutingRedirect",
    "UnexpectedUnicodeError",
    "attach_enctype_error_multidict",
    "describe_view",
    "explain_key_error",
    "explain_missing_keys",
    "explain_template_loading_attempts",
    "missing_template",
    "place_of",
]
