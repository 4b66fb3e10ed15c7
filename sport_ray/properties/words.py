"""A property in words, for people who do not read temporal logic."""

from __future__ import annotations

from sport_ray.properties.parser import parse
from sport_ray.properties.syntax import Formula

_JOINED = {"&": " and ", "|": " or ", "<->": " exactly when "}


def in_words(formula: str) -> str:
    """The formula in English, propositions in quotes; what is nested stands in brackets.

    >>> in_words("(!hazard) U goal")
    'reach “goal”, with no “hazard” before it'
    >>> in_words("G !fast"), in_words("F[0,9] (goal & slow)")
    ('never “fast”', 'reach (“goal” and “slow”) within 9 steps')
    >>> in_words("G (!near | slow)"), in_words("a R[2,5] b")
    ('always (not “near” or “slow”)', '“b”, from step 2 to 5, up to and including the first “a”')

    Raises:
        UserError: a formula that cannot be read.
    """
    return _words(parse(formula))


def _words(one: Formula) -> str:
    parts = [_inside(arg) for arg in one.args]
    if one.op == "name":
        return f"“{one.name.replace('_', ' ')}”"
    if one.op in _JOINED:
        return _JOINED[one.op].join(parts)
    if one.op == "->":
        return f"if {parts[0]}, then {parts[1]}"
    return _over_time(one, parts)


def _over_time(one: Formula, parts: list[str]) -> str:
    last, when = parts[-1] if parts else one.op, _when(one.bounds)
    match one.op:
        case "!":
            return f"not {last}"
        case "X":
            return f"{last} at the next step"
        case "N":
            return f"{last} at the next step, if there is one"
        case "F":
            return f"reach {last}{when}"
        case "G":
            avoided = _denied(one.args[0])
            return (f"never {avoided}" if avoided else f"always {last}") + when
        case "U":
            avoided = _denied(one.args[0])
            before = f"with no {avoided} before it" if avoided else f"with {parts[0]} until then"
            return f"reach {last}{when}, {before}"
        case "R":
            return f"{last}{when}, up to and including the first {parts[0]}"
    return last  # true, false


def _denied(one: Formula) -> str:
    """What a negation denies; '' of anything else."""
    return _inside(one.args[0]) if one.op == "!" else ""


def _inside(one: Formula) -> str:
    simple = one.op == "name" or not one.args or (one.op == "!" and one.args[0].op == "name")
    return _words(one) if simple else f"({_words(one)})"


def _when(bounds: tuple[int, int] | None) -> str:
    if bounds is None:
        return ""
    first, last = bounds
    return f" within {last} steps" if first == 0 else f", from step {first} to {last}"
