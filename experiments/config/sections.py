"""The sections of a study: environment, certificate, sweep, evaluation, deployment, resources."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from sport_ray.certificates.sampling import AnytimeSampling, FixedSampling, Sampling
from sport_ray.constraints import CONSTRAINTS, Constraint, RatioConstraint, constraint_class
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import Point, checked_axes, points
from sport_ray.experiments.config.base import (
    METHODS,
    Alpha,
    Arguments,
    Horizon,
    Listed,
    Method,
    Name,
    Natural,
    NonNegative,
    Number,
    Positive,
    Probability,
    Section,
    Seed,
    Uri,
    leave_to_stages,
)
from sport_ray.experiments.config.limits import SMALLEST_LEVEL
from sport_ray.experiments.config.mistakes import shown
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.tracking.analysis.published import published_names


class Environment(Section):
    """A gymnasium id and keyword arguments; the horizon is the study's business.

    ``module:id`` imports the module that registers the id, in every process that needs it.
    copies: how many of it can exist at a time, over all processes (a simulator with one port); by
    default as many as help.
    """

    id: Name = POINT_REACH_AVOID
    kwargs: Arguments = Field(default_factory=lambda given: _default_kwargs(given.get("id")))
    copies: Positive | None = None

    @model_validator(mode="after")
    def _no_horizon(self) -> Environment:
        robot = ("reward", "end_on_violation", "margin") if self.id == POINT_REACH_AVOID else ()
        leave_to_stages(self.kwargs, "environment.kwargs", robot)
        return self


def _default_kwargs(env_id: str | None) -> dict[str, Any]:
    return {"layout": "fixed"} if env_id == POINT_REACH_AVOID else {}


class StopSection(Section):
    """Stop certifying once ε_base(horizon) ≤ target, or once that is hopeless (anytime-valid)."""

    horizon: Horizon
    target: Probability
    check_every: Positive = 1_000


class ChooseSection(Section):
    """Choose T for ε_max, and the base where several are named, on scenarios of their own.

    eps_max: 1 is the paper's level, where the bound says nothing any more: the largest α of use.
    bases: candidates beside the study's ``base``.
    """

    eps_max: Annotated[float, Number, Field(ge=SMALLEST_LEVEL, le=1.0)]
    num_scenarios: Positive = 10_000
    bases: Annotated[list[Name], Listed] = Field(default_factory=list)


class CertificateSection(Section):
    """How the base is certified: N scenarios, confidence 1 − β, every T up to max_horizon.

    With ``stop``, num_scenarios is the most that are run.
    """

    num_scenarios: Positive = 10_000
    beta: Probability = 1e-7
    max_horizon: Horizon = 100
    root_seed: Seed = 0
    stop: StopSection | None = None
    choose: ChooseSection | None = None

    @property
    def sampling(self) -> Sampling:
        """The rule by which scenarios are counted."""
        if self.stop is None:
            return FixedSampling(num_scenarios=self.num_scenarios)
        return AnytimeSampling(max_scenarios=self.num_scenarios, **self.stop.model_dump())

    @model_validator(mode="after")
    def _stop(self) -> CertificateSection:
        if self.stop is not None:
            if self.stop.horizon > self.max_horizon:
                raise ValueError(
                    f"stop.horizon ({self.stop.horizon}) is beyond max_horizon ({self.max_horizon})"
                )
            if self.num_scenarios % self.stop.check_every:
                raise ValueError(
                    f"num_scenarios ({self.num_scenarios}) must be a multiple of "
                    f"stop.check_every ({self.stop.check_every})"
                )
        return self


def require_constraint(name: str, which: str) -> type[Constraint]:
    """The constraint of that name, if anything is promised under it.

    Raises:
        ValueError: begins with ``which``, and ends with the remedy.
    """
    try:
        kind = constraint_class(name)
        if kind.promises():
            return kind
    except UserError as error:
        if ":" in name:
            raise ValueError(f"{which} cannot be used: {error}") from None
    possible = sorted(known for known, one in CONSTRAINTS.items() if one.promises())
    near = difflib.get_close_matches(name, possible, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(possible)}"
    raise ValueError(f"{which} is unknown; {hint}")


class SweepSection(Section):
    """The grid: constraints (α given, or derived from ε_max) × T × parameters × seeds × methods.

    constraints: kinds by name, "ratio" is the paper's; ``module:name`` imports the module that
    defines one, in every process that needs it. hyperparameters: training parameters by
    name, each a list or a distribution (experiments/config/axes.py); draws follow from
    hyperparameter_seed.
    """

    alphas: Annotated[list[Alpha], Listed] | None = None
    eps_max: Annotated[list[Probability], Listed] | None = None
    horizons: Annotated[list[Horizon], Listed, Field(min_length=1)] | None = None
    seeds: Annotated[list[Seed], Listed] = Field(default_factory=lambda: [0, 1, 2], min_length=1)
    methods: Annotated[list[Method], Listed] = Field(
        default_factory=lambda: list(METHODS), min_length=1
    )

    constraints: Annotated[list[str], Listed] = Field(
        default_factory=lambda: [RatioConstraint.name], min_length=1
    )
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    hyperparameter_seed: Seed = 0

    @field_validator("hyperparameters")
    @classmethod
    def _axes(cls, axes: dict[str, Any]) -> dict[str, Any]:
        return checked_axes(axes, sampled=True)

    @property
    def points(self) -> list[Point]:
        """The combinations of training parameters; one empty combination without any."""
        return points(self.hyperparameters, self.hyperparameter_seed)

    @model_validator(mode="after")
    def _known_constraints(self) -> SweepSection:
        for name in self.constraints:
            require_constraint(name, f"constraints holds {shown(name)}, which")
        return self

    @model_validator(mode="after")
    def _one_axis(self) -> SweepSection:
        if not self.alphas and not self.eps_max:
            raise ValueError("give alphas, or eps_max to derive them from the certificate")
        for name in ("alphas", "eps_max", "horizons", "seeds", "methods", "constraints"):
            values = getattr(self, name) or []
            seen: set[Any] = set()
            for value in values:
                if value in seen:
                    raise ValueError(f"{name} holds {shown(value)} twice")
                seen.add(value)
        return self


class EvaluationSection(Section):
    """Fresh scenarios of every cell's policy; β of the posterior bound.

    off_policy: scenarios of the *base* for a bound on each trained policy without running it
    (β of its own); 0 for none.
    """

    num_scenarios: Positive = 2_000
    beta: Probability = 1e-7
    root_seed: Seed = 1
    off_policy: Natural = 0


class GaussianLaw(Section):
    """A diagonal Gaussian; a standard deviation of 0 is a fixed value."""

    mean: Annotated[
        list[Annotated[float, Number, Field(allow_inf_nan=False)]], Listed, Field(min_length=1)
    ]
    std: Annotated[list[NonNegative], Listed]

    @model_validator(mode="after")
    def _same_size(self) -> GaussianLaw:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} entries, std {len(self.std)}")
        return self


class LawChange(Section):
    """A law in the base's world and at deployment."""

    base: GaussianLaw
    deployment: GaussianLaw

    @model_validator(mode="after")
    def _same_size(self) -> LawChange:
        if len(self.base.mean) != len(self.deployment.mean):
            raise ValueError("base and deployment are laws of different dimensions")
        return self


class DeploymentSection(Section):
    """The world in which policies will run, where it is not that of the certificate.

    kwargs: environment arguments that differ. alpha_mu, alpha_p: how large the density ratios of
    the initial laws and of the transition laws can be; or the Gaussian laws that they follow from
    (the point robot's follow from its arguments).
    """

    kwargs: Arguments = Field(default_factory=dict)
    alpha_mu: Alpha | None = None
    alpha_p: Alpha | None = None
    initial_state: LawChange | None = None
    process_noise: LawChange | None = None

    @model_validator(mode="after")
    def _no_horizon(self) -> DeploymentSection:
        leave_to_stages(self.kwargs, "deployment.kwargs")
        return self


class ResourcesSection(Section):
    """What one cell asks for; with GPUs (a share of one, or whole ones) the learner uses them.

    wait_for_nodes_seconds: how long a sweep waits for a node that can hold a cell before it is
    refused, for clusters that grow (an autoscaler) or are still starting.
    """

    cpus_per_cell: Positive = 1
    env_runners_per_cell: Natural = 0
    gpus_per_cell: NonNegative = 0.0
    wait_for_nodes_seconds: NonNegative = 0.0

    @field_validator("gpus_per_cell")
    @classmethod
    def _whole(cls, gpus: float) -> float:
        # One learner, which is one process: it cannot use a second GPU.
        if gpus > 1.0:
            raise ValueError(f"{gpus:g} GPUs for one learner: give at most 1, or a share of one")
        return gpus


class TrackingSection(Section):
    """Where MLflow records go (by default SQLite beside the results), and what to compare with.

    published: numbers read off a paper, which the report puts side by side with the study's.
    """

    uri: Uri | None = None
    published: str | None = None

    @field_validator("published")
    @classmethod
    def _known_table(cls, name: str | None) -> str | None:
        known = published_names()
        if name is not None and name not in known:
            raise ValueError(f"no published numbers of that name; known: {', '.join(known)}")
        return name
