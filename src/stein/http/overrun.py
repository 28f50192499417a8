"""What a pure parser raises when its input runs over a limit that somebody set."""

from __future__ import annotations

__all__ = ["Overrun"]


class Overrun(ValueError):  # noqa: N818 - it says what has happened
    """The input is larger than allowed; the layer above makes its 413 of it.

    :param what: what there is too much of, e.g. ``the form has more than 1000 parts``: with the
        limit's value in it.
    :param setting: the name of the setting that moves the limit.
    """

    def __init__(self, what: str, setting: str) -> None:
        super().__init__(f"{what} (setting: {setting})")
        self.setting = setting
