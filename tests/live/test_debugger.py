"""The debugger's page in a real browser: what a person sees, types and finds masked."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import Server, Settings
from stein.toolkit.debugger import DebuggedApplication
from stein.toolkit.debugger.pin import PinLock
from stein.toolkit.request import Request
from tests.live.test_browser import luminance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.toolkit.response import Response

pytestmark = [pytest.mark.live, pytest.mark.browser]


class Basket:
    """What the console looks into."""

    def __init__(self) -> None:
        self.apples = 3
        self.pears = 2


def price(name: str) -> float:
    prices = {"apple": 0.5, "pear": 0.7}
    return prices[name]


@Request.application
def shop(request: Request) -> Response:
    basket = Basket()
    password = "correct horse battery"  # noqa: S105 - it must not be seen
    if request.path == "/markup":
        raise ValueError(
            "<script>document.title = 'taken over'</script><img src=/x onerror=alert(1)>"
        )
    raise LookupError(f"{price('quince')} {basket} {password}")


@pytest.fixture
def debugged() -> DebuggedApplication:
    made = DebuggedApplication(shop, evalex=True, pin_logging=False)
    made.pin_lock = PinLock(itertools.count(step=60).__next__)  # nobody waits for the next try
    return made


@pytest.fixture
def site(debugged: DebuggedApplication) -> Iterator[str]:
    server = Server(debugged, Settings(bind=("127.0.0.1:0",), threads=4))
    server.start()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    thread.join()


@pytest.fixture
def page(browser: Any, site: str) -> Iterator[Any]:
    """A page that fails with no script, and asks nobody else for anything."""
    page = browser.new_page(base_url=site)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda line: (
            faults.append(line.text)
            # That the page is the answer to a failed request is no fault of the page.
            if line.type == "error" and "the server responded with a status of" not in line.text
            else None
        ),
    )
    page.on(
        "request",
        lambda request: None if request.url.startswith(site) else faults.append(request.url),
    )
    yield page
    page.close()
    assert faults == []


def unlock(page: Any, pin: str | None) -> None:
    page.fill("#pin", pin or "")
    page.press("#pin", "Enter")


def wait_for_value(field: Any, value: str) -> None:
    # The page's policy forbids what wait_for_function() does.
    from playwright.sync_api import expect

    expect(field).to_have_value(value)


def test_the_page_shows_the_users_line_and_what_its_variables_hold(page: Any) -> None:
    page.goto("/")
    assert page.inner_text("h1") == "KeyError"
    assert page.inner_text(".message") == "'quince'"
    opened = page.locator("details.frame[open]")
    assert opened.count() == 1
    assert opened.locator("mark").inner_text() == "prices[name]"
    assert "{'apple': 0.5, 'pear': 0.7}" in opened.locator(".variables").inner_text()
    assert page.locator("details.folded:not([open])").count() == 1


def test_what_is_called_a_password_is_masked(page: Any) -> None:
    page.goto("/")
    page.locator("details.frame summary", has_text="shop").first.click()
    variables = page.locator("details.frame[open] .variables").first.inner_text()
    assert "••••••" in variables
    assert "correct horse" not in variables


def test_the_pin_is_asked_for_once_and_opens_a_console_in_each_frame(
    page: Any, debugged: DebuggedApplication
) -> None:
    page.goto("/")
    page.get_by_text("Console in this frame").locator("visible=true").first.click()
    unlock(page, "000-000-000")
    page.get_by_text("9 tries are left").wait_for()
    unlock(page, debugged.pin)
    console = page.locator("details.frame[open] .console")
    console.wait_for()
    page.keyboard.type("sorted(prices)")
    page.keyboard.press("Enter")
    console.get_by_text("['apple', 'pear']").wait_for()
    # Another frame, after the page was loaded anew: the browser is known now.
    page.reload()
    page.locator("details.frame summary", has_text="shop").first.click()
    page.get_by_text("Console in this frame").locator("visible=true").first.click()
    page.keyboard.type("basket.apples * 7")
    page.keyboard.press("Enter")
    page.locator(".console .output", has_text="21").wait_for()


def test_tab_completes_and_escape_lets_the_keyboard_leave(
    page: Any, debugged: DebuggedApplication
) -> None:
    page.goto("/")
    page.locator("details.frame summary", has_text="shop").first.press("c")
    unlock(page, debugged.pin)
    field = page.locator(".console textarea")
    field.wait_for()
    page.keyboard.type("bask")
    page.keyboard.press("Tab")
    wait_for_value(field, "basket")
    page.keyboard.type(".")
    page.keyboard.press("Tab")
    page.locator(".suggestions li", has_text="pears").wait_for()
    page.keyboard.press("Tab")
    wait_for_value(field, "basket.apples")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.locator(".console .output", has_text="3").wait_for()
    page.keyboard.type("x")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"


def test_several_lines_and_what_was_typed_before(page: Any, debugged: DebuggedApplication) -> None:
    page.goto("/console")
    unlock(page, debugged.pin)
    page.locator(".console textarea").wait_for()
    for line in ("for number in (1, 2):", "    print(number * 100)", ""):
        page.keyboard.type(line)
        page.keyboard.press("Enter")
        page.locator(".prompt", has_text="..." if line else ">>>").wait_for()
    page.locator(".output", has_text="200").wait_for()
    page.keyboard.press("ArrowUp")
    assert page.input_value(".console textarea") == "    print(number * 100)"


def test_markup_in_a_message_stays_text(page: Any) -> None:
    page.goto("/markup?<b>x</b>")
    assert page.inner_text(".message").startswith("<script>document.title")
    assert page.title().startswith("ValueError: <script>")
    assert page.locator("main img, header img").count() == 0


def test_keys_walk_through_the_frames(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("j")
    where = "document.activeElement.querySelector('.function').textContent"
    assert page.evaluate(where) == "price"
    page.keyboard.press("k")
    assert page.evaluate(where) == "shop"
    page.keyboard.press("Enter")
    assert page.locator("details.frame[open]").count() == 2
    page.keyboard.press("t")
    assert "Traceback (most recent call last)" in page.input_value("#plain textarea")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1200])
def test_the_page_is_readable_in_either_scheme_and_width(
    browser: Any, site: str, scheme: str, width: int
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto(site)
    for selector in ("body", ".source .current", "mark", ".variables td", "h1"):
        text, background = page.evaluate(
            """selector => {
                let element = document.querySelector(`details[open] ${selector}`)
                    ?? document.querySelector(selector);
                const text = getComputedStyle(element).color;
                let background = "rgba(0, 0, 0, 0)";
                while (background === "rgba(0, 0, 0, 0)") {
                    background = getComputedStyle(element).backgroundColor;
                    element = element.parentElement;
                }
                return [text, background];
            }""",
            selector,
        )
        assert abs(luminance(text) - luminance(background)) > 0.3, selector
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
