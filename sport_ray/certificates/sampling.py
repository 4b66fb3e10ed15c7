"""How many scenarios a certificate rests on: fixed beforehand, or found by a stopping rule."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sport_ray.bounds.anytime import anytime_bound, anytime_lower_bound
from sport_ray.bounds.scenario import scenario_bound
from sport_ray.certificates.parts import Frozen

Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]


class FixedSampling(Frozen):
    """N scenarios, N fixed before the first; the bound is Clopper–Pearson's."""

    rule: Literal["fixed"] = "fixed"
    num_scenarios: Positive

    @property
    def planned(self) -> int:
        """Scenarios to run."""
        return self.num_scenarios

    def bound(self, num_scenarios: int, num_violations: int, beta: float) -> float:
        """Upper bound on the violation probability; fails with probability at most β."""
        return scenario_bound(num_scenarios, num_violations, beta)

    def allows(self, num_scenarios: int) -> bool:
        """Whether a certificate may rest on this many scenarios."""
        return num_scenarios == self.num_scenarios


class AnytimeSampling(Frozen):
    """At most ``max_scenarios``, looked at after every ``check_every`` of them, in order of index.

    Stops once the bound at ``horizon`` is at most ``target`` (good enough) or the lower confidence
    limit is above it (hopeless). The bounds hold at all looks together (a confidence sequence),
    so stopping, for whatever reason, costs no confidence.
    """

    rule: Literal["anytime"] = "anytime"
    max_scenarios: Positive
    horizon: Positive
    target: Probability
    check_every: Positive = 1_000

    @model_validator(mode="after")
    def _whole_looks(self) -> AnytimeSampling:
        if self.max_scenarios % self.check_every:
            raise ValueError(
                f"max_scenarios ({self.max_scenarios}) must be a multiple of {self.check_every}"
            )
        return self

    @property
    def planned(self) -> int:
        """Scenarios to run at most."""
        return self.max_scenarios

    def bound(self, num_scenarios: int, num_violations: int, beta: float) -> float:
        """Upper bound on the violation probability, at every look at once."""
        return anytime_bound(num_scenarios, num_violations, beta)

    def allows(self, num_scenarios: int) -> bool:
        """Whether a certificate may rest on this many scenarios."""
        return num_scenarios <= self.max_scenarios and num_scenarios % self.check_every == 0

    def verdict(
        self, num_scenarios: int, num_violations: int, beta: float
    ) -> Literal["good enough", "hopeless", "go on"]:
        """What to do after a look.

        The upper and the lower limit are each at level β; only the upper one is a promise.
        """
        if self.bound(num_scenarios, num_violations, beta) <= self.target:
            return "good enough"
        if anytime_lower_bound(num_scenarios, num_violations, beta) > self.target:
            return "hopeless"
        return "go on"


Sampling = Annotated[FixedSampling | AnytimeSampling, Field(discriminator="rule")]
