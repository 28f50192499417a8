"""Pages that follow the program, in a real browser: healed errors, new templates, styles, code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.reloader.program import SOURCE, Program, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for processes"),
]

APP = """\
from stein import Stein, render_template
app = Stein(__name__)

@app.get("/")
def index():
    return render_template("index.html", value={value})
"""
PAGE = """\
<!doctype html>
<title>Shop</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/main.css">
<h1>{text} {{{{ value }}}}</h1>
"""
COLOUR = "getComputedStyle(document.querySelector('h1')).color"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Program]:
    """``stein run --debug --live``."""
    for name, text in {
        "app.py": APP.format(value=1),
        "templates/index.html": PAGE.format(text="one"),
        "static/main.css": "h1 { color: rgb(1, 2, 3) }",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    port = free_port()
    command = ("-m", "stein", "run", "--debug", "--live", "--exclude-patterns", f"{SOURCE}/*")
    with Program(tmp_path, *command, "--port", str(port)) as program:
        program.port = port
        yield program.wait_until_up()


def test_an_open_page_follows_templates_styles_and_code(shop: Program, page: Any) -> None:
    page.goto(f"http://127.0.0.1:{shop.port}/")
    page.locator("h1", has_text="one 1").wait_for()
    (shop.folder / "templates" / "index.html").write_text(PAGE.format(text="two"))
    page.locator("h1", has_text="two 1").wait_for()
    page.evaluate("window.kept = true")
    page.wait_for_function("performance.getEntriesByName(location.origin + '/_stein/reload')[0]")
    (shop.folder / "static" / "main.css").write_text("h1 { color: rgb(9, 9, 9) }")
    page.wait_for_function(f"{COLOUR} === 'rgb(9, 9, 9)'")
    assert page.evaluate("window.kept")  # a style sheet needs no new page
    shop.save_text(APP.format(value=2))
    page.locator("h1", has_text="two 2").wait_for()


def test_a_page_about_a_failure_goes_away_by_itself(shop: Program, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{shop.port}/")
    shop.save_text(APP.format(value=2).replace("index():", "index() -> :"))
    page.locator("h1", has_text="SyntaxError").wait_for()
    assert "def index() -> :" in page.inner_text("li.here")
    assert page.locator(".place").inner_text() == f"{shop.file}, line 5"
    shop.save_text(APP.format(value=3))
    page.locator("h1", has_text="one 3").wait_for()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_about_a_failure_is_readable_in_either_scheme(
    browser: Any, shop: Program, scheme: str
) -> None:
    seen = len(shop.lines)
    shop.save_text("1 / 0\n")
    shop.wait_for_line("not running", after=seen)
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"http://127.0.0.1:{shop.port}/")
    page.locator("h1", has_text="ZeroDivisionError").wait_for()
    style = "(name) => getComputedStyle(document.body)[name].match(/\\d+/g).map(Number)"
    light, dark = (sum(page.evaluate(style, name)) for name in ("backgroundColor", "color"))
    assert abs(light - dark) > 400
    page.close()
