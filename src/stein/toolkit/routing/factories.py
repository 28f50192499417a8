"""What gives several rules at once, changed in one way: mounted, prefixed, filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stein.toolkit.routing.map import Map
    from stein.toolkit.routing.rules import Rule

__all__ = [
    "EndpointPrefix",
    "RuleFactory",
    "RuleTemplate",
    "RuleTemplateFactory",
    "Subdomain",
    "Submount",
]


class RuleFactory:
    """What a map can be filled with.  A rule is one, too: it gives itself."""

    def get_rules(self, map: Map) -> Iterable[Rule]:  # noqa: A002 - public name
        """The rules, not bound yet.

        :param map: which they are for.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which rules it gives")


class _Wrapper(RuleFactory):
    """Copies of other rules, with a change."""

    rules: Iterable[RuleFactory]

    def change(self, rule: Rule) -> None:
        """Change the copy of a rule."""
        raise NotImplementedError

    def get_rules(self, map: Map) -> Iterator[Rule]:  # noqa: A002 - public name
        """Changed copies of the rules."""
        for factory in self.rules:
            for rule in factory.get_rules(map):
                copy = rule.empty()
                self.change(copy)
                yield copy


class Subdomain(_Wrapper):
    """Rules for a subdomain.

    ::

        Subdomain("<string(length=2):language>", [Rule("/", endpoint="index")])

    :param subdomain: a text, or a pattern with placeholders.
    :param rules: rules and factories.
    """

    def __init__(self, subdomain: str, rules: Iterable[RuleFactory]) -> None:
        self.subdomain = subdomain
        self.rules = rules

    def change(self, rule: Rule) -> None:
        """Set the subdomain."""
        rule.subdomain = self.subdomain


class Submount(_Wrapper):
    """Rules below a path.

    ::

        Submount("/blog", [Rule("/<slug>", endpoint="post")])  # /blog/<slug>

    :param path: begins with a slash; placeholders may stand in it.
    :param rules: rules and factories.
    """

    def __init__(self, path: str, rules: Iterable[RuleFactory]) -> None:
        self.path = path.rstrip("/")
        self.rules = rules

    def change(self, rule: Rule) -> None:
        """Put the path in front."""
        rule.rule = f"{self.path}{rule.rule}"


class EndpointPrefix(_Wrapper):
    """Rules whose endpoints, which are texts, get a prefix.

    ::

        EndpointPrefix("blog/", [Rule("/", endpoint="index")])  # blog/index

    :param prefix: is put in front of each endpoint as it is.
    :param rules: rules and factories.
    """

    def __init__(self, prefix: str, rules: Iterable[RuleFactory]) -> None:
        self.prefix = prefix
        self.rules = rules

    def change(self, rule: Rule) -> None:
        """Put the prefix in front."""
        rule.endpoint = self.prefix + rule.endpoint


class RuleTemplate:
    """Rules with ``$name`` in them, to be filled in by calling the template.

    ::

        resource = RuleTemplate([Rule("/$name/<int:id>", endpoint="$name.show")])
        Map([resource(name="user"), resource(name="page")])

    Path, subdomain, endpoint and texts among the defaults are filled in, as by
    :class:`string.Template`.

    :param rules: rules and factories.
    """

    def __init__(self, rules: Iterable[RuleFactory]) -> None:
        self.rules = list(rules)

    def __call__(self, *args: Any, **kwargs: Any) -> RuleTemplateFactory:
        """The rules, filled in with names and texts, given as to ``dict()``."""
        return RuleTemplateFactory(self.rules, dict(*args, **kwargs))


class RuleTemplateFactory(_Wrapper):
    """What a :class:`RuleTemplate` gives.

    :param rules: rules and factories.
    :param context: the texts to fill in, by name.
    """

    def __init__(self, rules: Iterable[RuleFactory], context: Mapping[str, Any]) -> None:
        self.rules = rules
        self.context = context

    def change(self, rule: Rule) -> None:
        """Fill in what the rule leaves open."""
        fill = self._fill
        if rule.defaults:
            rule.defaults = {name: fill(value) for name, value in rule.defaults.items()}
        rule.subdomain = fill(rule.subdomain)
        rule.endpoint = fill(rule.endpoint)
        rule.rule = fill(rule.rule)

    def _fill(self, value: Any) -> Any:
        # Late: few programs have templates of rules.
        from string import Template  # noqa: PLC0415

        return Template(value).substitute(self.context) if isinstance(value, str) else value
