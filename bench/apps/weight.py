"""The memory of a process that has imported the table's program and answered its first requests.

usage: weight.py LIBRARY      flask, stein (by the drop-in), or `none` for the interpreter alone

Prints resident and private memory in KiB, as JSON.  It imports nothing else itself, so that what is
there is what the library brought.
"""

from __future__ import annotations

import sys

FIELDS = ("Rss", "Private_Clean", "Private_Dirty")
TIMES = 10


def ask(app, path):
    """One request; the status of the answer."""
    seen = []
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": sys.stdin.buffer,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    result = app(environ, lambda status, headers, exc_info=None: seen.append(status))
    b"".join(result)
    if hasattr(result, "close"):
        result.close()
    return seen[0]


def weigh():
    """What the kernel says of this process now, in KiB."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123 - no pathlib here
        lines = [line.split() for line in file]
    return {line[0].rstrip(":"): int(line[1]) for line in lines if line[0].rstrip(":") in FIELDS}


def main(library):
    """Import, answer, weigh."""
    if library == "stein":
        import stein.dropin  # noqa: PLC0415 - only what is weighed is imported

        stein.dropin.install()
    if library != "none":
        from framework_app import app  # noqa: PLC0415 - the same

        for path in ("/", "/user/42") * TIMES:
            assert ask(app, path) == "200 OK", path
    found = weigh()
    private = found["Private_Clean"] + found["Private_Dirty"]
    print(f'{{"resident": {found["Rss"]}, "private": {private}}}')


if __name__ == "__main__":
    main(sys.argv[1])
