"""Where finished log lines go.

A sink is used by one thread, the writer of its log.  It takes a batch of texts, each of one or
more whole lines, and returns when the operating system has them, or raises; the log then counts
the batch as lost.
"""

from __future__ import annotations

import logging
import os
import select
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from stein.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FileSink", "LoggerSink", "Sink", "StreamSink", "make_sink"]

#: How long a sink that would block (a pipe that nobody empties) is waited for, in seconds.
PATIENCE: Final = 5.0


class Sink(Protocol):
    """What the writer needs of a place for lines."""

    def write(self, texts: Sequence[str]) -> None:
        """Place whole lines, in order.  Raises OSError or ValueError when it cannot."""

    def reopen(self) -> None:
        """Open the file anew under its name, after it was moved away; else do nothing."""

    def close(self) -> None:
        """Give up what the sink has opened itself."""


class FileSink:
    """Lines to a file descriptor, one system call per batch, past Python's own buffers.

    A stream's buffer has a lock that a dying interpreter must not find held by a daemon thread;
    a bare descriptor has none.

    :param path: the file to append to, or None to use ``descriptor``.
    :param descriptor: an open descriptor that is somebody else's; it is never closed here.
    :raises ConfigurationError: if the file cannot be opened.
    """

    def __init__(self, path: Path | None = None, descriptor: int = -1) -> None:
        self._path = path
        self._descriptor = descriptor if path is None else self._open(path)
        self._torn = False

    @staticmethod
    def _open(path: Path) -> int:
        try:
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            message = f"access_log_file={str(path)!r} cannot be opened: {error.strerror}"
            raise ConfigurationError(message) from error

    def write(self, texts: Sequence[str]) -> None:
        """Append the lines; if they go only in part, the next batch starts on a fresh line."""
        data = memoryview("".join(texts).encode("utf-8", "backslashreplace"))
        if self._torn:
            data = memoryview(b"\n" + data)
        while data:
            try:
                count = os.write(self._descriptor, data)
            except BlockingIOError:
                # Somebody who shares this terminal or pipe has set it to non-blocking.
                if not select.select([], [self._descriptor], [], PATIENCE)[1]:
                    raise
                continue
            data = data[count:]
            self._torn = bool(data)

    def reopen(self) -> None:
        """Open the path anew; the old descriptor stays in use if that fails."""
        if self._path is None:
            return
        old, self._descriptor = self._descriptor, self._open(self._path)
        os.close(old)

    def close(self) -> None:
        """Close the file, if it is ours."""
        if self._path is not None and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class StreamSink:
    """Lines to a text stream without a descriptor, such as :class:`io.StringIO`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, texts: Sequence[str]) -> None:
        """Write and flush the lines."""
        self._stream.write("".join(texts))
        self._stream.flush()

    def reopen(self) -> None:
        """Nothing: a stream has no name to open again."""

    def close(self) -> None:
        """Nothing: the stream is somebody else's."""


class LoggerSink:
    """Lines to the handlers that a user has set on a logger, one record per line.

    :param logger: usually ``stein.access``.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @property
    def wanted(self) -> bool:
        """Whether the user has configured the logger itself; its parents do not count.

        A handler on the root logger asks for an application's messages, not for a line per
        request.
        """
        return bool(self._logger.handlers)

    def write(self, texts: Sequence[str]) -> None:
        """Hand each line, without its line break, to the handlers.

        The level counts only if it was set on this very logger: a handler on ``stein.access``
        wants its lines, whatever the root logger's level (WARNING, unless told otherwise) says.
        """
        logger = self._logger
        if logger.level != logging.NOTSET and not logger.isEnabledFor(logging.INFO):
            return
        for line in "".join(texts).split("\n")[:-1]:
            logger.handle(
                logger.makeRecord(logger.name, logging.INFO, "", 0, line, (), None, "write")
            )

    def reopen(self) -> None:
        """Nothing: the handlers are the user's."""

    def close(self) -> None:
        """Nothing: the handlers are the user's."""


def make_sink(target: str | os.PathLike[str] | TextIO) -> Sink:
    """Return the sink for a path or a text stream.

    :raises ConfigurationError: if the path cannot be opened.
    """
    if isinstance(target, str | os.PathLike):
        return FileSink(Path(target))
    try:
        target.flush()
        return FileSink(descriptor=target.fileno())
    except (OSError, ValueError, AttributeError):
        return StreamSink(target)
