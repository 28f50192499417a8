"""Fields that are missing in what was sent, and why."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from stein.toolkit.exceptions import BadRequestKeyError, HTTPException
from stein.web.explain.names import did_you_mean, listed
from stein.web.globals import context_var

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.web.request import Request

__all__ = [
    "DebugFilesKeyError",
    "UnexpectedUnicodeError",
    "attach_enctype_error_multidict",
    "explain_key_error",
    "explain_missing_keys",
]

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class UnexpectedUnicodeError(AssertionError, UnicodeError):
    """Text where bytes belong, or the other way round.

    Nothing here raises it; it is a public name for extensions that do.
    """


class DebugFilesKeyError(KeyError, AssertionError):
    """A view asked for a file that the form has sent only the name of.

    Raised in debug mode by ``request.files[key]``.

    :param request: the request.
    :param key: the name of the field.
    """

    def __init__(self, request: Request, key: str) -> None:
        text = (
            f"request.files has no {key!r}, since no file contents were transmitted: the media "
            f"type of the request is {request.mimetype!r} instead of 'multipart/form-data'. Write "
            '<form method="post" enctype="multipart/form-data">.'
        )
        # Values of a form are nobody's business; these are those of a file field, that is, names.
        submitted = ", ".join(map(repr, request.form.getlist(key)))
        if submitted:
            text += f" The browser sent the names of files instead. This was submitted: {submitted}"
        self.msg = text
        super().__init__(text)

    def __str__(self) -> str:
        return self.msg


class MissingKeyError(BadRequestKeyError):
    """A key is missing; the message, if it may be shown, tells what was sent instead.

    That is worked out when the message is read.

    :param key: that is missing.
    :param request: the request.
    :param source: the attribute of the request that was asked.
    """

    def __init__(self, key: object, request: Request, source: str) -> None:
        super().__init__(key)
        self.request = request
        self.source = source

    @property  # type: ignore[override]
    def description(self) -> str | None:
        """The text of the page."""
        text = BadRequestKeyError.description.fget(self)  # type: ignore[attr-defined] # a property
        if not self.show_exception:
            return text  # type: ignore[no-any-return]
        return f"{text}\n{_explanation(str(self.args[0]), self.request, self.source)}"

    @description.setter
    def description(self, value: str | None) -> None:
        self._description = value

    def __reduce__(self) -> tuple[Any, ...]:
        return BadRequestKeyError, self.args


def explain_missing_keys(request: Request) -> None:
    """Let the form and the files of a request say more when a key is missing.

    For debug mode, when they have just been read.  Their classes are replaced by subclasses.

    :param request: the request, whose ``form`` and ``files`` are changed.
    """
    for source in ("form", "files"):
        fields = getattr(request, source)
        try:
            fields.__class__ = _explaining(type(fields), source)  # type: ignore[arg-type] # hashable
        except TypeError:  # a class of one's own, with slots
            continue
        # The request keeps the dictionary, so that is no cycle that outlives both.
        fields.explained_request = request


def attach_enctype_error_multidict(request: Request) -> None:
    """Let ``request.files`` of a form that was sent without files explain that.

    :param request: the request, whose ``files`` are changed.
    """
    explain_missing_keys(request)


@lru_cache(maxsize=32)
def _explaining(kind: type[Any], source: str) -> type[Any]:
    """A subclass of a multidict whose missing keys are explained."""
    if getattr(kind, "explained_source", None) == source:
        return kind

    class Explaining(kind):  # type: ignore[misc]
        explained_source = source
        explained_request: Any = None

        def __reduce_ex__(self, protocol: Any) -> Any:
            # Only the plain class can be found again, and the request is not to be pickled.
            return kind(self).__reduce_ex__(protocol)

        def __getitem__(self, key: Any) -> Any:
            try:
                return super().__getitem__(key)
            except KeyError as error:
                request = self.explained_request
                if request is None:  # a copy
                    raise
                if source == "files" and _sent_without_files(request) and key in request.form:
                    raise DebugFilesKeyError(request, key) from None
                raise MissingKeyError(key, request, source).with_traceback(
                    error.__traceback__
                ) from None

    Explaining.__name__ = kind.__name__
    Explaining.__qualname__ = kind.__qualname__
    Explaining.__module__ = kind.__module__
    return Explaining


def _sent_without_files(request: Request) -> bool:
    return request.mimetype != "multipart/form-data"


def explain_key_error(error: BadRequestKeyError) -> None:
    """Let the answer to a missing key name it, and tell what was sent with the current request.

    For debug mode.

    :param error: of ``request.args["name"]`` and the like; changed in place.
    """
    error.show_exception = True
    context = context_var.get(None)
    current = None if context is None else context.request_context
    if current is None or isinstance(error, MissingKeyError) or not error.args:
        return
    # Which mapping it was is not known: of the request's arguments that is likely, not sure.
    text = "\n".join(_sent(current.request))
    error.description = f"{BadRequestKeyError._description}\n{text}"  # noqa: SLF001 - the default


def _explanation(key: str, request: Request, source: str) -> str:
    lines = [f"request.{source} has no {key!r}."]
    lines += _sent(request)
    lines += _causes(key, request, source)
    return "\n".join(lines)


def _sent(request: Request) -> Iterator[str]:
    """The names of what was sent, without the values."""
    nothing = True
    for source in ("args", "form", "files"):
        # What was not read yet stays so: the error may be one of reading it.
        if source != "args" and source not in vars(request):
            continue
        names = list(getattr(request, source))
        if names:
            nothing = False
            yield f"request.{source} has {listed(names)}."
    if nothing:
        yield "Neither the query string nor a form has any fields."


def _causes(key: str, request: Request, source: str) -> Iterator[str]:
    """What is likely to be the reason, the most certain first."""
    for other in ("args", "form", "files"):
        if other != source and key in getattr(request, other):
            yield f"{key!r} is in request.{other}: ask for it there."
            return
    mimetype = request.mimetype
    if request.is_json:
        names = _json_names(request)
        found = f" {key!r} is a key of it." if key in names else ""
        yield f"The body is JSON ({mimetype}), not a form: use request.get_json().{found}"
    elif hint := did_you_mean(key, getattr(request, source)):
        yield hint
    elif source == "files" and _sent_without_files(request):
        yield (
            f"The media type is {mimetype!r}, and only a form with "
            'enctype="multipart/form-data" has files.'
        )
    elif mimetype and mimetype not in _FORMS:
        yield f"The media type is {mimetype!r}, and a form is sent as {' or '.join(_FORMS)}."
    elif not mimetype and request.content_length:
        yield "There is a body without a Content-Type, so that it is not read as a form."
    elif request.method == "GET" and source == "form":
        yield "A form that is sent with GET has its fields in request.args."
    else:
        yield (
            "The field may have no name attribute (an id is not enough), or be a checkbox that is "
            f"not ticked. If it need not be there, use request.{source}.get({key!r})."
        )


def _json_names(request: Request) -> list[str]:
    try:
        value = request.get_json(silent=True)
    except (HTTPException, OSError, RuntimeError):  # it cannot be read, which is not the matter
        return []
    return list(map(str, value)) if isinstance(value, dict) else []
