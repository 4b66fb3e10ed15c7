"""Synthetic feedback: segments of episodes, preferences by their true reward, labels by a property.

Episodes come from behaviours of different quality (``sport_ray.comparators.presa.behaviours``). A
segment is every window of L consecutive steps within an episode. Two segments are compared only if
they begin at the same step of their episodes, as a person compares attempts at the same thing; with
R the sum of the environment's own rewards over a segment and τ the noise

    P(i is preferred to j) = 1 / (1 + exp(−(R_i − R_j)/τ))        (Bradley–Terry)

A segment is unsafe if the property, judged on the segment's own states alone, is violated for good:
for ``(!hazard) U goal``, if one of its states lies in the hazard before the goal is reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sport_ray.comparators.presa.behaviours import (
    available_behaviours,
    default_behaviours,
    make_behaviour,
    require_behaviours,
)
from sport_ray.comparators.presa.episodes import Episodes, collect
from sport_ray.comparators.presa.segments import Segments, make_segments
from sport_ray.comparators.presa.settings import FeedbackSettings
from sport_ray.comparators.presa.windows import Windows, comparable_pairs, with_share
from sport_ray.errors import UserError
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.seeding import scenario_generators


@dataclass(frozen=True, eq=False)
class Feedback:
    """Segments, and what collecting them took."""

    segments: Segments
    env_steps: int
    num_episodes: int
    num_violations: int  # episodes that violate the property, late ones included
    collected_unsafe_share: float  # of all windows, before any were left out


def synthetic_feedback(
    plan: ScenarioPlan, base: FrozenPolicy, settings: FeedbackSettings
) -> Feedback:
    """Collect episodes and give feedback on their segments; all follows from the plan's seed.

    An episode should go on after a violation (the point robot: ``end_on_violation`` false), else
    the unsafe way to the goal is never seen to be the faster one.

    Raises:
        UserError: a behaviour that the environment does not allow; segments longer than all
            episodes; a share of unsafe segments that cannot be had.
    """
    episodes = collect_episodes(plan, base, settings)
    return feedback_on(episodes, plan, settings)


def collect_episodes(
    plan: ScenarioPlan, base: FrozenPolicy, settings: FeedbackSettings
) -> Episodes:
    """The behaviours' episodes, one behaviour after the other."""
    allowed = available_behaviours(plan.env_id, base.spec.action_mapping)
    names = settings.behaviours
    if names is None:
        names = default_behaviours(plan.env_id, base.spec.action_mapping)
    require_behaviours(names, allowed, plan.env_id)
    if not names or settings.num_episodes < len(names):
        raise UserError(
            f"num_episodes = {settings.num_episodes} cannot be shared among {len(names)} behaviours"
        )
    edges = np.linspace(0, settings.num_episodes, len(names) + 1).astype(int).tolist()
    return Episodes.concatenate(
        [
            collect(plan, base.spec, make_behaviour(name, base), edges[i], edges[i + 1] - edges[i])
            for i, name in enumerate(names)
        ]
    )


def feedback_on(episodes: Episodes, plan: ScenarioPlan, settings: FeedbackSettings) -> Feedback:
    """Cut episodes into segments, label them and compare pairs of them."""
    # The scenario after the last one: its generator has drawn nothing yet.
    rng, _ = scenario_generators(plan.root_seed, plan.purpose, len(episodes.lengths))
    windows = Windows.cut(episodes, settings.segment_length)
    kept = with_share(windows.unsafe, settings.unsafe_share, rng)
    pairs = comparable_pairs(windows.start[kept], settings.num_pairs, rng)
    reward = windows.reward[kept][pairs]
    first_wins = wins(reward[:, 0] - reward[:, 1], settings.preference_noise, rng)
    pairs = np.where(first_wins[:, None], pairs, pairs[:, ::-1])
    steps = windows.start[kept][:, None] + np.arange(settings.segment_length)
    episode = windows.episode[kept][:, None]
    return Feedback(
        make_segments(
            episodes.observations[episode, steps],
            episodes.actions[episode, steps],
            pairs,
            windows.unsafe[kept],
        ),
        env_steps=episodes.num_steps,
        num_episodes=len(episodes.lengths),
        num_violations=episodes.num_unsatisfied(),
        collected_unsafe_share=float(windows.unsafe.mean()),
    )


def wins(
    difference: NDArray[np.float64], noise: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether the first of a pair is preferred, by its reward minus the other's."""
    draws = rng.random(len(difference))
    if noise == 0.0:
        return np.where(difference == 0.0, draws < 0.5, difference > 0.0)
    found: NDArray[np.bool_] = draws < expit(difference / noise)
    return found
