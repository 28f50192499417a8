"""Short texts for the values of variables: bounded in size and depth, secrets masked.

The objects are the application's, and their ``repr`` may do anything: fail, give megabytes, go in
circles.  It gives a short text here in any case.
"""

from __future__ import annotations

import reprlib
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.toolkit.debugger.masking import Masker

__all__ = ["Preview", "preview_variables"]

#: variables of one frame that are shown
MOST_VARIABLES: Final = 60
#: characters of one value
LONGEST: Final = 1500

_CODE: Final = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)


class Preview(reprlib.Repr):
    """The repr of values as the page shows it.

    :param masker: for the whole page.
    """

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self.masker = masker
        self.maxlevel = 4
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = 20
        self.maxset = self.maxfrozenset = self.maxdeque = 20
        self.maxstring = self.maxother = 400
        self.maxlong = 80

    def named(self, name: object, value: object) -> str:
        """Return the text for a value that goes by a name."""
        if self.masker.hides(name, value):
            return self.masker.placeholder(value)
        return shorten(self.repr(value), LONGEST)

    def repr1(self, x: Any, level: int) -> str:
        """Any value; one that fails is told in its place."""
        try:
            return super().repr1(x, level)
        except Exception as error:  # noqa: BLE001 - whatever the application's objects do
            return broken(x, error)

    def repr_str(self, x: str, level: int) -> str:
        """A text, its middle left out if it is long."""
        return self.masker.text(super().repr_str(x, level))

    def repr_dict(self, x: Mapping[Any, Any], level: int) -> str:
        """A dict in its own order; the values of secret keys are masked."""
        if not x:
            return "{}"
        if level <= 0:
            return "{...}"
        pieces = []
        for count, (key, value) in enumerate(x.items()):
            if count == self.maxdict:
                pieces.append(f"... {len(x) - count} more")
                break
            hidden = self.masker.hides(key, value)
            shown = self.masker.placeholder(value) if hidden else self.repr1(value, level - 1)
            pieces.append(f"{self.repr1(key, level - 1)}: {shown}")
        return f"{{{', '.join(pieces)}}}"

    def repr_instance(self, x: Any, level: int) -> str:
        """Anything else: what it says of itself."""
        # By type(): a proxy says that it is what it stands for, or fails when it is asked.
        if issubclass(type(x), dict):
            return f"{type(x).__name__}({self.repr_dict(x, level)})"
        return shorten(self.masker.text(repr(x)), self.maxother)


def broken(value: object, error: Exception) -> str:
    """Return what is shown for an object whose ``repr`` fails."""
    try:
        about = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the error may be no better than the object
        about = type(error).__name__
    return f"<{type(value).__name__} object whose repr failed: {shorten(about, 120)}>"


def shorten(text: str, length: int) -> str:
    """Leave out the middle of a text."""
    if len(text) <= length:
        return text
    tail = length // 4
    return f"{text[: length - tail]} ... {text[len(text) - tail :]}"


def preview_variables(
    variables: Mapping[str, Any], masker: Masker, *, whole_module: bool = False
) -> list[tuple[str, str]]:
    """Return names and short texts for the variables of a frame.

    :param variables: by name.
    :param masker: for the whole page.
    :param whole_module: they are those of a module: what it imports is left out.
    """
    preview = Preview(masker)
    data: list[tuple[str, str]] = []
    code: list[tuple[str, str]] = []  # functions and classes: what one looks for least
    for name, value in list(variables.items()):
        if name.startswith("__") and name.endswith("__"):
            continue
        if whole_module and issubclass(type(value), ModuleType | type):
            continue
        kind = code if issubclass(type(value), _CODE) else data
        if len(kind) <= MOST_VARIABLES:
            kind.append((name, preview.named(name, value)))
    shown = data + code
    if len(shown) > MOST_VARIABLES:
        shown[MOST_VARIABLES:] = [("...", "there are more; ask the console")]
    return shown
