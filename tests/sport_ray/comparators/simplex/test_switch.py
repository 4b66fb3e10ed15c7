"""A switch in memory and on disk: what it is made of, and that nothing of it can be exchanged."""

from __future__ import annotations

import json

import pytest

from sport_ray.comparators.simplex import Switch, SwitchBehaviour
from sport_ray.comparators.simplex.switch import MANIFEST, WEIGHTS
from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.errors import UserError
from sport_ray.policies import PolicyFile, policy_digest
from sport_ray.selection import (
    load_task_policy,
    network_of,
    save_task_policy,
    task_behaviour,
    task_policy_digest,
)


@pytest.fixture
def switch(walk_task, near_monitor) -> Switch:
    return Switch(walk_task, near_monitor, horizon=12, threshold=0.3, resume=0.5)


def test_it_is_read_as_it_was_written(switch, tmp_path):
    digest = save_task_policy(tmp_path, switch, {"study": "walk"})
    found = load_task_policy(tmp_path)
    assert found.digest == digest == task_policy_digest(switch) == switch.digest
    assert found.provenance == {"study": "walk"}
    assert isinstance(found.policy, Switch)
    assert (found.policy.threshold, found.policy.resume, found.policy.horizon) == (0.3, 0.5, 12)
    for name in ("task", "monitor"):
        mine, its = getattr(switch, name), getattr(found.policy, name)
        assert policy_digest(mine) == policy_digest(its)
    assert network_of(found.policy) is found.policy.task


def test_each_number_and_network_is_in_the_digest(switch, walk_task, near_monitor, walk_network):
    others = [
        Switch(walk_task, near_monitor, 13, 0.3, 0.5),
        Switch(walk_task, near_monitor, 12, 0.31, 0.5),
        Switch(walk_task, near_monitor, 12, 0.3, 0.4),
        Switch(walk_network, near_monitor, 12, 0.3, 0.5),
    ]
    assert len({switch.digest, *(one.digest for one in others)}) == 5


@pytest.mark.parametrize(
    ("key", "value"),
    [("threshold", 0.9), ("resume", 2.0), ("schema", "x"), ("task", {}), ("digest", None)],
)
def test_a_changed_manifest_is_damaged(switch, tmp_path, key, value):
    switch.save(tmp_path, {})
    path = tmp_path / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UserError, match=r"switch\.json is damaged: "):
        load_task_policy(tmp_path)


def test_changed_weights_are_damaged(switch, tmp_path):
    switch.save(tmp_path, {})
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[-2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(UserError, match=r"switch\.json is damaged: .*digest"):
        load_task_policy(tmp_path)


def test_numbers_out_of_range_and_other_monitors_are_refused(walk_task, near_monitor):
    with pytest.raises(ValueError, match="threshold must lie in"):
        Switch(walk_task, near_monitor, 12, 1.5, 0.5)
    with pytest.raises(ValueError, match="resume must lie in"):
        Switch(walk_task, near_monitor, 12, 0.5, -0.1)
    with pytest.raises(ValueError, match="horizon must be"):
        Switch(walk_task, near_monitor, 0, 0.5, 0.5)
    with pytest.raises(ValueError, match="monitor sees 2 entries"):
        Switch(walk_task, walk_task, 12, 0.5, 0.5)


def test_it_is_used_as_it_is_and_never_projected(switch, walk_network):
    base = PolicyFile(walk_network, "", {})
    assert isinstance(task_behaviour(base, switch, Unconstrained()), SwitchBehaviour)
    with pytest.raises(UserError, match="Simplex switch has no projection onto 'ratio'"):
        task_behaviour(base, switch, RatioConstraint(1.5))
