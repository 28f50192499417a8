"""What consoles work in: the frames of the last few tracebacks, and a namespace of their own."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from stein.toolkit.debugger.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from stein.toolkit.debugger.frames import DebugFrameSummary

__all__ = ["ConsoleFrame", "KeptFrames"]

#: tracebacks whose frames, with all that they hold, are kept for consoles
KEPT: Final = 12


class ConsoleFrame:
    """What the page that is only a console has in place of a frame."""

    id = 0

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.console = Console(namespace)

    def eval(self, code: str) -> str:
        """Run code; see :meth:`Console.eval`."""
        return self.console.eval(code)


class KeptFrames:
    """Frames by number.  Any thread."""

    def __init__(self) -> None:
        #: 0 is the page that is only a console
        self.frames: dict[int, DebugFrameSummary | ConsoleFrame] = {}
        #: what is entered while code runs in a frame
        self.contexts: dict[int, list[AbstractContextManager[Any]]] = {}
        self._tracebacks: list[list[int]] = []
        # what a framework wants around code that is outside of requests
        self._app_context: Callable[[], AbstractContextManager[Any]] | None = None
        self._guard = threading.Lock()  # guards all of them

    def keep(
        self, frames: list[DebugFrameSummary], contexts: list[AbstractContextManager[Any]]
    ) -> None:
        """Keep the frames of a traceback, and let go of the oldest.

        :param contexts: are entered while code runs in one of them.
        """
        with self._guard:
            self._tracebacks.append([frame.id for frame in frames])
            for frame in frames:
                self.frames[frame.id] = frame
                self.contexts[frame.id] = contexts
            while len(self._tracebacks) > KEPT:
                for number in self._tracebacks.pop(0):
                    self.frames.pop(number, None)
                    self.contexts.pop(number, None)

    def open_console(self, app: Any, names: Callable[[], dict[str, Any]] | None) -> None:
        """Make the console that belongs to no traceback, unless there is one.

        :param app: is known there as ``app``, if no other name is.
        :param names: gives the other names.
        """
        with self._guard:
            if 0 not in self.frames:
                known = dict(names()) if names else {}
                known.setdefault("app", app)
                self.frames[0] = ConsoleFrame(known)
                self._app_context = getattr(app, "app_context", None)

    def contexts_of(self, frame: DebugFrameSummary | ConsoleFrame) -> ExitStack:
        """Return the contexts of a frame; they are entered, and left with the stack."""
        stack = ExitStack()
        try:
            if frame.id == 0 and self._app_context is not None:
                stack.enter_context(self._app_context())
            for context in self.contexts.get(frame.id, ()):
                stack.enter_context(context)
        except BaseException:
            stack.close()
            raise
        return stack
