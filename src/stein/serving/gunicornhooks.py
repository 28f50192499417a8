"""Functions of a gunicorn configuration file, called with what they expect.

gunicorn gives them its arbiter and a worker; here they get stand-ins with the attributes that
such functions use: ``log``, ``cfg``, ``pid``, ``address``; ``age`` counts from 1.
"""

from __future__ import annotations

import atexit
import logging
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from stein.serving.confighooks import function_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.server.hooks import ServerInfo, WorkerInfo

__all__ = ["hook"]


def hook(path: str, *names: str) -> Callable[[Any], None]:
    """Return a hook of ours that calls functions of theirs.

    :param path: the configuration file.
    :param names: the functions; ``worker_exit`` is left for the end of the process.
    """
    functions = {name: function_in(path, name) for name in names}

    def call(info: ServerInfo | WorkerInfo) -> None:
        server, worker = stand_ins(info)
        for name, function in functions.items():
            if name in {"on_starting", "when_ready"}:
                function(server)
            elif name == "post_worker_init":
                function(worker)
            elif name == "worker_exit":
                atexit.register(function, server, worker)
            else:
                function(server, worker)

    return call


def stand_ins(info: ServerInfo | WorkerInfo) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Return what stands for the arbiter and for the worker."""
    log, settings = logging.getLogger("stein.error"), info.settings
    cfg = SimpleNamespace(
        bind=list(settings.bind),
        workers=settings.workers,
        threads=settings.threads,
        timeout=settings.request_timeout,
        graceful_timeout=settings.graceful_timeout,
        keepalive=settings.keep_alive,
        max_requests=settings.max_requests,
        pidfile=settings.pid_file,
        user=settings.user,
        group=settings.group,
    )
    place = getattr(info, "place", None)
    in_worker = place is not None and info.pid == os.getpid()
    parent = info.pid if place is None else os.getppid() if in_worker else os.getpid()
    addresses = list(getattr(info, "addresses", settings.bind))
    server = SimpleNamespace(
        log=log, cfg=cfg, pid=parent, address=addresses, proc_name="stein", WORKERS={}
    )
    age = 0 if place is None else place + 1
    worker = SimpleNamespace(log=log, cfg=cfg, pid=info.pid, age=age, ppid=parent, alive=True, nr=0)
    return server, worker
