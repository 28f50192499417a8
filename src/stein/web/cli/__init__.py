"""The command line of an application: its commands, and ``run``, ``shell`` and ``routes``.

The names are resolved on first use: an application with one command of its own needs click and
:class:`AppGroup`, but neither the server's options nor the table of routes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stein.web.cli.certificates import CertParamType
    from stein.web.cli.discovery import (
        NoAppException,
        find_app_by_string,
        find_best_app,
        locate_app,
        prepare_import,
    )
    from stein.web.cli.dotenv import load_dotenv
    from stein.web.cli.groups import AppGroup, FlaskGroup
    from stein.web.cli.options import SeparatedPathType
    from stein.web.cli.program import cli, main
    from stein.web.cli.routes import routes_command
    from stein.web.cli.run import run_command, show_server_banner
    from stein.web.cli.script import ScriptInfo, pass_script_info, with_appcontext
    from stein.web.cli.shell import shell_command
    from stein.web.cli.version import get_version, version_option

__all__ = [
    "AppGroup",
    "CertParamType",
    "FlaskGroup",
    "NoAppException",
    "ScriptInfo",
    "SeparatedPathType",
    "cli",
    "find_app_by_string",
    "find_best_app",
    "get_version",
    "load_dotenv",
    "locate_app",
    "main",
    "pass_script_info",
    "prepare_import",
    "routes_command",
    "run_command",
    "shell_command",
    "show_server_banner",
    "version_option",
    "with_appcontext",
]

_HOMES: Final = {
    "certificates": "CertParamType",
    "discovery": "NoAppException find_app_by_string find_best_app locate_app prepare_import",
    "dotenv": "load_dotenv",
    "groups": "AppGroup FlaskGroup",
    "options": "SeparatedPathType",
    "program": "cli main",
    "routes": "routes_command",
    "run": "run_command show_server_banner",
    "script": "ScriptInfo pass_script_info with_appcontext",
    "shell": "shell_command",
    "version": "get_version version_option",
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}; it offers: {', '.join(__all__)}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
