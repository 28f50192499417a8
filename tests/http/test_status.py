"""Status codes and their reasons."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from stein.http.grammar import is_field_value
from stein.http.status import BODILESS, REASONS, status_text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (200, "200 OK"),
        (404, "404 Not Found"),
        (413, "413 Content Too Large"),
        (414, "414 URI Too Long"),
        (416, "416 Range Not Satisfiable"),
        (422, "422 Unprocessable Content"),
        (431, "431 Request Header Fields Too Large"),
        (599, "599 Unknown"),
    ],
)
def test_status_text(code: int, text: str) -> None:
    assert status_text(code) == text


def test_every_status_of_the_standard_library_has_its_reason() -> None:
    for status in HTTPStatus:
        assert status.value in REASONS


@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_reason_can_be_sent(code: int) -> None:
    assert REASONS[code]
    assert is_field_value(REASONS[code])
    assert 100 <= code <= 599


def test_statuses_without_content() -> None:
    assert sorted(BODILESS) == [204, 304]
