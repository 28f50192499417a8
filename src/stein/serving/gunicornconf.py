"""gunicorn's configuration file and flags, as settings of ours.

What becomes of each setting is said in :mod:`stein.serving.gunicorntable`; how its value is to be
turned, if it is not taken as it is, here.  What has no equivalent is refused with what to use
instead, unless its value is gunicorn's default, which asks for nothing.
"""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.errors import ConfigurationError
from stein.serving.configfile import FIELDS, SLIP, ConfigFile, execute, is_slip, lines_of, worded
from stein.serving.gunicorntable import FLAGS, OURS, REFUSED, TABLE, UNTOLD
from stein.serving.load import Given, read_octal
from stein.tracebacks import whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec

    from stein.serving.gunicorntable import Row

__all__ = [
    "gunicorn_defaults",
    "read_gunicorn_config",
    "read_gunicorn_flags",
    "settle_timeout",
    "socket_mode",
    "split_flags",
]

DEFAULT_SOURCE: Final = "gunicorn's default"
#: How gunicorn calls workers whose threads are greenlets.
GREENLETS: Final = frozenset({"gevent", "geventworker"})
#: The kinds of gunicorn's workers that have an equivalent, and whether they have threads.
KINDS: Final = {
    "sync": False, "syncworker": False, "gthread": True, "threadworker": True,
    **dict.fromkeys(GREENLETS, True),
}  # fmt: skip
SCHEME_FIELDS: Final = {
    "X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on",
}  # fmt: skip
CERT_REQS: Final = {"0": "none", "1": "optional", "2": "required"}
#: Smaller ones of gunicorn's would make ours smaller than it is for everybody.
LEAST_HEADER_BYTES: Final = 64 * 1024
#: Functions that are called by one of our hooks, in this order.
HOOKS: Final = {
    "on_start": ("on_starting",),
    "when_ready": ("when_ready",),
    "worker_start": ("post_fork", "post_worker_init", "worker_exit"),
    "worker_exit": ("child_exit",),
}


class Said:
    """One value, and where it was said.

    :param source: a file and its line, or a flag.
    :param wording: how it was said, for messages.
    """

    def __init__(self, value: Any, source: str, wording: str) -> None:
        self.value = value
        self.source = source
        self.wording = wording

    @property
    def text(self) -> str:
        """The value as a text."""
        return "" if self.value is None else str(self.value)

    @property
    def is_on(self) -> bool:
        """Whether a switch is on."""
        return self.value is True or self.text.lower() == "true"

    def __str__(self) -> str:
        return f"{self.source}: {self.wording}" if " = " in self.wording else self.wording


# -- the file -------------------------------------------------------------------------------------


def read_gunicorn_config(path: str, folder: Path) -> ConfigFile:
    """Read a configuration file that was written for gunicorn.

    :param path: of the file, with or without ``file:``; or ``python:`` and a module's name.
    :param folder: what a relative path is relative to.
    :raises ConfigurationError: there is none, or it raised.
    """
    place = folder / path.removeprefix("file:")
    shown = path.removeprefix("file:")
    if path.startswith("python:"):
        spec = spec_of(path.removeprefix("python:"))
        if spec is None or spec.origin is None:
            raise ConfigurationError(f"--config {path}: there is no such module")
        place, shown = Path(spec.origin), spec.origin
    try:
        text = place.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"--config {path}: the file cannot be read: {cause}") from None
    file = ConfigFile(shown)
    names = execute(str(place), text)
    lines = lines_of(text)
    said: dict[str, Said] = {}
    for name, value in names.items():
        source = f"{shown}:{lines.get(name, 1)}"
        if name in TABLE:
            said[name] = Said(value, source, f"{name} = {worded(value)}")
        elif name in FIELDS:  # the first of ours, in a file that is on its way
            file.take(name, value, source)
        elif is_slip(name, value, list(TABLE)):
            near = difflib.get_close_matches(name, TABLE, n=1, cutoff=SLIP)[0]
            file.mistakes.append(f"{source}: {name}: gunicorn has no such setting; {near}?")
    Turning(file, said).turn()
    add_hooks(file, said, place)
    return file


def spec_of(name: str) -> ModuleSpec | None:
    """Return where a module is; the packages that it is in are imported for that.

    :raises ConfigurationError: one of them cannot be.
    """
    try:
        return importlib.util.find_spec(name)
    except (Exception, SystemExit) as error:
        message = f"--config python:{name}: it cannot be imported: {whereabouts(error)}"
        raise ConfigurationError(message) from error


def add_hooks(file: ConfigFile, said: Mapping[str, Said], place: Path) -> None:
    """Let our hooks call the functions of the file."""
    for ours, names in HOOKS.items():
        there = [name for name in names if name in said and callable(said[name].value)]
        if there:
            words = ", ".join(map(repr, (str(place), *there)))
            target = f"stein.serving.gunicornhooks:hook({words})"
            file.given[ours] = Given(
                said[there[0]].source, (target,), f"{', '.join(there)} defined here"
            )
    if "logconfig_dict" in said and said["logconfig_dict"].value:
        target = f"stein.serving.confighooks:function_in({str(place)!r}, 'logconfig_dict')"
        each = said["logconfig_dict"]
        file.given["log_config"] = Given(each.source, (target,), "logconfig_dict")


def gunicorn_defaults(environ: Mapping[str, str]) -> dict[str, Given]:
    """Return what gunicorn does where its configuration does not say, and programs rely on."""
    bind, source = "127.0.0.1:8000", DEFAULT_SOURCE
    if environ.get("PORT"):
        bind, source = f"0.0.0.0:{environ['PORT']}", "PORT"
    proxies = environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"
    trust = "FORWARDED_ALLOW_IPS" if environ.get("FORWARDED_ALLOW_IPS") else DEFAULT_SOURCE
    found = {
        "bind": Given(source, (bind,)),
        "threads": Given(DEFAULT_SOURCE, ("1",)),
        "trusted_proxies": Given(trust, with_unix(proxies)),
        "proxy_headers": Given(DEFAULT_SOURCE, ("x-forwarded-proto",)),
        "drop_forwarded": Given(DEFAULT_SOURCE, ("off",)),
    }
    if environ.get("WEB_CONCURRENCY"):
        found["workers"] = Given("WEB_CONCURRENCY", (environ["WEB_CONCURRENCY"],))
    return found


def socket_mode(bind: Given | None, umask: Given | None) -> Given | None:
    """Return the permission bits that gunicorn gives a Unix socket; ``None`` if there is none.

    :param bind: the addresses, if any were named.
    :param umask: the bits that new files do not get, if that was said.
    """
    if bind is None or not any("unix:" in text for text in bind.texts):
        return None
    try:
        without = 0 if umask is None else read_octal(umask.texts[-1].strip())
    except ValueError:  # complained about where it is read
        return None
    return Given(DEFAULT_SOURCE, (f"{0o777 & ~without:o}",))


# -- flags ----------------------------------------------------------------------------------------


def split_flags(words: Sequence[str], file: ConfigFile) -> list[tuple[str, str | None]]:
    """Take a command line of gunicorn's apart.

    :param file: gets the application, if one is named, and complaints.
    """
    found: list[tuple[str, str | None]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=") if word[:2] == "--" else (word[:2], "", word[2:])
        if word[:1] != "-":
            file.further["app"] = Given(file.path, (word,))
        elif flag not in FLAGS:
            near = difflib.get_close_matches(flag, FLAGS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            file.mistakes.append(f"{file.path}: {flag}: gunicorn has no such flag{hint}")
        elif not FLAGS[flag].takes_value:
            found.append((flag, None))
        else:
            given = value if equals or value else rest.pop(0) if rest else None
            found.append((flag, given))
    return found


def read_gunicorn_flags(
    file: ConfigFile, flags: Iterable[tuple[str, str | None]], prefix: str = ""
) -> None:
    """Take flags of gunicorn's.

    :param flags: each with its value; a switch has none.
    :param prefix: what stands in front of a flag in messages.
    """
    said: dict[str, Said] = {}
    for flag, text in flags:
        row = FLAGS[flag]
        value: Any = True if not row.takes_value else text
        if row.name == "sendfile":
            value = False
        if row.takes_value and text is None and row.name != "proxy_protocol":
            file.mistakes.append(f"{prefix}{flag}: a value belongs to it")
        elif row.name in said and isinstance(row.default, list):
            said[row.name].value.append(value)
        else:
            many = isinstance(row.default, list) and row.takes_value
            wording = f"{prefix}{flag}" if text is None else f"{prefix}{flag} {text}"
            said[row.name] = Said([value] if many else value, f"{prefix}{flag}", wording)
    Turning(file, said).turn()


def settle_timeout(sources: Sequence[ConfigFile], threads: Given | None) -> None:
    """Take ``timeout`` of each source for what it means with the workers that all of them ask for.

    :param sources: those in gunicorn's words; the later goes before the earlier.
    :param threads: what was said of the threads, by whoever is listened to.
    """
    kinds = [each.threaded for each in sources if each.threaded is not None]
    several = threads is not None and threads.texts[-1].strip() not in {"", "1"}
    for source in sources:
        if source.take_timeout is not None:
            source.take_timeout(several or (bool(kinds) and kinds[-1]))


# -- values ---------------------------------------------------------------------------------------


class Turning:
    """Turns what was said to gunicorn into what is said to us.

    :param file: gets it.
    :param said: by gunicorn's names.
    """

    def __init__(self, file: ConfigFile, said: Mapping[str, Said]) -> None:
        self._file = file
        self._said = said

    def turn(self) -> None:
        """Do so for all of it."""
        for name, each in self._said.items():
            try:
                self._turn_one(TABLE[name], each)
            except Exception as error:  # noqa: BLE001 - a program may give objects of any kind
                self._file.mistakes.append(f"{each}: it cannot be used: {whereabouts(error)}")

    def _turn_one(self, row: Row, each: Said) -> None:
        special: Callable[[Said], None] | None = getattr(self, f"_{row.name}", None)
        if row.fate == REFUSED and is_default(row, each.value):
            return
        if special is not None:
            special(each)
        elif row.fate == REFUSED:
            self._refuse(each, row.note)
        elif row.fate == OURS and not callable(each.value):
            self._give(row.ours[0], each.value, each)

    def _give(self, ours: str, value: object, each: Said) -> None:
        before = len(self._file.mistakes)
        self._file.take(ours, value, each.source)
        target = self._file.given if ours in FIELDS else self._file.further
        if len(self._file.mistakes) > before:
            fault = self._file.mistakes.pop().rpartition(": ")[2]
            self._file.mistakes.append(f"{each}: {fault}")
        else:
            wording = each.wording if " = " in each.wording else ""
            target[ours] = Given(each.source, target[ours].texts, wording)

    def _refuse(self, each: Said, note: str) -> None:
        self._file.mistakes.append(f"{each}: not here: {note}")

    def _accesslog(self, each: Said) -> None:
        if each.value is None:
            self._give("access_log", "off", each)
        else:
            self._give("access_log_file", each.value, each)

    def _bind(self, each: Said) -> None:
        given = each.value if isinstance(each.value, list | tuple) else [each.value]
        self._give("bind", [address for one in given for address in addresses_in(one)], each)

    def _cert_reqs(self, each: Said) -> None:
        number = str(int(each.value)) if isinstance(each.value, int) else each.text
        if number in CERT_REQS:
            self._give("client_cert", CERT_REQS[number], each)
        else:
            self._refuse(each, "must be 0, 1 or 2")

    def _check_config(self, each: Said) -> None:
        """It is a flag of ours, too."""

    _print_config = _config = _check_config

    def _control_socket_disable(self, each: Said) -> None:
        if each.is_on:
            self._give("control", "off", each)

    def _limit_request_field_size(self, each: Said) -> None:
        if self._is_number(each):
            self._give("limit_header_bytes", max(LEAST_HEADER_BYTES, int(each.value)), each)

    def _limit_request_line(self, each: Said) -> None:
        if self._is_number(each):
            self._give("limit_request_line", int(each.value), each)

    def _is_number(self, each: Said) -> bool:
        if each.text.isdigit() and int(each.text):
            return True
        self._refuse(each, "there is always a limit; give it as a number")
        return False

    def _logconfig_dict(self, _each: Said) -> None:
        """It is looked up again in each process."""

    def _loglevel(self, each: Said) -> None:
        self._give("log_level", each.text.lower(), each)

    def _preload_app(self, each: Said) -> None:
        self._give("preload", each.is_on, each)

    def _proxy_protocol(self, each: Said) -> None:
        on = each.value is None or each.value is True or each.text.lower() not in {"off", "false"}
        self._give("proxy_protocol", on, each)

    def _forwarded_allow_ips(self, each: Said) -> None:
        self._give("trusted_proxies", with_unix(comma_list(each.value)), each)
        for ours, value in (("proxy_headers", ["x-forwarded-proto"]), ("drop_forwarded", False)):
            if ours not in self._file.given:  # it may be on its way
                self._give(ours, value, each)

    def _proxy_allow_ips(self, each: Said) -> None:
        other = self._said.get("forwarded_allow_ips")
        if "proxy_protocol" not in self._said:
            return
        if other is None or set(comma_list(other.value).split(",")) == set(
            comma_list(each.value).split(",")
        ):
            self._give("trusted_proxies", with_unix(comma_list(each.value)), each)
        else:
            self._refuse(
                each, "there is one list of proxies, for the PROXY protocol and the fields alike; "
                "let forwarded_allow_ips be the same, or give trusted_proxies",
            )  # fmt: skip

    def _pythonpath(self, each: Said) -> None:
        folders = [part.strip() for part in each.text.split(",") if part.strip()]
        if len(folders) > 1:
            self._refuse(each, "one folder may be named; for several set PYTHONPATH")
        elif folders:
            self._give("app_dir", folders[0], each)

    def _raw_env(self, each: Said) -> None:
        for text in each.value if isinstance(each.value, list | tuple) else [each.value]:
            name, equals, value = str(text).partition("=")
            if equals and name:
                self._file.variables[name] = value
            else:
                self._refuse(each, "must be NAME=VALUE")

    def _secure_scheme_headers(self, each: Said) -> None:
        if not isinstance(each.value, dict):
            self._refuse(each, 'must be a dict, such as {"X-FORWARDED-PROTO": "https"}')
            return
        fields = {str(key).upper(): value for key, value in each.value.items()}
        if not fields.items() <= SCHEME_FIELDS.items():
            self._refuse(each, TABLE["secure_scheme_headers"].note)

    def _sendfile(self, each: Said) -> None:
        if each.value not in {None, True}:
            self._refuse(each, TABLE["sendfile"].note)

    def _statsd_host(self, each: Said) -> None:
        self._give("statsd", each.text.replace("unix://", "unix:") or None, each)

    def _timeout(self, each: Said) -> None:
        def take(threaded: bool) -> None:  # noqa: FBT001 - called by one
            ours = "heartbeat_timeout" if threaded else "request_timeout"
            if ours not in self._file.given:  # it may say both, on its way
                self._give(ours, each.value, each)

        self._file.take_timeout = take

    def _umask(self, each: Said) -> None:
        text = each.text
        try:
            octal = isinstance(each.value, str) and text.startswith("0") and text.isdigit()
            self._give("umask", int(text, 8) if octal else int(text, 0), each)
        except ValueError:
            self._refuse(each, "must be permission bits, such as 0o022")

    def _user(self, each: Said) -> None:
        self._give("user", each.text or None, each)

    def _group(self, each: Said) -> None:
        self._give("group", each.text or None, each)

    @property
    def _kind(self) -> str:
        """What workers are to be, by the last part of the name."""
        each = self._said.get("worker_class")
        return "sync" if each is None else each.text.rpartition(".")[2].lower()

    def _threads(self, each: Said) -> None:
        if self._kind not in GREENLETS:  # which have no use for them there
            self._give("threads", each.value, each)

    def _worker_connections(self, each: Said) -> None:
        ours = "threads" if self._kind in GREENLETS else "limit_connections"
        self._give(ours, each.value, each)

    def _worker_class(self, each: Said) -> None:
        if self._kind in KINDS:
            self._file.threaded = KINDS[self._kind]
            if self._kind in GREENLETS:
                self._give("worker_kind", "gevent", each)
        elif "gevent" in self._kind or "eventlet" in self._kind:
            self._refuse(each, "give worker_class = gevent: there is one kind of greenlets")
        else:
            self._refuse(
                each, "sync, gthread and gevent are understood; " + TABLE["asgi_loop"].note
            )


def is_default(row: Row, value: object) -> bool:
    """Whether a value asks for nothing beyond what gunicorn does anyway."""
    if row.default is UNTOLD:
        return value is None
    if isinstance(row.default, int) and isinstance(value, str) and value.isdigit():
        return int(value) == row.default
    return bool(value == row.default) or (value is None and not row.default)


def addresses_in(value: object) -> list[str]:
    """Return addresses as we write them; several are separated by commas."""
    return [
        address_in(part.strip())
        for part in str(value).split(",")
        if part.strip()
    ]  # fmt: skip


def address_in(text: str) -> str:
    """Return one address as we write it."""
    for theirs, ours in (("fd://", "fd:"), ("unix://", "unix:"), ("tcp://", "")):
        if text.startswith(theirs):
            text = ours + text.removeprefix(theirs)
    if text.startswith(("fd:", "unix:")):
        return text
    host, colon, _ = text.rpartition(":")
    if text.isdigit():
        return f":{text}"
    if not colon or text.endswith("]"):
        return f"{text}:8000"
    return f"[{host}]:{text.rpartition(':')[2]}" if ":" in host and host[0] != "[" else text


def comma_list(value: object) -> str:
    """Return a list of addresses as one text."""
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    return str(value or "")


def with_unix(text: str) -> tuple[str, ...]:
    """Return addresses that gunicorn trusts; it trusts Unix sockets always."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    return (*found, *(() if "*" in found else ("unix",)))
