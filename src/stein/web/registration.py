"""One registration of a blueprint, and what follows from it for names and paths."""

# ruff: noqa: FBT001 - booleans are positional in the interface

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein.web.setup import default_endpoint

if TYPE_CHECKING:
    from stein.web.app import Stein
    from stein.web.blueprint import Blueprint
    from stein.web.typing import RouteCallable

__all__ = ["BlueprintSetupState", "dotted", "options_inside", "scope_inside"]


class BlueprintSetupState:
    """One registration of a blueprint: what the waiting functions are called with.

    :param blueprint: that is registered.
    :param app: on which it is registered.
    :param options: that were given at registration; they go before the blueprint's own.
    :param first_registration: whether it is not registered on the application yet.
    """

    app: Stein
    blueprint: Blueprint
    options: dict[str, Any]
    first_registration: bool
    subdomain: str | None  #: of all rules
    url_prefix: str | None  #: of all rules
    name: str  #: of the blueprint in the application, without that of outer ones
    name_prefix: str  #: the name of the outer blueprint, or nothing
    url_defaults: dict[str, Any]  #: values of all rules

    def __init__(
        self, blueprint: Blueprint, app: Stein, options: Any, first_registration: bool
    ) -> None:
        self.app = app
        self.blueprint = blueprint
        self.options = options
        self.first_registration = first_registration
        self.name = options.get("name", blueprint.name)
        self.name_prefix = options.get("name_prefix", "")
        self.subdomain = _first_given(options.get("subdomain"), blueprint.subdomain)
        self.url_prefix = _first_given(options.get("url_prefix"), blueprint.url_prefix)
        self.url_defaults = {**blueprint.url_values_defaults, **(options.get("url_defaults") or {})}

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: RouteCallable | None = None,
        **options: Any,
    ) -> None:
        """Add a rule to the application, with what holds for all rules of the blueprint.

        :param rule: the path behind the blueprint's prefix; it may be empty.
        :param endpoint: without the blueprint's name; by default the name of the view function.
        :param view_func: the view.
        :param options: for ``add_url_rule`` of the application.
        """
        prefix = self.url_prefix
        if prefix is not None:
            if prefix and not prefix.startswith("/"):
                raise ValueError(
                    f"The blueprint {self.name!r} has the 'url_prefix' {prefix!r}, and a path must"
                    f" begin with a slash. Write '/{prefix}'."
                )
            rule = f"{prefix.rstrip('/')}/{rule.lstrip('/')}" if rule else prefix
        defaults = self.url_defaults
        if "defaults" in options:
            defaults = {**defaults, **(options.pop("defaults") or {})}
        options.setdefault("subdomain", self.subdomain)
        self.app.add_url_rule(
            rule,
            dotted(self.name_prefix, self.name, endpoint or default_endpoint(view_func)),
            view_func,
            defaults=defaults,
            **options,
        )


def _first_given(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def dotted(*names: str) -> str:
    """A full name, made of those that are not empty."""
    return ".".join([name for name in names if name])


def scope_inside(name: str, scope: str | None) -> str:
    """What a blueprint's scope is called in the tables of the application."""
    return name if scope is None else f"{name}.{scope}"


def options_inside(
    outer: BlueprintSetupState, outer_name: str, inner: Blueprint, options: dict[str, Any]
) -> dict[str, Any]:
    """The options with which an inner blueprint is registered on the application."""
    combined = {**options, "name_prefix": outer_name}
    subdomain = _first_given(options.get("subdomain"), inner.subdomain)
    if subdomain is None or outer.subdomain is None:
        combined["subdomain"] = _first_given(subdomain, outer.subdomain)
    else:
        combined["subdomain"] = f"{subdomain}.{outer.subdomain}"
    prefix = _first_given(options.get("url_prefix"), inner.url_prefix)
    if prefix is None or outer.url_prefix is None:
        combined["url_prefix"] = _first_given(prefix, outer.url_prefix)
    else:
        combined["url_prefix"] = f"{outer.url_prefix.rstrip('/')}/{prefix.lstrip('/')}"
    return combined
