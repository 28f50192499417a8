"""What ``--cert`` and ``--key`` take: files, a certificate made on the spot, a TLS context."""

from __future__ import annotations

from typing import Any

import click

from stein.toolkit.modules import import_string

__all__ = ["CertParamType", "validate_key"]


class CertParamType(click.ParamType):  # type: ignore[type-arg] # no generic before click 8.3
    """The value of ``--cert``: a file, ``adhoc``, or the import path of an ``ssl.SSLContext``."""

    name = "path"

    def __init__(self) -> None:
        self.path_type = click.Path(exists=True, dir_okay=False, resolve_path=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the file's path, ``"adhoc"`` or the context.

        :raises click.BadParameter: it is none of them, or something that it needs is missing.
        """
        try:
            import ssl  # noqa: PLC0415 - Python may be built without
        except ImportError:
            message = 'This Python was built without TLS (module ssl): "--cert" cannot be used.'
            raise click.BadParameter(message, ctx, param) from None
        try:
            return self.path_type.convert(value, param, ctx)
        except click.BadParameter as error:
            no_file = error.message
        if str(value).lower() == "adhoc":
            return checked_adhoc(ctx, param)
        found = import_string(str(value), silent=True)
        if isinstance(found, ssl.SSLContext):
            return found
        message = (
            f"{no_file.rstrip('.')}. Nor is it 'adhoc' or the import path of an ssl.SSLContext."
        )
        raise click.BadParameter(message, ctx, param)


def checked_adhoc(ctx: click.Context | None, param: click.Parameter | None) -> str:
    """Return ``"adhoc"``, if what makes such certificates is installed."""
    try:
        import cryptography  # noqa: F401, PLC0415 - not installed with stein
    except ImportError:
        message = "A certificate made on the spot needs cryptography: pip install cryptography"
        raise click.BadParameter(message, ctx, param) from None
    return "adhoc"


def validate_key(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Put key and certificate together, since one is of no use without the other.

    Afterwards ``ctx.params["cert"]`` is a pair of files, ``"adhoc"``, a context, or ``None``.

    :raises click.BadParameter: there is a key and no file that it belongs to, or the reverse.
    """
    cert = ctx.params.get("cert")
    if value is None:
        if isinstance(cert, str) and cert != "adhoc":
            message = 'The file with the private key is needed too when "--cert" is a file.'
            raise click.BadParameter(message, ctx, param)
        return None
    if not cert:
        message = 'The key belongs to a certificate: give "--cert" as well.'
        raise click.BadParameter(message, ctx, param)
    if not isinstance(cert, str) or cert == "adhoc":
        kind = '"adhoc"' if cert == "adhoc" else "an SSLContext"
        message = f'{kind} as "--cert" has its key already: leave out "--key".'
        raise click.BadParameter(message, ctx, param)
    ctx.params["cert"] = cert, value
    return value
