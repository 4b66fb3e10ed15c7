"""Noise drawn ahead is the noise of a call for each step."""

from __future__ import annotations

import numpy as np

from sport_ray.families import Gaussian
from sport_ray.projected_ppo.cohort import noise
from sport_ray.projected_ppo.streams import noise_generator


def test_steps_and_pauses_take_the_numbers_in_order(monkeypatch):
    """Over the ends of what was drawn ahead; a cell that pauses goes on where it was."""
    monkeypatch.setattr(noise, "AHEAD", 30)  # five steps of 3 copies and 2 actions
    ahead = noise.NoiseAhead([noise_generator(s, 0) for s in (1, 2, 3)], Gaussian, 3, 2)
    plain = [noise_generator(s, 0) for s in (1, 2, 3)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        cells = np.flatnonzero(rng.random(3) < 0.7)
        found = ahead.draw(cells)
        for row, cell in enumerate(cells):
            assert np.array_equal(found[row], Gaussian.draw_noise(plain[cell], 3, 2))
