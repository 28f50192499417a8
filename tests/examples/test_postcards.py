"""The postcards, through the test client; each test has a database of its own."""

from __future__ import annotations

import csv
import importlib
import io
import re
import sqlite3
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein import Stein

HOME = Path(__file__).parents[2] / "examples" / "postcards"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
PASSWORD = "correct horse"  # noqa: S105 - of people who live for one test


class Visitor:
    """Somebody with a browser: keeps cookies, and fills in forms as the pages give them."""

    def __init__(self, app: Stein) -> None:
        self.client = app.test_client()

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.client.get(path, buffered=True, **kwargs)

    def send(self, path: str, *, form: str | None = None, **fields: Any) -> Any:
        """Post the form that stands on a page, with its hidden word."""
        page = self.get(form or path)
        word = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert word, f"no form on {form or path}"
        return self.client.post(path, data={"csrf": word[1], **fields})

    def register(self, name: str = "zoe") -> Visitor:
        answer = self.send("/register", name=name, password=PASSWORD)
        assert answer.status_code == 303
        return self

    def write(self, place: str = "Oslo", message: str = "Snow!", **fields: Any) -> int:
        answer = self.send("/write", place=place, message=message, **fields)
        assert answer.status_code == 303, answer.text
        return int(urlsplit(answer.location).path.rpartition("/")[2])


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stein]]:
    """The factory, imported as a server would import it."""
    monkeypatch.syspath_prepend(str(HOME))
    create_app = importlib.import_module("postcards").create_app

    def make(**config: Any) -> Any:
        return create_app({"DATA": str(tmp_path / "data"), "TESTING": True, **config})

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "postcards"]:
        del sys.modules[name]


@pytest.fixture
def app(make_app: Callable[..., Stein]) -> Stein:
    return make_app(SAMPLES=False)


@pytest.fixture
def visitor(app: Stein) -> Visitor:
    return Visitor(app)


def picture(content: bytes = PNG, name: str = "view.png") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


# -- the first start ------------------------------------------------------------------------------


def test_the_first_start_makes_all_it_needs(make_app: Callable[..., Stein], tmp_path: Path) -> None:
    app = make_app()
    answer = Visitor(app).get("/")
    assert answer.status_code == 200
    assert "Valparaíso" in answer.text
    assert (tmp_path / "data" / "postcards.sqlite3").is_file()


def test_the_second_start_finds_what_the_first_has_kept(make_app: Callable[..., Stein]) -> None:
    zoe = Visitor(make_app()).register()
    zoe.write("Bergen")
    again = make_app()
    later = again.test_client()
    cookie = zoe.client.get_cookie("postcards")
    assert cookie is not None
    later.set_cookie("postcards", cookie.value)
    page = later.get("/").text
    assert "Bergen" in page
    assert "zoe" in page  # the secret key was kept, too
    assert later.get("/api/cards").get_json()["total"] == 13


def test_several_processes_may_start_at_once(
    make_app: Callable[..., Stein], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        apps = [each.result() for each in [pool.submit(make_app) for _ in range(8)]]
    assert len({app.secret_key for app in apps}) == 1
    with closing(sqlite3.connect(tmp_path / "data" / "postcards.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM cards").fetchone() == (12,)
    assert len(list((tmp_path / "data").glob("secret_key*"))) == 1


def test_the_secret_key_is_for_its_owner_alone(app: Stein, tmp_path: Path) -> None:
    assert len(str(app.secret_key)) == 64
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600


def test_the_environment_sets_what_it_wants(
    make_app: Callable[..., Stein], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTCARDS_CARDS_PER_PAGE", "3")
    monkeypatch.setenv("POSTCARDS_SECRET_KEY", "told")
    app = make_app()
    assert app.config["CARDS_PER_PAGE"] == 3
    assert app.secret_key == "told"  # noqa: S105 - the point of the test
    assert not (tmp_path / "data" / "secret_key").exists()


def test_the_commands_empty_and_fill_the_database(app: Stein, tmp_path: Path) -> None:
    zoe = Visitor(app).register()
    zoe.write(picture=picture())
    runner = app.test_cli_runner()
    assert "24 cards were added." in runner.invoke(args=["seed", "--times", "2"]).output
    assert zoe.get("/api/cards").get_json()["total"] == 25
    assert runner.invoke(args=["init-db"], input="n\n").exit_code == 1
    assert zoe.get("/api/cards").get_json()["total"] == 25
    assert "empty" in runner.invoke(args=["init-db", "--yes"]).output
    assert zoe.get("/api/cards").get_json()["total"] == 0
    assert list((tmp_path / "data" / "pictures").iterdir()) == []
    assert "Log in" in zoe.get("/").text  # the account behind the session is gone


# -- accounts -------------------------------------------------------------------------------------


def test_somebody_registers_leaves_and_comes_back(visitor: Visitor) -> None:
    visitor.register("zoe")
    page = visitor.get("/").text
    assert "Hello, zoe!" in page
    assert "Write a card" in page
    assert "Hello, zoe!" not in visitor.get("/").text
    assert visitor.send("/logout", form="/account").status_code == 303
    assert "You are logged out." in visitor.get("/").text
    assert visitor.send("/login", name="ZOE", password=PASSWORD).status_code == 303
    assert "Hello, zoe!" in visitor.get("/").text


@pytest.mark.parametrize(
    ("name", "password", "message"),
    [
        ("z", PASSWORD, "2 to 20 letters"),
        ("z" * 21, PASSWORD, "2 to 20 letters"),
        ("<b>zoe</b>", PASSWORD, "2 to 20 letters"),
        ("zoe\n", PASSWORD, "2 to 20 letters"),
        ("zoe", "short", "At least 8 characters"),
        ("zoe", "x" * 201, "At most 200 characters"),
        ("", "", "2 to 20 letters"),
    ],
)
def test_a_refused_registration_says_why(
    visitor: Visitor, name: str, password: str, message: str
) -> None:
    answer = visitor.send("/register", name=name, password=password)
    assert answer.status_code == 400
    assert message in answer.text
    assert "<b>zoe" not in answer.text
    assert password not in answer.text or not password


def test_a_name_is_given_once(app: Stein) -> None:
    Visitor(app).register("zoe")
    answer = Visitor(app).send("/register", name="Zoe", password=PASSWORD)
    assert answer.status_code == 400
    assert "Zoe is taken." in answer.text


@pytest.mark.parametrize(
    ("name", "password"), [("zoe", "wrong horse"), ("yan", PASSWORD), ("", ""), ("zoe", "x" * 300)]
)
def test_a_failed_login_does_not_say_what_was_wrong(app: Stein, name: str, password: str) -> None:
    Visitor(app).register("zoe")
    answer = Visitor(app).send("/login", name=name, password=password)
    assert answer.status_code == 400
    assert "Name and password do not belong together." in answer.text


def test_nobody_logs_in_as_one_of_the_samples(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app())
    assert visitor.send("/login", name="ada", password="").status_code == 400


def test_a_visitor_is_sent_to_log_in_and_back(app: Stein) -> None:
    Visitor(app).register("zoe")
    visitor = Visitor(app)
    answer = visitor.get("/write?from=there")
    assert (answer.status_code, answer.location) == (303, "/login")
    assert "Please log in first." in visitor.get("/login").text
    answer = visitor.send("/login", name="zoe", password=PASSWORD)
    assert answer.location == "/write?from=there"


def test_the_session_before_the_login_ends_with_it(app: Stein) -> None:
    visitor = Visitor(app)
    visitor.get("/register")
    with visitor.client.session_transaction() as session:
        before = session["csrf"]
    visitor.register()
    visitor.get("/write")
    with visitor.client.session_transaction() as session:
        assert session["csrf"] != before


def test_the_password_is_kept_as_a_hash(visitor: Visitor, tmp_path: Path) -> None:
    visitor.register()
    with closing(sqlite3.connect(tmp_path / "data" / "postcards.sqlite3")) as db:
        ((kept,),) = db.execute("SELECT password FROM users")
    assert kept.startswith("scrypt:")
    assert PASSWORD not in kept


# -- cards ----------------------------------------------------------------------------------------


def test_an_empty_wall_says_so(visitor: Visitor) -> None:
    assert "No cards here yet." in visitor.get("/").text


def test_a_card_is_written_and_seen(visitor: Visitor) -> None:
    number = visitor.register().write("Oslo <i>", "Snow &\n<script>alert(1)</script>")
    page = visitor.get(f"/cards/{number}").text
    assert "Your card is on its way." in page
    assert "Oslo &lt;i&gt;" in page
    assert "Snow &amp;" in page
    assert "<script>" not in page
    assert f"/cards/{number}" in visitor.get("/").text


@pytest.mark.parametrize(
    ("place", "message", "fault"),
    [
        ("", "Snow!", "Where are you?"),
        ("  ", "Snow!", "Where are you?"),
        ("x" * 61, "Snow!", "At most 60 characters"),
        ("Oslo", "", "a few words"),
        ("Oslo", "x" * 501, "At most 500 characters"),
    ],
)
def test_a_card_that_cannot_be_sent_comes_back_filled_in(
    visitor: Visitor, place: str, message: str, fault: str, tmp_path: Path
) -> None:
    answer = visitor.register().send(
        "/write", place=place, message=message, picture=picture()
    )  # fmt: skip
    assert answer.status_code == 400
    assert fault in answer.text
    assert place in answer.text
    assert message in answer.text
    assert not (tmp_path / "data" / "pictures").exists()
    assert "No cards here yet." in visitor.get("/").text


def test_a_wall_has_pages(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app(CARDS_PER_PAGE=5))
    first, second, third = (visitor.get(f"/?page={number}").text for number in (1, 2, 3))
    assert first.count('class="tile"') == second.count('class="tile"') == 5
    assert third.count('class="tile"') == 2
    assert 'rel="prev"' not in first
    assert 'href="/?page=2"' in first
    assert 'href="/?page=3"' in second
    assert 'rel="next"' not in third


@pytest.mark.parametrize("asked", ["0", "-1", "x", "", "1.5", "9" * 30, "9" * 5000, "%00"])
def test_any_page_number_shows_a_page(make_app: Callable[..., Stein], asked: str) -> None:
    answer = Visitor(make_app()).get(f"/?page={asked}")
    assert answer.status_code == 200
    assert 'class="tile"' in answer.text


def test_a_wall_of_one_author(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app(CARDS_PER_PAGE=2))
    page = visitor.get("/?author=Ada").text
    assert "Cusco" in page
    assert "Patagonia" in page
    assert "Kyoto" not in page
    assert 'href="/?page=2&amp;author=Ada"' in page
    assert "No cards here yet." in visitor.get("/?author=nobody").text


@pytest.mark.parametrize("number", ["0", "99", "9" * 18, "9" * 30, "9" * 4000])
def test_a_card_that_is_not_there(visitor: Visitor, number: str) -> None:
    for path in (f"/cards/{number}", f"/cards/{number}/picture", f"/api/cards/{number}"):
        assert visitor.get(path).status_code == 404


def test_a_card_is_taken_down_by_its_author_alone(app: Stein, tmp_path: Path) -> None:
    zoe, yan = Visitor(app).register("zoe"), Visitor(app).register("yan")
    number = zoe.write(picture=picture())
    yans = yan.write()
    assert "Take it down" not in yan.get(f"/cards/{number}").text
    assert yan.send(f"/cards/{number}/delete", form=f"/cards/{yans}").status_code == 403
    assert zoe.send(f"/cards/{number}/delete", form=f"/cards/{number}").status_code == 303
    assert "The card is gone." in zoe.get("/").text
    assert zoe.get(f"/cards/{number}").status_code == 404
    assert list((tmp_path / "data" / "pictures").iterdir()) == []


def test_all_cards_as_a_file(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app()).register()
    visitor.write('Quoted "place"', "two\nlines")
    answer = visitor.get("/cards.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == "attachment; filename=cards.csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 13
    assert (rows[-1]["place"], rows[-1]["author"]) == ('Quoted "place"', "zoe")
    assert rows[-1]["message"].split() == ["two", "lines"]


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "mimetype"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBP", "image/webp"),
    ],
)
def test_an_uploaded_picture_is_shown(visitor: Visitor, start: bytes, mimetype: str) -> None:
    content = start + bytes(range(256))
    number = visitor.register().write(picture=picture(content, "../../evil.svg"))
    answer = visitor.get(f"/cards/{number}/picture")
    assert answer.data == content
    assert answer.mimetype == mimetype
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<svg onload='alert(1)'/>", b"\xff\xd8", b"RIFF1234AVI "]
)
def test_what_is_no_picture_is_refused_whatever_it_calls_itself(
    visitor: Visitor, content: bytes, tmp_path: Path
) -> None:
    answer = visitor.register().send(
        "/write", place="Oslo", message="Snow!", picture=picture(content)
    )  # fmt: skip
    assert answer.status_code == 400
    assert "A PNG, JPEG, GIF or WebP picture, please." in answer.text
    assert not (tmp_path / "data" / "pictures").exists()


def test_a_picture_has_a_limit(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app(MAX_CONTENT_LENGTH=2000)).register()
    word = re.search(r'name="csrf" value="([^"]+)"', visitor.get("/write").text)
    assert word
    fields = {"csrf": word[1], "place": "Oslo", "message": "Snow!"}
    large = picture(PNG + bytes(2000))
    answer = visitor.client.post("/write", data={**fields, "picture": large})
    assert answer.status_code == 413
    assert "That is too large" in answer.text


def test_a_card_without_a_picture_gets_one_painted(visitor: Visitor) -> None:
    visitor.register()
    first, second, third = (visitor.write(place) for place in ("Oslo", "oslo", "Rome"))
    views = [visitor.get(f"/cards/{number}/picture") for number in (first, second, third)]
    assert {view.mimetype for view in views} == {"image/svg+xml"}
    assert views[0].data == views[1].data
    assert views[0].data != views[2].data


# -- other sites ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", [None, "", "guessed", "gu\u00e9ss\udc80ed".encode("utf-8", "replace")]
)
def test_a_form_from_elsewhere_changes_nothing(visitor: Visitor, word: Any) -> None:
    visitor.register()
    fields = {"place": "Oslo", "message": "Snow!"} | ({} if word is None else {"csrf": word})
    answer = visitor.client.post("/write", data=fields)
    assert answer.status_code == 400
    assert "This form is out of date." in answer.text
    assert "No cards here yet." in visitor.get("/").text


def test_a_form_needs_a_session(app: Stein) -> None:
    answer = app.test_client().post("/register", data={"name": "zoe", "csrf": ""})
    assert answer.status_code == 400


def test_pages_load_nothing_from_elsewhere(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app()).register()
    for path in ("/", "/cards/1", "/write", "/account", "/live", "/nope"):
        answer = visitor.get(path)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text)
        assert not re.search(r"<script>|\son\w+=|\sstyle=", answer.text)


def test_the_session_cookie_is_for_this_site_and_no_script(visitor: Visitor) -> None:
    answer = visitor.get("/register")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie


def test_what_needs_no_session_sets_none(make_app: Callable[..., Stein]) -> None:
    visitor = Visitor(make_app())
    for path in ("/static/style.css", "/cards/1/picture", "/api/cards", "/cards.csv"):
        answer = visitor.get(path)
        assert "Set-Cookie" not in answer.headers
        assert "Vary" not in answer.headers, path


# -- programs -------------------------------------------------------------------------------------


def token_of(visitor: Visitor) -> str:
    page = visitor.send("/account").text
    found = re.search(r"<code>([\w-]{43})</code>", page)
    assert found
    return found[1]


def test_the_api_lists_pages(make_app: Callable[..., Stein]) -> None:
    client = make_app(CARDS_PER_PAGE=5).test_client()
    cards, address, pages = [], "/api/cards", 0
    while address:
        answer = client.get(address).get_json()
        pages += 1
        assert (answer["page"], answer["pages"], answer["total"]) == (pages, 3, 12)
        cards += answer["cards"]
        address = answer["next"]
    assert pages == 3
    numbers = [card["id"] for card in cards]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 12
    assert client.get(cards[0]["picture"]).status_code == 200
    assert set(cards[0]) == {"id", "author", "place", "message", "written", "url", "picture"}


def test_the_api_writes_with_a_token(app: Stein) -> None:
    token = token_of(Visitor(app).register())
    client = app.test_client()
    answer = client.post(
        "/api/cards",
        json={"place": "Oslo", "message": "Snow!"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201
    card = client.get(answer.location).get_json()
    assert card == answer.get_json()
    assert (card["author"], card["place"], card["message"]) == ("zoe", "Oslo", "Snow!")


def test_a_new_token_takes_the_place_of_the_old_one(app: Stein) -> None:
    zoe = Visitor(app).register()
    old, new = token_of(zoe), token_of(zoe)
    statuses = [
        app.test_client()
        .post(
            "/api/cards",
            json={"place": "Oslo", "message": "Snow!"},
            headers={"Authorization": f"Bearer {token}"},
        )
        .status_code
        for token in (old, new)
    ]
    assert statuses == [401, 201]


@pytest.mark.parametrize("field", [None, "Bearer", "Bearer x", "Basic eDp5", "Bearer \xff", "?"])
def test_the_api_wants_a_token_and_takes_no_cookie(visitor: Visitor, field: str | None) -> None:
    visitor.register()
    headers = {"Authorization": field} if field else {}
    answer = visitor.client.post(
        "/api/cards", json={"place": "Oslo", "message": "Snow!"}, headers=headers
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Your account page makes one" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"place": 1, "message": ["x"]}', "application/json", 400),
        (b'{"place": "Oslo", "message": " "}', "application/json", 400),
        (b'{"place": "\xff", "message": "x"}', "application/json", 400),
        (b"place=Oslo&message=Snow", "application/x-www-form-urlencoded", 415),
    ],
)
def test_the_api_refuses_in_json(app: Stein, body: bytes, kind: str, status: int) -> None:
    token = token_of(Visitor(app).register())
    answer = app.test_client().post(
        "/api/cards",
        data=body,
        content_type=kind,
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == status
    assert answer.get_json()["error"]


# -- errors ---------------------------------------------------------------------------------------


def test_an_unknown_address_is_explained_to_people_and_to_programs(visitor: Visitor) -> None:
    page = visitor.get("/nope")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "Back to the wall" in page.text
    answer = visitor.get("/api/nope")
    assert (answer.status_code, answer.mimetype) == (404, "application/json")


def test_a_wrong_method_keeps_its_allow_field(visitor: Visitor) -> None:
    answer = visitor.client.put("/api/cards")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_a_bug_shows_a_page_that_gives_nothing_away(app: Stein) -> None:
    @app.get("/bug")
    def bug() -> str:
        message = "a secret"
        raise RuntimeError(message)

    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = app.test_client().get("/bug")
    assert answer.status_code == 500
    assert "Back to the wall" in answer.text
    assert "secret" not in answer.text


# -- live -----------------------------------------------------------------------------------------


def events(app: Stein, monkeypatch: pytest.MonkeyPatch, path: str, **headers: str) -> str:
    """One stream that ends at once."""
    monkeypatch.setattr(sys.modules["postcards.live"], "LENGTH", 0)
    answer = app.test_client().get(path, headers=headers)
    assert answer.mimetype == "text/event-stream"
    return answer.text


def test_a_stream_tells_what_is_new(app: Stein, monkeypatch: pytest.MonkeyPatch) -> None:
    zoe = Visitor(app).register()
    first, second = zoe.write("Oslo"), zoe.write("Rome", "one\ntwo\n\ndata: <b>")
    told = events(app, monkeypatch, f"/live/events?after={first}")
    assert re.findall(r"^id: (\d+)$", told, re.MULTILINE) == [str(second)]
    (data,) = re.findall(r"^data: (.*)$", told, re.MULTILINE)
    assert "Rome" in data
    assert "&lt;b&gt;" in data
    again = events(app, monkeypatch, "/live/events?after=0", **{"Last-Event-ID": str(first)})
    assert "Rome" in again
    assert "Oslo" not in again
    assert "id:" not in events(app, monkeypatch, "/live/events")


@pytest.mark.parametrize("after", ["x", "9" * 30, "-1", "-" + "9" * 30])
def test_a_stream_starts_anywhere(app: Stein, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    assert "retry:" in events(app, monkeypatch, f"/live/events?after={after}")
    assert "retry:" in events(
        app, monkeypatch, "/live/events", **{"Last-Event-ID": after}
    )  # fmt: skip


def test_a_stream_ends_at_once_when_all_places_are_taken(
    app: Stein, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["postcards.live"], "places", threading.BoundedSemaphore(1))
    client = app.test_client()
    staying = client.get("/live/events", buffered=False)
    pieces = iter(staying.response)
    assert next(pieces)
    assert "retry:" in client.get("/live/events").text
    staying.close()
    places = sys.modules["postcards.live"].places
    assert places.acquire(blocking=False)
