"""The study file: what a user writes down, checked before anything runs."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from sport_ray.constraints import Constraint, Unconstrained
from sport_ray.envs.declared import declared_signals
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import restricted, with_values
from sport_ray.experiments.config.base import (
    Engine,
    Keywords,
    Listed,
    Name,
    Positive,
    Section,
    plain,
)
from sport_ray.experiments.config.copies import require_copies
from sport_ray.experiments.config.mistakes import did_you_mean, explained
from sport_ray.experiments.config.sections import (
    CertificateSection,
    DeploymentSection,
    Environment,
    EvaluationSection,
    MixturesSection,
    ResourcesSection,
    SweepSection,
    TrackingSection,
)
from sport_ray.experiments.config.study_file import read_study_file
from sport_ray.experiments.config.task_policies import (
    by_source,
    checked_sources,
    settled_sources,
    source_name,
)
from sport_ray.experiments.config.training import (
    AnyBaseTraining,
    PPOSection,
    TrainingSection,
    UnconstrainedTrainingSection,
)
from sport_ray.experiments.config.tuning import TuningSection
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies.task import Task
from sport_ray.properties import parse_property
from sport_ray.properties.propositions import require_given
from sport_ray.samplers.entry import is_entry
from sport_ray.tracking.mlflow.uris import absolute_uri, mask_text
from sport_ray.tracking.results.bases import size_name

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate


Sources = Annotated[
    dict[str, Any],  # of sections, each of the source's own class
    BeforeValidator(checked_sources),
    PlainSerializer(
        lambda sources: {name: one.model_dump(mode="json") for name, one in sources.items()},
        return_type=dict[str, Any],
    ),
]


class Study(Section):
    """A study: one base policy, one environment and property, one grid."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
    """What results are filed under: letters, digits, `_`, `.` and `-`."""
    environment: Environment = Environment()
    """The environment; its id alone is short for the section."""
    property: str = "(!hazard) U goal"
    """What must hold of every episode, in temporal logic over the environment's signals."""
    base: Name = "point_reach_avoid"
    """The base policy: one that ships, a folder, relative to the study file, or a sampler of yours,
    `module:name`."""
    bases: Annotated[list[Name], Listed, Field(min_length=1)] | None = None
    """Several base policies instead of `base`: the study once for each, in a sub-folder of its own,
    and what they have in common on one page."""
    sizes: Annotated[list[Positive], Listed, Field(min_length=1)] | None = None
    """Several N instead of `certificate.num_scenarios`: the study once for each, in a sub-folder of
    its own, and what more scenarios buy on one page. [scenarios]"""
    base_arguments: Keywords = Field(default_factory=dict)
    """Keyword arguments of a base that is a sampler of yours, `module:name`."""
    base_training: AnyBaseTraining | None = None
    """How the base is trained where there is none yet."""
    certificate: CertificateSection = CertificateSection()
    """How the base is certified."""
    sweep: SweepSection
    """The grid of cells."""
    engine: Engine = "auto"
    """What trains by PPO: many cells as one batch, one run a cell, or (auto) the first where it
    can."""
    training: TrainingSection = TrainingSection()
    """How task policies are trained under the constraint."""
    unconstrained_training: UnconstrainedTrainingSection | None = None
    """How they are trained without one, where that differs from `training`."""
    evaluation: EvaluationSection = EvaluationSection()
    """How every cell's policy is evaluated."""
    mixtures: MixturesSection | None = None
    """Random budgets: the best mixtures of finished cells, after the sweep."""
    deployment: DeploymentSection | None = None
    """The world in which policies will run, where it is not the certificate's."""
    resources: ResourcesSection = ResourcesSection()
    """What one cell, or one cohort, asks of Ray."""
    tracking: TrackingSection = TrackingSection()
    """MLflow, and published numbers."""
    tuning: TuningSection | None = None
    """The search of training parameters before the sweep."""
    task_policies: Sources | None = None
    """Where task policies come from: names of sources, or a mapping to their settings."""

    @builtins.property  # a field has that name
    def sources(self) -> list[str]:
        """The sources of task policies by name, whichever way they are asked for."""
        if self.task_policies is not None:
            return list(self.task_policies)
        asked: list[str] = [*self.sweep.methods]
        return [name for name, source in SOURCES.items() if source.sweep_method in asked]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: Any) -> Any:
        """``task_policy: scpo`` for ``task_policies: [scpo]``; ``environment: some/Id-v0``."""
        if not isinstance(raw, Mapping):
            return raw
        if "base" in raw and raw.get("bases") is not None:
            raise ValueError("base and bases are given: remove one")
        if isinstance(raw.get("environment"), str):
            raw = {**raw, "environment": {"id": raw["environment"]}}
        if "task_policy" not in raw:
            return raw
        name = raw["task_policy"]
        if "task_policies" in raw:
            raise ValueError("task_policy and task_policies are given: remove one")
        if not isinstance(name, str):
            raise ValueError(f"task_policy = {name!r}: give one name, or task_policies for more")
        rest = {key: value for key, value in raw.items() if key != "task_policy"}
        return {**rest, "task_policies": [name]}

    @model_validator(mode="after")
    def _one_choice_of_sources(self) -> Study:
        if self.task_policies is None:
            return self
        if "methods" in self.sweep.model_fields_set:
            raise ValueError("sweep.methods and task_policies are given: remove sweep.methods")
        trained = [name for name, source in SOURCES.items() if source().parameters(self)]
        tuned = [name for name, source in SOURCES.items() if source.sections]
        for name in self.task_policies:
            if SOURCES[name].targets_risk and not self.sweep.eps_max:
                raise ValueError(
                    f"task_policies holds {name!r}, which aims at a risk: give sweep.eps_max, one "
                    "policy is made for each"
                )
        for name, given, by_ppo in (
            ("sweep.hyperparameters", self.sweep.hyperparameters, trained),
            ("tuning", self.tuning, tuned),
        ):
            if given and not set(by_ppo) & set(self.task_policies):
                raise ValueError(
                    f"{name} is about PPO's parameters, and task_policies names no source by "
                    f"PPO ({', '.join(by_ppo)}): remove one"
                )
        return self

    @model_validator(mode="after")
    def _cohorts(self) -> Study:
        if self.engine == "cohort":
            for name in self.sources:
                if reason := SOURCES[name]().why_alone:
                    raise ValueError(
                        f"engine = 'cohort', and the task policies of {name} cannot be trained in "
                        f"a cohort: {reason}; leave engine out, or take auto"
                    )
        return self

    @model_serializer(mode="wrap")
    def _readable_again(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is refused beside another key when it is read."""
        dumped: dict[str, Any] = handler(self)
        dumped.pop("bases" if self.bases is None else "base", None)
        if self.sizes is not None and isinstance(dumped.get("certificate"), dict):
            dumped["certificate"].pop("num_scenarios", None)
        if self.task_policies is not None and isinstance(dumped.get("sweep"), dict):
            dumped["sweep"].pop("methods", None)
        return dumped

    @builtins.property  # a field has that name
    def base_candidates(self) -> list[str]:
        """The base policies of a study with one: its own, and others to choose from."""
        asked = self.certificate.choose
        return [self.base, *(asked.bases if asked else [])]

    @builtins.property
    def all_bases(self) -> list[str]:
        """Every base policy that is named."""
        return self.base_candidates if self.bases is None else list(self.bases)

    @builtins.property
    def part_names(self) -> list[str]:
        """Of a study over several bases or sizes the name of each; empty of any other."""
        return [*(self.bases or [])] or [size_name(size) for size in self.sizes or []]

    def of_base(self, name: str) -> Study:
        """The same study with one base or one size, of several."""
        if self.sizes is None:
            return self.model_copy(update={"base": name, "bases": None})
        (size,) = (one for one in self.sizes if size_name(one) == name)
        certificate = self.certificate.model_copy(update={"num_scenarios": size})
        sweep = self.sweep.model_copy(update={"out_of_reach": "skip"})
        return self.model_copy(update={"certificate": certificate, "sweep": sweep, "sizes": None})

    @model_validator(mode="after")
    def _several_sizes(self) -> Study:
        if self.sizes is None:
            return self
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError("sizes names a number twice")
        for given, other in (
            (self.bases, "bases"),
            (self.certificate.stop, "certificate.stop"),
            ("num_scenarios" in self.certificate.model_fields_set, "certificate.num_scenarios"),
        ):
            if given:
                raise ValueError(f"sizes and {other} are given: remove one of them")
        return self

    @model_validator(mode="after")
    def _several_bases(self) -> Study:
        if self.bases is None:
            return self
        if len(set(self.bases)) < len(self.bases):
            raise ValueError("bases names a policy twice")
        if self.certificate.choose is not None:
            raise ValueError(
                "bases is given, and certificate.choose asks to choose one base: remove one of them"
            )
        return self

    @model_validator(mode="after")
    def _choice(self) -> Study:
        asked = self.certificate.choose is not None
        if asked and self.sweep.horizons is not None:
            raise ValueError(
                "sweep.horizons is given, and certificate.choose asks to choose it: remove one"
            )
        longest = self.certificate.max_horizon
        if asked and parse_property(self.property).kept_from(longest) != 1:
            raise ValueError(
                "certificate.choose picks T by its risk, and what satisfies "
                f"{self.property!r} within T steps may violate it later: the shorter T, the less "
                "is promised; say in sweep.horizons how long it must hold, and remove choose"
            )
        if not asked and self.sweep.horizons is None:
            or_choose = " (or say in certificate.choose for what ε)"
            kept = parse_property(self.property).kept_from(longest) == 1
            raise ValueError(f"sweep.horizons is missing{or_choose if kept else ''}")
        if self.bases is None and len(set(self.base_candidates)) < len(self.base_candidates):
            raise ValueError("certificate.choose.bases names a policy twice")
        return self

    @model_validator(mode="after")
    def _base_arguments(self) -> Study:
        for base in self.bases or [self.base]:
            if self.base_arguments and not is_entry(base):
                raise ValueError(
                    "base_arguments are for a base that is a sampler of yours, module:name, and "
                    f"base = {base!r} takes none: remove them"
                )
        return self

    @model_validator(mode="after")
    def _hyperparameters(self) -> Study:
        for point in self.sweep.points:
            with_values(self.training, point)
            if self.unconstrained_training is not None:
                known = set(PPOSection.model_fields)
                with_values(self.unconstrained_training, restricted(point, known))
        return self

    @model_validator(mode="after")
    def _tuning(self) -> Study:
        if self.tuning is None:
            return self
        both = sorted(set(self.tuning.parameters) & set(self.sweep.hyperparameters))
        if both:
            raise ValueError(
                f"{both[0]} is tuned and is an axis of the sweep: remove it from "
                "tuning.parameters or from sweep.hyperparameters"
            )
        horizon = self.tuning.horizon
        if horizon is not None and horizon > self.certificate.max_horizon:
            raise ValueError(
                f"tuning.horizon = {horizon} is beyond certificate.max_horizon "
                f"({self.certificate.max_horizon})"
            )
        if horizon is None and len(self.sweep.horizons or [0]) > 1:
            raise ValueError("tuning.horizon is missing, and the sweep has several: name one")
        return self

    @model_validator(mode="after")
    def _training_plan(self) -> Study:
        """Refuse, beside a number of training violations, what would train uncounted."""
        if self.certificate.plan is None:
            return self
        for name, given, remedy in (
            ("tuning", self.tuning is not None, "its trials train, too: tune in another study"),
            ("bases", self.bases is not None, "it is of one base: name one base"),
            (
                "resources.env_runners_per_cell",
                self.resources.env_runners_per_cell > 0,
                "episodes are counted in the cell's own process: leave it at 0",
            ),
            (
                "engine = 'cohort'",
                self.engine == "cohort",
                "a cohort's cells cannot stop by themselves: leave engine out",
            ),
        ):
            if given:
                raise ValueError(f"certificate.plan and {name} are given: {remedy}")
        for name in self.sources:
            if SOURCES[name].in_training == "nothing":
                raise ValueError(
                    f"certificate.plan is given, and nothing is promised while {name} trains: "
                    f"remove it from {self._names_sources}, or remove certificate.plan"
                )
        return self

    @field_validator("sweep")
    @classmethod
    def _sweep_by_source(cls, sweep: SweepSection) -> SweepSection:
        """Sources under the names that ``task_policies`` has, whichever the user wrote."""
        changes: dict[str, Any] = {}
        if sweep.constraints_of:
            changes["constraints_of"] = by_source(sweep.constraints_of)
        if sweep.choose is not None:
            lists = sweep.choose.from_base_scenarios
            if lists.constraints_of:
                changed = {"constraints_of": by_source(lists.constraints_of)}
                lists = lists.model_copy(update=changed)
                changes["choose"] = sweep.choose.model_copy(update={"from_base_scenarios": lists})
        return sweep.model_copy(update=changes)

    @field_validator("mixtures")
    @classmethod
    def _mixtures_by_source(cls, mixtures: MixturesSection | None) -> MixturesSection | None:
        if mixtures is None or mixtures.sources is None:
            return mixtures
        return mixtures.model_copy(update={"sources": [source_name(s) for s in mixtures.sources]})

    @model_validator(mode="after")
    def _sources_by_name(self) -> Study:
        """Refuse a source that cells are restricted for, or mixed of, and that there is not."""
        choose, mixtures = self.sweep.choose, self.mixtures
        listed = {} if choose is None else choose.from_base_scenarios.constraints_of
        for key, names in (
            ("sweep.constraints_of", self.sweep.constraints_of),
            ("sweep.choose.from_base_scenarios.constraints_of", listed),
            ("mixtures.sources", (mixtures and mixtures.sources) or []),
        ):
            for name in names:
                if name not in self.sources:
                    raise ValueError(
                        f"{key} names {name!r}, which is none of the study's sources: "
                        f"{did_you_mean(name, self.sources)}"
                    )
        for source, kinds in listed.items():
            known = self.sweep.constraints_of.get(source, self.sweep.constraints)
            if other := [kind for kind in kinds if kind not in known]:
                raise ValueError(
                    f"sweep.choose.from_base_scenarios.constraints_of.{source} holds {other[0]!r}, "
                    f"which is none of its constraints ({', '.join(known) or 'none'})"
                )
        return self

    @builtins.property
    def _names_sources(self) -> str:
        return "sweep.methods" if self.task_policies is None else "task_policies"

    @model_validator(mode="after")
    def _copies(self) -> Study:
        for name in ("training", "unconstrained_training", "base_training"):
            section = getattr(self, name)
            if section is not None:
                require_copies(self.environment, self.resources, name, section)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        planned = self.certificate.plan is not None and self.certificate.plan.training_episodes
        if not self.sweep.alphas and not self.sweep.eps_max and not planned:
            raise ValueError(
                "sweep has no constraints: give alphas, or eps_max to derive them from the "
                "certificate"
            )
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

    @model_validator(mode="after")
    def _propositions(self) -> Study:
        """Where it is known already which there are; stages ask the environment before they begin.

        Nothing that a file names is run to read it.
        """
        known = declared_signals(self.environment.id)
        if known is not None:
            needed = parse_property(self.property).signal_names
            require_given(self.property, needed, known, self.environment.id)
        return self

    def horizons(self, certificate: Certificate) -> list[int]:
        """The sweep's horizons: as written, or the one that was chosen before certifying."""
        if self.sweep.horizons is not None:
            return list(self.sweep.horizons)
        if certificate.choice is None:
            raise UserError("the study asks to choose a horizon; the certificate was made for none")
        return [certificate.choice.horizon]

    def task(
        self,
        horizon: int,
        seed: int,
        constraint: Constraint | None = None,
        most_episodes: int | None = None,
        eps_max: float | None = None,
    ) -> Task:
        """What a policy is trained for at a point of the grid, by default without a constraint."""
        return Task(
            environment=self.environment,
            property=self.property,
            horizon=horizon,
            max_horizon=self.certificate.max_horizon,
            seed=seed,
            constraint=constraint or Unconstrained(),
            resources=self.resources,
            most_episodes=most_episodes,
            eps_max=eps_max,
        )


def load_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        UserError: one line per file, naming the key, the value and, for a misspelt key, the
            nearest known one.
    """
    path = Path(path)
    values = read_study_file(path).values
    sections = {name: value for name, value in values.items() if not name.startswith("x-")}
    return parse_study(sections, f"study file {path}", path.parent)


def parse_study(raw: Mapping[str, Any], where: str, folder: Path = Path()) -> Study:
    """A study from its sections, as a file holds them; ``where`` begins the line of an error.

    folder: what relative paths of task policies and of ``tracking.uri`` start from; default the
        working directory.

    Raises:
        UserError: see ``load_study``.
    """
    try:
        study = Study.model_validate(plain(raw))
    except ValidationError as error:
        raise UserError(mask_text(f"{where}: {explained(error, Study)}")) from None
    except ValueError as error:
        raise UserError(mask_text(f"{where}: {error}")) from None
    if study.tracking.uri is not None:
        uri = absolute_uri(study.tracking.uri, folder)
        study = study.model_copy(
            update={"tracking": study.tracking.model_copy(update={"uri": uri})}
        )
    if study.task_policies is None:
        return study
    try:
        return study.model_copy(
            update={"task_policies": settled_sources(study.task_policies, folder)}
        )
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
