"""The base certificate: ε_base(T) for every T from one table of outcomes."""

from __future__ import annotations

import builtins
import math
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sport_ray.bounds import scenario_bound
from sport_ray.canonical import canonical_json, digest
from sport_ray.errors import UserError
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan

Schema = Literal["sport-ray/certificate/1"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Counts(_Frozen):
    """What became of the scenarios; there is no certificate unless finished = planned."""

    planned: int
    started: int
    finished: int
    aborted: int

    @model_validator(mode="after")
    def _complete(self) -> Counts:
        if not self.finished == self.started == self.planned or self.aborted:
            raise ValueError(
                f"{self.finished} of {self.planned} planned scenarios finished "
                f"({self.aborted} aborted): an incomplete set certifies nothing"
            )
        return self


class BoundTable(_Frozen):
    """ε_base(T) for T = 1 … T_max; lists of equal length.

    eps_base: scenario bound at confidence 1 − β, for a T that was chosen beforehand.
    eps_base_simultaneous: scenario bounds at β / T_max each, so that all of them hold together
        with confidence 1 − β (Bonferroni): valid for a T chosen by looking at this table.
    """

    horizon: list[int]
    num_violations: list[int]
    eps_base: list[float]
    eps_base_simultaneous: list[float]

    def columns(self) -> tuple[list[int], list[int], list[float], list[float]]:
        """Horizon, number of violations and the two bounds."""
        return (self.horizon, self.num_violations, self.eps_base, self.eps_base_simultaneous)

    @model_validator(mode="after")
    def _rectangular(self) -> BoundTable:
        if self.horizon != list(range(1, len(self.horizon) + 1)) or any(
            len(column) != len(self.horizon) for column in self.columns()
        ):
            raise ValueError(
                "the table must hold every horizon from 1 on, in columns of one length"
            )
        return self


class Certificate(_Frozen):
    """A bound on the base policy's violation probability, with all that it depends on."""

    schema_name: Schema = Field(default="sport-ray/certificate/1", alias="schema")
    base_digest: str
    env_id: str
    env_kwargs: dict[str, Any]
    property: str
    num_scenarios: int = Field(ge=1)
    beta: float = Field(gt=0.0, lt=1.0)
    root_seed: int = Field(ge=0)
    max_horizon: int = Field(ge=1)
    counts: Counts
    table: BoundTable
    mean_steps_to_goal: float | None
    std_steps_to_goal: float | None
    outcomes_digest: str
    versions: dict[str, str]

    @model_validator(mode="after")
    def _consistent(self) -> Certificate:
        """Every bound follows from the counts beside it; a table typed in by hand does not."""
        if self.counts.planned != self.num_scenarios:
            raise ValueError(
                f"num_scenarios is {self.num_scenarios} but {self.counts.planned} were planned"
            )
        if len(self.table.horizon) != self.max_horizon:
            raise ValueError(
                f"the table has {len(self.table.horizon)} horizons, max_horizon is "
                f"{self.max_horizon}"
            )
        if any(after > before for before, after in pairwise(self.table.num_violations)):
            raise ValueError("num_violations must not increase with the horizon")
        each = self.beta / self.max_horizon
        for horizon, k, pointwise, simultaneous in zip(*self.table.columns(), strict=True):
            for stored, beta in ((pointwise, self.beta), (simultaneous, each)):
                # Another version of the library may round otherwise, by far less than this.
                expected = scenario_bound(self.num_scenarios, k, beta)
                if not math.isclose(stored, expected, rel_tol=1e-6):
                    raise ValueError(
                        f"the bound at horizon {horizon} is {stored}, but {k} violations in "
                        f"{self.num_scenarios} scenarios give {expected}"
                    )
        return self

    def body(self) -> dict[str, Any]:
        """All fields but the digest, as JSON values."""
        return self.model_dump(mode="json", by_alias=True)

    @builtins.property  # a field has that name
    def digest(self) -> str:
        """sha256 over everything above."""
        return digest(self.body())

    def eps_base(self, horizon: int) -> float:
        """Bound on the violation probability within T steps, for all T at once (1 − β).

        Raises:
            UserError: a horizon that the certificate does not cover.
        """
        if not 1 <= horizon <= self.max_horizon:
            raise UserError(
                f"horizon {horizon} is not covered by the certificate (1 … {self.max_horizon}): "
                "certify with a larger max_horizon"
            )
        return self.table.eps_base_simultaneous[horizon - 1]

    def require_match(
        self, *, base_digest: str, env_id: str, env_kwargs: dict[str, Any], property_: str
    ) -> None:
        """Refuse to stand for another base policy, environment or property.

        Raises:
            UserError: naming what differs.
        """
        for name, mine, wanted in (
            ("base policy", self.base_digest, base_digest),
            ("environment", self.env_id, env_id),
            ("environment arguments", self.env_kwargs, env_kwargs),
            ("property", self.property, property_),
        ):
            # As JSON: (1, 2) is [1, 2] once it is written, but True is not 1.
            if canonical_json(mine) != canonical_json(wanted):
                raise UserError(
                    f"the certificate is for another {name}: it says {mine!r}, "
                    f"the study {wanted!r}; run `sport-ray certify` for this study"
                )

    def require_settings(
        self, *, num_scenarios: int, beta: float, max_horizon: int, root_seed: int
    ) -> None:
        """Refuse to stand for a study that asks for other N, β, T_max or seed.

        Raises:
            UserError: naming what differs.
        """
        wanted = {
            "num_scenarios": num_scenarios,
            "beta": beta,
            "max_horizon": max_horizon,
            "root_seed": root_seed,
        }
        for name, value in wanted.items():
            if getattr(self, name) != value:
                raise UserError(
                    f"the certificate was made with {name} = {getattr(self, name)}, the study "
                    f"says {value}: run `sport-ray certify` again or choose another --results"
                )


def build_certificate(
    plan: ScenarioPlan,
    outcomes: Outcomes,
    *,
    planned: int,
    beta: float,
    base_digest: str,
    versions: dict[str, str],
) -> Certificate:
    """Turn a complete table of base outcomes into a certificate.

    Raises:
        ValueError: an incomplete table, scenarios other than 0 … planned − 1, or scenarios that
            were run for another purpose (their seeds may have been looked at before).
    """
    if plan.purpose != "certify":
        raise ValueError(f"plan must have the purpose 'certify', got {plan.purpose!r}")
    if not np.array_equal(outcomes.index, np.arange(planned)):
        raise ValueError(
            f"{outcomes.num_scenarios} of {planned} planned scenarios are there: "
            "an incomplete set certifies nothing"
        )
    horizons = list(range(1, plan.horizon + 1))
    violations = [outcomes.num_violations(horizon) for horizon in horizons]
    steps = outcomes.satisfied_at[outcomes.satisfied_by(plan.horizon)]
    columns = {name: values.tolist() for name, values in outcomes.to_arrays().items()}
    return Certificate(
        base_digest=base_digest,
        env_id=plan.env_id,
        env_kwargs=plan.env_kwargs,
        property=plan.property,
        num_scenarios=planned,
        beta=beta,
        root_seed=plan.root_seed,
        max_horizon=plan.horizon,
        counts=Counts(planned=planned, started=planned, finished=outcomes.num_scenarios, aborted=0),
        table=BoundTable(
            horizon=horizons,
            num_violations=violations,
            eps_base=[scenario_bound(planned, k, beta) for k in violations],
            eps_base_simultaneous=[
                scenario_bound(planned, k, beta / len(horizons)) for k in violations
            ],
        ),
        mean_steps_to_goal=float(steps.mean()) if steps.size else None,
        std_steps_to_goal=float(steps.std()) if steps.size else None,
        outcomes_digest=digest(columns),
        versions=versions,
    )
