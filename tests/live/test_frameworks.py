"""Django, Flask and the validator of the standard library behind the real command.

The frameworks are installed by the test, at pinned versions, into an environment of their own that
outlives the run; the test's own process never sees them. Over plain TCP, TLS and a Unix socket.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import venv
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stein
from tests.server.client import BOUND, Client, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300)]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SOURCE = Path(stein.__file__).parents[1]

DJANGO = """
import sys
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["test"], ROOT_URLCONF=__name__, SECRET_KEY="of a test", LOGGING_CONFIG=None,
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
                "django.middleware.common.CommonMiddleware"],
)

def hello(request):
    answer = HttpResponse(f"hello from django over {request.scheme}")
    answer.set_cookie("one", "1")
    answer.set_cookie("two", "2")
    return answer

def upload(request):
    part = request.FILES["file"]
    return JsonResponse({"name": part.name, "size": part.size, "field": request.POST["field"]})

def stream(request):
    return StreamingHttpResponse(f"line {number}\\n" for number in range(1000))

def download(request):
    return FileResponse(open(__file__, "rb"))

def broken(request):
    raise ValueError("broken on purpose")

urlpatterns = [path(view.__name__, view) for view in (hello, upload, stream, download, broken)]
app = get_wsgi_application()
"""

FLASK = """
from flask import Flask, Response, jsonify, request, send_file

app = Flask(__name__)

@app.get("/hello")
def hello():
    answer = Response(f"hello from flask over {request.scheme}")
    answer.set_cookie("one", "1")
    answer.set_cookie("two", "2")
    return answer

@app.post("/upload")
def upload():
    part = request.files["file"]
    return jsonify(name=part.filename, size=len(part.read()), field=request.form["field"])

@app.get("/stream")
def stream():
    return Response(f"line {number}\\n" for number in range(1000))

@app.get("/download")
def download():
    return send_file(__file__)

@app.get("/broken")
def broken():
    raise ValueError("broken on purpose")
"""

VALIDATED = """
import os
from wsgiref.validate import validator

def inner(environ, start_response):
    path = environ["PATH_INFO"]
    text = [("Content-Type", "text/plain")]
    if path == "/hello":
        scheme = environ["wsgi.url_scheme"]
        start_response("200 OK", [*text, ("Set-Cookie", "one=1"), ("Set-Cookie", "two=2")])
        return [f"hello from validated over {scheme}".encode()]
    if path == "/upload":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        size = body.count(b"x" * 1000) * 1000
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"name": "big.bin", "size": %d, "field": "value"}' % size]
    if path == "/stream":
        start_response("200 OK", text)
        return (b"line %d\\n" % number for number in range(1000))
    if path == "/download":
        start_response("200 OK", text)
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/broken":
        raise ValueError("broken on purpose")
    start_response("404 Not Found", text)
    return [b"not found"]

app = validator(inner)
"""

SITES = {"django": DJANGO, "flask": FLASK, "validated": VALIDATED}


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of the environment that has the frameworks, made if it is not there yet."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    mark = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.prefix.encode()).hexdigest()[:12]
    folder = tmp_path_factory.getbasetemp().parent / f"stein-frameworks-{version}-{mark}"
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = folder / "made"
    if not stamp.exists():
        venv.create(folder, with_pip=True, clear=True)
        result = subprocess.run(
            [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--requirement", REQUIREMENTS],
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        if result.returncode:
            pytest.skip(f"the frameworks cannot be installed: {result.stderr.strip()[-300:]}")
        stamp.touch()
    return interpreter


def test_the_frameworks_stay_out_of_the_test_process(python: Path) -> None:
    assert find_spec("django") is None
    assert find_spec("flask") is None


class Running:
    """A server process and how to talk to it."""

    def __init__(self, process: subprocess.Popen[str], connect: Callable[[], Client]) -> None:
        self.process = process
        self.connect = connect

    def stop(self) -> str:
        """Stop it as a supervisor would; what it wrote to standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, errors
        return errors


@contextmanager
def running(
    python: Path, folder: Path, site: str, transport: str, certificate: tuple[str, str]
) -> Iterator[Running]:
    (folder / "site_of_test.py").write_text(SITES[site])
    path = folder / "s"
    options = ["--bind", f"unix:{path}" if transport == "unix" else "127.0.0.1:0"]
    if transport == "tls":
        options += ["--certfile", certificate[0], "--keyfile", certificate[1]]
    environ = {name: value for name, value in os.environ.items() if name[:6] != "STEIN_"}
    environ["PYTHONPATH"] = str(SOURCE)
    process = subprocess.Popen(
        [python, "-W", "error", "-m", "stein", "serve", "site_of_test:app", *options,
         "--access-log", "off"],
        cwd=folder, env=environ, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        head = "".join(process.stderr.readline() for _ in range(6))
        port = re.search(r"://127\.0\.0\.1:(\d+)", head)
        assert port or transport == "unix", head

        def connect() -> Client:
            if transport == "unix":
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(BOUND)
                sock.connect(str(path))
                return Client(sock)
            assert port
            sock = socket.create_connection(("127.0.0.1", int(port[1])), timeout=BOUND)
            if transport == "tls":
                context = ssl.create_default_context(cafile=certificate[0])
                sock = context.wrap_socket(sock, server_hostname="localhost")
            return Client(sock)

        yield Running(process, connect)
    finally:
        process.kill()
        process.communicate()


def form(size: int) -> tuple[str, bytes]:
    """A form with a field and a file."""
    body = (
        b'--limit\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
        b'--limit\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + b"x" * size + b"\r\n--limit--\r\n"
    )
    return "Content-Type: multipart/form-data; boundary=limit", body


@pytest.mark.parametrize("transport", ["plain", "tls", "unix"])
@pytest.mark.parametrize("site", SITES)
def test_a_site(
    site: str, transport: str, python: Path, tmp_path: Path, certificate: tuple[str, str]
) -> None:
    with running(python, tmp_path, site, transport, certificate) as server:
        with server.connect() as client:
            answer = client.ask("/hello")
            scheme = "https" if transport == "tls" else "http"
            assert (answer.status, answer.body) == (
                200,
                f"hello from {site} over {scheme}".encode(),
            )
            assert [name for name, _ in answer.fields].count("set-cookie") == 2
            answer = client.ask("/hello", method="HEAD")
            assert (answer.status, answer.body) == (200, b"")
            kind, body = form(2_000_000)
            answer = client.ask("/upload", kind, method="POST", body=body)
            assert answer.status == 200
            assert json.loads(answer.body) == {
                "name": "big.bin",
                "size": 2_000_000,
                "field": "value",
            }
            answer = client.ask("/stream")
            assert answer.body == b"".join(b"line %d\n" % number for number in range(1000))
            assert answer.header("transfer-encoding") == "chunked"
            answer = client.ask("/download")
            assert answer.body == SITES[site].encode()
            assert client.ask("/nowhere").status == 404
            # One connection for all of it; an error of the framework's own does not end it.
            client.send(request("/broken"))
            assert client.answer().status == 500
        errors = server.stop()
        assert "broken on purpose" in errors or site == "django"
        assert errors.count("Traceback") <= 1
        assert "Warning" not in errors
