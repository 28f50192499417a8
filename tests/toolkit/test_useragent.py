"""The User-Agent field."""

from __future__ import annotations

from stein.toolkit.useragent import UserAgent


def test_the_value_is_kept_as_it_is() -> None:
    agent = UserAgent("Mozilla/5.0 (X11)")
    assert agent.string == str(agent) == agent.to_header() == "Mozilla/5.0 (X11)"
    assert (agent.platform, agent.browser, agent.version, agent.language) == (None,) * 4
    assert not agent
    assert repr(agent) == "<UserAgent None/None>"


def test_a_subclass_tells_more() -> None:
    class Parsed(UserAgent):
        def __init__(self, string: str) -> None:
            super().__init__(string)
            self.browser, self.version = string.split("/")

    agent = Parsed("curl/8.0")
    assert agent
    assert repr(agent) == "<Parsed curl/8.0>"
