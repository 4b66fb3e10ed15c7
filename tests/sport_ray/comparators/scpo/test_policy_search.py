"""The search on the point robot: counts, fresh scenarios, and what a refusal does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sport_ray.comparators.scpo.acceptance import AcceptanceTests
from sport_ray.comparators.scpo.policy_rollouts import CountedRollouts
from sport_ray.comparators.scpo.policy_search import SearchSettings, search
from sport_ray.comparators.scpo.subspace import OutputSubspace
from sport_ray.errors import UserError
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import load_policy
from sport_ray.rollouts import Outcomes, ScenarioPlan


def plan(horizon: int = 27) -> ScenarioPlan:
    return ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "fixed", "end_on_violation": False},
        property="(!hazard) U goal",
        horizon=horizon,
        root_seed=3,
        purpose="scpo",
    )


def lengths(outcomes: Outcomes) -> np.ndarray:
    return outcomes.length.astype(np.float64)


def settings(**changed) -> SearchSettings:
    chosen = {
        "iterations": 2, "num_scenarios": 400, "probe_scenarios": 60, "step_size": 0.02,
        "trust_radius": 0.3, "probe_radius": 0.15, "error_factor": 1.0, "smoothness": None,
        "smoothness_margin": 2.0, "seed": 0,
    }  # fmt: skip
    return SearchSettings(**(chosen | changed))


@pytest.fixture(scope="module")
def base():
    return load_policy(BUNDLED / "point_reach_avoid").network


class Watched(CountedRollouts):
    """Remembers which scenarios were run, and by how many different policies."""

    def __init__(self, plan: ScenarioPlan) -> None:
        super().__init__(plan, lengths)
        self.blocks: list[tuple[int, int]] = []
        self.steps_seen = 0

    def run(self, network, first, count):
        self.blocks.append((first, count))
        episodes = super().run(network, first, count)
        self.steps_seen += int(episodes.objective.sum())
        return episodes


@pytest.mark.slow
def test_everything_is_counted_and_tests_are_on_scenarios_of_their_own(base):
    rollouts = Watched(plan())
    tests = AcceptanceTests(0.2, 1e-3, 3)
    found = search(rollouts, OutputSubspace(base, 4, 0), tests, settings())
    assert rollouts.episodes == sum(count for _, count in rollouts.blocks)
    assert rollouts.env_steps == rollouts.steps_seen
    tested = [block for block in rollouts.blocks if block[1] == 400]
    assert len(tested) == 1 + found.accepted + found.refused
    ranges = sorted(set(rollouts.blocks))
    assert all(a + n <= b for (a, n), (b, _) in pairwise(ranges))
    assert all(rollouts.blocks.count(block) == 1 for block in tested)
    assert found.accepted + found.refused + found.stood_still == 2
    assert found.upper_bound <= 0.2


@pytest.mark.slow
def test_a_search_that_is_reckless_is_refused_and_returns_the_base(base):
    # L as good as 0, errors ignored and steps so long that any proposal is another policy: only
    # the tests stand between it and harm.
    reckless = settings(smoothness=1e-9, error_factor=1e-9, step_size=100.0, trust_radius=20.0)
    subspace = OutputSubspace(base, 2, 0)
    found = search(
        CountedRollouts(plan(), lengths), subspace, AcceptanceTests(0.06, 1e-3, 3), reckless
    )
    assert found.accepted == 0
    assert found.refused + found.stood_still == 2
    assert found.refused > 0
    assert found.objective == found.start_objective


def test_an_unsafe_start_is_one_line(base):
    rollouts = CountedRollouts(plan(horizon=14), lengths)
    with pytest.raises(UserError, match=r"the start is not safe: .* raise max_violation") as caught:
        search(rollouts, OutputSubspace(base, 2, 0), AcceptanceTests(0.1, 1e-3, 3), settings())
    assert "\n" not in str(caught.value)
    assert rollouts.episodes == 400


def test_a_test_that_nothing_can_pass(base):
    rollouts = CountedRollouts(plan(), lengths)
    with pytest.raises(UserError, match=r"num_scenarios \(10\) is too small"):
        search(rollouts, OutputSubspace(base, 2, 0), AcceptanceTests(0.1, 1e-3, 3),
               settings(num_scenarios=10))  # fmt: skip
    assert rollouts.episodes == 0
