"""JSON as an application has it: what views answer with, and what they read.

Encoding costs little, and making an encoder for each call cost more than that; so each provider
keeps one for the settings that it was last used with (:class:`_Encoder`).
"""

from __future__ import annotations

import sys
from datetime import date
from functools import cache
from typing import IO, TYPE_CHECKING, Any, AnyStr, Final
from weakref import proxy

from stein.toolkit.http import http_date
from stein.web.json.large import is_large, write_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.app import Stein
    from stein.web.response import Response

__all__ = ["DefaultJSONProvider", "JSONProvider"]

_COMPACT: Final = (",", ":")

#: how long JSON must be to have the next values looked at for whether they are large, and how many
LARGE: Final = 256
LOOKS: Final = 100


class JSONProvider:
    """What an application does with JSON; the base of those that do it with another library.

    A subclass needs :meth:`dumps` and :meth:`loads`.  Make it the application's
    ``json_provider_class``, or assign an instance to ``app.json``.

    :param app: the application; a weak reference to it is kept as ``_app``.
    """

    def __init__(self, app: Stein) -> None:
        self._app: Stein = proxy(app)  # type: ignore[assignment]  # it stands for one

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write a value as JSON.

        :param obj: the value.
        :param kwargs: may be passed on to the library.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method dumps()")

    def dump(self, obj: Any, fp: IO[str], **kwargs: Any) -> None:
        """Write a value as JSON to a text file.

        :param obj: the value.
        :param fp: the file; its encoding should be UTF-8.
        :param kwargs: see :meth:`dumps`.
        """
        fp.write(self.dumps(obj, **kwargs))

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read a value from JSON.

        :param s: text, or bytes in UTF-8.
        :param kwargs: may be passed on to the library.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method loads()")

    def load(self, fp: IO[AnyStr], **kwargs: Any) -> Any:
        """Read a value from a file with JSON.

        :param fp: the file, of text or of bytes in UTF-8.
        :param kwargs: see :meth:`loads`.
        """
        return self.loads(fp.read(), **kwargs)

    def _prepare_response_obj(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the arguments of :meth:`response` stand for."""
        if not kwargs:
            return args[0] if len(args) == 1 else args or None
        if args:
            raise TypeError("app.json.response() takes either args or kwargs, not both")
        return kwargs

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Make a response with a value as JSON; it is what ``jsonify`` does.

        :param args: the value, or the items of a list; without any, it is None.
        :param kwargs: the items of a dict, instead.
        """
        text = self.dumps(self._prepare_response_obj(args, kwargs))
        return self._app.response_class(text, mimetype="application/json")


def default_of(o: Any) -> Any:
    """Turn a value that JSON does not have into one that it has.

    A date or a moment becomes the date of HTTP (RFC 9110 5.6.7), a decimal number and a UUID
    become text, a dataclass a dict, and what has ``__html__`` its HTML.

    :raises TypeError: for any other.
    """
    if isinstance(o, date):
        return http_date(o)
    # A module that was never imported made none of its objects.
    decimal, uuid = sys.modules.get("decimal"), sys.modules.get("uuid")
    if decimal is not None and isinstance(o, decimal.Decimal):
        return str(o)
    if uuid is not None and isinstance(o, uuid.UUID):
        return str(o)
    if hasattr(type(o), "__dataclass_fields__"):
        from dataclasses import asdict  # noqa: PLC0415 - is there, if there is a dataclass

        return asdict(o)
    if hasattr(o, "__html__"):
        return str(o.__html__())
    raise TypeError(
        f"Object of type {type(o).__name__} is not JSON serializable; give app.json.default a "
        f"function that turns it into something that is (it was {o!r:.100})"
    )


class _Encoder:
    """One way to write JSON, with the settings that make it so.

    :param default: called with each value that JSON does not have.
    :param ensure_ascii: escape what is not ASCII.
    :param sort_keys: write the keys of dicts in order.
    :param separators: between items, and between a key and its value.
    """

    __slots__ = ("default", "encode", "ensure_ascii", "sort_keys")

    def __init__(
        self,
        default: Callable[[Any], Any],
        ensure_ascii: bool,  # noqa: FBT001 - private, and named as the settings are
        sort_keys: bool,  # noqa: FBT001
        separators: tuple[str, str],
    ) -> None:
        self.default = default
        self.ensure_ascii = ensure_ascii
        self.sort_keys = sort_keys
        self.encode = _encoder_with(
            {
                "default": default,
                "ensure_ascii": ensure_ascii,
                "sort_keys": sort_keys,
                "separators": separators,
            }
        )


def _encoder_with(settings: dict[str, Any]) -> Callable[[Any], str]:
    """Make a function that does ``json.dumps(value, **settings)``, only sooner."""
    from json import dumps, encoder  # noqa: PLC0415 - not every application writes JSON

    make: Callable[..., Any] | None = getattr(encoder, "c_make_encoder", None)
    if make is None:  # pragma: no cover - CPython has it
        return encoder.JSONEncoder(**settings).encode
    escape = getattr(
        encoder, "encode_basestring_ascii" if settings["ensure_ascii"] else "encode_basestring"
    )
    item, key = settings["separators"]
    # PERF: `json.dumps` makes a Python and a C object for each call: 2.3 us instead of 0.7 for a
    # dict of two.  The C object is good for many calls, in many threads at once, as long as it
    # does not keep book (the first argument) of which containers it is in.  So a circle runs into
    # the limit of recursion, and json.dumps then does it again to find the words for that.
    ensure_ascii, sort_keys = settings["ensure_ascii"], settings["sort_keys"]
    write = make(None, settings["default"], escape, None, key, item, sort_keys, False, True)
    join = "".join
    # How many more values are looked at for whether they are large.  PERF: a program that never
    # writes a large one is not to pay for the question, which is a fifth of a small one's time.
    # Threads may miscount; nothing depends on it but that.
    looks = 0
    may_look = settings["separators"] == _COMPACT

    def encode(value: Any) -> str:
        nonlocal looks
        if looks:
            looks -= 1
            if is_large(value):
                text = write_large(value, ensure_ascii=ensure_ascii, sort_keys=sort_keys)
                if text is not None:
                    looks = LOOKS
                    return text
        try:
            text = join(write(value, 0))
        except RecursionError:
            return dumps(value, **settings)
        if may_look and len(text) >= LARGE:
            looks = LOOKS
        return text

    return encode


@cache
def _scan() -> Callable[[str, int], tuple[Any, int]]:
    """The function that reads a value at some place of a text, and tells where it ends."""
    from json import JSONDecoder  # noqa: PLC0415 - not every application reads JSON

    scan: Callable[[str, int], tuple[Any, int]] = JSONDecoder().scan_once  # type: ignore[attr-defined]  # typeshed has only what is documented
    return scan


class DefaultJSONProvider(JSONProvider):
    """The standard library's JSON, with the types of :func:`default_of` beside its own.

    The attributes below may be set on the instance, at any time.
    """

    #: makes something that JSON has of what it has not, or raises TypeError
    default: Callable[[Any], Any] = staticmethod(default_of)

    #: write all that is not ASCII as ``\uXXXX``
    ensure_ascii = True

    #: write the keys of dicts in order, for which all must be of one type
    sort_keys = True

    #: whether :meth:`response` leaves out spaces and line ends; None: unless in debug mode
    compact: bool | None = None

    #: the media type of :meth:`response`
    mimetype = "application/json"

    # Encoders by their separators, which is the only setting that calls differ in.
    _encoders: dict[Any, _Encoder]

    def __init__(self, app: Stein) -> None:
        super().__init__(app)
        self._encoders = {}

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write a value as JSON.

        :param obj: the value.
        :param kwargs: for :func:`json.dumps`; those not given are as the attributes say.
        """
        if not kwargs:
            return self._encoder((", ", ": ")).encode(obj)
        if kwargs.get("separators") == _COMPACT and len(kwargs) == 1:
            return self._encoder(_COMPACT).encode(obj)
        kwargs.setdefault("default", self.default)
        kwargs.setdefault("ensure_ascii", self.ensure_ascii)
        kwargs.setdefault("sort_keys", self.sort_keys)
        from json import dumps  # noqa: PLC0415 - see _encoder_with

        return dumps(obj, **kwargs)

    def _encoder(self, separators: tuple[str, str]) -> _Encoder:
        """The encoder for the settings as they are now."""
        default, ensure_ascii, sort_keys = self.default, self.ensure_ascii, self.sort_keys
        found = self._encoders.get(separators)
        if (
            found is None
            or found.default != default
            or found.ensure_ascii is not ensure_ascii
            or found.sort_keys is not sort_keys
        ):
            found = _Encoder(default, ensure_ascii, sort_keys, separators)
            self._encoders[separators] = found
        return found

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read a value from JSON.

        :param s: text, or bytes in UTF-8.
        :param kwargs: for :func:`json.loads`.
        """
        # PERF: json.loads, called with text, spends most of its time on looking at its arguments
        # and for spaces around the value: 0.5 us instead of 1.3 for a dict of two.
        if not kwargs and type(s) is str:
            try:
                value, end = _scan()(s, 0)
            except (ValueError, StopIteration, RecursionError):
                pass  # json.loads will say what is wrong, if it is
            else:
                if end == len(s):
                    return value
        from json import loads  # noqa: PLC0415 - not every application reads JSON

        return loads(s, **kwargs)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Make a response with a value as JSON and a line end; it is what ``jsonify`` does.

        :param args: the value, or the items of a list; without any, it is None.
        :param kwargs: the items of a dict, instead.
        """
        app = self._app
        # PERF: what nearly all calls come to, without the call that settles the rest.
        value: Any
        if kwargs and not args:
            value = kwargs
        elif len(args) == 1 and not kwargs:
            value = args[0]
        else:
            value = self._prepare_response_obj(args, kwargs)
        compact = self.compact
        if compact is None:
            compact = not app.debug
        if not compact:
            text = self.dumps(value, indent=2)
        elif getattr(self.dumps, "__func__", None) is _dumps:
            text = self._encoder(_COMPACT).encode(value)  # PERF: what dumps would come to
        else:
            text = self.dumps(value, separators=_COMPACT)
        return app.response_class(text + "\n", mimetype=self.mimetype)


_dumps: Final = DefaultJSONProvider.dumps
_default: Final = default_of  # the name that programs have for it
