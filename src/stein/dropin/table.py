"""Which names lead where, as data.

An alias module is one of two things: another name for a module of ours (a string), or a choice of
names, each with the module that holds it (``"module"``, or ``"module:name"`` where it has another
name there).  Names that upstream no longer has stay out: programs try them to tell versions apart.
"""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = ["ALIASES", "DISTRIBUTIONS", "Target"]

Target: TypeAlias = str | dict[str, str]

#: what ``importlib.metadata`` answers: the version whose interface the aliases speak
DISTRIBUTIONS: Final = {"werkzeug": "3.1.9"}


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

#: alias module -> target; a parent package stands here as well
ALIASES: Final[dict[str, Target]] = {
    "werkzeug": {
        "Client": "stein.toolkit.client",
        "Request": "stein.toolkit.request",
        "Response": "stein.toolkit.response",
    },
    "werkzeug._internal": {
        "_wsgi_decoding_dance": "stein.toolkit.wsgi:wsgi_decode",
        "_wsgi_encoding_dance": "stein.toolkit.wsgi:wsgi_encode",
    },
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
    **_MIDDLEWARE,
    **_ROUTING,
    **_WRAPPERS,
}
