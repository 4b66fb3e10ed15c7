"""Fields of a policy for imported bases: old digests stay, new fields count, heads are exact."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sport_ray import experiments
from sport_ray.policies import (
    FrozenPolicy,
    Normalization,
    PolicyNetwork,
    PolicySpec,
    load_policy,
    policy_digest,
    save_policy,
)
from sport_ray.policies.network import widened

SHIPPED = Path(experiments.__file__).parent / "bases" / "point_reach_avoid"
OLD_FIELDS = {
    "observation_size", "action_size", "hidden", "activation", "log_std_min", "log_std_max",
    "squash",
}  # fmt: skip
SIZES = {"observation_size": 3, "action_size": 2, "hidden": (4,)}
BOUNDS = {"squash": "clip", "action_low": (-2.0, -1.0), "action_high": (2.0, 1.0)}
STATISTICS = Normalization(mean=(1.0, 0.0, -1.0), scale=(2.0, 0.3, 1.0), clip=1.5)
NEW = {
    "std_head": {"std_head": "clamped"},
    "bounds": BOUNDS,
    "normalization": {"normalization": STATISTICS},
}


def test_the_shipped_base_keeps_its_digest():
    base = load_policy(SHIPPED)
    recorded = "a75602f4909431fdad1ed523a998ad67f773e2f275a8a0b08ffe2e3f27cd0186"
    assert base.digest == policy_digest(base.network) == recorded
    assert set(base.network.spec.model_dump(mode="json")) == OLD_FIELDS
    written = json.loads((SHIPPED / "policy.json").read_text())["spec"]
    assert base.network.spec.model_dump(mode="json") == written


@pytest.mark.parametrize("new", NEW.values(), ids=NEW.keys())
def test_new_fields_survive_and_change_the_digest(tmp_path, new):
    spec = PolicySpec(**SIZES, **new)
    network = PolicyNetwork(spec)
    digest = save_policy(tmp_path, network, {})
    loaded = load_policy(tmp_path)
    assert loaded.network.spec == spec
    assert loaded.digest == digest
    assert set(spec.model_dump(mode="json")) > OLD_FIELDS - {"squash"}
    plain = PolicyNetwork(PolicySpec(**SIZES))
    plain.load_state_dict(network.state_dict())
    assert policy_digest(plain) != digest
    assert PolicySpec.model_validate(json.loads(spec.model_dump_json())) == spec


def test_every_number_of_the_statistics_counts():
    network = PolicyNetwork(PolicySpec(**SIZES, normalization=STATISTICS))
    other = STATISTICS.model_copy(update={"mean": (math.nextafter(1.0, 2.0), 0.0, -1.0)})
    moved = PolicyNetwork(PolicySpec(**SIZES, normalization=other))
    moved.load_state_dict(network.state_dict())
    assert policy_digest(moved) != policy_digest(network)


def test_a_clamped_std_reaches_its_bounds_and_a_constant_one_sees_nothing():
    spec = PolicySpec(**{**SIZES, "hidden": ()}, std_head="clamped", log_std_min=-1, log_std_max=2)
    network = PolicyNetwork(spec)
    with torch.no_grad():
        network.body[0].weight.zero_()
        network.body[0].bias.copy_(torch.tensor([0.0, 0.0, -9.0, 0.25]))
    assert network(torch.ones(3)).std.tolist() == pytest.approx([math.exp(-1), math.exp(0.25)])
    # Without a hidden layer no unit can be dead: five observations have five means.
    spec = PolicySpec(**{**SIZES, "hidden": ()}, std_head="constant", log_std_min=-1, log_std_max=2)
    network = PolicyNetwork(spec)
    with torch.no_grad():
        network.log_std.copy_(torch.tensor([3.0, -0.5]))
    mean, std = network(torch.randn(5, 3, generator=torch.Generator().manual_seed(0))).parts
    assert mean.shape == std.shape == (5, 2)
    assert len(mean.unique()) == 10
    assert std[0].tolist() == pytest.approx([math.exp(2), math.exp(-0.5)])
    assert (std == std[0]).all()


def test_rollouts_and_training_see_the_same_normalised_numbers():
    network = PolicyNetwork(PolicySpec(**SIZES, std_head="constant", normalization=STATISTICS))
    seen = np.random.default_rng(0).normal(scale=3, size=(90, 3)).astype(np.float32)
    single = network.normalized(torch.from_numpy(seen))
    double = network.double().normalized(torch.from_numpy(seen).double())
    assert single.dtype == torch.float32
    assert torch.equal(single.double(), double)
    assert double.abs().max() == 1.5
    want = FrozenPolicy(network.float()).distribution(seen).mean
    with torch.no_grad():
        np.testing.assert_allclose(network(torch.from_numpy(seen)).mean, want, rtol=0, atol=1e-6)


def test_what_is_left_of_a_budget_is_not_normalised():
    network = PolicyNetwork(PolicySpec(**SIZES, normalization=STATISTICS))
    wide = widened(network, 2)
    seen = torch.tensor([[1.0, 2.0, 3.0, 40.0, -50.0]])
    assert wide.normalized(seen)[0, 3:].tolist() == [40.0, -50.0]
    got, want = wide(seen), network(seen[:, :3])
    assert not got.differs(want).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"squash": "clip"}, "needs action_low"),
        ({"squash": "none", "action_low": (0.0, 0.0), "action_high": (1.0, 1.0)}, "no bounds"),
        ({"action_low": (0.0, 0.0)}, "belong together"),
        ({"action_low": (0.0,), "action_high": (1.0,)}, "entries"),
        ({"action_low": (0.0, 1.0), "action_high": (1.0, 1.0)}, "below"),
        ({"action_low": (0.0, float("nan")), "action_high": (1.0, 1.0)}, "finite"),
        ({"std_head": "softplus"}, "std_head"),
        ({"normalization": {"mean": (0.0,) * 4, "scale": (1.0,) * 4}}, "4 entries"),
        ({"normalization": {"mean": (0.0,), "scale": (0.0,)}}, "greater than 0"),
        ({"normalization": {"mean": (0.0, 0.0), "scale": (1.0,)}}, "2 entries, scale 1"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        PolicySpec(**SIZES, **change)
