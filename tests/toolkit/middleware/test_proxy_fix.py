"""What proxies say, and who believes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.forwarded import Trust
from stein.toolkit.middleware.proxy_fix import ProxyFix
from tests.toolkit.middleware.plain import call_loosely, environ_of, saying

if TYPE_CHECKING:
    from stein.typing import Environ

X = "HTTP_X_FORWARDED_"


def seen(environ: Environ, **trust: int) -> Environ:
    """The environ as the application sees it."""
    call_loosely(ProxyFix(saying("x"), **trust), environ)  # type: ignore[arg-type]
    return environ


def believed(environ: Environ, **trust: int) -> str:
    """The URL and the client that the application sees."""
    environ = seen(environ, **trust)
    url = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{environ['SCRIPT_NAME']}"
    return f"{environ['REMOTE_ADDR']} {url}"


@pytest.mark.parametrize(
    ("fields", "trust", "result"),
    [
        ({"FOR": "9.9.9.9", "PROTO": "https"}, {}, "9.9.9.9 https://localhost"),
        ({"FOR": "8.8.8.8, 9.9.9.9"}, {}, "9.9.9.9 http://localhost"),
        ({"FOR": "8.8.8.8, 9.9.9.9"}, {"x_for": 2}, "8.8.8.8 http://localhost"),
        ({"FOR": "9.9.9.9"}, {"x_for": 2}, "127.0.0.1 http://localhost"),
        ({"FOR": "9.9.9.9"}, {"x_for": 0}, "127.0.0.1 http://localhost"),
        ({"FOR": "[2001:db8::1]:4711"}, {}, "2001:db8::1 http://localhost"),
        ({"FOR": "unknown"}, {}, "127.0.0.1 http://localhost"),
        ({"FOR": "a b"}, {}, "127.0.0.1 http://localhost"),
        ({"PROTO": "HTTPS"}, {}, "127.0.0.1 https://localhost"),
        ({"PROTO": "javascript"}, {}, "127.0.0.1 http://localhost"),
        ({"HOST": "shop.example"}, {"x_host": 1}, "127.0.0.1 http://shop.example"),
        ({"HOST": "shop.example:8000"}, {"x_host": 1}, "127.0.0.1 http://shop.example:8000"),
        ({"HOST": "a/b"}, {"x_host": 1}, "127.0.0.1 http://localhost"),
        ({"HOST": "shop.example"}, {}, "127.0.0.1 http://localhost"),
        ({"PORT": "8443"}, {"x_port": 1}, "127.0.0.1 http://localhost:8443"),
        ({"PORT": "99999"}, {"x_port": 1}, "127.0.0.1 http://localhost"),
        ({"PORT": "9" * 5000}, {"x_port": 1}, "127.0.0.1 http://localhost"),
        ({"PORT": "-1"}, {"x_port": 1}, "127.0.0.1 http://localhost"),
        ({"PREFIX": "/shop"}, {"x_prefix": 1}, "127.0.0.1 http://localhost/shop"),
        ({"PREFIX": "//evil.example"}, {"x_prefix": 1}, "127.0.0.1 http://localhost"),
        ({"PREFIX": "shop"}, {"x_prefix": 1}, "127.0.0.1 http://localhost"),
    ],
)
def test_each_field_counts_as_far_as_it_is_trusted(
    fields: dict[str, str], trust: dict[str, int], result: str
) -> None:
    environ = environ_of(**{X + name: value for name, value in fields.items()})
    assert believed(environ, **trust) == result


def test_the_host_is_the_server_s_name_too() -> None:
    environ = seen(environ_of(**{X + "HOST": "shop.example:8000"}), x_host=1)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("shop.example", "8000")
    environ = seen(environ_of(**{X + "HOST": "[2001:db8::1]"}), x_host=1)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("[2001:db8::1]", "80")


def test_a_port_without_a_host_is_the_server_s() -> None:
    environ = environ_of(**{X + "PORT": "8443"})
    del environ["HTTP_HOST"]
    seen(environ, x_port=1)
    assert environ["SERVER_PORT"] == "8443"
    assert "HTTP_HOST" not in environ


def test_the_old_values_are_kept() -> None:
    environ = seen(environ_of(**{X + "FOR": "9.9.9.9"}))
    assert environ["werkzeug.proxy_fix.orig"] == {
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SCRIPT_NAME": "",
    }


def fields_of(environ: Environ) -> set[str]:
    return {key[5:] for key in environ if key.startswith("HTTP_") and key != "HTTP_HOST"}


EVERYTHING = {
    X + "FOR": "9.9.9.9",
    X + "PROTO": "https",
    X + "HOST": "shop.example",
    X + "PORT": "8443",
    X + "PREFIX": "/shop",
    "HTTP_FORWARDED": "for=6.6.6.6;proto=https;host=other.example",
}


def test_what_is_not_believed_is_taken_out() -> None:
    assert fields_of(seen(environ_of(**EVERYTHING))) == {"X_FORWARDED_FOR", "X_FORWARDED_PROTO"}
    assert fields_of(seen(environ_of(**EVERYTHING), x_for=2)) == {"X_FORWARDED_PROTO"}
    assert fields_of(seen(environ_of(**EVERYTHING), forwarded=1)) == {"FORWARDED"}


def test_with_nothing_trusted_everything_stays() -> None:
    environ = environ_of(**EVERYTHING)
    assert believed(environ, x_for=0, x_proto=0) == "127.0.0.1 http://localhost"
    assert len(fields_of(environ)) == 6


def test_two_of_them_may_stand_one_in_the_other() -> None:
    environ = environ_of(**EVERYTHING)
    inner = ProxyFix(saying("x"), x_for=0, x_proto=0, x_prefix=1)
    call_loosely(ProxyFix(inner, x_for=1), environ)
    assert environ["SCRIPT_NAME"] == "/shop"
    assert environ["REMOTE_ADDR"] == "9.9.9.9"


@pytest.mark.parametrize(
    ("field", "trusted", "result"),
    [
        ("for=9.9.9.9;proto=https;host=shop.example", 1, "9.9.9.9 https://shop.example"),
        ("for=8.8.8.8;proto=https, for=9.9.9.9", 1, "9.9.9.9 http://localhost"),
        ("for=8.8.8.8;proto=https, for=9.9.9.9", 2, "8.8.8.8 https://localhost"),
        ("for=9.9.9.9", 2, "127.0.0.1 http://localhost"),
        ('For="[2001:db8::1]:4711";host="a.example:81"', 1, "2001:db8::1 http://a.example:81"),
        ("for=_hidden;proto=https", 1, "127.0.0.1 https://localhost"),
        ("for=unknown", 1, "127.0.0.1 http://localhost"),
        ('for="9.9.9.9', 1, "127.0.0.1 http://localhost"),
        ("nonsense", 1, "127.0.0.1 http://localhost"),
    ],
)
def test_forwarded_counts_as_far_as_it_is_trusted(field: str, trusted: int, result: str) -> None:
    assert believed(environ_of(HTTP_FORWARDED=field), forwarded=trusted) == result


def test_with_forwarded_only_its_fields_and_what_it_has_no_words_for_are_believed() -> None:
    environ = environ_of(**EVERYTHING)
    result = believed(environ, forwarded=1, x_port=1, x_prefix=1)
    assert result == "6.6.6.6 https://other.example:8443/shop"


def test_a_client_cannot_speak_the_language_that_the_proxy_does_not() -> None:
    environ = environ_of(**{X + "FOR": "6.6.6.6", "HTTP_FORWARDED": "for=9.9.9.9"})
    assert believed(environ, forwarded=1) == "9.9.9.9 http://localhost"
    environ = environ_of(**{X + "FOR": "9.9.9.9", "HTTP_FORWARDED": "for=6.6.6.6"})
    assert believed(environ) == "9.9.9.9 http://localhost"


def test_one_value_of_trust_stands_for_all_numbers() -> None:
    environ = environ_of(**EVERYTHING)
    call_loosely(ProxyFix(saying("x"), trust=Trust(for_=1, proto=0, host=1)), environ)
    assert environ["REMOTE_ADDR"] == "9.9.9.9"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_HOST"] == "shop.example"
    environ = environ_of(**EVERYTHING)
    call_loosely(ProxyFix(saying("x"), trust=Trust(forwarded=1, prefix=1)), environ)
    assert environ["REMOTE_ADDR"] == "6.6.6.6"
    assert environ["SCRIPT_NAME"] == "/shop"


anything = st.text(st.characters(max_codepoint=255), max_size=60) | st.text(
    '",;=:[]/ab1. \\', max_size=60
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*EVERYTHING, "HTTP_HOST"], anything)))
def test_no_value_gives_an_exception(fields: dict[str, str]) -> None:
    everything = {"x_for": 1, "x_proto": 1, "x_host": 1, "x_port": 1, "x_prefix": 1}
    for trust in ({**everything}, {**everything, "forwarded": 1}):
        environ = seen(environ_of(**fields), **trust)
        assert environ["wsgi.url_scheme"] in {"http", "https", "ws", "wss"}
        assert not environ["SCRIPT_NAME"].startswith("//")
        assert int(environ["SERVER_PORT"]) in range(1, 65536)
