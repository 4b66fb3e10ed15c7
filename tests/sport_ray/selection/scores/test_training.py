"""Training finds a law that is known, and is a function of its arguments."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.policies import ActionMapping
from sport_ray.selection.scores import (
    Atoms,
    Critic,
    CriticData,
    CriticOptions,
    ScoreNetwork,
    spec_of,
    train_critic,
)
from sport_ray.selection.scores.rules import greedy
from sport_ray.selection.scores.training import _Training, greedy_shares

FAR, HORIZON = 4, 12
FAST = CriticOptions(
    embedding=(16,),
    hidden=(32, 16),
    outcome_updates=200,
    bootstrap_updates=400,
    batch_size=128,
    lr=1e-2,
    final_lr=5e-4,
    averaging=0.05,
)


def exact(forward: float = 0.5) -> np.ndarray:
    """P(steps to go = k + 1 | distance), the rest last, with that probability of a step forward."""
    laws = np.zeros((FAR + 1, HORIZON + 1))
    arrived = np.zeros(FAR + 1)
    arrived[0] = 1.0
    for k in range(HORIZON):
        after = arrived.copy()
        after[1:] = forward * arrived[:-1] + (1.0 - forward) * arrived[1:]
        laws[:, k] = after - arrived
        arrived = after
    laws[:, -1] = 1.0 - arrived
    return laws


def walks(count: int, seed: int) -> CriticData:
    """Walks from distance 4: an action above 0 is a step forward; cut after 60 steps."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, float, int]] = []
    following: list[int] = []
    for _ in range(count):
        place, taken = FAR, 0
        while place and taken < 60:
            action = rng.normal()
            rows.append((place, action, taken))
            following.append(len(rows))
            place, taken = place - (action > 0.0), taken + 1
        following[-1] = -1
    place, action, taken = (np.array(column) for column in zip(*rows, strict=True))
    following = np.array(following)
    arrived = (place == 1) & (action > 0.0)
    return CriticData(
        observation=place[:, None].astype(np.float32),
        action=action[:, None].astype(np.float32),
        candidates=rng.normal(size=(len(place), 8, 1)).astype(np.float32),
        reward=np.full(len(place), -1.0, dtype=np.float32),
        following=following,
        failed=(following < 0) & ~arrived,
        step=taken.astype(np.int64),
    )


def error(data: CriticData, options: CriticOptions) -> float:
    """Largest error of a cumulative law, over distances and actions to either side."""
    spec = spec_of(data, Atoms.of_steps(HORIZON), options, ActionMapping("tanh"))
    network, _ = train_critic(data, spec, options, seed=1)
    return error_of(network, exact())


def error_of(network: ScoreNetwork, later: np.ndarray) -> float:
    """The same of a critic, where ``later`` are the laws at the next distance."""
    distances = np.arange(1.0, FAR + 1.0)[:, None]
    acts = np.broadcast_to(np.array([[-1.0], [1.0]]), (FAR, 2, 1))
    found = Critic(network).laws(distances, acts).cumsum(axis=-1)
    wanted = np.zeros((FAR, 2, HORIZON + 1))
    for place in range(1, FAR + 1):
        for forward in (0, 1):
            after = place - forward
            law = np.eye(HORIZON + 1)[0] if after == 0 else np.zeros(HORIZON + 1)
            if after:
                law[1:-1] = later[after, :-2]
                law[-1] = 1.0 - law[:-1].sum()
            wanted[place - 1, forward] = law.cumsum()
    return float(np.abs(found - wanted).max())


def test_a_known_law_is_learned_and_the_critics_own_labels_are_less_noisy():
    data = walks(300, seed=2)
    with_both = error(data, FAST)
    by_outcome = error(data, FAST.model_copy(update={"bootstrap_updates": 0}))
    assert with_both < 0.06
    assert with_both < by_outcome


def test_the_same_arguments_give_the_same_critic():
    data = walks(30, seed=3)
    options = FAST.model_copy(update={"outcome_updates": 5, "bootstrap_updates": 5})
    spec = spec_of(data, Atoms.of_steps(HORIZON), options)
    found = []
    for seed, noise in ((1, 0), (1, 1), (2, 0)):
        torch.manual_seed(noise)
        before = torch.random.get_rng_state()
        network, losses = train_critic(data, spec, options, seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        found.append((torch.cat([p.ravel() for p in network.parameters()]), losses))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert not torch.equal(found[0][0], found[2][0])


@given(st.integers(2, 100), st.floats(0.0, 6.0))
def test_shares_are_the_greedy_choice_within_the_ratio(count, limit):
    shares = greedy_shares(count, limit).double().numpy()
    assert shares.sum() == pytest.approx(1.0, abs=1e-5)
    assert shares.max() <= math.exp(limit) / count * (1.0 + 1e-6)
    ranked = -np.arange(1.0, count + 1.0)
    law = np.append(np.zeros(count), 1.0)[None, None, :].repeat(count, axis=1)
    law[0, np.arange(count), np.arange(count)], law[0, :, -1] = 1.0, 0.0
    weights = np.exp(greedy(law, np.append(ranked, -count - 1.0), np.array([limit])))[0]
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=1e-6)


def test_no_ratio_leaves_the_base_and_any_ratio_takes_the_best():
    assert greedy_shares(4, 0.0).tolist() == [0.25] * 4
    assert greedy_shares(4, math.inf).tolist() == [1.0, 0.0, 0.0, 0.0]


def chosen_forward(draws: int, limit: float) -> float:
    """P(a step forward) of the greedy choice among draws that go forward with probability ½."""
    return sum(
        math.comb(draws, k) / 2**draws * min(k * math.exp(limit) / draws, 1.0)
        for k in range(draws + 1)
    )


def test_within_a_ratio_the_law_is_that_of_the_selection():
    data = walks(300, seed=2)
    spec = spec_of(data, Atoms.of_steps(HORIZON), FAST, ActionMapping("tanh"))
    start, _ = train_critic(data, spec, FAST, seed=1)
    limit = math.log(1.6)
    selection = exact(chosen_forward(8, limit))
    again = FAST.model_copy(update={"limit": limit})
    network, losses = train_critic(data, spec, again, 2, start)
    assert len(losses) == 10  # of the second stage alone
    assert error_of(network, selection) < 0.06
    assert error_of(start, selection) > 0.15  # the base's law is another one
    base, _ = train_critic(data, spec, FAST.model_copy(update={"limit": 0.0}), seed=1)
    assert error_of(base, exact()) < 0.06


def test_without_a_limit_the_base_goes_on_to_the_bit(monkeypatch):
    data = walks(30, seed=3)
    few = FAST.model_copy(update={"outcome_updates": 5, "bootstrap_updates": 20})
    spec = spec_of(data, Atoms.of_steps(HORIZON), few)

    def weights(limit: float | None) -> torch.Tensor:
        options = few.model_copy(update={"limit": limit})
        network, _ = train_critic(data, spec, options, seed=1)
        return torch.cat([p.ravel() for p in network.parameters()])

    found, within = weights(None), weights(0.5)
    monkeypatch.setattr(_Training, "_over_draws", lambda _, laws: laws.mean(dim=1))
    assert torch.equal(found, weights(None))
    assert not torch.equal(found, within)


def test_a_start_of_another_architecture_is_refused():
    data = walks(10, seed=3)
    start = ScoreNetwork(spec_of(data, Atoms.of_steps(HORIZON + 1), FAST))
    with pytest.raises(ValueError, match="another architecture"):
        train_critic(data, spec_of(data, Atoms.of_steps(HORIZON), FAST), FAST, 0, start)


SHORT, LONG, OPTIONS = 4, 6, 16


def fork(count: int, seed: int) -> CriticData:
    """State 0: an action above 0 leads to a chain, another one to a corridor of sure steps.

    In the chain (states 1 … 4) only an action above 0 is a step forward; actions are ±1.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, float, int]] = []
    following: list[int] = []
    for _ in range(count):
        place, taken = 0, 0
        while place < SHORT + LONG + 1:
            action = rng.choice([-1.0, 1.0])
            rows.append((place, action, taken))
            following.append(len(rows))
            if place == 0:
                place = 1 if action > 0.0 else SHORT + 1
            elif place > SHORT or action > 0.0:
                place = SHORT + LONG + 1 if place == SHORT else place + 1
            taken += 1
        following[-1] = -1
    place, action, taken = (np.array(column) for column in zip(*rows, strict=True))
    return CriticData(
        observation=np.eye(SHORT + LONG + 1, dtype=np.float32)[place.astype(int)],
        action=action[:, None].astype(np.float32),
        candidates=rng.choice([-1.0, 1.0], size=(len(place), OPTIONS, 1)).astype(np.float32),
        reward=np.full(len(place), -1.0, dtype=np.float32),
        following=np.array(following),
        failed=np.zeros(len(place), dtype=bool),
        step=taken.astype(np.int64),
    )


def expected_steps(critic: Critic, limit: float) -> float:
    """Mean steps from the fork to the end of the greedy choice among 16 candidates, exactly."""
    forward = []
    for state in range(SHORT + 1):
        found = 0.0
        for k in range(OPTIONS + 1):
            candidates = np.where(np.arange(OPTIONS) < k, 1.0, -1.0)[None, :, None]
            seen = np.eye(SHORT + LONG + 1)[[state]]
            bound = critic.log_weights(seen, candidates, np.array([limit]), np.zeros(1, int))
            weights = np.exp(bound[0])
            found += math.comb(OPTIONS, k) / 2**OPTIONS * weights[:k].sum() / weights.sum()
        forward.append(found)
    chain = sum(1.0 / p for p in forward[1:])
    return 1.0 + forward[0] * chain + (1.0 - forward[0]) * LONG


def test_iteration_finds_what_one_step_of_improvement_cannot():
    """The base is slow in the chain (8 steps against 6), the selection fast (about 4.5)."""
    data, limit = fork(400, seed=0), math.log(1.8)
    spec = spec_of(data, Atoms.of_steps(30), FAST)
    start, _ = train_critic(data, spec, FAST, seed=0)
    again = FAST.model_copy(update={"limit": limit})
    network, _ = train_critic(data, spec, again, 0, start)
    once = expected_steps(Critic(start, "greedy"), limit)
    iterated = expected_steps(Critic(network, "greedy"), limit)
    best = chosen_forward(OPTIONS, limit)
    optimum = 1.0 + best * SHORT / best + (1.0 - best) * LONG
    assert once == pytest.approx(1.0 + (1.0 - best) * SHORT / best + best * LONG, abs=1e-9)
    assert iterated == pytest.approx(optimum, abs=1e-9)
    assert iterated < once - 0.5 < 8.0


def test_parts_keep_their_episodes():
    first, second = walks(3, seed=0), walks(2, seed=1)
    both = CriticData.concatenate([first, second])
    for joined, one, other in zip(
        both.outcomes(), first.outcomes(), second.outcomes(), strict=True
    ):
        np.testing.assert_array_equal(joined, np.concatenate([one, other]))
    fewer = dataclasses.replace(second, candidates=second.candidates[:, :4])
    with pytest.raises(UserError, match="candidates differs in shape"):
        CriticData.concatenate([first, fewer])


def test_the_critic_can_see_the_time():
    """The return is what is left of 4 steps: nothing but the time tells it."""
    count = 400
    step = np.tile(np.arange(4), count)
    rng = np.random.default_rng(0)
    data = CriticData(
        observation=np.zeros((4 * count, 1), dtype=np.float32),
        action=rng.normal(size=(4 * count, 1)).astype(np.float32),
        candidates=rng.normal(size=(4 * count, 4, 1)).astype(np.float32),
        reward=np.ones(4 * count, dtype=np.float32),
        following=np.where(step == 3, -1, np.arange(1, 4 * count + 1)),
        failed=np.zeros(4 * count, dtype=bool),
        step=step,
    )
    returns, _ = data.outcomes()
    np.testing.assert_array_equal(returns, 4.0 - step)
    atoms = Atoms(best=4.0, spacing=1.0, count=5, failure=-1.0)
    network, _ = train_critic(data, spec_of(data, atoms, FAST, horizon=4), FAST, seed=0)
    laws = Critic(network).laws(np.zeros((4, 1)), np.zeros((4, 1, 1)), np.arange(4))
    np.testing.assert_allclose(laws[:, 0] @ atoms.values, [4.0, 3.0, 2.0, 1.0], atol=0.1)


def test_outcomes_are_summed_to_the_end_of_each_episode():
    one = np.ones((5, 1), dtype=np.float32)
    rows = {
        "observation": one,
        "action": one,
        "candidates": one[:, None],
        "reward": np.array([1, 2, 4, 8, 16], dtype=np.float32),
        "following": np.array([3, -1, 0, -1, 1]),
        "failed": np.array([False, True, False, False, False]),
        "step": np.zeros(5, dtype=np.int64),
    }
    returns, failed = CriticData(**rows).outcomes()
    assert returns.tolist() == [9.0, 2.0, 13.0, 8.0, 18.0]
    assert failed.tolist() == [False, True, False, False, True]
    for change, message in (
        ({"reward": np.ones(4, dtype=np.float32)}, "reward has 4 rows, observation 5"),
        ({"action": np.ones((5, 2), dtype=np.float32)}, "candidates have shape"),
        ({"observation": one * np.nan}, "observation holds numbers that are not finite"),
        ({"following": np.array([3, -1, 0, -1, 5])}, "following must lie in -1 … 4"),
        ({"failed": np.ones(5, dtype=bool)}, "not an episode's end"),
    ):
        with pytest.raises(UserError, match=message):
            CriticData(**{**rows, **change})
    for following, message in (
        ([1, 0, -1, -1, -1], "an episode without an end"),
        ([2, 2, -1, -1, -1], "the same following row"),
    ):
        circle = CriticData(
            **{**rows, "following": np.array(following), "failed": np.zeros(5, dtype=bool)}
        )
        with pytest.raises(UserError, match=message):
            circle.outcomes()
