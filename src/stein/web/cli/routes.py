"""``routes``: what the application answers to, and which way one request goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import click

from stein.web.cli.options import Option, late_app_option
from stein.web.cli.script import with_appcontext
from stein.web.globals import current_app

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stein.toolkit.routing.rules import Rule

__all__ = ["routes_command"]

#: Methods that every rule answers to, one way or another.
IMPLIED: Final = frozenset({"HEAD", "OPTIONS"})


class Row(NamedTuple):
    """A line of the table; ``domain`` is ``None`` where no rule has one."""

    endpoint: str
    methods: str
    domain: str
    rule: str


@click.command("routes", short_help="Show the routes for the app.")
@click.option(
    "--sort", "-s", cls=Option,
    type=click.Choice(["endpoint", "methods", "domain", "rule", "match"]), default="endpoint",
    help="What to sort by; match is the order in which rules are tried.", show_default=True,
)  # fmt: skip
@click.option("--all-methods", cls=Option, is_flag=True, help="Show HEAD and OPTIONS, too.")
@click.option(
    "--explain", cls=Option, metavar="REQUEST",
    help="Show the way of one request instead, such as 'GET /users/3': the rule that wins and "
    "why, the hooks, the view.",
)  # fmt: skip
@with_appcontext
def routes_command(sort: str, all_methods: bool, explain: str | None = None) -> None:  # noqa: FBT001 - click's
    """Show every rule with its endpoint and methods."""
    if explain is not None:
        # Not needed for the table.
        from stein.web.cli.roadmap import show_road  # noqa: PLC0415

        show_road(explain)
        return
    url_map = current_app.url_map
    rules = list(url_map.iter_rules())
    if not rules:
        click.echo("No routes were registered.")
        return
    hidden = frozenset() if all_methods else IMPLIED
    rows = [row_of(rule, hidden, host_matching=url_map.host_matching) for rule in rules]
    if sort != "match":  # iter_rules() gives that order
        rows.sort(key=lambda row: getattr(row, sort))
    domain = "Host" if url_map.host_matching else "Subdomain"
    show_table(Row("Endpoint", "Methods", domain, "Rule"), rows)


def row_of(rule: Rule, hidden: frozenset[str], *, host_matching: bool) -> Row:
    """Return what the table shows of a rule."""
    methods = ", ".join(sorted((rule.methods or set()) - hidden))
    domain = rule.host if host_matching else rule.subdomain
    return Row(rule.endpoint, methods, domain or "", rule.rule)


def show_table(head: Row, rows: Sequence[Row]) -> None:
    """Print the table; without the column of domains if there are none."""
    lines: list[Sequence[str]] = [head, *rows]
    if not any(row.domain for row in rows):
        lines = [(row.endpoint, row.methods, row.rule) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        click.echo(aligned(line, widths))


def aligned(texts: Iterable[str], widths: Iterable[int]) -> str:
    """Return texts in columns."""
    return "  ".join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True)).rstrip()


routes_command.params.insert(0, late_app_option)
