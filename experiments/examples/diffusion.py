"""A small diffusion policy: actions by denoising, learned from episodes of the shipped base.

Nobody computes its density. Train it (a minute on one core), then run the study:

    python -m sport_ray.experiments.examples.diffusion robot_diffusion.npz
    sport-ray run any_base_diffusion

Denoising diffusion (Ho et al. 2020) of actions given the observation (Chi et al. 2023), with the
noise levels of Nichol and Dhariwal 2021; the network predicts the clean action.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS = 8
"""Of denoising."""
_TIME = (np.arange(STEPS + 1) / STEPS + 0.008) / 1.008
KEPT = np.clip(np.cos(0.5 * np.pi * _TIME) ** 2, 1e-4, 0.9999)
"""ᾱ_k, the share of the clean action's variance after k steps of noise; k = 0 … STEPS."""
HIDDEN = 128


class Denoiser:
    """Samples from the weights that ``train`` saved; its randomness is the caller's generator."""

    def __init__(self, path: str) -> None:
        with np.load(path, allow_pickle=False) as saved:
            self.weights = {name: saved[name].astype(np.float64) for name in saved.files}

    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Actions (count, 2) in [-1, 1]², each from noise of its own."""
        seen = (observation - self.weights["centre"]) / self.weights["scale"]
        about = seen @ self.weights["seen"]  # the same for every action and step
        noisy = generator.standard_normal((count, 2))
        for step in range(STEPS, 0, -1):
            clean = self._clean(about, noisy, step)
            kept, before = KEPT[step], KEPT[step - 1]
            ratio = kept / before
            noisy = (
                np.sqrt(before) * (1.0 - ratio) * clean + np.sqrt(ratio) * (1.0 - before) * noisy
            ) / (1.0 - kept)
            if step > 1:  # of Ho's two variances the larger: steps are few, and narrow the law
                noisy += np.sqrt(1.0 - ratio) * generator.standard_normal((count, 2))
        return np.clip(noisy, -1.0, 1.0)

    def _clean(self, about: Array, noisy: Array, step: int) -> Array:
        """What the network takes the clean actions for."""
        w = self.weights
        hidden = np.maximum(about + noisy @ w["noisy"] + w["time"][step], 0.0)
        hidden = np.maximum(hidden @ w["hidden"] + w["hidden_bias"], 0.0)
        found: Array = np.clip(hidden @ w["out"] + w["out_bias"], -1.0, 1.0)
        return found


def train(path: str, episodes: int = 4_000, updates: int = 15_000) -> None:
    """Learn from fresh episodes of the shipped base, on one core."""
    import torch

    from sport_ray.experiments.config.study import Study
    from sport_ray.experiments.stages.base import load_base
    from sport_ray.rollouts import base_behaviour
    from sport_ray.rollouts.transitions import collect_transitions

    torch.set_num_threads(1)
    torch.manual_seed(0)
    study = Study.model_validate({"name": "x", "sweep": {"alphas": [1], "horizons": [30]}})
    plan = study.task(30, 0).plan("choose", 1)  # other scenarios than any certificate's
    behaviour = base_behaviour(load_base(study, "point_reach_avoid", None))
    kept, _ = collect_transitions(plan, behaviour, 0, episodes)
    seen = torch.from_numpy(kept.observation)
    action = torch.from_numpy(behaviour.action_mapping(kept.action)).float()
    centre, scale = seen.mean(0), seen.std(0) + 1e-3
    seen = (seen - centre) / scale

    def matrix(rows: int, columns: int) -> torch.nn.Parameter:
        return torch.nn.Parameter(torch.randn(rows, columns) * (2.0 / rows) ** 0.5)

    weights = {
        "seen": matrix(seen.shape[1], HIDDEN), "noisy": matrix(2, HIDDEN),
        "time": matrix(STEPS + 1, HIDDEN), "hidden": matrix(HIDDEN, HIDDEN),
        "hidden_bias": torch.nn.Parameter(torch.zeros(HIDDEN)), "out": matrix(HIDDEN, 2),
        "out_bias": torch.nn.Parameter(torch.zeros(2)),
    }  # fmt: skip
    optimiser = torch.optim.Adam(list(weights.values()), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    levels = torch.from_numpy(KEPT).float()
    for _ in range(updates):
        chosen = torch.randint(len(seen), (512,))
        step = torch.randint(1, STEPS + 1, (512,))
        share = levels[step][:, None]
        noisy = share.sqrt() * action[chosen] + (1 - share).sqrt() * torch.randn(512, 2)
        about = seen[chosen] @ weights["seen"]
        hidden = torch.relu(about + noisy @ weights["noisy"] + weights["time"][step])
        hidden = torch.relu(hidden @ weights["hidden"] + weights["hidden_bias"])
        error = hidden @ weights["out"] + weights["out_bias"] - action[chosen]
        loss = (error**2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    arrays: dict[str, Any] = {name: value.detach().numpy() for name, value in weights.items()}
    np.savez(path, centre=centre.numpy(), scale=scale.numpy(), **arrays)


if __name__ == "__main__":
    train(sys.argv[1])
