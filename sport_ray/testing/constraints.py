"""Checks of a constraint: what its promise, the rollouts and the records rely on."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import (
    Constraint,
    Evidence,
    MustBeGivenError,
    constraint_class,
    constraint_from_json,
)
from sport_ray.errors import UserError
from sport_ray.testing.checking import Check, CheckFailed, require, run
from sport_ray.testing.members import Members, categorical_members, gaussian_members
from sport_ray.testing.worst_case import worst_cases

EPISODES, STEPS = 300, 12
EVIDENCE = Evidence(
    horizon=STEPS,
    eps_base=0.0026,
    beta=1e-7,
    num_scenarios=10_000,
    num_violations=3,
    fixed_number=True,
    settled=(0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2),
    steps_left=(9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0),
)
"""Three violations in 10,000 scenarios of 12 steps, one of them a timeout."""


def _families() -> list[Members]:
    return [gaussian_members(1), gaussian_members(3), categorical_members(2),
            categorical_members(6)]  # fmt: skip


@dataclass(frozen=True)
class ConstraintCase:
    """A constraint and what it is tried with.

    constraint: with parameters under which something happens. families: those whose members are
    projected; what the constraint refuses by ``require_family`` is left out. evidence: of a base.
    """

    constraint: Constraint
    families: list[Members] = field(default_factory=_families)
    evidence: Evidence = EVIDENCE

    @property
    def fitting(self) -> list[Members]:
        """The families that the constraint's theorem holds for."""
        return [one for one in self.families if self._takes(one)]

    def _takes(self, members: Members) -> bool:
        kind = type(members.draw(np.random.default_rng(0), 1))
        try:
            self.constraint.require_family(kind)
        except UserError:
            return False
        return True


def it_is_found_by_its_name(case: ConstraintCase) -> None:
    """A study, a record and a worker find the class by its name; it says what it is called."""
    kind = type(case.constraint)
    require(constraint_class(kind.name) is kind, f"{kind.name!r} does not name the class")
    for attribute in ("name", "title", "formula"):
        text = getattr(kind, attribute)
        require(isinstance(text, str) and text.isprintable(), f"{attribute} is {text!r}")
    require(kind.title, "title is empty")
    require(case.fitting, "it takes none of the families: give those that it is for")


def it_goes_to_json_and_back(case: ConstraintCase) -> None:
    """Equal, with an equal hash, from JSON and from another process; its numbers are recorded."""
    constraint = case.constraint
    try:
        text = json.dumps(constraint.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"to_json gives what JSON cannot hold: {error}") from None
    again = constraint_from_json(json.loads(text))
    sent = pickle.loads(pickle.dumps(constraint))  # as Ray does, of what this process made
    for what, other in (("from JSON", again), ("that was sent", sent)):
        require(type(other) is type(constraint), f"the one {what} is a {type(other).__name__}")
        require(other == constraint, f"the one {what} is another one: a frozen dataclass has ==")
        require(hash(other) == hash(constraint), f"the one {what} has another hash")
    recorded = constraint.recorded()
    require(all(math.isfinite(value) for value in recorded.values()), f"records {recorded}")


def it_cannot_be_changed(case: ConstraintCase) -> None:
    """Its parameters are frozen: what was promised is what is done."""
    for name in type(case.constraint).__dataclass_fields__:  # type: ignore[attr-defined]
        try:
            setattr(case.constraint, name, getattr(case.constraint, name))
        except AttributeError:
            continue
        raise CheckFailed(f"{name} can be set: make the dataclass frozen")


def states_have_their_shapes(case: ConstraintCase) -> None:
    """A state, a limit and features for every episode; those who ask later get their own."""
    constraint = case.constraint
    for count in (0, 1, 7):
        state = constraint.start(count)
        wanted = (count, constraint.state_size)
        require(state.shape == wanted, f"start({count}) is {state.shape}, expected {wanted}")
        limits = constraint.limits(state)
        require(limits.shape == (count,), f"limits are {limits.shape}, expected {(count,)}")
        features = constraint.features(state)
        wanted = (count, constraint.num_features)
        require(features.shape == wanted, f"features are {features.shape}, expected {wanted}")
        require(features.dtype == np.float32, f"features are {features.dtype}, expected float32")
        seen = constraint.feature_limits(torch.from_numpy(features))
        told = np.broadcast_to(np.asarray(seen, dtype=np.float64), (count,))
        require(np.array_equal(told, limits), "what features say of the limit is not the limit")
        state[...] = 0.0
        require(np.array_equal(constraint.limits(constraint.start(count)), limits),
                "start gives a state that was given before")  # fmt: skip


def the_base_may_always_act(case: ConstraintCase) -> None:
    """The base itself is within, and is not moved."""
    generator = np.random.default_rng(1)
    for members in case.fitting:
        base = members.draw(generator, EPISODES)
        limits = torch.from_numpy(case.constraint.limits(case.constraint.start(EPISODES)))
        chosen = case.constraint.project(base, base, limits)
        require(not chosen.differs(base).any(), f"a {base.name} base is moved")
        require(case.constraint.within(base, base, limits).all(), "the base is not within")


def steps_stay_within_whatever_is_asked_for(case: ConstraintCase) -> None:
    """Over hostile episodes: each step within its limit, never more spent than there was.

    Half of the actions are the worst of 64 draws. No step exceeds ``log_ratio_limit``, and no
    prefix of a path ``path_log_ratio_limit``.
    """
    for seed, members in enumerate(case.fitting):
        _hostile_episodes(case.constraint, members, np.random.default_rng([2, seed]))


def rows_do_not_mix(case: ConstraintCase) -> None:
    """Each episode is projected and charged as if it were alone."""
    constraint, generator = case.constraint, np.random.default_rng(3)
    for members in case.fitting:
        base, task = members.pair(generator, 5)
        state = constraint.start(5) * generator.uniform(0.1, 1.0, (5, 1))
        limits = torch.from_numpy(constraint.limits(state))
        chosen = constraint.project(base, task, limits)
        action = _sample(chosen, members, generator)
        after = constraint.spend(state, constraint.cost(chosen, base, action))
        for row in range(5):
            one = slice(row, row + 1)
            alone = constraint.project(base[one], task[one], limits[one])
            require(not alone.differs(chosen[one]).any(), "a row alone is projected otherwise")
            cost = constraint.cost(chosen[one], base[one], action[one])
            require(np.array_equal(constraint.spend(state[one], cost), after[one]),
                    "a row alone is charged otherwise")  # fmt: skip


def what_was_not_there_cannot_be_spent(case: ConstraintCase) -> None:
    """A cost beyond what is left, and one that is no number, end the run."""
    if not case.constraint.state_size:
        return
    for cost in (math.inf, math.nan):
        try:
            case.constraint.spend(case.constraint.start(2), np.array([0.0, cost]))
        except ArithmeticError:
            continue
        raise CheckFailed(f"a cost of {cost} is taken: raise ArithmeticError")


def its_bound_is_a_bound(case: ConstraintCase) -> None:
    """At least ε_base, and not smaller for a worse base."""
    last = 0.0
    for violations in (3, 30, 300, 3_000):
        settled = tuple(min(one, violations) * violations // 3 for one in case.evidence.settled)
        evidence = replace(
            case.evidence,
            eps_base=min(0.9, 1.5 * violations / 10_000 + 0.002),
            num_violations=violations,
            settled=settled,
        )
        bound = case.constraint.prior_bound(evidence)
        if bound is None:
            raise CheckFailed("it promises nothing: prior_bound gives None")
        require(math.isfinite(bound), f"the bound is {bound}")
        require(bound >= violations / 10_000, f"the bound {bound:.4g} is below the base's own rate")
        require(bound >= last, f"the bound falls to {bound:.4g} where the base gets worse")
        last = bound


def a_target_is_met(case: ConstraintCase) -> None:
    """``for_target`` gives a constraint that promises at most ε_max, or says why not."""
    for eps_max in (0.003, 0.05, 0.5):
        for trained in (False, True):
            try:
                found = type(case.constraint).for_target(case.evidence, eps_max, trained=trained)
            except MustBeGivenError:
                return
            bound = found.prior_bound(case.evidence)
            require(
                bound is not None and bound <= eps_max,
                f"for ε_max = {eps_max:g} it derives {found}, whose bound is {bound}",
            )


def its_bound_is_not_below_the_truth(case: ConstraintCase) -> None:
    """On problems made to be the worst for it, it violates no more often than it promises.

    Whether an episode violates is decided by where the ratio of what it may do is largest: at
    every step, at the first, at the last, or early or late.
    """
    for seed, members in enumerate(case.fitting):
        for one in worst_cases(case.constraint, members, seed):
            require(
                one.p_value >= 1e-7,
                f"{one.name}, {one.family}: {one.violations} of {one.episodes} episodes violate, "
                f"and the bound is {one.bound:.4g}",
            )


def constraint_checks() -> list[Check[ConstraintCase]]:
    """All checks of a constraint, each a function of ``ConstraintCase``."""
    return [
        it_is_found_by_its_name,
        it_goes_to_json_and_back,
        it_cannot_be_changed,
        states_have_their_shapes,
        the_base_may_always_act,
        steps_stay_within_whatever_is_asked_for,
        rows_do_not_mix,
        what_was_not_there_cannot_be_spent,
        its_bound_is_a_bound,
        a_target_is_met,
        its_bound_is_not_below_the_truth,
    ]


def check_constraint(constraint: Constraint, **options: Any) -> list[str]:
    """Run every check on a constraint; the names of the checks. options: see ``ConstraintCase``.

    Raises:
        CheckFailed: one line with the check and what it found.
    """
    return run(constraint_checks(), ConstraintCase(constraint, **options))


def _hostile_episodes(
    constraint: Constraint, members: Members, generator: np.random.Generator
) -> None:
    """The check ``steps stay within`` for one family."""
    state = constraint.start(EPISODES)
    total = np.zeros(EPISODES)
    whole = constraint.path_log_ratio_limit(STEPS)
    for step in range(STEPS):
        base, task = members.pair(generator, EPISODES)
        given = constraint.limits(state)
        require(np.all(given >= 0.0), f"at step {step + 1} a limit is below 0 or no number")
        limits = torch.from_numpy(given)
        chosen = constraint.project(base, task, limits)
        inside = constraint.within(chosen, base, limits)
        require(inside.all(), f"at step {step + 1} its own projection is not within its limit")
        if constraint.log_ratio_limit < math.inf:
            most = float(chosen.max_log_ratio(base).max())
            require(most <= constraint.log_ratio_limit, f"a step's log ratio is {most:.17g}")
        action = _sample(chosen, members, generator)
        for _ in range(63):
            other = _sample(chosen, members, generator)
            worse = chosen.log_ratio(base, other) > chosen.log_ratio(base, action)
            action = np.where((worse & (np.arange(EPISODES) % 2 == 0))[:, None], other, action)
        total += chosen.log_ratio(base, action)
        require(np.all(total <= whole + 1e-9), f"a path's log ratio is {total.max():.17g}")
        state = constraint.spend(state, constraint.cost(chosen, base, action))


def _sample(batch: Any, members: Members, generator: np.random.Generator) -> NDArray[np.float64]:
    """One action of each row."""
    noise = type(batch).draw_noise(generator, len(batch), members.size)
    drawn: NDArray[np.float64] = batch.sample(noise)
    return drawn
