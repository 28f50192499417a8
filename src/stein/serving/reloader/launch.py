"""The program, run again in the child as the interpreter ran it, and what becomes of it told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NoReturn

from stein.interpreter import run
from stein.serving.reloader.link import is_orphan, join, leave

if TYPE_CHECKING:
    from stein.serving.reloader.link import Link

__all__ = ["launch"]

INTERRUPTED: Final = 130  # as shells count: 128 and the number of SIGINT


def launch(words: list[str]) -> None:
    """Run a program as ``__main__``, and tell the parent if it fails.

    :param words: ``["-m", "module", …]``, ``["-c", "code", …]`` or ``["script", …]``.
    :raises SystemExit: what the program wanted, or code 1 after an error.
    """
    if is_orphan():
        leave()
    link = join()
    try:
        run(words)
    except SystemExit as error:
        tell_exit(link, error)
        raise
    except KeyboardInterrupt:  # Ctrl-C during an import: no fault of the program
        sys.exit(INTERRUPTED)
    except BaseException as error:  # noqa: BLE001 - whatever ended the program
        tell_failure(link, error)


# -- what is told of the end --------------------------------------------------------------------


def tell_failure(link: Link | None, error: BaseException) -> NoReturn:
    """Tell the parent of an exception that has ended the program, and leave with code 1.

    A hook that somebody has set in place of the interpreter's is called: it may report elsewhere.
    """
    own_hook = sys.excepthook is not sys.__excepthook__
    if own_hook or link is None:
        sys.excepthook(type(error), error, error.__traceback__)
    if link is not None:
        tell(link, error, printed=own_hook)
    sys.exit(1)


def tell_exit(link: Link | None, error: SystemExit) -> None:
    """Tell the parent why the program wanted to end, as far as can be known.

    Commands tell an error in their own words and then call ``sys.exit(1)``; the exception that
    they handled is still in the context.
    """
    if link is None or error.code in {None, 0}:
        return
    if not isinstance(error.code, int):  # the interpreter will print it
        link.send("failure", headline=str(error.code), text="", printed=True)
        return
    cause: BaseException | None = error.__cause__ or error.__context__
    if cause is not None and not isinstance(cause, SystemExit | KeyboardInterrupt):
        tell(link, cause, printed=True)


def tell(link: Link, error: BaseException, *, printed: bool) -> None:
    """Send an exception, and which files to watch for its being mended."""
    # Only a program that failed needs them.
    from stein.serving.reloader.failure import failure_of  # noqa: PLC0415
    from stein.serving.reloader.inventory import take_inventory  # noqa: PLC0415
    from stein.web.environment import files_read  # noqa: PLC0415

    failure = failure_of(error)
    link.send("watch", **take_inventory({*failure.files(), *files_read}).as_message())
    link.send("failure", **failure.as_message(printed=printed))
