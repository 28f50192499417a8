"""The test client: requests to an application, or to a server that is running."""

from __future__ import annotations

from stein.toolkit.client.builder import EnvironBuilder, create_environ
from stein.toolkit.client.client import Client, ClientRedirectError
from stein.toolkit.client.cookies import Cookie
from stein.toolkit.client.encoding import encode_multipart, stream_encode_multipart
from stein.toolkit.client.live import LiveServer, NoAnswerError
from stein.toolkit.client.response import TestResponse
from stein.toolkit.client.run import run_wsgi_app

__all__ = [
    "Client",
    "ClientRedirectError",
    "Cookie",
    "EnvironBuilder",
    "LiveServer",
    "NoAnswerError",
    "TestResponse",
    "create_environ",
    "encode_multipart",
    "run_wsgi_app",
    "stream_encode_multipart",
]
