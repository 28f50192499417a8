"""Building URLs: what of a rule can be worked out before values are known.

A rule becomes a *recipe* when it is bound: a text with gaps for its domain and one for its path,
and for each gap the name of the value and the function that encodes it.

For an endpoint the map keeps what is needed to build it: its rules; if these are many,
*candidates*, where it is worked out once for each set of names which rules have enough values; and
if it is a single rule without anything special, as most are, a *shortcut* to its path.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stein.http.urls import encode_query
from stein.toolkit.datastructures.multidict import iter_multi_items
from stein.toolkit.routing.converters import (
    BaseConverter,
    NumberConverter,
    ValidationError,
    encode_path,
    encode_value,
    is_unsafe,
    takes_any_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from stein.toolkit.routing.rules import Rule

__all__ = [
    "Candidates",
    "Recipe",
    "Shortcut",
    "Trace",
    "make_candidates",
    "make_shortcut",
    "query_of",
]

#: texts (False) and names of placeholders (True), in order
Trace: TypeAlias = "Iterable[tuple[bool, str]]"
Gap: TypeAlias = "tuple[str, Callable[[Any], Any]]"


class Template:
    """A text with gaps.

    :param trace: the texts and placeholders.
    :param converters: by the name of the placeholder.
    :param defaults: values of placeholders that are always the same.
    """

    __slots__ = ("texts", "gaps", "fill")

    texts: tuple[str, ...]  #: before, between and behind the gaps
    gaps: tuple[Gap, ...]
    #: the text with values in its gaps; KeyError if one is missing
    fill: Callable[[Mapping[str, Any]], str]

    def __init__(
        self,
        trace: Trace,
        converters: Mapping[str, BaseConverter],
        defaults: Mapping[str, Any],
    ) -> None:
        texts = [""]
        gaps: list[Gap] = []
        for is_placeholder, word in trace:
            if not is_placeholder:
                texts[-1] += encode_path(word)
            elif word in defaults:
                texts[-1] += str(converters[word].to_url(defaults[word]))
            else:
                gaps.append((word, _encoder(converters[word])))
                texts.append("")
        self.texts = tuple(texts)
        self.gaps = tuple(gaps)
        self.fill = _filler(texts, gaps)


def _filler(texts: Sequence[str], gaps: Sequence[Gap]) -> Callable[[Mapping[str, Any]], str]:
    """What puts values into the gaps.  PERF: written out for no gap and one, as most have."""
    head, *between = texts
    if not gaps:
        return lambda _: head
    if len(gaps) == 1:
        ((name, encode),) = gaps
        (tail,) = between
        return lambda values: f"{head}{encode(values[name])}{tail}"
    template = "%s".join([text.replace("%", "%%") for text in texts])
    return lambda values: template % tuple([encode(values[name]) for name, encode in gaps])


def _encoder(converter: BaseConverter) -> Callable[[Any], Any]:
    """The converter's ``to_url``, or something faster that does the same."""
    function = getattr(converter.to_url, "__func__", None)
    if function is BaseConverter.to_url:
        return encode_value
    if function is NumberConverter.to_url and takes_any_number(converter):
        return _encode_number
    return converter.to_url


def _encode_number(value: Any) -> Any:
    # PERF: a number is written by what puts it into the text, without a call of str().
    return value if value.__class__ is int else int(value)


class Recipe:
    """How a rule becomes a URL.

    :param rule: bound to its map.
    :param domain: the trace of its domain.
    :param path: the trace of its path.
    """

    __slots__ = ("defaults", "domain", "needed", "path", "rule", "used")

    def __init__(self, rule: Rule, domain: Trace, path: Trace) -> None:
        defaults = rule.defaults or {}
        converters = rule._converters  # noqa: SLF001 - the rule is half of this
        self.rule = rule
        self.domain = Template(domain, converters, defaults)
        self.path = Template(path, converters, defaults)
        names = [name for name, _ in (*self.domain.gaps, *self.path.gaps)]
        #: names that a value must be given for
        self.needed: Final = tuple(dict.fromkeys(names))
        #: names that are no part of the query
        self.used: Final = frozenset([*names, *map(str, defaults)])
        self.defaults = defaults

    def suits(self, values: Mapping[str, Any]) -> bool:
        """Whether the rule can be built with these values.

        All that it needs must be there; and a value that it has a default for must be that.
        """
        for name in self.needed:
            if name not in values:
                return False
        if self.defaults:
            for name, value in self.defaults.items():
                if name in values and value != values[name]:
                    return False
        return True

    def build(self, values: Mapping[str, Any], *, append_unknown: bool) -> tuple[str, str] | None:
        """Domain and path, the path with the query; None if a converter does not want its value.

        :param values: that suit the rule.
        :param append_unknown: whether the values without a placeholder become the query.
        :raises ValueError: a value cannot be written.  The error of a converter gets a note that
            tells which one.
        """
        try:
            domain = self.domain.fill(values)
            path = self.path.fill(values)
        except ValidationError:
            return None
        except OverflowError as error:  # infinity as a whole number
            raise ValueError(f"{self._culprit(values)}: {error}") from error
        except (TypeError, ValueError) as error:
            error.add_note(self._culprit(values))
            raise
        if append_unknown and len(values) > len(self.needed):
            used = self.used
            rest = {name: value for name, value in values.items() if name not in used}
            if rest:
                query = self.rule._encode_query_vars(rest)  # noqa: SLF001 - as above
                if query:
                    path = f"{path}?{query}"
        return domain, path

    def _culprit(self, values: Mapping[str, Any]) -> str:
        """Which value it is that cannot be written, as a converter knows no names."""
        for name, encode in (*self.domain.gaps, *self.path.gaps):
            try:
                encode(values[name])
            except (OverflowError, TypeError, ValueError):
                value = values[name]
                return f"{value!r} is no value for {name!r} in a URL of the rule {self.rule.rule!r}"
        return f"no URL of the rule {self.rule.rule!r} with {values!r}"


# -- of an endpoint ------------------------------------------------------------------------------

#: A domain; the path, if there are no gaps in it; otherwise what makes it of a dict of values, and
#: gives None if these are not just the ones it needs.
Shortcut: TypeAlias = "tuple[str, str | None, Callable[[dict[str, Any]], str | None] | None]"


def make_shortcut(rules: Sequence[Rule]) -> Shortcut | None:
    """The way to the path of an endpoint that is a single rule with nothing special about it."""
    rule = rules[0]
    recipe = rule._recipe  # noqa: SLF001 - as above
    if (
        len(rules) > 1
        or recipe is None
        or recipe.defaults
        or recipe.domain.gaps
        or rule.websocket
        or rule.map.host_matching
    ):
        return None
    path = recipe.path
    if path.texts[0][1:2] == "/":
        return None
    if not path.gaps:
        return recipe.domain.texts[0], path.texts[0], None
    return recipe.domain.texts[0], None, _make_path(path, len(recipe.needed))


def _make_path(path: Template, count: int) -> Callable[[dict[str, Any]], str | None]:
    gaps = path.gaps
    encoders = [encode for _, encode in gaps]
    if len(gaps) <= _MOST_WRITTEN_OUT:
        kinds = tuple([_KINDS.get(encode, "other") for encode in encoders])
        make = _maker(kinds)(count, path.texts, [name for name, _ in gaps], encoders, is_unsafe)
    else:

        def make(values: dict[str, Any]) -> str | None:
            if len(values) != count:
                return None
            for name, _ in gaps:
                if values.get(name) is None:
                    return None
            return path.fill(values)

    if path.texts[0] != "/" or encoders[0] is _encode_number:
        return make

    def make_first(values: dict[str, Any]) -> str | None:
        made = make(values)
        # A slash at the beginning of the first value is to go.
        return None if made is None or made[1:2] == "/" else made

    return make_first


_MOST_WRITTEN_OUT: Final = 4
_KINDS: Final[dict[Callable[[Any], Any], str]] = {encode_value: "text", _encode_number: "number"}
#: when a value of this kind has to be encoded
_TESTS: Final = {
    "text": "if v{}.__class__ is not str or is_unsafe(v{}): ",
    "number": "if v{}.__class__ is not int: ",
    "other": "",
}


@cache  # at most 3 + 9 + 27 + 81
def _maker(kinds: tuple[str, ...]) -> Callable[..., Callable[[dict[str, Any]], str | None]]:
    """Write a function that puts values of these kinds into a path.

    PERF: as a loop over the gaps it takes twice as long, and written by hand it would be a
    function for each of the combinations.  Nothing of a rule gets into the source: its texts,
    names and functions are the arguments of ``bind``, which is called for each rule.
    """
    numbers = range(len(kinds))
    tests = [_TESTS[kind].replace("{}", str(i)) for i, kind in enumerate(kinds)]
    source = "\n".join([
        "def bind(count, texts, names, encoders, is_unsafe):",
        f" {''.join([f't{i}, ' for i in range(len(kinds) + 1)])} = texts",
        f" {''.join([f'n{i}, ' for i in numbers])} = names",
        f" {''.join([f'e{i}, ' for i in numbers])} = encoders",
        " def make(values):",
        "  if len(values) != count: return None",
        *[f"  v{i} = values.get(n{i})\n  if v{i} is None: return None" for i in numbers],
        *[f"  {tests[i]}v{i} = e{i}(v{i})" for i in numbers],
        f"  return f'{''.join([f'{{t{i}}}{{v{i}}}' for i in numbers])}{{t{len(kinds)}}}'",
        " return make",
    ])  # fmt: skip
    made: dict[str, Any] = {}
    exec(source, made)  # noqa: S102 - of the words above and numbers
    bind: Callable[..., Callable[[dict[str, Any]], str | None]] = made["bind"]
    return bind


def query_of(values: dict[str, Any]) -> str:
    """The query for some values; of a list, tuple or set one argument for each of its values."""
    # PERF: with encode_query(iter_multi_items(values)) it takes three times as long; it is left
    # for what is not plain.
    texts = []
    for name, value in values.items():
        kind = value.__class__
        is_plain = kind is int or (kind is str and _unsafe(value) is None)
        if is_plain and name.__class__ is str and _unsafe(name) is None:
            texts.append(f"{name}={value}".replace(" ", "+"))
            continue
        one: Any = {name: value}
        if text := encode_query(iter_multi_items(one)):
            texts.append(text)
    return "&".join(texts)


# What may not stand in a query, but for blanks, which are easily replaced.
_unsafe: Final = re.compile("[^A-Za-z0-9._~!$'()*,/:;?@ \\-]").search


#: of fewer rules the one that fits is found sooner by asking each of them
_FEW: Final = 8
_MOST_REMEMBERED: Final = 256


class Candidates:
    """The rules of an endpoint that has many.

    :param rules: in the order in which they are tried.
    """

    __slots__ = ("names", "remembered", "rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.names = frozenset().union(*[_needs(rule) for rule in rules])
        self.remembered: dict[frozenset[str], tuple[Rule, ...]] = {}

    def select(self, values: Mapping[str, Any]) -> tuple[Rule, ...]:
        """The rules for which enough values are there, in order."""
        given = self.names.intersection(values)
        rules = self.remembered.get(given)
        if rules is None:
            rules = tuple([rule for rule in self.rules if _needs(rule) <= given])
            # Which names are given may be up to a client; the memory of it must not grow with it.
            if len(self.remembered) >= _MOST_REMEMBERED:
                self.remembered = {}
            self.remembered[given] = rules
        return rules


def _needs(rule: Rule) -> frozenset[str]:
    # A rule without a recipe decides for itself what suits it.
    recipe = rule._recipe  # noqa: SLF001
    return frozenset() if recipe is None else frozenset(recipe.needed)


def make_candidates(rules: Sequence[Rule]) -> Candidates | tuple[Rule, ...]:
    """The rules of an endpoint, so that asking them is cheap."""
    return tuple(rules) if len(rules) <= _FEW else Candidates(rules)
