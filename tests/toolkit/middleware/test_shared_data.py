"""Static files."""

from __future__ import annotations

import gc
import io
import os
import sys
import zipfile
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.middleware.shared_data import SharedDataMiddleware
from tests.toolkit.middleware.plain import Answer, call, close, environ_of, saying

if TYPE_CHECKING:
    from pathlib import Path

MODIFIED = int(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp())
DATE = "Mon, 06 May 2024 07:08:09 GMT"
APP = saying("the application", "404 Not Found")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    (folder / "css").mkdir(parents=True)
    (folder / "hello.txt").write_bytes(b"0123456789")
    (folder / "empty.txt").touch()
    (folder / "css" / "site.css").write_bytes(b"a {}")
    (folder / "äöü").write_bytes(b"umlauts")
    (folder / "secret.py").write_bytes(b"pass")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    for file in folder.rglob("*.*"):
        os.utime(file, (MODIFIED, MODIFIED))
    return folder


def get(app: Any, path: str, method: str = "GET", **fields: str) -> Answer:
    keys = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
    return call(app, environ_of(path.encode().decode("latin-1"), method, **keys))


@pytest.fixture
def app(folder: Path) -> SharedDataMiddleware:
    return SharedDataMiddleware(APP, {"/static": str(folder)})


def test_a_file_comes_with_its_type_length_date_and_tag(app: SharedDataMiddleware) -> None:
    answer = get(app, "/static/hello.txt")
    assert answer.status == "200 OK"
    assert answer.body == b"0123456789"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Length"] == "10"
    assert answer.headers["Last-Modified"] == DATE
    assert answer.headers["Cache-Control"] == "max-age=43200, public"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"].startswith('"')
    assert answer.headers["Expires"] > ""
    assert answer.headers["Date"].endswith(" GMT")


def test_head_is_get_without_the_body(app: SharedDataMiddleware) -> None:
    answer = get(app, "/static/hello.txt", "HEAD")
    assert (answer.status, answer.body) == ("200 OK", b"")
    assert answer.headers["Content-Length"] == "10"


@pytest.mark.parametrize("path", ["/static/css/site.css", "/static/äöü", "/static/empty.txt"])
def test_folders_and_other_alphabets(app: SharedDataMiddleware, path: str) -> None:
    assert get(app, path).status == "200 OK"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/static",
        "/static/",
        "/static/css",
        "/static/css/",
        "/static/missing.txt",
        "/staticky/hello.txt",
        "/static/../outside.txt",
        "/static/css/../../outside.txt",
        "/static//etc/passwd",
        "/static/..",
        "/static/%2e%2e/outside.txt",
        "/static/hello.txt\0",
        "/static/" + "x" * 5000,
        "/static/\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_everything_else_goes_to_the_application(app: SharedDataMiddleware, path: str) -> None:
    assert get(app, path).body == b"the application"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_and_head_are_answered(app: SharedDataMiddleware, method: str) -> None:
    assert get(app, "/static/hello.txt", method).body == b"the application"


@given(st.text(max_size=40) | st.text("./\\ab:~%\0", max_size=40))
def test_no_path_leads_out_or_gives_an_exception(
    tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    base = tmp_path_factory.getbasetemp() / "public"
    base.mkdir(exist_ok=True)
    (base / "a").write_bytes(b"inside")
    (base.parent / "b").write_bytes(b"outside")
    app = SharedDataMiddleware(APP, {"/": str(base)})
    environ = environ_of("/" + path.encode("utf-8", "surrogatepass").decode("latin-1"))
    assert call(app, environ).body in {b"inside", b"the application"}


def test_a_single_file_is_its_own_path(folder: Path) -> None:
    app = SharedDataMiddleware(APP, {"/robots.txt": str(folder / "hello.txt")})
    assert get(app, "/robots.txt").body == b"0123456789"
    assert get(app, "/robots").body == b"the application"


def test_the_first_export_that_has_the_file_wins(folder: Path) -> None:
    exports = [("/", str(folder / "css")), ("/", str(folder)), ("/x", folder / "css")]
    app = SharedDataMiddleware(APP, exports)  # type: ignore[arg-type]
    assert get(app, "/site.css").body == b"a {}"
    assert get(app, "/hello.txt").body == b"0123456789"
    assert get(app, "/x/site.css").body == b"a {}"
    assert get(app, "/other").body == b"the application"


@pytest.mark.parametrize("export", [3, ("a",), ("a", "b", "c"), None, ["a", "b"]])
def test_an_export_that_is_none_is_named(export: Any) -> None:
    with pytest.raises(TypeError, match=r"the export of '/x' is "):
        SharedDataMiddleware(APP, {"/x": export})


@pytest.mark.parametrize("disallow", ["*.py", ["*.md", "*.py"], ("secret.*",)])
def test_patterns_say_what_is_not_served(folder: Path, disallow: Any) -> None:
    app = SharedDataMiddleware(APP, {"/": str(folder)}, disallow=disallow)
    assert get(app, "/secret.py").body == b"the application"
    assert get(app, "/hello.txt").body == b"0123456789"
    assert not app.is_allowed("secret.py")
    assert app.is_allowed("hello.txt")


def test_no_patterns_disallow_nothing(folder: Path) -> None:
    app = SharedDataMiddleware(APP, {"/": str(folder)}, disallow=[])
    assert get(app, "/secret.py").body == b"pass"


def test_a_subclass_may_say_what_is_served(folder: Path) -> None:
    class Careful(SharedDataMiddleware):
        def is_allowed(self, filename: str) -> bool:
            return filename != "hello.txt" and super().is_allowed(filename)

    app = Careful(APP, {"/": str(folder)}, disallow="*.py")
    assert get(app, "/hello.txt").body == b"the application"
    assert get(app, "/secret.py").body == b"the application"
    assert get(app, "/css/site.css").body == b"a {}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x", "application/x-thing"),
        ("x.unheard-of", "application/x-thing"),
        ("x.html", "text/html; charset=utf-8"),
        ("x.png", "image/png"),
        ("x.tar.gz", "application/gzip"),
        ("x.tar.Z", "application/x-compress"),
        ("a:x.html", "text/html; charset=utf-8"),
    ],
)
def test_the_name_tells_the_type(folder: Path, name: str, kind: str) -> None:
    (folder / name).touch()
    app = SharedDataMiddleware(APP, {"/": str(folder)}, fallback_mimetype="application/x-thing")
    assert get(app, f"/{name}").headers["Content-Type"] == kind


# -- what the client has already ------------------------------------------------------------------


def test_the_tag_or_the_date_save_the_body(app: SharedDataMiddleware) -> None:
    etag = get(app, "/static/hello.txt").headers["ETag"]
    for fields in ({"if_none_match": etag}, {"if_modified_since": DATE}):
        answer = get(app, "/static/hello.txt", **fields)
        assert (answer.status, answer.body) == ("304 Not Modified", b"")
        assert answer.headers["ETag"] == etag
        assert answer.headers["Content-Type"] is None
    for fields in (
        {"if_none_match": '"other"'},
        {"if_modified_since": "Mon, 06 May 2024 07:08:08 GMT"},
        {"if_modified_since": "yesterday"},
        {"if_none_match": '"other"', "if_modified_since": DATE},
    ):
        assert get(app, "/static/hello.txt", **fields).status == "200 OK"


def test_the_tag_changes_with_the_file(app: SharedDataMiddleware, folder: Path) -> None:
    tags = {get(app, "/static/hello.txt").headers["ETag"]}
    os.utime(folder / "hello.txt", (MODIFIED, MODIFIED + 1))
    tags.add(get(app, "/static/hello.txt").headers["ETag"])
    (folder / "hello.txt").write_bytes(b"0")
    os.utime(folder / "hello.txt", (MODIFIED, MODIFIED + 1))
    tags.add(get(app, "/static/hello.txt").headers["ETag"])
    assert len(tags) == 3


def test_without_cache_there_is_no_tag_and_no_304(folder: Path) -> None:
    app = SharedDataMiddleware(APP, {"/": str(folder)}, cache=False)
    answer = get(app, "/hello.txt", if_modified_since=DATE)
    assert answer.status == "200 OK"
    assert answer.headers["ETag"] is None
    assert answer.headers["Expires"] is None
    assert answer.headers["Cache-Control"] == "public"


def test_the_time_to_keep_is_a_setting(folder: Path) -> None:
    app = SharedDataMiddleware(APP, {"/": str(folder)}, cache_timeout=5)
    assert get(app, "/hello.txt").headers["Cache-Control"] == "max-age=5, public"


# -- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "body", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("BYTES=0-1", b"01", "bytes 0-1/10"),
    ],
)
def test_a_range_is_given(
    app: SharedDataMiddleware, field: str, body: bytes, content_range: str
) -> None:
    answer = get(app, "/static/hello.txt", range=field)
    assert (answer.status, answer.body) == ("206 Partial Content", body)
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(body))
    assert get(app, "/static/hello.txt", "HEAD", range=field).body == b""


@pytest.mark.parametrize("field", ["bytes=10-", "bytes=99-100"])
def test_a_range_behind_the_end_cannot_be_given(app: SharedDataMiddleware, field: str) -> None:
    answer = get(app, "/static/hello.txt", range=field)
    assert (answer.status, answer.body) == ("416 Range Not Satisfiable", b"")
    assert answer.headers["Content-Range"] == "bytes */10"
    assert answer.headers["Content-Length"] == "0"


@pytest.mark.parametrize(
    "field",
    [
        "bytes",
        "bytes=",
        "bytes=4-2",
        "bytes=a-b",
        "bytes=--1",
        "lines=1-2",
        "bytes=0-1,3-4",
        "bytes=0-1" * 999,
        "bytes=" + "0-0," * 5000,
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_what_is_no_single_range_gets_the_whole(app: SharedDataMiddleware, field: str) -> None:
    answer = get(app, "/static/hello.txt", range=field)
    assert (answer.status, answer.body) == ("200 OK", b"0123456789")


def test_a_range_of_nothing(app: SharedDataMiddleware) -> None:
    assert get(app, "/static/empty.txt", range="bytes=0-0").status.startswith("416")


def test_a_range_is_given_only_of_the_same_file(app: SharedDataMiddleware) -> None:
    etag = get(app, "/static/hello.txt").headers["ETag"]
    same = [etag, DATE, f" {DATE} "]
    other = [f"W/{etag}", '"other"', "Mon, 06 May 2024 07:08:08 GMT", "nonsense", ""]
    for condition in same + other:
        answer = get(app, "/static/hello.txt", range="bytes=0-0", if_range=condition)
        assert answer.status[:3] == ("206" if condition in same else "200"), condition


# -- packages -------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "shared_package"
    home = tmp_path / "lib" / name
    (home / "assets" / "deep").mkdir(parents=True)
    (home / "__init__.py").touch()
    (home / "assets" / "site.js").write_bytes(b"docReady")
    (home / "assets" / "deep" / "more.js").write_bytes(b"more")
    os.utime(home / "assets" / "site.js", (MODIFIED, MODIFIED))
    monkeypatch.syspath_prepend(str(home.parent))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_files_of_a_package(package: str) -> None:
    app = SharedDataMiddleware(APP, {"/pkg": (package, "assets")})
    answer = get(app, "/pkg/site.js")
    assert answer.body == b"docReady"
    assert answer.headers["Last-Modified"] == DATE
    assert get(app, "/pkg/deep/more.js").body == b"more"
    assert get(app, "/pkg/site.js", range="bytes=3-").body == b"Ready"
    for path in ("/pkg", "/pkg/", "/pkg/deep", "/pkg/none.js", "/pkg/../__init__.py", "/pkg/\0"):
        assert get(app, path).body == b"the application"


def test_files_of_a_package_in_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "lib.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped_package/__init__.py", "")
        file.writestr("zipped_package/assets/site.js", "docReady")
    monkeypatch.syspath_prepend(str(archive))
    app = SharedDataMiddleware(APP, {"/pkg": ("zipped_package", "assets")})
    answer = get(app, "/pkg/site.js")
    assert answer.body == b"docReady"
    assert answer.headers["Content-Length"] == "8"
    etag = answer.headers["ETag"]
    assert get(app, "/pkg/site.js", if_none_match=etag).status == "304 Not Modified"
    assert get(app, "/pkg/site.js", range="bytes=0-2").body == b"doc"
    assert get(app, "/pkg/none.js").body == b"the application"
    assert get(app, "/pkg").body == b"the application"


def test_a_file_that_is_not_served_is_not_opened(package: str) -> None:
    app = SharedDataMiddleware(APP, {"/pkg": (package, "assets")}, disallow="*.js")
    assert get(app, "/pkg/site.js").body == b"the application"
    gc.collect()  # an open file would warn, and warnings are errors


@pytest.mark.parametrize("name", ["no_such_package", "no_such.package", "shared_package.no_such"])
def test_a_package_that_is_missing_is_named(package: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"the package '{name}' cannot be shared: .*install it"):
        SharedDataMiddleware(APP, {"/x": (name, "assets")})


def test_a_module_without_a_folder_has_no_files() -> None:
    with pytest.raises(ValueError, match="it is a module without a folder"):
        SharedDataMiddleware(APP, {"/x": ("sys", "assets")})


class OldReader:
    """What importlib asked for before there was ``files()``."""

    def open_resource(self, resource: str) -> IO[bytes]:
        if resource != "assets/x.txt":
            raise FileNotFoundError(resource)
        return io.BytesIO(b"in memory")


def test_a_reader_of_the_old_kind(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "stein.toolkit.middleware.shared_data._find_reader"
    monkeypatch.setattr(where, lambda _: OldReader())
    app = SharedDataMiddleware(APP, {"/pkg": (package, "assets")})
    assert get(app, "/pkg/x.txt").body == b"in memory"
    assert get(app, "/pkg/x.txt").body == b"in memory"
    assert get(app, "/pkg/y.txt").body == b"the application"


# -- faults ---------------------------------------------------------------------------------------


def test_a_file_that_is_gone_since_is_the_application_s(
    app: SharedDataMiddleware, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "hello.txt").unlink()
    monkeypatch.setattr(os.path, "isfile", lambda _: True)
    assert get(app, "/static/hello.txt").body == b"the application"


def test_a_date_that_no_calendar_has(
    app: SharedDataMiddleware, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def fstat(number: int) -> os.stat_result:
        status = list(real(number))
        status[8] = 10**18
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", fstat)
    answer = get(app, "/static/hello.txt")
    assert answer.headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_the_file_is_closed_when_the_answer_cannot_be_begun(app: SharedDataMiddleware) -> None:
    def refuse(*_: object) -> Any:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        app(environ_of("/static/hello.txt"), refuse)
    gc.collect()


def test_the_body_of_a_range_ends_when_it_is_closed(app: SharedDataMiddleware) -> None:
    environ = environ_of("/static/hello.txt", HTTP_RANGE="bytes=1-5")
    body = app(environ, lambda *_: lambda _: None)
    close(body)
    assert list(body) == []


def test_the_server_s_wrapper_gets_whole_files(app: SharedDataMiddleware) -> None:
    wrapped: list[IO[bytes]] = []

    def wrapper(file: IO[bytes], size: int) -> list[bytes]:
        wrapped.append(file)
        with file:
            return [file.read()]

    environ = environ_of("/static/hello.txt", **{"wsgi.file_wrapper": wrapper})
    assert call(app, environ).body == b"0123456789"
    assert len(wrapped) == 1


def test_loaders_are_for_subclasses() -> None:
    app = SharedDataMiddleware(APP, {})
    assert callable(app.get_file_loader("foo"))
    assert app.get_directory_loader("foo")("bar") == (None, None)
