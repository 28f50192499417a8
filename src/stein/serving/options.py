"""The flags of ``stein serve``, made from the settings' own fields."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from typing import TYPE_CHECKING, Any, Final

import click

from stein.errors import Mistakes
from stein.server.settings import GROUPS, Settings
from stein.serving.load import Given, environment_name, flags_of, is_switch, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "FOREIGN",
    "UNKNOWN",
    "SettingsCommand",
    "given_flags",
    "metavar_of",
    "sift",
    "spell_out",
    "written",
]

#: Where the context of a command keeps gunicorn's flags, and complaints about those of nobody.
FOREIGN: Final = "stein.foreign"
UNKNOWN: Final = "stein.unknown"

Field = dataclasses.Field[Any]

#: How ``--x``, ``--x on`` and ``--no-x`` are spelled for a field, by its flag without dashes.
SWITCHES: Final = {
    flag.removeprefix("--"): flag
    for item in dataclasses.fields(Settings)
    if is_switch(item)
    for flag in flags_of(item)
}
SWITCH_WORDS: Final = frozenset({"on", "off", "true", "false", "yes", "no", "1", "0"})


class SettingsCommand(click.Command):
    """A command with one flag per setting, whose help has the settings' groups as headings.

    :param name: the command's name.
    :param callback: what runs; its docstring is the help text.
    :param params: further arguments and options; they come first in the help.
    """

    def __init__(
        self, name: str, *, callback: Callable[..., None], params: Sequence[click.Parameter]
    ) -> None:
        flags = [make_option(item) for item in dataclasses.fields(Settings)]
        super().__init__(
            name, callback=callback, params=[*params, *flags], help=inspect.getdoc(callback)
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line, after gunicorn's flags and those of nobody were taken out."""
        rest, ctx.meta[FOREIGN], ctx.meta[UNKNOWN] = sift(spell_out(args), self.flags_of_mine())
        try:
            return super().parse_args(ctx, rest)
        except click.UsageError as error:
            if not ctx.meta[UNKNOWN]:
                raise
            raise Mistakes([*ctx.meta[UNKNOWN], error.format_message()]) from None

    def flags_of_mine(self) -> dict[str, bool]:
        """Return all flags, each with whether a value belongs to it."""
        return {
            flag: not param.is_flag
            for param in self.params
            if isinstance(param, click.Option)
            for flag in param.opts
        } | {"--help": False}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under one heading per group."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": [], **{name: [] for name in GROUPS}}
        by_name = {item.name: item for item in dataclasses.fields(Settings)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None or isinstance(param, click.Argument):
                continue
            item = by_name.get(param.name or "")
            groups["Options" if item is None else item.metadata["group"]].append(record)
        for name, rows in groups.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows)


def sift(
    args: Sequence[str], flags: Mapping[str, bool]
) -> tuple[list[str], list[tuple[str, str | None]], list[str]]:
    """Take out of a command line what is gunicorn's and what is nobody's.

    :param flags: ours, each with whether a value belongs to it.
    :returns: the rest; gunicorn's flags with their values; complaints about the others.
    """
    ours: list[str] = []
    foreign: list[tuple[str, str | None]] = []
    unknown: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=") if word[:2] == "--" else (word[:2], "", word[2:])
        if word in {"--", "-"} or word[:1] != "-":
            ours += [word, *rest] if word == "--" else [word]
            rest = [] if word == "--" else rest
            continue
        takes = takes_value(flag)
        if flag in flags and not is_gunicorns(flag, value if equals or value else rest[:1]):
            ours.append(word)
            if flags[flag] and not equals and not value and rest:
                ours.append(rest.pop(0))
        elif takes is None:
            near = difflib.get_close_matches(flag, flags, n=1)
            hint = f"did you mean {near[0]}?" if near else "stein serve --help shows all"
            unknown.append(f"{flag}: there is no such flag; {hint}")
            if not equals and rest and rest[0][:1] != "-" and ":" not in rest[0]:
                rest.pop(0)
        elif not takes:
            foreign.append((flag, None))
        elif equals or value:
            foreign.append((flag, value))
        else:
            foreign.append((flag, rest.pop(0) if rest else None))
    return ours, foreign, unknown


def takes_value(flag: str) -> bool | None:
    """Whether a flag of gunicorn's takes a value; ``None``: it has no such flag."""
    from stein.serving.gunicorntable import FLAGS  # noqa: PLC0415 - most command lines have none

    return FLAGS[flag].takes_value if flag in FLAGS else None


def is_gunicorns(flag: str, value: str | Sequence[str]) -> bool:
    """Whether gunicorn's meaning of a flag that both have is meant."""
    text = value if isinstance(value, str) else next(iter(value), "")
    # gunicorn's -p is its pid file.
    return flag == "-p" and bool(text) and not text.isdigit() and "/" in text


def make_option(item: Field) -> click.Option:
    """Return the click option of a setting; it takes text, which ``load`` reads."""
    default = written(item, item.default)
    notes = [f"default: {default}"] if default else []
    notes.append(environment_name(item))
    return click.Option(
        [*flags_of(item), item.name],
        type=str,
        metavar=metavar_of(item),
        multiple=kind_of(item) is tuple,
        help=f"{item.metadata['help']}  [{'; '.join(notes)}]",
    )


def metavar_of(item: Field) -> str:
    """Return what a setting's value is called in the help."""
    if item.metadata["choices"]:
        return "|".join(item.metadata["choices"])
    if item.metadata["metavar"]:
        return str(item.metadata["metavar"])
    if item.metadata["unit"]:
        return "SIZE" if item.metadata["unit"] == "bytes" else "TIME"
    return {bool: "on|off", int: "N"}.get(kind_of(item), "TEXT")


def written(item: Field, value: object) -> str:
    """Return a value as one would write it on the command line; empty if there is none."""
    text = str(value)
    if value is None:
        text = ""
    elif isinstance(value, bool):
        text = "on" if value else "off"
    elif isinstance(value, tuple):
        text = ", ".join(value)
    elif isinstance(value, float):
        text = f"{value:g}s"
    elif item.metadata["metavar"] == "OCTAL":
        text = f"{value:o}"
    elif item.metadata["unit"] == "bytes" and isinstance(value, int):
        text = written_size(value)
    return text


def written_size(count: int) -> str:
    """Return a size with the largest suffix that keeps it whole: ``64k``, ``1m``, ``8190``."""
    suffixes = ["", "k", "m", "g"]
    place = 0
    while count and count % 1024 == 0 and place < len(suffixes) - 1:
        count //= 1024
        place += 1
    return f"{count}{suffixes[place]}"


def spell_out(args: Sequence[str]) -> list[str]:
    """Give every switch its value, and write ``--no-access-log`` in full.

    ``--x`` becomes ``--x=on`` unless ``on`` or ``off`` follows, ``--no-x`` becomes ``--x=off``.
    So the parser sees options with one value only, and no application named after a switch is
    taken for its value.
    """
    spelled: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*spelled, word, *rest]
        if word == "--no-access-log":
            word = "--access-log=off"
        elif word.startswith("--no-") and word.removeprefix("--no-") in SWITCHES:
            word = f"{SWITCHES[word.removeprefix('--no-')]}=off"
        elif word.removeprefix("--") in SWITCHES and word.startswith("--"):
            follows = rest and rest[0].lower() in SWITCH_WORDS
            word = f"{word}={rest.pop(0) if follows else 'on'}"
        spelled.append(word)
    return spelled


def given_flags(params: Mapping[str, Any]) -> dict[str, Given]:
    """Return what the command line gave for the settings, from click's parsed values."""
    given = {}
    for item in dataclasses.fields(Settings):
        value = params.get(item.name)
        if value is None or value == ():
            continue
        texts = tuple(value) if isinstance(value, tuple) else (value,)
        given[item.name] = Given(flags_of(item)[0], texts)
    return given
