"""Policies from ONNX files: chains of layers exactly, other graphs as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from sport_ray.adapters import read_onnx  # noqa: E402
from sport_ray.adapters.onnx_agreement import agreement  # noqa: E402
from sport_ray.adapters.onnx_outputs import Wanted  # noqa: E402
from sport_ray.errors import UserError  # noqa: E402
from sport_ray.policies import (  # noqa: E402
    FrozenPolicy,
    Normalization,
    PolicyNetwork,
    PolicySpec,
    policy_digest,
)
from sport_ray.policies.actions import ActionMapping  # noqa: E402
from tests.sport_ray.policies.graph.onnx_models import (  # noqa: E402
    OBS,
    constant,
    model_of,
    normal,
)

X = "observation"
NONE = ActionMapping("none")
OPERATORS = {
    "relu": "Relu", "tanh": "Tanh", "elu": "Elu", "leaky_relu": "LeakyRelu", "sigmoid": "Sigmoid",
}  # fmt: skip


def written(folder: Path, model: Any) -> Path:
    path = folder / "policy.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def random_network(spec: PolicySpec, seed: int) -> PolicyNetwork:
    network = PolicyNetwork(spec).float()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.randn(value.shape, generator=generator))
    return network


class Writer:
    """Nodes of a network, written in one of the ways that exporters have."""

    def __init__(self, way: int) -> None:
        self.way = way
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def keep(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(constant(name, values))
        return name

    def linear(self, x: str, layer: nn.Linear) -> str:
        weight, bias = (one.detach().numpy() for one in (layer.weight, layer.bias))
        if self.way == 0:
            return self.add("Gemm", [x, self.keep(weight), self.keep(bias)], transB=1)
        if self.way == 1:
            product = self.add("MatMul", [x, self.keep(weight.T)])
            return self.add("Add", [self.keep(bias), product])
        turned = self.add("Transpose", [self.keep(weight)], perm=[1, 0])  # a constant, computed
        product = self.add("Gemm", [x, turned])
        return self.add("Add", [product, self.keep(bias[None])])

    def activation(self, x: str, name: str) -> str:
        if name == "silu":
            return self.add("Mul", [x, self.add("Sigmoid", [x])])
        return self.add(OPERATORS[name], [x])

    def body(self, network: PolicyNetwork) -> str:
        x = self.add("Flatten", [X]) if self.way else X
        for module in network.body:
            is_layer = isinstance(module, nn.Linear)
            x = self.linear(x, module) if is_layer else self.activation(x, network.spec.activation)
        return x

    def named(self, x: str, name: str) -> None:
        self.nodes.append(helper.make_node("Identity", [x], [name]))


def halves(writer: Writer, both: str, size: int) -> tuple[str, str]:
    """Mean and log std of one last layer, as chunk or split give them."""
    ends = [writer.keep(np.array([one])) for one in (0, size, 2 * size)]
    axis = writer.keep(np.array([1]))
    return (
        writer.add("Slice", [both, ends[0], ends[1], axis]),
        writer.add("Slice", [both, ends[1], ends[2], axis]),
    )


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(1, 5), max_size=3),
    st.sampled_from([*OPERATORS, "silu"]),
    st.integers(1, 3),
    st.sampled_from(["constant", "clamped", "index"]),
    st.integers(0, 2),
    st.integers(0, 2**20),
)
def test_a_chain_is_the_network_that_it_was_written_from(
    tmp_path_factory, hidden, activation, size, head, way, seed
):
    fields: dict[str, Any] = {"squash": "none", "std_head": head}
    mapping = NONE
    if head == "index":
        mapping = ActionMapping.of_indices([0] * size, range(1, size + 1))
        fields = mapping.to_json()
    else:
        fields.update(log_std_min=-30.0, log_std_max=30.0)
    spec = PolicySpec(
        observation_size=OBS,
        action_size=size,
        hidden=tuple(hidden),
        activation=activation if hidden else "tanh",
        **fields,
    )
    network = random_network(spec, seed)
    writer = Writer(way)
    last = writer.body(network)
    if head == "index":
        writer.named(last, "logits")
        outputs = ["logits"]
    elif head == "clamped":
        mean, log_std = halves(writer, last, size)
        writer.named(mean, "mean")
        writer.named(log_std, "log_std")
        outputs = ["mean", "log_std"]
    else:
        writer.named(last, "mean")
        shape = writer.keep(np.array([1, size]))
        own = writer.keep(network.of_the_head()["log_std"].detach().numpy())
        writer.named(writer.add("Expand", [own, shape]), "log_std")
        outputs = ["mean", "log_std"]
    model = model_of(writer.nodes, outputs, writer.constants, shape=[("n", OBS), (1, OBS)][way % 2])
    path = written(tmp_path_factory.mktemp("onnx"), model)
    family = "categorical" if head == "index" else "gaussian"
    found = read_onnx(path, family, mapping)
    assert found.network.spec == spec
    assert policy_digest(found.network) == policy_digest(network)


class Actor(nn.Module):
    """A Gaussian as users write it for the export."""

    def __init__(self, body: nn.Module, last: int, log_std: Any = None) -> None:
        super().__init__()
        self.body, self.mean = body, nn.Linear(last, 2)
        self.log_std = nn.Parameter(torch.tensor([0.25, -0.5])) if log_std is None else log_std

    def forward(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = self.body(seen)
        if isinstance(self.log_std, nn.Parameter):
            return self.mean(latent), self.log_std.expand(len(seen), 2)
        return self.mean(latent), self.log_std(latent).clamp(-3.0, 1.0)


def exported(folder: Path, module: nn.Module, names: list[str]) -> Path:
    """By torch's exporter that needs nothing beside onnx."""
    path = folder / "policy.onnx"
    torch.onnx.export(
        module, (torch.zeros(1, OBS),), str(path), input_names=[X], output_names=names,
        dynamic_axes={X: {0: "n"}}, dynamo=False,
    )  # fmt: skip
    return path


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(OBS, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh())


def odd() -> nn.Module:
    return nn.Sequential(nn.Linear(OBS, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 6), nn.Tanh())


def residual() -> nn.Module:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(OBS, OBS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.relu(self.layer(x))

    return nn.Sequential(Residual(), nn.Linear(OBS, 6), nn.Tanh())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("body", "std", "kept"),
    [
        (plain, None, "mlp"),
        (plain, "layer", "mlp"),
        (odd, None, "graph"),
        (odd, "layer", "graph"),
        (residual, "layer", "graph"),
    ],
)
def test_what_torch_exports_has_torch_s_density_in_float64(body, std, kept, tmp_path):
    torch.manual_seed(0)
    actor = Actor(body(), 6, None if std is None else nn.Linear(6, 2))
    found = read_onnx(exported(tmp_path, actor, ["mean", "log_std"]), "gaussian", NONE)
    assert found.network.spec.body == kept
    seen = normal(60, OBS, seed=1)
    with torch.no_grad():
        mean, log_std = actor.double()(torch.from_numpy(seen).double())
        exact = found.network.double()(torch.from_numpy(seen).double())
    torch.testing.assert_close(exact.parts[0], mean, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(exact.parts[1], log_std.exp(), rtol=1e-10, atol=0.0)
    acting = FrozenPolicy(found.network).distribution(seen)
    torch.testing.assert_close(acting.parts[0], mean, rtol=2e-7, atol=1e-9)
    told = agreement("the file", found)
    assert 0.0 <= told.first < 1e-4
    assert told.second is not None
    assert 0.0 <= told.second < 1e-4
    assert told.observations == 256


@pytest.mark.filterwarnings("ignore")
def test_a_policy_of_stable_baselines_is_the_one_that_its_own_adapter_gives(tmp_path):
    sb3 = pytest.importorskip("stable_baselines3")
    from sport_ray.adapters import from_sb3

    class Exported(nn.Module):
        def __init__(self, policy: Any) -> None:
            super().__init__()
            self.policy = policy

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            return self.policy.action_net(self.policy.mlp_extractor.forward_actor(seen))

    model = sb3.PPO("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
    path = exported(tmp_path, Exported(model.policy), ["logits"])
    found = read_onnx(path, "categorical", None)
    assert policy_digest(found.network) == policy_digest(from_sb3(model))
    assert agreement("the file", found).first < 1e-5


@pytest.mark.filterwarnings("ignore")
def test_torchscript_exports_too(tmp_path):
    torch.manual_seed(0)
    scripted = torch.jit.trace(nn.Sequential(plain(), nn.Linear(6, 3)), torch.zeros(1, OBS))
    found = read_onnx(exported(tmp_path, scripted, ["logits"]), "categorical", None)
    assert found.network.spec.hidden == (8, 6)


def linear(outputs: list[str], sizes: list[int], more: Any = ()) -> Any:
    """A model whose named outputs are linear layers of the observation."""
    nodes, constants = [], []
    for name, size in zip(outputs, sizes, strict=True):
        constants.append(constant(f"w_{name}", normal(OBS, size, seed=size)))
        nodes.append(helper.make_node("MatMul", [X, f"w_{name}"], [name]))
    return model_of([*nodes, *more], outputs, constants)


def test_a_softmax_at_the_end_is_taken_off(tmp_path):
    for operator in ("Softmax", "LogSoftmax"):
        model = linear(["l"], [3], [helper.make_node(operator, ["l"], ["p"])])
        model.graph.output[0].name = "p"
        found = read_onnx(written(tmp_path, model), "categorical", None)
        assert found.network.spec.body == "mlp"
        bare = read_onnx(written(tmp_path, linear(["l"], [3])), "categorical", None)
        assert policy_digest(found.network) == policy_digest(bare.network)
        with pytest.raises(UserError, match="over several indices at once"):
            path = written(tmp_path, model)
            read_onnx(path, "categorical", ActionMapping.of_indices([0, 0], [2, 1]))


def test_probabilities_are_not_taken_for_logits(tmp_path):
    end = [helper.make_node("Softmax", ["l"], ["s"]), helper.make_node("Identity", ["s"], ["p"])]
    model = linear(["l"], [3], end)
    model.graph.output[0].name = "p"
    with pytest.raises(UserError, match="its outputs are probabilities"):
        read_onnx(written(tmp_path, model), "categorical", None)


def test_std_instead_of_log_std(tmp_path):
    """exp(x) is x in nats; of another function the logarithm is taken in the graph."""
    for operator, kept in (("Exp", "mlp"), ("Softplus", "graph")):
        model = linear(["mean", "x"], [2, 2], [helper.make_node(operator, ["x"], ["std"])])
        model.graph.output[1].name = "std"
        found = read_onnx(written(tmp_path, model), "gaussian", NONE)
        assert found.network.spec.body == kept
        seen = normal(20, OBS)
        x = seen.astype(np.float64) @ normal(OBS, 2, seed=2)
        want = np.exp(x) if operator == "Exp" else np.log1p(np.exp(x))
        law = FrozenPolicy(found.network).distribution(seen)
        np.testing.assert_allclose(law.parts[1], want, rtol=3e-7)


def test_log_std_from_elsewhere(tmp_path):
    model = linear(["a"], [4])
    model.graph.initializer.append(constant("spread", np.float32([0.5, -0.5, 0.0, 0.25])))
    path = written(tmp_path, model)
    named = read_onnx(path, "gaussian", NONE, wanted=Wanted(log_std="spread")).network
    given = read_onnx(path, "gaussian", NONE, wanted=Wanted(log_std=(0.5, -0.5, 0.0, 0.25))).network
    assert named.spec.std_head == "constant"
    assert policy_digest(named) == policy_digest(given)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 4]))
    both = read_onnx(written(tmp_path, model), "gaussian", NONE, wanted=Wanted(log_std="half"))
    assert both.network.spec.action_size == 2
    seen = normal(5, OBS)
    found = seen.astype(np.float64) @ normal(OBS, 4, seed=4)
    law = FrozenPolicy(both.network).distribution(seen)
    np.testing.assert_allclose(law.parts[0], found[:, :2], rtol=2e-7, atol=1e-9)
    np.testing.assert_allclose(law.parts[1], np.exp(found[:, 2:]), rtol=3e-7)


def test_what_nothing_asks_for_is_not_read(tmp_path):
    """A value head may have operators that are refused elsewhere."""
    value = helper.make_node("LSTM", [X, X, X], ["value"], hidden_size=2)
    model = linear(["logits"], [3])
    model.graph.node.append(value)
    model.graph.output.append(helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"]))
    with pytest.raises(UserError, match="memory between steps"):
        read_onnx(written(tmp_path, model), "categorical", None)


def test_normalised_observations(tmp_path):
    statistics = Normalization(mean=(1.0,) * OBS, scale=(2.0,) * OBS, clip=3.0)
    for model in (linear(["l"], [3]), linear(["l"], [3], [helper.make_node("Exp", ["l"], ["e"])])):
        model.graph.output[0].name = model.graph.node[-1].output[0]
        path = written(tmp_path, model)
        found = read_onnx(path, "categorical", None, normalization=statistics)
        seen = normal(30, OBS) * 5
        inner = np.clip((seen - 1.0) / 2.0, -3.0, 3.0)
        bare = FrozenPolicy(read_onnx(path, "categorical", None).network).distribution(inner)
        law = FrozenPolicy(found.network).distribution(seen)
        torch.testing.assert_close(law.numbers, bare.numbers)
        agreement("the file", found)
    short = Normalization(mean=(1.0,), scale=(2.0,))
    with pytest.raises(UserError, match="has 1 entries, observations have 4"):
        read_onnx(path, "categorical", None, normalization=short)


REFUSED: dict[str, tuple[Any, str, Any, Any, str]] = {
    "which is the mean": (linear(["a", "b"], [2, 2]), "gaussian", NONE, None, "which is the std"),
    "no such std": (
        linear(["mean"], [2]), "gaussian", NONE, Wanted(log_std="nope"), "no output 'nope'"
    ),
    "no such mean": (
        linear(["a", "log_std"], [2, 2]), "gaussian", NONE, Wanted(mean="m"), "which is the mean"
    ),
    "sizes": (linear(["mean", "std"], [2, 3]), "gaussian", NONE, None, r"\(2, 3\) entries"),
    "numbers' size": (
        linear(["mean"], [2]), "gaussian", NONE, Wanted(log_std=(0.0,)), r"\(2, 1\) entries"
    ),
    "half of what": (
        linear(["mean"], [2]), "gaussian", NONE, Wanted(log_std="half"), "no halves"
    ),
    "logits of a Gaussian": (
        linear(["mean", "log_std"], [2, 2]), "gaussian", NONE, Wanted(logits="mean"), "logits are"
    ),
    "mean of indices": (linear(["l"], [2]), "categorical", None, Wanted(mean="l"), "no mean"),
    "which are the logits": (linear(["a", "b"], [2, 2]), "categorical", None, None, "which are"),
    "outcomes": (
        linear(["l"], [4]), "categorical", ActionMapping.of_indices([0], [3]), None,
        "4 logits, the actions 3 outcomes",
    ),
    "mapping": (linear(["mean", "log_std"], [2, 2]), "gaussian", None, None, "cannot have"),
    "bounds": (
        linear(["mean", "log_std"], [2, 2]), "gaussian", ActionMapping("clip", (0.0,), (1.0,)),
        None, "1 and 1 entries",
    ),
    "wide std": (
        linear(["mean"], [2]), "gaussian", NONE, Wanted(log_std=(0.0, 31.0)), "beyond ±30"
    ),
    "image": (
        model_of([helper.make_node("Flatten", [X], ["l"])], ["l"], shape=("n", 3, 8, 8)),
        "categorical", None, None, "images and several inputs are not supported",
    ),
    "unknown size": (
        model_of([helper.make_node("Identity", [X], ["l"])], ["l"], shape=("n", "o")),
        "categorical", None, None, r"shape \(n, o\)",
    ),
    "fixed batch": (
        model_of([helper.make_node("Identity", [X], ["l"])], ["l"], shape=(32, OBS)),
        "categorical", None, None, "a batch of 32",
    ),
    "whole numbers": (
        model_of([helper.make_node("Identity", [X], ["l"])], ["l"], kind=TensorProto.INT64),
        "categorical", None, None, "no tensor of float32",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_one_line(name, tmp_path):
    model, family, mapping, wanted, reason = REFUSED[name]
    with pytest.raises(UserError, match=reason) as caught:
        read_onnx(written(tmp_path, model), family, mapping, wanted=wanted)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_nothing(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_onnx(tmp_path / "none.onnx", "categorical", None)
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(UserError, match="no ONNX file, or damaged"):
        read_onnx(tmp_path / "empty.onnx", "categorical", None)


def test_a_graph_that_jumps_where_float32_cannot_see_it_is_told(tmp_path):
    """1e8·(x + 1 − 1 − x) is 0 in float64 but for rounding, and anything in float32."""
    constants = [constant("one", np.float32([1.0])), constant("big", np.float32([1e8]))]
    nodes = [
        helper.make_node("Add", [X, "one"], ["a"]),
        helper.make_node("Sub", ["a", "one"], ["b"]),
        helper.make_node("Sub", ["b", X], ["c"]),
        helper.make_node("Mul", ["c", "big"], ["logits"]),
    ]
    found = read_onnx(
        written(tmp_path, model_of(nodes, ["logits"], constants)), "categorical", None
    )
    with pytest.raises(UserError, match="more than rounding explains"):
        agreement("the file", found)
