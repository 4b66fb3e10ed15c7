"""The environment's reward, less a price for each violation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sport_ray.comparators.ppo_lagrangian.price import moved
from sport_ray.errors import UserError
from sport_ray.projected_ppo.objective import Array, Objective, Pursuit, Sampled


@dataclass(frozen=True)
class Penalty(Objective):
    """r − λ c: c is 1 at the step that settles a violation of the property, else 0.

    So Σ c of an episode is 1 where it violates within T steps, by being late too, and 0 elsewhere.

    target: ε, the share of training episodes that may violate. rate: η, see ``price.moved``. start:
    the first λ, kept while only the critic learns. most: the largest λ.
    """

    target: float
    rate: float
    start: float
    most: float

    def begin(self) -> Pursuit:
        """With the first price."""
        return _Priced(self)


class _Priced(Pursuit):
    def __init__(self, asked: Penalty) -> None:
        self._asked, self.price = asked, asked.start

    def rewards(self, batch: Sequence[Sampled], *, learns: bool) -> list[Array]:
        """λ is moved by the batch, which is then learned from at the new λ."""
        asked, costs = self._asked, []
        for part in batch:
            if part.violated is None:
                raise UserError(
                    "a price of violations needs an environment that tells its signals in "
                    'training: give info["signals"], or leave out this task policy'
                )
            costs.append(part.violated & part.taken)
        if learns:
            violations = sum(int(one.sum()) for one in costs)
            episodes = sum(int((part.over & part.taken).sum()) for part in batch)
            self.price = moved(
                self.price, violations, episodes,
                target=asked.target, rate=asked.rate, most=asked.most,
            )  # fmt: skip
        pairs = zip(batch, costs, strict=True)
        return [part.rewards - self.price * cost for part, cost in pairs]

    @property
    def told(self) -> dict[str, float]:
        """The price as it is now."""
        return {"violation_price": self.price}
