"""Templates: from a name or a text, and variables, to text.

What needs Jinja, the environment and its loader, is in :mod:`stein.web.jinja` and is imported with
the first template, so that an application without templates never pays for it.

An application calls three functions of this module in methods that can be overridden::

    create_jinja_environment()      -> make_environment(app)
    update_template_context(values) -> update_context(app, values)
    select_jinja_autoescape(name)   -> autoescape(name)

and has :func:`_default_template_ctx_processor` in ``template_context_processors[None]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from stein.web.globals import context_var, current_app, g, request, session
from stein.web.signals import before_render_template, template_rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Environment as AnyEnvironment
    from jinja2 import Template

    from stein.web.app import Stein
    from stein.web.jinja import DispatchingJinjaLoader, Environment

__all__ = [
    "DispatchingJinjaLoader",
    "Environment",
    "LateEnvironment",
    "autoescape",
    "get_template_attribute",
    "make_environment",
    "render_template",
    "render_template_string",
    "stream_template",
    "stream_template_string",
    "update_context",
]

_ESCAPED: Final = (".html", ".htm", ".xml", ".xhtml", ".svg")
_OF_JINJA: Final = frozenset({"DispatchingJinjaLoader", "Environment"})


# -- what a view calls -------------------------------------------------------------------------


def render_template(
    template_name_or_list: str | Template | list[str | Template], **context: Any
) -> str:
    """Render a template of the application's or a blueprint's folder.

    :param template_name_or_list: its path below the folder, with ``/``; of a list, the first one
        that exists.
    :param context: its variables.  They win over those of context processors.
    :raises TemplateNotFound: it does not exist; in debug mode the message tells where it was
        looked for.
    :raises RuntimeError: there is no current application.
    """
    app = _app()
    return _render(app, _find(app, template_name_or_list), context)


def render_template_string(source: str, **context: Any) -> str:
    """Render a template that is given as a text.

    The text must be the program's own: what comes from a user belongs into the variables, since a
    template may do anything.  Variables are escaped as in an HTML file.

    :param source: the text.  It is compiled when it is first seen, and kept.
    :param context: its variables.
    :raises TemplateSyntaxError: the text is no template.
    :raises RuntimeError: there is no current application.
    """
    app = _app()
    return _render(app, _compile(app, source), context)


def stream_template(
    template_name_or_list: str | Template | list[str | Template], **context: Any
) -> Iterator[str]:
    """Render a template piece by piece, for a response that is sent while it is rendered.

    The context processors have been called when this returns; the request stays current until the
    last piece.  What a template does to the session comes too late for its cookie.

    :param template_name_or_list: as for :func:`render_template`.
    :param context: its variables.
    """
    app = _app()
    return _stream(app, _find(app, template_name_or_list), context)


def stream_template_string(source: str, **context: Any) -> Iterator[str]:
    """:func:`stream_template` for a template that is given as a text.

    :param source: as for :func:`render_template_string`.
    :param context: its variables.
    """
    app = _app()
    return _stream(app, _compile(app, source), context)


def get_template_attribute(template_name: str, attribute: str) -> Any:
    """A macro or a variable that a template defines, for use in Python.

    ::

        hello = get_template_attribute("_macros.html", "hello")
        hello("World")

    :param template_name: as for :func:`render_template`.
    :param attribute: the name of what is wanted.
    :raises AttributeError: the template defines nothing by that name.
    """
    return getattr(_app().jinja_env.get_template(template_name).module, attribute)


def _app() -> Stein:
    context = context_var.get(None)
    if context is None:
        # The proxy knows what to say about it.
        return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001
    return context.app


def _find(app: Stein, name: str | Template | list[str | Template]) -> Template:
    return app.jinja_env.get_or_select_template(name)


def _compile(app: Stein, source: str) -> Template:
    environment: AnyEnvironment = app.jinja_env
    # PERF: to compile a small template takes 400 us, to render it 10.  An environment of a class
    # that is not ours compiles each time.
    compiled = getattr(environment, "from_kept_string", environment.from_string)
    template: Template = compiled(source)
    return template


def _render(app: Stein, template: Template, context: dict[str, Any]) -> str:
    app.update_template_context(context)
    if before_render_template.receivers:
        _announce(before_render_template, app, template, context)
    text = template.render(context)
    if template_rendered.receivers:
        _announce(template_rendered, app, template, context)
    return text


def _stream(app: Stein, template: Template, context: dict[str, Any]) -> Iterator[str]:
    app.update_template_context(context)
    if before_render_template.receivers:
        _announce(before_render_template, app, template, context)

    def pieces() -> Iterator[str]:
        yield from template.generate(context)
        if template_rendered.receivers:
            _announce(template_rendered, app, template, context)

    current = context_var.get(None)
    if current is None or current.request_context is None:
        return pieces()
    from stein.web.streaming import stream_with_context  # noqa: PLC0415 - few programs stream

    return stream_with_context(pieces())


def _announce(signal: Any, app: Stein, template: Template, context: dict[str, Any]) -> None:
    signal.send(app, _async_wrapper=app.ensure_sync, template=template, context=context)


# -- what an application does with it ----------------------------------------------------------


def autoescape(filename: str | None) -> bool:
    """Whether the variables of a template are escaped: those of HTML, XML and SVG are.

    :param filename: of the template; None for one that was given as a text, which is escaped.
    """
    return filename is None or filename.endswith(_ESCAPED)


def make_environment(app: Stein) -> Environment:
    """Make the Jinja environment of an application.

    Its class is ``app.jinja_environment``, its options ``app.jinja_options``.  Unless these say
    otherwise, escaping is up to ``app.select_jinja_autoescape``, and files are looked at for
    changes if ``TEMPLATES_AUTO_RELOAD`` is true, or None and the application in debug mode.

    :param app: the application.
    """
    from stein.web.flashing import get_flashed_messages  # noqa: PLC0415 - with the first template

    options = dict(app.jinja_options)
    options.setdefault("autoescape", app.select_jinja_autoescape)
    if "auto_reload" not in options:
        wanted = app.config["TEMPLATES_AUTO_RELOAD"]
        options["auto_reload"] = app.debug if wanted is None else wanted
    environment: Environment = app.jinja_environment(app, **options)
    # Templates that are imported without a context see only these.
    environment.globals.update(
        url_for=app.url_for,
        get_flashed_messages=get_flashed_messages,
        config=app.config,
        request=request,
        session=session,
        g=g,
    )
    environment.policies["json.dumps_function"] = app.json.dumps
    return environment


def update_context(app: Stein, context: dict[str, Any]) -> None:
    """Put what context processors give into the variables of a template.

    Those of the application come first, then those of the current blueprint's parents, then its
    own; later ones win, and what is in the variables already wins over all.

    :param app: the application.
    :param context: the variables, changed in place.
    :raises TypeError: a context processor returned no dict.
    """
    processors = app.template_context_processors
    given = context.copy()
    for function in processors.get(None, ()):
        found = app.ensure_sync(function)()
        try:
            context.update(found)
        except (TypeError, ValueError) as error:
            _refuse_variables(function, found, error)
    # PERF: an application whose blueprints have none is not asked for the current one's names.
    if len(processors) > (None in processors):
        current = context_var.get(None)
        if current is not None and current.request_context is not None:
            for name in reversed(current.request_context.request.blueprints):
                for function in processors.get(name, ()):
                    found = app.ensure_sync(function)()
                    try:
                        context.update(found)
                    except (TypeError, ValueError) as error:
                        _refuse_variables(function, found, error)
    context.update(given)


def _refuse_variables(function: Any, found: Any, error: Exception) -> NoReturn:
    from stein.web.explain.hooks import no_variables  # noqa: PLC0415 - only for this mistake

    raise no_variables(function, found) from error


def _default_template_ctx_processor() -> dict[str, Any]:
    """The context processor of each application: ``g`` and ``request`` themselves, no proxies.

    The session is not among them.  Templates know it by the proxy in the environment's globals,
    so that only one that reads it opens it, and gets its response a ``Vary: Cookie``.
    """
    context = context_var.get(None)
    if context is None:
        return {}
    current = context.request_context
    if current is None:
        return {"g": context.g}
    return {"g": context.g, "request": current.request}


class LateEnvironment:
    """The class attribute ``jinja_environment`` of an application: :class:`Environment`, late.

    A subclass or an instance may have another class in its place.
    """

    def __get__(self, instance: object | None, owner: type) -> type[Environment]:
        from stein.web.jinja import Environment  # noqa: PLC0415 - with the first template

        return Environment


def __getattr__(name: str) -> Any:
    if name not in _OF_JINJA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stein.web import jinja  # noqa: PLC0415 - whoever asks for the class needs Jinja

    found = globals()[name] = getattr(jinja, name)
    return found
