"""Which names lead where, as data.

An alias module is another name for a module of ours (a string), or a choice of names, each with
the module that holds it (``"module"``, or ``"module:name"`` where it has another name there); the
choice may have ``"*"``, the module for all other names.  Names that upstream no longer has stay
out: programs try them to tell versions apart.
"""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = ["ALIASES", "COMMANDS", "DISTRIBUTIONS", "VERSION_UNTIL", "Target", "split"]

Target: TypeAlias = str | dict[str, str]

#: what ``importlib.metadata`` answers: the version whose interface the aliases speak
DISTRIBUTIONS: Final = {"flask": "3.1.3", "werkzeug": "3.1.9"}

#: what they say to install as a command, as in the entry points of a wheel
COMMANDS: Final = {"flask": "flask.cli:main"}

#: where ``__version__`` still answers, and the release in which it will not
VERSION_UNTIL: Final = {"flask": "3.2"}


def split(target: Target) -> tuple[dict[str, str], str]:
    """The names whose place is told one by one, and the module for the others, or ``""``."""
    if isinstance(target, str):
        return {}, target
    return {name: place for name, place in target.items() if name != "*"}, target.get("*", "")


def _from(home: str, names: str) -> dict[str, str]:
    """Each of the names (separated by blanks), held by one module."""
    return dict.fromkeys(names.split(), home)


_DATA: Final = "stein.toolkit.datastructures"

_STRUCTURES: Final = {
    **_from(
        f"{_DATA}.multidict",
        "CombinedMultiDict ImmutableDict ImmutableList ImmutableMultiDict "
        "ImmutableTypeConversionDict MultiDict OrderedMultiDict ImmutableOrderedMultiDict "
        "TypeConversionDict iter_multi_items _ImmutableOrderedMultiDict _OrderedMultiDict",
    ),
    **_from(f"{_DATA}.sets", "CallbackDict HeaderSet"),
}
_MIXINS: Final = _from(
    f"{_DATA}.mixins",
    "ImmutableDictMixin ImmutableHeadersMixin ImmutableListMixin ImmutableMultiDictMixin "
    "UpdateDictMixin",
)
_FILES: Final = _from(f"{_DATA}.file_storage", "FileMultiDict FileStorage")

_DATASTRUCTURES: Final[dict[str, Target]] = {
    "werkzeug.datastructures.accept": f"{_DATA}.accept",
    "werkzeug.datastructures.auth": f"{_DATA}.auth",
    "werkzeug.datastructures.cache_control": f"{_DATA}.cache_control",
    "werkzeug.datastructures.csp": f"{_DATA}.csp",
    "werkzeug.datastructures.etag": f"{_DATA}.etag",
    "werkzeug.datastructures.file_storage": f"{_DATA}.file_storage",
    "werkzeug.datastructures.headers": f"{_DATA}.headers",
    "werkzeug.datastructures.mixins": f"{_DATA}.mixins",
    "werkzeug.datastructures.range": f"{_DATA}.range",
    "werkzeug.datastructures.structures": _STRUCTURES,
    "werkzeug.datastructures": {
        **{name: home for name, home in _STRUCTURES.items() if not name.startswith("_")},
        **_MIXINS,
        **_FILES,
        **_from(f"{_DATA}.accept", "Accept CharsetAccept LanguageAccept MIMEAccept"),
        **_from(f"{_DATA}.auth", "Authorization WWWAuthenticate"),
        **_from(f"{_DATA}.cache_control", "RequestCacheControl ResponseCacheControl"),
        **_from(f"{_DATA}.csp", "ContentSecurityPolicy"),
        **_from(f"{_DATA}.etag", "ETags"),
        **_from(f"{_DATA}.headers", "EnvironHeaders Headers"),
        **_from(f"{_DATA}.range", "ContentRange IfRange Range"),
    },
}

_ROUTING: Final[dict[str, Target]] = {
    "werkzeug.routing": "stein.toolkit.routing",
    "werkzeug.routing.converters": "stein.toolkit.routing.converters",
    "werkzeug.routing.exceptions": "stein.toolkit.routing.exceptions",
    "werkzeug.routing.map": "stein.toolkit.routing.map",
    "werkzeug.routing.matcher": "stein.toolkit.routing.matcher",
    "werkzeug.routing.rules": "stein.toolkit.routing.rules",
}

_MIDDLEWARE: Final[dict[str, Target]] = {
    "werkzeug.middleware": {},
    "werkzeug.middleware.dispatcher": "stein.toolkit.middleware.dispatcher",
    "werkzeug.middleware.http_proxy": "stein.toolkit.middleware.http_proxy",
    "werkzeug.middleware.lint": "stein.toolkit.middleware.lint",
    "werkzeug.middleware.profiler": "stein.toolkit.middleware.profiler",
    "werkzeug.middleware.proxy_fix": "stein.toolkit.middleware.proxy_fix",
    "werkzeug.middleware.shared_data": "stein.toolkit.middleware.shared_data",
}

_WRAPPERS: Final[dict[str, Target]] = {
    "werkzeug.sansio": {},
    "werkzeug.sansio.http": "stein.toolkit.sansio.http",
    "werkzeug.sansio.multipart": "stein.toolkit.forms.multipart",
    "werkzeug.sansio.request": "stein.toolkit.sansio.request",
    "werkzeug.sansio.response": "stein.toolkit.sansio.response",
    "werkzeug.sansio.utils": "stein.toolkit.sansio.hosts",
    "werkzeug.wrappers": {
        "Request": "stein.toolkit.request",
        **_from("stein.toolkit.response", "Response ResponseStream"),
    },
    "werkzeug.wrappers.request": "stein.toolkit.request",
    "werkzeug.wrappers.response": "stein.toolkit.response",
}

_SERVING: Final[dict[str, Target]] = {
    "werkzeug.serving": {
        **_from("stein.serving.run", "is_running_from_reloader run_simple"),
        **_from(
            "stein.serving.devserver",
            "BaseWSGIServer ForkingMixIn ForkingWSGIServer ThreadedWSGIServer make_server",
        ),
        **_from(
            "stein.serving.certificates",
            "generate_adhoc_ssl_context generate_adhoc_ssl_pair load_ssl_context "
            "make_ssl_devcert ssl",
        ),
        **_from(
            "stein.serving.sockets",
            "LISTEN_QUEUE af_unix can_fork connection_dropped_errors get_interface_ip "
            "get_sockaddr is_ssl_error select_address_family",
        ),
        "DechunkedInput": "stein.serving.dechunking",
        "WSGIRequestHandler": "stein.serving.requesthandler",
    },
}

_DEBUG: Final = "stein.toolkit.debugger"

_DEBUGGER: Final[dict[str, Target]] = {
    "werkzeug.debug": {
        "*": _DEBUG,
        **_from("stein.toolkit.exceptions", "NotFound SecurityError"),
    },
    "werkzeug.debug.console": f"{_DEBUG}.console",
    "werkzeug.debug.repr": f"{_DEBUG}.repr",
    "werkzeug.debug.tbtools": {
        "*": f"{_DEBUG}.tracebacks",
        "DebugFrameSummary": f"{_DEBUG}.frames",
        "render_console_html": f"{_DEBUG}.page",
    },
}

_WEB: Final = "stein.web"

_SIGNALS: Final = _from(
    f"{_WEB}.signals",
    "appcontext_popped appcontext_pushed appcontext_tearing_down before_render_template "
    "got_request_exception message_flashed request_finished request_started "
    "request_tearing_down template_rendered",
)
_RENDERING: Final = _from(
    f"{_WEB}.templating",
    "render_template render_template_string stream_template stream_template_string",
)
_PROXIES: Final = _from(f"{_WEB}.globals", "current_app g request session")
_IN_CONTEXT: Final = _from(
    f"{_WEB}.context",
    "after_this_request copy_current_request_context has_app_context has_request_context",
)
_SHORTCUTS: Final = {
    **_from(
        f"{_WEB}.shortcuts",
        "abort make_response redirect send_file send_from_directory url_for",
    ),
    **_from(f"{_WEB}.flashing", "flash get_flashed_messages"),
    "get_template_attribute": f"{_WEB}.templating",
    "stream_with_context": f"{_WEB}.streaming",
}
# Upstream's modules have these as their own, too: tests patch them there, and programs import them
# from anywhere.
_CURRENT: Final = {
    **_PROXIES,
    **_from(f"{_WEB}.globals", "_cv_app _cv_request app_ctx request_ctx"),
}

_FLASK: Final[dict[str, Target]] = {
    "flask": {
        **_SIGNALS,
        **_RENDERING,
        **_PROXIES,
        **_IN_CONTEXT,
        **_SHORTCUTS,
        "Blueprint": f"{_WEB}.blueprint",
        "Config": f"{_WEB}.config",
        "Flask": f"{_WEB}.app:Stein",
        "Request": f"{_WEB}.request",
        "Response": f"{_WEB}.response",
        "jsonify": f"{_WEB}.json",
    },
    "flask.__main__": {"main": f"{_WEB}.cli"},
    "flask.app": {"*": f"{_WEB}.app", "App": f"{_WEB}.app:Stein", **_CURRENT, **_SIGNALS},
    "flask.blueprints": {"*": f"{_WEB}.blueprint", **_CURRENT},
    "flask.cli": {"*": f"{_WEB}.cli", **_CURRENT},
    "flask.config": f"{_WEB}.config",
    "flask.ctx": {
        **_CURRENT,
        **_IN_CONTEXT,
        **_from(f"{_WEB}.signals", "appcontext_popped appcontext_pushed"),
        **_from(f"{_WEB}.context", "AppContext RequestContext"),
        "_AppCtxGlobals": f"{_WEB}.context:AppGlobals",
    },
    "flask.debughelpers": f"{_WEB}.explain",
    "flask.globals": f"{_WEB}.globals",
    "flask.helpers": {
        **_CURRENT,
        **_SHORTCUTS,
        "message_flashed": f"{_WEB}.signals",
        **_from(f"{_WEB}.environment", "get_debug_flag get_load_dotenv"),
        "get_root_path": f"{_WEB}.packages",
    },
    "flask.json": f"{_WEB}.json",
    "flask.json.provider": f"{_WEB}.json.provider",
    "flask.json.tag": f"{_WEB}.json.tag",
    "flask.logging": f"{_WEB}.logs",
    "flask.sansio": {},
    "flask.sansio.app": {"App": f"{_WEB}.app:Stein"},
    "flask.sansio.blueprints": f"{_WEB}.blueprint",
    "flask.sansio.scaffold": {
        "Scaffold": f"{_WEB}.setup:Setup",
        "_endpoint_from_view_func": f"{_WEB}.setup:default_endpoint",
        "find_package": f"{_WEB}.packages",
        "setupmethod": f"{_WEB}.setup",
    },
    "flask.sessions": {
        "*": f"{_WEB}.sessions",
        "TaggedJSONSerializer": f"{_WEB}.json.tag",
        **_from(f"{_DATA}.sets", "CallbackDict"),
        **_from("itsdangerous", "BadSignature URLSafeTimedSerializer"),
        **_from("collections.abc", "MutableMapping"),
    },
    "flask.signals": f"{_WEB}.signals",
    "flask.templating": {"*": f"{_WEB}.templating", **_CURRENT},
    "flask.testing": f"{_WEB}.testing",
    "flask.typing": f"{_WEB}.typing",
    "flask.views": f"{_WEB}.views",
    "flask.wrappers": {
        **_CURRENT,
        "Request": f"{_WEB}.request",
        "Response": f"{_WEB}.response",
    },
}

#: alias module -> target; a parent package stands here as well
ALIASES: Final[dict[str, Target]] = {
    **_FLASK,
    "werkzeug": {
        "Client": "stein.toolkit.client",
        "Request": "stein.toolkit.request",
        "Response": "stein.toolkit.response",
        "run_simple": "stein.serving.run",
    },
    "werkzeug._internal": {
        "_log": "stein.serving.devlog:say",
        "_wsgi_decoding_dance": "stein.toolkit.wsgi:wsgi_decode",
        "_wsgi_encoding_dance": "stein.toolkit.wsgi:wsgi_encode",
    },
    "werkzeug._reloader": "stein.serving.reloader.loops",
    "werkzeug.exceptions": "stein.toolkit.exceptions",
    "werkzeug.formparser": "stein.toolkit.forms.parser",
    "werkzeug.http": "stein.toolkit.http",
    "werkzeug.local": "stein.toolkit.locals",
    "werkzeug.security": "stein.toolkit.security",
    "werkzeug.test": "stein.toolkit.client",
    "werkzeug.testapp": "stein.toolkit.testapp",
    "werkzeug.urls": "stein.toolkit.urls",
    "werkzeug.user_agent": "stein.toolkit.useragent",
    "werkzeug.utils": {
        **_from("stein.toolkit.properties", "cached_property environ_property header_property"),
        **_from("stein.toolkit.modules", "ImportStringError find_modules import_string"),
        **_from("stein.toolkit.redirects", "append_slash_redirect redirect"),
        **_from("stein.toolkit.sending", "send_file send_from_directory"),
        "get_content_type": "stein.toolkit.sansio.response",
        "secure_filename": "stein.toolkit.security",
    },
    "werkzeug.wsgi": "stein.toolkit.wsgi",
    **_DATASTRUCTURES,
    **_DEBUGGER,
    **_MIDDLEWARE,
    **_ROUTING,
    **_SERVING,
    **_WRAPPERS,
}
