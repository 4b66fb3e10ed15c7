"""The interfaces of task-policy sources: what makes a task policy from a base.

A ``TaskPolicySource`` makes a policy of the base's family, sizes and action mapping: it is
evaluated as it is, and projected at deployment. A ``SelectionSource`` makes a way of choosing
among the base's own samples, for any base. The certified bound belongs to what is deployed under
the constraint, whoever made the policy; the source alone decides what it costs: steps, episodes,
violations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Section
from sport_ray.plugins import TASK_POLICIES, plugin, qualified

if TYPE_CHECKING:  # torch takes seconds: a mistake in a study is told before
    from collections.abc import Mapping

    from sport_ray.certificates import Certificate
    from sport_ray.experiments.config.axes import Point
    from sport_ray.experiments.config.sections import CertificateSection
    from sport_ray.experiments.config.training import (
        TrainingSection,
        UnconstrainedTrainingSection,
    )
    from sport_ray.experiments.config.tuning import TuningSection
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork
    from sport_ray.projected_ppo import ProjectedPPOConfig
    from sport_ray.samplers import BaseFile

InTraining = Literal["nothing", "its constraint", "no episodes"]
SOURCES: dict[str, type[Source]] = {}
"""Every source by the name that a study gives it."""
_PACKAGE = __name__.rpartition(".")[0]


def require_alike(policy: PolicyNetwork, base: PolicyNetwork, what: str, budget: int = 0) -> None:
    """Refuse a policy that has no density ratio to the base: it needs one space of samples.

    what: begins the line of the error. budget: entries that its constraint's budget adds to what
    it sees; a policy may use them or not.

    Raises:
        UserError: other sizes, or another mapping from samples to actions.
    """
    ours, theirs = policy.spec, base.spec
    sizes = (ours.observation_size, ours.action_size)
    expected = (theirs.observation_size, theirs.action_size)
    if sizes not in (expected, (expected[0] + budget, expected[1])):
        raise UserError(
            f"{what} has {sizes[0]} observations and {sizes[1]} actions, the base {expected[0]} "
            f"and {expected[1]}: give a policy for the base's environment"
        )
    if ours.flattening != theirs.flattening:
        raise UserError(
            f"{what} was made for another observation space than the base: give a policy for the "
            "base's environment"
        )
    if ours.action_mapping != theirs.action_mapping:
        raise UserError(
            f"{what} maps samples to actions otherwise than the base, so they have no density "
            "ratio: give a policy with the base's action mapping"
        )


def require_density(base: BaseFile, what: str) -> PolicyNetwork:
    """The network of a base whose density is known.

    Raises:
        UserError: a base that can only be sampled.
    """
    from sport_ray.policies import PolicyFile

    if isinstance(base, PolicyFile):
        return base.network
    raise UserError(
        f"{what} needs the base policy's density, and {base.spec.entry!r} can only be sampled: "
        "name sources that choose among its samples (task_policies: [critic])"
    )


def family_of(base: BaseFile) -> str:
    """The name of what a base with a density draws from; of any other "gaussian", unused."""
    from sport_ray.policies import PolicyFile

    return base.network.spec.family.name if isinstance(base, PolicyFile) else "gaussian"


def source_class(name: str) -> type[Source]:
    """The source that a study names, imported where it is a plug-in.

    name: of one that ships, ``module:name``, or that of an entry point in the group
        ``sport_ray.task_policies``.

    Raises:
        UserError: an unknown one, or a module that cannot be imported, or has no such source.
    """
    found = plugin(TASK_POLICIES, name, Source, SOURCES)
    if found is None:
        raise UserError(f"unknown task policy {name!r}; known: {', '.join(sorted(SOURCES))}")
    return found


class NoSettings(Section):
    """For a source whose settings are elsewhere in the study, or that has none."""


class StudySections(Protocol):
    """The sections of a study that say how its sources make policies."""

    @property
    def certificate(self) -> CertificateSection: ...
    @property
    def training(self) -> TrainingSection: ...
    @property
    def unconstrained_training(self) -> UnconstrainedTrainingSection | None: ...
    @property
    def tuning(self) -> TuningSection | None: ...
    @property
    def task_policies(self) -> Mapping[str, Any] | None: ...


class Source(ABC):
    """A way to make a task policy; subclasses are found by ``name``.

    name: as written in a study; outside this package it gets its module in front,
    ``my_package.my_module:name``. title: short, for tables and legends. settings: its section of a
    study, whose defaults are enough to run it. promise: which promise the policy carries by itself,
    one clause; what projection adds is the constraint's business.

    depends_on_base: whether its policy is another one where base or certificate are. If not, a
    study over several bases makes it once, and ``train`` may use of the base its architecture, and
    of the certificate nothing. trains: whether making it may take longer than evaluating it.
    needs_ray: whether it is made by RLlib, which does not work without.

    in_training: what is promised of the episodes that training runs: nothing; that each of them
    keeps the cell's constraint at every step, also where the policy changes in the middle of it;
    or that there are none. One that promises has ``most_episodes``.

    under_constraint: whether a policy is trained under a cell's constraint, and is only ever used
    projected onto it; otherwise one policy serves as it is and under every constraint. sections: of
    a study with the source's settings, the most specific first, where they are not under its own
    name. targets_risk: whether a policy aims at an acceptable risk, ``task.eps_max``: there is one
    for each of ``sweep.eps_max``, used as it is, with no promise of what it reaches. sweep_method:
    the entry of ``sweep.methods`` that asks for it in a study without
    ``task_policies``.

    is_base: whether its policy is the base itself; its only cells are at α = 1 then.

    A source is made anew for every policy and keeps nothing.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[Section]]
    promise: ClassVar[str]
    depends_on_base: ClassVar[bool] = True
    trains: ClassVar[bool] = True
    needs_ray: ClassVar[bool] = False
    is_base: ClassVar[bool] = False
    under_constraint: ClassVar[bool] = False
    targets_risk: ClassVar[bool] = False
    in_training: ClassVar[InTraining] = "nothing"
    sections: ClassVar[tuple[str, ...]] = ()
    sweep_method: ClassVar[str | None] = None
    why_alone: ClassVar[str | None] = "it does not train by one run of PPO"
    """Why its policies cannot be trained in a cohort, one clause; None where they can: the source
    then has ``configuration`` and ``env_steps``."""
    family: ClassVar[str | None]
    """What its policies draw from, None for what the base does: constraints whose theorem needs
    another have no cells of it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):  # a variant of its parent, whose name stays the parent's
            return
        if "train" in vars(cls) and not {"configuration", "why_alone"} & vars(cls).keys():
            cls.why_alone = Source.why_alone  # what it inherits is of another way of training
        cls.name = qualified(cls, _PACKAGE)
        known = SOURCES.get(cls.name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"name {cls.name!r} is taken by the source {known.__qualname__}")
        for attribute in ("title", "settings", "promise"):
            if not hasattr(cls, attribute):
                raise ValueError(f"source {cls.name!r} has no {attribute}")
        if cls.in_training == "its constraint" and not cls.under_constraint:
            raise ValueError(
                f"source {cls.name!r} promises what its constraint does in training, and trains "
                "under none: it has under_constraint = True"
            )
        if cls.is_base and not cls.under_constraint:
            raise ValueError(
                f"source {cls.name!r} is the base itself, whose cells are at alpha = 1: it has "
                "under_constraint = True"
            )
        if cls.targets_risk and (cls.under_constraint or not cls.depends_on_base):
            raise ValueError(
                f"source {cls.name!r} aims at a risk: a constraint of its own, or a policy for "
                "several bases, it has not"
            )
        if not cls.depends_on_base and (cls.under_constraint or cls.why_alone is None):
            raise ValueError(
                f"source {cls.name!r} trains under a constraint or in cohorts, around a base: it "
                "has depends_on_base = True"
            )
        for method in ("configuration", "env_steps"):
            own = getattr(cls, method, None)
            if cls.why_alone is None and own in (None, getattr(TaskPolicySource, method)):
                raise ValueError(f"source {cls.name!r} has why_alone = None and no {method}")
        SOURCES[cls.name] = cls

    def settle(self, settings: Section, study_folder: Path) -> Section:
        """The settings with all that depends on where the study file lies, once it is read.

        study_folder: the folder that relative paths of the study file start from.

        Raises:
            UserError: something that the settings name and that is not there.
        """
        return settings

    def require(self, task: Task, settings: Section, base: BaseFile) -> None:
        """Refuse, before anything runs, what can never be made from this base.

        task: that of the shortest episodes.

        Raises:
            UserError: one line with the remedy.
        """
        return  # nothing to refuse, unless a source knows of something

    def parameters(self, study: StudySections) -> set[str]:
        """The axes of the sweep that its policy depends on, by name."""
        return set()

    def settings_in(self, study: StudySections, point: Point) -> Section:
        """The study's settings of the source, at a point of the sweep's axes."""
        assert study.task_policies is not None
        found: Section = study.task_policies[self.name]
        return found

    def most_episodes(self, settings: Section) -> int | None:
        """How many episodes training begins at most; None where nothing is known of it."""
        return 0 if self.in_training == "no episodes" else None

    def steps(self, settings: Section, horizon: int) -> int:
        """Environment steps that making one policy takes, about: for an estimate of its cost."""
        return 0

    def cell_identity(self, study: StudySections, point: Point) -> dict[str, Any]:
        """What the source adds to the identity of its cells.

        Nothing where the study has it no more: that is no cell of the study's.
        """
        settings = (study.task_policies or {}).get(self.name)
        return {} if settings is None else self.identity(settings)

    def identity(self, settings: Section) -> dict[str, Any]:
        """What the policy depends on beside base, certificate, T and seed, as plain JSON values.

        It is hashed into the names of the source's cells. The study's sections on PPO's training
        are not in it: a source that read them would take old cells for new ones.
        """
        return {"settings": settings.model_dump(mode="json")}


class TaskPolicySource(Source):
    """A source of policies of the base's own family. ``train`` is all that it must have.

    needs_layers: whether it starts from the base's own layers, which an ONNX graph has not.
    """

    family: ClassVar[str | None] = None
    needs_layers: ClassVar[bool] = True

    @abstractmethod
    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """The task policy for episodes of ``task.horizon`` steps, and what it took.

        settings: see ``settings_in``.

        ``Trained.env_steps`` counts all environment steps that were run: data collection and safety
        rollouts included. ``Trained.metrics``, plain numbers or None, become fields of the record:
        ``train_episodes``, how many episodes were run; ``train_violations``, how many of them
        violated the property within T steps, late ones included; ``train_return``;
        ``clip_fraction``; and others under the source's name, such as ``scpo_accepted``.

        Everything random follows from ``task.seed``, and nothing decides what comes out that is
        not in the cells' identity. Sizes and action mapping must be the base's
        (``require_alike``).

        Raises:
            UserError: a task or a certificate that the source cannot use.
            ArithmeticError: training that went wrong; the cells are recorded as failed.
        """

    def configuration(
        self, task: Task, settings: Section, base: PolicyNetwork
    ) -> ProjectedPPOConfig:
        """The one run of PPO that ``train`` is, seed and constraint in it, where it is one.

        It decides all of what comes out, with ``env_steps``: a cohort trains from it. Asked for
        where ``why_alone`` is None, and only there.

        Raises:
            UserError: as ``train``.
        """
        raise NotImplementedError

    def env_steps(self, settings: Section) -> int:
        """How many environment steps that run samples, at least."""
        raise NotImplementedError

    def completed(
        self,
        task: Task,
        settings: Section,
        base: PolicyNetwork,
        certificate: Certificate,
        trained: Trained,
    ) -> Trained:
        """The task policy with what is made of it once a cohort has trained its network.

        By default the network itself. ``train`` gives what this gives after a run of its own.
        """
        return trained

    def check(self, task: Task, settings: Section, base: PolicyNetwork) -> None:
        """Refuse, before anything runs, what can never be trained from this base.

        task: that of the shortest episodes.

        Raises:
            UserError: one line with the remedy.
        """
        return  # nothing to refuse, unless a source knows of something

    def require(self, task: Task, settings: Section, base: BaseFile) -> None:
        """Refuse a base without a density, or without layers, and what ``check`` refuses."""
        network = require_density(base, self.name)
        if self.needs_layers and network.spec.body == "graph":
            raise UserError(
                f"{self.name} starts from the base's own layers, and this base is an ONNX graph: "
                "name projected_ppo, unconstrained, imported, or what chooses among its samples"
            )
        if self.trains and network.spec.recurrence is not None:
            raise UserError(
                f"{self.name} trains around a law of one observation, and this base is recurrent: "
                "give a task policy without memory from elsewhere (task_policies: imported)"
            )
        self.check(task, settings, network)


class SelectionSource(Source):
    """A source of ways to choose among the base's samples. ``select`` is all that it must have.

    needs_transitions: whether it learns from those that the certificate's scenarios kept.
    """

    family: ClassVar[str | None] = "categorical"
    needs_transitions: ClassVar[bool] = False

    def learns_from(self, settings: Section) -> bool:
        """Whether it learns from them with these settings."""
        return self.needs_transitions

    def cell_identity(self, study: StudySections, point: Point) -> dict[str, Any]:
        """As of any source, and of how many of the certificate's scenarios it learns."""
        found = super().cell_identity(study, point)
        settings = (study.task_policies or {}).get(self.name)
        if settings is None or not self.learns_from(settings):
            return found
        return {**found, "transitions": study.certificate.transitions}

    @abstractmethod
    def select(
        self,
        task: Task,
        settings: Section,
        base: BaseFile,
        certificate: Certificate,
        transitions: Path,
    ) -> Trained:
        """The selector for episodes of ``task.horizon`` steps, and what it took.

        transitions: the file with those that the certificate's scenarios kept, which may not be
        there. ``Trained`` and errors are as for ``TaskPolicySource.train``.
        """
