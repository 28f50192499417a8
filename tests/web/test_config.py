from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from stein.web.app import Stein
from stein.web.config import Config, ConfigAttribute, suspicious_keys

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


class Owner:
    """Stands for an application, as far as an attribute of its configuration can see."""

    name: ConfigAttribute[str | None] = ConfigAttribute("NAME")
    size = ConfigAttribute("SIZE", int)

    def __init__(self) -> None:
        self.config = Config("/", {"NAME": None, "SIZE": "12"})


# -- attributes -------------------------------------------------------------------------------


def test_an_attribute_is_a_key() -> None:
    owner: Any = Owner()
    assert owner.name is None
    owner.name = "new"
    assert owner.config["NAME"] == owner.name == "new"


def test_an_attribute_converts_what_is_read() -> None:
    owner: Any = Owner()
    assert owner.size == 12
    assert owner.config["SIZE"] == "12"


def test_an_attribute_of_the_class_is_itself() -> None:
    owner: Any = Owner
    assert isinstance(owner.name, ConfigAttribute)
    assert owner.size.__name__ == "SIZE"


# -- the dict ---------------------------------------------------------------------------------


def test_it_is_a_dict_that_knows_its_folder(config: Config, tmp_path: Path) -> None:
    defaults = {"A": 1}
    filled = Config("/root", defaults)
    filled["A"] = 2
    assert isinstance(filled, dict)
    assert defaults == {"A": 1}
    assert repr(filled) == "<Config {'A': 2}>"
    assert config.root_path == tmp_path
    assert not config


# -- the environment --------------------------------------------------------------------------


def test_variables_with_the_prefix_are_taken_over(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "STEIN_TEXT": "text",
        "STEIN_TRUE": "true",
        "STEIN_NUMBER": "1.5",
        "STEIN_LIST": "[1, null]",
        "STEIN_": "a key without a name",
        "STEINKEY": "the underscore belongs to the prefix",
        "OTHER_KEY": "other",
    }
    monkeypatch.setattr(os, "environ", values)
    assert config.from_prefixed_env("STEIN")
    assert config == {
        "TEXT": "text",
        "TRUE": True,
        "NUMBER": 1.5,
        "LIST": [1, None],
        "": "a key without a name",
    }
    assert config.from_prefixed_env()
    assert len(config) == 5


def test_two_underscores_lead_into_a_dict(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    config["MAIL"] = {"host": "localhost", "tls": {"on": True}}
    values = {
        "FLASK_MAIL__host": "mx",
        "FLASK_MAIL__tls__version": "3",
        "FLASK_NEW__a__b": "{}",
    }
    monkeypatch.setattr(os, "environ", values)
    config.from_prefixed_env()
    assert config == {
        "MAIL": {"host": "mx", "tls": {"on": True, "version": 3}},
        "NEW": {"a": {"b": {}}},
    }


def test_a_value_that_is_no_dict_cannot_be_led_into(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {"FLASK_A": "5", "FLASK_A__b__c": "1"})
    with pytest.raises(
        TypeError, match=r"'FLASK_A__b__c' sets a key in 'A', which is no dict but 5"
    ):
        config.from_prefixed_env()


def test_values_are_read_as_one_likes(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def loads(text: str) -> int:
        return {"one": 1}[text]

    monkeypatch.setattr(os, "environ", {"FLASK_A": "one", "FLASK_B": "two"})
    config.from_prefixed_env(loads=loads)
    assert config == {"A": 1, "B": "two"}


def test_a_variable_names_a_file(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.py").write_text("A = 1")
    monkeypatch.setenv("SETTINGS", "settings.py")
    assert config.from_envvar("SETTINGS")
    assert config == {"A": 1}


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_named(
    config: Config, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("SETTINGS", raising=False)
    else:
        monkeypatch.setenv("SETTINGS", value)
    with pytest.raises(RuntimeError, match=r"'SETTINGS' is not set.*SETTINGS=/path"):
        config.from_envvar("SETTINGS")
    assert not config.from_envvar("SETTINGS", silent=True)


def test_a_variable_may_name_a_file_that_is_not_there(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETTINGS", "no.cfg")
    with pytest.raises(FileNotFoundError, match=r"Unable to load configuration file \(.*no\.cfg"):
        config.from_envvar("SETTINGS")
    assert not config.from_envvar("SETTINGS", silent=True)


# -- files ------------------------------------------------------------------------------------


def test_a_python_file_gives_its_upper_case_variables(config: Config, tmp_path: Path) -> None:
    (tmp_path / "settings.cfg").write_bytes(
        b"# -*- coding: latin-1 -*-\nlower = 2\nA = lower * 21\nName = 0\nF = __file__\nT = '\xe4'"
    )
    assert config.from_pyfile("settings.cfg")
    assert config == {"A": 42, "F": str(tmp_path / "settings.cfg"), "T": "ä"}


@pytest.mark.parametrize("name", ["none.py", "folder", "file/below"])
def test_a_python_file_may_be_missing(config: Config, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Unable to load configuration file"):
        config.from_pyfile(name)
    assert not config.from_pyfile(name, silent=True)


def test_silence_is_about_files_that_are_missing(config: Config) -> None:
    with pytest.raises(OSError, match="Unable to load configuration file"):
        config.from_pyfile("x" * 1000, silent=True)


def test_a_mistake_in_a_python_file_names_it(config: Config, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("A = (")
    with pytest.raises(SyntaxError, match="never closed") as caught:
        config.from_pyfile("bad.py", silent=True)
    assert caught.value.filename == str(tmp_path / "bad.py")


def test_json_and_toml_files_are_read(config: Config, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"A": 1, "lower": 2}')
    (tmp_path / "b.toml").write_bytes(b'B = "b"\n[C]\nd = 1\n')
    assert config.from_file("a.json", json.load)
    assert config.from_file("b.toml", tomllib.load, text=False)
    assert config == {"A": 1, "B": "b", "C": {"d": 1}}


def test_other_files_may_be_missing(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=r"Unable to load.*none\.json"):
        config.from_file("none.json", json.load)
    assert not config.from_file("none.json", json.load, silent=True)
    with pytest.raises(NotADirectoryError):
        config.from_file("file/below", json.load, silent=True)


def test_a_file_that_cannot_be_read_is_named(config: Config, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(json.JSONDecodeError) as caught:
        config.from_file("bad.json", json.load)
    assert str(tmp_path / "bad.json") in caught.value.__notes__[0]


@pytest.mark.parametrize("text", ["5", "[1]", '["abc"]'])
def test_a_file_that_holds_no_mapping_is_named(config: Config, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises((TypeError, ValueError)) as caught:
        config.from_file("odd.json", json.load)
    assert "odd.json' should hold keys with values" in caught.value.__notes__[0]


# -- values -----------------------------------------------------------------------------------


class Base:
    A = 1
    lower = 2


class Settings(Base):
    B = "b"

    @property
    def C(self) -> int:  # noqa: N802 - a key
        return self.A + 1


def test_an_object_gives_its_upper_case_attributes(config: Config) -> None:
    config.from_object(Settings())
    assert config == {"A": 1, "B": "b", "C": 2}


def test_an_object_may_be_given_by_name(config: Config) -> None:
    config.from_object("errno")
    assert config["ENOENT"] == 2
    with pytest.raises(ImportError, match="no_such_module"):
        config.from_object("no_such_module.Settings")


def test_a_mapping_pairs_and_names_are_taken_over(config: Config) -> None:
    assert config.from_mapping({"A": 1, "B": 1, "b": 0}, B=2, C=3, d=4)
    assert config.from_mapping([("E", 5), ("Mixed", 6)])
    assert config.from_mapping()
    assert config == {"A": 1, "B": 2, "C": 3, "E": 5}


def test_a_namespace_is_a_dict_of_its_own() -> None:
    config = Config("/", {"MAIL_HOST": "mx", "MAIL_PORT": 25, "OTHER": 1})
    assert config.get_namespace("MAIL_") == {"host": "mx", "port": 25}
    assert config.get_namespace("MAIL_", lowercase=False) == {"HOST": "mx", "PORT": 25}
    kept = config.get_namespace("MAIL_", trim_namespace=False)
    assert kept == {"mail_host": "mx", "mail_port": 25}


# -- keys that look wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("SECRETKEY", "SECRET_KEY"),
        ("secret_key", "SECRET_KEY"),
        ("MAX_CONTENT_LENGHT", "MAX_CONTENT_LENGTH"),
        ("SESSION_COOKIE_SAMSITE", "SESSION_COOKIE_SAMESITE"),
        ("SESSION_COOKIES_NAME", "SESSION_COOKIE_NAME"),
        ("TRAP_HTTP_EXEPTIONS", "TRAP_HTTP_EXCEPTIONS"),
        ("SERVERNAME", "SERVER_NAME"),
        ("SECRET_KEX", "SECRET_KEY"),
        ("TESTNIG", "TESTING"),
        ("DE_BUG", "DEBUG"),
    ],
)
def test_a_key_that_is_nearly_one_is_hinted_at(key: str, meant: str) -> None:
    assert suspicious_keys({key: 1}) == {key: f"did you mean {meant!r}?"}


def test_a_key_that_meant_something_once_is_hinted_at() -> None:
    assert suspicious_keys({"JSON_SORT_KEYS": False}) == {
        "JSON_SORT_KEYS": "nothing reads it any more; set app.json.sort_keys"
    }


def test_keys_of_others_are_their_business() -> None:
    keys: list[Any] = """
        SECRET_KEY TESTING SESSION_TYPE SESSION_REDIS SESSION_PERMANENT SQLALCHEMY_DATABASE_URI
        MAIL_SERVER WTF_CSRF_ENABLED REMEMBER_COOKIE_SECURE REMEMBER_COOKIE_NAME DEBUG_TB_ENABLED
        JWT_SECRET_KEY SECURITY_PASSWORD_SALT CACHE_TYPE BUG PASTING UPLOAD_FOLDER
    """.split()  # noqa: SIM905 - reads better
    keys.append(5)
    assert suspicious_keys(dict.fromkeys(keys)) == {}


def test_the_keys_of_an_application_are_known() -> None:
    slips = {f"{key}_": 1 for key in Stein("test").config}
    assert len(suspicious_keys(slips)) == len(slips) >= 29


def test_importing_it_imports_little() -> None:
    # What was there before is not its doing: coverage, for one.
    code = (
        "import sys; before = {*sys.modules}; import stein.web.config\n"
        "print(*{'json', 'tomllib', 'inspect'} & ({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
