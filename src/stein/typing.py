"""Types that several layers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from types import TracebackType
from typing import Any, Protocol, TypeAlias

__all__ = [
    "Buffer",
    "Environ",
    "ExcInfo",
    "HeaderList",
    "StartResponse",
    "WSGIApplication",
    "Write",
]

Buffer: TypeAlias = bytes | bytearray | memoryview
Environ: TypeAlias = dict[str, Any]
HeaderList: TypeAlias = list[tuple[str, str]]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
Write: TypeAlias = Callable[[bytes], object]


class StartResponse(Protocol):
    """The ``start_response`` callable of PEP 3333."""

    def __call__(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None, /
    ) -> Write:
        """Begin the response; gives the ``write`` callable."""


WSGIApplication: TypeAlias = Callable[[Any, Any], Iterable[bytes]]
Variables: TypeAlias = MutableMapping[str, Any]
