"""A family that is no Gaussian, and that this project does not have: coins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from sport_ray.families import Distribution


class Coin(Distribution):
    """+1 with probability ``up`` (..., 1), else −1."""

    name = "coin"
    part_names = ("up",)

    @classmethod
    def num_parameters(cls, action_size):
        return action_size

    @classmethod
    def noise_size(cls, action_size):
        return action_size

    @classmethod
    def draw_noise(cls, generator, steps, action_size):
        return generator.random((steps, action_size))

    def valid(self):
        return super().valid() & ((self.parts[0] >= 0.0) & (self.parts[0] <= 1.0)).all(-1)

    def agrees(self, other, base):
        return ((self.parts[0] - other.parts[0]).abs() <= 1e-6).all(-1)

    def sample(self, noise):
        return np.where(noise < self.arrays()[0], 1.0, -1.0)

    def log_prob(self, action):
        (up,) = self.parts
        return torch.log(torch.where(action > 0, up, 1.0 - up)).sum(-1)

    def torch_distribution(self):
        return Tosses(self)

    def log_ratio(self, base, action):
        drawn = torch.from_numpy(action)
        return (self.to(torch.float64).log_prob(drawn) - base.log_prob(drawn)).numpy()

    def log_ratio_above(self, base, action):
        ratio = self.log_ratio(base, action)
        return np.where(self.differs(base).numpy(), ratio + 1e-12 * (1.0 + np.abs(ratio)), 0.0)

    def max_log_ratio(self, base):
        if not (self.valid() & base.valid()).all():
            raise ValueError("a coin's probability is a number from 0 to 1")
        up, known = self.parts[0].double(), base.parts[0].double()
        return torch.log(torch.maximum(up / known, (1.0 - up) / (1.0 - known))).sum(-1)

    def kl(self, other):
        up, its = self.parts[0].double(), other.parts[0].double()
        return (torch.xlogy(up, up / its) + torch.xlogy(1 - up, (1 - up) / (1 - its))).sum(-1)

    def projected(self, base, limit):
        most = torch.as_tensor(limit, dtype=torch.float64)
        known, alpha = base.parts[0].double(), torch.exp(most)[..., None]
        least = torch.minimum(known, 1.0 - alpha * (1.0 - known))  # 1 − (1 − p) is not always p
        up = self.parts[0].double().clamp(least, alpha * known)
        up = torch.where(most[..., None] == 0.0, known, up)
        found = type(self)(up.to(self.parts[0]))
        while (outside := found.max_log_ratio(base) > most).any():  # rounded outwards
            inwards = torch.nextafter(found.parts[0], base.parts[0])
            found = type(self)(torch.where(outside[..., None], inwards, found.parts[0]))
        return found


class Tosses(torch.distributions.Distribution):
    """The law of coins as torch has distributions."""

    def __init__(self, coin: Coin) -> None:
        self.coin = coin
        up = coin.parts[0]
        super().__init__(up.shape[:-1], up.shape[-1:], validate_args=False)

    def sample(self, sample_shape=()):
        up = self.coin.parts[0]
        return torch.where(torch.rand(*sample_shape, *up.shape) < up, 1.0, -1.0).to(up)

    def log_prob(self, value):
        return self.coin.log_prob(value)


def coins(size: int) -> Callable[[np.random.Generator, int], Coin]:
    """What draws batches of random coins, ``size`` in a member."""

    def draw(generator: np.random.Generator, count: int) -> Coin:
        return Coin(torch.from_numpy(generator.uniform(0.02, 0.98, (count, size))))

    return draw
