"""The terminal, as it was: a program that is killed inside a debugger leaves it without echo."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["Terminal", "ensure_echo_on"]


class Terminal:
    """The state of the terminal at the time when this was made."""

    def __init__(self) -> None:
        self._state: list[Any] | None = attributes()

    def restore(self) -> None:
        """Put that state back, if it is another one now."""
        now = attributes()
        if self._state is None or now is None or now == self._state:
            return
        set_attributes(self._state)


def attributes() -> list[Any] | None:
    """Return the attributes of the terminal that standard input is, if it is one."""
    try:
        import termios  # noqa: PLC0415 - there is none on Windows

        number = sys.stdin.fileno()
        if os.tcgetpgrp(number) != os.getpgrp():  # in the background it is not ours
            return None
        return termios.tcgetattr(number)
    except (ImportError, AttributeError, ValueError, OSError):
        return None
    except Exception as error:
        if type(error).__module__ == "termios":  # what is there is no terminal
            return None
        raise


def set_attributes(state: list[Any]) -> None:
    """Set the attributes of the terminal."""
    import termios  # noqa: PLC0415 - see above

    try:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, state)
    except termios.error:
        return


def ensure_echo_on() -> None:
    """Let the terminal show again what is typed, if something has switched that off."""
    state = attributes()
    if state is None:
        return
    import termios  # noqa: PLC0415 - see above

    if not state[3] & termios.ECHO:
        state[3] |= termios.ECHO
        set_attributes(state)
