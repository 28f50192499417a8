"""``routes``: the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stein.web.app import Stein

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Invoke = Callable[..., Result]


def shop() -> Stein:
    app = Stein("shop", static_folder=None)
    app.add_url_rule("/<path:rest>", "last", methods=["DELETE"])
    app.add_url_rule("/a/<int:number>", "zebra", methods=["GET", "POST"])
    app.add_url_rule("/b", "ant", methods=["POST"])
    return app


def test_the_table(invoke: Invoke) -> None:
    assert invoke(shop(), "routes").output.splitlines() == [
        "Endpoint  Methods    Rule",
        "--------  ---------  ---------------",
        "ant       POST       /b",
        "last      DELETE     /<path:rest>",
        "zebra     GET, POST  /a/<int:number>",
    ]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("endpoint", ["ant", "last", "zebra"]),
        ("methods", ["last", "zebra", "ant"]),
        ("rule", ["last", "zebra", "ant"]),
        ("match", ["ant", "zebra", "last"]),
        ("domain", ["last", "zebra", "ant"]),
    ],
)
def test_it_can_be_sorted(key: str, order: list[str], invoke: Invoke) -> None:
    app = shop()
    if key == "match":
        order = [str(rule.endpoint) for rule in app.url_map.iter_rules()]
    lines = invoke(app, "routes", "--sort", key).output.splitlines()[2:]
    assert [line.split()[0] for line in lines] == order


def test_methods_that_come_by_themselves_are_hidden(invoke: Invoke) -> None:
    assert "HEAD" not in invoke(shop(), "routes").output
    assert "GET, HEAD, OPTIONS, POST" in invoke(shop(), "routes", "--all-methods").output


def test_domains_have_a_column_where_there_are_any(invoke: Invoke) -> None:
    app = Stein("x", static_folder=None)
    app.add_url_rule("/", "plain")
    app.add_url_rule("/", "sub", subdomain="api")
    head, _, plain, sub = invoke(app, "routes").output.splitlines()
    assert head.split() == ["Endpoint", "Methods", "Subdomain", "Rule"]
    assert plain.split() == ["plain", "GET", "/"]
    assert sub.split() == ["sub", "GET", "api", "/"]


def test_hosts_are_called_hosts(invoke: Invoke) -> None:
    app = Stein("x", static_folder=None, host_matching=True)
    app.add_url_rule("/", "a", host="a.example")
    head, _, row = invoke(app, "routes").output.splitlines()
    assert head.split()[2] == "Host"
    assert row.split()[2] == "a.example"


def test_no_routes_are_told(invoke: Invoke) -> None:
    result = invoke(Stein("x", static_folder=None), "routes")
    assert result.output == "No routes were registered.\n"
