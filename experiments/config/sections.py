"""The sections of a study: environment, certificate, sweep, evaluation, deployment, resources."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

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
    Rate,
    Section,
    Seed,
    Uri,
    leave_to_stages,
)
from sport_ray.experiments.config.choose_limits import (
    ChooseLimits,
    ChooseLimitsByName,
    ConstraintsOf,
    FromBaseScenarios,
)
from sport_ray.experiments.config.limits import SMALLEST_LEVEL
from sport_ray.experiments.config.mistakes import did_you_mean, require_different, shown
from sport_ray.plugins import CONSTRAINTS as PLUGINS
from sport_ray.plugins import announced, is_plugin
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.tracking.analysis.published import published_names


class Environment(Section):
    """A gymnasium id and keyword arguments; the horizon is the study's business."""

    id: Name = POINT_REACH_AVOID
    """Its gymnasium id; `module:id` imports the module that registers it, in every process."""
    kwargs: Arguments = Field(default_factory=lambda given: _default_kwargs(given.get("id")))
    """Keyword arguments to make it with, T not among them; `layout` is the point robot's."""
    copies: Positive | None = None
    """How many of it can exist at a time, over all processes; by default as many as help.
    [copies]"""
    copies_per_process: Positive | None = None
    """How many of it one process can have, for one that is heavy in memory; as many as help.
    [copies]"""

    @field_validator("kwargs")
    @classmethod
    def _left_to_stages(cls, kwargs: dict[str, Any], about: ValidationInfo) -> dict[str, Any]:
        robot = about.data.get("id") == POINT_REACH_AVOID
        leave_to_stages(kwargs, ("reward", "end_on_violation", "margin") if robot else ())
        return kwargs


def _default_kwargs(env_id: str | None) -> dict[str, Any]:
    return {"layout": "fixed"} if env_id == POINT_REACH_AVOID else {}


class StopSection(Section):
    """Stop certifying once ε_base(horizon) ≤ target, or once that is hopeless (anytime-valid)."""

    horizon: Horizon
    """T, in steps, whose bound decides. [steps]"""
    target: Probability
    """ε_base(T) that is good enough. [probability]"""
    check_every: Positive = 1_000
    """Scenarios between two looks. [scenarios]"""


class ChooseSection(Section):
    """Choose T for ε_max, and the base where several are named, on scenarios of their own."""

    eps_max: Annotated[float, Number, Field(ge=SMALLEST_LEVEL, le=1.0)]
    """Risk at which α is to be largest; 1 is the paper's level: the largest α of any use.
    [probability]"""
    num_scenarios: Positive = 10_000
    """Scenarios of each candidate. [scenarios]"""
    bases: Annotated[list[Name], Listed] = Field(default_factory=list)
    """Base policies to choose from beside `base`, named as that is."""


class TrainingPlanSection(Section):
    """What training may cost in violations, settled before it starts."""

    training_violations: Rate
    """R, violations that one training run may cost, in expectation. [violations]"""
    training_episodes: Positive | None = None
    """M, episodes of a training run at most: then α and budgets are also derived from the risk
    R/M; without it M follows from R and each cell's own risk. [episodes]"""
    beta: Probability | None = None
    """With it R is kept with probability 1 − β, instead of in expectation. [probability]"""


class CertificateSection(Section):
    """How the base is certified: N scenarios, confidence 1 − β, every T up to max_horizon."""

    num_scenarios: Positive = 10_000
    """N, complete scenarios of the base; with `stop` the most that are run. [scenarios]"""
    beta: Probability = 1e-7
    """Probability that any bound of the certificate fails. [probability]"""
    max_horizon: Horizon = 100
    """The longest T that is certified, in steps. [steps]"""
    root_seed: Seed = 0
    """What the seeds of all scenarios are drawn from. [1]"""
    transitions: Natural = 0
    """How many of them keep their transitions, for critics to learn from. [scenarios]"""
    stop: StopSection | None = None
    """Stop before N scenarios, once the bound is good enough or that is hopeless."""
    choose: ChooseSection | None = None
    """Choose T, and among several bases, on scenarios of their own before certifying."""
    plan: TrainingPlanSection | None = None
    """Keep the violations of training at a number that is given."""

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
        kind = constraint_class(name, run_module=True)
        if kind.promises():
            return kind
    except UserError as error:
        if is_plugin(name) or name in announced(PLUGINS):
            raise ValueError(f"{which} cannot be used: {error}") from None
    possible = sorted(known for known, one in CONSTRAINTS.items() if one.promises())
    possible += announced(PLUGINS)
    raise ValueError(f"{which} is unknown; {did_you_mean(name, possible, 0.6)}")


def _recorded_names(names: list[str]) -> list[str]:
    """Each kind under the name that records have, a plug-in's with its module."""
    return [require_constraint(name, f"holds {shown(name)}, which").name for name in names]


def _recorded_if_known(name: str) -> str:
    """The same; an unknown one as it is: whoever looks it up among the study's tells of it."""
    try:
        return require_constraint(name, name).name
    except ValueError:
        return name


def _recorded_in_lists(lists: FromBaseScenarios) -> FromBaseScenarios:
    """Lists of limits with each kind under the name that records have.

    Raises:
        ValueError: two names of one kind.
    """
    limits = {_recorded_if_known(kind): values for kind, values in lists.limits.items()}
    if len(limits) < len(lists.limits):
        raise ValueError("from_base_scenarios.limits names a kind twice")
    of = {
        source: [_recorded_if_known(kind) for kind in kinds]
        for source, kinds in lists.constraints_of.items()
    }
    return lists.model_copy(update={"limits": limits, "constraints_of": of})


class SweepSection(Section):
    """The grid: constraints (α given, or derived from ε_max) × T × parameters × seeds × methods."""

    alphas: Annotated[list[Alpha], Listed] | None = None
    """Density ratios per step, for every kind of constraint that has one. [ratio]"""
    eps_max: Annotated[list[Probability], Listed] | None = None
    """Acceptable risks, from which every kind of constraint is derived; or beside `alphas`.
    [probability]"""
    out_of_reach: Literal["refuse", "skip"] = "refuse"
    """An ε_max that the base itself is not certified for at any T: a mistake, or without cells. In
    a study over several `sizes` it has none."""
    choose: ChooseLimitsByName | None = None
    """Larger limits beside those of `eps_max`: `from_base_scenarios`."""
    horizons: Annotated[list[Horizon], Listed, Field(min_length=1)] | None = None
    """T, in steps; left out where `certificate.choose` finds it. [steps]"""
    seeds: Annotated[list[Seed], Listed] = Field(default_factory=lambda: [0, 1, 2], min_length=1)
    """Of training; intervals are over them. [1]"""
    methods: Annotated[list[Method], Listed] = Field(
        default_factory=lambda: list(METHODS), min_length=1
    )
    """The paper's two; `task_policies` instead names any sources."""
    constraints: Annotated[list[str], Listed] = Field(
        default_factory=lambda: [RatioConstraint.name], min_length=1
    )
    """Kinds by name: of one that ships, `module:name`, or that of an entry point of a package of
    yours; modules are imported in every process."""
    constraints_of: ConstraintsOf = Field(default_factory=dict)
    """By source of task policies, those of `constraints` that its policies are projected onto; of
    a source that is not named all."""
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    """Axes by name of a training parameter: a list, or a distribution with `samples`."""
    hyperparameter_seed: Seed = 0
    """What draws from distributions follow from. [1]"""

    @field_validator("hyperparameters")
    @classmethod
    def _axes(cls, axes: dict[str, Any]) -> dict[str, Any]:
        return checked_axes(axes, sampled=True)

    @property
    def points(self) -> list[Point]:
        """The combinations of training parameters; one empty combination without any."""
        return points(self.hyperparameters, self.hyperparameter_seed)

    @field_validator("constraints")
    @classmethod
    def _known_constraints(cls, names: list[str]) -> list[str]:
        return _recorded_names(names)

    @field_validator("constraints_of")
    @classmethod
    def _known_of_source(cls, given: dict[str, list[str]]) -> dict[str, list[str]]:
        return {source: _recorded_names(names) for source, names in given.items()}

    @field_validator("choose")
    @classmethod
    def _known_in_lists(cls, given: ChooseLimits | None) -> ChooseLimits | None:
        if given is None:
            return None
        lists = _recorded_in_lists(given.from_base_scenarios)
        return given.model_copy(update={"from_base_scenarios": lists})

    @model_validator(mode="after")
    def _one_axis(self) -> SweepSection:
        if self.choose is not None:
            if not self.eps_max:
                raise ValueError("choose is given, and eps_max is not: for which risks?")
            for kind in self.choose.from_base_scenarios.limits:
                if kind not in self.constraints:
                    raise ValueError(
                        f"choose.from_base_scenarios.limits is about {kind!r}, which is not among "
                        f"constraints ({', '.join(self.constraints)})"
                    )
        for source, kinds in self.constraints_of.items():
            require_different(kinds, f"constraints_of.{source}")
            if other := [kind for kind in kinds if kind not in self.constraints]:
                raise ValueError(
                    f"constraints_of.{source} holds {other[0]!r}, which is not among constraints "
                    f"({', '.join(self.constraints)})"
                )
        for name in ("alphas", "eps_max", "horizons", "seeds", "methods", "constraints"):
            require_different(getattr(self, name) or [], name)
        return self


class EvaluationSection(Section):
    """Fresh scenarios of every cell's policy; β of the posterior bound."""

    num_scenarios: Positive = 2_000
    """Fresh scenarios of every cell's policy. [scenarios]"""
    beta: Probability = 1e-7
    """Probability that a policy's posterior bound fails. [probability]"""
    root_seed: Seed = 1
    """What the seeds of all scenarios are drawn from. [1]"""
    off_policy: Natural = 0
    """Scenarios of the base for a bound on each policy without running it; 0 for none.
    [scenarios]"""


class MixturesSection(Section):
    """Mixtures of the sweep's cells: which of two is played is drawn at an episode's start."""

    eps_max: Annotated[list[Probability], Listed] | None = None
    """Levels of risk to find the best mixture for; by default those of the sweep. [probability]"""
    sources: Annotated[list[str], Listed, Field(min_length=1)] | None = None
    """Whose cells are mixed; by default those of all sources."""
    num_scenarios: Positive = 10_000
    """Fresh scenarios of every cell that is mixed, on which mixtures are judged. [scenarios]"""


class GaussianLaw(Section):
    """A diagonal Gaussian."""

    mean: Annotated[
        list[Annotated[float, Number, Field(allow_inf_nan=False)]], Listed, Field(min_length=1)
    ]
    """Its mean, one number per dimension. [of the quantity]"""
    std: Annotated[list[NonNegative], Listed]
    """Its standard deviations; one of 0 is a fixed value. [of the quantity]"""

    @model_validator(mode="after")
    def _same_size(self) -> GaussianLaw:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} entries, std {len(self.std)}")
        return self


class LawChange(Section):
    """A law in the base's world and at deployment."""

    base: GaussianLaw
    """The law in the certificate's world."""
    deployment: GaussianLaw
    """The law where policies will run."""

    @model_validator(mode="after")
    def _same_size(self) -> LawChange:
        if len(self.base.mean) != len(self.deployment.mean):
            raise ValueError("base and deployment are laws of different dimensions")
        return self


class DeploymentSection(Section):
    """The world in which policies will run, where it is not that of the certificate.

    The point robot's density ratios follow from its arguments.
    """

    kwargs: Arguments = Field(default_factory=dict)
    """Environment arguments that differ there."""
    alpha_mu: Alpha | None = None
    """Largest density ratio of the initial laws, where no laws give it. [ratio]"""
    alpha_p: Alpha | None = None
    """Largest density ratio of the dynamics per step, where no laws give it. [ratio]"""
    initial_state: LawChange | None = None
    """Gaussian laws of the initial state, from which α_μ follows."""
    process_noise: LawChange | None = None
    """Gaussian laws of the noise of a step, from which α_p follows."""


class ResourcesSection(Section):
    """What one cell asks for, or a whole cohort of cells."""

    cpus_per_cell: Positive = 1
    """CPUs of a cell's, or a cohort's, own process. [CPUs]"""
    env_runners_per_cell: Natural = 0
    """Processes, with a CPU each, that collect experience; 0: the cell's own does. [processes]"""
    gpus_per_cell: NonNegative = 0.0
    """GPU of a cell's, or a cohort's, learner, one or a share of it. [GPUs]"""
    wait_for_nodes_seconds: NonNegative = 0.0
    """How long a sweep waits for a node that can hold a cell, where a cluster grows. [s]"""

    @field_validator("gpus_per_cell")
    @classmethod
    def _whole(cls, gpus: float) -> float:
        # One learner, which is one process: it cannot use a second GPU.
        if gpus > 1.0:
            raise ValueError(f"{gpus:g} GPUs for one learner: give at most 1, or a share of one")
        return gpus


class TrackingSection(Section):
    """Where MLflow records go, and what to compare with."""

    uri: Uri | None = None
    """Where MLflow records go; by default SQLite beside the results."""
    published: str | None = None
    """Numbers read off a paper, by name, which the report puts beside the study's."""

    @field_validator("published")
    @classmethod
    def _known_table(cls, name: str | None) -> str | None:
        known = published_names()
        if name is not None and name not in known:
            raise ValueError(f"no published numbers of that name; known: {', '.join(known)}")
        return name
