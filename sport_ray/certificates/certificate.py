"""The base certificate: ε_base(T) for every T from one table of outcomes."""

from __future__ import annotations

import builtins
import math
from typing import Any, Literal

from pydantic import Field, model_validator

from sport_ray.canonical import canonical_json, digest
from sport_ray.certificates.choice import Choice
from sport_ray.certificates.parts import BoundTable, Counts, Frozen, OutcomeTable
from sport_ray.certificates.sampling import Sampling
from sport_ray.certificates.view import MADE_WITH, PROOFS, RESTS_ON, SHOWN, THEOREMS, arguments_text
from sport_ray.constraints.evidence import Evidence
from sport_ray.errors import UserError
from sport_ray.view import Table, View, at_least, at_most

Schema = Literal["sport-ray/certificate/2"]


class Certificate(Frozen):
    """A bound on the base policy's violation probability, with all that it depends on."""

    schema_name: Schema = Field(default="sport-ray/certificate/2", alias="schema")
    base_digest: str
    env_id: str
    env_kwargs: dict[str, Any]
    property: str
    sampling: Sampling
    num_scenarios: int = Field(ge=1)
    beta: float = Field(gt=0.0, lt=1.0)
    root_seed: int = Field(ge=0)
    max_horizon: int = Field(ge=1)
    choice: Choice | None = None
    counts: Counts
    table: BoundTable
    mean_steps_to_goal: float | None
    std_steps_to_goal: float | None
    outcomes: OutcomeTable
    versions: dict[str, str]
    code: dict[str, str]

    @model_validator(mode="after")
    def _consistent(self) -> Certificate:
        """Every bound follows from the counts beside it; a table typed in by hand does not."""
        if self.counts.planned != self.num_scenarios:
            raise ValueError(
                f"num_scenarios is {self.num_scenarios} but {self.counts.planned} were planned"
            )
        if not self.sampling.allows(self.num_scenarios):
            raise ValueError(
                f"num_scenarios is {self.num_scenarios}, which the sampling rule does not allow: "
                f"{self.sampling.model_dump_json()}"
            )
        if len(self.table.horizon) != self.max_horizon:
            raise ValueError(
                f"the table has {len(self.table.horizon)} horizons, max_horizon is "
                f"{self.max_horizon}"
            )
        if self.choice is not None and (
            self.choice.base_digest != self.base_digest or self.choice.horizon > self.max_horizon
        ):
            raise ValueError("the choice is of another base policy, or of a horizon not covered")
        each = self.beta / self.max_horizon
        for horizon, k in zip(self.table.horizon, self.table.num_violations, strict=True):
            pointwise = self.table.eps_base[horizon - 1]
            simultaneous = self.table.eps_base_simultaneous[horizon - 1]
            if not 0 <= self.table.num_settled[horizon - 1] <= k:
                raise ValueError(
                    f"at horizon {horizon} the table has more violations settled than {k} in all"
                )
            for stored, beta in ((pointwise, self.beta), (simultaneous, each)):
                # Another version of the library may round otherwise, by far less than this.
                expected = self.sampling.bound(self.num_scenarios, k, beta)
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

    def view(self) -> View:
        """What it says, as text and HTML: claim, theorem, confidence and assumptions."""
        rule, choice = self.sampling.rule, self.choice
        if choice is None:
            horizons = [one for one in SHOWN if one < self.max_horizon]
            horizons = [one for one in horizons if self.eps_base(one) < 1.0]
            horizons.append(self.max_horizon)
            which = f"every T from 1 to {self.max_horizon} at once"
            shared = "β is shared among all T"
        else:
            horizons = [choice.horizon]
            which = f"the T = {choice.horizon} that was chosen on other scenarios"
            shared = "at β itself, for one T"
        sentence = (
            f"With confidence 1 − {self.beta:g}: P(one episode of the base policy violates "
            f"{self.property!r} within T steps) ≤ ε_base(T), for {which}."
        )
        rows = [
            (
                str(one),
                f"{self.table.num_violations[one - 1]:,} of {self.num_scenarios:,}",
                at_most(self.eps_base(one)),
                at_least(self.eps_base(one) ** (-1.0 / one)),
            )
            for one in horizons
        ]
        versions = ", ".join(f"{name} {self.versions[name]}" for name in MADE_WITH
                             if name in self.versions)  # fmt: skip
        return View(
            title="Certificate of a base policy",
            sentences=(sentence,),
            table=Table(
                ("T, steps", "violations", "ε_base(T)", "largest α with ε_base·α^T ≤ 1"), rows
            ),
            facts=(
                ("theorem", f"{THEOREMS[rule]}; {shared} ({PROOFS[rule]})"),
                ("confidence", f"1 − β, β = {self.beta:g}"),
                ("property", self.property),
                ("environment", f"{self.env_id} {arguments_text(self.env_kwargs)}"),
                ("scenarios", f"{self.num_scenarios:,}, root seed {self.root_seed}"),
                ("base policy", self.base_digest),
                ("certificate", self.digest),
                *([("made with", versions)] if versions else []),
            ),
            assumptions=RESTS_ON,
        )

    def _repr_html_(self) -> str:
        return self.view().html()

    def eps_base(self, horizon: int) -> float:
        """Bound on the violation probability within T steps; fails with probability at most β.

        Without a choice: valid for all T at once (each at β / T_max), so T may be chosen by
        looking at them. With one: at β itself, and for the chosen T alone.

        Raises:
            UserError: a horizon that the certificate does not cover.
        """
        if not 1 <= horizon <= self.max_horizon:
            raise UserError(
                f"horizon {horizon} is not covered by the certificate (1 … {self.max_horizon}): "
                "certify with a larger max_horizon"
            )
        if self.choice is None:
            return self.table.eps_base_simultaneous[horizon - 1]
        if horizon != self.choice.horizon:
            raise UserError(
                f"horizon {horizon} is not covered by the certificate, which was made for the "
                f"chosen horizon {self.choice.horizon} alone: certify without certificate.choose"
            )
        return self.table.eps_base[horizon - 1]

    def evidence(self, horizon: int) -> Evidence:
        """What constraints need to know of the base at one horizon.

        Raises:
            UserError: a horizon that the certificate does not cover.
        """
        eps_base = self.eps_base(horizon)
        running = [self.num_scenarios, *self.table.num_running[: horizon - 1]]
        left = [sum(running[t:]) / running[t] if running[t] else 1.0 for t in range(horizon)]
        return Evidence(
            horizon=horizon,
            eps_base=eps_base,
            beta=self.beta if self.choice else self.beta / self.max_horizon,
            num_scenarios=self.num_scenarios,
            num_violations=self.table.num_violations[horizon - 1],
            settled=tuple(self.table.num_settled[:horizon]),
            fixed_number=self.sampling.rule == "fixed",
            steps_left=tuple(left),
        )

    def require_match(
        self,
        *,
        base_digest: str,
        env_id: str,
        env_kwargs: dict[str, Any],
        property_: str,
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
        self,
        *,
        sampling: Sampling,
        beta: float,
        max_horizon: int,
        root_seed: int,
        choice: Choice | None,
    ) -> None:
        """Refuse to stand for a study that asks for another sampling, β, T_max, seed or choice.

        Raises:
            UserError: naming what differs.
        """
        wanted = {
            "sampling": sampling,
            "beta": beta,
            "max_horizon": max_horizon,
            "root_seed": root_seed,
            "choice": choice,
        }
        for name, value in wanted.items():
            mine = getattr(self, name)
            if mine != value:
                raise UserError(
                    f"the certificate was made with {name} = {mine}, the study says {value}: run "
                    "`sport-ray certify` again or choose another --results"
                )
