"""The postcards over a real ``stein serve``: by sockets, and in a real browser."""

from __future__ import annotations

import re
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.client import Client
from tests.live.process import ROOT, ServeProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

PASSWORD = "correct horse"  # noqa: S105 - of people who live for one test


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The postcards on a database of their own, which nobody has prepared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTCARDS_DATA", str(tmp_path_factory.mktemp("postcards") / "new"))
        with ServeProcess("postcards", cwd=ROOT / "examples" / "postcards") as server:
            yield f"http://127.0.0.1:{server.port}"


def image(width: int = 60, height: int = 40) -> bytes:
    """A picture that browsers can show: a PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xc0\x60\x30" * width) * height)
    pieces = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


def post(client: Client, path: str, fields: dict[str, Any], form: str | None = None) -> Any:
    word = re.search(r'name="csrf" value="([^"]+)"', client.get(form or path).text)
    assert word
    return client.post(path, data={**fields, "csrf": word[1]})


def test_many_people_write_at_once_and_each_keeps_their_name(site: str) -> None:
    wrong: list[str] = []

    def live(name: str) -> None:
        client = Client(base_url=site)
        post(client, "/register", {"name": name, "password": PASSWORD})
        for number in range(5):
            answer = post(client, "/write", {"place": f"{name} {number}", "message": "Hello"})
            page = client.get(answer.headers["Location"]).text
            if f'<p class="signed">{name}</p>' not in page or f"{name} {number}" not in page:
                wrong.append(page)

    threads = [threading.Thread(target=live, args=[f"person{number}"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    listing = Client(base_url=site).get("/api/cards").get_json()
    assert listing["total"] == 12 + 40


def test_the_stream_of_events_arrives_while_it_lasts(site: str) -> None:
    client = Client(base_url=site)
    answer = client.get("/live/events?after=0")
    assert answer.mimetype == "text/event-stream"
    pieces = answer.iter_encoded()
    told = b""
    while b"id: 12\n" not in told:
        told += next(pieces)
    answer.close()
    assert told.startswith(b"retry:")


# -- in a browser ---------------------------------------------------------------------------------


def register(page: Any, site: str, name: str) -> None:
    page.goto(f"{site}/register")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_selector(f"text=Hello, {name}!")


@pytest.mark.browser
def test_somebody_registers_and_sends_a_card_with_a_picture(
    page: Any, site: str, tmp_path: Path
) -> None:
    file = tmp_path / "view.png"
    file.write_bytes(image())
    register(page, site, "zoe")
    page.click("text=Write a card")
    page.fill("#place", "Oslo <b>")
    page.fill("#message", "Snow!\n<script>alert(1)</script>")
    page.set_input_files("#picture", str(file))
    page.click("main button")
    page.wait_for_selector("text=Your card is on its way.")
    assert page.inner_text("h1") == "Oslo <b>"
    assert page.evaluate("document.querySelector('.card > img').naturalWidth") == 60
    page.click("text=More from zoe")
    page.locator(".tile", has_text="Snow!").wait_for()
    page.click("nav >> text=zoe")
    page.click("text=Log out")
    page.wait_for_selector("text=You are logged out.")
    page.click("nav >> text=Log in")
    page.fill("#name", "zoe")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_selector("text=Hello, zoe!")


@pytest.mark.browser
def test_a_card_appears_in_another_window_by_itself(page: Any, browser: Any, site: str) -> None:
    page.goto(f"{site}/live")
    page.wait_for_selector("text=Waiting for cards")
    other = browser.new_page()
    register(other, site, "yan")
    other.goto(f"{site}/write")
    other.fill("#place", "Nairobi")
    other.fill("#message", "Hello, window!")
    other.click("main button")
    page.locator("#arrivals .tile", has_text="Hello, window!").wait_for(timeout=20_000)
    other.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_can_be_read(browser: Any, site: str, scheme: str, width: int) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    for path in ("/", "/cards/1", "/login", "/live", "/nope"):
        page.goto(site + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        paper, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.body).color]"
        )
        assert contrast(paper, ink) > 7, path

    page.close()


def contrast(one: str, other: str) -> float:
    """How well two colours can be told apart, 1 to 21 (WCAG 2.2, contrast ratio)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """How light the browser's ``rgb(r, g, b)`` is, 0 to 1 (WCAG 2.2, relative luminance)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
