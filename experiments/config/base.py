"""What the sections of a study have in common: their base class, and the kinds of values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from sport_ray.experiments.config.limits import (
    LARGEST_COUNT,
    LARGEST_SEED,
    LONGEST_HORIZON,
    SMALLEST_LEVEL,
)
from sport_ray.experiments.config.mistakes import place, shown
from sport_ray.experiments.config.paths import expanded_uri


def whole(value: Any) -> Any:
    """``1e6``, a million, where a whole number is wanted, and numpy's integers; else as it is."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "expected a whole number, not a truth value")
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = real(value)
        if abs(number) <= 2.0**53 and number.is_integer():
            return int(number)
    quotes = ", without quotes" if isinstance(value, str) else ""
    raise PydanticCustomError("number", f"expected a whole number{quotes}")


def real(value: Any) -> Any:
    """A number as a float, −0 as 0; no text and no truth value."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "expected a number, not a truth value")
    if not isinstance(value, Real):
        quotes = ", without quotes" if isinstance(value, str) else ""
        raise PydanticCustomError("number", f"expected a number{quotes}")
    try:
        return float(value) + 0.0
    except OverflowError:
        raise PydanticCustomError("number", "too large for a number of 64 bits") from None


def _listed(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, list):
        raise PydanticCustomError("list", "expected a list: write it in [ ]")
    return value


def plain(value: Any, at: str = "") -> Any:
    """A value as JSON has it: numpy's scalars and arrays, tuples and mappings made plain.

    Raises:
        ValueError: what JSON cannot hold, or not as the same value: a key that is no text, a
            number that is not finite, an object; and what is nested too deep.
    """
    where = f"{place(at[1:])} = " if at else ""
    if at.count(".") > 64:
        raise ValueError("nested too deep")
    if hasattr(value, "tolist"):  # numpy's
        value = value.tolist()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        if not math.isfinite(value):
            raise ValueError(f"{where}{value!r}: expected a finite number")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(one, f"{at}.{index}") for index, one in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"the key {shown(key)} is no text: put it in quotes")
        return {key: plain(one, f"{at}.{key}") for key, one in value.items()}
    raise ValueError(
        f"{where}{shown(value)}: expected a number, text, true, false, a list or a mapping"
    )


def _keywords(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise PydanticCustomError("mapping", "expected a mapping of names and values")
    return plain(value)


def _arguments(value: Any) -> Any:
    arguments = _keywords(value)
    leave_to_stages(arguments, ("horizon", "max_episode_steps"))
    return arguments


def leave_to_stages(arguments: dict[str, Any], names: tuple[str, ...]) -> None:
    """Refuse environment arguments that the stages set themselves.

    Raises:
        ValueError: one of them is given.
    """
    for name in names:
        if name in arguments:
            raise ValueError(f"{name} is set by the stages: remove it")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{shown(text)} holds characters that cannot be printed: remove them")
    return text


Whole = BeforeValidator(whole)
Number = BeforeValidator(real)
Listed = BeforeValidator(_listed)

Probability = Annotated[float, Number, Field(ge=SMALLEST_LEVEL, lt=1.0)]
"""β, ε and shares."""
Positive = Annotated[int, Whole, Field(ge=1, le=LARGEST_COUNT)]
Natural = Annotated[int, Whole, Field(ge=0, le=LARGEST_COUNT)]
Steps = Annotated[int, Whole, Field(ge=1, le=10**12)]
Horizon = Annotated[int, Whole, Field(ge=1, le=LONGEST_HORIZON)]
Seed = Annotated[int, Whole, Field(ge=0, le=LARGEST_SEED)]
Alpha = Annotated[float, Number, Field(ge=1.0, allow_inf_nan=False)]
Rate = Annotated[float, Number, Field(gt=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Number, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Number, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_printable)]
"""Of something that is looked for: a folder, an environment."""
Uri = Annotated[Name, AfterValidator(expanded_uri)]
Arguments = Annotated[dict[str, Any], BeforeValidator(_arguments)]
"""Keyword arguments of an environment, as JSON has them."""
Keywords = Annotated[dict[str, Any], BeforeValidator(_keywords)]
"""Keyword arguments of something else, as JSON has them."""
Engine = Literal["auto", "cohort", "single"]
Method = Literal["projected_ppo", "projected_at_deployment"]
METHODS: tuple[Method, ...] = ("projected_ppo", "projected_at_deployment")


class Section(BaseModel):
    """A section of a study: nothing unknown, nothing changed later, no value taken for another.

    What each key means stands under it, for whoever reads the class and for docs/studies.md. That
    of a number ends with its unit in brackets, such as [steps]; [1] for a pure number.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )
