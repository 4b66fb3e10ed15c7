"""What a study's policies are compared by, beside their risk: time to goal, or return.

A property like ``G !fast`` is settled as satisfied by no step, so there is no time to speak of;
the mean undiscounted return then takes its place. Which one is decided here, once per study, and
whatever shows results asks for the columns, the direction and the words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sport_ray.tracking.results.kinds import is_reference
from sport_ray.tracking.results.labels import steps_text


@dataclass(frozen=True)
class Performance:
    """A measure of performance: its columns in an aggregated table, its direction, its words.

    mean: the column of the mean over seeds; stem: what the others begin with (`column`), and their
    heading; spread: the column that is drawn as a band of ± band_factor around the mean.
    sign: 1 where less is better, −1 where more is.
    across_horizons: whether values at different T may be compared. A return sums over T steps.
    """

    stem: str
    mean: str
    spread: str
    band_factor: float
    sign: int
    across_horizons: bool
    figure: str
    question: str
    name: str
    axis: str
    short: str
    better: str
    gain: str
    value_is: str
    to_beat: str
    comes_to: str
    band: str
    over: str
    left_out: str
    front_note: str

    def column(self, part: str) -> str:
        """A column of `aggregate` beside the mean: low, high, interval, standard_error."""
        return f"{self.stem}_{part}"

    def cost(self, values: object) -> np.ndarray:
        """The values with the sign that makes less better."""
        return self.sign * np.asarray(values, dtype=np.float64)

    def text(self, value: float | None) -> str:
        """A value as people read it; '–' where there is none."""
        if self.sign < 0 and value is not None and 1e-9 < abs(value) < 1:
            return f"{value:.3g}"
        return steps_text(value)

    def unconstrained(self, settings: pd.DataFrame) -> float:
        """The best setting of PPO without a bound in an aggregated table; NaN without any.

        Measured as every other policy is: its time to goal is that of the episodes that satisfied
        the property, often few of them (``task_steps`` are over all episodes, hazard ignored).
        """
        values = settings[is_reference(settings)][self.mean].astype(float)
        return self.sign * float((self.sign * values).min()) if values.notna().any() else np.nan


STEPS = Performance(
    stem="steps",
    mean="mean_steps_to_goal",
    spread="std_steps_to_goal",
    band_factor=1.0,
    sign=1,
    across_horizons=True,
    figure="steps_to_goal",
    question="How much faster does the task get for each level of certified risk?",
    name="time to goal",
    axis="mean steps to goal",
    short="steps to goal",
    better="faster",
    gain="steps saved",
    value_is="reaches the goal in {} steps",
    to_beat="reach the goal faster than the base policy",
    comes_to="takes {} steps",
    band=(
        "± one standard deviation over scenarios (the spread of episodes, not an interval of the "
        "mean)"
    ),
    over="successful scenarios",
    left_out=" Scenarios that fail are not in the mean: read it with the risk.",
    front_note=(
        "Steps are means over scenarios that reach the goal. The front runs over methods, "
        "constraints and T: a smaller T promises an earlier arrival."
    ),
)

RETURN = Performance(
    stem="return",
    mean="mean_return",
    spread="return_standard_error",
    band_factor=2.0,
    sign=-1,
    across_horizons=False,
    figure="mean_return",
    question="How much more return does each level of certified risk buy?",
    name="return",
    axis="mean return",
    short="mean return",
    better="better",
    gain="return gained",
    value_is="has a mean return of {}",
    to_beat="have a higher return than the base policy",
    comes_to="has {}",
    band="± two standard errors over scenarios, seeds taken as given",
    over="evaluation scenarios",
    left_out=" Scenarios that violate the property are in the mean: read it with the risk.",
    front_note=(
        "Returns are means over all evaluation scenarios, undiscounted. The front runs over "
        "methods and constraints, for each T by itself: returns over different T are different "
        "sums."
    ),
)


def performance_of(table: pd.DataFrame) -> Performance:
    """What a study is compared by, from its whole results table or the `aggregate` of it.

    Time to goal, unless no cell has one and some has a return.
    """
    if table["mean_steps_to_goal"].notna().any() or table["mean_return"].isna().all():
        return STEPS
    return RETURN
