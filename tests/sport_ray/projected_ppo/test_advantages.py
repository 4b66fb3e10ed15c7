"""Advantages are standardised over the rows that the loss counts."""

from __future__ import annotations

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing

from sport_ray.projected_ppo.advantages import StandardiseAdvantages


def test_phantom_rows_have_no_say():
    generator = torch.Generator().manual_seed(0)
    advantages = torch.randn(140, generator=generator)
    mask = torch.ones(140, dtype=torch.bool)
    mask[13::14] = False
    advantages[~mask] = 50.0
    batch = {"p": {Postprocessing.ADVANTAGES: advantages, Columns.LOSS_MASK: mask}}
    out = StandardiseAdvantages()(batch=batch)["p"][Postprocessing.ADVANTAGES]
    assert abs(float(out[mask].mean())) < 1e-6
    assert abs(float(out[mask].std(unbiased=False)) - 1.0) < 1e-6
    assert torch.equal(out[mask].argsort(), advantages[mask].argsort())


def test_without_a_mask_every_row_counts():
    batch = {"p": {Postprocessing.ADVANTAGES: torch.tensor([1.0, 3.0])}, "q": {}}
    out = StandardiseAdvantages()(batch=batch)["p"][Postprocessing.ADVANTAGES]
    assert out.tolist() == [-1.0, 1.0]
