"""The price of a violation: dual ascent on the share of training episodes that violate."""

from __future__ import annotations


def moved(
    price: float, violations: int, episodes: int, *, target: float, rate: float, most: float
) -> float:
    """λ' = min(most, max(0, λ + η (V − ε n))), after n episodes, of which V violated.

    A step against the gradient of the Lagrangian E[R] − λ (P(violation) − ε) in λ, with one sample
    of P(violation) − ε per episode: batches of any size may be moved by at once or one by one, but
    for the cuts at both ends. λ rises exactly where more than the target violates.

    price: λ ≥ 0, in units of reward per violation. target: ε, a share. rate: η > 0, reward per
    episode. most: the cap of λ.

    Source: Ray, Achiam, Amodei, Benchmarking Safe Exploration in Deep Reinforcement Learning, 2019.

    >>> moved(1.0, 3, 10, target=0.1, rate=0.5, most=100.0)
    2.0
    """
    return min(most, max(0.0, price + rate * (violations - target * episodes)))
