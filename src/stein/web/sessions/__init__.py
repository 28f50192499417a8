"""Sessions: what a visitor's requests have in common.

``interface`` has what every kind of session is, ``cookie`` the default: all of it in a signed
cookie.  ``serverside`` keeps it on the server, and ``redis`` does so with Redis; these two are
imported by who uses them.
"""

from stein.web.sessions.cookie import SecureCookieSessionInterface, session_json_serializer
from stein.web.sessions.interface import (
    NullSession,
    SecureCookieSession,
    SessionInterface,
    SessionMixin,
)

__all__ = [
    "NullSession",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "SessionInterface",
    "SessionMixin",
    "session_json_serializer",
]
