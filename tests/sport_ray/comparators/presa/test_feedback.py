"""Synthetic feedback: windows, labels, shares and preferences, against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from sport_ray.comparators.presa import FeedbackSettings, segments_digest, synthetic_feedback
from sport_ray.comparators.presa.episodes import Episodes
from sport_ray.comparators.presa.feedback import collect_episodes, wins
from sport_ray.comparators.presa.windows import Windows, comparable_pairs, with_share
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy

SETTINGS = FeedbackSettings(num_episodes=50, num_pairs=300, segment_length=6)


@pytest.fixture(scope="module")
def base(small_base) -> FrozenPolicy:
    return FrozenPolicy(small_base)


def hand_made() -> Episodes:
    """Two episodes, of 4 steps and of 2: the first enters the hazard in state 2 and leaves it."""
    signals = np.full((2, 5, 2), np.nan)
    signals[0] = [[-1, -1], [-1, -1], [1, -1], [-1, -1], [-1, 1]]
    signals[1, :3] = [[-1, -1], [-1, -1], [1, 1]]  # hazard and goal at once
    rewards = np.array([[1.0, 2.0, 4.0, 8.0], [16.0, 32.0, np.nan, np.nan]])
    steps = np.zeros((2, 4, 1))
    return Episodes(steps, steps, rewards, signals, np.array([4, 2]), "!hazard U goal")


def test_windows_by_hand():
    windows = Windows.cut(hand_made(), 2)
    assert windows.episode.tolist() == [0, 0, 0, 1]
    assert windows.start.tolist() == [0, 1, 2, 0]
    assert windows.reward.tolist() == [3.0, 6.0, 12.0, 48.0]
    # In the last one the hazard and the goal come together: U is fulfilled by then.
    assert windows.unsafe.tolist() == [True, True, True, False]
    assert Windows.cut(hand_made(), 1).unsafe.tolist() == [False, True, True, False, False, False]
    assert Windows.cut(hand_made(), 4).reward.tolist() == [15.0]


def test_windows_that_no_episode_has_are_refused():
    with pytest.raises(UserError, match=r"segment_length = 5 .* \(at most 4 steps\)"):
        Windows.cut(hand_made(), 5)


def test_labels_and_rewards_of_episodes_that_were_run(robot_plan, base):
    """Unsafe iff a state of the window lies in the hazard before the goal, one by one."""
    plan = robot_plan.model_copy(
        update={"env_kwargs": {"layout": "fixed", "end_on_violation": False}}
    )
    episodes = collect_episodes(plan, base, SETTINGS)
    windows = Windows.cut(episodes, 6)
    for row in range(0, len(windows.start), 7):
        i, t = windows.episode[row], windows.start[row]
        hazard, goal = episodes.signals[i, t : t + 7].T
        reached = np.flatnonzero(goal >= 0.0)
        before = reached[0] if reached.size else 7
        assert windows.unsafe[row] == (hazard[:before] >= 0.0).any()
        assert windows.reward[row] == pytest.approx(sum(episodes.rewards[i, t : t + 6]))
    assert 0.05 < windows.unsafe.mean() < 0.6
    expected = np.maximum(episodes.lengths - 5, 0).sum()
    assert len(windows.start) == expected


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_share_of_unsafe_segments_is_kept(share):
    unsafe = np.random.default_rng(0).random(4_000) < 0.2
    kept = with_share(unsafe, share, np.random.default_rng(1))
    assert unsafe[kept].mean() == pytest.approx(share, abs=2e-3)
    assert len(np.unique(kept)) == len(kept)
    # The most there can be: all of one label are kept.
    label = share > unsafe.mean()
    assert (unsafe[kept] == label).sum() >= (unsafe == label).sum() - 1


def test_a_share_that_cannot_be_had_is_refused():
    with pytest.raises(UserError, match=r"unsafe_share = 0\.5 cannot be had: no segment is unsafe"):
        with_share(np.zeros(9, dtype=bool), 0.5, np.random.default_rng(0))


def test_only_segments_with_the_same_start_are_compared():
    start = np.array([0, 1, 2, 0, 1, 0, 5])
    pairs = comparable_pairs(start, 20_000, np.random.default_rng(0))
    assert (start[pairs[:, 0]] == start[pairs[:, 1]]).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    # Any segment with a companion is as likely to be the first: 3 of start 0, 2 of start 1.
    counts = np.bincount(pairs[:, 0], minlength=7)
    assert counts[[2, 6]].tolist() == [0, 0]
    assert stats.chisquare(counts[[0, 1, 3, 4, 5]]).pvalue > 1e-3
    with pytest.raises(UserError, match="no two segments begin at the same step"):
        comparable_pairs(np.arange(5), 10, np.random.default_rng(0))


def test_preferences_are_bradley_terry():
    rng = np.random.default_rng(0)
    for difference, noise in ((0.1, 0.1), (-0.3, 0.2), (0.0, 0.1)):
        won = wins(np.full(4_000, difference), noise, rng)
        probability = float(expit(difference / noise))
        assert stats.binomtest(int(won.sum()), 4_000, probability).pvalue > 1e-3
    exact = wins(np.array([1e-9, -1e-9]), 0.0, rng)
    assert exact.tolist() == [True, False]
    assert stats.binomtest(int(wins(np.zeros(4_000), 0.0, rng).sum()), 4_000).pvalue > 1e-3


def test_feedback_counts_what_it_ran(robot_plan, base):
    feedback = synthetic_feedback(robot_plan, base, SETTINGS)
    episodes = collect_episodes(robot_plan, base, SETTINGS)
    assert feedback.num_episodes == len(episodes.lengths) == 50
    assert feedback.env_steps == episodes.lengths.sum()
    assert feedback.num_violations == episodes.num_unsatisfied() >= episodes.num_violations() > 0
    segments = feedback.segments
    windows = Windows.cut(episodes, 6)
    assert segments.observations.shape == (len(windows.start), 6, 44)
    assert segments.actions.shape == (len(windows.start), 6, 2)
    assert len(segments.pairs) == 300
    np.testing.assert_array_equal(segments.unsafe, windows.unsafe)
    row = len(windows.start) // 2
    i, t = windows.episode[row], windows.start[row]
    np.testing.assert_array_equal(
        segments.actions[row], episodes.actions[i, t : t + 6].astype(np.float32)
    )
    preferred, other = windows.reward[segments.pairs].T
    assert (preferred > other).mean() > 0.75


def test_the_seed_decides_everything(robot_plan, base):
    def digest(seed: int, **change: object) -> str:
        plan = robot_plan.model_copy(update={"root_seed": seed})
        return segments_digest(synthetic_feedback(plan, base, replace(SETTINGS, **change)).segments)

    assert digest(1) == digest(1) != digest(2)
    assert digest(1) != digest(1, preference_noise=5.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"behaviours": ("base", "strait")}, "behaviour 'strait' is unknown; .* base, noisy"),
        ({"behaviours": ()}, "cannot be shared among 0 behaviours"),
        ({"num_episodes": 3}, "num_episodes = 3 cannot be shared among 4"),
        ({"segment_length": 23}, r"segment_length = 23 is longer .* \(at most 22 steps\)"),
        ({"behaviours": ("wide",), "segment_length": 1, "unsafe_share": 0.5}, "no segment is un"),
    ],
)
def test_a_recipe_that_cannot_be_had_is_one_line(robot_plan, base, change, message):
    plan = robot_plan.model_copy(
        update={"env_kwargs": {"layout": "fixed", "end_on_violation": False}}
    )
    settings = replace(SETTINGS, **{"num_episodes": 5, **change})
    with pytest.raises(UserError, match=message) as caught:
        synthetic_feedback(plan, base, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"num_episodes": 0},
        {"num_pairs": 0},
        {"segment_length": 0},
        {"preference_noise": -1.0},
        {"preference_noise": float("nan")},
        {"unsafe_share": 1.0},
    ],
)
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SETTINGS, **change)
