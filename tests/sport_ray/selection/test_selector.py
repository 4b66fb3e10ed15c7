"""A way of choosing on disk: what is read is what was written, or one line says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.policies import PolicyFile, PolicyNetwork, policy_digest
from sport_ray.rollouts import ProjectedBehaviour
from sport_ray.samplers import SamplerFile, SamplerSpec
from sport_ray.selection import (
    SelectionBehaviour,
    Selector,
    load_task_policy,
    save_task_policy,
    task_behaviour,
    task_policy_digest,
)
from sport_ray.selection.scores.task_density import TaskDensity


@pytest.fixture
def network(walk_base) -> PolicyNetwork:
    return PolicyNetwork(walk_base.spec)


def test_what_is_read_is_what_was_written(tmp_path, forward, network):
    for selector in (Selector(16, forward(0.25)), Selector(3, TaskDensity(network))):
        digest = save_task_policy(tmp_path, selector, {"study": "walk"})
        found = load_task_policy(tmp_path)
        assert found.digest == digest == selector.digest == task_policy_digest(selector)
        assert found.provenance == {"study": "walk"}
        assert found.policy.num_candidates == selector.num_candidates
        for name, value in selector.score.arrays().items():
            np.testing.assert_array_equal(found.policy.score.arrays()[name], value)


def test_candidates_and_weights_are_part_of_what_it_is(forward):
    digests = [Selector(m, forward(s)).digest for m, s in ((4, 1.0), (5, 1.0), (4, 1.5))]
    assert len(set(digests)) == 3


@pytest.mark.parametrize("count", [1, 5_000])
def test_one_candidate_is_no_choice(forward, count):
    with pytest.raises(UserError, match=rf"num_candidates must lie in 2 … 4096, got {count}"):
        Selector(count, forward(1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_candidates": 8}, "its digest does not match"),
        ({"score": {"name": "unknown"}}, "its digest does not match"),
        ({"schema": "sport-ray/selector/9"}, "has schema 'sport-ray/selector/9'"),
        ({"weights_sha256": "0" * 64}, "its sha256 differs"),
        ({"score": None}, "is damaged"),
    ],
)
def test_an_altered_file_is_refused_in_one_line(tmp_path, forward, change, message):
    Selector(16, forward(0.25)).save(tmp_path, {})
    manifest = json.loads((tmp_path / "selector.json").read_text())
    (tmp_path / "selector.json").write_text(json.dumps(manifest | change))
    with pytest.raises(UserError, match=message) as caught:
        load_task_policy(tmp_path)
    assert "\n" not in str(caught.value)


def test_altered_weights_are_refused(tmp_path, forward):
    Selector(16, forward(0.25)).save(tmp_path, {})
    path = tmp_path / "selector.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(UserError, match=r"selector\.safetensors is damaged"):
        load_task_policy(tmp_path)


def test_a_policy_of_either_kind_acts_around_its_base(forward, network):
    base = PolicyFile(network, policy_digest(network), {})
    chosen = task_behaviour(base, Selector(4, forward(1.0)), RatioConstraint(1.2))
    assert isinstance(chosen, SelectionBehaviour)
    assert isinstance(task_behaviour(base, network, RatioConstraint(1.2)), ProjectedBehaviour)


def test_a_gaussian_cannot_be_projected_around_a_black_box(network):
    spec = SamplerSpec(entry="my_base:sample", observation_size=2, action_size=1)
    with pytest.raises(UserError, match="'my_base:sample' has no density"):
        task_behaviour(SamplerFile(spec, "", {}), network, RatioConstraint(1.2))


def test_a_density_is_needed_for_the_ratio_of_densities(network):
    spec = SamplerSpec(entry="json:loads", observation_size=2, action_size=1)
    with pytest.raises(UserError, match="needs the base's density"):
        task_behaviour(
            SamplerFile(spec, "", {}), Selector(4, TaskDensity(network)), RatioConstraint(1.2),
            run_module=True,
        )  # fmt: skip


def test_scores_are_known_to_whoever_reads_a_file():
    """Nobody else has imported them in the process that exports or deploys."""
    code = "from sport_ray.selection import SCORES; assert 'task_density' in SCORES"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
