"""What is timed in the toolkit's table: the same code for both libraries.

usage: toolkit_ops.py LIBRARY OPERATION

LIBRARY is ``werkzeug`` (the installed one) or ``stein`` (the same import names lead to stein, by
the drop-in).  Prints the best time of one run of the operation in seconds, as JSON.
"""

from __future__ import annotations

import gc
import io
import json
import sys
import timeit
from itertools import cycle

if sys.argv[1] == "stein":
    import stein.dropin

    stein.dropin.install()

from werkzeug.formparser import FormDataParser, parse_form_data
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

ROUNDS = 5
KINDS = 512  # different requests in the operations that are not about repetition
MIB = 1024 * 1024

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/list",
    "QUERY_STRING": "page=2&sort=name",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.7,de;q=0.3",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_COOKIE": "session=eyJ1c2VyIjo0Mn0.aBcDeF.0123456789abcdefghijklmno; theme=dark",
}


def environ(**changes):
    return {**ENVIRON, "wsgi.input": io.BytesIO(), **changes}


def start_response(status, headers, exc_info=None):
    pass


def hello():
    @Request.application
    def app(request):
        return Response("Hello, World!")

    given = environ()

    def run():
        b"".join(app(given.copy(), start_response))

    return run


def touch(request):
    return (
        request.path,
        request.args["page"],
        request.cookies["theme"],
        request.accept_mimetypes.best,
    )


def request_alike():
    given = environ()

    def run():
        touch(Request(given.copy()))

    return run


def request_varied():
    several = cycle(
        environ(
            PATH_INFO=f"/list/{number}",
            QUERY_STRING=f"page={number}&sort=name&q=k%C3%BChl+{number}",
            HTTP_COOKIE=f"session={number}.aBcDeF.0123456789abcdefghijkl; theme=dark; id={number}",
            # a client's Accept is that of its kind
            HTTP_ACCEPT=f"text/html,application/xml;q=0.{number % 16 + 10},*/*;q=0.5",
        )
        for number in range(100_000, 100_000 + 4 * KINDS)
    )

    def run():
        touch(Request(next(several).copy()))

    return run


def rules():
    for number in range(1000):
        yield Rule(f"/static/{number}/page", endpoint=f"static{number}")
        yield Rule(f"/part{number}/<int:id>/<name>", endpoint=f"dynamic{number}")


def match_static():
    adapter = Map(rules()).bind("localhost")
    paths = cycle([f"/static/{number}/page" for number in range(0, 1000, 7)])
    return lambda: adapter.match(next(paths), "GET")


def match_dynamic():
    adapter = Map(rules()).bind("localhost")
    paths = cycle([f"/part{number}/{number}/some-name" for number in range(0, 1000, 7)])
    return lambda: adapter.match(next(paths), "GET")


def build():
    adapter = Map(rules()).bind("localhost")
    wanted = cycle([(f"dynamic{n}", {"id": n, "name": "some-name"}) for n in range(0, 1000, 7)])

    def run():
        endpoint, values = next(wanted)
        adapter.build(endpoint, values)

    return run


def build_static():
    adapter = Map(rules()).bind("localhost")
    wanted = cycle([f"static{n}" for n in range(0, 1000, 7)])
    return lambda: adapter.build(next(wanted))


def posted(content_type, body):
    given = environ(REQUEST_METHOD="POST", CONTENT_TYPE=content_type, CONTENT_LENGTH=str(len(body)))

    def run():
        # a fresh input each time; the rest of the environ is the parser's to read
        form = Request({**given, "wsgi.input": io.BytesIO(body)}).form
        assert form["field19"] == "value 19"

    return run


def form_urlencoded():
    pairs = [f"field{number}=value+{number}" for number in range(20)]
    return posted("application/x-www-form-urlencoded", "&".join(pairs).encode())


def multipart(*parts):
    pieces = []
    for head, body in parts:
        pieces += [b"--frontier\r\n", head.encode(), b"\r\n\r\n", body, b"\r\n"]
    return b"".join([*pieces, b"--frontier--\r\n"])


def form_multipart():
    body = multipart(
        *(
            (f'Content-Disposition: form-data; name="field{n}"', f"value {n}".encode())
            for n in range(20)
        )
    )
    return posted("multipart/form-data; boundary=frontier", body)


def sent_file(content):
    head = (
        'Content-Disposition: form-data; name="file"; filename="x.bin"\r\n'
        "Content-Type: application/octet-stream"
    )
    body = multipart((head, content))
    given = environ(
        REQUEST_METHOD="POST",
        CONTENT_TYPE="multipart/form-data; boundary=frontier",
        CONTENT_LENGTH=str(len(body)),
    )

    def run():
        given["wsgi.input"] = io.BytesIO(body)
        _, _, files = parse_form_data(given)
        assert files["file"].stream.tell() == 0
        files["file"].close()

    return run


def upload():
    return sent_file(bytes(range(256)) * (100 * MIB // 256))


def hostile_line_ends(size):
    return sent_file(b"\r\n" * (size * MIB // 2))


def hostile_dashes(size):
    return sent_file(b"\r\n--frontie" * (size * MIB // 11))


def hostile_fields(size):
    """As many empty parts as fit."""
    parser = FormDataParser(max_form_parts=None, max_form_memory_size=None)
    part = multipart(('Content-Disposition: form-data; name="a"', b""))[:-16]
    body = part * (size * MIB // len(part) // 8) + b"--frontier--\r\n"

    def run():
        options = {"boundary": "frontier"}
        parser.parse(io.BytesIO(body), "multipart/form-data", len(body), options)

    return run


OPERATIONS = {
    "hello": hello,
    "request": request_alike,
    "request-varied": request_varied,
    "match-static": match_static,
    "match-dynamic": match_dynamic,
    "build-static": build_static,
    "build-dynamic": build,
    "form-urlencoded": form_urlencoded,
    "form-multipart": form_multipart,
    "upload-100m": upload,
}
for each in (hostile_line_ends, hostile_dashes, hostile_fields):
    for mib in (2, 16):
        name = each.__name__.replace("_", "-")
        OPERATIONS[f"{name}-{mib}m"] = lambda each=each, mib=mib: each(mib)


def main():
    # With the collector at work, as it is in a server: a request is in its own environ.
    timer = timeit.Timer(OPERATIONS[sys.argv[2]](), setup=gc.enable)
    number, once = timer.autorange()
    number = max(1, int(number * 0.1 / once))
    times = timer.repeat(ROUNDS if once < 2 else 2, number)
    print(json.dumps({"seconds": min(times) / number}))


if __name__ == "__main__":
    main()
