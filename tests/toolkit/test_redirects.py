from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http.urls import split_url
from stein.toolkit.redirects import append_slash_redirect, redirect
from stein.toolkit.response import Response
from tests.toolkit.environs import call, make_environ


@pytest.mark.parametrize("code", [301, 302, 303, 305, 307, 308])
def test_a_redirect_tells_where_to_go(code: int) -> None:
    response = redirect("/a/ä", code)
    assert response.status_code == code
    assert response.headers["Location"] == "/a/ä"
    assert response.content_type == "text/html; charset=utf-8"
    assert response.get_data(as_text=True).count("/a/ä") == 2
    assert dict(call(response, make_environ())[1])["Location"] == "/a/%C3%A4"


def test_what_is_shown_is_escaped() -> None:
    page = redirect('/"><script>').get_data(as_text=True)
    assert "<script>" not in page
    assert '/"' not in page


def test_the_class_can_be_chosen() -> None:
    class Own(Response):
        pass

    assert type(redirect("/", Response=Own)) is Own
    assert redirect("/").status_code == 302


def test_a_newline_in_the_target_is_refused_or_encoded_but_never_sent() -> None:
    with pytest.raises(ValueError, match="Location"):
        redirect("/a\r\nX: y")


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/a/b", "", "b/"),
        ("/a", "x=1", "a/?x=1"),
        ("/a/", "", "./"),
        ("", "", "./"),
        ("/\xc3\xa4", "", "%C3%A4/"),
        ("/a b?c#d%41", "", "a%20b%3Fc%23d%2541/"),
        ("/javascript:x", "", "./javascript:x/"),
        ("//evil.example", "", "evil.example/"),
        ("/a", "x=\xff\r\n%41", "a/?x=%FF%0D%0A%41"),
    ],
)
def test_the_slash_is_appended_to_the_last_part(path: str, query: str, location: str) -> None:
    response = append_slash_redirect(make_environ(path, query))
    assert response.status_code == 308
    assert response.headers["Location"] == location


@given(st.text(st.characters(max_codepoint=255), max_size=20))
@example("//evil.example")
@example("/\\evil.example")
@example("/http:evil.example")
@example("/http://evil.example//")
def test_it_never_leads_to_another_host(path: str) -> None:
    location = append_slash_redirect(make_environ(f"/{path}")).headers["Location"]
    assert split_url(location)[:2] == (None, None)
    assert urljoin("http://example.com/a", location).startswith("http://example.com/")
    assert not location.startswith(("/", "\\"))
