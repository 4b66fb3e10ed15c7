"""The npz layout: the policy that numpy itself computes, and each mistake in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sport_ray.adapters import read_normalization, read_npz
from sport_ray.errors import UserError
from sport_ray.policies import load_policy, save_policy

OBS, HIDDEN, ACTIONS = 3, 5, 2


def arrays(**changes: Any) -> dict[str, Any]:
    """A complete policy with a constant std; None removes an array."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    full = {
        "format": "sport-ray/mlp-gaussian/1",
        "activation": "tanh",
        "weight_0": normal(HIDDEN, OBS),
        "bias_0": normal(HIDDEN),
        "mean_weight": normal(ACTIONS, HIDDEN),
        "mean_bias": normal(ACTIONS),
        "log_std": normal(ACTIONS),
        "squash": "clip",
        "action_low": np.array([-1.0, -2.0]),
        "action_high": np.array([1.0, 0.5]),
    }
    return {name: value for name, value in {**full, **changes}.items() if value is not None}


HEAD = {
    "log_std": None,
    "log_std_weight": np.ones((ACTIONS, HIDDEN), np.float32),
    "log_std_bias": np.float32([0.5, -0.5]),
    "log_std_min": -1.0,
    "log_std_max": 0.7,
}
STATISTICS = {
    "obs_mean": np.array([1.0, 2.0, 3.0]), "obs_var": np.array([4.0, 1.0, 0.1]),
    "obs_epsilon": 1e-8, "obs_clip": 2.5,
}  # fmt: skip


@pytest.mark.parametrize("more", [{}, HEAD, STATISTICS, {**HEAD, **STATISTICS}])
def test_the_policy_is_what_numpy_computes(tmp_path, more):
    given = arrays(**more)
    np.savez(tmp_path / "policy.npz", **given)
    save_policy(tmp_path / "base", read_npz(tmp_path / "policy.npz"), {})
    network = load_policy(tmp_path / "base").network.double()
    seen = np.random.default_rng(1).normal(scale=3, size=(40, OBS)).astype(np.float32)
    x = seen.astype(np.float64)
    if "obs_mean" in given:
        x = (x - given["obs_mean"]) / np.sqrt(given["obs_var"] + given["obs_epsilon"])
        x = np.clip(x, -2.5, 2.5).astype(np.float32).astype(np.float64)
    exact = {n: v.astype(np.float64) for n, v in given.items() if hasattr(v, "astype")}
    h = np.tanh(x @ exact["weight_0"].T + exact["bias_0"])
    mean = h @ exact["mean_weight"].T + exact["mean_bias"]
    if "log_std" in exact:
        log_std = np.broadcast_to(exact["log_std"], mean.shape)
    else:
        log_std = np.clip(h @ exact["log_std_weight"].T + exact["log_std_bias"], -1.0, 0.7)
        assert (log_std == -1.0).any()
        assert (log_std == 0.7).any()
    with torch.no_grad():
        got_mean, got_std = network(torch.from_numpy(seen).double()).parts
    np.testing.assert_allclose(got_mean, mean, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(got_std, np.exp(log_std), rtol=1e-12)
    drawn = np.random.default_rng(2).normal(scale=3, size=(20, ACTIONS))
    want = np.clip(drawn, given["action_low"], given["action_high"])
    np.testing.assert_array_equal(network.spec.action_mapping(drawn), want)


def test_a_linear_policy_needs_no_activation(tmp_path):
    given = arrays(
        activation=None, weight_0=None, bias_0=None, mean_weight=np.ones((ACTIONS, OBS), np.float32)
    )
    np.savez(tmp_path / "p.npz", **given)
    assert read_npz(tmp_path / "p.npz").spec.hidden == ()


def indices(**changes: Any) -> dict[str, Any]:
    """A complete policy over two indices."""
    hidden = {n: v for n, v in arrays().items() if n in ("activation", "weight_0", "bias_0")}
    rng = np.random.default_rng(4)
    full = {
        **hidden,
        "format": "sport-ray/mlp-categorical/1",
        "sizes": np.array([3, 2]),
        "first": np.array([-1, 0]),
        "logits_weight": rng.normal(size=(5, HIDDEN)).astype(np.float32),
        "logits_bias": rng.normal(size=5).astype(np.float32),
    }
    return {name: value for name, value in {**full, **changes}.items() if value is not None}


@pytest.mark.parametrize("first", [None, np.array([-1, 0])])
def test_a_policy_over_indices_is_what_numpy_computes(tmp_path, first):
    given = indices(first=first)
    np.savez(tmp_path / "policy.npz", **given)
    save_policy(tmp_path / "base", read_npz(tmp_path / "policy.npz"), {})
    network = load_policy(tmp_path / "base").network.double()
    seen = np.random.default_rng(1).normal(scale=3, size=(40, OBS)).astype(np.float32)
    exact = {n: v.astype(np.float64) for n, v in given.items() if v.__class__ is np.ndarray}
    h = np.tanh(seen @ exact["weight_0"].T + exact["bias_0"])
    logits = h @ exact["logits_weight"].T + exact["logits_bias"]
    with torch.no_grad():
        law = network(torch.from_numpy(seen).double())
    for action in np.ndindex(3, 2):
        parts = zip((logits[:, :3], logits[:, 3:]), action, strict=True)
        want = sum(part[:, i] - np.log(np.exp(part).sum(1)) for part, i in parts)
        got = law.log_prob(torch.tensor(action).expand(40, 2))
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    start = [0, 0] if first is None else first.tolist()
    assert network.spec.action_mapping([[2, 1]]).tolist() == [[2 + start[0], 1 + start[1]]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sizes": None}, "sizes must be a vector of whole numbers"),
        ({"sizes": np.array([3.0, 2.0])}, "sizes must be a vector of whole numbers"),
        ({"sizes": np.array([4, 2])}, "5 outputs, the actions 6 outcomes"),
        ({"sizes": np.array([5, 0])}, "sizes must be positive"),
        ({"first": np.array([0])}, "first as many"),
        ({"logits_bias": None}, "'logits_bias' is missing"),
        ({"squash": "index"}, "unknown array 'squash'"),
        ({"log_std": np.zeros(2, np.float32)}, "unknown array 'log_std'"),
    ],
)
def test_mistakes_in_a_policy_over_indices(tmp_path, change, reason):
    np.savez(tmp_path / "policy.npz", **indices(**change))
    with pytest.raises(UserError, match=reason) as caught:
        read_npz(tmp_path / "policy.npz")
    assert "\n" not in str(caught.value)


MISTAKES = {
    "no format": ({"format": None}, "format"),
    "other format": ({"format": "mlp/2"}, "format"),
    "unknown": ({"gate": np.zeros(2)}, "unknown array 'gate'"),
    "activation": ({"activation": "gelu"}, "activation is 'gelu'"),
    "no activation": ({"activation": None}, "activation is None"),
    "float64": ({"weight_0": np.zeros((HIDDEN, OBS))}, "weight_0 is float64"),
    "shape": ({"weight_0": np.zeros((4, OBS), np.float32)}, "shape"),
    "widths": ({"mean_weight": np.zeros((ACTIONS, 4), np.float32)}, "feeds"),
    "gap": ({"weight_2": np.zeros((2, 2), np.float32)}, "hidden layers"),
    "NaN": ({"bias_0": np.full(HIDDEN, np.nan, np.float32)}, "not finite"),
    "no std": ({"log_std": None}, "log_std"),
    "covariance": ({"log_std": np.zeros((2, 2), np.float32)}, r"log_std has shape \(2, 2\)"),
    "std float64": ({"log_std": np.zeros(2)}, "log_std is float64"),
    "std in words": ({"log_std": np.array(["a", "b"])}, "log_std is <U1"),
    "two stds": ({"log_std_bias": np.zeros(2, np.float32)}, "log_std_bias is for log_std_weight"),
    "wide std": ({"log_std": np.float32([0, 31])}, "beyond ±30"),
    "std range": ({**HEAD, "log_std_min": 1.0}, "log_std_min"),
    "half a range": ({**HEAD, "log_std_max": None}, "belong together"),
    "squash": ({"squash": "sigmoid"}, "squash is 'sigmoid'"),
    "an index": ({"squash": "index"}, "squash is 'index'"),
    "no bounds": ({"action_low": None, "action_high": None}, "needs action_low"),
    "half bounds": ({"action_low": None}, "belong together"),
    "bounds": ({"action_low": np.array([1.0, 1.0])}, "below"),
    "bounds' size": ({"action_low": np.array([-1.0])}, "entries"),
    "statistics": ({**STATISTICS, "obs_var": None}, "var"),
    "negative variance": ({**STATISTICS, "obs_var": np.array([1.0, -1.0, 1.0])}, "scale"),
    "statistics' size": ({**STATISTICS, "obs_mean": np.zeros(2), "obs_var": np.ones(2)}, "2 entr"),
    "clip": ({**STATISTICS, "obs_clip": -1.0}, "clip"),
    "pickle": ({"bias_0": np.array([len], dtype=object)}, "without pickle"),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
@pytest.mark.parametrize(("change", "reason"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_that_names_the_file(tmp_path, change, reason):
    np.savez(tmp_path / "p.npz", **arrays(**change))
    with pytest.raises(UserError, match=reason) as caught:
        read_npz(tmp_path / "p.npz")
    assert str(tmp_path / "p.npz") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "junk.npz").write_bytes(b"junk")
    (tmp_path / "vn.pkl").write_bytes(b"")
    for call in (
        lambda: read_npz(tmp_path / "none.npz"),
        lambda: read_npz(tmp_path / "junk.npz"),
        lambda: read_normalization(tmp_path / "junk.npz"),
    ):
        with pytest.raises(UserError, match="npz file"):
            call()
    with pytest.raises(UserError, match=r"is a pickle.*np.savez\(\"obs.npz\""):
        read_normalization(tmp_path / "vn.pkl")


def test_statistics_by_scale(tmp_path):
    np.savez(tmp_path / "o.npz", mean=np.zeros(2), scale=np.array([2.0, 3.0]))
    found = read_normalization(tmp_path / "o.npz")
    assert found.scale == (2.0, 3.0)
    assert found.clip is None
    for change in (
        {"sigma": 1},
        {"var": np.ones(2)},
        {"epsilon": 1e-8},
        {"mean": np.array(["a", "b"])},
    ):
        given: dict[str, Any] = {"mean": np.zeros(2), "scale": np.ones(2), **change}
        np.savez(tmp_path / "o.npz", **given)
        with pytest.raises(UserError):
            read_normalization(tmp_path / "o.npz")
