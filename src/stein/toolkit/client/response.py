"""What a test's request gives back: a response that knows its request."""

from __future__ import annotations

from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, cast

from stein.toolkit.properties import cached_property
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.toolkit.datastructures.headers import Headers
    from stein.toolkit.request import Request

__all__ = ["TestResponse", "wrapper_for"]


class TestResponse(Response):
    """A response that a client got.

    Close it, or use it with ``with``, if the application sends a file or a stream; otherwise that
    stays open until it is collected.

    :param response: the body.
    :param status: such as ``200 OK``.
    :param headers: the fields.
    :param request: what was asked.
    :param history: the responses that have led here, the first one first.
    """

    __test__ = False  # pytest collects classes by their names

    #: as the application said it, and nothing if it said nothing
    default_mimetype = None

    request: Request  #: what was asked
    history: tuple[TestResponse, ...]  #: the redirects that were followed on the way here

    # of the request: where its body begins in the stream, to send it again; and that stream, if it
    # may be a file that is to be closed
    _body_start = 0
    _body_stream: IO[bytes] | None = None

    def __init__(
        self,
        response: Iterable[bytes],
        status: str,
        headers: Headers,
        request: Request,
        history: tuple[TestResponse, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(response, status, headers, **kwargs)
        self.request = request
        self.history = history

    def close(self) -> None:
        """Close the body, and that of the request if it is a file."""
        super().close()
        if self._body_stream is not None:
            self._body_stream.close()

    @cached_property
    def text(self) -> str:
        """The body as text."""
        return self.get_data(as_text=True)


# PERF: making a class takes 50 us, and a test suite makes a client for each test.
@lru_cache(maxsize=64)
def wrapper_for(response_class: type[Response]) -> type[TestResponse]:
    """The class that is a :class:`TestResponse` and a response of another class at once."""
    if response_class is Response:
        return TestResponse
    if issubclass(response_class, TestResponse):
        return response_class
    return cast(
        "type[TestResponse]", type("WrapperTestResponse", (TestResponse, response_class), {})
    )
