"""The Content-Security-Policy header (CSP level 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein.toolkit.datastructures.sets import CallbackDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["ContentSecurityPolicy", "csp_property"]


def csp_property(key: str) -> Any:
    """Make a property for a directive, for instance one that a subclass adds.

    :param key: the directive's name in the header.
    """

    def read(policy: ContentSecurityPolicy) -> str | None:
        return policy.get(key)

    def write(policy: ContentSecurityPolicy, value: str | None) -> None:
        if value is None:
            policy.pop(key, None)
        else:
            policy[key] = value

    def delete(policy: ContentSecurityPolicy) -> None:
        policy.pop(key, None)

    return property(read, write, delete, f"The ``{key}`` directive: a ``str``, or ``None``.")


class ContentSecurityPolicy(CallbackDict[str, str]):
    """A dict of directives, each of which is an attribute as well, with underscores for dashes.

    :param values: a mapping or pairs; ``None`` for a header that is not there.
    :param on_update: called with the policy after each change.
    """

    # where things may come from
    default_src: str | None = csp_property("default-src")
    script_src: str | None = csp_property("script-src")
    script_src_elem: str | None = csp_property("script-src-elem")
    script_src_attr: str | None = csp_property("script-src-attr")
    style_src: str | None = csp_property("style-src")
    style_src_elem: str | None = csp_property("style-src-elem")
    style_src_attr: str | None = csp_property("style-src-attr")
    img_src: str | None = csp_property("img-src")
    font_src: str | None = csp_property("font-src")
    connect_src: str | None = csp_property("connect-src")
    media_src: str | None = csp_property("media-src")
    object_src: str | None = csp_property("object-src")
    manifest_src: str | None = csp_property("manifest-src")
    worker_src: str | None = csp_property("worker-src")
    frame_src: str | None = csp_property("frame-src")
    child_src: str | None = csp_property("child-src")
    prefetch_src: str | None = csp_property("prefetch-src")
    plugin_types: str | None = csp_property("plugin-types")
    # what the page may do
    sandbox: str | None = csp_property("sandbox")
    base_uri: str | None = csp_property("base-uri")
    # where it leads and who shows it
    form_action: str | None = csp_property("form-action")
    frame_ancestors: str | None = csp_property("frame-ancestors")
    navigate_to: str | None = csp_property("navigate-to")
    # who hears of breaches
    report_to: str | None = csp_property("report-to")
    report_uri: str | None = csp_property("report-uri")

    def __init__(
        self,
        values: Mapping[str, str] | Iterable[tuple[str, str]] | None = (),
        on_update: Callable[[ContentSecurityPolicy], None] | None = None,
    ) -> None:
        super().__init__(values, on_update)
        #: whether there was a header
        self.provided = values is not None

    def to_header(self) -> str:
        """Write the directives as the value of the header."""
        return "; ".join([f"{name} {value}" for name, value in self.items()])

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        directives = " ".join(f"{name}={value!r}" for name, value in sorted(self.items()))
        return f"<{type(self).__name__} {directives}>"
