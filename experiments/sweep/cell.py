"""Cells: what each point of the grid means, and its identity."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf, PlainSerializer

from sport_ray.canonical import digest
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint, Unconstrained, constraint_from_json
from sport_ray.experiments.config.axes import Point, point_text
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.engine import UsedEngine, engine_of
from sport_ray.experiments.sweep.place import Place
from sport_ray.experiments.task_policies import SOURCES
from sport_ray.experiments.task_policies.source import source_class
from sport_ray.plugins import code_of

METHOD_VERSION = 4
"""Raised whenever the same parameters would give other numbers: old cells are then not reused."""


ConstraintField = Annotated[
    InstanceOf[Constraint],
    BeforeValidator(
        lambda v: v if isinstance(v, Constraint) else constraint_from_json(v, run_module=True)
    ),
    PlainSerializer(lambda constraint: constraint.to_json(), return_type=dict),
]


class Cell(BaseModel):
    """One policy under one constraint, or as it is, evaluated at one horizon.

    id: content hash (16 hex digits) of all that its numbers depend on; names its folder.
    source: who makes the policy, by name. hyperparameters: values of training parameters that are
    an axis of the sweep. engine: what trains the policy, see ``engine_of``. place: in a list of
    limits from which scenarios of the base choose. training_episodes: how many training may begin,
    where the study plans its violations. eps_max: what the constraint was derived from, or what the
    policy aims at.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    source: str
    constraint: ConstraintField
    eps_max: float | None
    horizon: int
    seed: int
    hyperparameters: Point = ()
    engine: UsedEngine | None = None
    place: Place | None = None
    training_episodes: int | None = None

    @classmethod
    def of(cls, study: Study, certificate: Certificate, **axes: Any) -> Cell:
        """The cell at a point of the grid, with its id."""
        cell = cls(id="", engine=engine_of(study, axes["source"]), **axes)
        return cell.model_copy(update={"id": cell._hash(study, certificate)})

    def is_of(self, study: Study, certificate: Certificate) -> bool:
        """Whether the id is the one that this study and certificate give the cell."""
        return (
            self.source in SOURCES
            and self.engine == engine_of(study, self.source)
            and self.id == self._hash(study, certificate)
        )

    def _hash(self, study: Study, certificate: Certificate) -> str:
        return digest(self.identity(study, certificate))[:16]

    @property
    def projected(self) -> bool:
        """Whether the policy is projected; deployed as it is, nothing is promised beforehand."""
        return not isinstance(self.constraint, Unconstrained)

    @property
    def alpha(self) -> float | None:
        """The constant ratio of the constraint, if it has one."""
        return getattr(self.constraint, "alpha", None)

    @property
    def hyperparameters_text(self) -> str | None:
        """The parameters as records have them, such as 'gamma=0.9, lr=0.0001'; None without."""
        return point_text(self.hyperparameters) or None

    @property
    def aim(self) -> float | None:
        """The risk that its policy aims at, where its source aims at one."""
        return self.eps_max if source_class(self.source).targets_risk else None

    @property
    def plugins(self) -> dict[str, dict[str, str]]:
        """The code of each plug-in that decides its numbers, by the plug-in's name."""
        source = source_class(self.source)
        names = filter(None, (source.name, source.family, self.constraint.name))
        return {name: code for name in names if (code := code_of(name))}

    def identity(self, study: Study, certificate: Certificate) -> dict[str, Any]:
        """Everything that the cell's numbers depend on, and nothing about where it runs.

        The parameters of axes are named beside the section that they are in: a record says by them
        what sets its cell apart, and that must not depend on what was run before.

        A cohort's numbers agree with a single run's to float32 rounding, not to the bit.
        """
        engine = {"engine": "cohort"} if self.engine == "cohort" else {}
        plugins = {"plugins": self.plugins} if self.plugins else {}
        place = {"place": self.place.model_dump(mode="json")} if self.place else {}
        aim = {} if self.aim is None else {"eps_max": self.aim}
        most = self.training_episodes
        return {
            **engine,
            **plugins,
            **place,
            **aim,
            **({} if most is None else {"training_episodes": most}),
            "method_version": METHOD_VERSION,
            "source": self.source,
            "constraint": self.constraint.to_json(),
            "horizon": self.horizon,
            "seed": self.seed,
            "base": certificate.base_digest,
            "certificate": certificate.digest,
            "evaluation": study.evaluation.model_dump(mode="json"),
            "deployment": study.deployment and study.deployment.model_dump(mode="json"),
            "env_runners": study.resources.env_runners_per_cell,
            "hyperparameters": dict(self.hyperparameters),
            "gpu": bool(study.resources.gpus_per_cell),  # which share of one: only where it runs
            "training": source_class(self.source)().cell_identity(study, self.hyperparameters),
        }


class Job(BaseModel):
    """One training run and the cells that come out of it; kind: the task policy's source.

    It is trained under the first cell's constraint: that of its only cell, or none.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    cells: tuple[Cell, ...]
