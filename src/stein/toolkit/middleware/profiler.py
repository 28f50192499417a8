"""A profile of each request: which functions were called, how often, and how long they took."""

from __future__ import annotations

import os
import re
import sys
import time
from pstats import Stats
from typing import IO, TYPE_CHECKING, Any, Final

try:
    from cProfile import Profile
except ImportError:  # pragma: no cover - an interpreter without the C profiler
    from profile import Profile  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.typing import Environ, ExcInfo, HeaderList, StartResponse, Write, WSGIApplication

__all__ = ["Profile", "ProfilerMiddleware"]

_RULER: Final = "-" * 80
_LONGEST: Final = 100  # characters of the path in a file name; file systems end at 255 bytes
# What would leave the directory, or be no file name at all on some system.
_UNFIT: Final = re.compile(r'[\x00-\x1f\x7f"*:<>?|\\/]')


class ProfilerMiddleware:
    """Runs the application under the profiler and reports each request.

    The body is collected before it is sent, so that making it is measured and sending it is not:
    this is a tool for development.

    A text for ``filename_format`` may hold the fields ``{method}``, ``{path}`` (its slashes are
    dots, and it is ``root`` for ``/``), ``{elapsed}`` (milliseconds) and ``{time}`` (seconds since
    1970).  A callable gets the environ, where ``environ["werkzeug.profiler"]`` holds ``elapsed``
    and ``time`` in the same units, and gives the name.

    From Python 3.12 on a process can run one profiler at a time.  A request that comes while
    another is being profiled is answered without, and the stream says so.

    :param app: the application.
    :param stream: where a table is printed after each request; None: nowhere.
    :param sort_by: columns, for :meth:`pstats.Stats.sort_stats`.
    :param restrictions: which rows to print, for :meth:`pstats.Stats.print_stats`.
    :param profile_dir: the directory that gets a file for each request, which ``python -m pstats``
        and others read; it is made if missing.  None: no files.
    :param filename_format: how these files are named.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - werkzeug's signature
        self,
        app: WSGIApplication,
        stream: IO[str] | None = sys.stdout,
        sort_by: Iterable[str] = ("time", "calls"),
        restrictions: Iterable[str | float] = (),
        profile_dir: str | None = None,
        filename_format: str
        | Callable[[Environ], str] = "{method}.{path}.{elapsed:.0f}ms.{time:.0f}.prof",
    ) -> None:
        self._app = app
        self._stream = stream
        self._sort_by = tuple(sort_by)
        self._restrictions = tuple(restrictions)
        self._profile_dir = profile_dir
        self._filename_format = filename_format

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application to its end, report, and give the whole body."""
        call = _Call(self._app, environ, start_response)
        profile = Profile()
        start = time.perf_counter()
        try:
            profile.runcall(call.run)
        except ValueError:  # the profiler's own, before the call: what the application raises
            self._print(f"NOT PROFILED: {_path(environ)!r}, as another request was being profiled")
            call.run()
        else:
            self._report(profile, environ, time.perf_counter() - start)
        return call.result()

    def _report(self, profile: Profile, environ: Environ, seconds: float) -> None:
        if self._profile_dir is not None:
            self._write(profile, self._profile_dir, self._name(environ, seconds * 1000.0))
        if self._stream is not None:
            stats = Stats(profile, stream=self._stream).sort_stats(*self._sort_by)
            self._print(_RULER)
            self._print(f"PATH: {_path(environ)!r}")
            stats.print_stats(*self._restrictions)
            self._print(f"{_RULER}\n")

    def _print(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(f"{line}\n")

    def _name(self, environ: Environ, elapsed: float) -> str:
        """The name of the file for one request; ``elapsed`` in milliseconds."""
        now = time.time()
        if callable(self._filename_format):
            environ["werkzeug.profiler"] = {"elapsed": elapsed, "time": now}
            return self._filename_format(environ)
        path = _path(environ).strip("/").replace("/", ".")[:_LONGEST]
        return self._filename_format.format(
            method=_UNFIT.sub("_", environ["REQUEST_METHOD"]),
            path=_UNFIT.sub("_", path) or "root",
            elapsed=elapsed,
            time=now,
        )

    @staticmethod
    def _write(profile: Profile, directory: str, name: str) -> None:
        target = os.path.join(directory, name)  # noqa: PTH118 - callers may look for this very text
        try:
            profile.dump_stats(target)
        except FileNotFoundError:
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103 - the directory came as a text
            profile.dump_stats(target)


class _Call:
    """One call of the application, whose output is kept."""

    __slots__ = ("_app", "_body", "_environ", "_error", "_start_response")

    def __init__(
        self, app: WSGIApplication, environ: Environ, start_response: StartResponse
    ) -> None:
        self._app = app
        self._environ = environ
        self._start_response = start_response
        self._body: list[bytes] = []
        self._error: BaseException | None = None

    def start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None
    ) -> Write:
        self._start_response(status, headers, exc_info)
        return self._body.append

    def run(self) -> None:
        """Call the application and take all it gives.

        Nothing is raised, so that whatever comes out of the profiler is the profiler's.
        """
        pieces: Any = None
        try:
            pieces = self._app(self._environ, self.start_response)
            self._body.extend(pieces)
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error = error
        try:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        except BaseException as error:  # noqa: BLE001 - as above
            self._error = self._error or error

    def result(self) -> list[bytes]:
        """The body, in one piece.

        :raises BaseException: what the application raised.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error
        return [b"".join(self._body)]


def _path(environ: Environ) -> str:
    """The path as people write it (the environ holds its bytes as latin-1)."""
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")
