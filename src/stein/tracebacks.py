"""Tracebacks for the person whose program raised: frames that are not theirs are left out."""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["MACHINERY", "from_user", "render", "user_frames", "whereabouts"]

#: How the file names of stein's and of the import system's frames begin.
MACHINERY: Final = (
    str(Path(__file__).resolve().parent) + os.sep,
    str(Path(importlib.__file__).resolve().parent) + os.sep,
    "<frozen importlib",
)


def user_frames(
    error: BaseException, machinery: tuple[str, ...] = MACHINERY
) -> list[traceback.FrameSummary]:
    """Return the frames of an exception that are the user's.

    :param error: the exception.
    :param machinery: how the file names of other frames begin.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(machinery)]


def from_user(
    trace: TracebackType | None, machinery: tuple[str, ...] = MACHINERY
) -> TracebackType | None:
    """Return the part of a traceback that begins in the user's code.

    :param trace: the traceback; it is not changed.
    :param machinery: how the file names of other frames begin.
    :returns: all of it if there is no code of the user's in it: then the fault is ours.
    """
    rest = trace
    while rest is not None:
        if not rest.tb_frame.f_code.co_filename.startswith(machinery):
            return rest
        rest = rest.tb_next
    return trace


def render(error: BaseException, machinery: tuple[str, ...] = MACHINERY) -> str:
    """Render a traceback that begins in the user's code.

    Frames of the machinery are left out, in the exception and in the chain behind it.  An
    exception without any other frame keeps its own: then the fault is ours.

    :param error: the exception.
    :param machinery: how the file names of the frames begin that are left out.
    :returns: the text, ending in a line break.
    """
    rendered = traceback.TracebackException.from_exception(error)
    _fold(rendered, error, machinery)
    return "".join(rendered.format())


def _fold(
    rendered: traceback.TracebackException, error: BaseException, machinery: tuple[str, ...]
) -> None:
    """Leave out the machinery's frames, here and in the exceptions behind this one."""
    kept = [frame for frame in rendered.stack if not frame.filename.startswith(machinery)]
    if kept:
        rendered.stack = traceback.StackSummary.from_list(kept)
    elif isinstance(error, SyntaxError | ImportError):
        # The traceback module leaves the headline out when there is no stack at all.
        rendered.stack = None  # type: ignore[assignment]
    pairs = [
        (rendered.__cause__, error.__cause__),
        (rendered.__context__, error.__context__),
    ]
    if isinstance(error, BaseExceptionGroup):
        pairs += zip(rendered.exceptions or (), error.exceptions, strict=False)
    for other, behind in pairs:
        # A rendering has no cycles: it stops where an exception was seen before.
        if other is not None and behind is not None:
            _fold(other, behind, machinery)


def whereabouts(error: BaseException, machinery: tuple[str, ...] = MACHINERY) -> str:
    """Return an exception on one line, with its place: ``file:line: Type: text``.

    :param error: the exception.
    :param machinery: how the file names of frames begin that are not its place.
    """
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        where, text = f"{error.filename}:{error.lineno}: ", error.msg
    else:
        frames = user_frames(error, machinery)
        where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{where}{type(error).__name__}{': ' if text else ''}{text}"
