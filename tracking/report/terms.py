"""The words of the page, each explained once: tooltips and the list at its end say the same."""

from __future__ import annotations

TERMS: dict[str, tuple[str, str]] = {
    "base": (
        "base policy",
        "A policy that is there already and whose risk was measured: in N independent episodes. "
        "All other policies on this page stay close to it, and inherit a promise from it.",
    ),
    "eps-base": (
        "ε_base(T)",
        "Upper bound on the probability that the base policy violates the task within T steps. "
        "It holds with confidence 1 − β, for all T at once (Clopper–Pearson).",
    ),
    "certified": (
        "certified risk",
        "A prior bound that says something. “Certified risk ≤ 0.1”: at most 1 episode in 10 "
        "violates the task on average, and that is known before the policy acts for the first "
        "time.",
    ),
    "prior": (
        "prior bound",
        "Upper bound on a policy's probability of violating the task, before any episode of it "
        "is run. It follows from the base policy's risk and from the constraint that the policy "
        "keeps to at every step, whatever the dynamics and however the policy was trained.",
    ),
    "posterior": (
        "posterior bound",
        "The same after the finished policy was run in fresh evaluation episodes "
        "(Clopper–Pearson). Of a setting it is that of its worst seed. Nothing Bayesian.",
    ),
    "observed": (
        "observed rate",
        "Share of evaluation episodes that violated the task. An estimate: it promises nothing.",
    ),
    "alpha": (
        "α",
        "Limit on how much likelier any action may be than under the base policy, at every "
        "step: π(a|s) ≤ α · π_base(a|s). α = 1 is the base policy itself.",
    ),
    "eps-max": (
        "ε_max",
        "The risk that a constraint was derived from: its limit is the largest with which the "
        "prior bound is at most ε_max.",
    ),
    "constraint": (
        "constraint",
        "How a policy is kept close to the base: by a constant ratio α at every step (the "
        "paper's), or by a budget for the whole episode, spent where it helps most. A pathwise "
        "budget limits the product of the ratios of the actions that are taken.",
    ),
    "horizon": (
        "T",
        "Length of an episode in steps. One that has not satisfied the task by then counts as a "
        "violation.",
    ),
    "beta": (
        "β",
        "Probability that a bound is wrong, because the measured episodes were unluckily chosen.",
    ),
    "projected": (
        "projected",
        "What a network proposes is replaced, before it acts, by the nearest distribution of "
        "actions that keeps to the constraint: in training too (Projected PPO), or only when it "
        "is used (at deployment).",
    ),
    "selection": (
        "selection",
        "The base policy draws M candidate actions, and a score chooses one of them.",
    ),
    "setting": (
        "setting, cell, seed",
        "A setting is one method under one constraint with one T. Each of its seeds is a "
        "training run of its own, and a row of results: a cell.",
    ),
    "shown": (
        "shown",
        "A one-sided t-test over seeds says that the gain is no accident; all rows of the table "
        "together err with at most 5% (Holm).",
    ),
    "front": (
        "Pareto front",
        "The settings that no other one beats in both risk and performance.",
    ),
    "budget": (
        "training budget",
        "Environment steps of one training run. What the base policy took is not in it.",
    ),
}
"""Key: what it is called, and what it means."""
