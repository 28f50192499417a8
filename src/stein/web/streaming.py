"""Responses that are made while they are sent, by a generator that still sees its request.

A generator runs after its view has returned, when the server asks for the next piece; by then the
contexts have been popped.  :func:`stream_with_context` keeps them for it:

* The contexts are noted when it is called.  They are *held*: their teardown functions run when the
  stream has ended, so that what a hook has opened (a database, an uploaded file) stays open.
* They are pushed for each piece, and popped again before the server gets it.  Between two pieces
  nothing of the request is left in the thread, and a stream that is given up leaves nothing there;
  its contexts are let go when it is closed or collected.

What the teardown functions are given, so that "commit unless there was an error" is right: the
error that a stream ended with, or ``GeneratorExit`` if it was begun and closed before its end, as
when the client goes away.  An error after which the contexts would have been torn down, were they
not held, comes before these.

When a view, or a hook after it, raises, its streams mostly lead nowhere, but live as long as the
traceback, which somebody may keep.  A request that is over does not wait for them: see
:func:`leave`.
"""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload
from weakref import ref

from stein.web.globals import context_var

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from stein.web.context import AppContext, RequestContext
    from stein.web.response import Response

__all__ = ["leave", "stream_with_context"]

P = ParamSpec("P")
Piece = TypeVar("Piece", str, bytes)


@overload
def stream_with_context(generator_or_function: Iterator[Piece]) -> Iterator[Piece]: ...


@overload
def stream_with_context(generator_or_function: AsyncIterator[Piece]) -> Iterator[Piece]: ...


@overload
def stream_with_context(
    generator_or_function: Callable[P, Iterator[Piece]],
) -> Callable[P, Iterator[Piece]]: ...


@overload
def stream_with_context(
    generator_or_function: Callable[P, AsyncIterator[Piece]],
) -> Callable[P, Iterator[Piece]]: ...


def stream_with_context(generator_or_function: Any) -> Any:
    """Let a generator see the current request while the server runs it, after the view has ended.

    As a decorator of a generator function::

        @app.get("/stream")
        def stream():
            @stream_with_context
            def generate():
                yield "Hello "
                yield request.args["name"]

            return generate()

    or around a generator: ``return stream_with_context(generate())``.

    ``request``, ``session`` and ``g`` are those of the view.  The response's head has been sent by
    then, so that what the generator writes into the session is not saved.  The teardown functions
    run when the stream has ended, with the error if it ended with one.  If the client goes away,
    the server closes the stream, and the generator's ``finally`` sees its request, too; the
    teardown functions are given a ``GeneratorExit`` then, if the stream had begun.  If the view
    raises after all, the stream is closed at the end of the request.

    :param generator_or_function: an iterable of text or bytes, or a function that returns one.  An
        async generator is run on the thread's event loop, see :mod:`stein.web.asyncviews`.
    :return: an iterator with a method ``close``; or a function that returns one.
    :raises RuntimeError: no request is being handled where the generator is wrapped.
    """
    if hasattr(generator_or_function, "__aiter__"):
        # Late: it is of use to async programs only.
        from stein.web.asyncviews import iterate  # noqa: PLC0415 - see above

        generator_or_function = iterate(generator_or_function)
    try:
        iterator = iter(generator_or_function)
    except TypeError:
        if not callable(generator_or_function):
            raise TypeError(
                f"{generator_or_function!r} cannot be streamed: give a generator, or a function"
                " that returns one"
            ) from None
    else:
        return _Stream(iterator)

    def function(*args: Any, **kwargs: Any) -> Any:
        return stream_with_context(generator_or_function(*args, **kwargs))

    return update_wrapper(function, generator_or_function)


class _Stream:
    """An iterator whose steps are taken inside of the contexts that were current when it was made.

    :param iterator: what makes the pieces; it may have a method ``close``.
    """

    __slots__ = ("__weakref__", "_begun", "_contexts", "_iterator")

    # As they are pushed: the request's, and perhaps one of an application's around it whose g it
    # shares, and one inside of it.  None once the stream has ended.
    _contexts: tuple[AppContext, ...]

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self._contexts = ()
        self._begun = False
        context = context_var.get(None)
        current = None if context is None else context.request_context
        if context is None or current is None:
            raise RuntimeError(
                "'stream_with_context' can only be used when a request context is active, such as"
                " in a view function, and none is here. Call it in the view (for a decorator: call"
                " the decorated function there), or in a test inside"
                " `with app.test_request_context():`."
            )
        self._contexts = (current,) if context is current else (current, context)
        home = current.app_context
        if home is not None and home is not current:
            self._contexts = (home, *self._contexts)
        for each in self._contexts:
            each.hold()
        if current._streams is None:  # noqa: SLF001 - the other half
            current._streams = []  # noqa: SLF001
        current._streams.append(ref(self))  # noqa: SLF001

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        contexts = self._contexts
        if not contexts:
            raise StopIteration
        _push(contexts)
        self._begun = True
        try:
            piece = next(self._iterator)
        except BaseException as error:
            _pop(contexts)
            self._end(None if isinstance(error, StopIteration) else error)
            raise
        _pop(contexts)
        return piece

    def close(self) -> None:
        """End the stream, wherever it is."""
        self._end(GeneratorExit("the stream was closed before its end") if self._begun else None)

    # Somebody gave it up, with a server that does not close what it was given.
    __del__ = close

    def _end(self, error: BaseException | None) -> None:
        """Close the iterator inside of the contexts, and let these go."""
        contexts, self._contexts = self._contexts, ()
        if not contexts:
            return
        _push(contexts)
        noted = [each.release() for each in contexts]
        try:
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()
        except BaseException as raised:
            error = raised
            raise
        finally:
            _pop(contexts, [error if each is None else each for each in noted])


def leave(context: RequestContext, error: BaseException | None, response: Response | None) -> None:
    """Pop a request's context at its end, whatever has become of its streams.

    Those that were made before something raised are closed, unless the response may have one of
    them in it: it is no stream itself if its body is a list.  ``abort(response)`` and error
    handlers may stream.

    :param context: the context.
    :param error: the error that nobody has handled.
    :param response: None if there is none, as nobody has handled the error.
    """
    streams = context._streams or []  # noqa: SLF001 - the other half
    context._streams = None  # noqa: SLF001
    if response is not None:
        # A subclass may answer an error with any WSGI application.
        is_list = getattr(response, "is_sequence", False)
        streams = streams[: context._streams_in_doubt if is_list else 0]  # noqa: SLF001
    try:
        for each in streams:
            stream = each()
            if stream is not None:
                _close(stream, context, error)
    finally:
        context.pop(error)


def _close(stream: _Stream, context: RequestContext, error: BaseException | None) -> None:
    try:
        stream._end(error)  # noqa: SLF001 - of this module
    except Exception:
        context.app.logger.exception(
            "Closing %r failed, a stream that was made before the request for %s had its error",
            stream._iterator,  # noqa: SLF001
            context.request.path,
        )


def _push(contexts: tuple[AppContext, ...]) -> None:
    """Push the contexts, with the ``g`` that they had, whatever is current here."""
    home = contexts[0]
    for number, each in enumerate(contexts, 1):
        try:
            each.push()
        except BaseException:
            # A receiver of the signal has failed.  They are held: this does not tear them down.
            _pop(contexts[:number])
            raise
        if each.app is home.app:
            each.app_context = home


def _pop(contexts: tuple[AppContext, ...], errors: Sequence[BaseException | None] = ()) -> None:
    """Pop the contexts, each with its error."""
    try:
        contexts[-1].pop(errors[-1] if errors else None)
    finally:
        if len(contexts) > 1:
            _pop(contexts[:-1], errors[:-1])
