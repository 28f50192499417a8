"""What a server does that a reloader has started: serve on the given sockets, and listen to orders.

::

    if child.is_child():
        application = child.instrument(application, live=…)
        bind = child.addresses()  # "fd:5", …
        …
        child.notify_ready(server.request_stop)
        …
        child.leave_if_replaced()  # behind the server
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.serving.reloader import link as connection
from stein.serving.reloader.inventory import take_inventory
from stein.serving.reloader.live import Live
from stein.serving.reloader.options import AGAIN
from stein.web.environment import files_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.messages import Message
    from stein.serving.reloader.link import Link
    from stein.typing import WSGIApplication

__all__ = [
    "addresses",
    "instrument",
    "interrupt",
    "is_child",
    "leave_if_replaced",
    "notify_ready",
    "obey",
    "watch_extra",
]

#: seconds between two looks at what has been imported since
LOOK_EVERY: Final = 1.0
#: seconds that calls under way get once the parent is gone
LAST_GRACE: Final = 0.3
#: seconds after which a process without a parent ends in any case
LAST_RESORT: Final = 2.0
#: "no end": as long as the new process takes to start
PATIENCE: Final = 3600.0

_extra: set[str] = set()  # files that somebody asked to be watched
_live: set[str] = set()  # folders of what browsers are shown
_pages: list[Live] = []


def is_child() -> bool:
    """Whether this process was started by a reloader of ours, and may talk to it."""
    return connection.join() is not None


def addresses() -> tuple[str, ...]:
    """Return the sockets to serve on, as :attr:`stein.server.settings.Settings.bind` has them."""
    return tuple(f"fd:{number}" for number in connection.listeners())


def instrument(application: WSGIApplication, *, live: bool = False) -> WSGIApplication:
    """Let an application answer the questions of the script in pages.

    :param application: what will be served.
    :param live: put that script into its pages, and watch its templates and static files.
    """
    if live:
        _live.update(page_folders(application))
    wrapped = Live(application, inject=live)
    _pages.append(wrapped)
    return wrapped


def page_folders(application: Any) -> list[str]:
    """Return the folders of templates and static files of an application and its blueprints."""
    while not hasattr(application, "root_path") and hasattr(application, "app"):
        application = application.app  # what stands before it: the debugger, static files
    blueprints = getattr(application, "blueprints", None)
    parts = [application, *(blueprints.values() if isinstance(blueprints, dict) else ())]
    found = []
    for part in parts:
        root = getattr(part, "root_path", None)
        for name in ("template_folder", "static_folder"):
            folder = getattr(part, name, None)
            if isinstance(root, str) and isinstance(folder, str | os.PathLike):
                found.append(os.path.join(root, folder))  # noqa: PTH118 - a text is wanted
    return found


def watch_extra(*paths: str | os.PathLike[str]) -> None:
    """Have further files watched: a configuration that was read, for example.

    :param paths: files whose change starts the program anew.
    """
    _extra.update(str(Path(path).absolute()) for path in paths)


def notify_ready(stop: Callable[[float], object]) -> None:
    """Tell the parent that this process serves now; from here on it may be told to stop.

    :param stop: begins to stop and returns at once; takes the seconds that calls under way get.
    """
    link = connection.join()
    if link is None:
        return
    obey(stop)
    link.handlers["live"] = note_pages
    link.send("watch", **take_inventory(_extra | files_read, _live).as_message())
    link.send("ready")
    if not link.is_reporting:  # what is served may be another server later
        link.is_reporting = True
        threading.Thread(
            target=report_imports, args=(link,), name="stein-reloader", daemon=True
        ).start()


def obey(stop: Callable[[float], object]) -> bool:
    """Let orders to end call this from now on.

    :param stop: see :func:`notify_ready`.
    :returns: false if there was such an order already.
    """
    link = connection.join()
    if link is None:
        return True
    link.handlers["drain"] = lambda _order: stop(PATIENCE)
    link.handlers["retire"] = lambda order: stop(order["grace"])
    link.on_orphaned = lambda: stop_alone(stop)
    return not link.is_over


def leave_if_replaced() -> None:
    """Leave once the server has stopped, if the program is not over and only started anew.

    What stands behind its call is for the end of the whole, as a reload is nothing that a program
    is to notice.

    :raises SystemExit: so that what it has open is closed.
    """
    link = connection.join()
    if link is not None and link.is_replaced:
        sys.exit(AGAIN)


def note_pages(order: Message) -> None:
    """Templates or static files have changed."""
    for page in _pages:
        page.note(order["paths"])


def stop_alone(stop: Callable[[float], object]) -> None:
    """The parent is gone without having said anything: end, and be it by force."""
    threading.Timer(LAST_RESORT, lambda: os._exit(1)).start()
    stop(LAST_GRACE)


def report_imports(link: Link) -> None:
    """Tell the parent when more was imported, or is to be watched.  A thread of its own."""
    known = len(sys.modules), len(_extra | files_read)
    while True:
        threading.Event().wait(LOOK_EVERY)
        now = len(sys.modules), len(_extra | files_read)
        if now != known:
            known = now
            link.send("watch", **take_inventory(_extra | files_read, _live).as_message())


def interrupt(_grace: float) -> None:
    """Stop a program of which nothing is known, as Ctrl-C would."""
    os.kill(os.getpid(), signal.SIGINT)
