"""What PreSa's parts are worth: objective × share of unsafe segments × segment length.

Every policy is judged on the same fresh scenarios, which go on after a violation: so that the time
to the goal is that of the task alone, hazard or no hazard.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from sport_ray.policies import FrozenGaussian, GaussianNetwork
from sport_ray.presa import (
    Aligned,
    AlignmentSettings,
    Feedback,
    FeedbackSettings,
    align,
    clone,
    collect_episodes,
    feedback_on,
)
from sport_ray.presa.settings import Objective
from sport_ray.properties import NEVER
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.environment import POINT_REACH_AVOID
from sport_ray.rollouts.seeding import Purpose
from tracking.statistics import rate_interval

OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
CONFIDENCE = 0.95
Row = dict[str, Any]


@dataclass(frozen=True)
class Ablation:
    """The grid and its sizes. seeds: of data and training, from 0; root_seed: of both purposes."""

    unsafe_shares: tuple[float, ...] = (0.05, 0.2, 0.5)
    segment_lengths: tuple[int, ...] = (4, 8)
    seeds: int = 3
    horizon: int = 27
    num_scenarios: int = 300
    root_seed: int = 0
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    alignment: AlignmentSettings = field(
        default_factory=lambda: AlignmentSettings(clone_steps=300, steps=300)
    )

    @property
    def num_policies(self) -> int:
        """Policies that are learned and evaluated, and the base."""
        points = len(self.unsafe_shares) * len(self.segment_lengths) * self.seeds
        return points * len(OBJECTIVES) + 1


def run_ablation(
    ablation: Ablation, base: GaussianNetwork, progress: Callable[[], None] = lambda: None
) -> pd.DataFrame:
    """One row per policy; the first is the base's. ``progress`` is called after each.

    Data of one seed are cut from the same episodes whatever the share and the length, and the
    clone with which objectives begin is the same for all of them: it is "behaviour_cloning".
    """
    rows: list[Row] = []
    for row in _rows(ablation, base):
        rows.append(row)
        progress()
    return pd.DataFrame(rows)


def _rows(ablation: Ablation, base: GaussianNetwork) -> Iterator[Row]:
    yield {"objective": "base", **evaluate(ablation, base)}
    frozen = FrozenGaussian(base)
    for seed in range(ablation.seeds):
        plan = _plan(ablation, "presa", seed)
        episodes = collect_episodes(plan, frozen, ablation.feedback)
        for share, length in itertools.product(ablation.unsafe_shares, ablation.segment_lengths):
            recipe = replace(ablation.feedback, unsafe_share=share, segment_length=length)
            feedback = feedback_on(episodes, plan, recipe)
            reference = clone(base, feedback.segments, ablation.alignment, seed)
            for objective in OBJECTIVES:
                started = time.monotonic()
                settings = replace(ablation.alignment, objective=objective)
                found = align(reference, feedback.segments, settings, seed)
                yield {
                    "objective": objective,
                    "unsafe_share": share,
                    "segment_length": length,
                    "seed": seed,
                    **evaluate(ablation, found.network),
                    **_fit(feedback, found, settings),
                    "seconds": time.monotonic() - started,
                }


def _fit(feedback: Feedback, found: Aligned, settings: AlignmentSettings) -> Row:
    constrained = settings.objective == "presa"
    return {
        "env_steps": feedback.env_steps,
        "train_violations": feedback.num_violations,
        "segments": feedback.segments.num_segments,
        "collected_unsafe_share": feedback.collected_unsafe_share,
        "preference_accuracy": found.preference_accuracy,
        "safety_loss": found.safety_loss,
        "safety_target": settings.safety_target if constrained else None,
        "multiplier": found.multiplier,
    }


def _plan(ablation: Ablation, purpose: Purpose, seed: int) -> ScenarioPlan:
    mixed = np.random.SeedSequence([ablation.root_seed, seed])
    return ScenarioPlan(
        env_id=POINT_REACH_AVOID,
        env_kwargs={"layout": "fixed", "end_on_violation": False},
        property="(!hazard) U goal",
        horizon=ablation.horizon,
        root_seed=int(mixed.generate_state(1, np.uint64)[0]),
        purpose=purpose,
    )


def evaluate(ablation: Ablation, policy: GaussianNetwork) -> Row:
    """Violations (hazard, or out of time) with their interval, and steps of the task alone.

    mean_task_steps: over all episodes; one that does not arrive takes T.
    """
    count = ablation.num_scenarios
    behaviour = BaseBehaviour(FrozenGaussian(policy))
    outcomes = run_scenarios(_plan(ablation, "evaluate", 0), behaviour, 0, count)
    violations = outcomes.num_violations(ablation.horizon)
    hazard = int((outcomes.violated_at != NEVER).sum())
    low, high = rate_interval(count, violations, CONFIDENCE)
    return {
        "num_scenarios": count,
        "num_violations": violations,
        "num_hazard": hazard,
        "num_timeout": violations - hazard,
        "violation_rate": violations / count,
        "rate_low": low,
        "rate_high": high,
        "mean_task_steps": float(outcomes.length.mean()),
    }
