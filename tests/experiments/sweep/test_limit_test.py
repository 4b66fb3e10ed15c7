"""The test of one limit: on which scenarios it runs, and that its file says the same again."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.bounds.list_evidence import ListEvidence
from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.sweep.limit_test import limit_numbers
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.streaming import ended_with
from tests.experiments.known_certificate import certificate

COUNT, ALPHA = 400, 1.2


@pytest.fixture(scope="module")
def base():
    return load_policy(BUNDLED / "point_reach_avoid").network


@pytest.fixture(scope="module")
def behaviour(base):
    """The shipped base projected onto a policy that is some way off."""
    task = PolicyNetwork(base.spec)
    task.load_state_dict({name: value * 1.1 for name, value in base.state_dict().items()})
    return ProjectedBehaviour(FrozenPolicy(base), FrozenPolicy(task), RatioConstraint(ALPHA))


def first_of_a_list(small_study, scenarios, **place):
    """A study, and the first cell of one of its lists, to be tested on few scenarios."""
    asked = {"limits": {"ratio": [ALPHA, 1.4]}, "scenarios": scenarios, "num_scenarios": COUNT}
    small_study["sweep"] |= {
        "eps_max": [0.1],
        "horizons": [25],
        "constraints": ["ratio"],
        "choose": {"from_base_scenarios": {**asked, "beta": 0.05}},
    }
    study = Study.model_validate(small_study)
    cells = (cell for job in plan_jobs(study, certificate()) for cell in job.cells)
    cell = next(one for one in cells if one.place and one.place.rank == 1)
    return study, cell.model_copy(update={"place": cell.place.model_copy(update=place)})


def test_what_is_kept_gives_the_bound_again(small_study, behaviour, tmp_path):
    study, cell = first_of_a_list(small_study, "fresh")
    path = tmp_path / "limit.npz"
    found = ended_with(limit_numbers(study, cell, certificate(), behaviour, path))
    assert found["limit_scenarios"] == COUNT
    assert 0.0 < found["limit_bound"] < 1.0
    kept = ListEvidence.from_bytes(path.read_bytes())
    assert kept.bound(cell.place.beta) == found["limit_bound"]
    assert kept.holds(cell.place.beta, found["limit_bound"])
    assert not kept.holds(cell.place.beta, 0.9 * found["limit_bound"])
    assert kept.fits(25 * np.log(ALPHA))
    assert not kept.fits(26 * np.log(ALPHA))
    assert kept.capped.max(axis=0) == pytest.approx(np.minimum(kept.capped.max(axis=0), kept.caps))
    with pytest.raises(UserError, match="is damaged"):
        ListEvidence.from_bytes(path.read_bytes()[:-50])


def test_the_certificates_scenarios_are_the_same_again(small_study, base, behaviour, tmp_path):
    """Those of the certificate behind the first hundred: their verdicts within T, one by one."""
    study, cell = first_of_a_list(small_study, "certificate", first=100, num_scenarios=COUNT)
    path = tmp_path / "limit.npz"
    ended_with(limit_numbers(study, cell, certificate(), behaviour, path))
    plan = ScenarioPlan(
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property=study.property,
        horizon=study.certificate.max_horizon,
        root_seed=certificate().root_seed,
        purpose="certify",
    )
    outcomes = run_scenarios(plan, BaseBehaviour(FrozenPolicy(base)), 100, COUNT)
    kept = ListEvidence.from_bytes(path.read_bytes())
    np.testing.assert_array_equal(kept.violated, ~outcomes.satisfied_by(25))
    assert np.exp(kept.log_ratios).mean() == pytest.approx(1.0, abs=0.2)


def test_a_cell_of_no_list_is_not_tested(small_study, behaviour, tmp_path):
    study, cell = first_of_a_list(small_study, "fresh")
    free = cell.model_copy(update={"place": None})
    path = tmp_path / "limit.npz"
    assert ended_with(limit_numbers(study, free, certificate(), behaviour, path)) == {}
    assert not path.exists()
