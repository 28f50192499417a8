from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.etags import generate_etag, parse_etags
from stein.toolkit.datastructures.etag import ETags

tags = st.lists(st.text("ab,", min_size=1, max_size=3))


def test_strong_tags_are_compared_strongly_and_all_of_them_weakly() -> None:
    etags = ETags(["a", "b"], ["w"])
    assert etags.is_strong("a")
    assert etags.is_weak("w")
    assert not etags.is_weak("a")
    assert not etags.is_strong("w")
    assert "a" in etags
    assert "w" not in etags
    assert etags.contains("b")
    assert not etags.contains("w")
    assert etags.contains_weak("w")
    assert etags.contains_weak("a")
    assert etags.contains_raw('"a"')
    assert etags.contains_raw('W/"w"')
    assert etags.contains_raw('W/"a"')
    assert not etags.contains_raw('"w"')
    assert etags("a")
    assert not etags("w")
    assert etags("w", include_weak=True)


def test_a_star_means_any_tag() -> None:
    etags = ETags(["a"], star_tag=True)
    assert etags.contains("x")
    assert "x" in etags
    assert etags.contains_weak("x")
    assert not etags.is_strong("a")
    assert etags.to_header() == "*"
    assert etags
    assert len(etags) == 0


def test_it_is_a_collection_of_its_strong_tags() -> None:
    etags = ETags(["b", "a", "b"], ["w"])
    assert list(etags) == ["b", "a"]
    assert len(etags) == 2
    assert etags.as_set() == {"a", "b"}
    assert etags.as_set(include_weak=True) == {"a", "b", "w"}
    assert str(etags) == '"b", "a", W/"w"'
    assert repr(etags) == '<ETags \'"b", "a", W/"w"\'>'
    assert not ETags()
    assert ETags(weak_etags=["w"])


def test_the_tag_of_some_content_is_looked_for() -> None:
    etags = ETags([generate_etag(b"content")])
    assert etags(data=b"content")
    assert not etags(data=b"other")
    with pytest.raises(TypeError, match="neither a tag nor content"):
        etags()


@given(tags, tags)
def test_tags_are_written_and_read_again(strong: list[str], weak: list[str]) -> None:
    etags = ETags(strong, weak)
    again = ETags(*parse_etags(etags.to_header()))
    assert again.as_set(include_weak=True) == etags.as_set(include_weak=True)
    assert list(again) == list(etags)
