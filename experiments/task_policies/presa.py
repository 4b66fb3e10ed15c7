"""PreSa: a task policy learned offline from preferences and safety labels of segments.

The mathematics is in ``sport_ray.comparators.presa``; docs/presa.md says what is the paper's (arXiv
2512.20173) and what was filled in here. Without ``data`` the feedback is synthetic: episodes of
known behaviours in the study's environment, with the study's property, at the cell's T.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from sport_ray.comparators.presa import (
    AlignmentSettings,
    FeedbackSettings,
    Segments,
    available_behaviours,
    load_segments,
    require_behaviours,
    segments_digest,
    synthetic_feedback,
    train_policy,
)
from sport_ray.comparators.presa.settings import Objective
from sport_ray.errors import UserError
from sport_ray.experiments.config.base import (
    Name,
    Natural,
    NonNegative,
    Number,
    Positive,
    Probability,
    Rate,
    Section,
    Seed,
    Share,
    Whole,
)
from sport_ray.experiments.config.limits import LARGEST_COUNT
from sport_ray.experiments.config.paths import exists, user_path
from sport_ray.experiments.task_policies._paths import same_place, settled_before
from sport_ray.experiments.task_policies.source import TaskPolicySource
from sport_ray.policies import FrozenGaussian, GaussianNetwork
from sport_ray.rollouts import ScenarioPlan
from sport_ray.rollouts.environment import POINT_REACH_AVOID

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task

_ALIGN, _FEEDBACK = AlignmentSettings(), FeedbackSettings()
_FEEDBACK_FIELDS = {*FeedbackSettings.__dataclass_fields__, "root_seed"}

Discount = Annotated[float, Number, Field(gt=0.0, le=1.0)]


class PresaSection(Section):
    """Data and learning; see ``FeedbackSettings`` and ``AlignmentSettings``.

    data: an npz file of segments to learn from instead of synthetic feedback, relative to the study
    file; data_digest: its digest, another one is refused (filled in when the study is read).
    root_seed: of the synthetic episodes, mixed with the cell's seed.
    """

    objective: Objective = _ALIGN.objective
    data: Name | None = None
    data_digest: str | None = None

    num_episodes: Positive = _FEEDBACK.num_episodes
    num_pairs: Positive = _FEEDBACK.num_pairs
    segment_length: Positive = _FEEDBACK.segment_length
    unsafe_share: Probability | None = _FEEDBACK.unsafe_share
    preference_noise: NonNegative = _FEEDBACK.preference_noise
    behaviours: Annotated[tuple[str, ...] | None, Field(strict=False)] = _FEEDBACK.behaviours
    root_seed: Seed = 2

    clone_steps: Natural = _ALIGN.clone_steps
    steps: Natural = _ALIGN.steps
    lr: Rate = _ALIGN.lr
    batch_pairs: Positive = _ALIGN.batch_pairs
    batch_segments: Annotated[int, Whole, Field(ge=2, le=LARGEST_COUNT)] = _ALIGN.batch_segments
    grad_clip: Rate = _ALIGN.grad_clip
    gamma: Discount = _ALIGN.gamma
    temperature: Rate = _ALIGN.temperature
    bias: Share = _ALIGN.bias
    scale: Rate = _ALIGN.scale
    margin: NonNegative = _ALIGN.margin
    safe_weight: Share = _ALIGN.safe_weight
    safety_target: Rate = _ALIGN.safety_target
    multiplier_start: NonNegative = _ALIGN.multiplier_start
    multiplier_rate: NonNegative = _ALIGN.multiplier_rate
    multiplier_max: NonNegative = _ALIGN.multiplier_max
    cloning_weight: NonNegative = _ALIGN.cloning_weight

    @property
    def alignment(self) -> AlignmentSettings:
        """How the policy is learned."""
        known = AlignmentSettings.__dataclass_fields__
        return AlignmentSettings(**{name: getattr(self, name) for name in known})

    @property
    def feedback(self) -> FeedbackSettings:
        """How synthetic feedback is made."""
        known = FeedbackSettings.__dataclass_fields__
        return FeedbackSettings(**{name: getattr(self, name) for name in known})

    @model_validator(mode="after")
    def _consistent(self) -> PresaSection:
        _ = (self.alignment, self.feedback)  # they check themselves
        changed = sorted(self.model_fields_set & _FEEDBACK_FIELDS)
        differing = [
            name for name in changed if getattr(self, name) != type(self).model_fields[name].default
        ]
        if self.data is not None and differing:
            raise ValueError(
                f"{differing[0]} is for synthetic feedback, and data is given: remove one"
            )
        return self


class PresaSource(TaskPolicySource):
    """Offline learning from preferences under a constraint on safety labels, as PreSa describes."""

    name = "presa"
    title = "PreSa"
    settings = PresaSection
    promise = "none before it is evaluated"

    def settle(self, settings: Section, study_folder: Path) -> Section:
        """The settings with the data file's full path and its digest.

        Raises:
            UserError: no such file, a damaged one, or another one than ``data_digest`` says.
        """
        assert isinstance(settings, PresaSection)
        if settings.data is None:
            return settings
        path = Path(study_folder, user_path(settings.data)).absolute()
        if not exists(path, f"task_policies.presa: data {settings.data!r}"):
            known = settled_before(Path(study_folder), PresaSource.name, PresaSection)
            if (
                known is not None
                and known.data is not None
                and settings.data_digest in (None, known.data_digest)
                and same_place(known.data, settings.data)
            ):
                return settings.model_copy(
                    update={"data": known.data, "data_digest": known.data_digest}
                )
            raise UserError(
                f"task_policies.presa: data {settings.data!r} does not exist (no {path}): give an "
                "npz file of segments, or remove data for synthetic feedback"
            )
        found = segments_digest(_load(str(path), settings.data_digest))
        return settings.model_copy(update={"data": str(path), "data_digest": found})

    def check(self, task: Task, settings: Section, base: GaussianNetwork) -> None:
        """Refuse data that do not fit the base, or feedback that cannot be had.

        Raises:
            UserError: one line with the remedy.
        """
        assert isinstance(settings, PresaSection)
        if settings.data is not None:
            segments = _load(settings.data, settings.data_digest)
            try:
                segments.require_fits(base.spec)
                if settings.objective == "presa":
                    segments.require_both_labels()
            except UserError as error:
                raise UserError(f"task_policies.presa: {settings.data}: {error}") from None
            return
        allowed = available_behaviours(task.environment.id, base.spec.action_mapping)
        require_behaviours(settings.behaviours or allowed, allowed, task.environment.id)
        if settings.segment_length > task.horizon:
            raise UserError(
                f"task_policies.presa: segment_length = {settings.segment_length} is longer than "
                f"the episodes of horizon {task.horizon}: lower it"
            )

    def identity(self, settings: Section) -> dict[str, Any]:
        """The settings; of a data file its content, wherever it lies."""
        assert isinstance(settings, PresaSection)
        if settings.data is None:
            return {"settings": settings.model_dump(mode="json", exclude={"data"})}
        found = settings.model_dump(mode="json", exclude={"data", *_FEEDBACK_FIELDS})
        if settings.data_digest is None:  # of settings that were not settled
            found["data_digest"] = segments_digest(_load(settings.data, None))
        return {"settings": found}

    def train(
        self, task: Task, settings: Section, base: GaussianNetwork, certificate: Certificate
    ) -> Trained:
        """Make or read the feedback and learn from it; learning itself runs no episode.

        Raises:
            UserError: data or feedback that cannot be used.
            ArithmeticError: losses or weights that are not finite.
        """
        from sport_ray.experiments.task_policies._training import Trained  # Ray takes seconds

        assert isinstance(settings, PresaSection)
        started = time.monotonic()
        if settings.data is not None:
            segments = _load(settings.data, settings.data_digest)
            steps = episodes = violations = 0
        else:
            plan = feedback_plan(task, settings.root_seed)
            feedback = synthetic_feedback(plan, FrozenGaussian(base), settings.feedback)
            segments, steps = feedback.segments, feedback.env_steps
            episodes, violations = feedback.num_episodes, feedback.num_violations
        found = train_policy(base, segments, settings.alignment, task.seed)
        constrained = settings.objective == "presa"
        metrics: dict[str, float | int | None] = {
            "train_violations": violations,
            "train_episodes": episodes,
            "train_return": None,
            "clip_fraction": None,
            "presa_segments": segments.num_segments,
            "presa_pairs": len(segments.pairs),
            "presa_unsafe_share": segments.unsafe_share,
            "presa_preference_loss": found.preference_loss,
            "presa_preference_accuracy": found.preference_accuracy,
            "presa_safety_loss": found.safety_loss,
            "presa_safety_target": settings.safety_target if constrained else None,
            "presa_multiplier": found.multiplier,
        }
        return Trained(found.network, steps, time.monotonic() - started, metrics)


def feedback_plan(task: Task, root_seed: int) -> ScenarioPlan:
    """The episodes of synthetic feedback: with a purpose of their own, and through violations."""
    mixed = np.random.SeedSequence([root_seed, task.seed])
    through = {"end_on_violation": False} if task.environment.id == POINT_REACH_AVOID else {}
    return ScenarioPlan(
        env_id=task.environment.id,
        env_kwargs={**task.environment.kwargs, **through},
        property=task.property,
        horizon=task.horizon,
        root_seed=int(mixed.generate_state(1, np.uint64)[0]),
        purpose="presa",
        environment_horizon=task.max_horizon,
        copies=task.environment.copies,
    )


def _load(path: str, digest: str | None) -> Segments:
    """The segments of a file, if they are those of the digest."""
    try:
        segments = load_segments(Path(path))
    except UserError as error:
        raise UserError(f"task_policies.presa: {error}") from None
    found = segments_digest(segments)
    if digest not in (None, found):
        raise UserError(
            f"task_policies.presa: {path} holds the segments {found[:16]}, expected "
            f"{str(digest)[:16]}: put those back, or remove data_digest"
        )
    return segments
