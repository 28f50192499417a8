"""Several applications under one roof, told apart by the beginning of the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["DispatcherMiddleware"]

# A path with more segments than this is cut to what the mounts can match at all before it is
# searched, since each candidate is a copy of the path's beginning: a path of slashes alone would
# be copied once for each of them.
_MANY: Final = 32


class DispatcherMiddleware:
    """Calls the application that is mounted where the path begins, and the main one otherwise.

    The longest mount wins, and a mount ends where a segment of the path ends: ``/api`` takes
    ``/api`` and ``/api/users``, not ``/apiary``.  The chosen application sees its mount at the end
    of ``SCRIPT_NAME`` and the rest of the path in ``PATH_INFO`` (PEP 3333).

    What a request costs depends on the segments of its path, not on how many mounts there are::

        app = DispatcherMiddleware(site, {"/api": api, "/admin": admin})

    :param app: called if no mount matches.
    :param mounts: from the path's beginning, with its slash in front and none at the end, to the
        application.  It may be changed later.
    """

    def __init__(
        self, app: WSGIApplication, mounts: dict[str, WSGIApplication] | None = None
    ) -> None:
        self.app = app
        self.mounts = {} if mounts is None else mounts

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Find the application and call it, with the path's two halves set in the environ."""
        path: str = environ.get("PATH_INFO", "")
        mounts = self.mounts
        end = len(path) if path.count("/") <= _MANY else self._reach(path)
        app = mounts.get(path[:end])
        while app is None and end > 0:
            end = max(path.rfind("/", 0, end), 0)
            app = mounts.get(path[:end])
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + path[:end]
        environ["PATH_INFO"] = path[end:]
        return (self.app if app is None else app)(environ, start_response)

    def _reach(self, path: str) -> int:
        """Where in the path even the mount with the most segments would have ended."""
        depth = max((mount.count("/") for mount in self.mounts), default=0)
        parts = path.split("/", depth + 1)
        return len(path) if len(parts) <= depth + 1 else len(path) - len(parts[-1]) - 1
