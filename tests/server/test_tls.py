"""TLS: what the settings make of it, and clients that keep to it or do not."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import CertificateError
from stein.server import Server, Settings
from stein.server import tlssocket as module
from stein.server.tls import make_context
from stein.server.tlssocket import TLSSocket
from tests.server.certificates import PASSWORD
from tests.server.client import BOUND, Client, request, serving, until

if TYPE_CHECKING:
    from pathlib import Path

    from stein.typing import Environ, StartResponse
    from tests.server.certificates import Certificates

pytestmark = pytest.mark.usefixtures("no_leaks")

CLOSE_NOTIFY = bytes.fromhex("15 03 03 00 02 01 00")


def variables(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Answer with what the environ says about TLS."""
    names = ("SSL_", "HTTPS", "wsgi.url_scheme")
    lines = [f"{name}={environ[name]!r}" for name in sorted(environ) if name.startswith(names)]
    body = "\n".join(lines).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def echo(environ: Environ, start_response: StartResponse) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [environ["PATH_INFO"].encode(), body] if not body else [body]


def path(environ: Environ, start_response: StartResponse) -> list[bytes]:
    body = environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def files(certificate: Path, certificates: Certificates) -> dict[str, Any]:
    return {"certfile": str(certificate), "keyfile": str(certificates.key_of(certificate))}


@pytest.fixture
def own(certificates: Certificates) -> dict[str, Any]:
    """The settings of a plain TLS server for localhost."""
    return files(certificates.localhost, certificates)


def trusting(*authorities: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        context.load_verify_locations(authority)
    return context


@pytest.fixture
def context(certificates: Certificates) -> ssl.SSLContext:
    return trusting(certificates.localhost)


def plain_socket(server: Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=BOUND)


def connect(server: Server, context: ssl.SSLContext, name: str = "localhost") -> Client:
    plain = plain_socket(server)
    try:
        return Client(context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False))
    except BaseException:
        plain.close()
        raise


def tls_of(client: Client) -> ssl.SSLSocket:
    assert isinstance(client.sock, ssl.SSLSocket)
    return client.sock


def works(server: Server, context: ssl.SSLContext) -> bool:
    with connect(server, context) as client:
        return client.ask("/").status == 200


# -- settings to context ------------------------------------------------------------------------


def complaint(**settings: Any) -> str:
    with pytest.raises(CertificateError) as caught:
        make_context(Settings(**settings))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_no_certificate_no_tls() -> None:
    assert make_context(Settings()) is None


def test_certificate_and_key_in_one_file(
    certificates: Certificates, context: ssl.SSLContext
) -> None:
    with serving(path, certfile=str(certificates.joined)) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert works(server, context)


@pytest.mark.parametrize("name", ["locked_key", "old_locked_key"])
def test_a_locked_key(name: str, certificates: Certificates, context: ssl.SSLContext) -> None:
    key = str(getattr(certificates, name))
    given = {"certfile": str(certificates.localhost), "keyfile": key}
    with serving(path, **given, key_password=PASSWORD) as server:
        assert works(server, context)
    text = complaint(**given)
    assert text.endswith(
        "the key is encrypted and its password is missing. Set STEIN_KEY_PASSWORD."
    )
    assert key in text
    wrong = complaint(**given, key_password="wrong")  # noqa: S106
    assert "its password is wrong" in wrong
    assert "'wrong'" not in wrong


def test_a_key_of_another_certificate(certificates: Certificates) -> None:
    own, other = certificates.localhost, certificates.key_of(certificates.other)
    text = complaint(certfile=str(own), keyfile=str(other))
    assert "the key belongs to another certificate. Give the matching pair." in text


@pytest.mark.parametrize("field", ["certfile", "keyfile", "client_ca"])
def test_a_file_that_is_missing(field: str, own: dict[str, Any], tmp_path: Path) -> None:
    for wrong in (tmp_path / "missing.pem", tmp_path):
        text = complaint(**{**own, field: str(wrong)})
        assert text == f"TLS file {str(wrong)!r} does not exist or is no file. Check the path."


def test_files_that_hold_something_else(own: dict[str, Any], tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("this is no certificate\n")
    assert "Both must be PEM files" in complaint(**{**own, "certfile": str(junk)})
    assert "Both must be PEM files" in complaint(**{**own, "keyfile": str(junk)})
    assert "holds no certificates in PEM form" in complaint(**own, client_ca=str(junk))


def test_a_certificate_without_any_key(certificates: Certificates) -> None:
    assert "is the key in --keyfile?" in complaint(certfile=str(certificates.localhost))


def test_a_file_that_cannot_be_read(own: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", refuse)
    assert complaint(**own) == f"TLS file {own['keyfile']!r} cannot be read: Permission denied."


def test_ciphers(own: dict[str, Any], context: ssl.SSLContext) -> None:
    assert complaint(**own, ciphers="XYZ") == "ciphers='XYZ': OpenSSL knows none of them."
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        serving(variables, **own, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384") as server,
        connect(server, context) as client,
    ):
        answer = client.ask().body.decode()
        assert "SSL_CIPHER='ECDHE-ECDSA-AES256-GCM-SHA384'" in answer
        assert "SSL_PROTOCOL='TLSv1.2'" in answer


@pytest.mark.parametrize("item", ["host", "host=", "=file"])
def test_a_malformed_sni(item: str, own: dict[str, Any]) -> None:
    assert "must read HOST=CERTFILE or HOST=CERTFILE:KEYFILE" in complaint(**own, sni=(item,))


# -- agreeing -----------------------------------------------------------------------------------


def test_the_environ_says_that_it_is_https(own: dict[str, Any], context: ssl.SSLContext) -> None:
    with serving(variables, **own) as server, connect(server, context) as client:
        lines = client.ask().body.decode().splitlines()
        assert lines[0] == "HTTPS='on'"
        assert lines[1].startswith("SSL_CIPHER='TLS_")
        assert lines[2:] == ["SSL_PROTOCOL='TLSv1.3'", "wsgi.url_scheme='https'"]
        assert client.ask().body.decode().splitlines() == lines


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_version_is_refused(own: dict[str, Any], context: ssl.SSLContext) -> None:
    with serving(path, **own, tls_min_version="1.3") as server:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            connect(server, context)
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        assert works(server, context)
    with serving(path, **own) as server:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert works(server, context)


@pytest.mark.parametrize(
    ("offer", "taken"),
    [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)],
)
def test_alpn(
    offer: list[str], taken: str | None, own: dict[str, Any], context: ssl.SSLContext
) -> None:
    if offer:
        context.set_alpn_protocols(offer)
    with serving(path, **own) as server, connect(server, context) as client:
        assert tls_of(client).selected_alpn_protocol() == taken
        assert client.ask().status == 200


@pytest.mark.parametrize(
    ("name", "certificate"),
    [
        ("localhost", "localhost"),
        ("other.test", "other"),
        ("OTHER.test", "other"),
        ("a.wild.test", "wild"),
        ("a.b.wild.test", "localhost"),
        ("wild.test", "localhost"),
        ("unknown.test", "localhost"),
        ("127.0.0.1", "localhost"),
    ],
)
def test_the_name_chooses_the_certificate(
    name: str, certificate: str, own: dict[str, Any], certificates: Certificates
) -> None:
    wild, other = certificates.wild, certificates.other
    sni = (
        f"other.test={other}:{certificates.key_of(other)}",
        f"*.Wild.test={wild}:{certificates.key_of(wild)}",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with serving(path, **own, sni=sni) as server, connect(server, context, name) as client:
        expected = ssl.PEM_cert_to_DER_cert(getattr(certificates, certificate).read_text())
        assert tls_of(client).getpeercert(binary_form=True) == expected
        assert client.ask().status == 200


# -- client certificates ------------------------------------------------------------------------


def showing(context: ssl.SSLContext, certificate: Path, certificates: Certificates) -> None:
    context.load_cert_chain(certificate, certificates.key_of(certificate))


def test_nobody_is_asked_by_default(
    own: dict[str, Any], certificates: Certificates, context: ssl.SSLContext
) -> None:
    showing(context, certificates.client, certificates)
    with serving(variables, **own) as server, connect(server, context) as client:
        assert b"SSL_CLIENT" not in client.ask().body


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("wish", ["optional", "required"])
def test_client_certificates(
    wish: str, version: ssl.TLSVersion, own: dict[str, Any], certificates: Certificates,
    context: ssl.SSLContext,
) -> None:  # fmt: skip
    context.maximum_version = version
    authority = str(certificates.authority)
    with serving(variables, **own, client_ca=authority, client_cert=wish) as server:
        # without one
        if wish == "optional":
            with connect(server, context) as client:
                assert b"SSL_CLIENT" not in client.ask().body
        else:
            # The alert may be lost to the reset that unread bytes of the client cause.
            with pytest.raises((OSError, EOFError)):
                works(server, context)
        # with one of another authority
        stranger = trusting(certificates.localhost)
        stranger.maximum_version = version
        showing(stranger, certificates.stranger, certificates)
        with pytest.raises((OSError, EOFError)):
            works(server, stranger)
        # with a good one
        showing(context, certificates.client, certificates)
        with connect(server, context) as client:
            answer = client.ask("/", "SSL-Client-Verify: forged").body.decode()
    assert "SSL_CLIENT_VERIFY='SUCCESS'" in answer
    assert "SSL_CLIENT_S_DN='CN=client one,O=stein'" in answer
    pem = ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(certificates.client.read_text()))
    assert f"SSL_CLIENT_CERT={pem!r}" in answer


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ((), ""),
        (((("countryName", "NL"),), (("commonName", "x"),)), "CN=x,C=NL"),
        (((("commonName", "a"), ("userId", "7")),), "CN=a+UID=7"),
        (((("emailAddress", "a@b.c"),),), "emailAddress=a@b.c"),
        (((("commonName", "eve,O=admins"),),), "CN=eve\\,O=admins"),
        (((("commonName", '#a+"\\<>;'),),), 'CN=\\#a\\+\\"\\\\\\<\\>\\;'),
        (((("commonName", " a "),),), "CN=\\ a\\ "),
        (((("commonName", " "),),), "CN=\\ "),
        (((("commonName", "\u20ac"),),), "CN=\xe2\x82\xac"),
    ],
)
def test_a_subject_is_written_as_rfc_4514_says(subject: object, text: str) -> None:
    """So that no attribute can forge another; as bytes in the guise of text (PEP 3333)."""
    assert module._distinguished_name({"subject": subject}) == text


# -- clients that do not keep to it -------------------------------------------------------------


def test_plain_http_to_the_tls_port(own: dict[str, Any], context: ssl.SSLContext) -> None:
    with serving(path, **own) as server:
        with Client(plain_socket(server)) as client:
            client.send(request())
            with contextlib.suppress(ConnectionResetError):
                assert b"200" not in client.rest()
        assert works(server, context)


def test_random_bytes_to_the_tls_port(own: dict[str, Any], context: ssl.SSLContext) -> None:
    with serving(path, **own) as server:
        for junk in (bytes(1000), b"\x16\x03\x01\xff\xff" + b"x" * 500, CLOSE_NOTIFY, b"\x80" * 99):
            with Client(plain_socket(server)) as client:
                try:
                    client.send(junk)
                    client.shut()
                    client.rest()
                except OSError:  # reset, or not connected any more
                    pass
        assert works(server, context)


def first_flight(context: ssl.SSLContext) -> tuple[bytes, ssl.SSLObject, ssl.MemoryBIO]:
    """The ClientHello, from a client that can be stopped anywhere."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read(), client, incoming


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("end", ["close", "reset", "half", "close_notify", "silence"])
def test_a_client_that_leaves_in_mid_handshake(
    end: str, version: ssl.TLSVersion, own: dict[str, Any], context: ssl.SSLContext
) -> None:
    hurried = trusting()
    hurried.maximum_version = version
    hello, _, _ = first_flight(hurried)
    with serving(path, **own, handshake_timeout=0.05 if end == "silence" else 10) as server:
        client = Client(plain_socket(server))
        with client:
            client.send(hello)
            client.sock.recv(100)  # of the server's flight
            if end == "reset":
                client.reset()
            elif end == "close_notify":
                client.send(CLOSE_NOTIFY)
            elif end == "half":
                client.shut()
            if end in {"half", "close_notify", "silence"}:
                with contextlib.suppress(ConnectionResetError):
                    client.rest()
        engine = server._engine
        assert engine is not None
        until(lambda: not engine.connections)
        assert works(server, context)


@pytest.mark.parametrize("threads", [1, 16])
def test_silent_clients_hold_nobody_up_and_are_closed(
    threads: int, own: dict[str, Any], context: ssl.SSLContext
) -> None:
    with serving(path, **own, handshake_timeout=0.3, threads=threads) as server:
        silent = [Client(plain_socket(server)) for _ in range(50)]
        assert works(server, context)
        for client in silent:
            with client:
                assert client.is_closed()
        assert works(server, context)


def test_the_handshake_deadline_counts_from_accept_whatever_drips_in(
    own: dict[str, Any], context: ssl.SSLContext
) -> None:
    hello, _, _ = first_flight(context)
    with (
        serving(path, **own, handshake_timeout=0.2) as server,
        Client(plain_socket(server)) as client,
    ):
        for byte in hello[:-1]:
            try:
                client.send(bytes([byte]))
            except ConnectionError:
                break
            client.sock.settimeout(0.01)
            try:
                if client.sock.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("a dripping client was never closed")


def test_a_handshake_in_single_bytes(own: dict[str, Any], context: ssl.SSLContext) -> None:
    data, client, incoming = first_flight(context)
    with serving(path, **own) as server, plain_socket(server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            sock.send(bytes([byte]))
        while True:
            incoming.write(sock.recv(65536))
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                continue
            break


def test_the_head_deadline_after_the_handshake(
    own: dict[str, Any], context: ssl.SSLContext
) -> None:
    with (
        serving(path, **own, head_timeout=0.1) as server,
        connect(server, context) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\n")
        assert client.answer().status == 408


# -- data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("buffering", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies_both_ways(
    *, version: ssl.TLSVersion, buffering: bool, own: dict[str, Any], context: ssl.SSLContext
) -> None:
    context.maximum_version = version
    body = bytes(range(256)) * 4096 * 3
    with (
        serving(echo, **own, request_buffering=buffering, body_buffer=100_000) as server,
        connect(server, context) as client,
    ):
        for _ in range(2):
            client.send(request(method="POST", body=body))
            assert f"Content-Length: {len(body)}".encode() in client.head()
            assert client.exactly(len(body)) == body


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_a_large_head_before_a_large_body(
    size: int, own: dict[str, Any], context: ssl.SSLContext
) -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        fields = [(f"X-{number}", "v" * 1000) for number in range(40)]
        start_response("200 OK", [*fields, ("Content-Length", str(size))])
        return [bytes(size)]

    with serving(app, **own) as server, connect(server, context) as client:
        answer = client.ask("/", "Connection: close")
        assert len(answer.fields) == 40 + 4
        assert answer.body == bytes(size)


def test_pipelining_inside_one_record(own: dict[str, Any], context: ssl.SSLContext) -> None:
    with serving(path, **own) as server, connect(server, context) as client:
        count = 100
        client.send(b"".join(request(f"/{number}") for number in range(count)))
        for number in range(count):
            assert client.answer().body == f"/{number}".encode()


def test_a_body_and_the_next_request_inside_one_record(
    own: dict[str, Any], context: ssl.SSLContext
) -> None:
    for buffering in (True, False):
        with (
            serving(echo, **own, request_buffering=buffering) as server,
            connect(server, context) as client,
        ):
            first = request(method="POST", body=b"one" * 1000)
            client.send(first + request(method="POST", body=b"two" * 500) + request())
            assert client.answer().body == b"one" * 1000
            assert client.answer().body == b"two" * 500
            client.answer()


def test_a_request_in_more_pieces_than_reads(own: dict[str, Any], context: ssl.SSLContext) -> None:
    """OpenSSL may hold decrypted bytes of which the poller knows nothing."""
    fields = [f"X-{number}: {'v' * 700}" for number in range(80)]
    with serving(path, **own) as server, connect(server, context) as client:
        for _ in range(3):
            assert client.ask("/long", *fields).body == b"/long"


def test_close_notify_ends_the_stream(own: dict[str, Any], context: ssl.SSLContext) -> None:
    """Without it the client could not tell an end from a cut (suppress_ragged_eofs is off)."""
    with serving(path, **own) as server, connect(server, context) as client:
        assert client.ask("/", "Connection: close").status == 200
        assert client.is_closed()


def test_close_notify_for_an_idle_connection(own: dict[str, Any], context: ssl.SSLContext) -> None:
    with serving(path, **own, keep_alive=0.05) as server, connect(server, context) as client:
        assert client.ask("/").status == 200
        assert client.is_closed()


def test_the_close_notify_of_the_client_ends_the_connection(
    own: dict[str, Any], context: ssl.SSLContext
) -> None:
    with serving(path, **own) as server, connect(server, context) as client:
        client.ask()
        tls_of(client).settimeout(BOUND)
        with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
            tls_of(client).unwrap().close()
        engine = server._engine
        assert engine is not None
        until(lambda: not engine.connections)


def test_a_slow_reader_gets_everything(own: dict[str, Any], context: ssl.SSLContext) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [("Content-Length", str(4 << 20))])
        return (bytes([number]) * 65536 for number in range(64))

    with (
        serving(app, **own, response_buffer=65536, threads=1) as server,
        connect(server, context) as slow,
    ):
        slow.send(request())
        with connect(server, context) as other:
            other.send(request("/", "Connection: close"))
            assert other.rest().endswith(bytes([63]) * 65536)
        slow.head()
        assert slow.exactly(4 << 20).endswith(bytes([63]) * 65536)


# -- the socket ---------------------------------------------------------------------------------


class Ended:
    """A TLS connection on which the peer has said goodbye."""

    def __getattr__(self, name: str) -> Any:
        def method(*_: object) -> None:
            raise ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)")

        return method


def test_after_the_goodbye_there_is_nothing_to_read_and_no_way_to_write() -> None:
    sock = TLSSocket.__new__(TLSSocket)
    sock._tls = Ended()  # type: ignore[assignment]
    assert sock.recv(10) == b""
    with pytest.raises(OSError, match="closed"):
        sock.send(b"x")
    with pytest.raises(OSError, match="closed"):
        sock.handshake()


def test_an_abort_does_not_take_the_encryption_off(certificates: Certificates) -> None:
    """A call that still writes would send its bytes in the clear."""
    context = make_context(Settings(certfile=str(certificates.joined)))
    assert context is not None
    ours, theirs = socket.socketpair()
    with theirs:
        sock = TLSSocket(ours, context)
        sock.shutdown(socket.SHUT_RDWR)
        assert sock._tls._sslobj is not None  # type: ignore[attr-defined]
        sock.close()
        sock.shutdown(socket.SHUT_RDWR)
