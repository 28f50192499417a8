from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from stein.web.app import Stein
from stein.web.globals import session
from stein.web.response import Response
from stein.web.sessions.redis import RedisSessionInterface, RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterator

redis = pytest.importorskip("redis")
SERVER = shutil.which("redis-server")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of our own, on a socket in a folder of our own."""
    if SERVER is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path_factory.mktemp("redis")
    socket = folder / "redis.sock"
    settings = f"--port 0 --save  --unixsocket {socket} --dir {folder}".split(" ")
    with subprocess.Popen([SERVER, *settings], stdout=subprocess.DEVNULL) as server:
        try:
            client = redis.Redis(unix_socket_path=str(socket))
            _wait_for(client, server)
            client.close()
            yield f"unix://{socket}"
        finally:
            server.terminate()


def _wait_for(client: Any, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while server.poll() is None and time.monotonic() < deadline:
        try:
            client.ping()
        except redis.exceptions.ConnectionError:
            continue
        return
    raise AssertionError("redis-server did not start")


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def client(url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    with redis.Redis.from_url(url, decode_responses=request.param) as client:
        client.flushall()
        yield client


def test_a_state_is_stored_by_who_has_seen_the_last_one(client: Any) -> None:
    store = RedisStore(client)
    assert store.load("k") is None
    assert not store.save("k", "early", 1, 100)
    assert store.save("k", "é", 0, 100)
    assert not store.save("k", "again", 0, 100)
    assert store.load("k") == ("é", 1)
    assert store.save("k", "second", 1, 100)
    assert not store.save("k", "late", 1, 100)
    assert store.load("k") == ("second", 2)
    store.delete("k")
    store.delete("k")
    assert store.load("k") is None
    assert not store.save("k", "back", 2, 100)


def test_redis_forgets_by_itself(client: Any) -> None:
    store = RedisStore(client, prefix="app:")
    assert not store.touch("k", 5)
    store.save("k", "x", 0, 100)
    assert 99 <= client.ttl("app:k") <= 100
    assert store.touch("k", 5)
    assert 4 <= client.ttl("app:k") <= 5
    store.save("k", "y", 1, 50)
    assert 49 <= client.ttl("app:k") <= 50


def test_a_hash_that_is_not_ours_is_no_session(client: Any) -> None:
    client.hset("session:k", "other", "x")
    assert RedisStore(client).load("k") is None


def test_sessions_are_kept_in_redis(client: Any) -> None:
    app = Stein("test")
    app.session_interface = RedisSessionInterface(client, prefix="mine:")

    @app.route("/set/<name>")
    def set_(name: str) -> str:
        session[name] = (name, 1)
        return "set"

    @app.route("/all")
    def all_() -> str:
        return repr(dict(session))

    browser = app.test_client()
    browser.get("/set/é")
    assert browser.get("/all").text == "{'é': ('é', 1)}"
    (key,) = client.scan_iter()
    assert str(key).startswith(("mine:", "b'mine:"))
    cookie = browser.get_cookie("session")
    assert cookie is not None
    with app.test_request_context(headers={"Cookie": f"session={cookie.value}"}) as ctx:
        ctx.session["slow"] = 1
        browser.get("/set/a")
        app.session_interface.save_session(app, ctx.session, Response())
    assert browser.get("/all").text == "{'a': ('a', 1), 'slow': 1, 'é': ('é', 1)}"


def test_a_url_is_enough(url: str) -> None:
    interface = RedisSessionInterface(url)
    store: Any = interface.store
    assert store.load("nothing") is None
    assert store.client.connection_pool.connection_kwargs["socket_timeout"] == 5
    store.client.close()
    patient: Any = RedisSessionInterface(f"{url}?socket_timeout=9").store
    assert patient.client.connection_pool.connection_kwargs["socket_timeout"] == 9


def test_a_redis_that_is_not_there_is_named() -> None:
    interface = RedisSessionInterface("unix:///no/such/redis.sock")
    with pytest.raises(redis.exceptions.ConnectionError, match=r"/no/such/redis\.sock"):
        interface.store.load("k")


def test_without_the_package_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'stein\[redis\]'"):
        RedisSessionInterface()


def test_an_error_within_the_package_is_not_mistaken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name == "redis":
                raise ModuleNotFoundError("No module named 'inner'", name="inner")

    monkeypatch.delitem(sys.modules, "redis")
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="inner"):
        RedisSessionInterface()
