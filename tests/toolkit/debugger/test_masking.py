"""Names that secrets have, and what is masked because of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.debugger.masking import MASK, Masker, looks_secret


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "db_password", "userPassword", "passwd", "pwd", "token",
        "csrf_token", "accessToken", "secret", "SECRET_KEY", "client-secret", "api_key", "apikey",
        "APIKey", "Authorization", "HTTP_AUTHORIZATION", "Set-Cookie", "HTTP_COOKIE", "cookies",
        "aws_secret_access_key", "private_key", "credentials", "X-Auth-Token", "pin",
    ],
)  # fmt: skip
def test_a_name_of_a_secret_is_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "key", "keys", "sort_key", "primary_key", "author", "authors", "tokenizer", "pinned",
        "spin", "compass", "secretary", "monkey", "SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE",
        "token_type", "password_field", "x", "42", "__name__",
    ],
)  # fmt: skip
def test_a_name_that_only_looks_similar_is_not(name: str) -> None:
    assert not looks_secret(name)


@pytest.mark.parametrize("value", [None, True, "", b"", len, print, str, pytest])
def test_what_says_nothing_is_shown(value: Any) -> None:
    assert not Masker().hides("password", value)


@pytest.mark.parametrize("value", ["x", b"x", 1234, ["x"], {"a": 1}, object()])
def test_anything_else_with_such_a_name_is_masked(value: Any) -> None:
    masker = Masker()
    assert masker.hides("password", value)
    assert masker.placeholder(value) == f"{MASK} ({type(value).__name__}, masked)"


def test_a_key_need_not_be_a_text() -> None:
    assert not Masker().hides(42, "x")


def test_a_secret_is_found_again_under_another_name() -> None:
    masker = Masker()
    masker.learn("password", "hunter22!")
    masker.learn("headers", {"Authorization": b"Bearer abc.def", "Accept": "text/html"})
    assert masker.text("value = 'hunter22!'") == f"value = '{MASK}'"
    assert masker.known("sent Bearer abc.def to text/html") == f"sent {MASK} to text/html"


def test_a_secret_of_several_lines_is_found_in_its_repr() -> None:
    masker = Masker()
    secret = "-- KEY --\nabc'def\n-- END --"  # noqa: S105 - of nobody
    masker.learn("private_key", secret)
    assert "abc" not in masker.known(repr({"data": secret}))


@pytest.mark.parametrize("value", ["short1", "password", "sessionname"])
def test_what_is_found_everywhere_is_masked_only_in_its_place(value: str) -> None:
    masker = Masker()
    masker.learn("secret", value)
    assert masker.known(f"a {value} b") == f"a {value} b"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<User 'ada' password='x y'>", f"<User 'ada' password={MASK}>"),
        ('Login(token="a\\"b", n=1)', f"Login(token={MASK}, n=1)"),
        ("{'secret': b'\\x00', 'a': 1}", f"{{'secret': {MASK}, 'a': 1}}"),
        ("api_key=abc; other=1", f"api_key={MASK}; other=1"),
        ("postgres://shop:pw@db/x", f"postgres://shop:{MASK}@db/x"),
        ("http://host/?token=abc&page=2", f"http://host/?token={MASK}&page=2"),
        ("password=None", "password=None"),
        ("author='me'", "author='me'"),
        ("http://host:80/a@b", "http://host:80/a@b"),
    ],
)
def test_what_an_object_says_of_itself_is_masked_too(said: str, shown: str) -> None:
    assert Masker().text(said) == shown


@given(st.text(), st.text(max_size=30))
def test_any_text_can_be_masked(text: str, name: str) -> None:
    masker = Masker()
    masker.learn(name, text)
    assert isinstance(masker.text(text), str)
    assert isinstance(looks_secret(text), bool)


def test_long_texts_take_no_longer_than_they_are_long() -> None:
    masker = Masker()
    for piece in ("password='", "a=", "://", "://a:", "'\\", "=" * 3, "key = "):
        assert masker.text(piece * 20_000)
