"""The two kinds of screen: a terminal that can be drawn on, and anything that takes lines."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

try:
    import termios
except ImportError:  # no such terminals on this system
    HAS_TERMINALS = False
else:
    HAS_TERMINALS = True

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from stein.observe.top import Line

__all__ = ["LineScreen", "TerminalScreen", "is_drawable", "screen_for"]

# ECMA-48, and the two private modes of xterm that every terminal of today knows.
ENTER: Final = "\x1b[?1049h\x1b[?25l"  # another screen, no cursor
LEAVE: Final = "\x1b[?25h\x1b[?1049l"
HOME: Final = "\x1b[H"
CLEAR_LINE: Final = "\x1b[K"
CLEAR_BELOW: Final = "\x1b[J"
STYLES: Final = {"plain": "", "title": "\x1b[7m", "alarm": "\x1b[1;31m"}
PLAIN: Final = "\x1b[0m"

#: Lines for which a width is made up where none is known.
WIDTH: Final = 100
_LONGEST_KEY: Final = 32  # bytes of what one key may send


def is_drawable(stream: TextIO, keys: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether frames can be drawn on ``stream`` and keys be read from ``keys``."""
    if not HAS_TERMINALS or environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        return stream.isatty() and keys.isatty()
    except ValueError:  # closed
        return False


def width_of(stream: TextIO) -> tuple[int, int]:
    """Return columns and lines of the terminal behind a stream; lines are 0 without one."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return shutil.get_terminal_size((WIDTH, 0)).columns, 0
    return size.columns or WIDTH, size.lines


class LineScreen:
    """Writes frame below frame: for files, pipes and terminals that can do no more.

    :param stream: where to.
    :param pause: waits some seconds.
    """

    is_live = False

    def __init__(self, stream: TextIO, pause: Callable[[float], object] = time.sleep) -> None:
        self._stream = stream
        self._pause = pause
        self._drawn = False

    def size(self) -> tuple[int, int]:
        """Its width; and as many lines as one likes."""
        return width_of(self._stream)[0], 0

    def draw(self, lines: Sequence[Line]) -> None:
        """Write the lines, an empty one before all frames but the first."""
        text = "".join([f"{text}\n" for text, _ in lines])
        write(self._stream, f"\n{text}" if self._drawn else text)
        self._drawn = True

    def wait(self, seconds: float) -> str:
        """Wait; there are no keys."""
        self._pause(seconds)
        return ""


class TerminalScreen:
    """Draws each frame over the one before, for as long as its context lasts.

    Ctrl-C raises :exc:`KeyboardInterrupt` as ever; the terminal is put right again in any case.

    :param stream: a terminal.
    :param keys: the same terminal, to read from.
    :param colour: whether titles and alarms stand out.
    """

    is_live = True

    def __init__(self, stream: TextIO, keys: TextIO, *, colour: bool = True) -> None:
        self._stream = stream
        self._keys = keys.fileno()
        self._colour = colour
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._keys)
        mode = termios.tcgetattr(self._keys)
        mode[3] &= ~(termios.ICANON | termios.ECHO)  # keys come one by one, and are not shown
        # Stopped by Ctrl-Z it would leave the shell with a screen that is not its own.
        mode[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._keys, termios.TCSADRAIN, mode)
        write(self._stream, ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
        write(self._stream, LEAVE)

    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        return width_of(self._stream)

    def draw(self, lines: Sequence[Line]) -> None:
        """Draw a frame in one go, so that it does not flicker."""
        # Cleared first: behind a line that fills the width the cursor still stands on its end.
        rows = [f"{CLEAR_LINE}{self._styled(text, style)}" for text, style in lines]
        end = f"\n{CLEAR_BELOW}" if len(rows) < self.size()[1] else ""
        write(self._stream, HOME + "\n".join(rows) + end)

    def _styled(self, text: str, style: str) -> str:
        code = STYLES[style] if self._colour else ""
        return f"{code}{text}{PLAIN}" if code else text

    def wait(self, seconds: float) -> str:
        """Wait for a key; a terminal that has gone counts as ``q``."""
        if not select.select([self._keys], [], [], seconds)[0]:
            return ""
        try:
            data = os.read(self._keys, _LONGEST_KEY)
        except OSError:
            data = b""
        # An arrow sends several bytes that begin with ESC: nothing we know.
        return data.decode("ascii", "replace")[:1] if data else "q"


def write(stream: TextIO, text: str) -> None:
    """Write at once; what the stream's encoding does not have becomes a question mark."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def screen_for(environ: Mapping[str, str]) -> TerminalScreen | LineScreen:
    """Return the better screen that standard output and input make possible."""
    if is_drawable(sys.stdout, sys.stdin, environ):
        return TerminalScreen(sys.stdout, sys.stdin, colour=not environ.get("NO_COLOR"))
    return LineScreen(sys.stdout)
