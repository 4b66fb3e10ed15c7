"""Studies of the benchmark: which cells each method has, and what is left out where."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.compose import compose
from sport_ray.experiments.benchmark.method import MethodFile, methods
from sport_ray.experiments.benchmark.suite import ALL_BASES, Suite
from sport_ray.experiments.benchmark.task import TaskFile
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.config.study_file import study_values
from sport_ray.experiments.sweep.grid import plan_jobs
from tests.experiments.known_certificate import certificate

LAKE = "sport_ray.experiments.examples.frozen_lake:sport_ray_examples/SafeFrozenLake-v0"


def task(**study) -> TaskFile:
    about = {
        "environment": {"id": "sport_ray/PointReachAvoid-v0", "kwargs": {"layout": "fixed"}},
        "property": "(!hazard) U goal",
        "horizon": 25,
        "base_training": {
            "hidden": [8],
            "accept": {"horizon": 25, "epsilon": 0.1, "steps": [1, 9]},
        },
        "certificate": {"num_scenarios": 10_000, "max_horizon": 30},
        "evaluation": {"num_scenarios": 300},
        **study,
    }
    levels = {"smooth": {"entropy_coeff": 0.1}, "middle": {}, "sharp": {}}
    return TaskFile(name="one", title="One", why="A test.", study=about, levels=levels)


def suite(*names: str, **changes) -> Suite:
    known = methods()
    chosen = tuple(known.values()) if not names else tuple(known[name] for name in names)
    return Suite(tasks=(), methods=chosen, bases=ALL_BASES, **changes)


def test_every_method_has_its_cells_and_no_others():
    """The grid of the paper's robot, counted by hand: 4 levels, of which 0.02 is in reach."""
    part = compose(suite(seeds=2), task(), ALL_BASES[0])
    assert list(part.left_out) == ["two_point"]
    cells = [cell for job in plan_jobs(part.study, certificate()) for cell in job.cells]
    found: dict[tuple[str, str], int] = {}
    for cell in cells:
        kind = cell.constraint.name if cell.place is None else "list"
        found[cell.source, kind] = found.get((cell.source, kind), 0) + 1
    projected = {"projected_ppo": ["ratio", "gauss_renyi", "mean_shift", "pathwise"]}
    for chooses in ("critic", "task_density", "projected_ppo_selection"):
        projected[chooses] = ["ratio", "two_point", "pathwise"]
    projected["unconstrained"] = ["ratio", "pathwise"]
    free = ["critic", "task_density", "unconstrained", "scpo", "presa", "kl_ppo"]
    expected = {(source, kind): 4 * 2 for source, kinds in projected.items() for kind in kinds}
    expected |= dict.fromkeys(((source, "unconstrained") for source in free), 2)
    expected |= {("unconstrained", "list"): 6 * 2, ("base", "ratio"): 2}
    for aims in ("ppo_lagrangian", "simplex"):
        expected[aims, "unconstrained"] = 4 * 2  # at each level of risk
    assert {key: count for key, count in found.items() if key in expected} == expected
    assert not [key for key in found if key[0] in projected and key not in expected]
    assert {cell.alpha for cell in cells if cell.source == "base"} == {1.0}
    assert part.study.certificate.transitions == 600
    assert part.study.mixtures is not None
    assert part.study.mixtures.sources == ["base", "projected_ppo", "unconstrained"]


def test_the_study_file_reads_back_as_the_study():
    part = compose(suite(), task(), ALL_BASES[4])
    assert parse_study(study_values(part.text, "text"), "text") == part.study
    assert part.study.base == "benchmark/one/middle_1"
    assert part.study.base_training.seed == 1


def test_what_does_not_fit_the_family_has_no_cells():
    """A categorical base: no bound for Gaussians, no shifts, and a floor instead."""
    lake = task(environment={"id": LAKE, "kwargs": {"success_rate": 0.9}})
    part = compose(suite(seeds=1), lake, ALL_BASES[0])
    assert {"gauss_renyi", "mean_shift", "presa"} <= set(part.left_out)
    kinds = part.study.sweep.constraints_of["projected_ppo"]
    assert kinds == ["pathwise", "ratio", "two_point"]
    jobs = plan_jobs(part.study, certificate(), "categorical")
    own = [cell for job in jobs for cell in job.cells if cell.source == "projected_ppo"]
    assert len(own) == 3 * 4
    assert part.study.mixtures is None  # chosen by steps of the robot's task


def test_the_same_cells_whichever_methods_are_asked_for():
    """So that a part of the suite that has run is a part of the whole."""

    def ids(chosen: Suite) -> set[str]:
        study = compose(chosen, task(), ALL_BASES[0]).study
        return {cell.id for job in plan_jobs(study, certificate()) for cell in job.cells}

    some = ids(suite("fixed_alpha", "selection_critic_budget", "limits_from_data", seeds=1))
    assert some < ids(suite(seeds=2))


def test_the_tiny_suite_drops_the_rule_and_overrides_at_every_depth():
    one = task().model_copy(update={"tiny": {"certificate": {"num_scenarios": 500}}})
    part = compose(suite("fixed_alpha", tiny=True, seeds=1), one, ALL_BASES[0])
    assert part.study.base_training.accept is None
    assert part.study.base_training.entropy_coeff == 0.1
    assert part.study.certificate.num_scenarios == 500
    assert part.study.certificate.max_horizon == 30
    assert part.study.name == "bench-tiny_one_smooth_0"


def test_a_mixture_brings_the_cells_that_it_is_made_of():
    part = compose(suite("random_budgets", seeds=1), task(), ALL_BASES[0])
    assert {"fixed_alpha", "unconstrained"} <= set(methods()["random_budgets"].of)
    assert "projected_ppo" in part.study.sources
    assert [one.name for one in part.methods] == ["random_budgets"]


def test_the_unconstrained_policies_are_there_whichever_methods_are_asked_for():
    """Every score is a share of their gain."""
    part = compose(suite("fixed_alpha", seeds=1), task(), ALL_BASES[0])
    cells = [cell for job in plan_jobs(part.study, certificate()) for cell in job.cells]
    free = [cell.source for cell in cells if cell.constraint.name == "unconstrained"]
    assert free == ["unconstrained"]
    assert [one.name for one in part.methods] == ["fixed_alpha"]


def test_a_method_is_judged_by_the_settings_that_are_used():
    """The task's over its own: segments longer than its episodes fail before hours are spent."""
    known = methods()["presa"]
    for length, left_out in ((25, []), (26, ["presa"])):
        one = task(settings={"presa": {"segment_length": length}})
        assert list(compose(suite("presa", seeds=1), one, ALL_BASES[0]).left_out) == left_out
        tiny = known.model_copy(update={"tiny_settings": {"segment_length": length}})
        small = replace(suite(tiny=True, seeds=1), methods=(tiny,))
        assert list(compose(small, task(), ALL_BASES[0]).left_out) == left_out


def test_methods_that_contradict_each_other_are_refused():
    other = methods()["fixed_alpha"].model_copy(update={"name": "x", "settings": {"candidates": 8}})
    critic = methods()["selection_critic_budget"]
    both = replace(suite(), methods=(critic, other.model_copy(update={"source": "critic"})))
    with pytest.raises(UserError, match="method x: another method has other settings of 'critic'"):
        compose(both, task(), ALL_BASES[0])


def test_settings_of_a_source_may_be_the_tasks_own():
    part = compose(suite("scpo"), task(settings={"scpo": {"iterations": 3}}), ALL_BASES[0])
    assert part.study.task_policies["scpo"].iterations == 3


def test_every_method_that_ships_promises_something_that_its_kind_can():
    for one in methods().values():
        assert isinstance(one, MethodFile)
        if one.promise == "prior" and one.kind == "cells":
            assert one.constraint is not None
        if one.kind == "list":
            assert one.promise == "data"
        assert all(math.isfinite(limit) for limit in one.limits or [])
