"""The configuration of an application: a dict with upper-case keys, and roads that fill it."""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface

from __future__ import annotations

import errno
import os
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, overload

from stein.web.environment import files_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stein.web.app import Stein

__all__ = ["Config", "ConfigAttribute", "suspicious_keys"]

T = TypeVar("T")

# What "there is no such file" looks like to `silent`.
_ABSENT: Final = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR})


class ConfigAttribute(Generic[T]):
    """An attribute of the application that is a key of its configuration.

    :param name: the key.
    :param get_converter: applied to the value each time it is read.
    """

    __slots__ = ("__name__", "get_converter")

    def __init__(self, name: str, get_converter: Callable[[Any], T] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    @overload
    def __get__(self, obj: None, owner: None) -> Self: ...
    @overload
    def __get__(self, obj: Stein, owner: type[Stein]) -> T: ...
    def __get__(self, obj: Stein | None, owner: type[Stein] | None = None) -> T | Self:
        if obj is None:
            return self
        value = obj.config[self.__name__]
        convert = self.get_converter
        return value if convert is None else convert(value)

    def __set__(self, obj: Stein, value: Any) -> None:
        obj.config[self.__name__] = value


def _from_json(text: str) -> Any:
    """Read JSON; the module is imported by who has something to read."""
    from json import loads  # noqa: PLC0415 - few programs configure themselves like this

    return loads(text)


class Config(dict[str, Any]):
    """A dict of settings, which can be filled from files, objects and the environment.

    Only keys in upper case are taken over, so that what fills it can have names of its own beside
    them.  What is filled in later wins.

    :param root_path: the folder that file names are relative to.
    :param defaults: to begin with.
    """

    def __init__(
        self, root_path: str | os.PathLike[str], defaults: dict[str, Any] | None = None
    ) -> None:
        super().__init__(defaults or {})
        self.root_path = root_path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {dict.__repr__(self)}>"

    # -- from the environment -----------------------------------------------------------------

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Execute the Python file that an environment variable names.

        :param variable_name: of the variable.
        :param silent: give False if the variable is unset or empty, or its file is not there.
        :return: whether there was a file.
        :raises RuntimeError: if the variable is unset or empty.
        :raises OSError: if the file cannot be read.
        """
        filename = os.environ.get(variable_name)
        if filename:
            return self.from_pyfile(filename, silent=silent)
        if silent:
            return False
        raise RuntimeError(
            f"the environment variable {variable_name!r} is not set, and it should name the file "
            f"with the configuration: {variable_name}=/path/to/settings.py"
        )

    def from_prefixed_env(
        self, prefix: str = "FLASK", *, loads: Callable[[str], Any] = _from_json
    ) -> bool:
        """Take over the environment variables whose names start with a prefix.

        ``FLASK_MAIL__PORT=25`` sets the key ``PORT`` in the dict ``MAIL``, which is made if there
        is none.  The variables are taken in the order of their names.

        :param prefix: without the underscore that ends it.
        :param loads: makes a value of the text.  Text that it cannot read (whatever it raises)
            stays text.
        :return: True.
        :raises TypeError: if a variable sets a key in what is no dict.
        """
        start = f"{prefix}_"
        for name in sorted(os.environ):
            if not name.startswith(start):
                continue
            text = os.environ[name]
            try:
                value = loads(text)
            except Exception:  # noqa: BLE001 - whatever `loads` is, what it cannot read is text
                value = text
            self._set_nested(name, name[len(start) :].split("__"), value)
        return True

    def _set_nested(self, variable: str, keys: list[str], value: Any) -> None:
        """Set what an environment variable says, below the dicts that its name leads through."""
        *path, last = keys
        where: Any = self
        for depth, key in enumerate(path):
            where = where.setdefault(key, {})
            if not hasattr(where, "setdefault"):
                raise TypeError(
                    f"the environment variable {variable!r} sets a key in "
                    f"{'.'.join(path[: depth + 1])!r}, which is no dict but {where!r}; take one of "
                    "the two away"
                )
        where[last] = value

    # -- from files ---------------------------------------------------------------------------

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Execute a Python file, and take over the variables that it leaves.

        :param filename: absolute, or relative to ``root_path``.
        :param silent: give False if there is no such file.
        :return: whether there was one.
        :raises OSError: if it cannot be read.
        """
        path = os.path.join(self.root_path, filename)  # noqa: PTH118 - pathlib would be imported for it
        source = self._read(path, "rb", lambda file: file.read(), silent=silent, absent=_ABSENT)
        if source is None:
            return False
        module = ModuleType("config")
        module.__file__ = path
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - that is what it is for
        self.from_object(module)
        return True

    def from_file(
        self,
        filename: str | os.PathLike[str],
        load: Callable[[IO[Any]], Mapping[str, Any]],
        silent: bool = False,
        text: bool = True,
    ) -> bool:
        """Take over what a reader finds in a file: see :meth:`from_mapping`.

        ::

            app.config.from_file("settings.toml", load=tomllib.load, text=False)
            app.config.from_file("settings.json", load=json.load)

        :param filename: absolute, or relative to ``root_path``.
        :param load: takes the open file, and gives a mapping.
        :param silent: give False if there is no such file.
        :param text: open the file as text, otherwise as bytes.
        :return: whether there was one.
        :raises OSError: if it cannot be read.
        :raises TypeError: if it holds no mapping.
        """
        path = os.path.join(self.root_path, filename)  # noqa: PTH118 - pathlib would be imported for it
        absent = _ABSENT - {errno.ENOTDIR}
        loaded = self._read(path, "r" if text else "rb", load, silent=silent, absent=absent)
        if loaded is None:
            return False
        try:
            return self.from_mapping(loaded)
        except (TypeError, ValueError) as error:
            error.add_note(f"{path!r} should hold keys with values; it holds {loaded!r:.200}")
            raise

    @staticmethod
    def _read(
        path: str,
        mode: str,
        load: Callable[[IO[Any]], Any],
        *,
        silent: bool,
        absent: frozenset[int],
    ) -> Any:
        """Give what ``load`` makes of a file, or None if there is none and that is allowed."""
        files_read.add(os.path.abspath(path))  # noqa: PTH100 - as above
        try:
            with open(path, mode) as file:  # noqa: PTH123 - as above; in the platform's encoding
                try:
                    return load(file)
                except ValueError as error:
                    error.add_note(f"while the configuration file {path!r} was read")
                    raise
        except OSError as error:
            if silent and error.errno in absent:
                return None
            error.strerror = f"Unable to load configuration file ({error.strerror})"
            raise

    # -- from values --------------------------------------------------------------------------

    def from_object(self, obj: object | str) -> None:
        """Take over the upper-case attributes of a module, a class or any other object.

        A dict has none; see :meth:`from_mapping`.  Properties need an instance of their class.

        :param obj: the object, or its name for ``import_string``.
        """
        found: object = obj
        if isinstance(found, str):
            from stein.toolkit.modules import import_string  # noqa: PLC0415 - few give a name

            found = import_string(found)
        for name in filter(str.isupper, dir(found)):
            self[name] = getattr(found, name)

    def from_mapping(
        self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None, **kwargs: Any
    ) -> bool:
        """Take over the upper-case keys of a mapping, and then those given by name.

        :return: True.
        """
        given: dict[str, Any] = dict(mapping or ())
        given.update(kwargs)
        for key, value in given.items():
            if key.isupper():
                self[key] = value
        return True

    # -- out of it ----------------------------------------------------------------------------

    def get_namespace(
        self, namespace: str, lowercase: bool = True, trim_namespace: bool = True
    ) -> dict[str, Any]:
        """The settings whose keys start alike, for instance to be passed on as keywords.

        :param namespace: how they start.
        :param lowercase: write the keys in lower case.
        :param trim_namespace: leave the beginning out.
        """
        cut = len(namespace) if trim_namespace else 0
        return {
            key[cut:].lower() if lowercase else key[cut:]: value
            for key, value in self.items()
            if key.startswith(namespace)
        }


# -- keys that look wrong ---------------------------------------------------------------------

_KNOWN: Final = frozenset(
    """
    APPLICATION_ROOT DEBUG EXPLAIN_TEMPLATE_LOADING MAX_CONTENT_LENGTH MAX_COOKIE_SIZE
    MAX_FORM_MEMORY_SIZE MAX_FORM_PARTS PERMANENT_SESSION_LIFETIME PREFERRED_URL_SCHEME
    PROPAGATE_EXCEPTIONS PROVIDE_AUTOMATIC_OPTIONS SECRET_KEY SECRET_KEY_FALLBACKS
    SEND_FILE_MAX_AGE_DEFAULT SERVER_NAME SESSION_COOKIE_DOMAIN SESSION_COOKIE_HTTPONLY
    SESSION_COOKIE_NAME SESSION_COOKIE_PARTITIONED SESSION_COOKIE_PATH SESSION_COOKIE_SAMESITE
    SESSION_COOKIE_SECURE SESSION_REFRESH_EACH_REQUEST TEMPLATES_AUTO_RELOAD TESTING
    TRAP_BAD_REQUEST_ERRORS TRAP_HTTP_EXCEPTIONS TRUSTED_HOSTS USE_X_SENDFILE
    """.split()  # noqa: SIM905 - thirty lines, otherwise
)
_GONE: Final = {
    "JSON_AS_ASCII": "app.json.ensure_ascii",
    "JSON_SORT_KEYS": "app.json.sort_keys",
    "JSONIFY_MIMETYPE": "app.json.mimetype",
    "JSONIFY_PRETTYPRINT_REGULAR": "app.json.compact",
}


def suspicious_keys(config: Mapping[str, Any]) -> dict[str, str]:
    """Find keys that nothing reads, although somebody probably thinks so.

    Nothing is wrong with a key that is unknown here, since programs and extensions have theirs.
    Reported are those a slip away from a known one, and those which used to mean something.

    :param config: of the application.
    :return: a hint for each such key: ``{"SECRETKEY": "did you mean 'SECRET_KEY'?"}``.
    """
    hints = {}
    for key in config:
        if key in _KNOWN or not isinstance(key, str):
            continue
        if key in _GONE:
            hints[key] = f"nothing reads it any more; set {_GONE[key]}"
            continue
        for known in sorted(_KNOWN):
            if _is_slip(key.upper(), known):
                hints[key] = f"did you mean {known!r}?"
                break
    return hints


def _is_slip(key: str, known: str) -> bool:
    """Whether a key is a known one but for underscores, or one letter, or two changed about."""
    if key.replace("_", "") == known.replace("_", ""):
        return True
    if abs(len(key) - len(known)) > 1 or len(known) < len("TESTING"):
        return False
    # Leave out what they have in common at both ends.
    mine, right = _without_common_start(key, known)
    mine, right = _without_common_start(mine[::-1], right[::-1])
    return max(len(mine), len(right)) <= 1 or (len(mine) == 2 and mine == right[::-1])


def _without_common_start(one: str, other: str) -> tuple[str, str]:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return one[same:], other[same:]
