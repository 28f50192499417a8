"""Every error that stein raises, as one family.

::

    SteinError
    ├── ConfigurationError      what the operator set up; one line says value, cause and next step
    │   ├── BindError           an address cannot be listened on
    │   ├── CertificateError    a certificate, key or authority file cannot be used
    │   ├── Mistakes            several of them at once
    │   └── ApplicationNotFound the "module:attribute" text leads to no application
    ├── ApplicationError        the application broke PEP 3333 or HTTP
    └── RequestError            the peer broke HTTP or a limit; carries the status it becomes
        └── Disconnected        the peer went away while its request was still being read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ApplicationError",
    "ApplicationNotFound",
    "BindError",
    "CertificateError",
    "ConfigurationError",
    "Disconnected",
    "Mistakes",
    "RequestError",
    "SteinError",
]


class SteinError(Exception):
    """The root of the family; never raised itself."""


class ConfigurationError(SteinError):
    """A setting cannot work.  The message names the value, the cause and the next step."""


class BindError(ConfigurationError):
    """An address cannot be listened on."""


class CertificateError(ConfigurationError):
    """A TLS certificate, key or authority file is missing, unreadable or does not match."""


class Mistakes(ConfigurationError):  # noqa: N818 - reads as the field says it
    """Several things are wrong with what the operator set up.

    :param mistakes: each as one line.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class ApplicationNotFound(ConfigurationError):  # noqa: N818 - reads as the field says it
    """No application stands where ``module:attribute`` points."""


class ApplicationError(SteinError):
    """The application broke a rule of PEP 3333 or of HTTP; the client gets a plain 500."""


class RequestError(SteinError):
    """The peer broke a rule of HTTP or ran into a limit.

    :param status: the status code of the answer, 400 to 599.
    :param reason: what was wrong, for the log; the client sees the status only.
    :param limit: the name of the setting that was exceeded, if one was.
    """

    def __init__(self, status: int, reason: str, limit: str | None = None) -> None:
        super().__init__(reason if limit is None else f"{reason} (setting: {limit})")
        self.status = status
        self.reason = reason
        self.limit = limit


class Disconnected(RequestError, OSError):  # noqa: N818 - it says what has happened
    """The peer went away, or fell silent, before its request was complete.

    It is an :class:`OSError` too, so that an application's usual handling of a failed
    ``wsgi.input`` read catches it.
    """
