"""The debugger as a middleware: what an application raises becomes a page.

::

    app = DebuggedApplication(app, evalex=True)

The page's own requests come to any URL with ``?__debugger__=yes&cmd=...``, as the page may be
anywhere; they never reach the application.
"""

# ruff: noqa: FBT001, FBT002 - Werkzeug's signatures

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from stein.errors import RequestError
from stein.toolkit.debugger import page
from stein.toolkit.debugger.answers import (
    NO_STORE,
    html_response,
    json_response,
    request_of,
    same_text,
    wanted_form,
)
from stein.toolkit.debugger.guard import (
    Obstacle,
    find_obstacle,
    foreign_origin,
    origin_of,
    resolved,
)
from stein.toolkit.debugger.kept import ConsoleFrame, KeptFrames
from stein.toolkit.debugger.log import say
from stein.toolkit.debugger.masking import Masker
from stein.toolkit.debugger.pin import (
    PinLock,
    cookie_is_right,
    cookie_name,
    drawn,
    get_pin_and_cookie_name,
    make_cookie,
)
from stein.toolkit.debugger.tracebacks import DebugTraceback
from stein.toolkit.debugger.watch import Start, Watched
from stein.toolkit.response import Response
from stein.toolkit.security import gen_salt
from stein.toolkit.wsgi import get_current_url
from stein.tracebacks import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from stein.toolkit.debugger.frames import DebugFrameSummary
    from stein.toolkit.request import Request
    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["DebuggedApplication"]

#: refusals that are logged one by one; of more each hundredth
LOGGED: Final = 20


class DebuggedApplication:
    """Shows the exceptions of an application in the browser, and lets it look around in them.

    Not for a server that others can reach: who gets to a console owns the machine's user.  What
    stands in the way is told in :mod:`stein.toolkit.debugger.guard`; behind that comes the PIN.

    With ``evalex`` the environ has ``werkzeug.debug.preserve_context``, a callable.  Context
    managers that it is given are entered each time when code is run in a frame of this request.

    :param app: the WSGI application (PEP 3333).
    :param evalex: have consoles, in frames and at ``console_path``.
    :param request_key: ignored, as there.
    :param console_path: the path of the page that is only a console; ``None`` for no such page.
    :param console_init_func: gives the names which that console knows.
    :param show_hidden_frames: show frames that ask to be hidden (``__traceback_hide__``), too.
    :param pin_security: ask for a PIN.  It is drawn when the program starts; ``STEIN_DEBUG_PIN``
        or ``WERKZEUG_DEBUG_PIN`` may set one, or ``off``.
    :param pin_logging: tell the PIN in the log ``werkzeug``.
    :param allow_remote: let others than this machine have consoles; ``None`` looks whether
        ``STEIN_DEBUG_REMOTE`` is set.
    :param bound_to: names or addresses that the server listens on; see ``allow_remote``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - Werkzeug's signature
        self,
        app: WSGIApplication,
        evalex: bool = False,
        request_key: str = "werkzeug.request",
        console_path: str | None = "/console",
        console_init_func: Callable[[], dict[str, Any]] | None = None,
        show_hidden_frames: bool = False,
        pin_security: bool = True,
        pin_logging: bool = True,
        *,
        allow_remote: bool | None = None,
        bound_to: Iterable[str] = (),
    ) -> None:
        self.app = app
        self.evalex = evalex
        self.request_key = request_key
        self.console_path = console_path
        self.console_init_func = console_init_func
        self.show_hidden_frames = show_hidden_frames
        self.pin_logging = pin_logging
        if allow_remote is None:
            allow_remote = os.environ.get("STEIN_DEBUG_REMOTE", "") not in {"", "0", "false"}
        self.allow_remote = allow_remote
        self.bound_to = resolved(bound_to)
        #: names for the Host field of who may use consoles; a dot in front: with all subdomains
        self.trusted_hosts = [".localhost", "127.0.0.1", "[::1]"]
        #: what the pages of this process prove themselves with
        self.secret = gen_salt(32)
        self.kept = KeptFrames()
        self.frames = self.kept.frames
        self.frame_contexts = self.kept.contexts
        #: how many requests were refused, by reason
        self.refused: Counter[str] = Counter()
        self.pin_lock = PinLock()
        self._guard = threading.Lock()  # guards refused
        self.pin: str | None = None
        self.pin_cookie_name = cookie_name(app)
        if pin_security:
            self.pin, _ = get_pin_and_cookie_name(app)
            if os.environ.get("WERKZEUG_RUN_MAIN") == "true" and not drawn().inherited:
                self.announce()

    def announce(self) -> None:
        """Tell in the log that there is a debugger, and its PIN."""
        if not self.pin_logging:
            return
        say(logging.WARNING, " * Debugger is active!")
        if self.pin is None:
            say(logging.WARNING, " * Debugger PIN disabled: whoever gets here can run code.")
        else:
            say(logging.INFO, " * Debugger PIN: %s", self.pin)

    # -- the application -----------------------------------------------------------------------

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request: the application's way, or as the debugger."""
        if "__debugger__=yes" in environ.get("QUERY_STRING", ""):
            response = self._command(environ)
            if response is not None:
                return response(environ, start_response)
        elif self.evalex and environ.get("PATH_INFO") == self.console_path:
            return self.display_console(request_of(environ))(environ, start_response)
        return self.debug_application(environ, start_response)

    def debug_application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application, and show what it raises.

        :param environ: of the request.
        :param start_response: of the server.
        """
        contexts: list[AbstractContextManager[Any]] = []
        if self.evalex:
            environ["werkzeug.debug.preserve_context"] = contexts.append
        start = Start(start_response)
        try:
            given = self.app(environ, start)
        except RequestError:  # the client's fault, which the server answers
            raise
        except Exception as error:  # noqa: BLE001 - that is what it is for
            return self.show(error, environ, start, contexts)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(given, list | tuple) or (
            isinstance(wrapper, type) and isinstance(given, wrapper)
        ):
            return given  # nothing in there can fail; and files go their short way
        return Watched(given, lambda error: self.show(error, environ, start, contexts))

    def show(
        self,
        error: Exception,
        environ: Environ,
        start: Start,
        contexts: list[AbstractContextManager[Any]],
    ) -> Iterable[bytes]:
        """Return the answer that shows an exception; tell it in the terminal as well."""
        text = render(error)
        try:
            skip = _own_frames(error)
            shown = DebugTraceback(error, skip=skip, hide=not self.show_hidden_frames)
            response = self._response(shown, environ, contexts, text)
        except Exception as fault:  # noqa: BLE001 - objects of the application may do anything
            text += f"\nThis is all, since the debugger failed while it showed it:\n{render(fault)}"
            response = Response(text, 500, NO_STORE, mimetype="text/plain")
        start.instead_of = error
        try:
            body = response(environ, start)
        finally:
            start.instead_of = None
        environ["wsgi.errors"].write(text)
        return body

    def _response(
        self,
        shown: DebugTraceback,
        environ: Environ,
        contexts: list[AbstractContextManager[Any]],
        text: str,
    ) -> Response:
        """Return the answer in the form that the client likes best."""
        obstacle = self.obstacle(environ)
        masker = shown.masker(shows_variables=obstacle is None or not obstacle.hides_values)
        form = wanted_form(request_of(environ))
        if form == "text/plain":
            return Response(masker.known(text), 500, NO_STORE, mimetype=form)
        if form == "application/json":
            # Late: pages are what is asked for, most times.
            import json  # noqa: PLC0415

            data = {"error": shown.to_data(masker), "text": masker.known(text)}
            return Response(json.dumps(data, indent=2), 500, NO_STORE, mimetype=form)
        consoles = self.evalex and obstacle is None
        if consoles:
            self.kept.keep(shown.all_frames, contexts)
        nonce = page.new_nonce()
        about = page.About(
            request=f"{environ.get('REQUEST_METHOD', 'GET')} {_shown_url(environ)}",
            refusal=obstacle.text if self.evalex and obstacle is not None else None,
            masker=masker,
            nonce=nonce,
        )
        trusted = bool(self.check_pin_trust(environ))
        html = shown.render_debugger_html(consoles, self.secret, trusted, about)
        known = obstacle is None or obstacle.kind != "host"
        return html_response(html, 500, nonce, origin_of(environ) if known else "")

    # -- what the page asks for ------------------------------------------------------------------

    def _command(self, environ: Environ) -> Response | None:
        """Answer a request of the page; ``None`` if it is not one that pages make."""
        request = request_of(environ)
        command = request.args.get("cmd")
        if command == "resource" and request.method in {"GET", "HEAD"}:
            return self.get_resource(request, request.args.get("f", ""))
        answer = {
            "pinauth": self.pin_auth,
            "printpin": self.log_pin_request,
            "eval": self._eval,
            "complete": self._complete,
        }.get(command or "")
        if answer is None or request.method != "POST":
            return None
        obstacle = foreign_origin(environ) or self.obstacle(environ)
        if obstacle is None and not self.evalex:
            obstacle = Obstacle("evalex", "The debugger runs without consoles (evalex=False).")
        if obstacle is None and not same_text(request.form.get("s", ""), self.secret):
            obstacle = Obstacle(
                "secret",
                "The page is from before the program was started the last time. Load it again.",
            )
        return answer(request) if obstacle is None else self._refuse(request, obstacle)

    def obstacle(self, environ: Environ) -> Obstacle | None:
        """Return what forbids consoles for a request, apart from the PIN; or ``None``."""
        return find_obstacle(
            environ, self.trusted_hosts, self.bound_to, allow_remote=self.allow_remote
        )

    def _refuse(self, request: Request, obstacle: Obstacle, **more: Any) -> Response:
        """Count and log a refusal, and return the answer."""
        with self._guard:
            self.refused[obstacle.kind] += 1
            total = self.refused.total()
        if total <= LOGGED or total % 100 == 0:
            say(
                logging.WARNING,
                "Debugger: refused %s %r from %s: %s (refused so far: %d)",
                request.method,
                request.path,
                request.remote_addr or "a local client",
                obstacle.text,
                total,
            )
        return json_response({"error": obstacle.text, "reason": obstacle.kind, **more}, 403)

    def _eval(self, request: Request) -> Response:
        return self._in_frame(request, lambda frame: self._run(request, frame))

    def _run(self, request: Request, frame: DebugFrameSummary | ConsoleFrame) -> Response:
        return self.execute_command(request, request.form.get("code", ""), frame)

    def _complete(self, request: Request) -> Response:
        def answer(frame: DebugFrameSummary | ConsoleFrame) -> Response:
            with self.kept.contexts_of(frame):
                found = frame.console.complete(request.form.get("code", ""))
            return json_response({"start": found.start, "texts": found.texts})

        return self._in_frame(request, answer)

    def _in_frame(
        self,
        request: Request,
        answer: Callable[[DebugFrameSummary | ConsoleFrame], Response],
    ) -> Response:
        """Answer with the frame that a request names, if it has the PIN."""
        if not self.check_pin_trust(request.environ):
            return self._refuse(request, Obstacle("pin", "The PIN has not been entered."))
        frame = self.frames.get(request.form.get("frm", -1, type=int))
        if frame is None:
            return json_response(
                {"error": "This traceback is not kept any more. Load the page again."}, 404
            )
        return answer(frame)

    def execute_command(
        self, request: Request, command: str, frame: DebugFrameSummary | ConsoleFrame
    ) -> Response:
        """Run code in a frame, and answer with what came of it.

        :param request: of the page.
        :param command: the code.
        :param frame: where to run it.
        """
        if refusal := self._untrusted(request):
            return refusal
        with self.kept.contexts_of(frame):
            output = frame.console.run(command)
        return json_response({"output": output, "more": frame.console.more})

    def display_console(self, request: Request) -> Response:
        """Answer with the page that is only a console.

        :param request: for its path.
        """
        if refusal := self._untrusted(request):
            return refusal
        self.kept.open_console(self.app, self.console_init_func)
        nonce = page.new_nonce()
        trusted = bool(self.check_pin_trust(request.environ))
        html = page.render_console_html(self.secret, trusted, nonce)
        return html_response(html, 200, nonce, origin_of(request.environ))

    def _untrusted(self, request: Request) -> Response | None:
        obstacle = self.obstacle(request.environ)
        return None if obstacle is None else self._refuse(request, obstacle)

    def get_resource(self, request: Request, filename: str) -> Response:  # noqa: ARG002 - Werkzeug's
        """Answer with one of the files that pages are made of.

        :param request: of the page.
        :param filename: its name, without a folder.
        """
        kinds = {"css": "text/css", "js": "text/javascript"}
        kind = kinds.get(filename.rpartition(".")[2])
        data = (
            page.resource(filename) if kind and filename.isascii() and "/" not in filename else None
        )
        if data is None:
            return Response("There is no such file.\n", 404, NO_STORE)
        return Response(data, 200, NO_STORE, mimetype=kind)

    # -- trust -------------------------------------------------------------------------------

    def check_host_trust(self, environ: Environ) -> bool:
        """Whether nothing but the PIN stands between a request and the consoles."""
        return self.obstacle(environ) is None

    def check_pin_trust(self, environ: Environ) -> bool | None:
        """Whether a request is from a browser that knew the PIN.

        :returns: ``None`` if it brings a cookie that is not ours.
        """
        if self.pin is None:
            return True
        if self.pin_lock.exhausted:
            return False
        return cookie_is_right(environ, self.pin_cookie_name, self.pin)

    def pin_auth(self, request: Request) -> Response:
        """Answer one try to enter the PIN.

        :param request: with the PIN in its form.
        """
        if refusal := self._untrusted(request):
            return refusal
        pin = self.pin
        if pin is None or self.check_pin_trust(request.environ):
            return json_response({"auth": True, "exhausted": False})
        verdict = self.pin_lock.try_pin(request.form.get("pin", ""), pin)
        if not verdict.right:
            return self._refuse(
                request,
                Obstacle("pin", "The PIN is wrong." if verdict.left else "Too many wrong PINs."),
                auth=False,
                exhausted=verdict.left == 0,
                left=verdict.left,
                wait=round(verdict.wait, 1),
            )
        response = json_response({"auth": True, "exhausted": False})
        response.set_cookie(
            self.pin_cookie_name,
            make_cookie(pin),
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )
        return response

    def log_pin_request(self, request: Request) -> Response:
        """Tell the PIN in the log, for somebody who looks for it now.

        :param request: of the page that asks for the PIN.
        """
        if refusal := self._untrusted(request):
            return refusal
        if self.pin_logging and self.pin is not None:
            say(logging.INFO, " * To use the debugger's consoles, enter the PIN: %s", self.pin)
        return json_response({})


def _shown_url(environ: Environ) -> str:
    """Return the URL of a request; what looks secret in its arguments is masked."""
    return Masker().text(get_current_url(environ))


def _own_frames(error: Exception) -> int:
    """Return how many frames at the beginning are the debugger's."""
    trace, count = error.__traceback__, 0
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace, count = trace.tb_next, count + 1
    return count if trace is not None else 0
