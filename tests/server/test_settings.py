"""The settings as one value: what they are by default, and what they refuse."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from stein.errors import ConfigurationError
from stein.http.limits import Limits
from stein.server.settings import GROUPS, Settings

FIELDS = dataclasses.fields(Settings)


def complaint(**values: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("item", FIELDS, ids=lambda item: item.name)
def test_every_setting_is_described(item: dataclasses.Field[Any]) -> None:
    assert item.metadata["group"] in GROUPS
    help_text = item.metadata["help"]
    assert help_text
    assert help_text[-1] in ".?"
    choices = item.metadata["choices"]
    assert not choices or item.default in choices
    minimum = item.metadata["minimum"]
    assert minimum is None or item.default is None or item.default >= minimum


def test_the_groups_are_all_in_use() -> None:
    assert {item.metadata["group"] for item in FIELDS} == set(GROUPS)


def test_settings_are_frozen_and_equal_by_value() -> None:
    settings = Settings(threads=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.threads = 5  # type: ignore[misc]
    assert settings == Settings(threads=4)
    assert settings != Settings()


@pytest.mark.parametrize(
    "item", [item for item in FIELDS if item.metadata["minimum"] is not None],
    ids=lambda item: item.name,
)  # fmt: skip
def test_a_number_below_its_minimum_is_refused(item: dataclasses.Field[Any]) -> None:
    least = item.metadata["minimum"]
    if item.name != "workers":
        assert getattr(Settings(**{item.name: least}), item.name) == least
    text = complaint(**{item.name: least - 1})
    assert text == f"{item.name}={least - 1!r} must be at least {least}."
    assert complaint(**{item.name: math.nan}).startswith(f"{item.name}=nan must be at least")
    for value in ("4", True):
        assert complaint(**{item.name: value}) == f"{item.name}={value!r} must be a number."


@pytest.mark.parametrize(
    "item", [item for item in FIELDS if item.metadata["choices"]], ids=lambda item: item.name
)
def test_a_word_that_is_no_choice_is_refused(item: dataclasses.Field[Any]) -> None:
    words = ", ".join(item.metadata["choices"])
    assert complaint(**{item.name: "xyz"}) == f"{item.name}='xyz' is not one of: {words}."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"client_cert": "required"}, "client_cert='required' needs authorities"),
        ({"keyfile": "k.pem"}, "keyfile or sni without a certificate: give --certfile PATH."),
        ({"sni": ("a=b",)}, "keyfile or sni without a certificate: give --certfile PATH."),
        ({"health_path": "health"}, "health_path='health' must begin with /"),
        ({"server_header": "a\r\nb"}, r"server_header='a\r\nb' holds characters no field may"),
        ({"server_header": "é"}, "server_header='é' holds characters"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], message: str) -> None:
    assert complaint(**values).startswith(message)


def test_a_server_must_listen_somewhere() -> None:
    assert complaint(bind=()).startswith("bind=()")


@pytest.mark.parametrize("name", ["threads", "backlog", "limit_connections"])
def test_a_count_is_a_whole_number(name: str) -> None:
    assert complaint(**{name: 1.5}).startswith(f"{name}=1.5 must be a whole number")


def test_the_reader_gets_its_part() -> None:
    settings = Settings(
        limit_request_line=100, limit_header_bytes=101, limit_header_fields=102,
        limit_chunk_overhead=103, limit_body=104,
    )  # fmt: skip
    assert settings.limits == Limits(
        request_line=100, header_bytes=101, header_fields=102, chunk_overhead=103, body=104
    )
    assert Settings().limits == Limits()


def test_greenlets_are_not_forked() -> None:
    assert complaint(worker_kind="gevent", preload=True).startswith(
        "preload does not go with worker_kind='gevent'"
    )


@pytest.mark.parametrize("address", ["unix:/run/x", "fd:3", "systemd:"])
def test_only_a_port_can_be_shared(address: str) -> None:
    text = complaint(bind=("127.0.0.1:0", address), reuse_port=True)
    assert text == (
        f"reuse_port is for ports, and bind={address!r} is none: leave one of them out."
    )
    assert Settings(bind=("127.0.0.1:0", ":8000"), reuse_port=True).reuse_port
