"""The authors' layout: the policy that numpy computes, the shipped base, mistakes in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sport_ray import experiments
from sport_ray.adapters import read_npz
from sport_ray.errors import UserError
from sport_ray.policies import load_policy, policy_digest

SHIPPED = Path(experiments.__file__).parent / "bases" / "authors"
HEADS = {"mu_layer": slice(0, 2), "log_std_layer": slice(2, 4)}


@pytest.fixture(scope="module")
def layout() -> dict[str, Any]:
    """The arrays of the authors' file, of which the shipped base was made."""
    state = load_policy(SHIPPED).network.state_dict()
    given: dict[str, Any] = {
        "activation": np.frombuffer(b"ReLU", np.uint8).astype(np.int64),
        "act_scale": np.ones(2, np.float32),
        "act_bias": np.zeros(2, np.float32),
    }
    for part in ("weight", "bias"):
        for layer in (0, 2):
            given[f"net.{layer}.{part}"] = state[f"body.{layer}.{part}"].numpy()
        for head, rows in HEADS.items():
            given[f"{head}.{part}"] = state[f"body.4.{part}"][rows].numpy()
    return given


def read(tmp_path: Path, arrays: dict[str, Any], **changes: Any):
    given = {name: one for name, one in {**arrays, **changes}.items() if one is not None}
    np.savez(tmp_path / "actor.npz", **given)
    return read_npz(tmp_path / "actor.npz")


def test_the_policy_is_what_numpy_computes(tmp_path, layout):
    """In float64, on the weights of the authors' file."""
    exact = {n: v.astype(np.float64) for n, v in layout.items() if v.dtype == np.float32}
    seen = np.random.default_rng(0).uniform(-1, 1, (200, 44)).astype(np.float32)
    h = seen.astype(np.float64)
    for layer in (0, 2):
        h = np.maximum(h @ exact[f"net.{layer}.weight"].T + exact[f"net.{layer}.bias"], 0.0)
    mean = h @ exact["mu_layer.weight"].T + exact["mu_layer.bias"]
    raw = h @ exact["log_std_layer.weight"].T + exact["log_std_layer.bias"]
    std = np.exp(-5.0 + 0.5 * 7.0 * (np.tanh(raw) + 1.0))
    network = read(tmp_path, layout).double()
    with torch.no_grad():
        found = network(torch.from_numpy(seen).double())
    np.testing.assert_allclose(found.mean.numpy(), mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.std.numpy(), std, rtol=1e-12)
    drawn = np.random.default_rng(1).normal(size=(50, 2))
    np.testing.assert_array_equal(network.spec.action_mapping(drawn), np.tanh(drawn))


def test_the_shipped_base_is_that_policy(tmp_path, layout):
    shipped = load_policy(SHIPPED)
    assert policy_digest(read(tmp_path, layout)) == shipped.digest
    assert "a run of the authors' code" in shipped.provenance["origin"]
    assert len(shipped.provenance["source_sha256"]) == 64


def test_other_bounds_are_the_policys(tmp_path, layout):
    scale, bias = np.float32([2.0, 0.5]), np.float32([1.0, 0.0])
    mapping = read(tmp_path, layout, act_scale=scale, act_bias=bias).spec.action_mapping
    assert (mapping.action_low, mapping.action_high) == ((-1.0, -0.5), (3.0, 0.5))
    drawn = np.random.default_rng(1).normal(size=(50, 2))
    np.testing.assert_allclose(mapping(drawn), np.tanh(drawn) * scale + bias, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"mu_layer.bias": None}, "the array 'mu_layer.bias' is missing"),
        ({"net.2.bias": None}, "the array 'net.2.bias' is missing"),
        ({"net.0.weight": None, "net.0.bias": None}, r"must be net.0, net.2, …, found \[2\]"),
        ({"more": np.zeros(2)}, "unknown array 'more'"),
        ({"activation": np.array([82, 101])}, "activation is 'Re'; expected one of ReLU"),
        ({"activation": np.array(-3)}, "activation is '-3'; expected one of ReLU"),
        ({"act_scale": np.float32([1.0, -1.0])}, "act_scale must be positive"),
        ({"act_bias": np.float32([0.0])}, "as long as act_bias"),
        ({"act_scale": np.float32([1.0, np.inf])}, "a vector of finite floats"),
        ({"net.0.bias": np.zeros(256)}, "net.0.bias is float64, expected float32"),
        ({"log_std_layer.bias": np.float32([np.nan, 0.0])}, "not finite"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, layout, changes, line):
    with pytest.raises(UserError, match=line) as caught:
        read(tmp_path, layout, **changes)
    assert "\n" not in str(caught.value)
