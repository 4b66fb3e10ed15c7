"""Study files: what is accepted, and one clear line for every mistake."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, load_study

ROOT = Path(__file__).parents[3]
MINIMAL = {"name": "s", "sweep": {"alphas": [1.0, 2.0], "horizons": [10], "seeds": [0]}}


def write(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


STUDIES = sorted((ROOT / "experiments" / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_shipped_studies_are_valid(path):
    assert load_study(path).name == path.stem


def test_the_quickstart_is_what_the_readme_promises():
    study = load_study(ROOT / "experiments" / "studies" / "quickstart.yaml")
    assert study.sweep.alphas == [1, 1.1, 1.25, 1.5, 3, 10]
    assert (study.sweep.horizons, len(study.sweep.seeds)) == ([21], 3)
    assert study.certificate.num_scenarios == 10_000


def test_a_study_round_trips_through_json(tmp_path):
    study = load_study(write(tmp_path, MINIMAL))
    assert Study.model_validate(study.model_dump(mode="json")) == study


@pytest.mark.parametrize(
    "sources",
    [["scpo", "projected_ppo"], {"scpo": {"iterations": 3}, "unconstrained": None, "presa": {}}],
)
def test_sources_of_task_policies_round_trip_with_their_settings(tmp_path, sources):
    study = load_study(write(tmp_path, with_(task_policies=sources)))
    assert sorted(study.sources) == sorted(sources)
    dumped = json.loads(json.dumps(study.model_dump(mode="json")))
    assert "methods" not in dumped["sweep"]
    again = Study.model_validate(dumped)
    assert again == study
    assert Study.model_validate_json(json.dumps(dumped)) == study
    assert type(again.task_policies["scpo"]) is type(study.task_policies["scpo"])
    if isinstance(sources, dict):
        assert again.task_policies["scpo"].iterations == 3


def test_the_short_form_is_a_list_of_one(tmp_path):
    short = load_study(write(tmp_path, with_(task_policy="scpo")))
    assert short == load_study(write(tmp_path, with_(task_policies=["scpo"])))


def test_without_sources_the_methods_tell_them(tmp_path):
    study = load_study(write(tmp_path, MINIMAL))
    assert study.sources == ["projected_ppo", "unconstrained"]
    dumped = study.model_dump(mode="json")
    assert dumped["sweep"]["methods"] == ["projected_ppo", "projected_at_deployment"]
    one = load_study(write(tmp_path, sweep_with(methods=["projected_at_deployment"])))
    assert one.sources == ["unconstrained"]


def with_(**changes: object) -> dict:
    return {**MINIMAL, **changes}


def sweep_with(**changes: object) -> dict:
    return with_(sweep={**MINIMAL["sweep"], **changes})


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (with_(sweeep={}), ["unknown key 'sweeep'", "'sweep'"]),
        (sweep_with(alhpas=[1]), ["unknown key 'sweep.alhpas'", "'alphas'"]),
        (with_(training={"learning": 1}), ["unknown key 'training.learning'"]),
        (sweep_with(alphas=[0.9]), ["sweep.alphas.0", "0.9", "greater than or equal to 1"]),
        (sweep_with(alphas=[float("inf")]), ["sweep.alphas.0", "finite"]),
        (sweep_with(alphas=[float("nan")]), ["sweep.alphas.0"]),
        (sweep_with(alphas=["two"]), ["sweep.alphas.0", "'two'"]),
        (sweep_with(alphas=[2.0, 2.0]), ["alphas holds 2.0 twice"]),
        (sweep_with(alphas=None), ["give alphas, or eps_max"]),
        (sweep_with(horizons=[0]), ["sweep.horizons.0", "0"]),
        (sweep_with(horizons=[2.5]), ["sweep.horizons.0", "2.5"]),
        (sweep_with(horizons=[101]), ["101", "max_horizon", "100"]),
        (sweep_with(eps_max=[1.5]), ["sweep.eps_max.0", "1.5"]),
        (sweep_with(seeds=[-1]), ["sweep.seeds.0", "-1"]),
        (sweep_with(seeds=[2**31]), ["sweep.seeds.0", "2147483648", "2147483647"]),
        (sweep_with(seeds=[2**32, 10**20]), ["sweep.seeds.0", "sweep.seeds.1", "2147483647"]),
        (sweep_with(seeds=[True]), ["sweep.seeds.0 = True", "not a truth value"]),
        (sweep_with(seeds=["1"]), ["sweep.seeds.0 = '1'", "without quotes"]),
        (sweep_with(alphas=[True]), ["sweep.alphas.0 = True", "not a truth value"]),
        (sweep_with(alphas=["1.1"]), ["sweep.alphas.0 = '1.1'", "without quotes"]),
        (sweep_with(alphas=1.1), ["sweep.alphas = 1.1", "expected a list"]),
        (sweep_with(alphas=[[1.1]]), ["sweep.alphas.0 = [1.1]", "expected a number"]),
        (sweep_with(horizons=None, alphas=[None]), ["sweep.alphas.0 is empty"]),
        (with_(certificate=None), ["certificate is empty"]),
        (with_(certificate=[1]), ["certificate = [1]", "expected a section"]),
        (with_(certificate={"root_seed": 2**32}), ["certificate.root_seed", "2147483647"]),
        (with_(evaluation={"root_seed": -1}), ["evaluation.root_seed", "-1"]),
        (with_(base_training={"seed": 2**32}), ["base_training.seed", "2147483647"]),
        (with_(base_training={"hidden": [10**9]}), ["base_training.hidden.0", "100000"]),
        (
            with_(base_training={"entropy_target": 0, "entropy_coeff": 0.03}),
            ["base_training", "entropy_target = 0 and entropy_coeff = 0.03 are given: remove one"],
        ),
        (with_(certificate={"beta": 5e-324}), ["certificate.beta", "1e-200"]),
        (with_(evaluation={"beta": 1e-310}), ["evaluation.beta", "1e-200"]),
        (sweep_with(eps_max=[5e-324]), ["sweep.eps_max.0", "1e-200"]),
        (with_(environment={"kwargs": {"limit": float("nan")}}), ["environment.kwargs.limit"]),
        (with_(environment={"id": ""}), ["environment.id = ''", "at least 1 character"]),
        (with_(environment=3), ["environment = 3", "expected a section"]),
        (with_(Sweep={}), ["unknown key 'Sweep'", "'sweep'"]),
        (with_(SWEEP={}), ["unknown key 'SWEEP'", "'sweep'"]),
        (with_(name=3), ["name = 3", "expected text"]),
        (sweep_with(methods=["magic"]), ["sweep.methods.0", "'magic'"]),
        (with_(certificate={"beta": 0}), ["certificate.beta", "0"]),
        (with_(certificate={"beta": 1}), ["certificate.beta", "1"]),
        (with_(certificate={"num_scenarios": 0}), ["certificate.num_scenarios"]),
        (with_(training={"minibatch_size": 1024}), ["minibatch_size (1024)"]),
        (with_(environment={"kwargs": {"horizon": 5}}), ["horizon", "environment.kwargs"]),
        (with_(property="G !hazard & ???"), ["property", "???"]),
        (with_(name="../evil"), ["name", "'../evil'"]),
        (with_(property="G hazard U"), ["property", "column 11"]),
        (with_(certificate={"stop": {"horizon": 200, "target": 0.1}}), ["stop.horizon (200)"]),
        (
            with_(certificate={"num_scenarios": 1500, "stop": {"horizon": 5, "target": 0.1}}),
            ["num_scenarios (1500) must be a multiple"],
        ),
        (
            with_(certificate={"choose": {"eps_max": 0.1}}),
            ["horizons is given"],
        ),
        (with_(certificate={"choose": {"eps_max": 1.5}}), ["certificate.choose.eps_max", "1.5"]),
        (sweep_with(horizons=None), ["sweep.horizons is missing (or say in certificate.choose"]),
        (
            {**with_(property="G !hazard"), "sweep": {"alphas": [1]}},
            ["sweep.horizons is missing"],
        ),
        (
            with_(
                property="G !hazard",
                certificate={"choose": {"eps_max": 0.1}},
                sweep={"alphas": [1]},
            ),
            ["certificate.choose picks T by its risk", "'G !hazard'", "sweep.horizons"],
        ),
        (with_(property="(!hazrd) U goal"), ["signal 'hazrd'", "goal, hazard: did you mean 'haz"]),
        (
            with_(
                certificate={"choose": {"eps_max": 0.1, "bases": ["point_reach_avoid"]}},
                sweep={"alphas": [1]},
            ),
            ["names a policy twice"],
        ),
        (with_(deployment={"alpha_p": 0.9}), ["deployment.alpha_p", "0.9"]),
        (
            with_(deployment={"initial_state": {"base": {"mean": [0], "std": [1, 1]}}}),
            ["deployment.initial_state.base", "mean has 1 entries, std 2"],
        ),
        (with_(task_policies=["scpoo"]), ["task_policies", "'scpoo'", "did you mean 'scpo'?"]),
        (with_(task_policy="nothing"), ["'nothing'", "known: base, critic, "]),
        (with_(task_policies=["scpo", "scpo"]), ["holds 'scpo' twice"]),
        (with_(task_policies=[]), ["task_policies", "give a list of names"]),
        (with_(task_policies="scpo"), ["task_policies", "'scpo'", "give a list of names"]),
        (with_(task_policies=[{"scpo": {}}]), ["a list holds names; for settings give a mapping"]),
        (with_(task_policies={"scpo": 3}), ["scpo = 3", "mapping of settings"]),
        (
            with_(task_policies={"scpo": {"iteration": 3}}),
            ["unknown key 'scpo.iteration'", "'iterations'"],
        ),
        (with_(task_policies={"scpo": {"iterations": -1}}), ["scpo.iterations = -1"]),
        (
            with_(task_policies={"projected_ppo": {"lr": 1e-3}}),
            ["unknown key 'projected_ppo.lr'", "section training"],
        ),
        (with_(task_policies=["imported"]), ["imported.path is missing"]),
        (
            with_(task_policies={"imported": {"path": "nowhere"}}),
            ["task_policies.imported", "'nowhere' does not exist"],
        ),
        (with_(task_policy="scpo", task_policies=["scpo"]), ["remove one"]),
        (with_(task_policy=["scpo"]), ["task_policy = ['scpo']", "task_policies for more"]),
        (
            {**sweep_with(methods=["projected_ppo"]), "task_policies": ["scpo"]},
            ["sweep.methods and task_policies", "remove sweep.methods"],
        ),
        (
            {**sweep_with(hyperparameters={"lr": [1e-3]}), "task_policies": ["scpo"]},
            ["sweep.hyperparameters is about PPO's parameters"],
        ),
        ({"sweep": MINIMAL["sweep"]}, ["name is missing"]),
        ({"name": "x"}, ["sweep is missing"]),
        ("- a\n- b\n", ["mapping"]),
        ("a: [1\n", ["not YAML"]),
        ("", ["mapping"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, content, fragments):
    with pytest.raises(UserError) as caught:
        load_study(write(tmp_path, content))
    message = str(caught.value)
    assert "\n" not in message
    assert "Pydantic" not in message
    for fragment in fragments:
        assert fragment in message


def test_whole_numbers_with_an_exponent_are_whole(tmp_path):
    """C13: 1e6 is text in YAML 1.1."""
    text = "name: s\nsweep: {alphas: [1e0], horizons: [1e1]}\ntraining: {env_steps: 1e6}\n"
    study = load_study(write(tmp_path, text))
    found = (study.training.env_steps, study.sweep.horizons[0], study.sweep.alphas[0])
    assert found == (10**6, 10, 1.0)
    assert [type(one) for one in found] == [int, int, float]


def test_an_environment_is_named_in_short(tmp_path):
    short = load_study(write(tmp_path, with_(environment="walk:bugs/Walk-v0")))
    assert short == load_study(write(tmp_path, with_(environment={"id": "walk:bugs/Walk-v0"})))


def test_minus_zero_is_zero(tmp_path):
    study = load_study(write(tmp_path, with_(resources={"gpus_per_cell": -0.0})))
    assert math.copysign(1.0, study.resources.gpus_per_cell) == 1.0


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml does not exist"):
        load_study(tmp_path / "nowhere.yaml")
