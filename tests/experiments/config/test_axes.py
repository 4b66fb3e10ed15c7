"""Training parameters as an axis: what is drawn, what a cell is trained with, what it is called."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.certificates import Certificate, load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.axes import (
    axis_values,
    checked_axes,
    drawn,
    point_text,
    points,
    restricted,
    with_values,
)
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.config.study_file import study_values
from sport_ray.experiments.config.training import TrainingSection
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.grid import plan_jobs
from sport_ray.experiments.task_policies import SOURCES

ROOT = Path(__file__).parents[3]
GAMMA = {"uniform": [0.9, 0.99]}
LR = {"loguniform": [1e-5, 1e-3]}


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return load_certificate(BUNDLED / "point_reach_avoid" / "certificate.json")


def study_with(small_study: dict, axes: dict, **changes: object) -> Study:
    small_study["sweep"] |= {"hyperparameters": axes, "seeds": [0, 1]}
    return Study.model_validate(small_study | changes)


# What is drawn


@given(st.integers(0, 2**40), st.integers(1, 12), st.integers(1, 12))
def test_more_samples_only_add_to_those_there_are(seed, few, more):
    def values(count):
        return axis_values(seed, "lr", LR | {"samples": count})

    assert values(few + more)[:few] == values(few)
    assert len(set(values(few + more))) == few + more


@given(st.integers(0, 2**40))
def test_draws_depend_on_nothing_but_seed_and_name(seed):
    axes = {"lr": LR | {"samples": 3}, "gamma": GAMMA | {"samples": 2}}
    alone = {v for ((_, v),) in points({"lr": axes["lr"]}, seed)}
    both = points(axes, seed)
    assert {dict(point)["lr"] for point in both} == alone
    assert both == points(dict(reversed(axes.items())), seed)  # nor on the order of keys
    assert len(both) == 6
    assert [name for name, _ in both[0]] == ["gamma", "lr"]


def test_the_draws_are_these_for_ever():
    """Results rest on them: another numpy must not give others."""
    assert axis_values(0, "lr", LR | {"samples": 3}) == [5.026e-05, 0.0001102, 1.455e-05]
    assert axis_values(1, "num_epochs", {"randint": [2, 9], "samples": 3}) == [7, 3, 2]


@pytest.mark.parametrize(
    ("axis", "low", "high", "cdf"),
    [
        ({"uniform": [2.0, 4.0]}, 2.0, 4.0, lambda x: (x - 2.0) / 2.0),
        (
            {"loguniform": [1e-5, 1e-3]},
            1e-5,
            1e-3,
            lambda x: (np.log10(x) + 5.0) / 2.0,
        ),
    ],
)
def test_the_laws_are_what_they_are_called(axis, low, high, cdf):
    values = np.array(list(itertools.islice(drawn(3, "lr", axis), 4_000)), dtype=float)
    assert (values >= low).all()
    assert (values <= high).all()
    ranks = np.sort(cdf(values))
    distance = np.abs(ranks - (np.arange(4_000) + 0.5) / 4_000).max()
    assert distance < 1.95 / math.sqrt(4_000)  # Kolmogorov–Smirnov, level 0.1%


def test_whole_numbers_leave_out_the_upper_end():
    values = list(itertools.islice(drawn(0, "num_epochs", {"randint": [2, 5]}), 300))
    assert set(values) == {2, 3, 4}
    assert all(type(value) is int for value in values)
    some = list(itertools.islice(drawn(0, "num_envs", {"lograndint": [1, 65]}), 2_000))
    assert set(range(1, 5)) <= set(some)
    assert max(some) <= 64
    assert np.mean([v <= 8 for v in some]) == pytest.approx(np.log(9) / np.log(65), abs=0.05)
    assert set(itertools.islice(drawn(0, "lr", [1e-4, 1e-3]), 50)) == {1e-4, 1e-3}


# What a study may say


def test_numbers_that_yaml_takes_for_text_are_numbers():
    """YAML 1.1 reads 5e-5 as text: there is no dot in it."""
    text = b"lr: [5e-5, 1]\nwide: {loguniform: [1e-5, 1e-3], samples: 2}\ncount: [1e3]"
    given = study_values(text, "axes")
    assert checked_axes({"lr": given["lr"]}, sampled=True) == {"lr": [5e-5, 1.0]}
    wide = checked_axes({"lr": given["wide"]}, sampled=True)
    assert wide == {"lr": {"loguniform": [1e-5, 1e-3], "samples": 2}}
    counts = checked_axes({"train_batch_size": given["count"]}, sampled=True)
    assert counts == {"train_batch_size": [1000]}
    assert type(counts["train_batch_size"][0]) is int


@pytest.mark.parametrize("value", ["5e-5", True, None, [1e-3]])
def test_what_is_no_number_is_refused(value):
    for axis in ([value], {"uniform": [value, 1.0], "samples": 2}):
        with pytest.raises(ValueError, match=r"lr(:| =).*expected (a|two) number"):
            checked_axes({"lr": axis}, sampled=True)


def test_too_many_combinations_are_refused_before_they_are_made():
    draws = {"uniform": [0.1, 0.2], "samples": 200}
    with pytest.raises(ValueError, match="40000 combinations"):
        points({"lr": draws, "clip": draws}, 0)


@pytest.mark.parametrize(
    ("axes", "fragment"),
    [
        ({"lrr": [1e-4]}, "'lrr' is no training parameter; did you mean 'lr'?"),
        ({"zzz": [1]}, "known: env_steps, lr,"),
        ({"lr": []}, "lr has no values"),
        ({"lr": [1e-4, 0.0001]}, "lr holds 0.0001 twice"),
        ({"lr": [-1.0]}, "lr = -1.0: input should be greater than 0"),
        ({"gamma": [0.9, 1.5]}, "gamma = 1.5: input should be less than or equal to 1"),
        ({"gradient": ["paper", "other"]}, "gradient = 'other'"),
        ({"lr": 1e-4}, "lr = 0.0001: give a list of values, or one of uniform"),
        ({"lr": {"unifrom": [1, 2], "samples": 2}}, "give a list of values, or one of uniform"),
        ({"lr": {"uniform": [1, 2]}}, "samples: 3}"),
        ({"lr": {"uniform": [0.1, 0.2], "loguniform": [0.1, 0.2], "samples": 1}}, "one of"),
        ({"lr": {"uniform": [0.2, 0.1], "samples": 1}}, "the smaller one"),
        ({"lr": {"uniform": [0.1], "samples": 1}}, "expected [low, high]"),
        ({"lr": {"uniform": [0.1, "many"], "samples": 1}}, "expected two numbers"),
        ({"lr": {"uniform": [0.1, math.inf], "samples": 1}}, "expected two numbers"),
        ({"gamma": {"uniform": [0.5, 1.5], "samples": 1}}, "gamma = 1.5"),
        ({"gae_lambda": {"loguniform": [0.0, 0.9], "samples": 1}}, "numbers above 0"),
        ({"num_epochs": {"uniform": [1, 4], "samples": 1}}, "use randint"),
        ({"gradient": {"uniform": [1, 4], "samples": 1}}, "give a list of values"),
        ({"num_epochs": {"randint": [1, 4], "samples": 4}}, "has only 3 values"),
        ({"lr": {"uniform": [0.1, 0.2], "samples": 0}}, "samples = 0"),
        ({"lr": {"uniform": [0.1, 0.1000001], "samples": 9}}, "fewer than 9 values"),
        ({"minibatch_size": [64, 512]}, "at minibatch_size=512: minibatch_size (512) must not"),
    ],
)
def test_a_mistake_is_one_line_of_the_study(small_study, tmp_path, axes, fragment):
    small_study["sweep"]["hyperparameters"] = axes
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(small_study))  # JSON is YAML
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_with_axes_round_trips(small_study):
    study = study_with(small_study, {"gamma": GAMMA | {"samples": 2}, "lr": [1e-4, 1e-3]})
    again = Study.model_validate(json.loads(json.dumps(study.model_dump(mode="json"))))
    assert again == study
    assert again.sweep.points == study.sweep.points


def test_values_replace_those_of_the_section():
    section = with_values(TrainingSection(), (("gamma", 0.9), ("num_epochs", 7)))
    assert (section.gamma, section.num_epochs, section.lr) == (0.9, 7, 5e-5)
    with pytest.raises(ValueError, match=r"at minibatch_size=4096: minibatch_size \(4096\)"):
        with_values(TrainingSection(), (("minibatch_size", 4096),))
    assert restricted((("gamma", 0.9), ("lr", 1.0)), {"lr"}) == (("lr", 1.0),)


# What cells there are, and what they are called


def test_a_cell_says_what_it_is_trained_with(small_study, certificate):
    """Its section is the study's with its parameters, and they are named."""
    small_study["certificate"] = {}
    plain = Study.model_validate(small_study)
    before = [cell for job in plan_jobs(plain, certificate) for cell in job.cells]
    study = study_with(small_study, {"lr": [1e-3, 1e-4]})  # 1e-3 is the section's own
    cells = [cell for job in plan_jobs(study, certificate) for cell in job.cells]
    ids = [cell.id for cell in cells]
    assert len(ids) == len(set(ids)) == 2 * 2 * (2 + 2 + 1)
    # Own cells, also where the value is the section's: their records call it by name.
    assert not {cell.id for cell in before} & set(ids)
    identity = dict.fromkeys(("lr=0.001", "lr=0.0001"))
    for cell in cells:
        if (cell.source, cell.seed, cell.alpha) == ("projected_ppo", 0, 1.5):
            identity[cell.hyperparameters_text] = cell.identity(study, certificate)
    assert [one.pop("hyperparameters") for one in identity.values()] == [{"lr": 1e-3}, {"lr": 1e-4}]
    assert [one["training"]["lr"] for one in identity.values()] == [1e-3, 1e-4]
    [as_before] = [
        cell.identity(plain, certificate)
        for cell in before
        if (cell.source, cell.seed, cell.alpha) == ("projected_ppo", 0, 1.5)
    ]
    assert as_before.pop("hyperparameters") == {}
    assert identity["lr=0.001"] == as_before


def test_more_values_reuse_the_cells_that_are_there(small_study, certificate):
    def ids(axes):
        study = study_with(small_study, axes)
        return {c.id for j in plan_jobs(study, certificate) for c in j.cells}

    few = {"gamma": GAMMA | {"samples": 2}}
    more = {"gamma": GAMMA | {"samples": 4}}
    assert ids(few) < ids(more)


def test_what_a_free_policy_does_not_have_makes_no_further_runs(small_study, certificate):
    axes = {"gradient": ["paper", "through_projection"], "lr": [1e-3, 1e-4]}
    axes["warmup_env_steps"] = [0, 256]
    for own, runs in ((None, 4), ({"env_steps": 512}, 2)):
        study = study_with(small_study, axes, unconstrained_training=own)
        jobs = plan_jobs(study, certificate)
        ids = [c.id for job in jobs for c in job.cells]
        assert len(ids) == len(set(ids))
        free = [job for job in jobs if job.kind == "unconstrained"]
        assert len(free) == runs * 2  # seeds
        assert len(jobs) - len(free) == 8 * 2 * 2
        for job in free:
            assert len({cell.hyperparameters for cell in job.cells}) == 1
            point = job.cells[0].hyperparameters
            assert SOURCES[job.kind]().settings_in(study, point).ppo.lr == dict(point)["lr"]


def test_jobs_with_parameters_survive_the_way_through_tune(small_study, certificate):
    axes = {"lr": [1e-3, 1], "num_epochs": [2, 4], "gradient": ["paper"]}
    study = study_with(small_study, axes)
    for job in plan_jobs(study, certificate):
        again = Job.model_validate(json.loads(json.dumps(job.model_dump(mode="json"))))
        assert again == job
        for cell, same in zip(job.cells, again.cells, strict=True):
            assert same.is_of(study, certificate)
            assert cell.hyperparameters_text == same.hyperparameters_text


def test_what_a_record_calls_them():
    assert point_text(()) == ""
    assert point_text((("gamma", 0.9), ("gradient", "paper"))) == "gamma=0.9, gradient=paper"
    cell = {"source": "projected_ppo", "constraint": {"name": "ratio", "alpha": 1.5}}
    made = Cell(id="", **cell, eps_max=None, horizon=20, seed=0)
    assert made.hyperparameters_text is None
    assert (
        made.model_copy(update={"hyperparameters": (("lr", 1e-4),)}).hyperparameters_text
        == "lr=0.0001"
    )


def test_the_examples_of_the_documentation_are_studies():
    """Each block of YAML on training parameters, with a name and the least of a sweep."""
    _, _, text = (ROOT / "docs" / "studies.md").read_text().partition("## Training parameters")
    blocks = [yaml.safe_load(part.split("```")[0]) for part in text.split("```yaml")[1:]]
    assert len(blocks) == 3
    for block in blocks:
        sweep = {"alphas": [1.5], "horizons": [21]}
        study = Study.model_validate({"name": "docs", "sweep": sweep} | block)
        assert len(study.sweep.points) == (6 if "sweep" in block else 1)
