"""Policies that see images: sizes, sums by brute force, the same bits in every batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.policies import (
    FrozenPolicy,
    Normalization,
    PolicyNetwork,
    PolicySpec,
    load_policy,
    policy_digest,
    save_policy,
)
from sport_ray.policies.convolution import NATURE, SMALL, Convolution
from sport_ray.policies.network import widened
from sport_ray.policies.on_device import DevicePolicy

BYTES = spaces.Box(0, 255, (10, 9, 3), np.uint8)


def spec_of(space: spaces.Box, layers=SMALL, **more) -> PolicySpec:
    flattening = Flattening.needed("e", space)
    convolution = Convolution.usual(space.shape, space.dtype.name, layers)
    given = {"observation_size": flattening.size, "action_size": 2, "hidden": (7,)}
    return PolicySpec(**{**given, "flattening": flattening, "convolution": convolution, **more})


def network_of(space: spaces.Box = BYTES, **more) -> PolicyNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return PolicyNetwork(spec_of(space, **more))


def by_hand(network: PolicyNetwork, image: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Outputs of the last layer in float64, every sum written out."""
    spec = network.spec
    x = (image.astype(np.float64) / spec.convolution.divisor).astype(np.float32).astype(np.float64)
    if spec.convolution.channels == "last":
        x = np.moveaxis(x, 2, 0)
    modules = [one for one in network.convolution if isinstance(one, torch.nn.Conv2d)]
    for module, (filters, kernel, stride) in zip(modules, spec.convolution.layers, strict=True):
        weight, bias = (v.detach().numpy().astype(np.float64) for v in module.parameters())
        high, wide = ((side - kernel) // stride + 1 for side in x.shape[1:])
        found = np.empty((filters, high, wide))
        for i in range(high):
            for j in range(wide):
                top, left = i * stride, j * stride
                patch = x[:, top : top + kernel, left : left + kernel]
                found[:, i, j] = (weight * patch).sum(axis=(1, 2, 3)) + bias
        x = np.maximum(found, 0.0)
    row = np.concatenate([x.ravel(), rest])
    layers = [one for one in network.body if isinstance(one, torch.nn.Linear)]
    for index, layer in enumerate(layers):
        weight, bias = (v.detach().numpy().astype(np.float64) for v in layer.parameters())
        row = weight @ row + bias
        if index < len(layers) - 1:
            row = np.maximum(row, 0.0)
    return row


@pytest.mark.parametrize(
    "space",
    [
        BYTES,
        spaces.Box(0, 255, (3, 9, 10), np.uint8),
        spaces.Box(-1, 1, (8, 12, 1), np.float32),
    ],
)
def test_the_network_is_its_formula(space):
    network, rows = network_of(space), []
    space.seed(1)
    images = [space.sample() for _ in range(5)]
    want = np.stack([by_hand(network, one, np.empty(0)) for one in images])
    rows = torch.from_numpy(np.stack([one.ravel() for one in images]).astype(np.float64))
    with torch.no_grad():
        got = network.double().body(network.features(rows)).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 140), place=st.integers(0, 139), threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_row_has_the_same_bits_in_every_batch(frozen, count, place, threads, seed):
    drawn = np.random.default_rng(seed).integers(0, 256, (count, 270)).astype(np.float64)
    place %= count
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        batch = frozen.distribution(drawn)
        alone = frozen.distribution(drawn[place][None])
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(
        np.asarray(batch.parameters)[place], np.asarray(alone.parameters)[0]
    )


@pytest.fixture(scope="module")
def frozen() -> FrozenPolicy:
    """A policy of images of bytes."""
    return FrozenPolicy(network_of())


def test_what_is_frozen_is_the_float64_network_rounded(frozen):
    drawn = np.random.default_rng(0).integers(0, 256, (70, 270)).astype(np.float64)
    with torch.no_grad():
        want = network_of().double()(torch.from_numpy(drawn))
    found = frozen.distribution(drawn)
    for mine, its in zip(found.parts, want.parts, strict=True):
        torch.testing.assert_close(mine, its, rtol=2e-7, atol=1e-7)
        assert (mine.double() == mine.float().double()).all()


def test_nature_sizes_are_those_of_the_paper():
    spec = spec_of(spaces.Box(0, 255, (84, 84, 4), np.uint8), layers=None, hidden=(512,))
    assert spec.convolution.layers == NATURE
    assert spec.layer_sizes == (3136, 512, 4)
    weights = 32 * (4 * 64 + 1) + 64 * (32 * 16 + 1) + 64 * (64 * 9 + 1) + 3137 * 512 + 513 * 4
    assert (
        spec.num_parameters == weights == sum(p.numel() for p in PolicyNetwork(spec).parameters())
    )


@pytest.mark.parametrize(
    ("shape", "channels", "layers"),
    [
        ((84, 84, 3), "last", NATURE),
        ((4, 84, 84), "first", NATURE),
        ((36, 40, 1), "last", NATURE),
        ((35, 40, 1), "last", SMALL),
        ((8, 8, 8), "last", SMALL),
        ((2, 8, 30), "first", SMALL),
    ],
)
def test_what_is_usual_for_a_shape(shape, channels, layers):
    found = Convolution.usual(shape, "uint8")
    assert (found.channels, found.layers, found.divisor) == (channels, layers, 255.0)
    assert found.features(shape) > 0
    assert Convolution.usual(shape, "float32").divisor == 1.0


def test_too_small_for_any():
    assert Convolution.usual((7, 9, 3), "uint8") is None
    assert Convolution.usual((2, 3, 4), "float32") is None


def test_it_belongs_to_the_file(tmp_path):
    network = network_of()
    digest = save_policy(tmp_path / "it", network, {})
    again = load_policy(tmp_path / "it")
    assert again.network.spec == network.spec
    assert again.digest == digest
    plain = PolicySpec(observation_size=4, action_size=1)
    assert "convolution" not in plain.model_dump(mode="json")
    other = network.spec.model_copy(
        update={"convolution": network.spec.convolution.model_copy(update={"divisor": 1.0})}
    )
    twin = PolicyNetwork(other)
    twin.load_state_dict(network.state_dict())
    assert policy_digest(twin) != digest


def test_a_budget_passes_beside_the_image():
    network = network_of()
    wide = widened(network, 2)
    rng = np.random.default_rng(0)
    image, budget = rng.integers(0, 256, (10, 9, 3)), np.array([0.25, -3.0])
    row = np.concatenate([image.ravel(), budget])[None]
    want = FrozenPolicy(network).distribution(row[:, :270])
    got = FrozenPolicy(wide).distribution(row)
    for mine, its in zip(got.parts, want.parts, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-6, atol=1e-7)  # other sums of the same
    with torch.no_grad():
        wide.body[0].weight[:, -2:] = torch.from_numpy(rng.normal(size=(7, 2))).float()
    outputs = by_hand(wide, image, budget)
    with torch.no_grad():
        law = wide.double().of_outputs(torch.from_numpy(outputs)[None])
    got = FrozenPolicy(wide).distribution(row)
    for mine, its in zip(got.parts, law.parts, strict=True):
        torch.testing.assert_close(mine, its, rtol=2e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"flattening": None}, "convolution needs a flattening of a Box of three dimensions"),
        (
            {"flattening": Flattening.needed("e", spaces.Discrete(270))},
            "Box of three dimensions",
        ),
        (
            {"convolution": Convolution(channels="last", layers=NATURE)},
            "convolution layer 2 has a kernel of 4 pixels and is given 1 x 1",
        ),
        (
            {"normalization": Normalization(mean=(0.0,), scale=(1.0,))},
            "remove normalization",
        ),
        (
            {
                "convolution": Convolution(
                    channels="last", layers=((4096, 8, 1),) + ((4096, 1, 1),) * 3
                )
            },
            "use fewer or narrower",
        ),
    ],
)
def test_what_fits_no_image_is_refused(changes, says):
    fields = {**spec_of(BYTES).model_dump(), **changes}
    with pytest.raises(ValidationError, match=says):
        PolicySpec(**fields)


def test_a_file_cannot_ask_for_endless_layers():
    for layers in ([], [[1, 1, 1]] * 11, [[0, 1, 1]], [[1, 1, 5000]]):
        with pytest.raises(ValidationError):
            Convolution(channels="first", layers=layers)


def test_a_gpu_is_refused_by_name(frozen):
    with pytest.raises(UserError, match="see images cannot run on meta"):
        DevicePolicy(frozen, torch.device("meta"))
    assert frozen.spec.family is Gaussian
