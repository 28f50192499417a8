from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.web.app import Stein
from stein.web.globals import session
from stein.web.response import Response
from stein.web.sessions import SecureCookieSession
from stein.web.sessions.serverside import (
    ServerSideSession,
    ServerSideSessionInterface,
    SessionConflictError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class MemoryStore:
    """A store in a dict, which can be made to wait, or to be sooner than others."""

    kept: dict[str, tuple[str, int]] = field(default_factory=dict)
    lifetimes: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    before_save: Callable[[str], object] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, key: str) -> tuple[str, int] | None:
        self.log.append("load")
        return self.kept.get(key)

    def save(self, key: str, text: str, version: int, lifetime: int) -> bool:
        self.log.append("save")
        self.before_save(key)
        with self.lock:
            if self.kept.get(key, ("", 0))[1] != version:
                return False
            self.kept[key] = text, version + 1
            self.lifetimes[key] = lifetime
        return True

    def touch(self, key: str, lifetime: int) -> bool:
        self.log.append("touch")
        self.lifetimes[key] = lifetime
        return key in self.kept

    def delete(self, key: str) -> None:
        self.log.append("delete")
        self.kept.pop(key, None)

    def texts(self) -> list[str]:
        return [text for text, _ in self.kept.values()]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def app(store: MemoryStore) -> Stein:
    app = Stein("test")
    app.session_interface = ServerSideSessionInterface(store)

    @app.route("/set/<name>/<value>")
    def set_(name: str, value: str) -> str:
        session[name] = value
        return "set"

    @app.route("/all")
    def all_() -> dict[str, Any]:
        return dict(session)

    @app.route("/append/<value>")
    def append(value: str) -> str:
        session.setdefault("list", []).append(value)
        return "appended"

    @app.route("/clear")
    def clear() -> str:
        session.clear()
        return "cleared"

    @app.route("/login")
    def login() -> str:
        current().regenerate()
        session["user"] = 1
        return "hello"

    @app.route("/permanent")
    def permanent() -> str:
        session.permanent = True
        return "permanent"

    @app.route("/nothing")
    def nothing() -> str:
        return "nothing"

    return app


def current() -> ServerSideSession:
    found = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(found, ServerSideSession)
    return found


def cookie_of(client: Any) -> str:
    value: str = client.get_cookie("session").value
    return value


# -- one request after the other --------------------------------------------------------------


def test_a_session_is_kept_on_the_server(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    assert client.get("/all").json == {}
    assert store.log == []
    response = client.get("/set/a/1")
    assert response.headers["Vary"] == "Cookie"
    assert store.texts() == ['{"a":"1"}']
    assert client.get("/all").json == {"a": "1"}
    assert app.test_client().get("/all").json == {}
    assert list(store.lifetimes.values()) == [31 * 24 * 3600]


def test_the_store_does_not_learn_what_the_cookie_is(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    (key,) = store.kept
    value = cookie_of(client)
    assert len(value) == 44
    assert value not in key
    assert value[1:] not in key


def test_changes_inside_an_item_are_noticed(app: Stein) -> None:
    client = app.test_client()
    client.get("/append/1")
    client.get("/append/2")
    assert client.get("/all").json == {"list": ["1", "2"]}


def test_what_was_only_read_is_not_saved(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    store.log.clear()
    response = client.get("/all")
    assert store.log == ["load"]
    assert response.headers["Vary"] == "Cookie"
    assert "Set-Cookie" not in response.headers


def test_what_nobody_asked_for_is_not_loaded(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    store.log.clear()
    assert "Vary" not in client.get("/nothing").headers
    assert store.log == []


def test_what_is_permanent_is_renewed_with_each_request(app: Stein, store: MemoryStore) -> None:
    app.permanent_session_lifetime = timedelta(hours=2)
    client = app.test_client()
    client.get("/permanent")
    app.permanent_session_lifetime = timedelta(hours=1)
    for path in ("/nothing", "/all"):
        store.log.clear()
        store.lifetimes.clear()
        response = client.get(path)
        assert store.log == ["load", "touch"]
        assert list(store.lifetimes.values()) == [3600]
        assert "Expires=" in response.headers["Set-Cookie"]
        assert response.headers["Vary"] == "Cookie"
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    store.log.clear()
    assert "Set-Cookie" not in client.get("/nothing").headers
    assert store.log == []
    client.set_cookie("session", f"p{'x' * 43}")
    app.config["SESSION_REFRESH_EACH_REQUEST"] = True
    assert "Set-Cookie" not in client.get("/nothing").headers


def test_a_lifetime_is_a_second_at_least(app: Stein, store: MemoryStore) -> None:
    app.permanent_session_lifetime = timedelta(seconds=0.5)
    app.test_client().get("/set/a/1")
    assert list(store.lifetimes.values()) == [1]


def test_a_session_that_was_emptied_is_forgotten(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/clear")
    assert store.log == []
    client.get("/set/a/1")
    client.get("/clear")
    assert store.kept == {}
    assert client.get_cookie("session") is None


@given(st.text() | st.text("ps", min_size=44, max_size=44))
def test_an_id_that_the_server_did_not_make_is_not_taken_over(value: str) -> None:
    app = Stein("test")
    app.session_interface = ServerSideSessionInterface(MemoryStore())

    class Asked:
        cookies = {"session": value}  # noqa: RUF012 - read only

    found = app.session_interface.open_session(app, Asked())  # type: ignore[arg-type]
    assert isinstance(found, ServerSideSession)
    assert found == {}
    assert found.new
    assert found.sid not in value
    assert len(found.sid) == 43


def test_whoever_logs_in_gets_another_id(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    before = cookie_of(client)
    client.get("/login")
    assert cookie_of(client) != before
    assert store.texts() == ['{"a":"1","user":1}']
    thief = app.test_client()
    thief.set_cookie("session", before)
    assert thief.get("/all").json == {}
    assert client.get("/all").json == {"a": "1", "user": 1}


def test_an_id_may_be_changed_before_there_is_one_and_twice(store: MemoryStore) -> None:
    app = Stein("test")
    interface = app.session_interface = ServerSideSessionInterface(store)
    with app.test_request_context():
        found = current()
        found.regenerate()
        found.regenerate()
        found["a"] = 1
        interface.save_session(app, found, Response())
        assert store.log == ["save"]
        first = found.sid
        found.regenerate()
        found.regenerate()
        found.clear()
        interface.save_session(app, found, Response())
        assert found.sid != first
    assert store.kept == {}


def test_a_session_knows_whether_it_is_new(app: Stein) -> None:
    with app.test_request_context():
        found = current()
        assert found.new
        assert found.sid == found.sid
        found["a"] = 1
        app.session_interface.save_session(app, found, Response())
        assert not found.new


# -- requests at the same time ----------------------------------------------------------------


def overlapping(app: Stein, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Let two requests load the same session, change it, and save one after the other.

    None as a value removes the key.
    """
    client = app.test_client()
    client.get("/set/a/1")
    client.get("/set/b/1")
    headers = {"Cookie": f"session={cookie_of(client)}"}
    sessions = []
    for changes in (first, second):
        with app.test_request_context(headers=headers):
            found = current()
            sessions.append(found)
            for key, value in changes.items():
                if value is None:
                    del found[key]
                else:
                    found[key] = value
    for found in sessions:
        app.session_interface.save_session(app, found, Response())
    items: dict[str, Any] = client.get("/all").json
    return items


@pytest.mark.parametrize(
    ("first", "second", "after"),
    [
        ({"c": 1}, {"d": 2}, {"a": "1", "b": "1", "c": 1, "d": 2}),
        ({"a": 2}, {"b": 2}, {"a": 2, "b": 2}),
        ({"a": 2}, {"a": 3}, {"a": 3, "b": "1"}),
        ({"a": None}, {"b": 2}, {"b": 2}),
        ({"a": 2}, {"b": None}, {"a": 2}),
        ({"a": None}, {"a": None, "b": 2}, {"b": 2}),
        ({"c": 1}, {"a": "1"}, {"a": "1", "b": "1", "c": 1}),
    ],
)
def test_requests_do_not_undo_each_other(
    app: Stein, first: dict[str, Any], second: dict[str, Any], after: dict[str, Any]
) -> None:
    assert overlapping(app, first, second) == after


def test_who_wants_more_merges_better(app: Stein, store: MemoryStore) -> None:
    class Adding(ServerSideSessionInterface):
        def merge(self, base: Any, mine: Any, theirs: Any) -> dict[str, Any]:
            return {**theirs, "n": theirs.get("n", 0) + mine["n"] - base.get("n", 0)}

    app.session_interface = Adding(store)
    assert overlapping(app, {"n": 5}, {"n": 7})["n"] == 12


def test_a_session_that_was_deleted_stays_deleted(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    headers = {"Cookie": f"session={cookie_of(client)}"}
    with app.test_request_context(headers=headers):
        slow = current()
        slow["b"] = 1
    client.get("/clear")
    response = Response()
    app.session_interface.save_session(app, slow, response)
    assert store.kept == {}
    assert "Set-Cookie" not in response.headers


def test_many_threads_lose_nothing(app: Stein, store: MemoryStore) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    headers = {"Cookie": f"session={cookie_of(client)}"}
    errors = []

    def work(name: str) -> None:
        for number in range(5):
            client = app.test_client(use_cookies=False)
            response = client.get(f"/set/{name}-{number}/1", headers=headers)
            if response.status_code != 200:
                errors.append(response)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    items: Any = client.get("/all").json
    assert len(items) == 31


def test_a_session_that_others_always_change_sooner_is_an_error(
    app: Stein, store: MemoryStore
) -> None:
    def sooner(key: str) -> None:
        text, version = store.kept.get(key, ("{}", 0))
        store.kept[key] = text, version + 1

    store.before_save = sooner
    with app.test_request_context():
        session["a"] = 1
        with pytest.raises(SessionConflictError, match="20 times in a row"):
            app.session_interface.save_session(app, current(), Response())


# -- what is not as it should be --------------------------------------------------------------


def test_a_text_that_cannot_be_read_is_logged(
    app: Stein, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    client = app.test_client()
    client.get("/set/a/1")
    (key,) = store.kept
    store.kept[key] = '{" u":"x"}', 1
    assert client.get("/all").json == {}
    assert "a stored session cannot be read" in caplog.text


def test_a_session_of_another_kind_is_refused(app: Stein) -> None:
    with pytest.raises(TypeError, match="saves what its open_session"):
        app.session_interface.save_session(app, SecureCookieSession({"a": 1}), Response())


@pytest.fixture(autouse=True)
def quiet_logger(app: Stein) -> Iterator[None]:
    yield
    app.logger.handlers.clear()
