"""What is timed in the framework's table: requests to the same program, with either framework.

usage: framework_ops.py LIBRARY OPERATION

LIBRARY is ``flask`` (the installed one) or ``stein`` (the same import names lead to stein, by the
drop-in).  The operation is tried once and checked; its answer is the first line of the output, as
JSON.  Then, for each line on standard input, it is timed for a short while, and the seconds of one
request are the next line.  The end of the input is the end.
"""

from __future__ import annotations

import gc
import io
import json
import sys
from time import perf_counter

if sys.argv[1] == "stein":
    import stein.dropin

    stein.dropin.install()

import framework_app
from flask import Blueprint, Flask

SLICE = 0.03  # seconds of timing between two looks at the clock of the other side
SLICES = 4
BATCH = 256
KINDS = 512

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321",
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
    "HTTP_COOKIE": "theme=dark; _ga=GA1.1.1234567890.1700000000",
}


class Visit:
    """One call of the application as a server makes it: all pieces taken, the result closed."""

    def __init__(self, app, environ, body):
        self.app = app
        self.body = body
        self.environ = environ
        self.status = ""
        self.headers = []

    def start_response(self, status, headers, exc_info=None):
        self.status = status
        self.headers = headers

    def run(self):
        result = self.app(
            {**self.environ, "wsgi.input": io.BytesIO(self.body)}, self.start_response
        )
        try:
            sent = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return sent


class Operation:
    """Requests to one application: the same again, or several kinds in turn."""

    def __init__(self, app, path, *, status="200 OK", body=b"", sets_cookie=False, **changes):
        self.app = app
        self.status = status
        self.body = body
        self.sets_cookie = sets_cookie
        self.environs = [{**ENVIRON, "PATH_INFO": path, **changes}]
        self.turn = 0

    def with_session(self):
        """The same with a session cookie, made by the application, in each request."""
        plain = self.environs[0]
        pair = f"session={session_cookie(self.app)}"
        self.environs = [{**plain, "HTTP_COOKIE": f"{plain['HTTP_COOKIE']}; {pair}"}]
        return self

    def answer(self):
        visit = Visit(self.app, self.environs[0], self.body)
        sent = visit.run()
        fields = [(name.lower(), value) for name, value in visit.headers]
        cookies = [value for name, value in fields if name == "set-cookie"]
        assert visit.status == self.status, (visit.status, sent)
        assert bool(cookies) is self.sets_cookie, cookies
        unlike, body = {"date", "set-cookie"}, sent.decode()
        if not self.status.startswith("200"):
            # Pages about redirects and errors are the framework's, in words of its own.
            unlike, body = {*unlike, "content-length"}, ""
        return {
            "status": visit.status,
            "headers": sorted(pair for pair in fields if pair[0] not in unlike),
            # the value holds the time of signing; how it is set has to be the same
            "cookies": [value.partition(";")[2] for value in cookies],
            "body": body,
        }

    def batch(self, number):
        """Fresh environs, as a server makes them for each request; making them is not timed."""
        environs, turn, body = self.environs, self.turn, self.body
        self.turn = turn + number
        return [
            {**environs[n % len(environs)], "wsgi.input": io.BytesIO(body)}
            for n in range(turn, turn + number)
        ]

    def time(self, number):
        """Seconds of so many requests."""
        app, environs = self.app, self.batch(number)

        def start_response(status, headers, exc_info=None):
            pass

        began = perf_counter()
        for environ in environs:
            result = app(environ, start_response)
            for _ in result:
                pass
            close = getattr(result, "close", None)
            if close is not None:
                close()
        return perf_counter() - began

    def measure(self):
        """Seconds of one request: the best of some slices."""
        best = float("inf")
        for _ in range(SLICES):
            spent, count = 0.0, 0
            while spent < SLICE:
                spent += self.time(BATCH)
                count += BATCH
            best = min(best, spent / count)
        return best


def session_cookie(app, **values):
    """A session as the application itself signs it."""
    serializer = app.session_interface.get_signing_serializer(app)
    return serializer.dumps(values or {"name": "Ada", "visits": 1, "_fresh": True})


def read_varied(app):
    """512 visitors in turn, each with a session and a query of their own."""
    operation = Operation(app, "/read")
    plain = operation.environs[0]
    operation.environs = [
        {
            **plain,
            "QUERY_STRING": f"page={number}&sort=name&id={number * 7}",
            "HTTP_COOKIE": f"theme=dark; id={number}; "
            f"session={session_cookie(app, name=f'Ada {number}', visits=number)}",
        }
        for number in range(1000, 1000 + KINDS)
    ]
    return operation


def hooked():
    """With one function before and one after each request."""
    app = Flask("hooked")
    app.secret_key = framework_app.SECRET
    app.get("/")(framework_app.index)
    seen = []

    @app.before_request
    def before():
        seen.append(1)
        seen.clear()

    @app.after_request
    def after(response):
        response.headers["X-Seen"] = "yes"
        return response

    return app


def small():
    """One route."""
    app = Flask("small")
    app.secret_key = framework_app.SECRET
    app.get("/user/<int:number>")(framework_app.user)
    return app


def large():
    """A thousand routes in a hundred blueprints, fifty of them with hooks that are not for us."""
    app = small()
    for number in range(100):
        blueprint = Blueprint(f"part{number}", __name__, url_prefix=f"/part{number}")
        for place in range(10):
            path = f"/{place}/page" if place % 2 else f"/{place}/<int:id>/<name>"
            blueprint.add_url_rule(path, f"view{place}", lambda **_: "")
        if number % 2:
            blueprint.before_request(lambda: None)
            blueprint.after_request(lambda response: response)
            blueprint.teardown_request(lambda error: None)
            blueprint.context_processor(dict)
            blueprint.errorhandler(404)(lambda error: ("", 404))
        app.register_blueprint(blueprint)
    return app


def posted(path, body, kind, **known):
    app = framework_app.app
    given = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    return Operation(app, path, body=body, **given, **known)


def echo():
    document = {"id": 42, "name": "Ada Lovelace", "tags": ["math", "machines"], "active": True}
    return posted("/echo", json.dumps(document).encode(), "application/json")


def form():
    body = b"name=Ada+Lovelace&town=London&street=St+James%27s+Square&mail=ada%40example.org&ok=1"
    return posted("/form", body, "application/x-www-form-urlencoded")


def visit(path, **known):
    return Operation(framework_app.app, path, **known)


OPERATIONS = {
    "hello": lambda: visit("/"),
    "hello-session": lambda: visit("/").with_session(),
    "json": lambda: visit("/user/42"),
    "read": lambda: visit("/read", QUERY_STRING="page=2&sort=name").with_session(),
    "read-varied": lambda: read_varied(framework_app.app),
    "write": lambda: visit("/write", sets_cookie=True),
    "count": lambda: visit("/count", sets_cookie=True).with_session(),
    "hooks": lambda: Operation(hooked(), "/"),
    "template": lambda: visit("/page"),
    "echo": echo,
    "form": form,
    "flash": lambda: visit(
        "/flash", REQUEST_METHOD="POST", CONTENT_LENGTH="0", status="302 FOUND", sets_cookie=True
    ),
    "links": lambda: visit("/links"),
    "missing": lambda: visit("/no/such/page", status="404 NOT FOUND"),
    "static": lambda: visit("/static/page.css"),
    "async": lambda: visit("/async"),
    "large": lambda: Operation(large(), "/user/42"),
    "small": lambda: Operation(small(), "/user/42"),
}


def main():
    operation = OPERATIONS[sys.argv[2]]()
    print(json.dumps(operation.answer()), flush=True)
    operation.time(BATCH)  # caches, and code that adapts to what it sees
    gc.collect()
    gc.enable()  # at work, as it is in a server
    for _ in sys.stdin:
        print(json.dumps({"seconds": operation.measure()}), flush=True)


if __name__ == "__main__":
    main()
