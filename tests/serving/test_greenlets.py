"""The parts of workers of greenlets; ``tests/live/test_greenlets.py`` has the workers.

Nothing is patched here.  gevent's loop runs in a thread of the test's own.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

gevent: Any = pytest.importorskip("gevent", reason="needs: pip install 'stein[gevent]'")

from gevent.thread import get_ident  # noqa: E402

from stein.server.poller import READ, WRITE, Waker  # noqa: E402 - after the question
from stein.server.stacks import text_of  # noqa: E402
from stein.serving import greenlets  # noqa: E402
from stein.serving.greenlets import (  # noqa: E402
    GreenletPoller,
    besides,
    frame_of,
    make_runtime,
    plain_socket,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="Linux")


def in_a_loop(function: Callable[[], object]) -> None:
    """Call a function in a thread whose loop ends with it."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    for error in failed:
        raise error


def test_it_waits_for_what_is_ready_while_others_run() -> None:
    def wait() -> None:
        poller, waker = GreenletPoller(), Waker()
        poller.register(waker.fd, READ)
        told: list[str] = []

        def other() -> None:
            told.append("ran")
            waker.wake()

        gevent.spawn(other)
        assert poller.poll(10.0) == [(waker.fd, READ)]
        assert told == ["ran"]
        assert poller.poll(None) == [(waker.fd, READ)]  # as long as nobody has taken it
        waker.on_event(READ)
        poller.modify(waker.fd, WRITE)
        assert poller.poll(10.0) == [(waker.fd, WRITE)]
        poller.unregister(waker.fd)
        assert poller.poll(0.0) == []
        poller.close()
        waker.close()

    in_a_loop(wait)


def test_it_waits_no_longer_than_it_is_told() -> None:
    def wait() -> None:
        poller = GreenletPoller()
        begin = time.monotonic()
        assert poller.poll(0.05) == []
        assert time.monotonic() - begin >= 0.05
        poller.close()

    in_a_loop(wait)


def test_others_run_even_if_it_is_not_to_wait() -> None:
    def wait() -> None:
        poller = GreenletPoller()
        told: list[int] = []
        gevent.spawn(told.append, 1)
        assert poller.poll(0.0) == []
        assert told == [1]
        poller.close()

    in_a_loop(wait)


def test_the_servers_own_sockets_are_the_systems() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listening = plain_socket(os.dup(listener.fileno()))
    with listening, socket.create_connection(listening.getsockname()) as client:
        sock, address = listening.accept()
        with sock:
            assert address == client.getsockname()
            assert isinstance(sock, socket.socket)
            client.sendall(b"x")
            assert sock.recv(10) == b"x"


def test_where_greenlets_stand_is_known() -> None:
    def stand_here() -> None:
        gevent.sleep(10)

    def look() -> None:
        standing = gevent.spawn(stand_here)
        idents = [get_ident(each) for each in (standing, gevent.getcurrent())]
        assert [frame_of(ident) for ident in idents] == [None, None]  # not noted
        for each in (standing, gevent.getcurrent()):
            greenlets._note(each)
        assert frame_of(idents[0]) is None  # not begun
        gevent.sleep(0)
        assert "in stand_here" in text_of(frame_of(idents[0]))
        mine = frame_of(idents[1])
        assert mine is not None
        assert mine.f_code.co_name == "look"
        assert (standing.name, idents[0]) in list(besides())
        standing.kill()
        assert frame_of(idents[0]) is None
        assert idents[0] not in [ident for _, ident in besides()]

    in_a_loop(look)


def test_the_runtime_is_made_of_these() -> None:
    runtime = make_runtime()
    assert runtime.make_poller is GreenletPoller
    assert runtime.glance is select.poll
    assert runtime.cautious
