"""Errors that are answers: each class is a status a view may raise, and a WSGI application too.

::

    HTTPException                          no status of its own: wraps a response, or is subclassed
    ├── BadRequest 400
    │   ├── BadRequestKeyError             a KeyError, too: a form field or argument is missing
    │   ├── ClientDisconnected             nobody is left to read the answer
    │   ├── SecurityError                  for instance a host that is not trusted
    │   └── BadHost                        a host that is none
    ├── Unauthorized 401                   WWW-Authenticate
    ├── MethodNotAllowed 405               Allow
    ├── RequestedRangeNotSatisfiable 416   Content-Range
    ├── _RetryAfter                        Retry-After: TooManyRequests 429, ServiceUnavailable 503
    ├── InternalServerError 500            knows the exception that caused it
    └── ...                                one class for every other status of an error

This is the lowest module of the toolkit, since all others raise what is here.  What it needs of
them to become a response is imported when that happens.
"""

# ruff: noqa: N818 - a class is called as its status is, and programs catch it by that name

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from markupsafe import Markup, escape

from stein.http.dates import http_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.toolkit.datastructures.auth import WWWAuthenticate
    from stein.toolkit.request import Request
    from stein.toolkit.response import Response
    from stein.toolkit.sansio.response import Response as PureResponse
    from stein.typing import Environ, HeaderList, StartResponse

    Scope: TypeAlias = dict[str, Any]

__all__ = [
    "Aborter",
    "BadGateway",
    "BadHost",
    "BadRequest",
    "BadRequestKeyError",
    "ClientDisconnected",
    "Conflict",
    "ExpectationFailed",
    "FailedDependency",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "HTTPException",
    "HTTPVersionNotSupported",
    "ImATeapot",
    "InternalServerError",
    "LengthRequired",
    "Locked",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NotAcceptable",
    "NotFound",
    "NotImplemented",
    "PreconditionFailed",
    "PreconditionRequired",
    "RequestEntityTooLarge",
    "RequestHeaderFieldsTooLarge",
    "RequestTimeout",
    "RequestURITooLarge",
    "RequestedRangeNotSatisfiable",
    "SecurityError",
    "ServiceUnavailable",
    "TooManyRequests",
    "Unauthorized",
    "UnavailableForLegalReasons",
    "UnprocessableEntity",
    "UnsupportedMediaType",
    "abort",
    "default_exceptions",
]

_BREAK: Final = Markup("<br>")


@cache
def _names() -> Mapping[int, str]:
    """The table of names, which programs may add to."""
    # Late: it is part of a module above us.
    from stein.toolkit.http import HTTP_STATUS_CODES  # noqa: PLC0415

    return HTTP_STATUS_CODES


def _environ_of(given: Environ | Request | None) -> Environ | None:
    environ = getattr(given, "environ", given)
    if environ is None or isinstance(environ, dict):
        return environ
    kind = type(environ).__name__
    raise TypeError(f"{environ!r} is a {kind}; give a request or a WSGI environ, which is a dict")


class HTTPException(Exception):
    """An error with a status code, to be raised in a view and answered by whoever catches it.

    It is a WSGI application: called, it sends a small HTML page.  A subclass sets :attr:`code`
    and :attr:`description`, and overrides ``get_*`` for what it wants otherwise.

    :param description: what the page says instead of the class's own text; :class:`Markup
        <markupsafe.Markup>` is taken as HTML, any other text is escaped.
    :param response: an answer that is ready; it is sent as it is.
    """

    code: int | None = None  #: the status code
    description: str | None = None  #: what went wrong, for the person at the browser
    response: PureResponse | None

    def __init__(
        self, description: str | None = None, response: PureResponse | None = None
    ) -> None:
        super().__init__()
        if description is not None:
            self.description = description
        self.response = response

    @property
    def name(self) -> str:
        """The words that go with :attr:`code`, such as ``Not Found``."""
        return _names().get(self.code or 0, "Unknown Error")

    def get_description(self, environ: Environ | None = None, scope: Scope | None = None) -> str:  # noqa: ARG002 - for subclasses
        """The description as a paragraph of HTML."""
        text = escape(self.description or "")
        if "\n" in text:
            text = text.replace("\n", _BREAK)
        return f"<p>{text}</p>"

    def get_body(self, environ: Environ | None = None, scope: Scope | None = None) -> str:
        """The whole page."""
        name = escape(self.name)
        description = self.get_description(environ, scope)
        return (
            f"<!doctype html>\n<html lang=en>\n<title>{self.code} {name}</title>\n"
            f"<h1>{name}</h1>\n{description}\n"
        )

    def get_headers(
        self,
        environ: Environ | None = None,  # noqa: ARG002 - for subclasses
        scope: Scope | None = None,  # noqa: ARG002
    ) -> HeaderList:
        """The fields that go with the page, as a list of one's own."""
        return [("Content-Type", "text/html; charset=utf-8")]

    def get_response(
        self, environ: Environ | Request | None = None, scope: Scope | None = None
    ) -> Response:
        """The error as a response.

        :param environ: of the request that is answered, or the request; what the ``get_*``
            methods of a subclass may look at.
        :param scope: the same for ASGI.
        :return: :attr:`response` if there is one, otherwise a new one.
        """
        if self.response is not None:
            return self.response  # type: ignore[return-value] # as pure as what one has put in
        # Late: a response needs nearly all of the toolkit, and all of it raises these errors.
        from stein.toolkit.response import Response  # noqa: PLC0415

        environ = _environ_of(environ)
        body = self.get_body(environ, scope)
        return Response(body, self.code, self.get_headers(environ, scope))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the error, as a WSGI application (PEP 3333)."""
        return self.get_response(environ)(environ, start_response)

    def __str__(self) -> str:
        return f"{self.code or '???'} {self.name}: {self.description}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.code or '???'}: {self.name}'>"


# -- 4xx: what the client did (RFC 9110 15.5, unless another source is named) --------------------
# The texts of 400, 401, 403, 404, 405, 413, 422, 429 and 500 are part of the interface: the tests
# of many applications look for them in the answer.


class BadRequest(HTTPException):
    """The request cannot be understood."""

    code = 400
    description = "The browser (or proxy) sent a request that this server could not understand."


class BadRequestKeyError(BadRequest, KeyError):
    """A key is missing in what the client sent: ``request.form["name"]`` without a name.

    :param arg: the key.
    :param args: as those of :class:`HTTPException`.
    """

    #: whether the answer names the key; for development, since it tells what the view reads
    show_exception: bool = False
    _description: str | None = BadRequest.description

    def __init__(self, arg: object = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What an exception prints and pickles is in `args`, which the line above has emptied.
        self.args = () if arg is None else (arg,)

    @property  # type: ignore[override]
    def description(self) -> str | None:
        """The text of the page; it ends with the key if :attr:`show_exception` is set."""
        if self.show_exception:
            return f"{self._description}\nKeyError: {KeyError.__str__(self)}"
        return self._description

    @description.setter
    def description(self, value: str | None) -> None:
        self._description = value


class ClientDisconnected(BadRequest):
    """The client went away while its request was being read.

    Nobody will see the answer; the class is there so that one can tell this from other errors.
    WSGI has no sure way to notice, so it may as well never be raised.
    """


class SecurityError(BadRequest):
    """What the request asks for is refused for safety: for instance, its host is not trusted."""


class BadHost(BadRequest):
    """The host that the request names is no host."""


class Unauthorized(HTTPException):
    """The request needs credentials, or others than it brought.

    :param www_authenticate: how to authenticate: the value or values of WWW-Authenticate, which
        a 401 should have (RFC 9110 15.5.2).
    """

    code = 401
    description = (
        "The server could not verify that you are authorized to access the URL requested. You "
        "either supplied the wrong credentials (e.g. a bad password), or your browser doesn't "
        "understand how to supply the credentials required."
    )

    def __init__(
        self,
        description: str | None = None,
        response: PureResponse | None = None,
        www_authenticate: WWWAuthenticate | Iterable[WWWAuthenticate] | str | None = None,
    ) -> None:
        super().__init__(description, response)
        values: Iterable[object] | None
        if www_authenticate is None:
            values = None
        elif isinstance(www_authenticate, str) or not isinstance(www_authenticate, Iterable):
            values = (www_authenticate,)
        else:
            values = tuple(www_authenticate)
        self.www_authenticate = values

    def get_headers(self, environ: Environ | None = None, scope: Scope | None = None) -> HeaderList:
        """One WWW-Authenticate field for each way, for clients that do not split it at commas."""
        headers = super().get_headers(environ, scope)
        headers += [("WWW-Authenticate", str(value)) for value in self.www_authenticate or ()]
        return headers


class Forbidden(HTTPException):
    """Whoever asks is known, and may not."""

    code = 403
    description = (
        "You don't have the permission to access the requested resource. It is either "
        "read-protected or not readable by the server."
    )


class NotFound(HTTPException):
    """There is nothing here."""

    code = 404
    description = (
        "The requested URL was not found on the server. If you entered the URL manually please "
        "check your spelling and try again."
    )


class MethodNotAllowed(HTTPException):
    """The resource is there, but not for this method.

    :param valid_methods: the methods it is there for; the Allow field, which a 405 must have
        (RFC 9110 15.5.6).
    """

    code = 405
    description = "The method is not allowed for the requested URL."

    def __init__(
        self,
        valid_methods: Iterable[str] | None = None,
        description: str | None = None,
        response: PureResponse | None = None,
    ) -> None:
        super().__init__(description, response)
        self.valid_methods = valid_methods

    def get_headers(self, environ: Environ | None = None, scope: Scope | None = None) -> HeaderList:
        """With Allow."""
        headers = super().get_headers(environ, scope)
        if self.valid_methods:
            headers.append(("Allow", ", ".join(self.valid_methods)))
        return headers


class NotAcceptable(HTTPException):
    """The resource has no form that the Accept fields of the request allow."""

    code = 406
    description = "There is no version of this resource in a form that the client accepts."


class RequestTimeout(HTTPException):
    """The request took too long to arrive."""

    code = 408
    description = "The request did not arrive in the time that the server waits for it."


class Conflict(HTTPException):
    """What the request wants does not go with the present state of the resource."""

    code = 409
    description = "The request is in conflict with the present state of the resource."


class Gone(HTTPException):
    """The resource was here, and has gone for good."""

    code = 410
    description = "The requested URL was here once; it has gone, and nobody knows where to."


class LengthRequired(HTTPException):
    """The request must say in Content-Length how long its body is."""

    code = 411
    description = "The request needs a valid Content-Length header."


class PreconditionFailed(HTTPException):
    """A condition of the request (If-Match, If-Unmodified-Since, ...) does not hold."""

    code = 412
    description = "A precondition of the request does not hold for the requested URL."


class RequestEntityTooLarge(HTTPException):
    """The body is larger than a limit."""

    code = 413
    description = "The data value transmitted exceeds the capacity limit."


class RequestURITooLarge(HTTPException):
    """The URL is longer than a limit."""

    code = 414
    description = "The requested URL is longer than this server allows."


class UnsupportedMediaType(HTTPException):
    """The body is of a media type that the resource does not read."""

    code = 415
    description = "The media type of the request's body is not supported here."


class RequestedRangeNotSatisfiable(HTTPException):
    """The part that the Range field asks for does not exist.

    :param length: how long the whole is, for the Content-Range field (RFC 9110 15.5.17).
    :param units: what ``length`` counts.
    """

    code = 416
    description = "The requested range lies outside of the resource."

    def __init__(
        self,
        length: int | None = None,
        units: str = "bytes",
        description: str | None = None,
        response: PureResponse | None = None,
    ) -> None:
        super().__init__(description, response)
        self.length = length
        self.units = units

    def get_headers(self, environ: Environ | None = None, scope: Scope | None = None) -> HeaderList:
        """With Content-Range, if the length is known."""
        headers = super().get_headers(environ, scope)
        if self.length is not None:
            headers.append(("Content-Range", f"{self.units} */{self.length}"))
        return headers


class ExpectationFailed(HTTPException):
    """The server cannot do what the Expect field wants."""

    code = 417
    description = "The server cannot do what the Expect header of the request wants."


class ImATeapot(HTTPException):
    """Coffee was ordered from a teapot (RFC 2324 2.3.2)."""

    code = 418
    description = "This server is a teapot. It makes no coffee."


class MisdirectedRequest(HTTPException):
    """The request came to a server that does not answer for its host."""

    code = 421
    description = "This server does not answer for the requested host."


class UnprocessableEntity(HTTPException):
    """The body can be read, but makes no sense."""

    code = 422
    description = (
        "The request was well-formed but was unable to be followed due to semantic errors."
    )


class Locked(HTTPException):
    """Somebody holds a lock on the resource (RFC 4918 11.3)."""

    code = 423
    description = "The requested resource is locked."


class FailedDependency(HTTPException):
    """Another action that this one depends on has failed (RFC 4918 11.4)."""

    code = 424
    description = "This could not be done because something else that it depends on has failed."


class PreconditionRequired(HTTPException):
    """The request must be conditional, so that no change of another client is lost (RFC 6585 3)."""

    code = 428
    description = 'The request must state a condition, in "If-Match" or "If-Unmodified-Since".'


class _RetryAfter(HTTPException):
    """An error that may be over later.

    :param retry_after: when to try again: seconds from now, or a moment (UTC if it is naive);
        the Retry-After field (RFC 9110 10.2.3).
    """

    def __init__(
        self,
        description: str | None = None,
        response: PureResponse | None = None,
        retry_after: datetime | int | None = None,
    ) -> None:
        super().__init__(description, response)
        self.retry_after = retry_after

    def get_headers(self, environ: Environ | None = None, scope: Scope | None = None) -> HeaderList:
        """With Retry-After, if it is known."""
        headers = super().get_headers(environ, scope)
        when = self.retry_after
        if isinstance(when, datetime):
            moment = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
            headers.append(("Retry-After", http_date(moment.timestamp())))
        elif when:
            headers.append(("Retry-After", str(when)))
        return headers


class TooManyRequests(_RetryAfter):
    """The client asks too often (RFC 6585 4)."""

    code = 429
    description = "This user has exceeded an allotted request count. Try again later."


class RequestHeaderFieldsTooLarge(HTTPException):
    """A header field, or all of them together, are larger than a limit (RFC 6585 5)."""

    code = 431
    description = "The header fields of the request are larger than this server allows."


class UnavailableForLegalReasons(HTTPException):
    """The law forbids it (RFC 7725)."""

    code = 451
    description = "This resource is withheld for legal reasons."


# -- 5xx: what the server did (RFC 9110 15.6) ----------------------------------------------------


class InternalServerError(HTTPException):
    """The application failed.

    :param original_exception: what it failed with, for whoever wants to show or report it.
    """

    code = 500
    description = (
        "The server encountered an internal error and was unable to complete your request. Either "
        "the server is overloaded or there is an error in the application."
    )

    def __init__(
        self,
        description: str | None = None,
        response: PureResponse | None = None,
        original_exception: BaseException | None = None,
    ) -> None:
        super().__init__(description, response)
        self.original_exception = original_exception


class NotImplemented(HTTPException):  # noqa: A001 - programs know it by this name
    """The server does not do this, whatever the resource."""

    code = 501
    description = "This server does not know how to do what the browser asks for."


class BadGateway(HTTPException):
    """A server behind this one gave an answer that makes no sense."""

    code = 502
    description = "The server behind this proxy sent an answer that is not valid."


class ServiceUnavailable(_RetryAfter):
    """The server cannot answer at present."""

    code = 503
    description = (
        "The server is overloaded or being maintained, and cannot answer now. Please try later."
    )


class GatewayTimeout(HTTPException):
    """A server behind this one did not answer in time."""

    code = 504
    description = "The server behind this proxy did not answer in time."


class HTTPVersionNotSupported(HTTPException):
    """The server does not speak the version of HTTP that the request is in."""

    code = 505
    description = "This server does not speak the HTTP version of the request."


# -- by number -----------------------------------------------------------------------------------


def _by_code() -> dict[int, type[HTTPException]]:
    """For each status the class that stands for it as such: the most general one."""
    found: dict[int, type[HTTPException]] = {}
    families: list[type[HTTPException]] = [HTTPException]
    for family in families:  # grows on the way, generation by generation
        families += family.__subclasses__()
        if family.code is not None:
            found.setdefault(family.code, family)
    return dict(sorted(found.items()))


#: status code -> class
default_exceptions: dict[int, type[HTTPException]] = _by_code()


class Aborter:
    """Raises an error by its number.

    :param mapping: status code -> class; :data:`default_exceptions` if it is not given.
    :param extra: what to add to the mapping, or to have otherwise than it has.
    """

    mapping: dict[int, type[HTTPException]]

    def __init__(
        self,
        mapping: Mapping[int, type[HTTPException]] | None = None,
        extra: Mapping[int, type[HTTPException]] | None = None,
    ) -> None:
        self.mapping = {**(default_exceptions if mapping is None else mapping), **(extra or {})}

    def __call__(self, code: int | PureResponse, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise the error.

        :param code: a status code, or a response that is to be the answer as it is.
        :param args: for the class: most take a description first.
        :raises HTTPException: always, unless:
        :raises LookupError: there is no class for the code.
        """
        if isinstance(code, int):
            error = self.mapping.get(code)
            if error is not None:
                raise error(*args, **kwargs)
        # Late: responses are above us.
        from stein.toolkit.sansio.response import Response  # noqa: PLC0415

        if isinstance(code, Response):
            raise HTTPException(response=code)
        known = ", ".join(map(str, self.mapping))
        raise LookupError(
            f"no exception for {code!r}; there is one for {known}. Return a response with the "
            "status you want, or give it a class in Aborter(extra={...})"
        )


_abort: Final = Aborter()


def abort(status: int | PureResponse, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the error of a status: ``abort(404)`` raises :class:`NotFound`.

    :param status: a status code, or a response, which then is the answer as it is.
    :param args: for the class of the error: most take a description first.
    :raises HTTPException: always, unless:
    :raises LookupError: no class stands for the status.
    """
    _abort(status, *args, **kwargs)
