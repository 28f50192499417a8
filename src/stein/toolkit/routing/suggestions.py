"""What to say when no URL can be built: the rule that may have been meant, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.toolkit.routing.exceptions import BuildError
    from stein.toolkit.routing.rules import Rule

__all__ = ["build_message", "nearest_rule"]

#: How much each likeness counts.  The endpoint's name decides; the others only break ties.
_NAME, _VALUES, _METHOD = 0.98, 0.01, 0.01


def nearest_rule(error: BuildError, rules: Iterable[Rule]) -> Rule | None:
    """The rule most like what was asked for; of several the first, None if there are no rules."""
    # Late: nobody needs it before the first mistake.
    from difflib import SequenceMatcher  # noqa: PLC0415

    # The matcher remembers what it has found out about its second text, so that is the fixed one.
    likeness = SequenceMatcher(None, "", str(error.endpoint))
    values = set(error.values or ())
    best, best_score = None, -1.0
    for rule in rules:
        likeness.set_seq1(str(rule.endpoint))
        score = _VALUES * values.issubset(rule.arguments)
        score += _METHOD * bool(rule.methods and error.method in rule.methods)
        # PERF: ratio() of two long names takes 50 us.  These bounds of it are cheap, and most
        # rules of a large map are out of the question by them.
        for bound in (likeness.real_quick_ratio, likeness.quick_ratio):
            if score + _NAME * bound() <= best_score:
                break
        else:
            score += _NAME * likeness.ratio()
            if score > best_score:
                best, best_score = rule, score
    return best


def build_message(error: BuildError) -> str:
    """The text of the error: what was asked for, and what may help."""
    text = f"Could not build url for endpoint {error.endpoint!r}"
    if error.method:
        text += f" ({error.method!r})"
    if error.values:
        text += f" with values {sorted(error.values, key=str)!r}"
    return f"{text}.{_advice(error)}"


def _advice(error: BuildError) -> str:
    rule = error.suggested
    if rule is None:
        return ""
    if rule.endpoint != error.endpoint:
        return f" Did you mean {rule.endpoint!r} instead?"
    text = ""
    if error.method and rule.methods is not None and error.method not in rule.methods:
        text = f" Did you mean to use methods {sorted(rule.methods)!r}?"
    if missing := rule.arguments.difference(error.values or ()):
        text += f" Did you forget to specify values {sorted(missing)!r}?"
    return text
