"""Forms and uploads, on every road from a client to an application."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.forms.parser import FormDataParser, parse_form_data
from stein.toolkit.response import Response
from tests.toolkit.everywhere.views import answers, limited, says, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.toolkit.request import Request
    from tests.toolkit.roads import Send

URLENCODED = "application/x-www-form-urlencoded"


def fields(request: Request) -> object:
    return list(request.form.items(multi=True))


def files(request: Request) -> object:
    return [
        (name, file.filename, file.mimetype, len(data := file.read()), sha256(data).hexdigest())
        for name, file in request.files.items(multi=True)
    ]


def both(request: Request) -> object:
    return fields(request), files(request)


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def multipart(*parts: tuple[str, bytes]) -> dict[str, Any]:
    """A form out of heads and contents, as options of a request."""
    pieces = [f"--B\r\n{head}\r\n\r\n".encode() + data + b"\r\n" for head, data in parts]
    return {
        "data": b"".join(pieces) + b"--B--\r\n",
        "content_type": "multipart/form-data; boundary=B",
    }


# -- url-encoded ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", []),
        (b"a=1&b=2&a=3", [("a", "1"), ("a", "3"), ("b", "2")]),
        (b"a=%e2%98%83+%2b", [("a", "\N{SNOWMAN} +")]),
        ("a=\xfc".encode(), [("a", "\xfc")]),
        (b"a&=b&&c=", [("a", ""), ("", "b"), ("c", "")]),
        (b"a=%", [("a", "%")]),
        (b"a=" + b"x" * 700_000, [("a", "x" * 700_000)]),
    ],
)
def test_urlencoded_forms(send: Send, body: bytes, seen: object) -> None:
    assert send(says(fields), "POST", data=body, content_type=URLENCODED).text == repr(seen)
    stream = unknown(body[:1], body[1:])
    assert send(says(fields), "PUT", input_stream=stream, content_type=URLENCODED).text == repr(
        seen
    )


def test_what_the_client_encodes(send: Send) -> None:
    data = {"a": ["1", "\N{SNOWMAN} &=+"], "\xfc": "", "n": 3}
    seen = [("a", "1"), ("a", "\N{SNOWMAN} &=+"), ("\xfc", ""), ("n", "3")]
    assert send(says(fields), "POST", data=data).text == repr(seen)


def test_bytes_that_are_no_utf_8(send: Send) -> None:
    for body, seen in ((b"a=%ff&b=1", [("a", "%FF"), ("b", "1")]), (b"a=\xff&b=1", [])):
        response = send(says(fields), "POST", data=body, content_type=URLENCODED)
        assert response.text == repr(seen)


def test_arguments_and_form_together(send: Send) -> None:
    app = says(lambda request: list(request.values.items(multi=True)))
    post = send(app, "POST", "/?a=1", data={"a": "2", "b": "3"})
    assert post.text == repr([("a", "1"), ("a", "2"), ("b", "3")])
    get = send(app, "GET", "/?a=1", data={"a": "2"})
    assert get.text == repr([("a", "1")])


def test_a_form_after_its_data_and_the_data_after_a_form(send: Send) -> None:
    kept = says(lambda request: (request.get_data(), fields(request)))
    assert send(kept, "POST", data={"a": "1"}).text == repr((b"a=1", [("a", "1")]))
    read = says(lambda request: (fields(request), request.get_data(), request.data))
    assert send(read, "POST", data={"a": "1"}).text == repr(([("a", "1")], b"", b""))


def test_no_form(send: Send) -> None:
    for kind in (None, "text/plain", "multipart/mixed; boundary=B"):
        app = says(lambda request: (fields(request), files(request), request.get_data()))
        response = send(app, "POST", data=b"a=1", content_type=kind)
        assert response.text == repr(([], [], b"a=1"))


def test_a_missing_field(send: Send) -> None:
    response = send(says(lambda request: request.form["<name>"]), "POST", data={"a": "1"})
    assert response.status_code == 400
    assert "<name>" not in response.text


# -- multipart ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 511_999, 512_000, 512_001, 700_000, 3 * 1024 * 1024])
def test_files_of_all_sizes(send: Send, size: int) -> None:
    content = (b"\r\n--x\r\n\0\xff" * (size // 9 + 1))[:size]
    data = {"t": "text \N{SNOWMAN}", "f": (io.BytesIO(content), "n\xfc.bin", "application/x-y")}
    response = send(says(both), "POST", data=data)
    file = ("f", "n\xfc.bin", "application/x-y", size, digest(content))
    assert response.text == repr(([("t", "text \N{SNOWMAN}")], [file]))
    response.close()


def test_several_files_of_one_name(send: Send) -> None:
    def look(request: Request) -> object:
        return [(file.filename, file.read()) for file in request.files.getlist("f")]

    data = {"f": [(io.BytesIO(b"one"), "1.txt"), (io.BytesIO(b"two"), "2.txt")]}
    assert send(says(look), "POST", data=data).text == repr([("1.txt", b"one"), ("2.txt", b"two")])


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('Content-Disposition: form-data; name=f; filename="a b.txt"', "a b.txt"),
        ('Content-Disposition: form-data; name=f; filename="\\"q\\".txt"', '"q".txt'),
        ('Content-Disposition: form-data; name="f"; filename="\N{SNOWMAN}.txt"',
         "\N{SNOWMAN}.txt"),
        ("Content-Disposition: form-data; name=f; filename*=UTF-8''%E2%98%83.txt",
         "\N{SNOWMAN}.txt"),
        ('content-disposition: FORM-DATA; name="f"; filename="../../x"', "../../x"),
    ],
)  # fmt: skip
def test_names_of_files(send: Send, head: str, name: str) -> None:
    app = says(lambda request: (request.files["f"].filename, request.files["f"].read()))
    assert send(app, "POST", **multipart((head, b"data"))).text == repr((name, b"data"))


def test_a_multipart_form_of_unknown_length(send: Send) -> None:
    content = b"y" * 600_000
    made = multipart(
        ("Content-Disposition: form-data; name=a", b"1"),
        ("Content-Disposition: form-data; name=f; filename=x", content),
    )
    body = made.pop("data")
    pieces = [body[start : start + 7919] for start in range(0, len(body), 7919)]
    response = send(says(both), "POST", input_stream=unknown(*pieces), **made)
    seen = ([("a", "1")], [("f", "x", "", 600_000, digest(content))])
    assert response.text == repr(seen)


def test_the_charset_of_a_field(send: Send) -> None:
    head = "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset={}"
    made = multipart((head.format("iso-8859-1"), b"\xfc"), (head.format("rot13"), b"\xc3\xbc"))
    assert send(says(fields), "POST", **made).text == repr([("a", "\xfc"), ("a", "\xfc")])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--B\r\n\r\n"),
        ("multipart/form-data; boundary=B", b""),
        ("multipart/form-data; boundary=B", b"--B\r\nContent-Disposition: form-data; name=a\r\n"),
        ("multipart/form-data; boundary=\xfc", b"--\xfc--"),
        ("multipart/form-data; boundary=B", b"--C--\r\n"),
        ("multipart/form-data; boundary=B", b"--B\r\nno head\r\n\r\nx\r\n--B--\r\n"),
    ],
)
def test_forms_that_are_none(send: Send, kind: str, body: bytes) -> None:
    assert send(says(both), "POST", data=body, content_type=kind).text == repr(([], []))


def test_uploads_are_closed_after_the_request(send: Send) -> None:
    kept: list[Any] = []

    def look(request: Request) -> object:
        kept.append(request.files["f"].stream)
        return kept[-1].closed

    data = {"f": (io.BytesIO(b"x" * 600_000), "f")}
    response = send(says(look), "POST", data=data)
    assert response.text == "False"
    assert kept[0].closed
    response.close()


def test_an_upload_is_saved(send: Send, tmp_path: Any) -> None:
    content = bytes(range(256)) * 3000
    app = says(lambda request: request.files["f"].save(tmp_path / "saved"))
    response = send(app, "POST", data={"f": (io.BytesIO(content), "f")})
    assert response.text == "None"
    assert (tmp_path / "saved").read_bytes() == content
    response.close()


def test_an_upload_is_sent_back(send: Send) -> None:
    content = bytes(range(256)) * 4000
    app = answers(lambda request: Response(request.files["f"].read()))
    response = send(app, "POST", data={"f": (io.BytesIO(content), "f")})
    assert response.data == content
    response.close()


def test_forms_without_a_request(send: Send) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        stream, form, files = parse_form_data(environ)
        with files["f"].stream as file:
            text = repr((stream.read(), form.to_dict(), file.read()))
        return Response(text)(environ, start_response)

    data = {"a": "1", "f": (io.BytesIO(b"x"), "f")}
    assert send(app, "POST", data=data).text == repr((b"", {"a": "1"}, b"x"))


def test_a_factory_of_ones_own_for_uploads(send: Send) -> None:
    told: list[Any] = []

    class Own(limited()):  # type: ignore[misc] # a class that a function makes
        def _get_file_stream(self, *args: Any, **kwargs: Any) -> io.BytesIO:
            told.append((args or tuple(kwargs.values()))[1:3])
            return io.BytesIO()

    data = {"f": (io.BytesIO(b"x"), "name.txt", "text/x-y")}
    response = send(says(files, Own), "POST", data=data)
    assert response.text == repr([("f", "name.txt", "text/x-y", 1, digest(b"x"))])
    assert told == [("text/x-y", "name.txt")]


# -- the limits -----------------------------------------------------------------------------------

FIELD = "Content-Disposition: form-data; name=a"
FILE = "Content-Disposition: form-data; name=f; filename=f"


class Strict(FormDataParser):
    max_form_fields = 10
    max_urlencoded_size = 1000


LIMITS: list[tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = [
    ({"max_form_memory_size": 1000}, multipart((FIELD, b"x" * 1001)),
     ("max_form_memory_size", "1000")),
    ({}, multipart((FIELD, b"x" * 500_001)), ("max_form_memory_size", "500000")),
    ({"max_form_parts": 3}, multipart(*[(FIELD, b"x")] * 4), ("max_form_parts", "3")),
    ({"max_form_parts": 3}, multipart(*[(FILE, b"x")] * 4), ("max_form_parts", "3")),
    ({}, multipart(*[(FIELD, b"")] * 1001), ("max_form_parts", "1000")),
    ({"max_content_length": 400}, multipart((FILE, b"x" * 401)), ("max_content_length", "400")),
    ({"form_data_parser_class": Strict},
     {"data": b"a=" + b"x" * 1000, "content_type": URLENCODED}, ("max_urlencoded_size", "1000")),
    ({"form_data_parser_class": Strict},
     {"data": b"a&" * 10 + b"a", "content_type": URLENCODED}, ("max_form_fields", "10")),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "made", "named"), LIMITS)
@pytest.mark.parametrize("known", [True, False])
def test_too_much_of_a_form(
    send: Send, limits: dict[str, Any], made: dict[str, Any], named: tuple[str, str], *, known: bool
) -> None:
    options = dict(made)
    if not known:
        options["input_stream"] = unknown(options.pop("data"))
    response = send(says(both, limited(**limits)), "POST", **options)
    assert response.status_code == 413
    for word in named:
        assert word in response.text


LIMITED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_form_memory_size": 1000}, multipart((FIELD, b"x" * 1000), (FILE, b"y" * 2000))),
    ({"max_form_parts": 3}, multipart(*[(FIELD, b"x")] * 3)),
    ({"max_form_memory_size": None, "max_form_parts": None},
     multipart(*[(FIELD, b"x")] * 1200, (FIELD, b"x" * 600_000))),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "made"), LIMITED)
def test_as_much_of_a_form_as_is_allowed(
    send: Send, limits: dict[str, Any], made: dict[str, Any]
) -> None:
    app = says(lambda request: len(list(request.form.items(multi=True))), limited(**limits))
    assert send(app, "POST", **made).text == str(made["data"].count(b"name=a"))


def test_a_limit_of_one_request(send: Send) -> None:
    def read(set_limit: Callable[[Request], None]) -> Any:
        def look(request: Request) -> object:
            set_limit(request)
            return fields(request)

        return says(look)

    def small(request: Request) -> None:
        request.max_content_length = 5

    def large(request: Request) -> None:
        request.max_form_parts = 5000

    assert send(read(small), "POST", data={"a": "too long"}).status_code == 413
    many = multipart(*[(FIELD, b"")] * 2000)
    assert send(read(large), "POST", **many).status_code == 200
