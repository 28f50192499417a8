"""The words of HTTP as the toolkit's values."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from time import localtime, mktime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit import http
from stein.toolkit.datastructures.accept import Accept, MIMEAccept
from stein.toolkit.datastructures.cache_control import RequestCacheControl, ResponseCacheControl
from stein.toolkit.datastructures.csp import ContentSecurityPolicy
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import ImmutableMultiDict, MultiDict
from stein.toolkit.sansio import http as sansio

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
TEXT = "Sun, 06 Nov 1994 08:49:37 GMT"


def test_every_public_name_is_there() -> None:
    assert sorted(http.__all__) == http.__all__
    assert all(hasattr(http, name) for name in http.__all__)


def test_status_codes_are_in_order_and_have_the_old_phrases() -> None:
    assert list(http.HTTP_STATUS_CODES) == sorted(http.HTTP_STATUS_CODES)
    assert http.HTTP_STATUS_CODES[200] == "OK"
    assert http.HTTP_STATUS_CODES[413] == "Request Entity Too Large"


def test_policies_across_origins() -> None:
    assert [each.value for each in http.COEP] == ["unsafe-none", "require-corp"]
    assert http.COOP("same-origin") is http.COOP.SAME_ORIGIN


def test_lists_and_pairs_are_written() -> None:
    assert http.dump_header(["a", "b c", 3]) == 'a, "b c", 3'
    assert http.dump_header({"a": "b c", "d": None}) == 'a="b c", d'


def test_accept_fields() -> None:
    found = http.parse_accept_header("text/html;q=0.5, */*;q=0.1", MIMEAccept)
    assert type(found) is MIMEAccept
    assert found.best_match(["text/plain", "text/html"]) == "text/html"
    assert type(http.parse_accept_header("a")) is Accept
    assert http.parse_accept_header(None).provided is False
    assert list(http.parse_accept_header("")) == []


def test_cache_control() -> None:
    control = http.parse_cache_control_header("max-age=0, no-store")
    assert type(control) is RequestCacheControl
    assert control.max_age == 0
    changed: list[ResponseCacheControl] = []
    response = http.parse_cache_control_header("private", changed.append, ResponseCacheControl)
    response.public = True
    assert changed == [response]
    assert dict(http.parse_cache_control_header(None, cls=ResponseCacheControl)) == {}


def test_content_security_policies() -> None:
    policy = http.parse_csp_header("default-src 'self'; img-src *")
    assert type(policy) is ContentSecurityPolicy
    assert http.dump_csp_header(policy) == "default-src 'self'; img-src *"
    assert dict(http.parse_csp_header(None)) == {}
    changed: list[object] = []
    http.parse_csp_header("", changed.append, ContentSecurityPolicy).img_src = "*"
    assert len(changed) == 1


def test_sets() -> None:
    assert list(http.parse_set_header('GET, "a b", get')) == ["GET", "a b"]
    changed: list[object] = []
    http.parse_set_header(None, changed.append).add("a")
    assert len(changed) == 1


def test_ranges() -> None:
    found = http.parse_range_header("bytes=0-9")
    assert found is not None
    assert found.range_for_length(5) == (0, 5)
    assert http.parse_range_header("bytes") is None
    content = http.parse_content_range_header("bytes 0-9/10")
    assert content is not None
    assert content.to_header() == "bytes 0-9/10"
    assert http.parse_content_range_header("bytes 0-9/5") is not None
    assert http.parse_content_range_header("bytes 9-0/5") is None


def test_if_range() -> None:
    assert http.parse_if_range_header(TEXT).date == MOMENT
    assert http.parse_if_range_header('W/"a"').etag == "a"
    assert http.parse_if_range_header(None).to_header() == ""


@pytest.mark.parametrize("value", ['a"b', "a\r\nb", '"', '"a", "b"'])
def test_an_if_range_that_is_neither_date_nor_tag_is_a_tag_that_nothing_has(value: str) -> None:
    found = http.parse_if_range_header(value)
    assert found.etag == ""
    assert repr(found) == "<IfRange '\"\"'>"


def test_etags() -> None:
    found = http.parse_etags('"a", W/"b"')
    assert "a" in found
    assert "b" not in found
    assert found.contains_weak("b")
    assert "anything" in http.parse_etags("*")


@pytest.mark.parametrize(
    "moment",
    [
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(timezone(timedelta(hours=-8))),
        MOMENT.timestamp(),
        MOMENT.timestamp() + 0.9,
        localtime(MOMENT.timestamp()),
    ],
)
def test_dates_are_written(moment: datetime) -> None:
    assert http.http_date(moment) == TEXT


def test_a_day_is_its_midnight_and_nothing_is_now() -> None:
    assert http.http_date(date(1994, 11, 6)) == "Sun, 06 Nov 1994 00:00:00 GMT"
    before = int(time())
    now = http.parse_date(http.http_date())
    assert now is not None
    assert before <= now.timestamp() <= time()
    assert mktime(localtime(0)) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("60", 60), (None, None), ("", None), ("-1", None), ("a", None)]
)
def test_ages_are_read(text: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert http.parse_age(text) == expected


@pytest.mark.parametrize("digits", [15, 600, 5000])
def test_an_age_beyond_measure_is_none(digits: int) -> None:
    assert http.parse_age("9" * digits) is None


def test_ages_are_written() -> None:
    assert http.dump_age(None) is None
    assert http.dump_age(60) == "60"
    assert http.dump_age(timedelta(minutes=1, microseconds=1)) == "60"
    with pytest.raises(ValueError, match="age is -1"):
        http.dump_age(-1)


def test_headers_about_the_content_are_taken_out() -> None:
    pairs = [("Content-Type", "a"), ("Expires", "b"), ("X", "c"), ("allow", "d")]
    headers = Headers(pairs)
    http.remove_entity_headers(headers)
    assert list(headers) == [("Expires", "b"), ("X", "c")]
    http.remove_entity_headers(pairs, ["ALLOW"])
    assert pairs == [("X", "c"), ("allow", "d")]
    assert http.is_entity_header("Content-Type")
    assert not http.is_entity_header("X")


def test_headers_for_the_next_hop_are_taken_out() -> None:
    pairs = [("Connection", "a"), ("X", "b"), ("TE", "c")]
    http.remove_hop_by_hop_headers(pairs)
    assert pairs == [("X", "b")]
    assert http.is_hop_by_hop_header("Keep-Alive")


def test_cookies_of_a_field_and_of_an_environ() -> None:
    assert type(http.parse_cookie("a=b")) is MultiDict
    assert http.parse_cookie({"HTTP_COOKIE": "a=b; a=c"}).getlist("a") == ["b", "c"]
    assert http.parse_cookie({}) == http.parse_cookie(None) == http.parse_cookie("") == MultiDict()
    assert type(http.parse_cookie("a=b", ImmutableMultiDict)) is ImmutableMultiDict


def test_cookies_are_utf8_in_the_disguise_of_wsgi() -> None:
    wsgi = "ö=ä".encode().decode("latin-1")
    assert http.parse_cookie(wsgi)["ö"] == "ä"
    assert http.parse_cookie("a=\xff")["a"] == "\ufffd"
    assert http.parse_cookie("a=\u2603")["a"] == "\u2603"


def test_each_reading_gives_cookies_of_its_own() -> None:
    http.parse_cookie("a=b").clear()
    assert http.parse_cookie("a=b") == MultiDict({"a": "b"})


@given(st.binary())
def test_any_bytes_give_cookies(data: bytes) -> None:
    assert isinstance(http.parse_cookie(data.decode("latin-1")), MultiDict)


def test_the_names_without_wsgi() -> None:
    assert sansio.parse_cookie("a=\u2603")["a"] == "\u2603"
    assert sansio.parse_cookie() == MultiDict()
    assert type(sansio.parse_cookie(None, ImmutableMultiDict)) is ImmutableMultiDict


def test_a_cookie_that_lives_an_hour() -> None:
    field = http.dump_cookie("a", "b", max_age=timedelta(hours=1))
    head, expires, *rest = field.split("; ")
    moment = http.parse_date(expires.removeprefix("Expires="))
    assert (head, rest) == ("a=b", ["Max-Age=3600", "Path=/"])
    assert moment is not None
    assert abs(moment.timestamp() - time() - 3600) < 10


@pytest.mark.parametrize("age", [10**12, 10**400])
def test_a_cookie_that_lives_for_ever(age: int) -> None:
    assert "Expires=Fri, 31 Dec 9999 23:59:59 GMT" in http.dump_cookie("a", max_age=age)


def test_a_cookie_that_is_dead() -> None:
    assert "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in http.dump_cookie("a", max_age=-(10**12))
    assert http.dump_cookie("a", expires=0) == "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"


def test_dates_of_cookies() -> None:
    assert http.dump_cookie("a", expires=MOMENT, path=None) == f"a=; Expires={TEXT}"
    assert http.dump_cookie("a", expires=TEXT, path=None) == f"a=; Expires={TEXT}"
    field = http.dump_cookie("a", max_age=1, sync_expires=False, path=None)
    assert field == "a=; Max-Age=1"


def test_a_large_cookie_is_warned_about_where_it_is_made() -> None:
    with pytest.warns(UserWarning, match="'a' cookie is too large: it takes 4095 bytes") as caught:
        http.dump_cookie("a", "b" * 4085)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        http.dump_cookie("a", "b" * 4083)
        http.dump_cookie("a", "b" * 5000, max_size=0)


def modified(**fields: str) -> bool:
    environ = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
    return http.is_resource_modified(
        environ, etag='"a"', last_modified=MOMENT, ignore_if_range=False
    )


def test_without_conditions_everything_is_modified() -> None:
    assert modified()
    assert http.is_resource_modified({})


@pytest.mark.parametrize(
    ("tags", "expected"),
    [('"a"', False), ('W/"a"', False), ('"b", "a"', False), ("*", False), ('"b"', True)],
)
def test_if_none_match_compares_weakly(tags: str, expected: bool) -> None:  # noqa: FBT001 - a column
    assert modified(if_none_match=tags) == expected


@pytest.mark.parametrize(
    ("tags", "expected"), [('"a"', True), ("*", True), ('W/"a"', False), ('"b"', False)]
)
def test_if_match_compares_strongly(tags: str, expected: bool) -> None:  # noqa: FBT001 - a column
    assert modified(if_match=tags) == expected
    environ = {"HTTP_IF_MATCH": '"a"'}
    assert not http.is_resource_modified(environ, etag='W/"a"')


def test_a_list_without_tags_is_no_condition() -> None:
    assert modified(if_none_match=",", if_match=",")


def test_a_tag_counts_more_than_a_date() -> None:
    assert not modified(if_modified_since=TEXT)
    assert modified(if_modified_since=TEXT, if_none_match='"b"')
    assert modified(if_modified_since="Sun, 06 Nov 1994 08:49:36 GMT")
    assert modified(if_modified_since="nonsense")


@pytest.mark.parametrize(
    "changed",
    [MOMENT, MOMENT.replace(tzinfo=None), MOMENT.replace(microsecond=999_999), TEXT],
)
def test_dates_are_compared_in_whole_seconds(changed: datetime | str) -> None:
    environ = {"HTTP_IF_MODIFIED_SINCE": TEXT}
    assert not http.is_resource_modified(environ, last_modified=changed)


def test_a_range_is_sent_only_of_the_very_same() -> None:
    fields = {"range": "bytes=0-1"}
    assert not modified(if_range='"a"', **fields)
    assert modified(if_range='"b"', **fields)
    assert modified(if_range='W/"a"', **fields)
    assert not modified(if_range=TEXT, **fields)
    assert modified(if_range="Sun, 06 Nov 1994 08:49:36 GMT", **fields)
    assert modified(if_range='"a"')


def test_a_tag_is_made_of_data_or_given() -> None:
    environ = {"HTTP_IF_NONE_MATCH": http.quote_etag(http.generate_etag(b"data"))}
    assert not http.is_resource_modified(environ, data=b"data")
    assert http.is_resource_modified(environ, data=b"other")
    with pytest.raises(TypeError, match="give one of them"):
        http.is_resource_modified(environ, etag="a", data=b"data")
