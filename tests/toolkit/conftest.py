"""What all tests of the toolkit may ask for; `tests.toolkit.roads` tells about the roads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.toolkit.roads import ROADS, House, Road, Send, through_house

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """The one server on a socket, started when the first test wants it."""
    yield from through_house()


@pytest.fixture(params=ROADS)
def road(request: pytest.FixtureRequest) -> Road:
    """One of the three roads to an application: the test runs on each."""
    name: str = request.param
    return Road(name, request.getfixturevalue("house") if name == "socket" else None)


@pytest.fixture
def send(road: Road) -> Send:
    """Send one request: `send(app, method, path, **options)`; the test runs on each road."""
    return road.send
