"""On a CPU a cell's numbers are the same to the bit whatever the other cells are, and how many."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.projected_ppo.acting import Actors
from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig
from sport_ray.projected_ppo.cohort.environment import cohort_environment
from sport_ray.projected_ppo.cohort.rollout import Rollout
from sport_ray.projected_ppo.cohort.update import Learning, Schedule


class Trained:
    """A cohort's sampling and learning, without RLlib around them."""

    def __init__(self, configs, iterations) -> None:
        config = ProjectedPPOCohortConfig().cells(configs)
        cells, spec = config.cohort, config.cohort[0].start.spec
        schedule = Schedule(
            config.minibatch_size, config.num_epochs, True, config.gradient != "paper"
        )
        self.learning = Learning(cells, spec, schedule)
        copies = config.num_envs_per_env_runner
        rollout = Rollout(
            cells,
            FrozenPolicy(config.base),
            Actors(spec, self.learning.actors),
            cohort_environment(config.contexts(), copies),
            copies,
            0,
        )
        self.samples = []
        for _ in range(iterations):
            sample = rollout.sample(config.train_batch_size)
            assert not sample.errors
            for index, fragment in enumerate(sample.fragments):
                self.learning.update(index, [fragment], 10**6)
            self.samples.append(sample)

    def bits(self, cell) -> bytes:
        """All numbers of a cell: weights, and what it sampled."""
        parts = [self.learning.actors.flat[cell].numpy(), self.learning.critics.flat[cell].numpy()]
        for sample in self.samples:
            fragment = sample.fragments[cell]
            parts += [fragment.observations, fragment.actions, fragment.action_logp]
            parts += [fragment.action_dist_inputs, fragment.rewards, fragment.taken]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


@pytest.mark.parametrize("gradient", ["paper", "through_projection"])
@pytest.mark.parametrize("copies", [1, 3])
def test_bits_do_not_hang_on_companions(cell, gradient, copies):
    """Beside 0, 1, 2, 4 and 12 others, whose constraints, seeds and rates are others."""
    own = cell(7, "pathwise", copies, gradient=gradient)
    alone = Trained([own], 3).bits(0)
    kinds = ["mean_shift", "pathwise_all", "pathwise"]
    for others in (1, 2, 4, 12):
        companions = [
            cell(100 + i, kinds[i % 3], copies, lr=1e-3 * (1 + i), gamma=0.9, gradient=gradient)
            for i in range(others)
        ]
        at = others // 2
        trained = Trained([*companions[:at], own, *companions[at:]], 3)
        assert trained.bits(at) == alone, others


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_other_activations_too(cell, point_robot_spec, activation):
    from sport_ray.policies import PolicyNetwork

    spec = point_robot_spec.model_copy(update={"activation": activation, "hidden": (33, 17)})
    base = PolicyNetwork(spec)
    own = cell(7, "ratio", 1, base=base, minibatch_size=13)
    alone = Trained([own], 2).bits(0)
    for others in (1, 2, 4):
        companions = [cell(20 + i, base=base, copies=1, minibatch_size=13) for i in range(others)]
        assert Trained([*companions, own], 2).bits(others) == alone


def test_a_companion_that_trains_otherwise_is_otherwise(cell):
    """The numbers above would be the same if nothing acted on them."""
    first = Trained([cell(7), cell(8)], 2)
    assert first.bits(0) != first.bits(1)
    assert Trained([cell(7, lr=2e-3)], 2).bits(0) != first.bits(0)


@pytest.mark.parametrize(
    "option",
    [
        {"lr": 3e-3},
        {"critic_lr": 3e-3},
        {"gamma": 0.8},
        {"lambda_": 0.5},
        {"clip_param": 0.05},
        {"entropy_coeff": 0.1},
        {"grad_clip": 1e-3},
        {"grad_clip": None},
        {"vf_loss_coeff": 5.0},
        {"warmup_env_steps": 10**7},
    ],
    ids=str,
)
def test_a_parameter_acts_on_its_own_cell_alone(cell, option):
    usual = Trained([cell(1, grad_clip=0.2), cell(2, grad_clip=0.2)], 2)
    changed = Trained([cell(1, grad_clip=0.2), cell(2, **{"grad_clip": 0.2, **option})], 2)
    assert changed.bits(0) == usual.bits(0)
    assert changed.bits(1) != usual.bits(1)


def test_threads_of_torch_do_not_matter_to_acting(cell):
    """Sums of the acting pass have one order, whatever torch is set to."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = Trained([cell(3)], 1).samples[0].fragments[0]
    finally:
        torch.set_num_threads(before)
    one = Trained([cell(3)], 1).samples[0].fragments[0]
    assert np.array_equal(one.actions, two.actions)
