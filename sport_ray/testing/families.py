"""Checks of a family of distributions: what constraints, rollouts and training rely on."""

from __future__ import annotations

import math
import pickle

import numpy as np
import torch

from sport_ray.families import Distribution, family_named
from sport_ray.testing.checking import Check, CheckFailed, require, run
from sport_ray.testing.members import Members

ROWS, DRAWS = 400, 40_000
LIMITS = (0.0, 1e-9, 1e-3, 0.1, 0.7, 3.0)
"""Nats."""
STANDARD_ERRORS = 6.0
"""By which a mean may be off: by chance in one of 10⁹."""


def it_is_found_by_its_name(case: Members) -> None:
    """A log or a worker finds the class by its name; a batch goes to another process and back."""
    batch = _members(case, 3)
    kind = type(batch)
    require(family_named(kind.name) is kind, f"{kind.name!r} does not name {kind.__qualname__}")
    again = pickle.loads(pickle.dumps(batch))  # as Ray does, of what this process made
    require(not again.differs(batch).any(), "a batch that was sent is another one")


def its_numbers_go_there_and_back(case: Members) -> None:
    """Parameters, fields and rows: each makes the same batch again."""
    batch = _members(case, ROWS)
    kind = type(batch)
    wanted = (ROWS, kind.num_parameters(case.size))
    require(batch.parameters.shape == wanted, f"parameters are {tuple(batch.parameters.shape)}")
    for what, again in (
        ("from_parameters", kind.from_parameters(batch.parameters)),
        ("from_fields", kind.from_fields(batch.fields())),
        ("copy", batch.copy()),
        ("[rows]", batch[np.arange(ROWS)]),
    ):
        require(not again.differs(batch).any(), f"{what} gives another batch")
    require(len(batch) == ROWS, f"len is {len(batch)}")
    require(batch.valid().all(), "its own members are not valid")
    require(batch.agrees(batch, batch).all(), "a batch does not agree with itself")


def what_is_no_member_is_refused(case: Members) -> None:
    """NaN and infinity describe no member, and no ratio is computed from them."""
    batch = _members(case, 4)
    for wrong in (math.nan, math.inf):
        parts = [part.clone() for part in batch.parts]
        parts[0][1] = wrong
        broken = type(batch)(*parts)
        require(broken.valid().tolist() == [True, False, True, True], f"{wrong} counts as valid")
        _refuses(lambda: type(batch).from_fields(broken.fields()), f"from_fields takes {wrong}")  # noqa: B023
        _refuses(lambda: broken.max_log_ratio(batch), f"max_log_ratio takes {wrong}")  # noqa: B023


def noise_follows_from_the_generator(case: Members) -> None:
    """The same generator gives the same noise, whoever asks: one, several, or row by row."""
    kind, size = type(_members(case, 1)), case.size
    shape = (7, kind.noise_size(size))

    def fresh(*seeds: int) -> list[np.random.Generator]:
        return [np.random.default_rng(seed) for seed in seeds]

    alone = [kind.draw_noise(one, 7, size) for one in fresh(1, 2)]
    require(alone[0].shape == shape, f"noise is {alone[0].shape}, expected {shape}")
    together = kind.draw_each(fresh(1, 2), 7, size)
    require(np.array_equal(together, np.stack(alone)), "draw_each is not draw_noise, one by one")
    rows = kind.draw_rows(fresh(1, 2), size)
    require(np.array_equal(rows, together[:, 0]), "draw_rows is not the first step of draw_each")


def samples_have_the_density(case: Members) -> None:
    """Mean of π/π_base under the base is 1, of log π/π_base under π is KL(π ‖ π_base)."""
    generator = np.random.default_rng(3)
    for _ in range(8):
        base = case.batch(generator, DRAWS)
        near = case.batch(generator, DRAWS).projected(base, 0.7)
        ratio = np.exp(near.log_ratio(base, _sample(base, case, generator)))
        _close(ratio, 1.0, "the mean of π/π_base under the base")
        gained = near.log_ratio(base, _sample(near, case, generator))
        _close(gained, float(near.kl(base)[0]), "the mean of log π/π_base under π, to the KL")


def ratios_are_those_of_the_densities(case: Members) -> None:
    """Log ratio = difference of the log densities, at most its upper bound and the largest one."""
    generator = np.random.default_rng(4)
    base, task = case.pair(generator, ROWS)
    near = task.projected(base, 1.0)
    action = _sample(near, case, generator)
    ratio, above = near.log_ratio(base, action), near.log_ratio_above(base, action)
    drawn = torch.from_numpy(action)
    plain = (near.log_prob(drawn).double() - base.log_prob(drawn).double()).detach().numpy()
    scale = 1.0 + np.abs(near.log_prob(drawn).double().detach().numpy())
    require(np.all(np.abs(ratio - plain) <= 1e-6 * scale), "log_ratio is not the difference")
    require(np.all(ratio <= above), "log_ratio_above is below log_ratio")
    most = near.max_log_ratio(base).numpy()
    require(np.all(ratio <= most + 1e-12 * scale), "a log ratio is above max_log_ratio")
    tensor = near.log_ratio_tensor(base, drawn).numpy()
    require(np.array_equal(tensor, ratio), "log_ratio_tensor has other bits")
    same = base.log_ratio(base, action), base.log_ratio_above(base, action)
    require(not np.any(same), "the ratio of a member to itself is not exactly 1")
    require(not base.max_log_ratio(base).any(), "nor is its largest one")


def the_divergence_is_one(case: Members) -> None:
    """KL ≥ 0, and 0 of a member to itself; a gradient reaches the numbers."""
    base, task = case.pair(np.random.default_rng(5), ROWS)
    near = task.projected(base, 1.0)
    require((near.kl(base) >= -1e-9).all(), "KL is below 0")
    require((base.kl(base).abs() <= 1e-9).all(), "KL of a member to itself is not 0")
    parts = [part.clone().requires_grad_() for part in near.parts]
    type(near)(*parts).kl(base).sum().backward()
    moved = [part.grad for part in parts]
    require(
        any(one is not None and torch.isfinite(one).all() for one in moved),
        "no finite gradient of the KL reaches its numbers",
    )


def projections_stay_within_their_limit(case: Members) -> None:
    """max_log_ratio ≤ limit on the very numbers that come out, of float64 and float32 alike."""
    generator = np.random.default_rng(6)
    for limit in LIMITS:
        for dtype in (torch.float64, torch.float32):
            base, task = (one.to(dtype) for one in case.pair(generator, ROWS))
            found = task.projected(base, limit)
            require(found.valid().all(), f"a projection at limit {limit:g} is no member")
            most = found.max_log_ratio(base)
            require(
                (most <= limit).all(),
                f"at limit {limit:g} nats ({dtype}) a projection has {float(most.max()):.17g}",
            )
            if limit == 0.0:
                require(not found.differs(base).any(), "at limit 0 it is not the base")
    base, task = case.pair(generator, ROWS)
    limits = torch.from_numpy(10.0 ** generator.uniform(-6.0, 0.5, ROWS))
    found = task.projected(base, limits)
    require((found.max_log_ratio(base) <= limits).all(), "a limit for each row is not kept")


def what_is_within_stays_as_it_is(case: Members) -> None:
    """A member within the limit is returned bit for bit."""
    base, task = case.pair(np.random.default_rng(7), ROWS)
    for limit in LIMITS:
        once = task.projected(base, limit)
        require(not once.projected(base, limit).differs(once).any(), f"it moves at {limit:g} nats")


def projections_are_the_closest(case: Members) -> None:
    """No other member that was found within the limit is closer to the task in KL."""
    generator = np.random.default_rng(8)
    base, task = case.pair(generator, ROWS)
    for limit in LIMITS[2:]:
        found = task.projected(base, limit)
        distance = found.kl(task)
        for _ in range(20):
            drawn = case.draw(generator, ROWS)
            for other in (drawn, drawn.projected(base, limit)):
                closer = other.kl(task) < distance * (1.0 - 1e-6) - 1e-9
                closer &= other.max_log_ratio(base) <= limit
                require(not closer.any(), f"at {limit:g} nats another member within it is closer")


def rows_do_not_mix(case: Members) -> None:
    """A batch gives each row what the row alone gives."""
    base, task = case.pair(np.random.default_rng(9), 6)
    found = task.projected(base, 0.3)
    for row in range(6):
        one = slice(row, row + 1)
        alone = task[one].projected(base[one], 0.3)
        require(not alone.differs(found[one]).any(), "a row alone is projected otherwise")


def torch_has_the_same_law(case: Members) -> None:
    """``torch_distribution`` draws actions of the same shape with the same log density."""
    generator = np.random.default_rng(10)
    batch = _members(case, ROWS)
    law, action = batch.torch_distribution(), torch.from_numpy(_sample(batch, case, generator))
    require(law.sample().shape == action.shape, f"its actions are {tuple(law.sample().shape)}")
    theirs, ours = law.log_prob(action).double(), batch.log_prob(action).double()
    require(torch.allclose(theirs, ours, rtol=1e-6, atol=1e-6), "its log density is another one")


def family_checks() -> list[Check[Members]]:
    """All checks of a family, each a function of ``Members``."""
    return [
        it_is_found_by_its_name,
        its_numbers_go_there_and_back,
        what_is_no_member_is_refused,
        noise_follows_from_the_generator,
        samples_have_the_density,
        ratios_are_those_of_the_densities,
        the_divergence_is_one,
        projections_stay_within_their_limit,
        what_is_within_stays_as_it_is,
        projections_are_the_closest,
        rows_do_not_mix,
        torch_has_the_same_law,
    ]


def check_family(case: Members) -> list[str]:
    """Run every check on a family; the names of the checks.

    Raises:
        CheckFailed: one line with the check and what it found.
    """
    return run(family_checks(), case)


def _members(case: Members, count: int) -> Distribution:
    return case.draw(np.random.default_rng(2), count)


def _sample(
    batch: Distribution, case: Members, generator: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """One action of each row."""
    return batch.sample(type(batch).draw_noise(generator, len(batch), case.size))


def _close(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], wanted: float, what: str
) -> None:
    error = float(values.std()) / math.sqrt(len(values))
    off = abs(float(values.mean()) - wanted)
    require(
        off <= STANDARD_ERRORS * error + 1e-9,
        f"{what}: expected {wanted:.6g}, found {values.mean():.6g} ± {error:.2g}",
    )


def _refuses(call: object, what: str) -> None:
    if not callable(call):
        raise TypeError(f"expected a function, got {call!r}")
    try:
        call()
    except ValueError:
        return
    raise CheckFailed(what)
