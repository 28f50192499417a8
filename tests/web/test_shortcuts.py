from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.exceptions import Forbidden, HTTPException, NotFound
from stein.web.app import Stein
from stein.web.response import Response
from stein.web.shortcuts import abort, make_response, redirect, send_file, send_from_directory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Stein:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("hello")
    return Stein("short", root_path=str(tmp_path))


class TestMakeResponse:
    def test_takes_what_a_view_returns(self, app: Stein) -> None:
        with app.test_request_context():
            assert make_response("x").data == b"x"
            assert make_response("x", 201).status_code == 201
            assert make_response(("x", 202)).status_code == 202
            assert make_response({"a": 1}, 203, {"X-A": "1"}).headers["X-A"] == "1"

    def test_without_anything_it_is_empty(self, app: Stein) -> None:
        with app.test_request_context():
            response = make_response()
        assert type(response) is Response
        assert response.data == b""


class TestRedirect:
    def test_the_application_may_have_its_own_way(self) -> None:
        class App(Stein):
            def redirect(self, location: str, code: int = 302) -> Any:
                return super().redirect(f"{location}?by=app", code)

        app = App("short", root_path=".")
        with app.app_context():
            response = redirect("/x", 303)
        assert (response.status_code, response.location) == (303, "/x?by=app")
        assert type(response) is Response

    def test_there_need_not_be_one(self) -> None:
        assert redirect("/x", Response=Response).location == "/x"


class TestAbort:
    def test_the_application_may_know_more_errors(self, app: Stein) -> None:
        class Full(HTTPException):
            code = 599

        app.aborter.mapping[599] = Full
        with app.app_context(), pytest.raises(Full):
            abort(599)

    def test_there_need_not_be_one(self) -> None:
        with pytest.raises(Forbidden, match="why"):
            abort(403, "why")

    def test_a_response_is_the_answer(self, app: Stein) -> None:
        @app.route("/")
        def index() -> str:
            abort(Response("stop", 299))

        assert app.test_client().get("/").status_code == 299


class TestFiles:
    def test_are_relative_to_the_application(self, app: Stein) -> None:
        with app.test_request_context(), send_file("files/a.txt") as response:
            response.direct_passthrough = False
            assert response.data == b"hello"
            assert type(response) is Response

    def test_may_be_in_memory(self, app: Stein) -> None:
        with (
            app.test_request_context(),
            send_file(
                io.BytesIO(b"x"), "text/x", as_attachment=True, download_name="n"
            ) as response,
        ):
            assert response.headers["Content-Disposition"] == "attachment; filename=n"
            assert response.mimetype == "text/x"

    def test_out_of_a_folder_and_never_above_it(self, app: Stein) -> None:
        with app.test_request_context():
            with send_from_directory("files", "a.txt") as response:
                assert response.status_code == 200
            for path in ("../short.py", "/etc/passwd", "nothing.txt", "a.txt\0"):
                with pytest.raises(NotFound):
                    send_from_directory("files", path)

    def test_how_long_they_may_be_kept_is_for_the_application_to_say(self, app: Stein) -> None:
        with app.test_request_context():
            app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 60
            with send_file("files/a.txt") as response:
                assert response.cache_control.max_age == 60
            with send_from_directory("files", "a.txt", max_age=5) as response:
                assert response.cache_control.max_age == 5
            app.get_send_file_max_age = lambda filename: len(filename or "")  # type: ignore[method-assign]
            with send_from_directory("files", "a.txt") as response:
                assert response.cache_control.max_age is not None

    def test_the_front_server_may_send_them(self, app: Stein) -> None:
        app.config["USE_X_SENDFILE"] = True
        with app.test_request_context(), send_file("files/a.txt") as response:
            assert response.headers["X-Sendfile"].endswith("a.txt")
