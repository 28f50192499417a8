"""The number that opens the debugger's consoles: random, the same until the program is stopped.

A number that can be computed from the machine is no secret to somebody who can read a few of its
files, so ours is drawn by chance when the program starts.  The reloader starts the program anew at
each change, and nobody wants to be asked at each change: the first process hands what it has drawn
to the next ones, by :func:`for_children`, and not in their environment, which others can read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.bequest import given
from stein.http.cookies import parse_cookie_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.typing import Environ

__all__ = [
    "PIN_TIME",
    "PinLock",
    "Verdict",
    "drawn",
    "for_children",
    "get_machine_id",
    "get_pin_and_cookie_name",
    "hash_pin",
]

#: how long a browser that knew the PIN is not asked again, in seconds: a week
PIN_TIME = 7 * 24 * 3600

#: wrong tries until only a restart helps
TRIES: Final = 10

#: the name in :mod:`stein.bequest` of what the first process has drawn
DRAWN: Final = "debugger"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn by chance when the program starts."""

    pin: str
    key: bytes  #: signs the cookie
    inherited: bool = False  #: an earlier process of the same program has it already, and told it


@lru_cache(maxsize=1)
def drawn() -> Drawn:
    """Return what this program has drawn, in this process or the first."""
    pin, _, key = given.get(DRAWN, "").partition(":")
    if pin and key:
        return Drawn(pin, bytes.fromhex(key), inherited=True)
    digits = f"{secrets.randbelow(10**9):09d}"
    return Drawn(f"{digits[:3]}-{digits[3:6]}-{digits[6:]}", secrets.token_bytes(32))


def for_children() -> dict[str, str]:
    """Return what to hand to a process that goes on in place of this one."""
    own = drawn()
    return {DRAWN: f"{own.pin}:{own.key.hex()}"}


def hash_pin(pin: str) -> str:
    """Return the signature of a text that holds the PIN; nobody else can make it."""
    return hmac.new(drawn().key, pin.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def chosen_pin() -> str | None:
    """Return the PIN that is asked for: the one in a variable, or the drawn one.

    :returns: ``None`` if the variable is ``off``.
    """
    for name in ("STEIN_DEBUG_PIN", "WERKZEUG_DEBUG_PIN"):
        value = os.environ.get(name, "").strip()
        if value.lower() == "off":
            return None
        if value.replace("-", "").isdecimal():
            return value
    return drawn().pin


def get_pin_and_cookie_name(app: Any) -> tuple[str, str] | tuple[None, None]:
    """Return the PIN, and the name of the cookie that remembers it for this application.

    :param app: the application; programs beside each other on one host get different cookies.
    :returns: two times ``None`` if there shall be no PIN.
    """
    pin = chosen_pin()
    return (None, None) if pin is None else (pin, cookie_name(app))


def cookie_name(app: Any) -> str:
    """Return a name for the cookie: always the same for this program, unlike that of others."""
    module = getattr(app, "__module__", type(app).__module__)
    parts = (
        getattr(app, "__name__", type(app).__name__),
        module,
        getattr(sys.modules.get(module), "__file__", None),
        os.getcwd(),  # noqa: PTH109 - a text to hash
        os.getuid(),
        get_machine_id(),
    )
    return f"__stein_debug_{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


@lru_cache(maxsize=1)
def get_machine_id() -> bytes:
    """Return what tells this machine from others; no secret, and nothing hangs on it."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id"):
        try:
            text = Path(path).read_bytes().strip()
        except OSError:
            continue
        if text:
            return text
    # Late: loads a library, and most machines have one of the files.
    import uuid  # noqa: PLC0415

    return uuid.getnode().to_bytes(6, "big")


# -- the lock ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one try."""

    right: bool
    left: int  #: tries that are left
    wait: float = 0.0  #: seconds until the next try is looked at


class PinLock:
    """Counts wrong tries, for all clients together, and makes them wait.

    Nobody is kept waiting in a thread: a try that comes too early is refused without a look at it.

    :param clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()  # guards the two below
        self._failed = 0
        self._not_before = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether nothing but a restart opens it again."""
        return self._failed >= TRIES

    def try_pin(self, entered: str, pin: str) -> Verdict:
        """Look at one try.

        :param entered: what somebody typed; dashes and blanks in it do not count.
        :param pin: the right one.
        """
        with self._guard:
            wait = self._not_before - self._clock()
            if self.exhausted or wait > 0:
                return Verdict(right=False, left=TRIES - self._failed, wait=max(wait, 0.0))
            if hmac.compare_digest(_bare(entered), _bare(pin)):
                self._failed = 0
                return Verdict(right=True, left=TRIES)
            self._failed += 1
            pause = min(0.5 * 2 ** (self._failed - 1), 30.0)  # half a second, 1, 2, ... 30
            self._not_before = self._clock() + pause
            return Verdict(right=False, left=TRIES - self._failed, wait=pause)


def _bare(pin: str) -> bytes:
    return pin.replace("-", "").replace(" ", "").strip().encode("utf-8", "replace")


# -- the cookie ----------------------------------------------------------------------------------


def make_cookie(pin: str) -> str:
    """Return the cookie of a browser that knew the PIN."""
    now = str(int(time.time()))
    return f"{now}|{hash_pin(f'{now}|{pin}')}"


def cookie_is_right(environ: Environ, name: str, pin: str) -> bool | None:
    """Whether a request brings the cookie.

    :returns: ``None`` if it brings one that is not ours.
    """
    value = dict(parse_cookie_pairs(environ.get("HTTP_COOKIE", ""))).get(name)
    if not value:
        return False
    made, _, signature = value.partition("|")
    right = hash_pin(f"{made}|{pin}").encode()
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), right):
        return None
    return time.time() - PIN_TIME < int(made)  # a number: we have signed it
