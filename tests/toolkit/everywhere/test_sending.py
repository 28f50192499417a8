"""Files as answers, on every road from an application to a client."""

from __future__ import annotations

import io
import os
import threading
from typing import IO, TYPE_CHECKING, Any, cast

import pytest

from stein.toolkit.sending import send_file, send_from_directory
from tests.toolkit.everywhere.views import answers
from tests.toolkit.roads import outcome

if TYPE_CHECKING:
    from pathlib import Path

    from stein.typing import WSGIApplication
    from tests.toolkit.roads import Send

PATIENCE = 10.0  # seconds until a test fails that waits for something
MOMENT = 1_790_000_000
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"
SIZES = [0, 1, 8192, 8193, 65536, 3_000_000]


def content(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def of_path(path: Path, **options: Any) -> WSGIApplication:
    return answers(lambda request: send_file(path, request.environ, **options))


def of_memory(data: bytes, **options: Any) -> WSGIApplication:
    options.setdefault("download_name", "x.bin")
    return answers(lambda request: send_file(io.BytesIO(data), request.environ, **options))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "digits.txt"
    path.write_bytes(b"0123456789" * 10)
    os.utime(path, (MOMENT, MOMENT))
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_of_all_sizes(send: Send, tmp_path: Path, size: int, method: str) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(content(size))
    for app in (of_path(path), of_memory(content(size))):
        answer = send(app, method)
        assert answer.status_code == 200
        assert answer.content_length == size
        assert answer.mimetype == "application/octet-stream"
        assert outcome(answer)[2] == (content(size) if method == "GET" else b"")


def test_the_fields_of_a_file(send: Send, file: Path) -> None:
    fields = dict(outcome(send(of_path(file, max_age=60), "GET"))[1])
    assert fields.pop("ETag").startswith('"1790000000.0-100-')
    assert fields.pop("Expires").endswith("GMT")
    fields.pop("Date", None)  # the server has its own
    assert fields == {
        "Content-Type": "text/plain; charset=utf-8", "Content-Length": "100",
        "Content-Disposition": "inline; filename=digits.txt", "Accept-Ranges": "bytes",
        "Last-Modified": DATE, "Cache-Control": "public, max-age=60",
    }  # fmt: skip


PARTS: list[tuple[str, int, bytes, str]] = [
    ("bytes=0-9", 206, b"0123456789", "bytes 0-9/100"),
    ("bytes=98-", 206, b"89", "bytes 98-99/100"),
    ("bytes=-1", 206, b"9", "bytes 99-99/100"),
    ("bytes=0-", 206, b"0123456789" * 10, "bytes 0-99/100"),
    ("bytes=100-", 416, b"", "bytes */100"),
    ("bytes=a-b", 416, b"", "bytes */100"),
]


@pytest.mark.parametrize(("asked", "status", "data", "range_"), PARTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_parts_of_a_file(  # noqa: PLR0917 - two fixtures, and the columns of the table
    send: Send, file: Path, asked: str, status: int, data: bytes, range_: str, method: str
) -> None:
    for app in (of_path(file), of_memory(file.read_bytes())):
        answer = send(app, method, headers={"Range": asked})
        assert answer.status_code == status
        assert answer.headers["Content-Range"] == range_
        assert status == 416 or answer.content_length == len(data)
        body = outcome(answer)[2]
        assert (method == "GET" and status == 416) or body == (data if method == "GET" else b"")


def test_a_large_part(send: Send, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    data = content(3_000_000)
    path.write_bytes(data)
    for app in (of_path(path), of_memory(data)):
        answer = send(app, "GET", headers={"Range": "bytes=100001-2900000"})
        assert outcome(answer)[2] == data[100_001:2_900_001]


def test_a_file_that_the_client_has(send: Send, file: Path) -> None:
    app = of_path(file)
    tag = send(app, "HEAD", buffered=True).headers["ETag"]
    for fields in ({"If-None-Match": tag}, {"If-Modified-Since": DATE}, {"If-None-Match": "*"}):
        for method in ("GET", "HEAD"):
            status, sent, body = outcome(send(app, method, headers=fields))
            assert (status, body) == ("304 NOT MODIFIED", b"")
            assert dict(sent)["ETag"] == tag
            assert "Content-Length" not in dict(sent)
    other = {"If-None-Match": '"other"', "If-Modified-Since": DATE}
    assert outcome(send(app, "GET", headers=other))[0] == "200 OK"


def test_a_part_only_if_it_is_of_the_same_file(send: Send, file: Path) -> None:
    app = of_path(file)
    tag = send(app, "HEAD", buffered=True).headers["ETag"]
    for condition, status in ((tag, 206), (DATE, 206), ('"other"', 200), (f"W/{tag}", 200)):
        fields = {"Range": "bytes=1-2", "If-Range": condition}
        assert send(app, "GET", headers=fields, buffered=True).status_code == status, condition


def test_a_file_without_conditions(send: Send, file: Path) -> None:
    app = of_path(file, conditional=False, etag=False)
    fields = {"Range": "bytes=1-2", "If-None-Match": "*"}
    status, sent, body = outcome(send(app, "GET", headers=fields))
    assert (status, len(body)) == ("200 OK", 100)
    assert "ETag" not in dict(sent)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("plain.txt", "attachment; filename=plain.txt"),
        ("a b.txt", 'attachment; filename="a b.txt"'),
        ('q".txt', 'attachment; filename="q\\".txt"'),
        ("gr\xfc\xdfe.txt",
         "attachment; filename=grue.txt; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt"),
        ("\N{SNOWMAN}'.txt", "attachment; filename='.txt; filename*=UTF-8''%E2%98%83%27.txt"),
    ],
)  # fmt: skip
def test_names_of_attachments(send: Send, file: Path, name: str, field: str) -> None:
    app = of_path(file, as_attachment=True, download_name=name)
    assert dict(outcome(send(app, "GET"))[1])["Content-Disposition"] == field


def test_a_server_in_front_sends_the_file(send: Send, file: Path) -> None:
    app = of_path(file, use_x_sendfile=True)
    for asked, status in (({}, "200 OK"), ({"Range": "bytes=1-2"}, "206 PARTIAL CONTENT")):
        for method in ("GET", "HEAD"):
            line, fields, body = outcome(send(app, method, headers=asked))
            assert (line, body) == (status, b"")
            assert dict(fields)["X-Sendfile"] == str(file)


def test_a_file_is_closed(send: Send, file: Path) -> None:
    closed = threading.Event()

    class Noted(io.FileIO):
        def close(self) -> None:
            super().close()
            closed.set()

    def app(environ: Any, start_response: Any) -> Any:
        opened = cast("IO[bytes]", Noted(file))
        response = send_file(opened, environ, mimetype="a/b", last_modified=MOMENT)
        return response(environ, start_response)

    for method, fields in (("GET", {}), ("HEAD", {}), ("GET", {"If-Modified-Since": DATE})):
        closed.clear()
        body = outcome(send(app, method, headers=fields))[2]
        assert body == (b"" if fields or method == "HEAD" else file.read_bytes())
        assert closed.wait(PATIENCE)


# -- below a directory ----------------------------------------------------------------------------


def below(directory: Path) -> WSGIApplication:
    def view(request: Any) -> Any:
        return send_from_directory(directory, request.path[1:], request.environ)

    return answers(view)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    inside = tmp_path / "public"
    (inside / "deeper").mkdir(parents=True)
    (inside / "a.txt").write_bytes(b"a")
    (inside / "deeper" / "gr\xfc\xdfe \N{SNOWMAN}.html").write_bytes(b"deep")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return inside


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("/a.txt", b"a"),
        ("/deeper/gr\xfc\xdfe%20%e2%98%83.html", b"deep"),
        ("/deeper/../a.txt", b"a"),
        ("/./a.txt", b"a"),
        ("/a.txt/", b"a"),
    ],
)
def test_what_is_below_a_directory(send: Send, directory: Path, target: str, data: bytes) -> None:
    answer = outcome(send(below(directory), "GET", target))
    assert (answer[0], answer[2]) == ("200 OK", data)


@pytest.mark.parametrize(
    "target",
    [
        "/", "/missing", "/deeper", "/deeper/", "/../secret.txt", "/%2e%2e/secret.txt",
        "/deeper/../../secret.txt", "/..%2fsecret.txt", "/a.txt%00", "/%00",
        "/%2fetc/passwd", "/" + "x" * 5000, "/%ff", "/a.txt/x", "/..%5csecret.txt",
    ],
)  # fmt: skip
def test_what_is_not_below_a_directory(send: Send, directory: Path, target: str) -> None:
    answer = outcome(send(below(directory), "GET", target))
    assert answer[0] == "404 NOT FOUND"
    assert b"secret" not in answer[2]
