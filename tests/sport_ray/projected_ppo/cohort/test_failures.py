"""A cell whose training diverges, or whose batch is not within its limit, ends alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sport_ray.errors import UserError


def weights(network) -> np.ndarray:
    return np.concatenate([value.numpy().ravel() for value in network.state_dict().values()])


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_cell_that_diverges_ends_alone(build, cell):
    """The others' numbers are those of a cohort without it, to the bit."""
    sound = [cell(seed) for seed in (1, 2)]
    together = build([sound[0], cell(3, lr=1e30), sound[1]])
    apart = build(sound)
    for _ in range(4):
        result, expected = together.train(), apart.train()
    assert isinstance(together.error(1), (ArithmeticError, ValueError))
    assert together.error(0) is None
    assert together.error(2) is None
    assert result["cells"][0] == expected["cells"][0]
    assert result["cells"][2] == expected["cells"][1]
    assert np.array_equal(weights(together.policy(2)), weights(apart.policy(1)))
    steps = [one["num_env_steps_sampled_lifetime"] for one in result["cells"]]
    assert steps[1] < min(steps[0], steps[2])


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_cohort_of_failed_cells_raises(build, cell):
    """There is nothing left to train, and whoever waits for steps must be told."""
    cohort = build([cell(1, lr=1e30), cell(2, lr=1e30)])
    with pytest.raises((ArithmeticError, ValueError)):
        for _ in range(4):
            cohort.train()


def test_every_stored_ratio_is_checked(rollout, cell, elsewhere):
    """In the single algorithm's words."""
    from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig
    from sport_ray.projected_ppo.cohort.update import Learning, Schedule

    configs = [cell(1, task=elsewhere), cell(2, "mean_shift", task=elsewhere)]
    for config in configs:
        fragment = rollout([config]).sample(40).fragments[0]
        cohort = ProjectedPPOCohortConfig().cells([config]).cohort
        learning = Learning(cohort, cohort[0].start.spec, Schedule(20, 1, True, False))
        learning.update(0, [fragment], 40)
        moved = fragment.action_dist_inputs.copy()
        moved[3, 0, 0] += 5.0
        wrong = dataclasses.replace(fragment, action_dist_inputs=moved)
        with pytest.raises(ArithmeticError, match="it was not sampled as projected"):
            learning.update(0, [wrong], 40)
        moved[3, 0, 0] = np.nan
        with pytest.raises(ArithmeticError, match="action_dist_inputs are not all finite"):
            learning.update(0, [wrong], 40)


def test_a_gradient_that_is_not_finite_is_told(rollout, cell):
    from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig
    from sport_ray.projected_ppo.cohort.update import Learning, Schedule

    config = cell(1, vf_loss_coeff=float("inf"))
    fragment = rollout([config]).sample(40).fragments[0]
    cohort = ProjectedPPOCohortConfig().cells([config]).cohort
    learning = Learning(cohort, cohort[0].start.spec, Schedule(20, 1, True, False))
    before = learning.critics.flat.clone()
    with pytest.raises(ArithmeticError, match="the gradient of critic is not finite"):
        learning.update(0, [fragment], 40)
    assert (learning.critics.flat == before).all()


def test_an_observation_that_is_not_finite_fails_its_cell_alone(rollout, cell):
    sampler = rollout([cell(seed, copies=1) for seed in (1, 2, 3)])
    sound = rollout([cell(seed, copies=1) for seed in (1, 2, 3)])
    step = sampler.environment.step

    def broken(cells, actions):
        found = step(cells, actions)
        found.observation[np.asarray(cells) == 1] = np.nan
        return found

    sampler.environment.step = broken
    found, expected = sampler.sample(30), sound.sample(30)
    assert isinstance(found.errors[1], UserError)
    assert "observations must be finite" in str(found.errors[1])
    for index in (0, 2):
        got = found.fragments[index]
        assert np.array_equal(got.actions, expected.fragments[index].actions)
