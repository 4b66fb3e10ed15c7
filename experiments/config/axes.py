"""Training parameters as an axis of the sweep, and as what tuning searches: values and draws.

An axis is a list of values, or a distribution under Tune's names:

    {uniform: [0.9, 0.99]}, {loguniform: [1e-5, 1e-3]}, {randint: [2, 9]}, {lograndint: [16, 257]}

whole numbers without the upper end, as in numpy and Tune. In a sweep a distribution also says how
many ``samples`` are drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from sport_ray.experiments.config.base import real, whole
from sport_ray.experiments.config.mistakes import did_you_mean, reason, require_different, shown
from sport_ray.experiments.config.training import PPOSection, TrainingSection

Value = bool | float | int | str
Point = tuple[tuple[str, Value], ...]
"""Values by name, sorted by name; empty where nothing is varied."""
KINDS = {
    "uniform": "Lowest and highest value; drawn with equal density between them.",
    "loguniform": "The same with the density of the logarithm.",
    "randint": "Whole numbers from the first up to, and without, the second, each as likely.",
    "lograndint": "The same, as likely as their share of the logarithm.",
}
"""Distributions, and what the two numbers of each are."""
SAMPLES = "How many different values are drawn; in a sweep, where it is required."
MOST_POINTS = 10_000
"""Combinations of training parameters in a study."""
DIGITS = 4
"""Significant digits of a value that is drawn: it is read by people, and the same everywhere."""

SectionT = TypeVar("SectionT", bound=PPOSection)


def checked_axes(axes: Mapping[str, Any], *, sampled: bool) -> dict[str, Any]:
    """The axes in their normal form: values as the training section takes them.

    Args:
        sampled: whether a distribution must say how many samples are drawn (a sweep), or must
            not (tuning, which has a number of trials).

    Raises:
        ValueError: one line that names the parameter, what is wrong with it and the remedy.
    """
    return {name: _checked_axis(name, axis, sampled) for name, axis in axes.items()}


def _checked_axis(name: str, axis: Any, sampled: bool) -> Any:
    known = list(TrainingSection.model_fields)
    if name not in known:
        raise ValueError(f"{name!r} is no training parameter; {did_you_mean(name, known)}")
    if isinstance(axis, list):
        values = [_checked_value(name, value) for value in axis]
        if not values:
            raise ValueError(f"{name} has no values: give at least one, or remove it")
        require_different(values, name)
        return values
    given = [key for key in axis if key in KINDS] if isinstance(axis, dict) else []
    expected = {*given, "samples"} if sampled else set(given)
    if len(given) != 1 or not isinstance(axis, dict) or set(axis) != expected:
        example = "{uniform: [low, high], samples: 3}" if sampled else "{uniform: [low, high]}"
        raise ValueError(
            f"{name} = {shown(axis)}: give a list of values, or one of {', '.join(KINDS)}, "
            f"such as {example}"
        )
    kind = given[0]
    checked: dict[str, Any] = {kind: _checked_range(name, kind, axis[kind])}
    if sampled:
        checked["samples"] = _checked_samples(name, kind, checked[kind], axis["samples"])
    return checked


def _checked_value(name: str, value: Any) -> Value:
    """A value as the section holds it."""
    field = TrainingSection.model_fields[name]
    try:
        # mypy cannot follow a type that is known at run time alone.
        adapter = TypeAdapter(Annotated[field.annotation, field])  # type: ignore
        # Strict where no validator of ours stands before: 'no' is no truth value, nor is 0.
        found: Value = adapter.validate_python(value, strict=field.annotation is bool)
    except ValidationError as error:
        raise ValueError(f"{name} = {shown(value)}: {reason(error)}") from None
    return found


def _checked_range(name: str, kind: str, ends: Any) -> list[Value]:
    integral = TrainingSection.model_fields[name].annotation is int
    if kind in ("uniform", "loguniform") and integral:
        raise ValueError(f"{name} is a whole number: use randint or lograndint for {kind}")
    if TrainingSection.model_fields[name].annotation not in (int, float):
        raise ValueError(f"{name} is no number: give a list of values")
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        raise ValueError(f"{name}: {kind} = {shown(ends)}: expected [low, high]")
    try:
        low, high = map(whole if "randint" in kind else real, ends)
    except ValueError:
        raise ValueError(f"{name}: {kind} = {shown(ends)}: expected two numbers") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"{name}: {kind} = {shown(ends)}: the first number must be the smaller one"
        )
    if kind.startswith("log") and low <= 0:
        raise ValueError(f"{name}: {kind} = {shown(ends)}: a logarithm needs numbers above 0")
    for end in (low, high - 1 if "randint" in kind else high):
        _checked_value(name, end)
    return [low, high]


def _checked_samples(name: str, kind: str, ends: list[Any], samples: Any) -> int:
    try:
        number = int(whole(samples))
    except ValueError:
        number = 0
    if not 1 <= number <= MOST_POINTS:
        raise ValueError(
            f"{name}: samples = {shown(samples)}: expected a whole number of at least 1, and at "
            f"most {MOST_POINTS}"
        )
    if "randint" in kind and number > ends[1] - ends[0]:
        raise ValueError(
            f"{name}: samples = {number}, but {kind} = {ends} has only {ends[1] - ends[0]} values"
        )
    return number


def drawn(seed: int, name: str, axis: Any) -> Iterator[Value]:
    """Independent draws of a parameter from its axis, without end; from a list: its entries.

    They depend on the seed, the parameter's name and the axis alone: not on other parameters, nor
    on how many are taken, so taking more only adds to them.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))
    while True:
        share = float(generator.random())
        if isinstance(axis, list):
            yield axis[int(share * len(axis))]
            continue
        kind, low, high = ends(axis)
        if kind.startswith("log"):
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        yield tidy(name, axis, math.floor(value) if "randint" in kind else value)


def ends(axis: dict[str, Any]) -> tuple[str, Any, Any]:
    """A distribution's kind, and its ends."""
    [(kind, (low, high))] = [(key, axis[key]) for key in KINDS if key in axis]
    return kind, low, high


def tidy(name: str, axis: Any, value: Any) -> Value:
    """A value that was drawn, as it is used: of few digits, in its range, of the right type."""
    if isinstance(axis, list):
        listed: Value = axis[axis.index(value)]
        return listed
    kind, low, high = ends(axis)
    if "randint" in kind:
        return _checked_value(name, min(max(int(value), low), high - 1))
    found: Value = min(max(float(f"{value:.{DIGITS}g}"), low), high)
    return found


def axis_values(seed: int, name: str, axis: Any) -> list[Value]:
    """The values of an axis of the sweep: the list, or as many different draws as it asks for.

    Raises:
        ValueError: a distribution so narrow that it has not so many different values.
    """
    if isinstance(axis, list):
        return list(axis)
    found: dict[Value, None] = {}
    for value in itertools.islice(drawn(seed, name, axis), 10_000 + 100 * axis["samples"]):
        found.setdefault(value)
        if len(found) == axis["samples"]:
            return list(found)
    raise ValueError(
        f"{name}: its distribution has fewer than {axis['samples']} values of {DIGITS} digits: "
        "widen it, or lower samples"
    )


def points(axes: Mapping[str, Any], seed: int) -> list[Point]:
    """All combinations of the axes' values; one empty point without axes.

    Raises:
        ValueError: too many.
    """
    names = sorted(axes)
    lengths = [len(axis) if isinstance(axis, list) else axis["samples"] for axis in axes.values()]
    if math.prod(lengths) > MOST_POINTS:
        raise ValueError(
            f"hyperparameters have {math.prod(lengths)} combinations, and at most {MOST_POINTS} "
            "are taken: remove some"
        )
    values = [axis_values(seed, name, axes[name]) for name in names]
    return [tuple(zip(names, chosen, strict=True)) for chosen in itertools.product(*values)]


def restricted(point: Point, names: set[str]) -> Point:
    """The point without the parameters that are not among ``names``."""
    return tuple((name, value) for name, value in point if name in names)


def with_values(section: SectionT, point: Point) -> SectionT:
    """The training section with a point's values instead of its own.

    Raises:
        ValueError: values that the section refuses, one line.
    """
    if not point:
        return section
    try:
        return type(section).model_validate({**section.model_dump(), **dict(point)})
    except ValidationError as error:
        raise ValueError(f"at {point_text(point)}: {reason(error)}") from None


def point_text(point: Point) -> str:
    """The canonical text of a point, which tells settings apart in tables.

    >>> point_text((("gamma", 0.9), ("lr", 0.0001), ("num_epochs", 4)))
    'gamma=0.9, lr=0.0001, num_epochs=4'
    """
    return ", ".join(f"{name}={value}" for name, value in point)
