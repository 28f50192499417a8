"""The flags of ``stein serve``, made from the settings' own fields."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, Final

import click

from stein.server.settings import GROUPS, Settings
from stein.serving.load import Given, environment_name, flags_of, is_switch, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["SettingsCommand", "given_flags", "metavar_of", "spell_out", "written"]

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
        """Parse the command line after switches were spelled out."""
        return super().parse_args(ctx, spell_out(args))

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
