"""A slow reference for the projection, and the hostile problems it is asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from mpmath import mp, mpf

MP = mp.clone()
MP.dps = 60


@dataclass(frozen=True)
class Reference:
    """60-digit numbers around one problem: the bound's multiplier and the smallest KL."""

    multiplier: mpf
    minimum: mpf


def exact_ratio(mean: Sequence, std: Sequence, m: Sequence, s: Sequence) -> mpf:
    """The max log ratio of these very numbers in 60 digits; infinite where the formula is."""
    total = MP.mpf(0)
    for x, y, mb, sb in zip(*(map(float, v) for v in (mean, std, m, s)), strict=True):
        x, y, mb, sb = MP.mpf(x), MP.mpf(y), MP.mpf(mb), MP.mpf(sb)
        if y == sb and x == mb:
            continue
        if y >= sb:
            return MP.inf
        total += MP.log(sb / y) + (x - mb) ** 2 / (2 * (sb**2 - y**2))
    return total


def exact_kl(mean: Sequence, std: Sequence, mt: Sequence, st: Sequence) -> mpf:
    """KL(N(mean, std) || N(mt, st)) of these very numbers in 60 digits."""
    total = MP.mpf(0)
    for x, y, m, s in zip(*(map(float, v) for v in (mean, std, mt, st)), strict=True):
        x, y, m, s = MP.mpf(x), MP.mpf(y), MP.mpf(m), MP.mpf(s)
        total += MP.log(s / y) + (y**2 + (x - m) ** 2) / (2 * s**2) - MP.mpf(1) / 2
    return total


def _best_w(lam: mpf, d: mpf, t2: mpf) -> mpf:
    """W = B / (1 - B) of METHOD's stationarity equation, by Newton from the left.

    (1 + lam)(1 + w) - 1/t^2 - lam d^2 / (B + lam t^2)^2 is increasing and concave in w, so
    Newton's method from a point left of the root converges monotonically.
    """
    lt2 = lam * t2
    f0 = 1 / t2 + d * d / (lam * t2 * t2) - 1 - lam
    if f0 <= 0:
        return MP.mpf(0)
    k = d * d / (lam * t2 * t2)
    w = f0 / (1 + lam + 2 * k / lt2)
    w = max(w, (f0 - k) / (1 + lam))
    for _ in range(400):
        b = w / (1 + w)
        q = b + lt2
        value = (1 + lam) * (1 + w) - 1 / t2 - lam * d * d / q**2
        slope = (1 + lam) + 2 * lam * d * d / q**3 / (1 + w) ** 2
        step = -value / slope
        w += step
        if abs(step) <= w * MP.mpf(10) ** -30:
            break
    return w


def solve_reference(m: Sequence, s: Sequence, mt: Sequence, st: Sequence, c: float) -> Reference:
    """The smallest KL by Lagrangian duality: bisection for the multiplier in 60 digits.

    min_{mean, std} KL + lam (ratio - log_alpha) is a lower bound of the minimum for every
    lam >= 0 and equals it at the multiplier, where an error e in lam costs e^2.
    """
    if exact_ratio(mt, st, m, s) <= c:
        return Reference(MP.mpf(0), MP.mpf(0))
    cols = [[MP.mpf(float(x)) for x in v] for v in (m, s, mt, st)]
    d = [(x - y) / z for y, z, x, _ in zip(*cols, strict=True)]
    t2 = [(x / z) ** 2 for _, z, _, x in zip(*cols, strict=True)]

    def at(lam: mpf) -> tuple[mpf, mpf]:
        ratio, kl = MP.mpf(0), MP.mpf(0)
        for di, ti in zip(d, t2, strict=True):
            w = _best_w(lam, di, ti)
            b = w / (1 + w)
            q = b + lam * ti
            ratio += MP.log1p(w) / 2 + di * di * b / q**2 / 2
            kl += (MP.log(ti) + MP.log1p(w) + (1 / (1 + w)) / ti - 1) / 2
            kl += (di * lam * ti / q) ** 2 / ti / 2
        return ratio, kl

    lo, hi = MP.mpf(10) ** -90, MP.mpf(10) ** 30
    while hi / lo > 1 + MP.mpf(10) ** -14:
        mid = MP.sqrt(lo * hi)
        if at(mid)[0] > c:
            lo = mid
        else:
            hi = mid
    ratio, kl = at(hi)
    return Reference(hi, kl + hi * (ratio - c))


def draw_problems(
    kind: str, count: int, dims: int, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """``count`` problems (mean_base, std_base, mean_task, std_task, log_alpha) of one kind."""
    shape = (count, dims)
    log_alpha = 10 ** rng.uniform(-9, np.log10(50), count)
    s = 10 ** rng.uniform(-3, 3, shape)
    m = rng.normal(size=shape) * s
    if kind == "ordinary":
        log_alpha = 10 ** rng.uniform(-2, 0.7, count)
        d, t = rng.normal(size=shape), np.exp(0.5 * rng.normal(size=shape))
    elif kind == "hostile":
        d = 10 ** rng.uniform(-6, 6, shape) * rng.choice([-1.0, 0.0, 1.0], shape, p=[0.4, 0.2, 0.4])
        t = 10 ** rng.uniform(-6, 6, shape)
    elif kind == "far base":  # the means' spacing is coarse compared with the stds
        m = s * 10 ** rng.uniform(0, 6, shape)
        d, t = rng.normal(size=shape), np.exp(rng.normal(size=shape))
    elif kind == "close":  # task close to the base
        scale = 10 ** rng.uniform(-9, 0, (count, 1))
        d, t = rng.normal(size=shape) * scale, np.exp(scale * rng.normal(size=shape))
    else:
        raise ValueError(f"unknown kind {kind!r}")
    return m, s, m + d * s, t * s, log_alpha


@pytest.fixture
def reference() -> Callable[..., Reference]:
    return solve_reference


@pytest.fixture
def problems() -> Callable[..., tuple[np.ndarray, ...]]:
    return draw_problems


@pytest.fixture
def ratio_of() -> Callable[..., mpf]:
    return exact_ratio


@pytest.fixture
def kl_of() -> Callable[..., mpf]:
    return exact_kl
