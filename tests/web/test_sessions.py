# ruff: noqa: S105 - keys that keep nothing secret

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.datastructures import CallbackDict
from stein.web.app import Stein
from stein.web.globals import request, session
from stein.web.response import Response
from stein.web.sessions import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.request import Request

Touch = Any


@pytest.fixture
def app() -> Stein:
    app = Stein("test")
    app.secret_key = "key"

    @app.route("/set/<name>/<value>")
    def set_(name: str, value: str) -> str:
        session[name] = value
        return "set"

    @app.route("/get/<name>")
    def get(name: str) -> str:
        return str(session.get(name))

    @app.route("/permanent")
    def permanent() -> str:
        session.permanent = True
        return "permanent"

    @app.route("/clear")
    def clear() -> str:
        session.clear()
        return "cleared"

    @app.route("/nothing")
    def nothing() -> str:
        return "nothing"

    return app


def set_cookies(response: Any) -> list[str]:
    found: list[str] = response.headers.getlist("Set-Cookie")
    return found


def vary(response: Any) -> str | None:
    found: str | None = response.headers.get("Vary")
    return found


# -- what a session is ------------------------------------------------------------------------


CHANGES: list[Callable[[Any], object]] = [
    lambda s: s.__setitem__("b", 1),
    lambda s: s.__delitem__("a"),
    lambda s: s.pop("a"),
    lambda s: s.popitem(),
    lambda s: s.clear(),
    lambda s: s.update(b=1),
    lambda s: s.setdefault("b", 1),
    lambda s: s.__ior__({"b": 1}),
    lambda s: setattr(s, "permanent", True),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_session_notices_when_it_is_changed(change: Callable[[Any], object]) -> None:
    found: Any = SecureCookieSession({"a": 1})
    assert not found.modified
    change(found)
    assert found.modified
    assert not SecureCookieSession().modified


def test_a_session_is_read_without_being_changed() -> None:
    found = SecureCookieSession({"a": 1})
    assert (found.get("a"), found["a"], "a" in found, len(found), list(found)) == (
        *(1, 1, True, 1),
        ["a"],
    )
    assert found.setdefault("a", 2) == 1
    assert not found.modified
    assert not found.accessed
    assert not found.new
    assert not found.permanent
    assert {dict, SessionMixin, CallbackDict} <= {*SecureCookieSession.__mro__}
    assert repr(found) == "<SecureCookieSession {'a': 1}>"


def test_permanence_is_an_item() -> None:
    found = SecureCookieSession()
    found.permanent = 1  # type: ignore[assignment]
    assert found == {"_permanent": True}
    assert found.permanent is True


def test_a_dict_with_the_mixin_is_a_session() -> None:
    class Own(dict[str, Any], SessionMixin):
        pass

    own = Own()
    own.permanent = True
    assert own.permanent
    assert own.modified
    assert not own.accessed


@pytest.mark.parametrize("change", CHANGES)
def test_without_a_key_a_session_can_be_looked_at(change: Callable[[Any], object]) -> None:
    app = Stein("test")
    with app.test_request_context():
        assert session.get("a") is None
        assert "a" not in session
        assert not session
        with pytest.raises(RuntimeError, match=r"session is unavailable.*Set app\.secret_key"):
            change(session)
        interface = app.session_interface
        assert interface.is_null_session(session._get_current_object())  # type: ignore[attr-defined]
    assert isinstance(app.session_interface.make_null_session(app), NullSession)
    assert not interface.is_null_session(SecureCookieSession())


def test_the_base_says_what_is_missing(app: Stein) -> None:
    class Own(SessionInterface):
        pass

    own: Any = Own()
    with pytest.raises(NotImplementedError, match=r"Own needs a method open_session"):
        own.open_session(app, None)
    with pytest.raises(NotImplementedError, match=r"Own needs a method save_session"):
        own.save_session(app, None, None)


# -- from request to request ------------------------------------------------------------------


def test_a_session_lasts_from_request_to_request(app: Stein) -> None:
    client = app.test_client()
    assert client.get("/get/a").text == "None"
    response = client.get("/set/a/1")
    assert len(set_cookies(response)) == 1
    assert client.get("/get/a").text == "1"
    assert app.test_client().get("/get/a").text == "None"


def test_a_session_that_was_emptied_takes_its_cookie_away(app: Stein) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    response = client.get("/clear")
    (cookie,) = set_cookies(response)
    assert cookie.startswith("session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0;")
    assert vary(response) == "Cookie"
    assert client.get_cookie("session") is None


def test_keys_are_rotated(app: Stein) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    app.secret_key = "new"
    assert client.get("/get/a").text == "None"
    app.config["SECRET_KEY_FALLBACKS"] = ["key"]
    assert client.get("/get/a").text == "1"
    client.get("/set/b/2")
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert client.get("/get/a").text == "1"


def test_losing_the_key_within_a_request_is_explained(app: Stein) -> None:
    with app.test_request_context() as ctx:
        ctx.session["a"] = 1
        app.secret_key = None
        with pytest.raises(RuntimeError, match=r"cannot be saved: app\.secret_key was unset"):
            app.session_interface.save_session(app, ctx.session, Response())


# -- Vary and Set-Cookie, whatever is done ----------------------------------------------------


def clear_it() -> None:
    session.clear()


TOUCHES: dict[str, Touch] = {
    "in": lambda: "a" in session,
    "len": lambda: len(session),
    "bool": lambda: bool(session),
    "get": lambda: session.get("a"),
    "iterate": lambda: list(session),
    "permanent": lambda: session.permanent,
    "modified": lambda: session.modified,
    "setdefault": lambda: session.setdefault("a", 0),
    "equal": lambda: session == {},
    "items": lambda: dict(session.items()),
    "set": lambda: session.__setitem__("b", 1),
    "pop": lambda: session.pop("a", None),
    "clear": clear_it,
    "make permanent": lambda: setattr(session, "permanent", True),
}


@given(
    st.lists(st.sampled_from(sorted(TOUCHES)), max_size=3),
    st.sampled_from([None, {"a": 1}, {"_permanent": True}, "forged"]),
    st.booleans(),
    st.sampled_from([None, "Accept", "accept, cookie", "*"]),
)
def test_a_response_varies_if_the_session_had_a_part_in_it(
    touches: list[str],
    before: dict[str, Any] | str | None,
    refresh: bool,  # noqa: FBT001
    other: str | None,
) -> None:
    app = Stein("test")
    app.secret_key = "key"
    app.config["SESSION_REFRESH_EACH_REQUEST"] = refresh

    @app.route("/")
    def index() -> Response:
        for name in touches:
            TOUCHES[name]()
        response = Response("x")
        if other:
            response.headers["Vary"] = other
        return response

    client = app.test_client()
    if before == "forged":
        client.set_cookie("session", "eyJfcGVybWFuZW50Ijp0cnVlfQ.awHKAw.forged")
    elif isinstance(before, dict):
        with client.session_transaction() as transaction:
            transaction.update(before)
    response = client.get("/")
    refreshed = refresh and before == {"_permanent": True}
    varies = (vary(response) or "").lower().replace(" ", "").split(",")
    assert ("cookie" in varies) == bool(touches or refreshed or other == "accept, cookie")
    if other:
        assert varies[0] in other.lower()
    if set_cookies(response):
        assert "cookie" in varies
    if not touches:
        assert bool(set_cookies(response)) == refreshed


# -- the cookie's attributes ------------------------------------------------------------------


def test_the_cookie_has_the_attributes_that_are_configured(app: Stein) -> None:
    (cookie,) = set_cookies(app.test_client().get("/set/a/1"))
    assert cookie.endswith("; HttpOnly; Path=/")
    app.config.update(
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_DOMAIN=".example.com",
        SESSION_COOKIE_PATH="/below",
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PARTITIONED=True,
    )
    (cookie,) = set_cookies(app.test_client().get("/set/a/1"))
    assert cookie.startswith("sid=")
    attributes = {part.strip() for part in cookie.split(";")[1:]}
    expected = {"Domain=example.com", "Secure", "Path=/below", "SameSite=Lax", "Partitioned"}
    assert attributes == expected
    with app.test_request_context():
        session["a"] = 1
        session.clear()
        response = Response()
        app.session_interface.save_session(app, session, response)
    (cookie,) = set_cookies(response)
    attributes = {part.strip() for part in cookie.split(";")[1:]}
    assert attributes >= expected


def test_the_path_is_the_applications_unless_said_otherwise(app: Stein) -> None:
    app.config["APPLICATION_ROOT"] = "/root"
    assert app.session_interface.get_cookie_path(app) == "/root"
    app.config["SESSION_COOKIE_PATH"] = "/own"
    assert app.session_interface.get_cookie_path(app) == "/own"


def test_a_permanent_session_ends_after_its_lifetime(app: Stein) -> None:
    app.permanent_session_lifetime = timedelta(hours=1)
    client = app.test_client()
    now = datetime.now(UTC)
    client.get("/permanent")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.expires is not None
    assert timedelta(minutes=59) < cookie.expires - now < timedelta(minutes=61)


# -- refreshing -------------------------------------------------------------------------------


def test_a_permanent_session_is_refreshed_also_by_requests_that_do_not_ask_for_it(
    app: Stein,
) -> None:
    client = app.test_client()
    client.get("/permanent")
    with mock.patch("time.time", return_value=2_000_000_000):
        # What is signed in the future is not believed.
        assert set_cookies(client.get("/nothing")) == []
    response = client.get("/nothing")
    assert len(set_cookies(response)) == 1
    assert vary(response) == "Cookie"
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    response = client.get("/nothing")
    assert set_cookies(response) == []
    assert vary(response) is None


def test_other_sessions_are_not_opened_without_need(
    app: Stein, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    assert client.get("/nothing").headers.get("Vary") is None
    client.get("/set/a/1")
    client.set_cookie("othersession", "x")

    def never(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(SecureCookieSessionInterface, "open_session", never)
    assert client.get("/nothing").text == "nothing"
    client.delete_cookie("session")
    assert client.get("/nothing").text == "nothing"


def test_who_decides_otherwise_is_asked(app: Stein) -> None:
    class Always(SecureCookieSessionInterface):
        def should_set_cookie(self, app: Stein, session: SessionMixin) -> bool:
            return True

    app.session_interface = Always()
    assert Always.lazy
    client = app.test_client()
    assert set_cookies(client.get("/nothing")) == []
    client.get("/set/a/1")
    assert len(set_cookies(client.get("/nothing"))) == 1


@pytest.mark.parametrize("by", ["class", "instance"])
@pytest.mark.parametrize("what", ["permanent", "modified", "init"])
def test_a_session_that_decides_otherwise_is_asked(app: Stein, what: str, by: str) -> None:
    class Permanent(SecureCookieSession):
        permanent = property(lambda _: True, lambda _, __: None)

    class Modified(SecureCookieSession):
        modified = True

    class Made(SecureCookieSession):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.modified = True

    kind: Any = {"permanent": Permanent, "modified": Modified, "init": Made}[what]
    if by == "class":

        class Interface(SecureCookieSessionInterface):
            session_class = kind

        app.session_interface = Interface()
    else:
        interface = app.session_interface = SecureCookieSessionInterface()
        interface.session_class = kind
    client = app.test_client()
    client.get("/set/a/1")
    assert len(set_cookies(client.get("/nothing"))) == 1


def test_a_session_that_is_always_changed_is_so_without_a_cookie(app: Stein) -> None:
    class Modified(SecureCookieSession):
        modified = True

    class Interface(SecureCookieSessionInterface):
        session_class = Modified

    app.session_interface = Interface()
    (cookie,) = set_cookies(app.test_client().get("/nothing"))
    assert cookie.startswith("session=;")


def test_a_serializer_that_cannot_be_looked_into_is_asked(app: Stein) -> None:
    class Reversed:
        @staticmethod
        def dumps(value: object) -> str:
            return repr(value)[::-1]

        @staticmethod
        def loads(text: str) -> Any:
            return eval(text[::-1])  # noqa: S307 - it was signed

    interface = app.session_interface = SecureCookieSessionInterface()
    interface.serializer = Reversed()
    client = app.test_client()
    client.get("/permanent")
    assert len(set_cookies(client.get("/nothing"))) == 1


def test_without_a_key_nothing_is_refreshed(app: Stein) -> None:
    client = app.test_client()
    client.get("/permanent")
    app.secret_key = None
    assert set_cookies(client.get("/nothing")) == []


# -- laziness ---------------------------------------------------------------------------------


def test_only_sessions_that_can_wait_are_lazy() -> None:
    class Opens:
        def open_session(self, app: Stein, request: Request) -> SecureCookieSession:
            return SecureCookieSession()

    class Named(SecureCookieSessionInterface):
        def get_cookie_name(self, app: Stein) -> str:
            return "other"

    class Mixed(Opens, SecureCookieSessionInterface):
        pass

    class Saves(Named):
        def save_session(self, *args: Any) -> None:
            pass

    class Below(Saves):
        pass

    class Helpful(SecureCookieSession):
        def user(self) -> Any:
            return self.get("user")

    class Permanent(SecureCookieSession):
        permanent = property(lambda _: True)

    class OfHelpful(SecureCookieSessionInterface):
        session_class = Helpful

    class OfPermanent(SecureCookieSessionInterface):
        session_class = Permanent

    class BelowOfPermanent(OfPermanent):
        pass

    class Knows(Saves):
        lazy = True

    class BelowKnows(Knows):
        pass

    assert SecureCookieSessionInterface.lazy
    assert Named.lazy
    assert Knows.lazy
    assert BelowKnows.lazy
    assert not SessionInterface.lazy
    assert not Mixed.lazy
    assert not Saves.lazy
    assert not Below.lazy
    assert OfHelpful.lazy
    assert not OfPermanent.lazy
    assert not BelowOfPermanent.lazy


def test_a_session_of_another_kind_is_opened_and_saved_with_each_request(app: Stein) -> None:
    calls = []

    class Own(dict[str, Any], SessionMixin):
        pass

    class OwnInterface(SessionInterface):
        def open_session(self, app: Stein, request: Request) -> Own:
            calls.append(f"open {request.path}")
            return Own(path=request.path)

        def save_session(self, app: Stein, session: SessionMixin, response: Response) -> None:
            calls.append(f"save {dict(session)}")

    app.session_interface = OwnInterface()
    assert app.test_client().get("/nothing").text == "nothing"
    assert calls == ["open /nothing", "save {'path': '/nothing'}"]


def test_a_session_that_cannot_be_opened_is_a_null_session(app: Stein) -> None:
    class Broken(SessionInterface):
        def open_session(self, app: Stein, request: Request) -> None:
            return None

    app.session_interface = Broken()
    assert app.test_client().get("/get/a").text == "None"


def test_an_untouched_session_is_opened_and_saved_by_default(app: Stein) -> None:
    class Own(SecureCookieSessionInterface):
        save_untouched = SessionInterface.save_untouched

    app.session_interface = Own()
    client = app.test_client()
    client.get("/permanent")
    assert len(set_cookies(client.get("/nothing"))) == 1
    app.secret_key = None
    response = SimpleNamespace()
    with app.test_request_context():
        Own().save_untouched(app, request, response)  # type: ignore[arg-type]


def test_importing_it_imports_little() -> None:
    late = {"itsdangerous", "hashlib", "hmac", "json", "secrets", "zlib", "base64", "uuid"}
    before = "import sys, stein.toolkit.http; before = {*sys.modules}; "
    code = f"{before}import stein.web.sessions; print(*{late!r} & {{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
