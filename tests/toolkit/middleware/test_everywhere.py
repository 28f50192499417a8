"""Each middleware on every road from a client to an application, the server's own included."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import Server, Settings
from stein.toolkit.middleware.dispatcher import DispatcherMiddleware
from stein.toolkit.middleware.http_proxy import ProxyMiddleware
from stein.toolkit.middleware.lint import LintMiddleware
from stein.toolkit.middleware.profiler import ProfilerMiddleware
from stein.toolkit.middleware.proxy_fix import ProxyFix
from stein.toolkit.middleware.shared_data import SharedDataMiddleware
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from tests.toolkit.roads import outcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.toolkit.roads import Send


@Request.application
def where(request: Request) -> Response:
    text = f"{request.remote_addr} {request.method} {request.url} {request.get_data(as_text=True)}"
    return Response(text.rstrip())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ({}, "200", b"0123456789"),
        ({"Range": "bytes=2-4"}, "206", b"234"),
        ({"Range": "bytes=20-"}, "416", b""),
        ({"If-None-Match": "*"}, "304", b""),
    ],
)
def test_files(  # noqa: PLR0917 - two fixtures, and the columns of the table
    send: Send, tmp_path: Path, method: str, fields: dict[str, str], status: str, body: bytes
) -> None:
    (tmp_path / "digits.txt").write_bytes(b"0123456789")
    app = SharedDataMiddleware(where, {"/files": str(tmp_path)})
    answer = outcome(send(app, method, "/files/digits.txt", headers=fields))
    assert answer[0][:3] == status
    assert answer[2] == (body if method == "GET" else b"")


def test_large_files(send: Send, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    (tmp_path / "large.bin").write_bytes(data)
    app = SharedDataMiddleware(where, {"/": str(tmp_path)})
    assert outcome(send(app, "GET", "/large.bin"))[2] == data
    part = outcome(send(app, "GET", "/large.bin", headers={"Range": "bytes=100000-899999"}))
    assert part[2] == data[100000:900000]


def test_what_a_proxy_says(send: Send) -> None:
    fields = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https"}
    answer = outcome(send(ProxyFix(where, x_prefix=1), "GET", "/x", headers=fields))
    assert answer[2].startswith(b"9.9.9.9 GET https://")


def test_mounts(send: Send) -> None:
    app = DispatcherMiddleware(where, {"/api": Response("api")})
    assert outcome(send(app, "GET", "/api/users"))[2] == b"api"
    assert outcome(send(app, "GET", "/apiary"))[2].endswith(b"/apiary")


def test_profiles(send: Send) -> None:
    stream = io.StringIO()
    answer = outcome(send(ProfilerMiddleware(where, stream), "POST", "/x", data=b"body"))
    assert answer[2].endswith(b"/x body")
    assert "PATH: '/x'" in stream.getvalue()


def test_the_server_and_the_toolkit_are_right(send: Send) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in ("GET", "HEAD", "POST"):
            answer = outcome(send(LintMiddleware(where), method, "/x"))
            assert answer[0] == "200 OK"


def test_the_linter_sees_what_is_wrong(send: Send) -> None:
    def wrong(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("ETag", "v1")])
        return [b"x"]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome(send(LintMiddleware(wrong), "GET", "/"))
    assert any("Unquoted etag emitted: 'v1'" in str(each.message) for each in caught)


def test_another_server(send: Send) -> None:
    with Server(where, Settings(threads=2), port=0) as target:
        app = ProxyMiddleware(where, {"/there": {"target": target.url}})
        answer = outcome(send(app, "POST", "/there/x?a=b", data=b"body"))
        assert answer[0] == "200 OK"
        assert answer[2] == b"127.0.0.1 POST http://127.0.0.1/there/x?a=b body"
        assert outcome(send(app, "HEAD", "/there/x"))[2] == b""
