"""PreSa: a task policy learned offline from preferences and safety labels of segments.

The mathematics is in ``sport_ray.comparators.presa``; docs/comparators.md says what is the paper's
(arXiv 2512.20173) and what was filled in here. Without ``data`` the feedback is synthetic: episodes
of known behaviours in the study's environment, with the study's property, at the cell's T.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from sport_ray.comparators import presa
from sport_ray.comparators.presa.settings import AlignmentSettings, FeedbackSettings, Objective
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
from sport_ray.experiments.task_policies._paths import settled_place
from sport_ray.experiments.task_policies.source import TaskPolicySource
from sport_ray.experiments.task_policies.task import Task, mixed_seed

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.policies import PolicyNetwork

_ALIGN, _FEEDBACK = AlignmentSettings(), FeedbackSettings()
_FEEDBACK_FIELDS = {*FeedbackSettings.__dataclass_fields__, "root_seed"}

Discount = Annotated[float, Number, Field(gt=0.0, le=1.0)]


class PresaSection(Section):
    """Data and learning; see ``FeedbackSettings`` and ``AlignmentSettings``."""

    objective: Objective = _ALIGN.objective
    """`presa`; without the safety constraint; or the clone of the data, with which both begin."""
    data: Name | None = None
    """npz of segments instead of synthetic feedback, relative to the study file."""
    data_digest: str | None = None
    """Its digest, another one is refused; filled in when the study is read."""

    num_episodes: Positive = _FEEDBACK.num_episodes
    """Synthetic episodes, shared equally among the behaviours. [episodes]"""
    num_pairs: Positive = _FEEDBACK.num_pairs
    """Preferences between two segments. [preferences]"""
    segment_length: Positive = _FEEDBACK.segment_length
    """Steps of a segment. [steps]"""
    unsafe_share: Probability | None = _FEEDBACK.unsafe_share
    """Share of unsafe segments in the data; by default what was collected. [1]"""
    preference_noise: NonNegative = _FEEDBACK.preference_noise
    """How noisy preferences are, in units of reward; 0 for no mistakes. [reward]"""
    behaviours: Annotated[tuple[str, ...] | None, Field(strict=False)] = _FEEDBACK.behaviours
    """Who collects the episodes, by name; by default those of the environment."""
    root_seed: Seed = 2
    """Of the synthetic episodes, mixed with the cell's seed. [1]"""

    clone_steps: Natural = _ALIGN.clone_steps
    """Gradient steps of the behaviour clone. [gradient steps]"""
    steps: Natural = _ALIGN.steps
    """Gradient steps after it. [gradient steps]"""
    lr: Rate = _ALIGN.lr
    """Adam's step size. [1]"""
    batch_pairs: Positive = _ALIGN.batch_pairs
    """Preferences per step. [preferences]"""
    batch_segments: Annotated[int, Whole, Field(ge=2, le=LARGEST_COUNT)] = _ALIGN.batch_segments
    """Labelled segments per step, half of each label. [segments]"""
    grad_clip: Rate = _ALIGN.grad_clip
    """Largest norm of a gradient. [1]"""
    gamma: Discount = _ALIGN.gamma
    """Discount per step within a segment. [1]"""
    temperature: Rate = _ALIGN.temperature
    """Scale of a segment's score, 1/nat. [1/nat]"""
    bias: Share = _ALIGN.bias
    """Weight of the other segment in the preference loss. [1]"""
    scale: Rate = _ALIGN.scale
    """Steepness of the safety loss, 1/nat. [1/nat]"""
    margin: NonNegative = _ALIGN.margin
    """How far a segment's mean log ratio is to be from 0, nats per step. [nats/step]"""
    safe_weight: Share = _ALIGN.safe_weight
    """Weight of safe segments in the safety loss. [1]"""
    safety_target: Rate = _ALIGN.safety_target
    """δ, which the safety loss is to stay below, nats. [nats]"""
    multiplier_start: NonNegative = _ALIGN.multiplier_start
    """The safety constraint's multiplier at the beginning. [1]"""
    multiplier_rate: NonNegative = _ALIGN.multiplier_rate
    """Its step size. [1/nat]"""
    multiplier_max: NonNegative = _ALIGN.multiplier_max
    """Its cap. [1]"""
    cloning_weight: NonNegative = _ALIGN.cloning_weight
    """Weight of −log π on safe segments, nats per step, which keeps the policy on the data. [1]"""

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

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of the synthetic episodes."""
        assert isinstance(settings, PresaSection)
        return 0 if settings.data is not None else settings.num_episodes * horizon

    def settle(self, settings: Section, study_folder: Path) -> Section:
        """The settings with the data file's full path and its digest.

        Raises:
            UserError: no such file, a damaged one, or another one than ``data_digest`` says.
        """
        assert isinstance(settings, PresaSection)
        if settings.data is None:
            return settings
        given = f"task_policies.presa: data {settings.data!r}"
        place = settled_place(
            study_folder, settings.data, given, ("presa", "data"), settings.data_digest
        )
        if place is None:
            raise UserError(
                f"{given} does not exist: give an npz file of segments, or remove data for "
                "synthetic feedback"
            )
        path, digest = place
        if digest is None:
            digest = presa.segments_digest(_load(str(path), settings.data_digest))
        return settings.model_copy(update={"data": str(path), "data_digest": digest})

    def check(self, task: Task, settings: Section, base: PolicyNetwork) -> None:
        """Refuse data that do not fit the base, or feedback that cannot be had.

        Raises:
            UserError: one line with the remedy.
        """
        assert isinstance(settings, PresaSection)
        if base.spec.outcomes is not None:
            raise UserError(
                "task_policies.presa learns from segments of real actions, and the base's are "
                "whole numbers: leave presa out (projected_ppo, unconstrained, scpo and imported "
                "take such a base)"
            )
        if settings.data is not None:
            segments = _load(settings.data, settings.data_digest)
            try:
                segments.require_fits(base.spec)
                if settings.objective == "presa":
                    segments.require_both_labels()
            except UserError as error:
                raise UserError(f"task_policies.presa: {settings.data}: {error}") from None
            return
        allowed = presa.available_behaviours(task.environment.id, base.spec.action_mapping)
        presa.require_behaviours(settings.behaviours or allowed, allowed, task.environment.id)
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
            found["data_digest"] = presa.segments_digest(_load(settings.data, None))
        return {"settings": found}

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """Make or read the feedback and learn from it; learning itself runs no episode.

        Raises:
            UserError: data or feedback that cannot be used.
            ArithmeticError: losses or weights that are not finite.
        """
        from sport_ray.experiments.task_policies._training import Trained  # Ray takes seconds
        from sport_ray.policies import FrozenPolicy

        assert isinstance(settings, PresaSection)
        started = time.monotonic()
        if settings.data is not None:
            segments = _load(settings.data, settings.data_digest)
            steps = episodes = violations = 0
        else:
            seed = mixed_seed(settings.root_seed, task.seed)
            plan = task.plan_through_violations("presa", seed)
            feedback = presa.synthetic_feedback(plan, FrozenPolicy(base), settings.feedback)
            segments, steps = feedback.segments, feedback.env_steps
            episodes, violations = feedback.num_episodes, feedback.num_violations
        found = presa.train_policy(base, segments, settings.alignment, task.seed)
        constrained = settings.objective == "presa"
        metrics: dict[str, float | int | None] = {
            "train_violations": violations,
            "train_episodes": episodes,
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


def _load(path: str, digest: str | None) -> presa.Segments:
    """The segments of a file, if they are those of the digest."""
    try:
        segments = presa.load_segments(Path(path))
    except UserError as error:
        raise UserError(f"task_policies.presa: {error}") from None
    found = presa.segments_digest(segments)
    if digest not in (None, found):
        raise UserError(
            f"task_policies.presa: {path} holds the segments {found[:16]}, expected "
            f"{str(digest)[:16]}: put those back, or remove data_digest"
        )
    return segments
