"""The files that belong to an application or a blueprint: static ones, templates, resources."""

# ruff: noqa: PTH118, PTH119, PTH123 - paths are text here; pathlib costs 10 ms

from __future__ import annotations

import os.path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from stein.toolkit.properties import cached_property
from stein.web.globals import current_app
from stein.web.packages import get_root_path

if TYPE_CHECKING:
    from jinja2 import BaseLoader

    from stein.web.response import Response

__all__ = ["FolderPath", "Resources"]

#: a path, as text or as an object that stands for one
FolderPath: TypeAlias = str | os.PathLike[str]

_READING = frozenset({"r", "rt", "rb"})


class Resources:
    """A module, and the folders beside it.

    :param import_name: of the module, mostly ``__name__``.
    :param static_folder: where the static files are, relative to :attr:`root_path`; ``None`` if
        there are none.
    :param static_url_path: where the URLs of the static files begin; ``None`` for the name of the
        folder.
    :param template_folder: where the templates are, relative to :attr:`root_path`; ``None`` if
        there are none.
    :param root_path: what the folders are relative to; found by the import name if it is not
        given.
    """

    import_name: str  #: of the module
    template_folder: FolderPath | None  #: relative to :attr:`root_path`
    root_path: str  #: the absolute path of the folder that the module is in

    # As they were set: the folder relative or absolute, the path perhaps not at all.
    _static_url_path: str | None
    _static_folder: str | None

    def __init__(
        self,
        import_name: str,
        static_folder: FolderPath | None = None,
        static_url_path: str | None = None,
        template_folder: FolderPath | None = None,
        root_path: str | None = None,
    ) -> None:
        self.root_path = get_root_path(import_name) if root_path is None else root_path
        self.import_name = import_name
        self.template_folder = template_folder
        self.static_folder = static_folder
        self.static_url_path = static_url_path

    # -- static files --------------------------------------------------------------------------

    @property
    def static_folder(self) -> str | None:
        """The absolute path of the folder with the static files; ``None`` if there is none."""
        folder = self._static_folder
        return None if folder is None else os.path.join(self.root_path, folder)

    @static_folder.setter
    def static_folder(self, value: FolderPath | None) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip("\\/")

    @property
    def has_static_folder(self) -> bool:
        """Whether :attr:`static_folder` is set; the folder itself need not exist."""
        return self.static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """Where the URLs of the static files begin, without a slash at the end.

        It is ``/`` and the name of :attr:`static_folder` if it was not set.
        """
        if self._static_url_path is not None:
            return self._static_url_path
        folder = self.static_folder
        if folder is None:
            return None
        name = os.path.basename(folder)
        return f"/{name}" if name else ""

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    def get_send_file_max_age(self, filename: str | None) -> int | None:  # noqa: ARG002 - for subclasses
        """How long clients may keep a file, in seconds.

        By default it is ``SEND_FILE_MAX_AGE_DEFAULT`` of the current application's configuration,
        seconds or a :class:`~datetime.timedelta`.  ``None`` makes clients ask each time whether
        the file has changed.

        :param filename: of the file; a subclass may decide by it.
        """
        value = current_app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        total_seconds = getattr(value, "total_seconds", None)
        if total_seconds is not None:
            return int(total_seconds())
        age: int | None = value
        return age

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file out of :attr:`static_folder`: the view of the endpoint ``static``.

        :param filename: relative to the folder, as in the URL.
        :raises NotFound: there is no such file in the folder.
        :raises RuntimeError: there is no static folder.
        """
        # Few programs send files in production, and it takes a module to send them.
        from stein.web.shortcuts import send_from_directory  # noqa: PLC0415 - see above

        folder = self.static_folder
        if folder is None:
            raise RuntimeError(
                f"{self!r} cannot send {filename!r}: 'static_folder' must be set to serve static"
                " files. Give the folder to the constructor, as 'static_folder=\"static\"'."
            )
        # send_from_directory would ask the application only, and this may be a blueprint.
        return send_from_directory(folder, filename, max_age=self.get_send_file_max_age(filename))

    # -- templates -----------------------------------------------------------------------------

    @cached_property
    def jinja_loader(self) -> BaseLoader | None:
        """What loads the templates in :attr:`template_folder`; ``None`` if there is none."""
        if self.template_folder is None:
            return None
        # Jinja takes longer to import than all of the framework.
        from jinja2 import FileSystemLoader  # noqa: PLC0415 - see above

        return FileSystemLoader(os.path.join(self.root_path, self.template_folder))

    # -- anything else -------------------------------------------------------------------------

    def open_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = None
    ) -> IO[Any]:
        """Open a file that comes with the module, for reading.

        ::

            with app.open_resource("schema.sql", "r") as file:
                database.executescript(file.read())

        :param resource: path of the file, relative to :attr:`root_path`.
        :param mode: ``"rb"`` for bytes, ``"r"`` or ``"rt"`` for text.
        :param encoding: of the text; ``None`` for that of the locale.
        :raises ValueError: the mode is one for writing.
        :raises OSError: the file cannot be opened.
        """
        if mode not in _READING:
            raise ValueError(
                f"The mode {mode!r} is not one of 'r', 'rt' and 'rb'. Resources can only be opened"
                " for reading. What the program writes belongs into the instance folder: see"
                " 'app.open_instance_resource'."
            )
        path = os.path.join(self.root_path, resource)
        return open(path, mode, encoding=None if mode == "rb" else encoding)
