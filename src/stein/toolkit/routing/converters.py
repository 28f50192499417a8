"""Converters: what a placeholder of a rule takes from a path, and how a value gets into a URL.

A converter is made once, when its rule is bound to a map, and used by all threads after that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stein.http.urls import percent_encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from stein.toolkit.routing.map import Map

__all__ = [
    "DEFAULT_CONVERTERS",
    "PATH_SAFE",
    "AnyConverter",
    "BaseConverter",
    "FloatConverter",
    "IntegerConverter",
    "NumberConverter",
    "PathConverter",
    "UUIDConverter",
    "UnicodeConverter",
    "ValidationError",
    "encode_path",
    "encode_value",
    "is_unsafe",
    "make_values",
    "takes_any_number",
]

#: what may stand in a path besides letters, digits and ``-._~``
#: (https://url.spec.whatwg.org/#url-path-segment-string)
PATH_SAFE: Final = "!$&'()*+,/:;=@"
#: whether a text has characters that may not
is_unsafe: Final = re.compile(f"[^A-Za-z0-9._~{PATH_SAFE}\\-]").search


def encode_path(text: str) -> str:
    """Percent-encode a path, or a part of one; its slashes stay."""
    # PERF: percent_encode() takes three times as long to see that there is nothing to do.
    return text if is_unsafe(text) is None else percent_encode(text, PATH_SAFE)


def encode_value(value: Any) -> str:
    """Percent-encode a value for a path."""
    text = value if value.__class__ is str else str(value)
    # PERF: encode_path() again, without the call.
    return text if is_unsafe(text) is None else percent_encode(text, PATH_SAFE)


class ValidationError(ValueError):
    """The value is none that the converter takes.

    Raised by ``to_python``, the answer is 404: no other rule is asked, since which rule is meant
    was decided by the patterns.  Raised by ``to_url``, the next rule of the endpoint is tried.
    """


class BaseConverter:
    r"""A converter that takes one segment; the base of all others.

    A subclass sets :attr:`regex`, and overrides :meth:`to_python` and :meth:`to_url` for values
    that are not texts.  The arguments of the placeholder are given to its constructor, after the
    map::

        class Hex(BaseConverter):
            regex = "[0-9a-f]+"

            def to_python(self, value):
                return int(value, 16)

            def to_url(self, value):
                return f"{value:x}"


        Map([Rule("/color/<hex:rgb>", endpoint="color")], converters={"hex": Hex})

    The time a pattern needs is the business of who writes it: for the patterns of the converters
    in this module, alone or together, it is linear in the length of the path.

    :param map: the map whose rule has the placeholder.
    """

    regex: str = "[^/]+"  #: the pattern that the value must match as a whole
    weight: int = 100  #: placeholders of less weight are tried first
    #: whether a value ends before the next slash; false by default where :attr:`regex` names one
    part_isolating: bool = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "regex" in own and "part_isolating" not in own:
            cls.part_isolating = "/" not in cls.regex

    def __init__(self, map: Map, *args: Any, **kwargs: Any) -> None:  # noqa: A002, ARG002 - public
        self.map = map

    def to_python(self, value: str) -> Any:
        """The value for the view.

        :param value: what :attr:`regex` matched, decoded.
        :raises ValidationError: it matches, and is no value all the same.
        """
        return value

    def to_url(self, value: Any) -> str:
        """The text for the URL, percent-encoded.

        :param value: what was given for the placeholder.
        :raises ValidationError: the rule cannot be built with it.
        """
        return encode_value(value)


class UnicodeConverter(BaseConverter):
    """``string``, and the default: any text without a slash.

    :param minlength: the fewest characters.
    :param maxlength: the most characters; None: any number.
    :param length: exactly so many characters; the other two do not count then.
    """

    def __init__(
        self,
        map: Map,  # noqa: A002 - public name
        minlength: int = 1,
        maxlength: int | None = None,
        length: int | None = None,
    ) -> None:
        if length is None:
            count = f"{int(minlength)},{'' if maxlength is None else int(maxlength)}"
        else:
            count = str(int(length))
        self.regex = f"[^/]{{{count}}}"
        super().__init__(map)


class AnyConverter(BaseConverter):
    """``any``: one of a few words, ``<any(about, help, "a word, too"):page>``.

    :param items: the words.
    """

    def __init__(self, map: Map, *items: str) -> None:  # noqa: A002 - public name
        super().__init__(map)
        for item in items:
            if not isinstance(item, str):
                raise TypeError(f"any(): {item!r} is no text; put it in quotes: any('{item}')")
        self.words = items
        self.items = set(items)
        self.regex = self.words_regex

    @property
    def words_regex(self) -> str:
        """The words as a pattern, in the order in which they were given."""
        return f"(?:{'|'.join([re.escape(word) for word in self.words])})"

    def to_url(self, value: Any) -> str:
        """The word.

        :raises ValueError: it is not one of :attr:`items`.
        """
        if value in self.items:
            return encode_path(str(value))
        words = ", ".join(f"'{item}'" for item in sorted(self.items))
        raise ValueError(f"'{value}' is not one of {words}")


class PathConverter(BaseConverter):
    """``path``: any text that does not begin with a slash, slashes included.

    Of several in one rule, each takes as little as it can.
    """

    part_isolating = False
    regex = "[^/].*?"
    weight = 200


class NumberConverter(BaseConverter):
    """What ``int`` and ``float`` have in common.

    :param fixed_digits: the exact number of digits, with zeros in front; 0: any number.
    :param min: the least value.
    :param max: the greatest value.
    :param signed: whether a minus may stand in front.
    """

    weight = 50
    num_convert: Callable[[Any], Any] = int

    def __init__(
        self,
        map: Map,  # noqa: A002 - public name
        fixed_digits: int = 0,
        min: int | None = None,  # noqa: A002 - public name
        max: int | None = None,  # noqa: A002 - public name
        signed: bool = False,  # noqa: FBT001, FBT002 - public name
    ) -> None:
        super().__init__(map)
        self.min, self.max = min, max
        self.fixed_digits = fixed_digits
        self.signed = signed
        if signed:
            self.regex = self.signed_regex

    def to_python(self, value: str) -> Any:
        """The number.

        :raises ValidationError: it is out of range, or longer than Python reads numbers.
        """
        if self.fixed_digits and len(value) != self.fixed_digits:
            raise ValidationError
        try:
            number = self.num_convert(value)
        except ValueError as error:
            raise ValidationError from error
        if self.min is not None and number < self.min:
            raise ValidationError
        if self.max is not None and number > self.max:
            raise ValidationError
        return number

    def to_url(self, value: Any) -> str:
        """The digits of the number."""
        digits = str(self.num_convert(value))
        return digits.zfill(self.fixed_digits) if self.fixed_digits else digits

    @property
    def signed_regex(self) -> str:
        """:attr:`regex` with a minus before it, or none."""
        return f"-?{self.regex}"


def takes_any_number(converter: BaseConverter) -> bool:
    """Whether a converter is for whole numbers and does nothing but ``int()`` and ``str()``."""
    return (
        isinstance(converter, NumberConverter)
        and type(converter).num_convert is int
        and not converter.fixed_digits
        and converter.min is None
        and converter.max is None
    )


class IntegerConverter(NumberConverter):
    """``int``: a whole number; without a sign, unless ``int(signed=True)``."""

    regex = r"\d+"


class FloatConverter(NumberConverter):
    """``float``: digits, a dot, digits; without a sign, unless ``float(signed=True)``."""

    regex = r"\d+\.\d+"
    num_convert = float

    def __init__(
        self,
        map: Map,  # noqa: A002 - public name
        min: float | None = None,  # noqa: A002 - public name
        max: float | None = None,  # noqa: A002 - public name
        signed: bool = False,  # noqa: FBT001, FBT002 - public name
    ) -> None:
        super().__init__(map, min=min, max=max, signed=signed)  # type: ignore[arg-type] # floats


class UUIDConverter(BaseConverter):
    """``uuid``: a UUID in its usual form, 8-4-4-4-12 hexadecimal digits (RFC 9562 4)."""

    regex = "-".join(f"[A-Fa-f0-9]{{{count}}}" for count in (8, 4, 4, 4, 12))

    def to_python(self, value: str) -> UUID:
        """The UUID."""
        # Late: few programs have such a rule, and the module asks the system for its libraries.
        from uuid import UUID  # noqa: PLC0415

        return UUID(value)

    def to_url(self, value: Any) -> str:
        """The UUID's usual form."""
        return encode_path(str(value))


#: the names that every map knows
DEFAULT_CONVERTERS: Mapping[str, type[BaseConverter]] = {
    "default": UnicodeConverter,
    "string": UnicodeConverter,
    "any": AnyConverter,
    "path": PathConverter,
    "int": IntegerConverter,
    "float": FloatConverter,
    "uuid": UUIDConverter,
}


# -- the values of a whole rule ------------------------------------------------------------------


def make_values(
    converters: Mapping[str, BaseConverter],
) -> Callable[[Sequence[str]], dict[str, Any]]:
    """A function that makes the values of what the placeholders of a rule took.

    PERF: written out for one placeholder and two, which most rules have; and of the calls that do
    nothing, or nothing but ``int()``, none is made.  If it raises a ``ValueError``, the converters
    are to be asked what is the matter.

    :param converters: by the name of the placeholder, in order.
    """
    steps = [(name, _conversion(converter)) for name, converter in converters.items()]
    if len(steps) == 1:
        return _make_one(*steps[0])
    if len(steps) == 2:
        return _make_two(*steps[0], *steps[1])

    def make_many(taken: Sequence[str]) -> dict[str, Any]:
        return {
            name: text if convert is None else convert(text)
            for (name, convert), text in zip(steps, taken, strict=False)
        }

    return make_many


Conversion: TypeAlias = "Callable[[str], Any] | None"


def _conversion(converter: BaseConverter) -> Conversion:
    """What makes a value of a text; None if the text is the value."""
    convert = converter.to_python
    function = getattr(convert, "__func__", None)
    if function is BaseConverter.to_python:
        return None
    if function is NumberConverter.to_python and takes_any_number(converter):
        return int
    return convert


def _make_one(name: str, convert: Conversion) -> Callable[[Sequence[str]], dict[str, Any]]:
    if convert is None:
        return lambda taken: {name: taken[0]}
    return lambda taken: {name: convert(taken[0])}


def _make_two(
    name: str, convert: Conversion, other: str, convert_other: Conversion
) -> Callable[[Sequence[str]], dict[str, Any]]:
    def make(taken: Sequence[str]) -> dict[str, Any]:
        text, second = taken
        return {
            name: text if convert is None else convert(text),
            other: second if convert_other is None else convert_other(second),
        }

    return make
