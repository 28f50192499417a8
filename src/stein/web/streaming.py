"""Responses that are made while they are sent, by a generator that still sees its request.

A generator runs after its view has returned, when the server asks for the next piece; by then the
contexts have been popped.  :func:`stream_with_context` keeps them for it:

* The contexts are noted when it is called.  They are *held*: their teardown functions run when the
  stream has ended, so that what a hook has opened (a database, an uploaded file) stays open.
* They are pushed for each piece, and popped again before the server gets it.  Between two pieces
  nothing of the request is left in the thread, and a stream that is given up leaves nothing there;
  its contexts are let go when it is closed or collected.
"""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from stein.web.globals import context_var

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from stein.web.context import AppContext

__all__ = ["stream_with_context"]

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
    the server closes the stream, and the generator's ``finally`` sees its request, too.

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

    __slots__ = ("_contexts", "_iterator")

    # As they are pushed: the request's, and perhaps one of an application's around it whose g it
    # shares, and one inside of it.  None once the stream has ended.
    _contexts: tuple[AppContext, ...]

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self._contexts = ()
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

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        contexts = self._contexts
        if not contexts:
            raise StopIteration
        _push(contexts)
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
        self._end(None)

    def __del__(self) -> None:
        # Somebody gave it up, with a server that does not close what it was given.
        self._end(None)

    def _end(self, error: BaseException | None) -> None:
        """Close the iterator inside of the contexts, and let these go."""
        contexts, self._contexts = self._contexts, ()
        if not contexts:
            return
        _push(contexts)
        for each in contexts:
            each.release()
        try:
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()
        except BaseException as raised:
            error = raised
            raise
        finally:
            _pop(contexts, error)


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


def _pop(contexts: tuple[AppContext, ...], error: BaseException | None = None) -> None:
    try:
        contexts[-1].pop(error)
    finally:
        if len(contexts) > 1:
            _pop(contexts[:-1], error)
