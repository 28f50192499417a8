"""The request that an application's views see."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from stein.toolkit.exceptions import BadRequest
from stein.toolkit.late import LateModule
from stein.toolkit.request import Request as RequestBase
from stein.web.globals import context_var

if TYPE_CHECKING:
    from stein.toolkit.exceptions import HTTPException
    from stein.toolkit.routing.rules import Rule

__all__ = ["Request"]


class Request(RequestBase):
    """A request, with the rule that it is for; see :class:`stein.toolkit.request.Request`.

    A subclass of it is used if the application's ``request_class`` says so.
    """

    json_module: Any = LateModule("stein.web.json")

    #: the rule that matched; None if none did, which :attr:`routing_exception` then tells
    url_rule: Rule | None = None

    #: the values out of the path; None if no rule matched
    view_args: dict[str, Any] | None = None

    #: why no rule matched; it is raised when the view would be called
    routing_exception: HTTPException | None = None

    _max_content_length: int | None = None
    _max_form_memory_size: int | None = None
    _max_form_parts: int | None = None

    def _limit(self, own: int | None, key: str, default: int | None) -> int | None:
        """A limit: that of this request, of the application, or of the toolkit."""
        if own is not None:
            return own
        context = context_var.get(None)
        if context is None:
            return default
        limit: int | None = context.app.config[key]
        return limit

    @property
    def max_content_length(self) -> int | None:
        """The most bytes that the body may have; None: any number.

        More is refused with 413 when the body is read.  By default what the configuration key
        ``MAX_CONTENT_LENGTH`` says; can be set for one request before its body is read.
        """
        return self._limit(
            self._max_content_length, "MAX_CONTENT_LENGTH", RequestBase.max_content_length
        )

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self._max_content_length = value

    @property
    def max_form_memory_size(self) -> int | None:
        """The most bytes that the fields of a form, files apart, may have; None: any number.

        By default what the configuration key ``MAX_FORM_MEMORY_SIZE`` says.
        """
        return self._limit(
            self._max_form_memory_size, "MAX_FORM_MEMORY_SIZE", RequestBase.max_form_memory_size
        )

    @max_form_memory_size.setter
    def max_form_memory_size(self, value: int | None) -> None:
        self._max_form_memory_size = value

    @property
    def max_form_parts(self) -> int | None:
        """The most fields and files that a multipart form may have; None: any number.

        By default what the configuration key ``MAX_FORM_PARTS`` says.
        """
        return self._limit(self._max_form_parts, "MAX_FORM_PARTS", RequestBase.max_form_parts)

    @max_form_parts.setter
    def max_form_parts(self, value: int | None) -> None:
        self._max_form_parts = value

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the rule that matched; None if none did."""
        rule = self.url_rule
        return None if rule is None else rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """The name that the endpoint's blueprint is registered under, with those of its parents.

        None if the endpoint belongs to no blueprint, or no rule matched.
        """
        rule = self.url_rule
        if rule is None:
            return None
        name, dot, _ = rule.endpoint.rpartition(".")
        return name if dot else None

    @property
    def blueprints(self) -> list[str]:
        """The name of the endpoint's blueprint, and those of its parents, outwards."""
        rule = self.url_rule
        return [] if rule is None else list(blueprints_of(rule.endpoint))

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if _debugging():
            # Late: only debug mode needs it.
            from stein.web.explain.forms import explain_missing_keys  # noqa: PLC0415

            explain_missing_keys(self)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Hook: say that the body is no JSON, in debug mode with the reason.

        :raises BadRequest: always; or UnsupportedMediaType, if it was not said to be JSON.
        """
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as error:
            if _debugging():
                raise
            raise BadRequest from error


def _debugging() -> bool:
    context = context_var.get(None)
    return context is not None and context.app.debug


@lru_cache(maxsize=4096)
def blueprints_of(endpoint: str) -> tuple[str, ...]:
    """The blueprint of an endpoint, and its parents: ``a.b.view`` is of ``a.b`` and ``a``."""
    names: list[str] = []
    while True:
        endpoint, dot, _ = endpoint.rpartition(".")
        if not dot:
            return tuple(names)
        names.append(endpoint)


@lru_cache(maxsize=4096)
def scopes_inwards(endpoint: str) -> tuple[str | None, ...]:
    """The application, which is None, and an endpoint's blueprints, the innermost last."""
    return (None, *reversed(blueprints_of(endpoint)))


@lru_cache(maxsize=4096)
def scopes_outwards(endpoint: str) -> tuple[str | None, ...]:
    """An endpoint's blueprints, the innermost first, and the application, which is None."""
    return (*blueprints_of(endpoint), None)
