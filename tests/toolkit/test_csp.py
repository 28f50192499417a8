from __future__ import annotations

from stein.http.lists import parse_directives
from stein.toolkit.datastructures.csp import ContentSecurityPolicy, csp_property


def test_directives_are_attributes() -> None:
    policy = ContentSecurityPolicy(parse_directives("default-src 'self'; img-src *"))
    assert policy.default_src == "'self'"
    assert policy.script_src is None
    assert policy.to_header() == str(policy) == "default-src 'self'; img-src *"
    assert repr(policy) == "<ContentSecurityPolicy default-src=\"'self'\" img-src='*'>"
    assert policy.provided
    assert not ContentSecurityPolicy(None).provided


def test_attributes_write_directives_and_each_change_is_told() -> None:
    calls: list[str] = []
    policy = ContentSecurityPolicy((), lambda policy: calls.append(str(policy)))
    policy.default_src = "'none'"
    policy.img_src = "*"
    policy.default_src = None
    policy.default_src = None
    del policy.img_src
    assert calls == ["default-src 'none'", "default-src 'none'; img-src *", "img-src *", ""]


def test_a_program_adds_a_directive_of_its_own() -> None:
    class Extended(ContentSecurityPolicy):
        trusted_types = csp_property("trusted-types")

    assert Extended({"trusted-types": "a"}).trusted_types == "a"
    assert (
        Extended.trusted_types.__doc__ == "The ``trusted-types`` directive: a ``str``, or ``None``."
    )
