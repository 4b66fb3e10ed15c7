"""A policy whose body is a graph: the same numbers in any batch, on disk and elsewhere."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")

from onnx import helper  # noqa: E402

from sport_ray.errors import UserError  # noqa: E402
from sport_ray.policies import (  # noqa: E402
    FrozenPolicy,
    PolicyNetwork,
    PolicySpec,
    load_policy,
    policy_digest,
    save_policy,
)
from sport_ray.policies.graph.body import body_of  # noqa: E402
from sport_ray.policies.on_device import network_on  # noqa: E402
from tests.sport_ray.policies.graph.onnx_models import (  # noqa: E402
    OBS,
    constant,
    model_of,
    normal,
    one_observation,
)

X = "observation"


def graph(scale: float = 1.0, width: int = 2) -> bytes:
    """Mean and log std with a layer norm before them."""
    vectors = [constant("s", scale * np.ones(OBS)), constant("w", normal(OBS, width))]
    nodes = [
        helper.make_node("LayerNormalization", [X, "s"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["mean"]),
        helper.make_node("Tanh", ["mean"], ["log_std"]),
    ]
    model = model_of(nodes, ["mean", "log_std"], vectors)
    return one_observation(model, [(1, width), (1, width)])


def policy(data: bytes | None = None, **fields: object) -> PolicyNetwork:
    spec = PolicySpec.model_validate(
        {
            "observation_size": OBS, "action_size": 2, "hidden": (), "body": "graph",
            "squash": "none", "std_head": "clamped", "log_std_min": -30.0, "log_std_max": 30.0,
            **fields,
        }
    )  # fmt: skip
    network = PolicyNetwork(spec)
    network.body.load_state_dict(body_of(data or graph()).state_dict())
    return network


def test_a_row_has_the_same_numbers_in_every_batch():
    seen = normal(70, OBS)
    whole = FrozenPolicy(policy()).distribution(seen).numbers
    for rows in (slice(0, 1), slice(3, 6), slice(60, 70), slice(None, None, -1)):
        some = FrozenPolicy(policy()).distribution(seen[rows].copy()).numbers
        assert torch.equal(some, whole[torch.arange(70).numpy()[rows].copy()])
    assert torch.equal(whole, whole.float().double())  # float32 numbers


def test_numbers_do_not_depend_on_how_many_threads_torch_has():
    seen, before = normal(5, OBS), torch.get_num_threads()
    alone = FrozenPolicy(policy()).distribution(seen).numbers
    try:
        torch.set_num_threads(4)
        assert torch.equal(FrozenPolicy(policy()).distribution(seen).numbers, alone)
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_it_is_kept_with_its_digest_and_pickled(tmp_path: Path):
    network = policy()
    digest = save_policy(tmp_path, network, {"command": "a test"})
    found = load_policy(tmp_path)
    assert found.digest == digest == policy_digest(network) == policy_digest(found.network)
    assert found.network.body.data == graph()
    assert policy_digest(policy(graph(2.0))) != digest
    seen = normal(5, OBS)
    mine = FrozenPolicy(found.network)
    other = pickle.loads(pickle.dumps(mine))
    assert torch.equal(other.distribution(seen).numbers, mine.distribution(seen).numbers)
    assert (
        other.fingerprint() == mine.fingerprint() != FrozenPolicy(policy(graph(2.0))).fingerprint()
    )


def test_a_spec_without_a_graph_is_written_as_before():
    assert "body" not in PolicySpec(observation_size=3, action_size=1).model_dump()
    with pytest.raises(ValueError, match="no hidden layers beside it"):
        policy(hidden=(4,))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"observation_size": 5}, "4 inputs and 4 outputs, expected 5 and 4"),
        ({"action_size": 3}, "4 inputs and 4 outputs, expected 4 and 6"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(fields, reason, tmp_path):
    save_policy(tmp_path, policy(**fields), {})
    with pytest.raises(UserError, match=reason):
        load_policy(tmp_path)


def test_a_graph_that_is_refused_elsewhere_is_refused_on_disk(tmp_path):
    """Whoever rewrites a folder can compute its digests anew."""
    bad = onnx.ModelProto.FromString(graph())
    bad.graph.node[2].op_type = "RandomNormalLike"
    save_policy(tmp_path, policy(bad.SerializeToString()), {})
    with pytest.raises(UserError, match=r"policy\.safetensors: the operator 'RandomNormalLike'"):
        load_policy(tmp_path)


def test_damage_is_found(tmp_path):
    save_policy(tmp_path, policy(), {})
    weights = tmp_path / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="damaged"):
        load_policy(tmp_path)


def test_layers_in_place_of_a_graph_are_refused(tmp_path):
    """A file that says mlp and holds bytes, and one that says graph and holds layers."""
    save_policy(tmp_path / "graph", policy(), {})
    plain = PolicyNetwork(PolicySpec(observation_size=OBS, action_size=2, hidden=())).float()
    save_policy(tmp_path / "mlp", plain, {})
    for name in ("graph", "mlp"):
        path = tmp_path / name / "policy.json"
        manifest = json.loads(path.read_text())
        if name == "graph":
            del manifest["spec"]["body"]
        else:
            manifest["spec"]["body"] = "graph"
        from sport_ray.canonical import digest

        identity = {key: manifest[key] for key in ("schema", "spec", "weights_sha256")}
        path.write_text(json.dumps({**manifest, "digest": digest(identity)}))
        with pytest.raises(UserError, match="has another shape"):
            load_policy(tmp_path / name)


def test_what_is_not_finite_is_told():
    nodes = [
        helper.make_node("Log", [X], ["mean"]),
        helper.make_node("Tanh", ["mean"], ["log_std"]),
    ]
    data = one_observation(model_of(nodes, ["mean", "log_std"]), [(1, OBS), (1, OBS)])
    frozen = FrozenPolicy(policy(data, action_size=OBS))
    frozen.distribution(np.ones((1, OBS)))
    with pytest.raises(UserError, match="not finite at observation 1"):
        frozen.distribution(np.array([[1.0] * OBS, [0.0] + [1.0] * (OBS - 1)]))


def test_it_stays_on_the_cpu():
    with pytest.raises(UserError, match="runs on a CPU only"):
        network_on(FrozenPolicy(policy()), torch.device("cuda"))


def test_without_onnx_it_is_told(monkeypatch, tmp_path):
    save_policy(tmp_path, policy(), {})
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(UserError, match="pip install 'onnx"):
        load_policy(tmp_path)
