"""The guestbook, called in process; `wsgiref.validate` stands between and checks both sides."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIApplication

HOME = Path(__file__).parents[2] / "examples" / "guestbook"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    blocks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.blocks)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


class Caller:
    """As little of a server as a test needs.

    :param checked: whether `wsgiref.validate` stands between; it lets no environ by that a careful
        server would not make, so what a careless one may pass on is tested without it.
    """

    def __init__(self, app: WSGIApplication, *, checked: bool = True) -> None:
        self.app = validator(app) if checked else app

    def __call__(self, method: str, target: str, body: bytes = b"", **environ: Any) -> Answer:
        path, _, query = target.partition("?")
        given: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "wsgi.input": io.BytesIO(body),
            "wsgi.multithread": True,
        }
        if body:
            given["CONTENT_LENGTH"] = str(len(body))
        given |= environ
        setup_testing_defaults(given)
        started: list[Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Any:
            started[:] = [status, headers]
            return lambda _data: None

        result = self.app(given, start_response)
        try:
            blocks = list(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = started
        return Answer(int(status.split()[0]), dict(headers), blocks)

    def get(self, target: str, **environ: Any) -> Answer:
        return self("GET", target, **environ)

    def form(self, target: str, /, **fields: str) -> Answer:
        return self("POST", target, urlencode(fields).encode(), CONTENT_TYPE=FORM)

    def sign(self, name: str = "Ada", message: str = "Hello") -> int:
        body = json.dumps({"name": name, "message": message}).encode()
        answer = self("POST", "/api/entries", body, CONTENT_TYPE="application/json")
        assert answer.status == 201
        number = answer.json["id"]
        assert answer.headers["Location"] == f"/api/entries/{number}"
        return int(number)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """The program as `stein serve app:app` would import it, on a database of its own."""
    monkeypatch.setenv("GUESTBOOK_DB", str(tmp_path / "new" / "book.sqlite3"))
    monkeypatch.syspath_prepend(str(HOME))
    names = [path.stem for path in HOME.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield Caller(importlib.import_module("app").app)
    for name in names:
        sys.modules.pop(name, None)


def test_an_empty_book_says_so(call: Caller) -> None:
    answer = call.get("/")
    assert answer.status == 200
    assert "Nobody has written yet." in answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_posted_entry_is_listed_after_the_redirect(call: Caller) -> None:
    answer = call.form("/", name="Zoë  Ω", message="one\r\ntwo")
    assert (answer.status, answer.headers["Location"]) == (303, "/?notice=added")
    page = call.get(answer.headers["Location"]).text
    assert "your entry is in the book" in page
    assert "Zoë Ω" in page
    assert "one\ntwo" in page


def test_the_bare_mount_point_is_the_book(call: Caller) -> None:
    assert call.get("", SCRIPT_NAME="/book").status == 200


def test_links_and_redirects_carry_the_mount_point(call: Caller) -> None:
    page = call.get("/", SCRIPT_NAME="/a b").text
    assert 'href="/a%20b/static/style.css"' in page
    body = urlencode({"name": "n", "message": "m"}).encode()
    answer = call("POST", "/", body, CONTENT_TYPE=FORM, SCRIPT_NAME="/book")
    assert answer.headers["Location"] == "/book/?notice=added"


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "'&lt;"]
)
def test_what_visitors_write_is_never_markup(call: Caller, hostile: str) -> None:
    number = call.sign(hostile, hostile)
    draft = call.form("/", name=hostile, message="")
    assert draft.status == 400
    shown = [
        call.get("/"),
        call.get(f"/entries/{number}"),
        call.get("/?" + urlencode({"q": hostile})),
        call.get("/?" + urlencode({"notice": hostile})),
        call.get("/environ", HTTP_USER_AGENT=hostile),
        call.get("/" + hostile.replace("?", "")),
        draft,
    ]
    for answer in shown:
        assert hostile not in answer.text


def test_control_characters_and_half_characters_are_dropped(call: Caller) -> None:
    number = call.sign("a\x00b\x1b[1m", "x\ud800y\u200dz")
    entry = call.get(f"/api/entries/{number}").json
    assert (entry["name"], entry["message"]) == ("ab[1m", "xy\u200dz")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "name is missing"),
        ({"name": "Ada"}, "message is missing"),
        ({"name": " \t ", "message": "m"}, "name is missing"),
        ({"name": "n" * 81, "message": "m"}, "name may have at most 80 characters"),
        ({"name": "n", "message": "m" * 2001}, "message may have at most 2000 characters"),
    ],
)
def test_a_faulty_form_comes_back_with_the_reason(
    call: Caller, fields: dict[str, str], said: str
) -> None:
    answer = call.form("/", **fields)
    assert answer.status == 400
    assert said in answer.text
    assert f'value="{fields.get("name", "").strip()}"' in answer.text
    assert call.get("/api/entries").json["total"] == 0


@pytest.mark.parametrize(
    ("body", "environ", "status"),
    [
        (b"a=1", {"CONTENT_LENGTH": "12x"}, 400),
        (b"a=1", {"CONTENT_LENGTH": "1_0"}, 400),
        (b"a=1", {"CONTENT_LENGTH": "²"}, 400),
        (b"a=1", {"CONTENT_LENGTH": "9"}, 400),
        (b"a=1", {"CONTENT_LENGTH": "9" * 5000}, 413),
        (b"a=1", {"CONTENT_LENGTH": "65537"}, 413),
        (b"a" * 65537, {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 413),
        (b"a=1", {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        (b"name=\xff", {}, 400),
        (b"name=%ff", {}, 400),
        (b"a&" * 21, {}, 400),
        (b"a=1", {"CONTENT_TYPE": "text/plain"}, 415),
        (b"a=1", {"CONTENT_TYPE": ""}, 415),
    ],
)
def test_bodies_that_no_browser_sends(
    call: Caller, body: bytes, environ: dict[str, Any], status: int
) -> None:
    unchecked = Caller(sys.modules["app"].app, checked=False)
    assert unchecked("POST", "/", body, **{"CONTENT_TYPE": FORM, **environ}).status == status


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"[" * 60000, b"\xff", b"1" * 5000,
        b'{"name": 1, "message": []}', b'{"name": "n"}',
    ],
)  # fmt: skip
def test_json_that_is_no_entry(call: Caller, body: bytes) -> None:
    answer = call("POST", "/api/entries", body, CONTENT_TYPE="application/json; charset=utf-8")
    assert answer.status == 400
    assert answer.json["error"]


@pytest.mark.parametrize("page", ["0", "-1", "x", "1_0", "%2B1", "\uff11", "9" * 30, "1.5", "%00"])
def test_a_page_number_that_is_none(call: Caller, page: str) -> None:
    answer = call.get(f"/?page={page}")
    assert answer.status == 400
    assert "page must be a whole number" in answer.text.lower()
    assert "whole number" in call.get(f"/api/entries?page={page}").json["error"]


def test_a_page_past_the_last_is_not_found(call: Caller) -> None:
    assert call.get("/?page=2").status == 404
    assert call.get("/?page=100000000").status == 404


@pytest.mark.parametrize("query", ["%ff=1", "q=%c3", "&".join("abcdefghijklmnopqrstuvwxyz")])
def test_a_query_string_that_is_none(call: Caller, query: str) -> None:
    assert call.get(f"/?{query}").status == 400
    assert "URL-encoded" in call.get(f"/api/entries?{query}").json["error"]


def test_entries_come_ten_to_a_page_newest_first(call: Caller) -> None:
    numbers = [call.sign(message=f"entry {n}") for n in range(23)]
    first, last = call.get("/api/entries").json, call.get("/api/entries?page=3").json
    assert [entry["id"] for entry in first["entries"]] == numbers[:-11:-1]
    assert [entry["id"] for entry in last["entries"]] == numbers[2::-1]
    assert (first["pages"], first["total"]) == (3, 23)
    page = call.get("/?page=2").text
    assert "Page 2 of 3" in page
    assert 'rel="prev" href="/?page=1"' in page
    assert 'rel="next" href="/?page=3"' in page


def test_search_takes_wild_characters_literally(call: Caller) -> None:
    call.sign("Ada", "100% sure")
    call.sign("Bob", "100 sure")
    call.sign("C_D", "back\\slash")

    def found(query: str) -> list[str]:
        answer = call.get("/api/entries?" + urlencode({"q": query}))
        return [entry["name"] for entry in answer.json["entries"]]

    assert found("SURE") == ["Bob", "Ada"]
    assert found("0% s") == ["Ada"]
    assert found("_") == ["C_D"]
    assert found("\\") == ["C_D"]
    assert found("' OR 1=1 --") == []


def test_search_keeps_its_words_from_page_to_page(call: Caller) -> None:
    for _ in range(11):
        call.sign(message="a&b")
    assert 'href="/?page=2&amp;q=a%26b"' in call.get("/?q=a%26b").text


def test_an_entry_can_be_deleted_once(call: Caller) -> None:
    number = call.sign()
    assert call.get(f"/entries/{number}").status == 200
    answer = call("POST", f"/entries/{number}/delete")
    assert (answer.status, answer.headers["Location"]) == (303, "/?notice=deleted")
    assert call("POST", f"/entries/{number}/delete").status == 404
    assert call.get(f"/entries/{number}").status == 404


def test_an_entry_can_be_deleted_by_a_program(call: Caller) -> None:
    number = call.sign()
    assert call("DELETE", f"/api/entries/{number}").json == {"deleted": number}
    assert call("DELETE", f"/api/entries/{number}").json["error"] == f"there is no entry {number}"


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("book.test", {}, 303),
        ("book.test", {"HTTP_ORIGIN": "http://book.test"}, 303),
        ("book.test", {"HTTP_ORIGIN": "http://evil.test"}, 403),
        ("book.test", {"HTTP_ORIGIN": "null"}, 403),
        ("book.test", {"HTTP_ORIGIN": "http://[evil"}, 403),
        ("book.test", {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://x"}, 303),
        ("book.test", {"HTTP_SEC_FETCH_SITE": "cross-site"}, 403),
        ("book.test", {"HTTP_SEC_FETCH_SITE": "same-site"}, 403),
    ],
)
def test_forms_of_other_sites_are_refused(
    call: Caller, host: str, headers: dict[str, Any], status: int
) -> None:
    number = call.sign()
    answer = call("POST", f"/entries/{number}/delete", HTTP_HOST=host, **headers)
    assert answer.status == status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/", "GET, POST, HEAD"),
        ("GET", "/entries/1/delete", "POST"),
        ("HEAD", "/entries/1/delete", "POST"),
        ("DELETE", "/api/entries", "GET, POST, HEAD"),
        ("OPTIONS", "/environ", "GET, HEAD"),
        ("POST", "/static/style.css", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    call: Caller, method: str, path: str, allowed: str
) -> None:
    answer = call(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/entries/0", "/entries/01", "/entries/x", "/entries/" + "9" * 40,
        "/entries/999999999999999999", "/entries/1/", "/static/", "/static/../app.py",
        "/static/none.css", "/static/app.py", "//", "/\x00", "/é",
    ],
)  # fmt: skip
def test_nothing_is_found_where_nothing_is(call: Caller, path: str) -> None:
    assert call.get(path).status == 404


def test_bytes_in_a_path_that_are_no_text(call: Caller) -> None:
    assert call.get("/", PATH_INFO="/\xff\xfe").status == 404


@pytest.mark.parametrize(
    "path",
    ["/", "/slow?seconds=0", "/ticker?interval=5", "/static/style.css", "/environ", "/upload"],
)
def test_head_is_get_without_a_body(call: Caller, path: str) -> None:
    answer = call("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")


def test_a_file_is_sent_by_the_server_where_it_can(call: Caller) -> None:
    wrapped = []

    def wrapper(file: Any, size: int) -> FileWrapper:
        wrapped.append(size)
        return FileWrapper(file, size)

    answer = call.get("/static/style.css", **{"wsgi.file_wrapper": wrapper})
    assert wrapped
    assert answer.body == (HOME / "static" / "style.css").read_bytes()
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert call.get("/static/style.css").body == answer.body


def test_a_file_that_the_browser_has_is_not_sent_again(call: Caller) -> None:
    etag = call.get("/static/upload.js").headers["ETag"]
    answer = call.get("/static/upload.js", HTTP_IF_NONE_MATCH=etag)
    assert (answer.status, answer.body) == (304, b"")
    assert call.get("/static/upload.js", HTTP_IF_NONE_MATCH='"other"').status == 200


def test_pages_load_only_files_that_exist(call: Caller) -> None:
    for path in ("/", "/slow?seconds=0", "/upload"):
        page = call.get(path).text
        links = [part.split('"')[0] for part in page.split('"/static/')[1:]]
        assert links
        for name in links:
            assert call.get(f"/static/{name}").status == 200
        assert "http://" not in page
        assert "https://" not in page


def test_the_ticker_comes_line_by_line(call: Caller) -> None:
    answer = call.get("/ticker?lines=3&interval=0")
    assert sum(b"<li>" in block and b"line" in block for block in answer.blocks) == 3
    assert answer.blocks[0].startswith(b"<!doctype html>")
    assert answer.text.rstrip().endswith("</html>")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("query", ["lines=0", "lines=61", "interval=6", "interval=x"])
def test_the_ticker_has_bounds(call: Caller, query: str) -> None:
    assert call.get(f"/ticker?{query}").status == 400


def test_the_slow_page_names_its_thread(call: Caller) -> None:
    page = call.get("/slow?seconds=0").text
    assert threading.current_thread().name in page
    facts = call.get("/api/slow?seconds=0").json
    assert facts["thread"] == threading.current_thread().name
    assert call.get("/slow?seconds=31").status == 400


@pytest.mark.parametrize("size", [0, 1, 65536, 200_001])
def test_an_upload_is_hashed_in_blocks(call: Caller, size: int) -> None:
    body = b"\x00\xff" * (size // 2) + b"z" * (size % 2)
    facts = call("PUT", "/upload", body).json
    assert (facts["size"], facts["sha256"]) == (size, hashlib.sha256(body).hexdigest())
    assert facts["blocks"] == -(-size // 65536)


def test_an_upload_without_a_length_is_read_to_its_end(call: Caller) -> None:
    answer = call("PUT", "/upload", b"abc", CONTENT_LENGTH="", **{"wsgi.input_terminated": True})
    assert answer.json["size"] == 3


def test_an_upload_too_large_is_refused_before_it_is_read(call: Caller) -> None:
    body = io.BytesIO(b"x" * 100)
    given: dict[str, Any] = {"CONTENT_LENGTH": str(256 * 1024**2 + 1), "wsgi.input": body}
    answer = call("PUT", "/upload", **given)
    assert answer.status == 413
    assert body.tell() == 0


def test_the_environ_page_keeps_the_process_environment_to_itself(call: Caller) -> None:
    page = call.get("/environ", DATABASE_URL="hunter2", HTTP_ACCEPT="text/x-test").text
    assert "text/x-test" in page
    assert "wsgi.multithread" in page
    assert "hunter2" not in page


def test_many_threads_write_and_read_together(call: Caller) -> None:
    failures: list[BaseException] = []

    def visitor() -> None:
        try:
            for _ in range(5):
                number = call.sign()
                assert call.get(f"/entries/{number}").status == 200
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failures.append(error)

    threads = [threading.Thread(target=visitor) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert call.get("/api/entries").json["total"] == 40


def test_without_a_name_the_book_lies_in_the_data_folder(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = sys.modules["app"].database
    monkeypatch.delenv("GUESTBOOK_DB")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert database() == tmp_path / "data" / "stein-guestbook" / "guestbook.sqlite3"
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert database() == tmp_path / "tmp" / "stein-guestbook" / "guestbook.sqlite3"
