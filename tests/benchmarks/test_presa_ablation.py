"""PreSa's ablation in small: a row for every policy, and the same evaluation for all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.presa_ablation import Ablation, evaluate, rows, table
from sport_ray.comparators.presa import AlignmentSettings, FeedbackSettings
from sport_ray.policies import PolicyNetwork, PolicySpec

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "presa_ablation.py"
TINY = Ablation(
    unsafe_shares=(0.2,),
    segment_lengths=(4,),
    seeds=1,
    num_scenarios=30,
    feedback=FeedbackSettings(num_episodes=20, num_pairs=50),
    alignment=AlignmentSettings(clone_steps=3, steps=3),
)


@pytest.fixture
def network() -> PolicyNetwork:
    return PolicyNetwork(PolicySpec(observation_size=44, action_size=2, hidden=(8,)))


def test_an_ablation_has_a_row_for_every_policy(network):
    frame = pd.DataFrame(list(rows(TINY, network)))
    assert len(frame) == TINY.num_policies == 4
    assert frame.objective.tolist() == ["base", "presa", "preference_only", "behaviour_cloning"]
    assert (frame.num_violations == frame.num_hazard + frame.num_timeout).all()
    assert (frame.rate_low <= frame.violation_rate).all()
    assert (frame.violation_rate <= frame.rate_high).all()
    assert frame.multiplier.notna().tolist() == [False, True, False, False]
    assert table(frame).row_count == 4


def test_the_evaluation_is_of_the_policy_and_the_same_again(network):
    row = evaluate(TINY, network)
    assert row == evaluate(TINY, network)
    assert row["num_timeout"] > 0  # an untrained one does not arrive
    assert row["mean_task_steps"] <= TINY.horizon


@pytest.mark.slow
def test_the_script_writes_a_table(tmp_path):
    arguments = [SCRIPT, "--out", tmp_path / "new", "--seeds", 1, "--scenarios", 20, "--steps", 2]
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "new" / "ablation.csv")) == 1 + 3 * 2 * 3
    assert "behaviour_cloning" in done.stdout
