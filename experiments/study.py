"""The study file: what a user writes down, checked before anything runs."""

from __future__ import annotations

import builtins
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from sport_ray.certificates.sampling import AnytimeSampling, FixedSampling, Sampling
from sport_ray.constraints import CONSTRAINTS
from sport_ray.errors import UserError
from sport_ray.policies.network import PolicySpec
from sport_ray.properties import parse_property
from sport_ray.rollouts.environment import POINT_REACH_AVOID

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate

Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Alpha = Annotated[float, Field(ge=1.0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Method = Literal["projected_ppo", "projected_at_deployment"]


class Section(BaseModel):
    """A section of a study: nothing unknown, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Environment(Section):
    """A gymnasium id and keyword arguments; the horizon is the study's business.

    ``module:id`` imports the module that registers the id, in every process that needs it.
    """

    id: str = POINT_REACH_AVOID
    kwargs: dict[str, Any] = Field(default_factory=lambda given: _default_kwargs(given.get("id")))

    @model_validator(mode="after")
    def _no_horizon(self) -> Environment:
        robot = ("reward", "end_on_violation", "margin") if self.id == POINT_REACH_AVOID else ()
        _leave_to_stages(self.kwargs, "environment.kwargs", robot)
        return self


def _default_kwargs(env_id: str | None) -> dict[str, Any]:
    return {"layout": "fixed"} if env_id == POINT_REACH_AVOID else {}


def _leave_to_stages(kwargs: dict[str, Any], where: str, more: tuple[str, ...] = ()) -> None:
    for key in ("horizon", "max_episode_steps", *more):
        if key in kwargs:
            raise ValueError(f"{key} is set by the stages; remove it from {where}")


class StopSection(Section):
    """Stop certifying once ε_base(horizon) ≤ target, or once that is hopeless (anytime-valid)."""

    horizon: Positive
    target: Probability
    check_every: Positive = 1_000


class ChooseSection(Section):
    """Choose T for ε_max, and the base where several are named, on scenarios of their own.

    bases: candidates beside the study's ``base``.
    """

    eps_max: Probability
    num_scenarios: Positive = 10_000
    bases: list[str] = []


class CertificateSection(Section):
    """How the base is certified: N scenarios, confidence 1 − β, every T up to max_horizon.

    With ``stop``, num_scenarios is the most that are run.
    """

    num_scenarios: Positive = 10_000
    beta: Probability = 1e-7
    max_horizon: Positive = 100
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


class SweepSection(Section):
    """The grid: constraints (α given, or derived from ε_max) × T × seeds × methods.

    constraints: kinds by name; "ratio" is the paper's.
    """

    alphas: list[Alpha] | None = None
    eps_max: list[Probability] | None = None
    horizons: Annotated[list[Positive], Field(min_length=1)] | None = None
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    methods: Annotated[list[Method], Field(min_length=1)] = [
        "projected_ppo",
        "projected_at_deployment",
    ]

    constraints: Annotated[list[str], Field(min_length=1)] = ["ratio"]

    @model_validator(mode="after")
    def _known_constraints(self) -> SweepSection:
        possible = sorted(set(CONSTRAINTS) - {"unconstrained"})
        for name in self.constraints:
            if name not in possible:
                near = difflib.get_close_matches(name, possible, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(possible)}"
                raise ValueError(f"constraints holds {name!r}, which is unknown; {hint}")
        return self

    @model_validator(mode="after")
    def _one_axis(self) -> SweepSection:
        if not self.alphas and not self.eps_max:
            raise ValueError("give alphas, or eps_max to derive them from the certificate")
        for name in ("alphas", "eps_max", "horizons", "seeds", "methods", "constraints"):
            values = getattr(self, name) or []
            for index, value in enumerate(values):
                if value in values[:index]:
                    raise ValueError(f"{name} holds {value!r} twice")
        return self


class PPOSection(Section):
    """PPO's parameters; the defaults are the paper's (arXiv 2504.06386)."""

    env_steps: Positive = 30_000
    lr: Rate = 5e-5
    critic_lr: Rate = 3e-4
    train_batch_size: Positive = 128
    minibatch_size: Positive = 32
    num_epochs: Positive = 4
    num_envs: Positive = 1
    gamma: Annotated[float, Field(gt=0.0, le=1.0)] = 0.99
    gae_lambda: Annotated[float, Field(ge=0.0, le=1.0)] = 0.95
    clip: Rate = 0.2
    entropy_coeff: Annotated[float, Field(ge=0.0)] = 0.0
    grad_clip: Rate = 0.5

    @model_validator(mode="after")
    def _minibatch(self) -> PPOSection:
        if self.minibatch_size > self.train_batch_size:
            raise ValueError(
                f"minibatch_size ({self.minibatch_size}) must not exceed "
                f"train_batch_size ({self.train_batch_size})"
            )
        return self


class TrainingSection(PPOSection):
    """How task policies are trained under the constraint."""

    warmup_env_steps: Annotated[int, Field(ge=0)] = 2_500
    gradient: Literal["paper", "through_projection"] = "paper"


class BaseTrainingSection(PPOSection):
    """How ``train-base`` makes a base policy: PPO from scratch, on a reward that shuns violations.

    The entropy bonus keeps the policy wide: a base that always does the same leaves a policy
    within a density ratio of it nothing to improve. The point robot has such a reward, and the
    margin (metres) keeps it off the hazard; another environment is told by ``kwargs``, arguments
    beyond the study's own that hold in base training only.
    """

    env_steps: Positive = 725_000
    lr: Rate = 3e-4
    train_batch_size: Positive = 8_192
    minibatch_size: Positive = 512
    num_epochs: Positive = 6
    num_envs: Positive = 64
    entropy_coeff: Annotated[float, Field(ge=0.0)] = 0.03
    horizon: Positive = 100
    margin: Annotated[float, Field(ge=0.0, lt=10.0)] = 0.05
    seed: Seed = 0
    hidden: tuple[Positive, ...] = (256, 256)
    kwargs: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_horizon(self) -> BaseTrainingSection:
        _leave_to_stages(self.kwargs, "base_training.kwargs")
        return self


class EvaluationSection(Section):
    """Fresh scenarios of every cell's policy; β of the posterior bound.

    off_policy: scenarios of the *base* for a bound on each task policy before it ever acts
    (β of its own); 0 for none.
    """

    num_scenarios: Positive = 2_000
    beta: Probability = 1e-7
    root_seed: Seed = 1
    off_policy: Annotated[int, Field(ge=0)] = 0


class GaussianLaw(Section):
    """A diagonal Gaussian; a standard deviation of 0 is a fixed value."""

    mean: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1)]
    std: list[Annotated[float, Field(ge=0.0, allow_inf_nan=False)]]

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

    kwargs: dict[str, Any] = Field(default_factory=dict)
    alpha_mu: Alpha | None = None
    alpha_p: Alpha | None = None
    initial_state: LawChange | None = None
    process_noise: LawChange | None = None


class ResourcesSection(Section):
    """What one cell asks for."""

    cpus_per_cell: Positive = 1
    env_runners_per_cell: Annotated[int, Field(ge=0)] = 0


class TrackingSection(Section):
    """Where MLflow records go; by default SQLite beside the results."""

    uri: str | None = None


class Study(Section):
    """A study: one base policy, one environment and property, one grid."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    environment: Environment = Environment()
    property: str = "(!hazard) U goal"
    base: str = "point_reach_avoid"
    base_training: BaseTrainingSection | None = None
    certificate: CertificateSection = CertificateSection()
    sweep: SweepSection
    training: TrainingSection = TrainingSection()
    unconstrained_training: PPOSection | None = None
    evaluation: EvaluationSection = EvaluationSection()
    deployment: DeploymentSection | None = None
    resources: ResourcesSection = ResourcesSection()
    tracking: TrackingSection = TrackingSection()

    @builtins.property  # a field has that name
    def bases(self) -> list[str]:
        """The base policies that are named: the study's, and others to choose from."""
        asked = self.certificate.choose
        return [self.base, *(asked.bases if asked else [])]

    @model_validator(mode="after")
    def _choice(self) -> Study:
        asked = self.certificate.choose is not None
        if asked and self.sweep.horizons is not None:
            raise ValueError(
                "sweep.horizons is given, and certificate.choose asks to choose it: remove one"
            )
        if not asked and self.sweep.horizons is None:
            raise ValueError("sweep.horizons is missing (or say in certificate.choose for what ε)")
        if len(set(self.bases)) < len(self.bases):
            raise ValueError("certificate.choose.bases names a policy twice")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        longest = max(self.sweep.horizons or [0])
        if longest > self.certificate.max_horizon:
            raise ValueError(
                f"sweep.horizons holds {longest}, beyond certificate.max_horizon "
                f"({self.certificate.max_horizon})"
            )
        return self

    @field_validator("property")
    @classmethod
    def _canonical_property(cls, text: str) -> str:
        """One spelling per formula: certificates are compared by it."""
        parsed = parse_property(text)
        parsed.compile()  # one that is too large is refused now, not later
        return parsed.formula

    def horizons(self, certificate: Certificate) -> list[int]:
        """The sweep's horizons: as written, or the one that was chosen before certifying."""
        if self.sweep.horizons is not None:
            return list(self.sweep.horizons)
        if certificate.choice is None:
            raise UserError("the study asks to choose a horizon; the certificate was made for none")
        return [certificate.choice.horizon]

    def base_spec(self, observation_size: int, action_size: int) -> PolicySpec:
        """Architecture of a base policy that is trained for this study."""
        training = self.base_training or BaseTrainingSection()
        return PolicySpec(
            observation_size=observation_size, action_size=action_size, hidden=training.hidden
        )


def load_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        UserError: one line per file, naming the key, the value and, for a misspelt key, the
            nearest known one.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(f"study file {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"study file {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"study file {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"study file {path} must hold a mapping of sections, such as 'name: …'")
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"study file {path}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    """All problems of a validation in one line, each with its key, value and remedy."""
    return "; ".join(_explain_one(problem) for problem in error.errors())


def _explain_one(problem: Any) -> str:
    location = ".".join(str(part) for part in problem["loc"]) or "study"
    if problem["type"] == "extra_forbidden":
        parent = _section(problem["loc"][:-1])
        known = list(parent.model_fields)
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {location!r}; {hint}"
    if problem["type"] == "missing":
        return f"{location} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{location}: {message}"
    return f"{location} = {problem['input']!r}: {message[0].lower()}{message[1:]}"


def _section(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The section's class that a location inside a study points to."""
    model: type[BaseModel] = Study
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return model
