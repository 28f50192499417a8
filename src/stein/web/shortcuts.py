"""Functions that act for the current application, to be imported by views."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, NoReturn

from stein.toolkit import exceptions, redirects
from stein.web.globals import context_var, current_app, request

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from datetime import datetime

    from stein.toolkit.response import Response as ResponseBase
    from stein.web.response import Response

__all__ = [
    "abort",
    "make_response",
    "redirect",
    "send_file",
    "send_from_directory",
    "url_for",
]


def make_response(*args: Any) -> Response:
    """Make a response of what a view may return, to change it before it is returned.

    ::

        response = make_response(render_template("page.html"))
        response.set_cookie("seen", "yes")
        return response

    :param args: what a view would return: one value, or those of a tuple.  None at all gives an
        empty response.
    :raises TypeError: as for a view that returns it.
    """
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: Any,
) -> str:
    """Build the URL of an endpoint: :meth:`~stein.web.app.Stein.url_for` of the application."""
    context = context_var.get(None)
    app = current_app if context is None else context.app
    # PERF: most URLs have none of these; five keywords take 0.3 us.
    if _anchor is None and _method is None and _scheme is None and _external is None:
        return app.url_for(endpoint, **values)
    return app.url_for(
        endpoint,
        _anchor=_anchor,
        _method=_method,
        _scheme=_scheme,
        _external=_external,
        **values,
    )


def redirect(
    location: str,
    code: int = 302,
    Response: type[ResponseBase] | None = None,  # noqa: N803 - the name of the interface
) -> ResponseBase:
    """Make a response that sends the client somewhere else.

    :param location: the URL; see :func:`url_for`.
    :param code: the status; 303 is for after a POST, 308 and 307 repeat the request elsewhere.
    :param Response: its class, where there is no application.
    """
    context = context_var.get(None)
    if context is not None:
        return context.app.redirect(location, code=code)
    return redirects.redirect(location, code=code, Response=Response)


def abort(code: int | ResponseBase, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the error of a status, or one whose answer is a response.

    :param code: the status, or the response.
    :param args: for the exception; the first is its description.
    :raises HTTPException: always.
    """
    context = context_var.get(None)
    if context is not None:
        context.app.aborter(code, *args, **kwargs)
    exceptions.abort(code, *args, **kwargs)


def send_file(  # noqa: PLR0913, PLR0917 - the interface
    path_or_file: os.PathLike[str] | str | IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,  # noqa: FBT001, FBT002 - the interface
    download_name: str | None = None,
    conditional: bool = True,  # noqa: FBT001, FBT002 - the interface
    etag: bool | str = True,  # noqa: FBT001, FBT002 - the interface
    last_modified: datetime | float | None = None,
    max_age: int | Callable[[str | None], int | None] | None = None,
) -> Response:
    """Send a file, with what lets clients keep it and ask for a part of it.

    Never give it a path out of a request, see :func:`send_from_directory`.

    :param path_or_file: a path, relative to the application's folder; or an open file, binary.
    :param mimetype: the media type; by default that of the name.
    :param as_attachment: let browsers save it instead of showing it.
    :param download_name: its name for that; by default that of the path.
    :param conditional: answer conditional and range requests.
    :param etag: whether to send one; or which.
    :param last_modified: when it was changed, in seconds since the epoch or as a datetime.
    :param max_age: for how many seconds clients may use it without asking, or what tells it by
        the path; by default the application's ``get_send_file_max_age``.
    """
    # Late: half of the applications send no files.
    from stein.toolkit.sending import send_file as send  # noqa: PLC0415

    return send(  # type: ignore[return-value] # response_class says so
        path_or_file,
        request.environ,
        mimetype=mimetype,
        as_attachment=as_attachment,
        download_name=download_name,
        conditional=conditional,
        etag=etag,
        last_modified=last_modified,
        **_of_current_app(max_age),
    )


def send_from_directory(
    directory: os.PathLike[str] | str, path: os.PathLike[str] | str, **kwargs: Any
) -> Response:
    """Send a file out of a folder, and never one outside of it.

    :param directory: the folder, relative to the application's; not out of a request.
    :param path: of the file in it, which may come from a request.
    :param kwargs: as for :func:`send_file`.
    :raises NotFound: there is no such file in it.
    """
    from stein.toolkit.sending import send_from_directory as send  # noqa: PLC0415 - as above

    max_age = kwargs.pop("max_age", None)
    kwargs |= _of_current_app(max_age)
    return send(directory, path, request.environ, **kwargs)  # type: ignore[return-value]


def _of_current_app(max_age: int | Callable[[str | None], int | None] | None) -> dict[str, Any]:
    app = current_app._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - a proxy
    return {
        "max_age": app.get_send_file_max_age if max_age is None else max_age,
        "use_x_sendfile": app.config["USE_X_SENDFILE"],
        "response_class": app.response_class,
        "_root_path": app.root_path,
    }
