"""The corpus itself: every file reads, says why it is there, and no advisory is left uncovered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus import cases as module
from tests.corpus.cases import HOME, Case, CaseError, cases, files, load

if TYPE_CHECKING:
    from pathlib import Path

LEAST = 190

FRAMING_ADVISORIES = (
    "CVE-2013-2028",
    "CVE-2018-7159",
    "CVE-2019-16785",
    "CVE-2019-16786",
    "CVE-2019-16789",
    "CVE-2019-16792",
    "CVE-2020-8201",
    "CVE-2020-8287",
    "CVE-2021-22959",
    "CVE-2021-22960",
    "CVE-2021-32714",
    "CVE-2021-32715",
    "CVE-2021-40346",
    "CVE-2021-41136",
    "CVE-2022-24761",
    "CVE-2022-24790",
    "CVE-2022-29361",
    "CVE-2022-32213",
    "CVE-2022-32214",
    "CVE-2022-32215",
    "CVE-2022-35256",
    "CVE-2023-25725",
    "CVE-2023-40175",
    "CVE-2023-40225",
    "CVE-2023-41419",
    "CVE-2023-45539",
    "CVE-2023-47627",
    "CVE-2023-47641",
    "CVE-2024-1135",
    "CVE-2024-6827",
    "CVE-2024-23829",
    "CVE-2024-27982",
    "CVE-2024-49768",
    "CVE-2024-52304",
    "CVE-2025-22871",
    "CVE-2025-23167",
    "CVE-2025-43859",
    "CVE-2025-53643",
    "CVE-2025-55315",
    "CVE-2025-58068",
    "CVE-2025-69224",
    "CVE-2025-69225",
    "CVE-2026-42585",
    "GHSA-753j-mpmx-qq6g",
    "GHSA-qppv-j76h-2rpx",
)

BOUND_ADVISORIES = (
    "CVE-2018-12121",
    "CVE-2018-12122",
    "CVE-2019-5737",
    "CVE-2020-5236",
    "CVE-2020-8251",
    "CVE-2024-21647",
    "CVE-2024-22019",
    "CVE-2024-45614",
    "CVE-2025-67725",
    "CVE-2025-69229",
    "CVE-2026-63379",
    "CVE-2026-73495",
    "GHSA-pcg2-g6cj-q92c",
)

REPORTS = (
    *(f"gunicorn {report}" for report in ("#3091", "#3144", "#3364", "#3382", "26.1")),
    *(f"http-garden {number}" for number in (26, 45, 47, 48)),
    "eventlet <0.37",
    "httptools #142/#144",
    "httptools 0.9.0",
    "waitress unreleased",
)

DEMANDS = (
    *(
        f"RFC 9112 {section}"
        for section in ("2.2", "2.3", "3.2", "5.1", "5.2", "6.1", "6.2", "6.3")
    ),
    *(f"RFC 9112 {section}" for section in ("7.1", "8", "9.3", "9.3.2", "9.6")),
    *(f"RFC 9110 {section}" for section in ("5.1", "5.5", "5.6.1", "6.5.1", "6.6.1", "7.6.1")),
    *(f"RFC 9110 {section}" for section in ("7.8", "8.6", "9.1", "9.3.2", "9.3.6", "10.1.1")),
)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.relative_to(HOME).as_posix()) for path in files()],
)
def test_file_keeps_to_the_format(path: Path) -> None:
    """The file reads, and has a reason and a sentence a reader understands without the bytes."""
    case = load(path)
    assert " " in case.about
    assert not case.about.endswith(".")
    assert all(source.strip() == source and source for source in case.source)
    assert b"/smuggled" not in b"".join(request.path.encode() for request in case.requests)


def test_there_are_enough_cases() -> None:
    """A glob that finds nothing would pass every other test."""
    assert len(cases()) >= LEAST


@pytest.mark.parametrize(
    "source",
    [*FRAMING_ADVISORIES, *BOUND_ADVISORIES, *REPORTS, *DEMANDS],
)
def test_source_has_a_case(source: str) -> None:
    """Each advisory, each gap of the parser below us and each demand of the RFCs is named."""
    assert any(source in case.source for case in cases())


def test_every_limit_is_tried_on_both_sides() -> None:
    """A limit with a case above it only may be far too small without anybody noticing."""
    named = [case for case in cases() if case.id.startswith("limits/")]
    for case in named:
        if case.id.endswith("-above"):
            below = case.id.removesuffix("above") + "below"
            assert any(other.id == below or is_sibling(other, case) for other in named), case.id


def is_sibling(other: Case, case: Case) -> bool:
    """Tell whether `other` passes under the very settings that `case` exceeds."""
    return other.settings == case.settings and bool(other.requests)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('about = "a"', "send, source is missing"),
        ('about = "a"\nsource = ["b"]\nsend = ["\\u0100"]\nend = "closed"', "one byte"),
        ('about = "a"\nsource = ["b"]\nsend = [{ sleep = 1 }]\nend = "closed"', "{pause}"),
        ('about = "a"\nsource = ["b"]\nsend = []\nend = "shut"', "closed, open, any"),
        ('about = "a"\nsource = ["b"]\nsend = []\nend = "any"\nnote = ""', "unknown note"),
        ('about = ""\nsource = ["b"]\nsend = []\nend = "any"', "must not be empty"),
        (
            'about = "a"\nsource = ["b"]\nsend = []\nend = "any"\nsettings = { keep_alive = 1 }',
            "of type float",
        ),
        (
            'about = "a"\nsource = ["b"]\nsend = []\nend = "open"\n[[answer]]\nstatus = 400',
            "closes after an error",
        ),
    ],
)
def test_mistake_is_named(
    text: str,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that breaks the format is refused with its name and the mistake."""
    monkeypatch.setattr(module, "HOME", tmp_path)
    path = tmp_path / "group" / "name.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        load(path)
    assert str(caught.value).startswith("group/name.toml: ")
    assert complaint in str(caught.value)
