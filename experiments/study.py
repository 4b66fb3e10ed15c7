"""The study file: what a user writes down, checked before anything runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sport_ray.errors import UserError
from sport_ray.policies.network import PolicySpec
from sport_ray.properties import parse_property

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
    """A gymnasium id and keyword arguments; the horizon is the study's business."""

    id: str = "sport_ray/PointReachAvoid-v0"
    kwargs: dict[str, Any] = Field(default_factory=lambda: {"layout": "fixed"})

    @model_validator(mode="after")
    def _no_horizon(self) -> Environment:
        for key in ("horizon", "reward", "end_on_violation", "margin"):
            if key in self.kwargs:
                raise ValueError(f"{key} is set by the stages; remove it from env.kwargs")
        return self


class CertificateSection(Section):
    """How the base is certified: N scenarios, confidence 1 − β, every T up to max_horizon."""

    num_scenarios: Positive = 10_000
    beta: Probability = 1e-7
    max_horizon: Positive = 100
    root_seed: Seed = 0


class SweepSection(Section):
    """The grid: α (given, or derived from ε_max) × T × seeds × methods."""

    alphas: list[Alpha] | None = None
    eps_max: list[Probability] | None = None
    horizons: Annotated[list[Positive], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    methods: Annotated[list[Method], Field(min_length=1)] = [
        "projected_ppo",
        "projected_at_deployment",
    ]

    @model_validator(mode="after")
    def _one_axis(self) -> SweepSection:
        if not self.alphas and not self.eps_max:
            raise ValueError("give alphas, or eps_max to derive them from the certificate")
        for name in ("alphas", "eps_max", "horizons", "seeds", "methods"):
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
    """How ``train-base`` makes a base policy: PPO on the reach-avoid reward, from scratch.

    The entropy bonus keeps the policy wide: a base that always does the same leaves a policy
    within a density ratio of it nothing to improve. The margin (metres) keeps it off the hazard.
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


class EvaluationSection(Section):
    """Fresh scenarios of every cell's policy; β of the posterior bound."""

    num_scenarios: Positive = 2_000
    beta: Probability = 1e-7
    root_seed: Seed = 1


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
    resources: ResourcesSection = ResourcesSection()
    tracking: TrackingSection = TrackingSection()

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        longest = max(self.sweep.horizons)
        if longest > self.certificate.max_horizon:
            raise ValueError(
                f"sweep.horizons holds {longest}, beyond certificate.max_horizon "
                f"({self.certificate.max_horizon})"
            )
        return self

    @model_validator(mode="after")
    def _property(self) -> Study:
        parse_property(self.property)
        return self

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
