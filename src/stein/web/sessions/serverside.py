"""Sessions that are kept on the server; the browser has only the key to one.

**The facts.** A page makes several requests at once, and each of them loads the session, changes
something, and saves all of it.  Two that overlap: the one that saves last undoes the other, and
nobody is told; a cart loses an item, a login vanishes.  Locking the session for the length of a
request would put the requests of one visitor in a queue, and leave the lock behind when a process
dies.

**The decision.** The store gives each state of a session a number, and takes a new state only
from somebody who has seen the last one.  Whoever is refused loads what the others have made of it
and does again what he did: the keys that this request set or removed are set or removed, and all
others are as the others left them (:meth:`ServerSideSessionInterface.merge`).  Of two who change
the same key, the later one wins.  A session that was deleted stays deleted: a slow request that
began before the logout does not bring it back, and what it changed is dropped.

**The price.** A key that holds a list is merged as one value: two requests that append to it at
once keep one of the two.  Give each item a key of its own, where that matters, or override
``merge``.

**The key.** 256 random bits, made by the server: one that it does not know is never taken over
(session fixation), and ``session.regenerate()`` changes it, for when somebody logs in.  The store
sees only a hash of it, so that who can read the store cannot take over a session.
"""

from __future__ import annotations

import re
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Final, Protocol

from stein.web.sessions.cookie import session_json_serializer
from stein.web.sessions.interface import SecureCookieSession, SessionInterface, vary_by_cookie

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.web.app import Stein
    from stein.web.request import Request
    from stein.web.response import Response
    from stein.web.sessions.interface import SessionMixin

__all__ = [
    "ServerSideSession",
    "ServerSideSessionInterface",
    "SessionConflictError",
    "SessionStore",
]

# A letter that says whether the session is permanent, and the id.  The letter is believed only so
# far as to have a look.
_COOKIE: Final = re.compile(r"[ps][A-Za-z0-9_-]{43}")
_PERMANENT: Final = "p"

# Each time somebody is refused, somebody else was not, so that this many must save at once.
_MOST_TRIES: Final = 20


class SessionConflictError(RuntimeError):
    """A session was changed by others each time that it was to be saved."""


class SessionStore(Protocol):
    """Where sessions are kept; all methods may be called by several threads at once."""

    def load(self, key: str) -> tuple[str, int] | None:
        """Give a session's text and the number of its state; None if there is none."""
        ...

    def save(self, key: str, text: str, version: int, lifetime: int) -> bool:
        """Store a session's text, if its state is what the caller takes it for.

        Comparing and storing must be one step.

        :param version: the number of the state that the text was made from, and which must be the
            present one: 0 means that there must not be any.  The new state is that plus one.
        :param lifetime: in seconds, after which it is gone.
        :return: whether it was stored.
        """
        ...

    def touch(self, key: str, lifetime: int) -> bool:
        """Let a session live so many seconds from now; tell whether there is one."""
        ...

    def delete(self, key: str) -> None:
        """Remove a session, if there is one."""
        ...


class ServerSideSession(SecureCookieSession):
    """A session that is kept on the server.

    What changes inside an item (``session["cart"].append(7)``) is noticed when it is saved.

    :param initial: its items.
    :param sid: its id; by default it gets one when it is saved.
    :param text: what it was loaded from.
    :param version: the number of the state that it was loaded from.
    """

    def __init__(
        self,
        initial: Mapping[str, Any] | None = None,
        sid: str | None = None,
        text: str = "{}",
        version: int = 0,
    ) -> None:
        super().__init__(initial)
        self.loaded_text = text
        self.version = version
        #: ids that it had, and that must be forgotten when it is saved
        self.left: list[str] = []
        self._sid = sid

    @property
    def new(self) -> bool:  # type: ignore[override]  # a property, as flask-session has it, too
        """Whether the store has nothing of it yet."""
        return self.version == 0

    @property
    def sid(self) -> str:
        """Its id, which is a secret between the server and the browser."""
        sid = self._sid
        if sid is None:
            sid = self._sid = token_urlsafe(32)
        return sid

    def regenerate(self) -> None:
        """Go on under another id, and forget the one it had.

        Call it when a visitor logs in: whoever may have known the id before does not know the new
        one.  What another request, at the same time, changes under the old one is dropped.
        """
        if self.version:
            self.left.append(self.sid)
        self._sid = None
        self.version = 0
        self.modified = True


class ServerSideSessionInterface(SessionInterface):
    """Keeps sessions in a store.

    :param store: where they are kept.
    """

    lazy = True

    session_class: type[ServerSideSession] = ServerSideSession

    #: writes and reads what the store keeps
    serializer: Any = session_json_serializer

    def __init__(self, store: SessionStore) -> None:
        self.store = store

    # -- at the beginning of a request --------------------------------------------------------

    def open_session(self, app: Stein, request: Request) -> ServerSideSession:
        """Load the session that the cookie has the key to; an empty one if there is none."""
        value = request.cookies.get(self.get_cookie_name(app))
        if not value or not _COOKIE.fullmatch(value):
            return self.session_class()
        sid = value[1:]
        stored = self.store.load(_hashed(sid))
        if stored is None:
            return self.session_class()
        text, version = stored
        try:
            items = self.serializer.loads(text)
        except ValueError as error:
            app.logger.warning(
                "a stored session cannot be read, and so its visitor gets an empty one: %s. Was it "
                "written with another serializer, or a tag that is not registered any more?",
                error,
            )
            return self.session_class()
        return self.session_class(items, sid, text, version)

    # -- at its end ---------------------------------------------------------------------------

    def save_session(self, app: Stein, session: SessionMixin, response: Response) -> None:
        """Store the session if it was changed, and set or delete the cookie."""
        if not isinstance(session, ServerSideSession):
            raise TypeError(
                f"{type(self).__name__} saves what its open_session() gave, which is a "
                f"{ServerSideSession.__name__}, not {session!r}"
            )
        if session.accessed:
            vary_by_cookie(response)
        if not session:
            if session.modified:
                self._forget(session)
                self.delete_session_cookie(app, response)
            return
        text = self.serializer.dumps(dict(session))
        if text != session.loaded_text or session.new:
            kept = self._store(app, session, text)
        elif self.should_set_cookie(app, session):
            kept = self.store.touch(_hashed(session.sid), _lifetime(app))
        else:
            return
        if kept:
            value = (_PERMANENT if session.permanent else "s") + session.sid
            self.set_session_cookie(app, response, value, self.get_expiration_time(app, session))

    def save_untouched(self, app: Stein, request: Request, response: Response) -> None:
        """Renew the cookie of a permanent session that nobody asked for, and its time."""
        field = request.environ.get("HTTP_COOKIE")
        if not field or not app.config["SESSION_REFRESH_EACH_REQUEST"]:
            return
        name = self.get_cookie_name(app)
        if name in field and request.cookies.get(name, "").startswith(_PERMANENT):
            super().save_untouched(app, request, response)

    def merge(
        self, base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Bring together what this request and others have made of a session.

        :param base: its items when this request loaded it.
        :param mine: as this request leaves them.
        :param theirs: as they are stored now.
        """
        write = self.serializer.dumps
        merged = dict(theirs)
        for key in base.keys() - mine.keys():
            merged.pop(key, None)
        merged.update(
            (key, value)
            for key, value in mine.items()
            if key not in base or write(base[key]) != write(value)
        )
        return merged

    def _store(self, app: Stein, session: ServerSideSession, text: str) -> bool:
        """Store a session; again, merged, if others were sooner.

        :return: False if it was deleted meanwhile.
        """
        key, version = _hashed(session.sid), session.version
        mine = dict(session)
        lifetime = _lifetime(app)
        for _ in range(_MOST_TRIES):
            if self.store.save(key, text, version, lifetime):
                self._forget_left(session)
                session.loaded_text, session.version = text, version + 1
                return True
            stored = self.store.load(key)
            if stored is None:
                return False
            theirs, version = stored
            loads = self.serializer.loads
            text = self.serializer.dumps(
                self.merge(loads(session.loaded_text), mine, loads(theirs))
            )
        raise SessionConflictError(
            f"a session could not be saved: {_MOST_TRIES} times in a row another request had "
            "changed it meanwhile. Find out what makes so many requests write to one session, and "
            "keep that somewhere else."
        )

    def _forget(self, session: ServerSideSession) -> None:
        if not session.new:
            self.store.delete(_hashed(session.sid))
        self._forget_left(session)

    def _forget_left(self, session: ServerSideSession) -> None:
        for sid in session.left:
            self.store.delete(_hashed(sid))
        session.left.clear()


def _hashed(sid: str) -> str:
    """What the store knows a session by."""
    return sha256(sid.encode()).hexdigest()


def _lifetime(app: Stein) -> int:
    """How long a session is kept, in seconds; a store's own unit is at least one."""
    return max(1, int(app.permanent_session_lifetime.total_seconds()))
