"""The values that HTTP deals in: headers, multidicts, cache control, ranges, uploaded files.

The names here are found on first use, so that a program pays for what it touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from stein.toolkit.datastructures.accept import (
        Accept,
        CharsetAccept,
        LanguageAccept,
        MIMEAccept,
    )
    from stein.toolkit.datastructures.auth import Authorization, WWWAuthenticate
    from stein.toolkit.datastructures.cache_control import (
        RequestCacheControl,
        ResponseCacheControl,
    )
    from stein.toolkit.datastructures.csp import ContentSecurityPolicy
    from stein.toolkit.datastructures.etag import ETags
    from stein.toolkit.datastructures.file_storage import FileMultiDict, FileStorage
    from stein.toolkit.datastructures.headers import EnvironHeaders, Headers
    from stein.toolkit.datastructures.mixins import (
        ImmutableDictMixin,
        ImmutableHeadersMixin,
        ImmutableListMixin,
        ImmutableMultiDictMixin,
        UpdateDictMixin,
    )
    from stein.toolkit.datastructures.multidict import (
        CombinedMultiDict,
        ImmutableDict,
        ImmutableList,
        ImmutableMultiDict,
        ImmutableTypeConversionDict,
        MultiDict,
        TypeConversionDict,
        iter_multi_items,
    )
    from stein.toolkit.datastructures.range import ContentRange, IfRange, Range
    from stein.toolkit.datastructures.sets import CallbackDict, HeaderSet

__all__ = [
    "Accept",
    "Authorization",
    "CallbackDict",
    "CharsetAccept",
    "CombinedMultiDict",
    "ContentRange",
    "ContentSecurityPolicy",
    "ETags",
    "EnvironHeaders",
    "FileMultiDict",
    "FileStorage",
    "HeaderSet",
    "Headers",
    "IfRange",
    "ImmutableDict",
    "ImmutableDictMixin",
    "ImmutableHeadersMixin",
    "ImmutableList",
    "ImmutableListMixin",
    "ImmutableMultiDict",
    "ImmutableMultiDictMixin",
    "ImmutableTypeConversionDict",
    "LanguageAccept",
    "MIMEAccept",
    "MultiDict",
    "Range",
    "RequestCacheControl",
    "ResponseCacheControl",
    "TypeConversionDict",
    "UpdateDictMixin",
    "WWWAuthenticate",
    "iter_multi_items",
]

_MODULES: Final = {
    "accept": "Accept CharsetAccept LanguageAccept MIMEAccept",
    "auth": "Authorization WWWAuthenticate",
    "cache_control": "RequestCacheControl ResponseCacheControl",
    "csp": "ContentSecurityPolicy",
    "etag": "ETags",
    "file_storage": "FileMultiDict FileStorage",
    "headers": "EnvironHeaders Headers",
    "mixins": "ImmutableDictMixin ImmutableHeadersMixin ImmutableListMixin "
    "ImmutableMultiDictMixin UpdateDictMixin",
    "multidict": "CombinedMultiDict ImmutableDict ImmutableList ImmutableMultiDict "
    "ImmutableTypeConversionDict MultiDict TypeConversionDict iter_multi_items",
    "range": "ContentRange IfRange Range",
    "sets": "CallbackDict HeaderSet",
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names.split()}
# Deprecated upstream: asked for through the module, which warns, and not kept here.
_OUTDATED: Final = frozenset({"OrderedMultiDict", "ImmutableOrderedMultiDict"})


def __getattr__(name: str) -> Any:
    """Import the public name's home module when the name is first asked for (PEP 562)."""
    if name in _OUTDATED:
        return getattr(importlib.import_module(f"{__name__}.multidict"), name)
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}; it offers: {', '.join(__all__)}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
