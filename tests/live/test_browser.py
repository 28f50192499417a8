"""The guestbook in a real browser, over a real ``stein serve``, as a person would use it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.process import ROOT, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.live, pytest.mark.browser]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The guestbook on a database of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUESTBOOK_DB", str(tmp_path_factory.mktemp("guestbook") / "book.sqlite3"))
        with ServeProcess("app:app", cwd=ROOT / "examples" / "guestbook") as server:
            yield f"http://127.0.0.1:{server.port}"


def test_somebody_signs_the_book(page: Any, site: str) -> None:
    page.goto(site)
    page.fill("#name", "Ada <b>L.</b>")
    page.fill("#message", "First!\n<script>alert(1)</script>")
    page.click("text=Sign the book")
    page.wait_for_selector("text=Ada <b>L.</b>")
    assert "<script>alert(1)" in page.inner_text("main")
    assert page.evaluate("document.querySelectorAll('main script').length") == 0
    page.reload()  # a GET since the redirect: nothing is sent twice
    assert page.locator("text=First!").count() == 1


def test_ten_requests_of_one_page_are_served_side_by_side(page: Any, site: str) -> None:
    page.goto(f"{site}/slow?seconds=0")
    page.click("#together")
    page.locator("#bars span", has_text=" to ").nth(9).wait_for(timeout=30_000)
    labels = page.locator("#bars span").all_inner_texts()
    # A browser opens six connections to a host, so six of the ten run at once.
    assert len({label.partition(":")[0] for label in labels}) >= 6


def test_a_stream_is_seen_while_it_arrives(page: Any, site: str) -> None:
    page.goto(f"{site}/ticker", wait_until="commit")
    ticks = page.locator(".ticks li")
    ticks.nth(1).wait_for()
    assert ticks.count() < 10
    ticks.nth(3).wait_for()


def test_a_file_is_sent(page: Any, site: str, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(b"stein" * 400_000)  # two megabytes, spooled by the server
    page.goto(f"{site}/upload")
    page.set_input_files("#file", str(file))
    page.click("#upload button")
    page.locator("#answer", has_text=re.compile("2[,\u202f]?000[,\u202f]?000")).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_readable_in_either_scheme(browser: Any, site: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(site)
    background, text = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert abs(luminance(background) - luminance(text)) > 0.5
    page.close()


def luminance(colour: str) -> float:
    """How light a colour is, 0 to 1, of the browser's ``rgb(r, g, b)``."""
    red, green, blue = (int(part) for part in colour.strip("rgba()").split(",")[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
