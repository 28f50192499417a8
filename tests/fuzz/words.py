"""What must hold for the words of HTTP, whatever text they are read from.

``check`` takes any text and raises if a promise is broken; ``fuzz_words.py`` gives it what a fuzzer
thinks of, ``test_words.py`` what Hypothesis does.
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

from stein.http import cookies, dates, etags, forwarded, hosts, lists, options, ranges, urls

__all__ = ["TOKENS", "check"]

#: what the words are made of, for whoever makes texts
TOKENS: Final = (
    '"', "\\", '\\"', "; ", ";", ", ", ",", "=", "*", "*0*=", "*1=", "'", "''", "utf-8''%C3%A9",
    "%22", "%", "%2F", "%FF", "W/", "bytes=", "-", "0-", "*/", "/", "q=0.5", "q=", "q=1.001",
    "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Nov", " 1994", "08:49:37",
    "+2359", "http://", "//", "@", ":", "[", "]", "[::1]", ":80", "xn--", "xn--n3h", "?", "#",
    "for=", "proto=", "host=", "_hidden", "unknown", ".", "a", "B", "0", "9" * 30, " ", "\t", "\0",
    "\r\n", "\x7f", "\xe9", "\u2603", "\u2100", "\ud800", "\\054", "\\303\\251", "__Host-a=b",
)  # fmt: skip


def check(text: str) -> None:
    """Hold every function that reads a text to what it promises."""
    _check_lists(text)
    _check_options(text)
    _check_cookies(text)
    _check_conditions(text)
    _check_urls(text)
    _check_hosts(text)


def _check_lists(text: str) -> None:
    members = lists.split_list(text)
    assert lists.split_list(lists.dump_list(members)) == members
    lists.parse_directives(text)
    for name, value in lists.parse_pairs(text).items():
        again = lists.parse_pairs(lists.dump_pairs({"x": value}))
        assert again == {"x": value}, name
    for item, quality in lists.parse_qualities(text):
        assert 0 <= quality <= 1, item


def _check_options(text: str) -> None:
    head, found = options.parse_options(text)
    assert head == head.strip(" \t")
    assert all(name == name.lower() for name in found)
    stable = {name: each for name, each in found.items() if "*" not in name and "%22" not in each}
    if head and all(stable) and not any("=" in name for name in stable):
        assert options.parse_options(options.dump_options(head, stable)) == (head, stable)
    assert options.unquote_value(options.quote_value(text)) == text or not text
    assert options.closing_quote(text, 0) < len(text)


def _check_cookies(text: str) -> None:
    pairs = cookies.parse_cookie_pairs(text)
    assert all(name for name, _ in pairs)
    if not any(half in text for half in ("\ud800", "\udc80")):
        field = cookies.dump_cookie("name", text, path=None)
        assert field.isascii()
        assert cookies.parse_cookie_pairs(field) == (("name", text),)
    try:
        field = cookies.dump_cookie(text, "", path=text, domain=text, expires=text)
    except ValueError:
        return
    assert field.isprintable() or not text.isascii()
    assert field.count(";") == 3


def _check_conditions(text: str) -> None:
    tags = etags.parse_etags(text)
    for tag in tags.strong + tags.weak:
        assert '"' not in tag
    etags.unquote_etag(text)
    found = ranges.parse_range(text)
    if found is not None:
        behind: int | None = 0
        for start, stop in found[1]:
            assert behind is not None
            assert start < 0 or start >= behind
            assert stop is None or stop > start
            behind = stop
            part = ranges.range_for_length(start, stop, 1000)
            assert part is None or 0 <= part[0] < part[1] <= 1000
    ranges.parse_content_range(text)
    moment = dates.parse_date(text)
    if moment is not None:
        assert moment.tzinfo is UTC
        assert dates.parse_date(dates.format_moment(moment)) == moment


def _check_urls(text: str) -> None:
    assert urls.split_url(text).join() == text
    uri = urls.iri_to_uri(text)
    assert uri.isascii()
    assert uri.isprintable()
    assert " " not in uri
    assert urls.iri_to_uri(uri) == uri
    urls.uri_to_iri(text)
    urls.current_url("http", text, text, text, text.encode("utf-8", "surrogatepass"))
    assert urls.percent_decode(urls.percent_encode(text, ""), "surrogatepass") == text


def _check_hosts(text: str) -> None:
    host = hosts.request_host("http", text, None)
    assert not host or hosts.is_valid_host(host)
    assert not hosts.host_is_trusted(text, ["trusted.test"]) or "trusted.test" in text.lower()
    trust = forwarded.Trust(1, 1, 1, 1, 1)
    for origin in (
        forwarded.read_forwarded(text, 1),
        forwarded.read_x_forwarded(lambda _: text, trust),
    ):
        assert origin.scheme in {None, "http", "https", "ws", "wss"}
        assert origin.host is None or hosts.is_valid_host(origin.host)
        assert origin.port is None or 0 < origin.port < 65536
        assert origin.prefix is None or not origin.prefix.startswith("//")
