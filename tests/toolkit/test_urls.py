"""The names of werkzeug.urls; what they do is held in tests/http/test_urls.py."""

from __future__ import annotations

from stein.toolkit.urls import iri_to_uri, uri_to_iri


def test_there_and_back() -> None:
    assert iri_to_uri("http://\u2603.test/\xe9") == "http://xn--n3h.test/%C3%A9"
    assert uri_to_iri("http://xn--n3h.test/%C3%A9") == "http://\u2603.test/\xe9"
