"""Templates that were not found, or found twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stein.web.explain.names import did_you_mean, listed
from stein.web.globals import context_var

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jinja2 import BaseLoader

    from stein.web.app import Stein
    from stein.web.jinja import Source
    from stein.web.setup import Setup

__all__ = ["explain_template_loading_attempts", "missing_template"]


def explain_template_loading_attempts(
    app: Stein, template: str, attempts: Sequence[tuple[BaseLoader, Setup, Source | None]]
) -> None:
    """Log, as one record, where a template was looked for and what was found.

    :param app: the application, whose logger is used.
    :param template: the name of the template.
    :param attempts: for each loader: itself, whose it is, and what it found, or None.
    """
    lines = [f"Locating template {template!r}:"]
    for number, (loader, owner, found) in enumerate(attempts, 1):
        lines.append(f"{number:5}: trying loader of {_owner(owner, app)}")
        lines += [f"{'':7}{line}" for line in _describe(loader)]
        result = "no match" if found is None else f"found ({found[1] or '<string>'!r})"
        lines.append(f"{'':7}-> {result}")
    matches = sum(found is not None for _, _, found in attempts)
    if matches != 1:
        lines.append(
            "Warning: more than one loader has it; the first one wins."
            if matches
            else "Error: the template could not be found."
        )
        lines += _blueprint_hint()
    app.logger.info("\n".join(lines))


def _owner(owner: Setup, app: Stein | None = None) -> str:
    if owner is app or hasattr(owner, "url_map"):
        return f"application {owner.import_name!r}"
    return f"blueprint {owner.name!r} ({owner.import_name})"


def _describe(loader: BaseLoader) -> Iterator[str]:
    """The class of a loader and its plain attributes, such as the folders it looks into."""
    kind = type(loader)
    yield f"class: {kind.__module__}.{kind.__name__}"
    for name, value in sorted(vars(loader).items()):
        if name.startswith("_"):
            continue
        if isinstance(value, str | int | float | bool):
            yield f"{name}: {value!r}"
        elif isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
            yield f"{name}:"
            yield from (f"  - {each}" for each in value)


def _blueprint_hint() -> Iterator[str]:
    context = context_var.get(None)
    current = None if context is None else context.request_context
    blueprint = None if current is None else current.request.blueprint
    if blueprint is not None:
        yield (
            "  The template was looked up from an endpoint that belongs to the blueprint"
            f" {blueprint!r}."
        )
        yield (
            "  All folders share their names: is it in this blueprint's own template_folder, and"
            " below a folder with the blueprint's name?"
        )
        # The address is what people (and tests) look for in this message.
        yield "  See https://flask.palletsprojects.com/blueprints/#templates"


def missing_template(name: str, loaders: Iterable[tuple[Setup, BaseLoader]]) -> str:
    """What to say of a template that no loader has: where it was looked for, and what is near.

    :param name: of the template.
    :param loaders: each with the application or blueprint whose it is.
    """
    lines = [f"{name}: there is no such template."]
    known: dict[str, None] = {}
    for owner, loader in loaders:
        lines.append(f"  {_owner(owner)}: looked in {_where(loader)}")
        known.update(dict.fromkeys(_names(loader)))
    if len(lines) == 1:
        lines.append(
            "  Neither the application nor a blueprint has a folder with templates: make a folder "
            "'templates' beside the module that makes the application, or give template_folder."
        )
    plain = name.replace("\\", "/").removeprefix("./")
    if "\\" in name:
        lines.append("  Names of templates have slashes, on Windows too.")
    if plain.startswith(("templates/", "/")):
        lines.append("  Names of templates begin below the folder, not with it.")
    # The file may be in another folder; then it is that, however unlike the names are.
    last = plain.rpartition("/")[2]
    same = [each for each in known if each.rpartition("/")[2] == last]
    hint = f"There is {listed(same)}." if same else did_you_mean(plain, known)
    if hint:
        lines.append(f"  {hint}")
    return "\n".join(lines)


def _where(loader: BaseLoader) -> str:
    folders: Any = getattr(loader, "searchpath", None)
    if not isinstance(folders, list | tuple) or not folders:
        return f"a {type(loader).__name__}"
    return " and ".join(
        str(folder) if Path(folder).is_dir() else f"{folder} (there is no such folder)"
        for folder in folders
    )


def _names(loader: BaseLoader) -> list[str]:
    try:
        return loader.list_templates()
    except TypeError:  # it can load, and cannot tell what
        return []
