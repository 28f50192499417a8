"""Command line and environment become settings, and every complaint names its source."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.errors import ConfigurationError
from stein.server.settings import Settings
from stein.serving.load import (
    Given,
    environment_name,
    kind_of,
    load_settings,
    read_duration,
    read_size,
    suspicious_names,
)
from stein.serving.options import spell_out, written, written_size

FIELDS = dataclasses.fields(Settings)


def loaded(**variables: str) -> Settings:
    return load_settings({}, variables).settings


def complaint(variables: dict[str, str], flags: dict[str, Given] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(flags or {}, variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_given_is_all_defaults() -> None:
    result = load_settings({}, {})
    assert result.settings == Settings()
    assert set(result.sources.values()) == {"default"}


def test_a_flag_goes_before_a_variable_and_each_knows_its_source() -> None:
    flags = {"threads": Given("--threads", ("4",))}
    result = load_settings(flags, {"STEIN_THREADS": "8", "STEIN_BACKLOG": "9"})
    assert (result.settings.threads, result.settings.backlog) == (4, 9)
    assert result.sources["threads"] == "--threads"
    assert result.sources["backlog"] == "STEIN_BACKLOG"
    assert result.sources["bind"] == "default"


@pytest.mark.parametrize("item", FIELDS, ids=lambda item: item.name)
def test_every_default_can_be_written_in_the_environment(item: dataclasses.Field[object]) -> None:
    settings = load_settings({}, {environment_name(item): written(item, item.default)}).settings
    assert getattr(settings, item.name) == item.default


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bind", "127.0.0.1:80, unix:/run/x", ("127.0.0.1:80", "unix:/run/x")),
        ("unix_mode", "600", 0o600),
        ("unix_mode", "0o777", 0o777),
        ("request_buffering", "off", False),
        ("request_buffering", "TRUE", True),
        ("limit_body", "none", None),
        ("limit_body", "1.5m", 1572864),
        ("keep_alive", "2m", 120.0),
        ("certfile", "", None),
        ("server_header", "", ""),
        ("threads", "", 16),
        ("access_log", "json", "json"),
        ("key_password", " secret ", " secret "),
    ],
)
def test_values(name: str, text: str, value: object) -> None:
    assert getattr(loaded(**{f"STEIN_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("8190", 8190), ("512b", 512), ("64k", 65536), ("64KiB", 65536), ("64 kb", 65536),
     ("1M", 1 << 20), ("2GiB", 2 << 30), ("1.5k", 1536)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("30s", 30.0), ("0.5", 0.5), ("500ms", 0.5), ("2m", 120.0), ("1 h", 3600.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e3", "5x", "", "k", "1_000", "٣"])
def test_what_is_neither_size_nor_time(text: str) -> None:
    for read in (read_size, read_duration):
        with pytest.raises(ValueError, match="must be a"):
            read(text)


@given(st.integers(min_value=0, max_value=1 << 45))
def test_a_size_is_read_as_it_is_written(count: int) -> None:
    assert read_size(written_size(count)) == count


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("THREADS", "abc", "STEIN_THREADS=abc: must be a whole number"),
        ("THREADS", "0", "STEIN_THREADS=0: must be at least 1."),
        ("THREADS", "1k", "STEIN_THREADS=1k: must be a whole number"),
        ("REQUEST_BUFFERING", "maybe", "STEIN_REQUEST_BUFFERING=maybe: must be on or off"),
        ("UNIX_MODE", "999", "STEIN_UNIX_MODE=999: must be permission bits in octal, such as 660"),
        ("LIMIT_BODY", "big", "STEIN_LIMIT_BODY=big: must be a size in bytes, such as"),
        ("KEEP_ALIVE", "long", "STEIN_KEEP_ALIVE=long: must be a time, such as 30, 500ms or 2m"),
        ("ACCESS_LOG", "xml", "STEIN_ACCESS_LOG=xml: is not one of: auto, dev, combined"),
    ],
)
def test_a_complaint_begins_with_the_variable(name: str, text: str, message: str) -> None:
    assert complaint({f"STEIN_{name}": text}).startswith(message)


def test_a_complaint_begins_with_the_flag() -> None:
    flags = {"threads": Given("--threads", ("abc",))}
    assert complaint({}, flags) == "--threads abc: must be a whole number"


def test_settings_that_do_not_go_together_name_their_sources() -> None:
    message = complaint({"STEIN_CLIENT_CERT": "required"})
    assert "needs authorities" in message
    assert message.endswith("(client_cert is from STEIN_CLIENT_CERT)")


def test_a_misspelt_variable_is_noticed_but_others_are_left_alone() -> None:
    environ = {
        "STEIN_THRAEDS": "4",
        "STEIN_PORT": "tcp://10.0.0.1:80",
        "STEIN_SERVICE_HOST": "10.0.0.1",
        "STEIN_THREADS": "4",
        "OTHER": "",
    }
    assert suspicious_names(environ) == {"STEIN_THRAEDS": "STEIN_THREADS"}


def test_every_time_has_its_unit_and_sizes_are_whole() -> None:
    units = {item.name: (kind_of(item), item.metadata["unit"]) for item in FIELDS}
    assert {unit for kind, unit in units.values() if kind is float} == {"seconds"}
    assert {kind for kind, unit in units.values() if unit == "bytes"} == {int}
    assert units["body_min_rate"] == (int, "bytes")


@pytest.mark.parametrize(
    ("args", "spelled"),
    [
        ("--request-buffering off app", "--request-buffering=off app"),
        ("--request-buffering app:app", "--request-buffering=on app:app"),
        ("app --request-buffering", "app --request-buffering=on"),
        ("--request-buffering=no app", "--request-buffering=no app"),
        ("--no-request-buffering app", "--request-buffering=off app"),
        ("--no-access-log app", "--access-log=off app"),
        ("-- --no-access-log", "-- --no-access-log"),
        ("--no-such-thing request-buffering", "--no-such-thing request-buffering"),
    ],
)
def test_switches_are_spelled_out(args: str, spelled: str) -> None:
    assert spell_out(args.split()) == spelled.split()
