"""Prometheus' text format: whatever a label holds, the page can be read, and says the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.observe.exposition import Family, Sample, counter, gauge, histogram, number, render
from tests.observe.promtext import read

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.dictionaries(texts, st.floats(allow_nan=False) | st.integers(0, 1 << 53))


def test_a_page_is_help_type_and_samples() -> None:
    page = render([counter("hits_total", "How often.", {"a": 1, "b": 2.5}, "door")])
    assert page == (
        "# HELP hits_total How often.\n"
        "# TYPE hits_total counter\n"
        'hits_total{door="a"} 1\n'
        'hits_total{door="b"} 2.5\n'
    )


def test_a_sample_without_labels_has_no_braces() -> None:
    assert render([gauge("heat", "x", {"": 3.0})]).splitlines()[-1] == "heat 3"


def test_a_histogram_adds_up_and_ends_with_sum_and_count() -> None:
    page = render([histogram("took_seconds", "x", (0.5, 1.0), (1, 3, 4), 2.25)])
    assert page.splitlines()[2:] == [
        'took_seconds_bucket{le="0.5"} 1',
        'took_seconds_bucket{le="1"} 3',
        'took_seconds_bucket{le="+Inf"} 4',
        "took_seconds_sum 2.25",
        "took_seconds_count 4",
    ]


@given(values, texts)
def test_whatever_labels_and_helps_hold_is_read_as_it_was_written(
    found: dict[str, float], text: str
) -> None:
    families = read(render([gauge("heat", text, found, "place")]))
    if not found:
        assert families == {}
        return
    assert len(families["heat"].samples) == len(found)
    for key, value in found.items():
        assert families["heat"].value(place=key) == float(value)
    assert families["heat"].help == text


def test_what_is_no_text_at_all_can_be_sent_all_the_same() -> None:
    page = render([gauge("heat", "x", {"\udc80": 1}, "place")])
    assert read(page)["heat"].value(place="\\udc80") == 1
    page.encode()


@given(st.floats() | st.integers(-(1 << 53), 1 << 53))
def test_a_number_is_read_as_the_number_that_it_was(value: float) -> None:
    again = float(number(value))
    assert again == value or (math.isnan(again) and math.isnan(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1.0, "1"), (0.1, "0.1"), (1e300, "1e+300"), (-0.5, "-0.5")],
)
def test_a_number_is_written_without_a_needless_fraction(value: float, text: str) -> None:
    assert number(value) == text


def test_numbers_that_are_none_have_their_names() -> None:
    assert [number(each) for each in (math.inf, -math.inf, math.nan)] == ["+Inf", "-Inf", "NaN"]


@pytest.mark.parametrize("name", ["", "a b", "1a", "a-b", "ä"])
def test_a_name_that_the_format_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a metric"):
        gauge(name, "x", {"": 1})


@pytest.mark.parametrize("label", ["__a", "1a", "a:b", "a-b", " "])
def test_a_label_that_the_format_does_not_have_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="cannot name a label of heat"):
        Family("heat", "x", "gauge", [Sample(1, {label: "a"})])


def test_two_families_of_one_name_are_refused() -> None:
    one = gauge("heat", "x", {"": 1})
    with pytest.raises(ValueError, match="two families are called heat"):
        render([one, one])
