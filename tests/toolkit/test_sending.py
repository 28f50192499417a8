from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.exceptions import NotFound, RequestedRangeNotSatisfiable
from stein.toolkit.response import Response
from stein.toolkit.sending import send_file, send_from_directory
from stein.toolkit.wsgi import FileWrapper
from tests.toolkit.environs import call, make_environ

if TYPE_CHECKING:
    from pathlib import Path

GET = make_environ()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_bytes(b"<p>hello")
    return path


def sent(response: Response, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    status, fields, body = call(response, make_environ(**environ))
    return status, dict(fields), body


class TestAPath:
    @pytest.mark.parametrize("kind", [str, lambda path: path])
    def test_is_sent_with_all_that_is_known(self, page: Path, kind: Any) -> None:
        response = send_file(kind(page), GET)
        changed = datetime.fromtimestamp(int(page.stat().st_mtime), UTC)
        assert response.last_modified == changed
        status, fields, body = sent(response)
        assert (status, body) == ("200 OK", b"<p>hello")
        assert fields["Content-Type"] == "text/html; charset=utf-8"
        assert fields["Content-Length"] == "8"
        assert fields["Content-Disposition"] == "inline; filename=page.html"
        assert fields["Cache-Control"] == "no-cache"
        assert fields["Accept-Ranges"] == "bytes"
        assert fields["ETag"].count("-") == 2
        assert "Expires" not in fields

    def test_can_be_relative(self, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert sent(send_file(page.name, GET, _root_path=page.parent))[2] == b"<p>hello"
        monkeypatch.chdir(page.parent)
        assert sent(send_file(page.name, GET))[2] == b"<p>hello"

    def test_can_be_told_otherwise(self, page: Path) -> None:
        class Own(Response):
            pass

        response = send_file(
            page, GET, "x/y", as_attachment=True, download_name="other", conditional=False,
            etag="tag", last_modified=0, max_age=60, response_class=Own,
        )  # fmt: skip
        assert type(response) is Own
        _, fields, _ = sent(response)
        assert fields["Content-Type"] == "x/y"
        assert fields["Content-Disposition"] == "attachment; filename=other"
        assert fields["ETag"] == '"tag"'
        assert fields["Last-Modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert fields["Cache-Control"] == "public, max-age=60"
        assert "Expires" in fields
        assert "Date" not in fields
        assert "ETag" not in sent(send_file(page, GET, etag=False))[1]

    def test_the_age_may_depend_on_the_path(self, page: Path) -> None:
        asked: list[str | None] = []

        def age(path: str | None) -> int:
            asked.append(path)
            return 0

        response = send_file(page, GET, max_age=age)
        assert asked == [str(page)]
        assert sent(response)[1]["Cache-Control"] == "no-cache, max-age=0"

    def test_the_server_in_front_may_send_it(self, page: Path) -> None:
        response = send_file(page, GET, use_x_sendfile=True)
        _, fields, body = sent(response)
        assert fields["X-Sendfile"] == str(page)
        assert body == b""
        tag = fields["ETag"]
        response = send_file(page, make_environ(HTTP_IF_NONE_MATCH=tag), use_x_sendfile=True)
        assert response.status_code == 304
        assert "X-Sendfile" not in response.headers

    def test_conditions_and_parts_are_answered(self, page: Path) -> None:
        tag = sent(send_file(page, GET))[1]["ETag"]
        status, _, body = sent(send_file(page, make_environ(HTTP_IF_NONE_MATCH=tag)))
        assert (status, body) == ("304 NOT MODIFIED", b"")
        status, fields, body = sent(send_file(page, make_environ(HTTP_RANGE="bytes=3-")))
        assert (status, body) == ("206 PARTIAL CONTENT", b"hello")
        assert fields["Content-Range"] == "bytes 3-7/8"
        for more in ({}, {"use_x_sendfile": True}):
            with pytest.raises(RequestedRangeNotSatisfiable):
                send_file(page, make_environ(HTTP_RANGE="bytes=9-"), **more)  # type: ignore[arg-type]

    def test_what_the_server_has_for_files_is_used(self, page: Path) -> None:
        class Wrapper(FileWrapper):
            pass

        with send_file(page, make_environ(wsgi__file_wrapper=Wrapper)) as response:
            assert type(response.response) is Wrapper
            assert response.get_app_iter(GET) is response.response

    def test_that_leads_nowhere_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            send_file(tmp_path / "none", GET)


class TestAFile:
    def test_in_memory_is_sent_with_its_length(self) -> None:
        _, fields, body = sent(send_file(BytesIO(b"abc"), GET, "text/plain"))
        assert (fields["Content-Length"], body) == ("3", b"abc")
        assert "Content-Disposition" not in fields
        assert "ETag" not in fields

    def test_on_disk_is_sent(self, page: Path) -> None:
        response = send_file(page.open("rb"), GET, download_name="x.txt", use_x_sendfile=True)
        _, fields, body = sent(response)
        assert body == b"<p>hello"
        assert fields["Content-Type"] == "text/plain; charset=utf-8"
        assert "X-Sendfile" not in fields

    def test_must_have_a_name_or_a_type(self) -> None:
        with pytest.raises(TypeError, match="detect the MIME type"):
            send_file(BytesIO(), GET)
        with pytest.raises(TypeError, match="an attachment needs a name"):
            send_file(BytesIO(), GET, "a/b", as_attachment=True)

    def test_of_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match="binary mode"):
            send_file(StringIO("a"), GET, "a/b")  # type: ignore[arg-type]

    def test_is_closed_if_the_part_does_not_exist(self) -> None:
        file = BytesIO(b"abc")
        with pytest.raises(RequestedRangeNotSatisfiable):
            send_file(file, make_environ(HTTP_RANGE="bytes=9-"), "a/b")
        assert file.closed


class TestTheName:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("a.txt", "inline; filename=a.txt"),
            ('a "b".txt', 'inline; filename="a \\"b\\".txt"'),
            ("ä/(b).txt", "inline; filename=\"a/(b).txt\"; filename*=UTF-8''%C3%A4%2F%28b%29.txt"),
        ],
    )
    def test_is_told_in_ascii_and_in_full(self, name: str, value: str) -> None:
        response = send_file(BytesIO(), GET, download_name=name)
        assert response.headers["Content-Disposition"] == value

    @pytest.mark.parametrize("attach", [False, True])
    def test_tells_the_encoding_except_of_what_is_saved(self, attach: Any) -> None:
        response = send_file(BytesIO(), GET, download_name="a.svgz", as_attachment=attach)
        assert response.mimetype == "image/svg+xml"
        assert response.content_encoding == (None if attach else "gzip")
        assert send_file(BytesIO(), GET, download_name="a").mimetype == "application/octet-stream"


class TestADirectory:
    def test_gives_its_files(self, page: Path) -> None:
        assert sent(send_from_directory(page.parent, "page.html", GET))[2] == b"<p>hello"
        response = send_from_directory(page.parent.name, "page.html", GET,
                                       _root_path=page.parent.parent)  # fmt: skip
        assert sent(response)[2] == b"<p>hello"

    @pytest.mark.parametrize(
        "path", ["none", "", ".", "../page.html", "a\0b", "\ud800", "/page.html", "a" * 5000]
    )
    def test_gives_nothing_else(self, page: Path, path: str) -> None:
        below = page.parent / "below"
        below.mkdir()
        with pytest.raises(NotFound):
            send_from_directory(below, path, GET)

    @given(st.text(max_size=20))
    def test_any_path_is_found_or_not(self, path: str) -> None:
        with pytest.raises(NotFound):
            send_from_directory("/nonexistent", path, GET)
