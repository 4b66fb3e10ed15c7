"""Policies on disk: what is read is what was written, and any damage is one clear line."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from sport_ray import experiments
from sport_ray.canonical import digest, write_json
from sport_ray.errors import UserError
from sport_ray.policies import (
    FrozenPolicy,
    PolicyNetwork,
    PolicySpec,
    load_policy,
    policy_digest,
    save_policy,
)

SPEC = PolicySpec(observation_size=3, action_size=2, hidden=(8,), activation="tanh")
PROVENANCE = {"command": "sport-ray train-base", "seed": 0}
MANIFEST, WEIGHTS = "policy.json", "policy.safetensors"
BUNDLED = Path(experiments.__file__).parent / "bases" / "point_reach_avoid"


@pytest.fixture
def network() -> PolicyNetwork:
    """A small network, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PolicyNetwork(SPEC)


@pytest.fixture
def folder(tmp_path: Path, network: PolicyNetwork) -> Path:
    """A folder with a saved policy."""
    save_policy(tmp_path / "base", network, PROVENANCE)
    return tmp_path / "base"


def test_round_trip(folder, network):
    loaded = load_policy(folder)
    assert loaded.network.spec == network.spec
    assert loaded.provenance == PROVENANCE
    assert loaded.digest == policy_digest(network) == policy_digest(loaded.network)
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value)
    obs = np.random.default_rng(0).normal(size=(5, 3))
    got = FrozenPolicy(loaded.network).distribution(obs)
    assert not got.differs(FrozenPolicy(network).distribution(obs)).any()


def test_the_digest_is_of_the_policy_and_not_of_how_it_was_made(folder, network, tmp_path):
    other = save_policy(tmp_path / "other", network, {"seed": 1})
    assert other == load_policy(folder).digest
    with torch.no_grad():
        network.body[0].bias[0] += 1e-7
    assert policy_digest(network) != other
    wider = PolicyNetwork(SPEC.model_copy(update={"log_std_max": 1.0}))
    wider.load_state_dict(network.state_dict())
    assert policy_digest(wider) != policy_digest(network)


def test_the_digest_is_the_same_in_another_process(folder):
    script = (
        "import sys; from sport_ray.policies import load_policy, policy_digest\n"
        "loaded = load_policy(sys.argv[1]); print(loaded.digest, policy_digest(loaded.network))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "1"},
    ).stdout.split()  # fmt: skip
    assert printed == [load_policy(folder).digest] * 2


def test_the_files_are_json_and_safetensors(folder):
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, WEIGHTS]
    assert json.loads((folder / MANIFEST).read_text())["spec"]["observation_size"] == 3
    assert set(load_file(folder / WEIGHTS)) == {f"body.{i}.{n}" for i in (0, 2) for n in NAMES}


NAMES = ("weight", "bias")


def test_saving_again_replaces(folder, network):
    with torch.no_grad():
        network.body[0].bias.zero_()
    assert save_policy(folder, network, {}) == load_policy(folder).digest
    assert torch.equal(load_policy(folder).network.body[0].bias, torch.zeros(8))


def test_every_flipped_byte_of_the_weights_is_found(folder):
    path = folder / WEIGHTS
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        path.write_bytes(bytes([*data[:position], data[position] ^ 1, *data[position + 1 :]]))
        with pytest.raises(UserError, match="sha256 differs"):
            load_policy(folder)
    path.write_bytes(data)
    assert load_policy(folder).provenance == PROVENANCE


def rewrite(**changes: Any) -> Callable[[Path], None]:
    """Change manifest fields and make its digest right again."""

    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        spec = changes.pop("spec", {})
        manifest |= changes
        manifest["spec"] |= spec
        identity = {key: manifest[key] for key in ("schema", "spec", "weights_sha256")}
        write_json(folder / MANIFEST, manifest | {"digest": digest(identity)})

    return change


def edit(old: str, new: str) -> Callable[[Path], None]:
    """Replace text in the manifest."""

    def change(folder: Path) -> None:
        text = (folder / MANIFEST).read_text()
        assert old in text
        (folder / MANIFEST).write_text(text.replace(old, new))

    return change


def put(name: str, data: bytes) -> Callable[[Path], None]:
    """Overwrite a file."""
    return lambda folder: (folder / name).write_bytes(data) and None


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    """Change the tensors and make every digest right again: only their meaning is wrong."""

    def replace(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        data = save(tensors)
        (folder / WEIGHTS).write_bytes(data)
        rewrite(weights_sha256=hashlib.sha256(data).hexdigest())(folder)

    return replace


DAMAGE = {
    "no manifest": (lambda f: (f / MANIFEST).unlink(), MANIFEST, "does not exist"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), WEIGHTS, "does not exist"),
    "empty manifest": (put(MANIFEST, b""), MANIFEST, "damaged"),
    "cut manifest": (edit('"weights_sha256"', ""), MANIFEST, "damaged"),
    "binary manifest": (put(MANIFEST, b"\xff\xfe\x00"), MANIFEST, "damaged"),
    "manifest is a list": (put(MANIFEST, b"[]"), MANIFEST, "damaged"),
    "manifest is a number": (put(MANIFEST, b"1"), MANIFEST, "damaged"),
    "bottomless manifest": (put(MANIFEST, b"[" * 100_000), MANIFEST, "damaged"),
    "NaN in the manifest": (edit("-5.0", "NaN"), MANIFEST, "damaged"),
    "empty weights": (put(WEIGHTS, b""), WEIGHTS, "damaged"),
    "edited architecture": (edit('"log_std_max": 2.0', '"log_std_max": 1.0'), MANIFEST, "damaged"),
    "edited digest": (edit('"digest": "', '"digest": "0'), MANIFEST, "damaged"),
    "other schema": (rewrite(schema="sport-ray/policy/9"), MANIFEST, "sport-ray/policy/9"),
    "other size": (rewrite(spec={"observation_size": 4}), WEIGHTS, "another shape"),
    "other depth": (rewrite(spec={"hidden": [8, 8]}), WEIGHTS, "another shape"),
    "unknown activation": (rewrite(spec={"activation": "gelu"}), MANIFEST, "spec.activation"),
    "unknown field": (rewrite(spec={"dropout": 0.5}), MANIFEST, "spec.dropout"),
    "infinite std": (rewrite(spec={"log_std_max": 1e300}), MANIFEST, "spec.log_std_max"),
    "provenance": (rewrite(provenance=None), MANIFEST, "provenance"),
    "NaN weights": (weights(lambda w: w["body.0.bias"].fill_(np.nan)), WEIGHTS, "not finite"),
    "infinite weights": (weights(lambda w: w["body.2.bias"].fill_(np.inf)), WEIGHTS, "not finite"),
    "a tensor less": (weights(lambda w: w.pop("body.0.bias")), WEIGHTS, "another shape"),
    "a tensor more": (weights(lambda w: w.update(x=torch.ones(1))), WEIGHTS, "another shape"),
    "float64": (
        weights(lambda w: w.update({"body.0.bias": w["body.0.bias"].double()})),
        WEIGHTS,
        "float64",
    ),
    "pickle": (
        lambda f: (
            torch.save({}, f / WEIGHTS),
            rewrite(weights_sha256=hashlib.sha256((f / WEIGHTS).read_bytes()).hexdigest())(f),
        ),
        WEIGHTS,
        "another shape",
    ),
}


@pytest.mark.parametrize(("damage", "name", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_one_line_that_names_the_file(folder, damage, name, message):
    damage(folder)
    with pytest.raises(UserError, match=message) as caught:
        load_policy(folder)
    assert str(folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="train-base"):
        load_policy(tmp_path / "nothing")


@pytest.mark.parametrize(
    "spoil", [lambda n: n.double(), lambda n: n.body[0].bias.data.fill_(np.nan)]
)
def test_only_finite_float32_weights_are_saved(tmp_path, network, spoil):
    spoil(network)
    with pytest.raises(ValueError, match=r"weights 'body.0.\w+' are not finite float32"):
        save_policy(tmp_path / "x", network, {})
    assert not (tmp_path / "x").exists()


def test_the_bundled_base_fits_the_point_robot():
    base = load_policy(BUNDLED)
    spec = base.network.spec
    assert (spec.observation_size, spec.action_size, spec.squash) == (44, 2, "tanh")
    assert policy_digest(base.network) == base.digest
    assert base.provenance["command"]
    assert (BUNDLED / WEIGHTS).stat().st_size < 1_000_000


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_policy_is_read_as_it_is_whatever_torchs_default_dtype(folder, network, dtype):
    """A network that was made in another dtype would cast the weights: another policy."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        read = load_policy(folder).network
    finally:
        torch.set_default_dtype(before)
    assert policy_digest(read) == policy_digest(network)
    assert {value.dtype for value in read.state_dict().values()} == {torch.float32}
