"""Training parameters that are an axis of a sweep, as records have them: 'gamma=0.9, lr=0.0001'."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd


def parameters_of(text: Any) -> dict[str, str]:
    """Values by name; empty where there are none.

    >>> parameters_of("gamma=0.9, lr=0.0001")
    {'gamma': '0.9', 'lr': '0.0001'}
    """
    if text is None or pd.isna(text) or not text:
        return {}
    pairs = (part.partition("=") for part in str(text).split(", "))
    return {name: value for name, _, value in pairs}


def order_of(text: Any) -> list[tuple[str, float, str]]:
    """What settings are sorted by: the names, then the values as numbers where they are numbers.

    >>> sorted(["lr=0.0001", "lr=5e-05"], key=order_of)
    ['lr=5e-05', 'lr=0.0001']
    """
    return [(name, _number(value), value) for name, value in parameters_of(text).items()]


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


class Part(NamedTuple):
    """The settings that one panel of a figure over α shows: one T, one choice of parameters."""

    horizon: int
    parameters: str

    @property
    def title(self) -> str:
        """'T = 21 steps', with the parameters where there are any."""
        return ", ".join(filter(None, [f"T = {self.horizon} steps", self.parameters]))

    @property
    def suffix(self) -> str:
        """What is added to a name to tell parts with other parameters apart; "" without any."""
        return f", {self.parameters}" if self.parameters else ""

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of the part, and of policies that have only some of its parameters.

        A policy that is trained without a bound has no parameter of the projection: it stands
        beside all that differ in such a one.
        """
        wanted = parameters_of(self.parameters).items()
        alike = texts_of(table).map(lambda text: parameters_of(text).items() <= wanted)
        return table[(table["horizon"] == self.horizon) & alike.astype(bool)]


def parts_of(table: pd.DataFrame) -> list[Part]:
    """The parts of a table of cells or settings, by T and then by parameters."""
    pairs = set(zip(table["horizon"].astype(int), texts_of(table), strict=True))
    parts = [Part(horizon, text) for horizon, text in pairs]
    whole = [
        one
        for one in parts
        if not any(
            one.horizon == other.horizon
            and parameters_of(one.parameters).items() < parameters_of(other.parameters).items()
            for other in parts
        )
    ]
    return sorted(whole, key=lambda part: (part.horizon, order_of(part.parameters)))


def texts_of(table: pd.DataFrame) -> pd.Series:
    """The parameters of each row, "" where there are none."""
    return table["hyperparameters"].astype(object).where(table["hyperparameters"].notna(), "")
