"""Verdicts in tensors against those in arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.properties import parse_property
from sport_ray.properties.on_device import judge
from sport_ray.rollouts.outcomes import pack_verdicts

FORMULAS = [
    "(!hazard) U goal",
    "F goal",
    "G !hazard",
    "F[0,5] goal & G(hazard -> F[1,3] goal)",
    "(!hazard) U[2,9] goal | X X hazard",
    "N N goal R hazard",
    "G[0,4](goal | hazard)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_verdicts_are_those_of_arrays(formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    signals = {name: rng.normal(size=(400, 13)) for name in ("hazard", "goal")}
    signals["goal"] -= 1.0
    lengths = rng.integers(1, 14, 400)
    for values in signals.values():  # beyond an end there is anything
        values[np.arange(13) >= lengths[:, None]] = np.nan
    prop = parse_property(formula)
    expected = prop.evaluate(signals, lengths)
    given = {name: torch.from_numpy(signals[name].T.copy()) for name in prop.signal_names}
    found = judge(prop.formula, given, torch.from_numpy(lengths))
    assert np.array_equal(found.robustness.numpy(), expected.robustness)
    assert np.array_equal(found.satisfied_at.numpy(), expected.satisfied_at)
    assert np.array_equal(found.violated_at.numpy(), expected.violated_at)
    assert np.array_equal(found.verdicts.numpy(), pack_verdicts(expected.by_step))
    # In blocks of rows it is the same.
    monkeypatch.setattr("sport_ray.properties.on_device._NUMBERS", 13 * 20 * 30)
    again = judge(prop.formula, given, torch.from_numpy(lengths))
    assert all(torch.equal(a, b) for a, b in zip(again, found, strict=True))
