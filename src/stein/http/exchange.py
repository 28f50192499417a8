"""One request and its response, as a record.

Every protocol version ends here: the HTTP/1 reader makes one exchange per message, an HTTP/2
reader will make one per stream.  The server calls the application with it and writes the
response side; observers read it when it has ended.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Exchange", "RequestLine"]


class RequestLine(NamedTuple):
    """What the first line of a request says, decoded once.

    ``path`` is percent-decoded and ``query`` is not; both are bytes in the guise of text
    (latin-1), as PEP 3333 wants them.  ``host`` is the authority of an absolute-form target.
    """

    method: str
    target: str
    path: str
    query: str
    protocol: str
    host: str | None = None


class Exchange:
    """One request and its response.

    Written by one thread at a time: the leader until the application is called, the calling
    thread until the response is handed over, the leader again while it drains.

    :param line: the decoded request line.
    :param variables: the header fields under their CGI names (RFC 3875 4.1), e.g.
        ``HTTP_ACCEPT``; started from the template that the reader was given.
    """

    __slots__ = (
        # the request
        "line",
        "variables",
        "fields",
        "length",
        "expects_continue",
        "persistent",
        "complete",
        "received",
        # the response
        "status",
        "sent_bytes",
        "outcome",
        "error",
        # where it ran
        "connection",
        "number",
        "thread",
        # marks, see stein.marks
        "began",
        "read",
        "entered",
        "left",
        "sent",
    )

    # the request
    line: RequestLine
    variables: dict[str, Any]
    fields: object  #: the same object as in an earlier exchange of the connection: the same fields
    length: int  #: declared Content-Length; -1 for a chunked body
    expects_continue: bool
    persistent: bool  #: may the connection be used again after this exchange?
    complete: bool  #: has the whole body been read by the reader?
    received: int  #: body bytes so far
    # the response
    status: int  #: 0 while no head was made
    sent_bytes: int  #: body bytes handed to the operating system
    outcome: str  #: "ok", or what cut it short: see stein.observe.accesslog
    error: str | None  #: why, for the log
    # where it ran
    connection: Any  #: the server's connection (its ``id`` and ``peer`` are read by observers)
    number: int  #: the how-manieth request of its connection, from 1
    thread: str
    began: float
    read: float
    entered: float
    left: float
    sent: float

    def __init__(self, line: RequestLine, variables: dict[str, Any]) -> None:
        self.line = line
        self.variables = variables
        self.fields = None
        self.length = 0
        self.expects_continue = False
        self.persistent = True
        self.complete = True
        self.received = 0
        self.status = 0
        self.sent_bytes = 0
        self.outcome = "ok"
        self.error = None

    def never_entered(self) -> None:
        """Set what only a call sets, for an exchange that will not reach the application."""
        self.thread = ""
        self.entered = self.left = self.sent = 0.0

    def __repr__(self) -> str:
        return f"<Exchange {self.line.method} {self.line.target} status={self.status}>"
