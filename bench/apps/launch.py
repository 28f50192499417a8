"""Start the servers whose own command line cannot set what the comparison needs.

    launch.py fastpysgi MODULE:APP PORT THREADS quiet     its command has no flag for the body limit
    launch.py werkzeug  MODULE:APP PORT THREADS LOG       what `app.run()` uses; it has no command
    launch.py flask     MODULE:APP PORT THREADS LOG       `app.run()` itself

LOG is `quiet` or `log`.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any

BODY_LIMIT = 2**31 - 1
HOST = "127.0.0.1"


def load(target: str) -> Any:
    """Import `module:name`."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def fastpysgi(target: str, port: int, _threads: int, _log: str) -> None:
    """With room for the upload case: its own limit is 10 MB."""
    server: Any = import_module("fastpysgi").server
    server.max_content_length = BODY_LIMIT
    server.init(load(target), HOST, port)
    server.run()


def werkzeug(target: str, port: int, threads: int, log: str) -> None:
    """One thread for everybody, or one for every connection: it has no pool."""
    if log == "quiet":
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    serving: Any = import_module("werkzeug.serving")
    serving.run_simple(HOST, port, load(target), threaded=threads > 1)


def flask(target: str, port: int, _threads: int, log: str) -> None:
    """As a program ends that is started by `python app.py`: a thread for each connection."""
    if log == "quiet":
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    load(target).run(HOST, port)


LAUNCHERS = {"fastpysgi": fastpysgi, "werkzeug": werkzeug, "flask": flask}

if __name__ == "__main__":
    name, target, port, threads, log = sys.argv[1:]
    LAUNCHERS[name](target, int(port), int(threads), log)
