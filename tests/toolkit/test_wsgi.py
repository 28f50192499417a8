"""PEP 3333 from the application's side."""

from __future__ import annotations

import io
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.exceptions import (
    BadRequest,
    ClientDisconnected,
    RequestEntityTooLarge,
    SecurityError,
)
from stein.toolkit.limitedstream import LimitedStream
from stein.toolkit.wsgi import (
    ClosingIterator,
    FileWrapper,
    _RangeWrapper,
    get_content_length,
    get_current_url,
    get_host,
    get_input_stream,
    get_path_info,
    responder,
    wrap_file,
    wsgi_decode,
    wsgi_encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.typing import Environ


def environ(**changes: Any) -> Environ:
    server = {"SERVER_NAME": "server.example", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    return {**server, **changes}


class TestText:
    @given(st.text())
    def test_what_is_encoded_is_decoded_again(self, text: str) -> None:
        wanted = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        assert wsgi_decode(wsgi_encode(text)) == wanted

    @given(st.binary())
    def test_any_bytes_give_text(self, data: bytes) -> None:
        assert wsgi_decode(data.decode("latin-1")) == data.decode("utf-8", "replace")

    def test_what_cannot_be_bytes_gives_text_too(self) -> None:
        assert wsgi_decode("a\u2603") == "a?"

    def test_the_path(self) -> None:
        assert get_path_info({"PATH_INFO": "/\xe2\x98\x83"}) == "/\u2603"
        assert get_path_info({"PATH_INFO": "/\xff"}) == "/\ufffd"
        assert get_path_info({}) == ""


class TestUrl:
    @pytest.mark.parametrize(
        ("changes", "host"),
        [
            ({"HTTP_HOST": "a.example"}, "a.example"),
            ({"HTTP_HOST": "a.example:80"}, "a.example"),
            ({"HTTP_HOST": "a.example:443"}, "a.example:443"),
            ({"HTTP_HOST": "a.example:443", "wsgi.url_scheme": "https"}, "a.example"),
            ({"HTTP_X_FORWARDED_HOST": "b.example"}, "server.example"),
            ({"SERVER_PORT": "81"}, "server.example:81"),
            ({"SERVER_NAME": "/run/a.sock", "SERVER_PORT": ""}, ""),
            ({"SERVER_PORT": "9" * 5000}, ""),
        ],
    )
    def test_the_host(self, changes: dict[str, str], host: str) -> None:
        assert get_host(environ(**changes)) == host

    def test_without_any_address_the_host_is_empty(self) -> None:
        assert get_host({"wsgi.url_scheme": "http"}) == ""

    def test_a_host_that_is_not_trusted_is_refused(self) -> None:
        env = environ(HTTP_HOST="www.a.example")
        assert get_host(env, [".a.example"]) == "www.a.example"
        with pytest.raises(SecurityError):
            get_host(env, ["b.example"])

    def test_the_url_and_its_parts(self) -> None:
        env = environ(
            SCRIPT_NAME="/\xe2\x98\x84", PATH_INFO="/\xe2\x98\x83", QUERY_STRING="a=\xc3\xa4&b=%20"
        )
        assert get_current_url(env, host_only=True) == "http://server.example/"
        assert get_current_url(env, root_only=True) == "http://server.example/\u2604/"
        assert get_current_url(env, strip_querystring=True) == (
            "http://server.example/\u2604/\u2603"
        )
        assert get_current_url(env) == "http://server.example/\u2604/\u2603?a=\xe4&b=%20"

    def test_the_url_of_an_untrusted_host_is_refused(self) -> None:
        with pytest.raises(SecurityError):
            get_current_url(environ(), trusted_hosts=["other.example"])

    def test_bytes_in_the_query_that_are_no_text_stay_quoted(self) -> None:
        assert get_current_url(environ(QUERY_STRING="a=\xff")).endswith("/?a=%FF")


class TestInput:
    @pytest.mark.parametrize(
        ("changes", "length"),
        [
            ({"CONTENT_LENGTH": "12"}, 12),
            ({"CONTENT_LENGTH": ""}, 0),
            ({"CONTENT_LENGTH": "-1"}, 0),
            ({"CONTENT_LENGTH": "1_0"}, 0),
            ({"CONTENT_LENGTH": "9" * 5000}, 0),
            ({}, None),
            ({"CONTENT_LENGTH": "12", "HTTP_TRANSFER_ENCODING": "chunked"}, None),
        ],
    )
    def test_the_length(self, changes: dict[str, str], length: int | None) -> None:
        assert get_content_length(changes) == length

    def test_the_stream_ends_at_the_length(self) -> None:
        stream = get_input_stream({"wsgi.input": io.BytesIO(b"12345"), "CONTENT_LENGTH": "3"})
        assert stream.read() == b"123"
        assert stream.read() == b""

    def test_without_a_length_nothing_is_read_unless_it_is_asked_for(self) -> None:
        env = {"wsgi.input": io.BytesIO(b"12345")}
        assert get_input_stream(env).read() == b""
        assert get_input_stream(env, max_content_length=2).read() == b""
        assert get_input_stream(env, safe_fallback=False) is env["wsgi.input"]

    def test_a_server_that_ends_the_input_is_trusted(self) -> None:
        env = {"wsgi.input": io.BytesIO(b"12345"), "wsgi.input_terminated": True}
        assert get_input_stream(env) is env["wsgi.input"]
        env["wsgi.input_terminated"] = False
        assert get_input_stream(env) is not env["wsgi.input"]

    def test_a_declared_length_above_the_maximum_is_refused(self) -> None:
        env = {"wsgi.input": io.BytesIO(b"12345"), "CONTENT_LENGTH": "5"}
        assert get_input_stream(env, max_content_length=5).read() == b"12345"
        with pytest.raises(RequestEntityTooLarge):
            get_input_stream(env, max_content_length=4)

    def test_an_undeclared_length_above_the_maximum_is_refused(self) -> None:
        env = {"wsgi.input_terminated": True}
        for most, enough in ((5, True), (6, True), (4, False), (0, False)):
            env["wsgi.input"] = io.BytesIO(b"12345")  # type: ignore[assignment]
            stream = get_input_stream(env, max_content_length=most)
            assert isinstance(stream, LimitedStream)
            if enough:
                assert stream.read() == b"12345"
            else:
                with pytest.raises(RequestEntityTooLarge):
                    stream.read()


class Closable:
    """An iterable that is not its own iterator."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1


class TestBody:
    def test_a_responder_calls_what_it_returns(self) -> None:
        def answer(environ: Environ, start_response: Any) -> list[bytes]:
            return [environ["said"], start_response]

        @responder
        def application(environ: Environ, start_response: Any) -> Any:
            return answer

        class Holder:
            @responder
            def application(self, environ: Environ, start_response: Any) -> Any:
                return answer

        assert application({"said": b"x"}, b"y") == [b"x", b"y"]
        assert Holder().application({"said": b"x"}, b"y") == [b"x", b"y"]  # type: ignore[call-arg]
        assert application.__name__ == "application"

    def test_closing_calls_first_the_iterable_then_the_callbacks(self) -> None:
        called: list[str] = []
        body = Closable(b"a", b"b")
        both = [lambda: called.append("1"), lambda: called.append(f"2 {body.closed}")]
        iterator = ClosingIterator(body, both)
        assert list(iterator) == [b"a", b"b"]
        assert (body.closed, called) == (0, [])
        iterator.close()
        assert (body.closed, called) == (1, ["1", "2 1"])

    def test_closing_takes_one_callback_or_none(self) -> None:
        called: list[int] = []
        ClosingIterator([b"a"], lambda: called.append(1)).close()
        ClosingIterator([b"a"]).close()
        assert called == [1]

    def test_all_callbacks_are_called_whatever_one_raises(self) -> None:
        called: list[int] = []

        def fail() -> None:
            raise BadRequest("first")

        def fail_again() -> None:
            called.append(1)
            raise BadRequest("second")

        with pytest.raises(BadRequest, match="first"):
            ClosingIterator([], [fail, fail_again]).close()
        assert called == [1]

    def test_the_wrapper_of_the_server_comes_first(self) -> None:
        file = io.BytesIO(b"x")
        assert isinstance(wrap_file({}, file), FileWrapper)
        theirs = wrap_file({"wsgi.file_wrapper": lambda *args: list(args)}, file, 3)
        assert theirs == [file, 3]

    def test_a_file_in_blocks(self) -> None:
        file = io.BytesIO(b"12345")
        wrapper = FileWrapper(file, 2)
        assert list(wrapper) == [b"12", b"34", b"5"]
        assert wrapper.seekable()
        wrapper.seek(1)
        assert wrapper.tell() == 1
        wrapper.close()
        assert file.closed

    def test_a_file_that_can_only_be_read(self) -> None:
        class Reader:
            def read(self, size: int) -> bytes:
                return b""

        class Seeker(Reader):
            def seek(self, position: int) -> None: ...

        plain: Any = FileWrapper(Reader())  # type: ignore[arg-type]
        assert list(plain) == []
        assert not plain.seekable()
        assert plain.tell() is None
        plain.seek(1)
        plain.close()
        assert FileWrapper(Seeker()).seekable()  # type: ignore[arg-type]


def pieces_of(data: bytes, sizes: list[int]) -> list[bytes]:
    source = io.BytesIO(data)
    return [*(source.read(size) for size in sizes), source.read()]


class TestRange:
    @given(
        st.binary(max_size=60),
        st.lists(st.integers(0, 9), max_size=12),
        st.integers(0, 70),
        st.none() | st.integers(0, 70),
    )
    def test_any_part_of_any_blocks(
        self, data: bytes, sizes: list[int], start: int, count: int | None
    ) -> None:
        wanted = data[start:] if count is None else data[start : start + count]
        blocks = pieces_of(data, sizes)
        for whole in (blocks, iter(blocks), (each for each in blocks)):
            part = list(_RangeWrapper(whole, start, count))
            assert b"".join(part) == wanted
            assert all(part)
        seekable = _RangeWrapper(FileWrapper(io.BytesIO(data), 3), start, count)
        assert seekable.seekable
        assert b"".join(seekable) == wanted
        assert seekable.end_reached

    def test_nothing_is_read_behind_the_part(self) -> None:
        blocks = iter([b"12", b"34", b"56"])
        part = _RangeWrapper(blocks, 1, 2)
        assert not part.seekable
        assert list(part) == [b"2", b"3"]
        assert list(blocks) == [b"56"]

    def test_closing_closes_the_whole(self) -> None:
        body = Closable(b"a")
        _RangeWrapper(body).close()
        assert body.closed == 1
        _RangeWrapper([b"a"]).close()


class Slow(io.RawIOBase):
    """A raw stream that gives little at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = io.BytesIO(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._data.read(min(len(buffer), self._most))
        buffer[: len(data)] = data
        return len(data)


class ReadOnly:
    """The least that a stream may have."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


def streams(data: bytes) -> list[IO[bytes]]:
    return [io.BytesIO(data), Slow(data, 3), ReadOnly(data), io.BufferedReader(Slow(data, 2))]  # type: ignore[list-item]


DATA = st.binary(max_size=40) | st.text("a\n", max_size=40).map(str.encode)


class TestLimitedStream:
    @given(DATA, st.integers(0, 40))
    def test_reading_in_every_way_ends_at_the_limit(self, data: bytes, limit: int) -> None:
        limit = min(limit, len(data))
        wanted = data[:limit]
        for stream in streams(data):
            assert LimitedStream(stream, limit).read() == wanted
        for stream in streams(data):
            step = partial(LimitedStream(stream, limit).read, 4)
            assert b"".join(iter(step, b"")) == wanted
        for stream in streams(data):
            assert list(LimitedStream(stream, limit)) == list(io.BytesIO(wanted))
        for stream in streams(data):
            assert io.BufferedReader(LimitedStream(stream, limit)).read() == wanted

    @given(st.text("ab\n", max_size=40).map(str.encode), st.integers(0, 40), st.integers(-1, 9))
    def test_lines_are_those_of_the_shortened_data(
        self, data: bytes, limit: int, size: int
    ) -> None:
        limit = min(limit, len(data))
        for stream in streams(data):
            limited, plain = LimitedStream(stream, limit), io.BytesIO(data[:limit])
            for _ in range(5):
                assert limited.readline(size) == plain.readline(size)
                assert limited.tell() == plain.tell()

    @given(DATA, st.integers(0, 45))
    def test_a_maximum_is_met_or_refused_but_nothing_is_cut_off(
        self, data: bytes, limit: int
    ) -> None:
        def each_line(stream: LimitedStream) -> bytes:
            return b"".join(stream)

        def in_steps(stream: LimitedStream) -> bytes:
            return b"".join(iter(lambda: stream.read(7), b""))

        def into(stream: LimitedStream) -> bytes:
            return io.BufferedReader(stream).read()

        for way in (LimitedStream.readall, LimitedStream.read, each_line, in_steps, into):
            for stream in streams(data):
                limited = LimitedStream(stream, limit, is_max=True)
                if len(data) <= limit:
                    assert way(limited) == data
                else:
                    with pytest.raises(RequestEntityTooLarge):
                        way(limited)

    @pytest.mark.parametrize("way", ["read", "readall", "readline", "exhaust", "into"])
    def test_an_end_before_the_length_is_a_disconnect(self, way: str) -> None:
        def read_on(limited: LimitedStream) -> None:
            for _ in range(9):
                limited.readinto(bytearray(2)) if way == "into" else getattr(limited, way)()

        for stream in streams(b"12345"):
            with pytest.raises(ClientDisconnected):
                read_on(LimitedStream(stream, 9))

    @pytest.mark.parametrize("is_max", [True, False])
    @pytest.mark.parametrize("limit", [0, 9])
    def test_a_stream_that_fails_is_a_disconnect(self, limit: int, is_max: bool) -> None:  # noqa: FBT001
        class Broken:
            def read(self, size: int) -> bytes:
                raise ConnectionResetError

            readinto = readline = read

        for way in ("read", "readall", "readline", "readinto"):
            limited = LimitedStream(Broken(), limit, is_max)  # type: ignore[arg-type]
            arguments = (bytearray(4),) if way == "readinto" else ()
            if limit or is_max:
                with pytest.raises(BadRequest) as caught:
                    getattr(limited, way)(*arguments)
                assert isinstance(caught.value.__cause__, ConnectionResetError)
            else:
                assert not getattr(limited, way)(*arguments)

    def test_a_closed_stream_is_a_disconnect(self) -> None:
        stream = io.BytesIO(b"123")
        stream.close()
        with pytest.raises(BadRequest):
            LimitedStream(stream, 3).read()

    def test_hooks_that_do_not_raise_give_the_end(self) -> None:
        events: list[object] = []

        class Calm(LimitedStream):
            def on_exhausted(self) -> None:
                events.append("exhausted")

            def on_disconnect(self, error: Exception | None = None) -> None:
                events.append(type(error))

        class Broken:
            def read(self, size: int) -> bytes:
                raise OSError

            readinto = readline = read

        assert Calm(io.BytesIO(b"12"), 4).read() == b"12"
        assert Calm(io.BytesIO(), 4).readinto(bytearray(3)) == 0
        broken: Any = Broken()
        assert Calm(broken, 4).readline() == b""
        assert Calm(broken, 4).readinto(bytearray(3)) == 0
        assert Calm(broken, 0, is_max=True).read() == b""
        assert events == [type(None), type(None), OSError, OSError, OSError]
        events.clear()
        stream = Calm(io.BytesIO(b"123456"), 2, is_max=True)
        assert (stream.read(), stream.read(1), stream.readline()) == (b"12", b"", b"")
        assert events == ["exhausted"] * 3

    def test_the_hook_at_the_limit_is_called_by_whoever_reads_on(self) -> None:
        class Strict(LimitedStream):
            def on_exhausted(self) -> None:
                raise BadRequest("too far")

        stream = Strict(io.BytesIO(b"12345"), 3)
        assert stream.read() == b"123"
        assert stream.is_exhausted
        assert stream.exhaust() == b""
        for way in (stream.read, stream.readall, stream.readline):
            with pytest.raises(BadRequest, match="too far"):
                way()
        with pytest.raises(BadRequest, match="too far"):
            stream.readinto(bytearray(1))

    def test_text_can_be_read_through_it(self) -> None:
        stream = LimitedStream(io.BytesIO('{"ä": 1}…'.encode()), 9)
        assert io.TextIOWrapper(io.BufferedReader(stream), "utf-8").read() == '{"ä": 1}'

    def test_a_large_body_in_pieces(self) -> None:
        data = bytes(range(256)) * 1000
        stream = LimitedStream(Slow(data, 50_000), len(data))  # type: ignore[arg-type]
        assert stream.read(0) == b""
        assert stream.read(10) == data[:10]
        assert stream.exhaust() == data[10:]
        assert stream.tell() == len(data)
