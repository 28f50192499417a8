# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.datastructures.auth import Authorization, WWWAuthenticate


def test_basic_credentials_are_read_and_written() -> None:
    # RFC 7617 2
    auth = Authorization.from_header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert auth is not None
    assert auth.type == "basic"
    assert auth.username == auth["username"] == auth.get("username") == "Aladdin"
    assert auth.password == "open sesame"  # noqa: S105 - the RFC's
    assert auth.token is None
    assert auth.to_header() == str(auth) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert repr(auth) == "<Authorization Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==>"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Basic",
        "Basic ä",
        "Basic a",
        "Basic ====",
        "Basic /w==",
        "Basic YTpi!",
        "basic \0",
    ],
)
def test_what_is_no_base64_of_utf8_gives_no_credentials(value: str | None) -> None:
    auth = Authorization.from_header(value)
    assert auth is None or auth.username == ""


def test_a_password_may_hold_colons_and_a_user_none() -> None:
    auth = Authorization("basic", {"username": "ü", "password": "a:b"})
    assert Authorization.from_header(auth.to_header()) == auth


def test_a_token_is_read_and_written() -> None:
    auth = Authorization.from_header("BEARER  abc==")
    assert auth == Authorization("bearer", token="abc==")  # noqa: S106 - no secret
    assert str(auth) == "Bearer abc=="


def test_parameters_are_read_and_written() -> None:
    auth = Authorization.from_header('Digest username="Mufasa", qop=auth, nc=00000001, x')
    assert auth is not None
    assert auth.parameters == {"username": "Mufasa", "qop": "auth", "nc": "00000001", "x": None}
    assert "qop" in auth
    assert auth.qop == "auth"
    assert auth.realm is None
    assert auth["realm"] is None
    assert auth.get("realm", "none") == "none"
    assert auth.to_header() == "Digest username=Mufasa, qop=auth, nc=00000001, x"


def test_credentials_are_compared_copied_and_pickled() -> None:
    auth = Authorization("digest", {"a": "b"})
    for again in (copy.copy(auth), copy.deepcopy(auth), pickle.loads(pickle.dumps(auth))):
        assert again == auth
    assert auth != Authorization("digest")
    assert auth != "Digest a=b"
    with pytest.raises(TypeError):
        hash(auth)
    with pytest.raises(AttributeError, match="__html__"):
        getattr(auth, "__html__")  # noqa: B009 - markupsafe asks so


@given(st.text(max_size=30), st.sampled_from(["Basic ", "Digest ", "Bearer ", ""]))
def test_any_header_gives_credentials_or_none(value: str, scheme: str) -> None:
    for kind in (Authorization, WWWAuthenticate):
        auth = kind.from_header(scheme + value)
        if auth is not None:
            assert isinstance(auth.to_header(), str)


def test_a_challenge_is_read_and_written() -> None:
    auth = WWWAuthenticate.from_header('Basic realm="a realm"')
    assert auth == WWWAuthenticate("basic", {"realm": "a realm"})
    assert auth is not None
    assert auth.realm == "a realm"
    assert str(auth) == auth.to_header() == 'Basic realm="a realm"'
    assert repr(auth) == '<WWWAuthenticate Basic realm="a realm">'
    assert WWWAuthenticate.from_header("") is None
    assert WWWAuthenticate("Basic").to_header() == "Basic"
    token = WWWAuthenticate.from_header("Negotiate abc=")
    assert token == WWWAuthenticate("negotiate", token="abc=")  # noqa: S106 - no secret
    assert str(token) == "Negotiate abc="


def test_a_digest_challenge_quotes_what_must_be_quoted() -> None:
    auth = WWWAuthenticate("digest", {"realm": "r", "nonce": "n", "stale": "FALSE", "x": None})
    assert auth.to_header() == 'Digest realm="r", nonce="n", stale=FALSE'


def test_parameters_of_a_challenge_are_attributes_and_items() -> None:
    auth = WWWAuthenticate("basic")
    auth.realm = "a"
    auth["charset"] = "UTF-8"
    assert auth.parameters == {"realm": "a", "charset": "UTF-8"}
    assert "realm" in auth
    assert auth.get("none", "x") == "x"
    auth.realm = None
    auth["nothing"] = None
    assert "realm" not in auth
    del auth.charset
    del auth["charset"]
    assert auth.parameters == {}
    with pytest.raises(AttributeError, match="__html__"):
        getattr(auth, "__html__")  # noqa: B009 - markupsafe asks so
    assert auth != "Basic"
    with pytest.raises(TypeError):
        hash(auth)


def test_each_change_of_a_challenge_is_told() -> None:
    calls: list[str] = []
    auth = WWWAuthenticate("basic")
    auth._on_update = lambda auth: calls.append(str(auth))
    auth.realm = "a"
    auth.parameters["realm"] = "b"
    auth.parameters = {"realm": "c"}
    auth.parameters["realm"] = "d"
    auth.type = "Digest"
    del auth.realm
    auth.token = "t"  # noqa: S105 - no secret
    assert calls == [
        "Basic realm=a", "Basic realm=b", "Basic realm=c", "Basic realm=d", 'Digest realm="d"',
        "Digest", "Digest t",
    ]  # fmt: skip
    assert auth.token == "t"  # noqa: S105 - no secret
    assert auth.type == "digest"
