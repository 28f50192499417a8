"""What a session is to an application, and to those who bring one of another kind."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from stein.toolkit.datastructures.sets import CallbackDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.web.app import Stein
    from stein.web.request import Request
    from stein.web.response import Response

__all__ = ["NullSession", "SecureCookieSession", "SessionInterface", "SessionMixin"]


class SessionMixin(MutableMapping[str, Any]):
    """What a session has beside its items."""

    #: whether it was made for this request, if its kind can tell
    new = False

    #: whether it was changed, and so must be saved; where that is not noticed, it is always True
    modified = True

    #: whether the program asked for it: set by the context, when ``session`` is read.  The
    #: response then depends on the cookie, which ``Vary`` says.
    accessed = False

    @property
    def permanent(self) -> bool:
        """Whether it outlives the browser: the item ``_permanent``."""
        permanent: bool = self.get("_permanent", False)
        return permanent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


def _changed(session: Any) -> None:
    session.modified = True


class SecureCookieSession(CallbackDict[str, Any], SessionMixin):
    """A session in a signed cookie: a dict that notices when an item is set or removed.

    What changes *inside* an item is not noticed: after ``session["cart"].append(7)``, set
    ``session.modified = True``.

    :param initial: its items.
    """

    modified = False

    # PERF: one function for all of them instead of a closure in each.
    on_update = staticmethod(_changed)

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        dict.__init__(self, initial or ())


class NullSession(SecureCookieSession):
    """An empty session that can be looked at, and says what is missing when it is written to."""

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG002 - of any method
        raise RuntimeError(
            "The session is unavailable because no secret key was set: its cookie could not be "
            "signed, and anybody could make one up. Set app.secret_key, or SECRET_KEY in the "
            "configuration, to something long and random that stays the same after a restart; "
            "python -c 'import secrets; print(secrets.token_hex())' makes one."
        )

    __setitem__ = __delitem__ = __ior__ = _fail
    clear = pop = popitem = setdefault = update = _fail
    del _fail


#: what decides whether and how a session is saved that nobody has touched
_DECIDING: Final = (
    "__init__", "__bool__", "__len__", "accessed", "get", "modified", "new", "permanent",
)  # fmt: skip


def _saved_alike(kind: Any, known: Any) -> bool:
    """Whether a class of sessions has only methods that make no difference to saving them."""
    return kind is known or all(
        getattr(kind, name, None) is getattr(known, name, None) for name in _DECIDING
    )


class SessionInterface:
    """How sessions are opened and saved; the base of every kind.

    A subclass needs :meth:`open_session` and :meth:`save_session`, and an instance of it goes to
    ``app.session_interface``.  A session is any mutable mapping with :class:`SessionMixin`.

    Requests with the same session may run at once, here or on another machine: whoever keeps
    sessions anywhere but in the cookie must see that none undoes what another did (as
    :class:`~stein.web.sessions.serverside.ServerSideSessionInterface` does).
    """

    #: the class of the session that stands in for one that cannot be had
    null_session_class: type[NullSession] = NullSession

    #: whether sessions are pickled, which extensions may want to know
    pickle_based = False

    #: Whether the session is opened when it is first asked for; otherwise with each request.  A
    #: class that says True here has :meth:`save_untouched`; a subclass of it with another
    #: ``open_session`` or ``save_session`` is not lazy, unless it says so, too.  Nor is one whose
    #: sessions have a say in being saved, such as by a ``permanent`` of their own.
    lazy: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Work out whether the subclass is as lazy as its base is."""
        super().__init_subclass__(**kwargs)
        if "lazy" in cls.__dict__:
            return
        base: type[SessionInterface] = next(base for base in cls.__mro__ if "lazy" in base.__dict__)
        cls.lazy = (
            base.lazy
            and cls.open_session is base.open_session
            and cls.save_session is base.save_session
            and _saved_alike(
                getattr(cls, "session_class", None), getattr(base, "session_class", None)
            )
        )

    # -- what a subclass brings ---------------------------------------------------------------

    def open_session(self, app: Stein, request: Request) -> SessionMixin | None:
        """Make the session of a request.

        :return: the session; None if there cannot be one, and then a null session takes its
            place.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method open_session()")

    def save_session(self, app: Stein, session: SessionMixin, response: Response) -> None:
        """Store a session, and set or delete the cookie that it is found by.

        Called at the end of each request whose session is no null session.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method save_session()")

    def save_untouched(self, app: Stein, request: Request, response: Response) -> None:
        """Do what is to be done with a session that nobody asked for: renew it, perhaps.

        Called in place of :meth:`save_session`, if the class is lazy.
        """
        session = self.open_session(app, request)
        if session is not None and not self.is_null_session(session):
            self.save_session(app, session, response)

    # -- null sessions ------------------------------------------------------------------------

    def make_null_session(self, app: Stein) -> NullSession:  # noqa: ARG002 - for who overrides it
        """Make what stands in for a session that cannot be had."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Whether it is such a stand-in, which is never saved."""
        return isinstance(obj, self.null_session_class)

    # -- the cookie ---------------------------------------------------------------------------

    def get_cookie_name(self, app: Stein) -> str:
        """The name of the cookie: ``SESSION_COOKIE_NAME``."""
        name: str = app.config["SESSION_COOKIE_NAME"]
        return name

    def get_cookie_domain(self, app: Stein) -> str | None:
        """The host that gets the cookie, with all below it: ``SESSION_COOKIE_DOMAIN``.

        None is the host of the request, and no other.
        """
        domain: str | None = app.config["SESSION_COOKIE_DOMAIN"]
        return domain

    def get_cookie_path(self, app: Stein) -> str:
        """Below which path the cookie is sent: ``SESSION_COOKIE_PATH``, or the application's."""
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Stein) -> bool:
        """Whether the cookie is hidden from scripts: ``SESSION_COOKIE_HTTPONLY``."""
        httponly: bool = app.config["SESSION_COOKIE_HTTPONLY"]
        return httponly

    def get_cookie_secure(self, app: Stein) -> bool:
        """Whether the cookie is sent over TLS only: ``SESSION_COOKIE_SECURE``."""
        secure: bool = app.config["SESSION_COOKIE_SECURE"]
        return secure

    def get_cookie_samesite(self, app: Stein) -> str | None:
        """Whether requests that other sites make have the cookie: ``SESSION_COOKIE_SAMESITE``."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_cookie_partitioned(self, app: Stein) -> bool:
        """Whether each site that embeds this one has its own: ``SESSION_COOKIE_PARTITIONED``."""
        partitioned: bool = app.config["SESSION_COOKIE_PARTITIONED"]
        return partitioned

    def get_expiration_time(self, app: Stein, session: SessionMixin) -> datetime | None:
        """When the cookie ends: None is with the browser."""
        if session.permanent:
            return datetime.now(UTC) + app.permanent_session_lifetime
        return None

    def should_set_cookie(self, app: Stein, session: SessionMixin) -> bool:
        """Whether the response sets the cookie of a session that is not empty.

        It does if the session was changed; and, so that a permanent one ends a while after the
        *last* visit, with ``SESSION_REFRESH_EACH_REQUEST`` each time.
        """
        return session.modified or (
            session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]
        )

    def set_session_cookie(
        self, app: Stein, response: Response, value: str, expires: datetime | None
    ) -> None:
        """Set the session's cookie with all its attributes, and say that the response varies."""
        response.set_cookie(
            self.get_cookie_name(app),
            value,
            expires=expires,
            path=self.get_cookie_path(app),
            domain=self.get_cookie_domain(app),
            secure=self.get_cookie_secure(app),
            httponly=self.get_cookie_httponly(app),
            samesite=self.get_cookie_samesite(app),
            partitioned=self.get_cookie_partitioned(app),
        )
        vary_by_cookie(response)

    def delete_session_cookie(self, app: Stein, response: Response) -> None:
        """Have the browser forget the session's cookie, and say that the response varies."""
        response.delete_cookie(
            self.get_cookie_name(app),
            path=self.get_cookie_path(app),
            domain=self.get_cookie_domain(app),
            secure=self.get_cookie_secure(app),
            httponly=self.get_cookie_httponly(app),
            samesite=self.get_cookie_samesite(app),
            partitioned=self.get_cookie_partitioned(app),
        )
        vary_by_cookie(response)


_VARY: Final = ("Vary", "Cookie")


def vary_by_cookie(response: Response) -> None:
    """Say in ``Vary`` that the response depends on the cookies, for caches (RFC 9110 12.5.5)."""
    # PERF: response.vary.add("Cookie") makes the Headers, and takes apart and writes again what is
    # not there: 2.7 us instead of 0.2.  As long as nobody has asked for the headers, they
    # are this list, whose last one is to stay the length.
    if getattr(response, "_headers", response) is None:
        fields = response._fields
        if _VARY not in fields:
            fields.insert(-1, _VARY)
        return
    response.vary.add("Cookie")
