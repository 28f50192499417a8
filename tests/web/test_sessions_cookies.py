"""Session cookies are Flask's: what one of the two has signed, the other reads.

The cookies in data/flask_cookies.json were made by Flask 3.1.3.  They are read here; and made here
at the same second, they are the same to the byte, so that Flask reads ours.
"""

# ruff: noqa: S105 - keys that keep nothing secret

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from markupsafe import Markup

from stein.web.app import Stein
from stein.web.sessions import (
    SecureCookieSession,
    SecureCookieSessionInterface,
    session_json_serializer,
)
from stein.web.sessions.peek import MOST_SEEN, peek, value_of

COOKIES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "flask_cookies.json").read_text()
)["cookies"]


def made(written: Any) -> Any:
    """Read the notation that the values have in the file."""
    if isinstance(written, list):
        return [made(item) for item in written]
    if not isinstance(written, dict):
        return written
    ((kind, inner),) = written.items()
    if kind == "dict":
        return {key: made(item) for key, item in inner}
    if kind == "tuple":
        return tuple(map(made, inner))
    kinds: dict[str, Any] = {
        "bytes": bytes.fromhex,
        "markup": Markup,
        "uuid": UUID,
        "datetime": datetime.fromisoformat,
    }
    return kinds[kind](inner)


def typed(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, typed(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [typed(item) for item in value]
    return type(value), value


def app_for(case: dict[str, Any]) -> tuple[Stein, SecureCookieSessionInterface]:
    app = Stein("test")
    app.secret_key = case["secret"]
    app.config["SECRET_KEY_FALLBACKS"] = case["fallbacks"]
    interface = app.session_interface = SecureCookieSessionInterface()
    interface.salt, interface.key_derivation = case["salt"], case["derivation"]
    if case["digest"] != "sha1":
        interface.digest_method = getattr(hashlib, case["digest"])
    return app, interface


def serializer_of(app: Stein) -> URLSafeTimedSerializer:
    assert isinstance(app.session_interface, SecureCookieSessionInterface)
    serializer = app.session_interface.get_signing_serializer(app)
    assert serializer is not None
    return serializer


@pytest.mark.parametrize("case", COOKIES, ids=lambda case: case["name"])
def test_a_cookie_that_flask_made_is_read(case: dict[str, Any]) -> None:
    app, interface = app_for(case)
    with app.app_context():
        read = serializer_of(app).loads(case["cookie"])
        assert typed(read) == typed(made(case["read"]))
    moment = case["time"] + 60
    cookies = {"Cookie": f"session={case['cookie']}"}
    with (
        mock.patch("time.time", return_value=moment),
        app.test_request_context(headers=cookies) as ctx,
    ):
        assert dict(ctx.session) == read
        assert type(ctx.session) is interface.session_class


@pytest.mark.parametrize(
    "case", [case for case in COOKIES if "by_fallback" not in case], ids=lambda case: case["name"]
)
def test_a_cookie_is_the_one_that_flask_would_make(case: dict[str, Any]) -> None:
    app, _ = app_for(case)
    with mock.patch("time.time", return_value=case["time"]), app.app_context():
        assert serializer_of(app).dumps(made(case["value"])) == case["cookie"]


def test_a_cookie_is_the_same_as_plain_itsdangerous_makes() -> None:
    app = Stein("test")
    app.secret_key = "key"
    app.config["SECRET_KEY_FALLBACKS"] = ["one", b"two"]
    ours = serializer_of(app)
    plain = URLSafeTimedSerializer(
        ["one", b"two", "key"],  # type: ignore[arg-type]
        salt="cookie-session",
        serializer=session_json_serializer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
    )
    with mock.patch("time.time", return_value=1.7e9):
        cookie = ours.dumps({"a": 1})
        assert cookie == plain.dumps({"a": 1})
        assert ours.loads(cookie, return_timestamp=True) == plain.loads(
            cookie, return_timestamp=True
        )
        assert ours.dumps(1, salt="x") == plain.dumps(1, salt="x")
        assert ours.loads(plain.dumps(1, salt="x"), salt="x") == 1
        assert ours.loads_unsafe("x.y.z") == plain.loads_unsafe("x.y.z")
    with mock.patch("time.time", return_value=1.7e9 + 11), pytest.raises(SignatureExpired):
        ours.loads(cookie, max_age=10)
    with mock.patch("time.time", return_value=1.7e9 - 1), pytest.raises(SignatureExpired):
        ours.loads(cookie, max_age=10)
    with pytest.raises(BadSignature):
        ours.loads(cookie + "A")


# -- what is kept -----------------------------------------------------------------------------


def test_what_signs_is_kept_until_something_of_it_changes() -> None:
    app = Stein("test")
    interface = app.session_interface = SecureCookieSessionInterface()
    assert interface.get_signing_serializer(app) is None
    app.secret_key = "one"
    first = serializer_of(app)
    assert serializer_of(app) is first
    app.secret_key = b"two"
    second = serializer_of(app)
    assert second is not first
    app.config["SECRET_KEY_FALLBACKS"] = fallbacks = ["one"]
    third = serializer_of(app)
    assert third.loads(first.dumps(1)) == 1
    fallbacks.append("zero")
    assert serializer_of(app).secret_keys == [b"one", b"zero", b"two"]
    for name, value in {
        "salt": "other",
        "key_derivation": "concat",
        "digest_method": hashlib.sha256,
        "serializer": json,
    }.items():
        before = serializer_of(app)
        setattr(interface, name, value)
        assert serializer_of(app) is not before
        with pytest.raises(BadSignature) if name != "serializer" else mock.MagicMock():
            serializer_of(app).loads(before.dumps({}))


def test_no_more_is_kept_than_is_in_use() -> None:
    app = Stein("test")
    interface = app.session_interface = SecureCookieSessionInterface()
    for number in range(100):
        app.secret_key = str(number)
        serializer_of(app)
    assert len(interface._kept) <= 16


def test_a_subclass_need_not_know_what_is_kept() -> None:
    class Own(SecureCookieSessionInterface):
        def __init__(self) -> None:
            pass

    app = Stein("test")
    app.session_interface = Own()
    app.secret_key = "key"
    assert serializer_of(app) is serializer_of(app)


def test_a_hash_need_not_be_openssls() -> None:
    def slow(data: bytes = b"") -> Any:
        inner = hashlib.sha256(data)
        return SimpleNamespace(
            update=inner.update,
            digest=inner.digest,
            copy=inner.copy,
            digest_size=inner.digest_size,
            block_size=inner.block_size,
        )

    app = Stein("test")
    interface = app.session_interface = SecureCookieSessionInterface()
    app.secret_key = "key"
    interface.digest_method = hashlib.sha256
    with mock.patch("time.time", return_value=1.7e9):
        cookie = serializer_of(app).dumps({"a": 1})
        interface.digest_method = slow
        assert serializer_of(app).dumps({"a": 1}) == cookie


# -- what is no session -----------------------------------------------------------------------


def opened(app: Stein, value: str) -> Any:
    request = SimpleNamespace(cookies={"session": value}, environ={"HTTP_COOKIE": value})
    return app.session_interface.open_session(app, request)  # type: ignore[arg-type]


APP = Stein("test")
APP.secret_key = "key"
GENUINE = serializer_of(APP).dumps({"user": 1, "list": ["x" * 40] * 9})


@given(
    st.text()
    | st.text("ABCabc019-_.=", max_size=80)
    | st.builds(".".join, st.lists(st.text("ABCabc019-_=", max_size=20), min_size=2, max_size=5))
    | st.builds(
        lambda at, by: GENUINE[:at] + by + GENUINE[at + 1 :],
        st.integers(0, len(GENUINE) - 1),
        st.characters() | st.just(""),
    )
)
def test_a_cookie_that_is_not_genuine_makes_an_empty_session(value: str) -> None:
    session = opened(APP, value)
    if value != GENUINE:
        # Base64 has bits to spare in its last letter, so that one letter may stand for another.
        assert session == {} or value[:-1] == GENUINE[:-1]
    assert type(session) is SecureCookieSession
    assert not session.modified
    assert isinstance(peek(value), bytes)


@pytest.mark.parametrize("signed", [["a"], "text", 5, None, [["a", 1]]])
def test_a_genuine_cookie_of_something_else_makes_an_empty_session(signed: object) -> None:
    assert opened(APP, serializer_of(APP).dumps(signed)) == {}


def test_a_genuine_cookie_that_cannot_be_read_makes_an_empty_session() -> None:
    signer = serializer_of(APP).make_signer()
    for payload in (b"", b"!", b".AAAA", b"e30x", b"bm8ganNvbg", b"eyIgdSI6IngifQ"):
        assert opened(APP, signer.sign(payload).decode()) == {}
    assert opened(APP, signer.sign(b"e30").decode()) == {}


def test_a_cookie_lives_as_long_as_a_permanent_session() -> None:
    app = Stein("test")
    app.secret_key = "key"
    app.config["PERMANENT_SESSION_LIFETIME"] = 100
    with mock.patch("time.time", return_value=1000):
        value = serializer_of(app).dumps({"a": 1})
    for moment, seen in ((1100, {"a": 1}), (1101, {}), (999, {})):
        with mock.patch("time.time", return_value=moment):
            assert opened(app, value) == seen


# -- a look inside ----------------------------------------------------------------------------


def test_a_look_shows_what_is_inside_without_a_key() -> None:
    assert peek(serializer_of(APP).dumps({"_permanent": True})) == b'{"_permanent":true}'
    assert peek(GENUINE).startswith(b'{"user":1,"list":["xxxx')
    assert GENUINE.startswith(".")


@given(st.text())
def test_a_look_shows_any_text(text: str) -> None:
    assert peek(serializer_of(APP).dumps(text)) == session_json_serializer.dumps(text).encode()


def test_a_look_at_a_bomb_ends_early() -> None:
    bomb = serializer_of(APP).dumps({"zeros": "0" * 5_000_000})
    assert len(bomb) < 10_000
    assert len(peek(bomb)) == MOST_SEEN


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("session=abc", "abc"),
        ("a=b; session=abc; c=d", "abc"),
        ("a=b;session=abc", "abc"),
        ("session=", ""),
        ("session= abc ; c=d", "abc"),
        ('session= "abc"', None),
        ("a=b", ""),
        ("session; a", ""),
        ("mysession=abc; session=def", None),
        ("a=session=; session=def", None),
        ('session="abc"', None),
        ('session=abc";session=b', None),
    ],
)
def test_a_cookie_is_found_where_that_is_easy(field: str, value: str | None) -> None:
    assert value_of("session", field) == value


@given(
    st.lists(st.sampled_from(["session", "a", "mysession", "=", ";", " ", '"', "x", "", "; "])).map(
        "".join
    )
)
def test_a_cookie_that_is_found_is_the_one_that_the_request_has(field: str) -> None:
    found = value_of("session", field)
    if found is not None:
        parsed = APP.request_class({"HTTP_COOKIE": field}).cookies.get("session", "")
        # Who parses it may refuse what is no cookie.
        assert parsed in (found, "")
