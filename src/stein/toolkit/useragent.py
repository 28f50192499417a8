"""The program that sent a request, as far as it says so."""

from __future__ import annotations

__all__ = ["UserAgent"]


class UserAgent:
    """The value of the User-Agent field (RFC 9110 10.1.5).

    The value is not taken apart: what browsers write there changes faster than a library.  A
    subclass may do so and set the attributes; ``Request.user_agent_class`` is where it goes.

    :param string: the value.
    """

    platform: str | None = None  #: the operating system
    browser: str | None = None  #: the name of the browser
    version: str | None = None  #: the version of the browser
    language: str | None = None  #: the language of the browser

    def __init__(self, string: str) -> None:
        self.string = string

    def to_header(self) -> str:
        """The value as it was sent."""
        return self.string

    def __str__(self) -> str:
        return self.string

    def __bool__(self) -> bool:
        return bool(self.browser)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.browser}/{self.version}>"
