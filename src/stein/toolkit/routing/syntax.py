"""The language of rules: what stands in ``/user/<int(min=1):id>/edit``.

    rule        = *( "/" / text / placeholder )
    placeholder = "<" [ converter [ "(" arguments ")" ] ":" ] name ">"
    arguments   = [ argument *( "," argument ) [ "," ] ]
    argument    = [ name "=" ] ( word / number / quoted text )

The arguments end at the first ``)`` behind which ``:name>`` stands, so that they may hold
parentheses.  There are no escapes in a quoted text, so that patterns can be written as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Placeholder", "parse_converter_args", "read_rule"]


class Placeholder(NamedTuple):
    """One ``<...>`` of a rule."""

    name: str
    converter: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_TEXT: Final = re.compile("[^</]+")
_OPENING: Final = re.compile(f"<({_IDENTIFIER})([>:(])")
_NAME: Final = re.compile(f"({_IDENTIFIER})>")
_CLOSING: Final = re.compile(rf"\):({_IDENTIFIER})>")


def read_rule(rule: str) -> Iterator[str | Placeholder]:
    """Take a rule apart: each slash for itself, texts, and placeholders.

    :raises ValueError: something in angle brackets is no placeholder; the message has the place.
    """
    position = 0
    while position < len(rule):
        if rule[position] == "/":
            yield "/"
            position += 1
        elif text := _TEXT.match(rule, position):
            yield text[0]
            position = text.end()
        else:
            placeholder, position = _read_placeholder(rule, position)
            yield placeholder


def _read_placeholder(rule: str, position: int) -> tuple[Placeholder, int]:
    """The placeholder that begins at ``position``, and where it ends."""
    opening = _OPENING.match(rule, position)
    if opening is not None:
        word, mark = opening.groups()
        start = opening.end()
        if mark == ">":
            return Placeholder(word, "default", (), {}), start
        closing = (_NAME.match if mark == ":" else _CLOSING.search)(rule, start)
        if closing is not None:
            text = rule[start : closing.start()]
            try:
                args, kwargs = parse_converter_args(text)
            except ValueError as error:
                raise ValueError(f"malformed URL rule {rule!r}: {error}") from error
            return Placeholder(closing[1], word, args, kwargs), closing.end()
    raise ValueError(
        f"malformed URL rule {rule!r}: no placeholder begins at position {position}; "
        "write <name>, <converter:name> or <converter(arguments):name>"
    )


# -- the arguments of a converter ----------------------------------------------------------------

_KEYWORD: Final = re.compile(r"\s*(?:(\w+)\s*=\s*)?")
# A quoted text, after the prefixes it may carry in Python; a number with a sign; or a word.
_VALUE: Final = re.compile(
    r"""[urUR]?(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')|(?P<word>-?[\w.]+)"""
)
_END: Final = re.compile(r"\s*(?:,|\Z)")
_CONSTANTS: Final = {"None": None, "True": True, "False": False}


def parse_converter_args(argstr: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Read the arguments of a converter.

    :param argstr: what stands between its parentheses, such as ``'a, "b c", min=1'``.
    :return: positional and named arguments.  ``None``, ``True``, ``False`` and numbers are what
        they are in Python; every other word is a text, as is all that stands in quotes.
    :raises ValueError: it is no such list; the message has the place.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    position, length = 0, len(argstr.rstrip())
    while position < length:
        keyword = _KEYWORD.match(argstr, position)
        assert keyword is not None  # noqa: S101 - all of the pattern is optional
        value = _VALUE.match(argstr, keyword.end())
        end = value and _END.match(argstr, value.end())
        if not value or not end:
            raise ValueError(
                f"cannot read converter arguments {argstr!r} from position {position}: "
                f"{argstr[position : position + 40]!r}; write values and name=value, with commas "
                "between them, and quotes around what is neither a word nor a number"
            )
        read = value[value.lastgroup or 0]
        if value.lastgroup == "word":
            read = _constant(read)
        if keyword[1] is None:
            args.append(read)
        else:
            kwargs[keyword[1]] = read
        position = end.end()
    return tuple(args), kwargs


def _constant(word: str) -> Any:
    """What a word without quotes stands for."""
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    # Words such as "inf" and "nan" are words; what begins like a number may be one.
    if word.lstrip("-.")[:1].isdecimal():
        for number in (int, float):
            try:
                return number(word)
            except ValueError:
                continue
    return word
