"""Tracebacks for the person whose program raised: frames that are not theirs are left out."""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    It ends there, too, if what follows is an error that stein raises on purpose: of such a one the
    message tells more than the way to it.

    :param trace: the traceback; it is not changed.
    :param machinery: how the file names of other frames begin.
    :returns: without code of the user's in it: nothing of an error on purpose, and all of any
        other, as then the fault is ours.
    """
    steps = list(_steps(trace))
    places = [
        place
        for place, step in enumerate(steps)
        if not step.tb_frame.f_code.co_filename.startswith(machinery)
    ]
    if not _is_on_purpose(trace, machinery):
        return steps[places[0]] if places else trace
    if not places:
        return None
    rest: TracebackType | None = None
    for step in reversed(steps[places[0] : places[-1] + 1]):
        rest = TracebackType(rest, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return rest


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_on_purpose(trace: TracebackType | None, machinery: tuple[str, ...]) -> bool:
    """Whether a traceback ends in a ``raise`` of the machinery; if its source is there to see."""
    frames = traceback.extract_tb(trace)
    if not frames or not frames[-1].filename.startswith(machinery):
        return False
    return (frames[-1].line or "").startswith("raise ")


def render(error: BaseException, machinery: tuple[str, ...] = MACHINERY) -> str:
    """Render a traceback that begins in the user's code.

    Frames of the machinery are left out, in the exception and in the chain behind it.  Without any
    other frame an exception is its last line if stein raises it on purpose; else it keeps its
    frames, as the fault is ours.

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
    elif isinstance(error, SyntaxError | ImportError) or _is_on_purpose(
        error.__traceback__, machinery
    ):
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
