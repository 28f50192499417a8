"""Sessions in a signed cookie: readable by the visitor, changed by nobody but the application.

The cookie is ``payload.time.signature`` as itsdangerous has it: JSON with tags, compressed if that
is shorter, in Base64; the seconds of its signing; an HMAC.  Format, salt and hash are Flask's, so
that visitors stay logged in when a program moves from there to here, or back.

itsdangerous signs and checks.  Made for each request, as its classes are meant to be, it spends
most of its time on deriving the key from the secret; :func:`_serializer` makes what keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stein.web.json.tag import TaggedJSONSerializer
from stein.web.sessions.interface import SecureCookieSession, SessionInterface, vary_by_cookie
from stein.web.sessions.peek import MOST_SEEN, peek, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from itsdangerous import URLSafeTimedSerializer

    from stein.web.app import Stein
    from stein.web.request import Request
    from stein.web.response import Response
    from stein.web.sessions.interface import SessionMixin

__all__ = ["SecureCookieSessionInterface", "session_json_serializer"]

#: writes and reads the payload; register tags with it for types of your own
session_json_serializer: Final = TaggedJSONSerializer()

# More of them are kept at once only if an application changes its keys while it runs.
_MOST_KEPT: Final = 16


def _lazy_sha1(string: bytes = b"") -> Any:
    """SHA-1, looked up when it is needed: a Python built for FIPS may lack it.

    That collisions can be found in SHA-1 does not weaken an HMAC.
    """
    from hashlib import sha1  # noqa: PLC0415 - see above

    return sha1(string)  # noqa: S324 - see above


@cache
def _refusals() -> tuple[type[Exception], ...]:
    """What a cookie that is not to be believed raises when it is opened."""
    from itsdangerous import BadData  # noqa: PLC0415 - slow, and here for who has a session

    # ValueError is text that cannot be encoded.
    return (BadData, ValueError)


class SecureCookieSessionInterface(SessionInterface):
    """Keeps each session in a cookie that is signed with the application's secret key."""

    lazy = True

    #: keeps these signatures apart from others with the same key
    salt = "cookie-session"
    #: the hash of the signature
    digest_method: Callable[..., Any] = staticmethod(_lazy_sha1)
    #: how itsdangerous makes the key of the secret
    key_derivation = "hmac"
    #: writes and reads the payload
    serializer: Any = session_json_serializer
    #: the class of the sessions
    session_class: type[SecureCookieSession] = SecureCookieSession

    # Serializers by what they were made of.  Instances of this class are shared by applications.
    # A dict may be read and written by several threads; at worst one is made twice.
    _kept: dict[Any, URLSafeTimedSerializer]

    def __init__(self) -> None:
        self._kept = {}

    def get_signing_serializer(self, app: Stein) -> URLSafeTimedSerializer | None:
        """What signs and checks the cookie; None if the application has no secret key.

        ``SECRET_KEY_FALLBACKS`` are tried after the secret key, and never sign.
        """
        secret = app.secret_key
        if not secret:
            return None
        fallbacks = app.config["SECRET_KEY_FALLBACKS"]
        keys = (*fallbacks, secret) if fallbacks else (secret,)
        made_of = (keys, self.salt, self.key_derivation, self.digest_method)
        try:
            found = self._kept.get(made_of)
            if found is not None and found.serializer is self.serializer:
                return found
        except AttributeError:
            self._kept = {}  # a subclass without our __init__
        from stein.web.sessions.signing import make_serializer  # noqa: PLC0415 - late: itsdangerous

        found = make_serializer(*made_of, self.serializer)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[made_of] = found
        return found

    def open_session(self, app: Stein, request: Request) -> SecureCookieSession | None:
        """Read the session from the request's cookie.

        A cookie that is not ours, too old, or damaged makes an empty session.
        """
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        value = request.cookies.get(self.get_cookie_name(app))
        if not value:
            return self.session_class()
        max_age = int(app.permanent_session_lifetime.total_seconds())
        try:
            items = serializer.loads(value, max_age=max_age)
        except _refusals() as error:
            _let_go(error)
            return self.session_class()
        if type(items) is dict or isinstance(items, Mapping):
            return self.session_class(items)
        return self.session_class()  # the same key, salt and hash, but something else was signed

    def save_session(self, app: Stein, session: SessionMixin, response: Response) -> None:
        """Write the session into the response's cookie, if that must be."""
        if not session:
            if session.modified:
                self.delete_session_cookie(app, response)
            elif session.accessed:
                vary_by_cookie(response)
            return
        if not self.should_set_cookie(app, session):
            if session.accessed:
                vary_by_cookie(response)
            return
        serializer = self.get_signing_serializer(app)
        if serializer is None:  # it was taken away after the session was opened
            raise RuntimeError(
                "the session cannot be saved: app.secret_key was unset while the request was "
                "handled; set it once, before the first request"
            )
        value = serializer.dumps(dict(session))
        self.set_session_cookie(app, response, value, self.get_expiration_time(app, session))

    def save_untouched(self, app: Stein, request: Request, response: Response) -> None:
        """Renew the cookie of a permanent session that nobody asked for.

        Whether it is one is seen without checking the signature, and then checked.
        """
        field = request.environ.get("HTTP_COOKIE")
        if not field or not app.config["SESSION_REFRESH_EACH_REQUEST"]:
            return
        name = self.get_cookie_name(app)
        # PERF: most requests of a page do not ask for the session, and most sessions are not
        # permanent: 1.5 us instead of 3.2 with request.cookies.
        value = value_of(name, field)
        if value is None:
            value = request.cookies.get(name)
        if value and self._may_be_permanent(value):
            super().save_untouched(app, request, response)

    def _may_be_permanent(self, value: str) -> bool:
        """Whether it may be worth it to open a cookie in order to renew it."""
        if type(self).should_set_cookie is not SessionInterface.should_set_cookie:
            return True
        if not isinstance(self.serializer, TaggedJSONSerializer):
            return True
        if self.session_class is not type(self).session_class:
            return True  # what the class's sessions are like is known, see SessionInterface.lazy
        seen = peek(value)
        return b"_permanent" in seen or len(seen) >= MOST_SEEN


def _let_go(error: BaseException) -> None:
    """Break the cycle of an error of itsdangerous and of the frames that it came through.

    They keep it in a variable, and it them in its traceback; so the request, too, would stay until
    the collector comes by, for anybody who sends a cookie that is not ours.
    """
    traceback = error.__traceback__
    while traceback is not None:
        # Our own frame, which cannot be cleared, is the first.
        traceback = traceback.tb_next
        if traceback is not None:
            traceback.tb_frame.clear()
