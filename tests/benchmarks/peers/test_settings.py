"""The benchmark's settings are the studies', and its floor is counted right."""

from __future__ import annotations

import itertools

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers.settings import (
    ACTOR,
    ALPHAS,
    CRITIC,
    ROOT,
    SETTINGS,
    alpha_of,
    operations_per_step,
)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_those_of_the_study_of_that_name(name):
    study = yaml.safe_load((ROOT / f"experiments/studies/{name}.yaml").read_text(encoding="utf-8"))
    setting = SETTINGS[name]
    assert setting.base in {study.get("base"), *study.get("bases", [])}
    for key, value in study["training"].items():
        if key not in {"env_steps", "warmup_env_steps", "train_on_after_violation"}:
            assert getattr(setting, key) == value, key


def test_cells_take_the_papers_alphas_in_turn():
    study = yaml.safe_load((ROOT / "experiments/studies/paper.yaml").read_text(encoding="utf-8"))
    assert list(ALPHAS) == study["sweep"]["alphas"]
    assert [alpha_of(cell) for cell in range(18)] == [*ALPHAS, *ALPHAS]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_floor_counts_what_torch_counts(name):
    # torch makes no gradient by the observation: what it saves, once an epoch, is all that differs.
    setting = SETTINGS[name]
    rows = torch.randn(setting.train_batch_size, ACTOR[0])

    def network(sizes: tuple[int, ...]) -> torch.nn.Sequential:
        layers = [torch.nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(sizes)]
        return torch.nn.Sequential(*layers)

    base, actor, critic = network(ACTOR), network(ACTOR), network(CRITIC)
    with FlopCounterMode(display=False) as counter:
        for one in (base, actor, critic):
            with torch.no_grad():
                one(rows)
        for _ in range(setting.num_epochs):
            (actor(rows).sum() + critic(rows).sum()).backward()
    saved = 2 * setting.num_epochs * 2 * ACTOR[0] * ACTOR[1]
    counted = counter.get_total_flops() / setting.train_batch_size
    assert operations_per_step(setting) == counted + saved
