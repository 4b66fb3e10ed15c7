"""The world that was certified is the one in which a study goes on, or it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from sport_ray.canonical import digest, write_json
from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages import gpu_worker
from sport_ray.experiments.stages.certify import certify, load_matching
from sport_ray.experiments.stages.world import other_versions, require_world, unchanged_since
from sport_ray.policies import load_policy, save_policy
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.rollouts import Tally, run_scenarios
from sport_ray.rollouts.table_file import OutcomeWriter, read_outcomes
from sport_ray.sources import Sources

WORLD = """
import gymnasium, numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import WrapperSpec
from world_law import GAIN

class Env(gymnasium.Env):
    observation_space = spaces.Box(-10, 10, (1,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)
    gain = GAIN
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = float(self.np_random.uniform(-0.1, 0.1)), 0
        return self.out()
    def out(self):
        return np.array([self.x], np.float32), {"signals": {"hazard": abs(self.x) - 0.9}}
    def step(self, action):
        self.t += 1
        self.x += self.gain * float(action[0]) + 0.1 * float(self.np_random.standard_normal())
        observation, info = self.out()
        return observation, self.bonus(), False, False, info
    def bonus(self):
        return -abs(self.x)

class Timed(gymnasium.Wrapper):
    def reset(self, **k):
        self.steps = 0
        return self.env.reset(**k)
    def step(self, action):
        self.steps += 1
        if self.steps > 0.5 * self.env.spec.max_episode_steps:
            self.unwrapped.x += 0.5
        return self.env.step(action)

gymnasium.register("world_test/Env-v0", entry_point="world_env:Env")
gymnasium.register(
    "world_test/Timed-v0", entry_point="world_env:Env",
    additional_wrappers=(WrapperSpec("Timed", "world_env:Timed", {}),),
)
"""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A user's environment whose law is in another module; forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "world_env.py").write_text(WORLD)
    (tmp_path / "world_law.py").write_text("GAIN = 0.3\n")
    yield tmp_path
    for name in ("world_env", "world_law"):
        sys.modules.pop(name, None)
    for name in ("Env", "Timed"):
        gymnasium.registry.pop(f"world_test/{name}-v0", None)


@pytest.fixture
def certified(world, monkeypatch):
    """Certifies 150 scenarios of a policy that stays near 0, in this process."""

    def local_stream(plan, behaviour, count, *, chunk=None, progress=None, need=None):
        chunk = chunk or 100
        for first in range(0, count, chunk):
            tally = Tally()
            some = min(chunk, count - first)
            yield run_scenarios(plan, behaviour, first, some, tally=tally), tally

    monkeypatch.setattr(gpu_worker, "stream_scenarios", local_stream)

    def make(name: str = "Env", horizons: tuple[int, ...] = (12,)):
        study = Study.model_validate(
            {
                "name": "world",
                "environment": {"id": f"world_env:world_test/{name}-v0"},
                "property": "G !hazard",
                "base": "base",
                "certificate": {"num_scenarios": 150, "beta": 1e-3, "max_horizon": 20},
                "sweep": {"alphas": [1.0], "horizons": list(horizons), "seeds": [0]},
            }
        )
        folder = StudyFolder(world / "results", study)
        folder.write_study(None)
        network = PolicyNetwork(PolicySpec(observation_size=1, action_size=1, hidden=()))
        with np.errstate(all="ignore"):
            save_policy(folder.base, network, {})
        base = load_policy(folder.base)
        return study, folder, base, certify(folder, base)

    return make


def test_what_did_not_change_goes_on(certified):
    study, folder, base, certificate = certified()
    assert {"world_env", "world_law", "sport_ray"} <= set(certificate.code)
    assert {"gymnasium", "numpy", "python", "torch"} <= set(certificate.versions)
    assert load_matching(folder, base) == certificate
    told = require_world(study, certificate, folder.outcomes, base, [12, 7])
    assert told == "20 certified scenarios run again at T = 7, 12, 20: as certified"
    assert other_versions(certificate) == ""


def test_a_constant_that_changed_is_found_by_digest_and_by_running_again(certified, world):
    study, folder, base, certificate = certified()
    (world / "world_law.py").write_text("GAIN = 0.9\n")
    with pytest.raises(UserError, match=r"another environment code: world_law \(.*has changed"):
        load_matching(folder, base)
    sys.modules["world_env"].Env.gain = 0.9
    with pytest.raises(UserError) as caught:
        require_world(study, certificate, folder.outcomes, base, [12])
    message = str(caught.value)
    assert "is not the one that was certified: scenario " in message
    assert "\n" not in message
    assert "sport-ray certify" in message


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (lambda self: -abs(self.x) * (1 + 1e-14), "20 differ in the last bits"),
        (lambda self: -2 * abs(self.x), "total_reward is"),
    ],
)
def test_bits_of_a_reward_are_told_and_another_reward_is_refused(certified, changed, found):
    study, folder, base, certificate = certified()
    sys.modules["world_env"].Env.bonus = changed
    try:
        told = require_world(study, certificate, folder.outcomes, base, [])
    except UserError as error:
        told = str(error)
    assert found.split()[-1] in told
    assert found[3:] in told


def test_an_environment_that_sees_its_time_limit_is_the_same_at_every_horizon(certified):
    """Cells are cut at T in the world of T_max; made for T it would be another, and refused."""
    study, folder, base, certificate = certified("Timed")
    told = require_world(study, certificate, folder.outcomes, base, [12])
    assert told.endswith("at T = 12, 20: as certified")


def test_it_would_be_refused_at_its_own_horizon(certified, monkeypatch):
    study, folder, base, certificate = certified("Timed")
    plan_of = sys.modules["sport_ray.experiments.stages.world"].evaluation_plan
    monkeypatch.setattr(
        "sport_ray.experiments.stages.world.evaluation_plan",
        lambda *a: plan_of(*a).model_copy(update={"environment_horizon": None}),
    )
    with pytest.raises(UserError, match="run again here for 8 steps"):
        require_world(study, certificate, folder.outcomes, base, [8])


@pytest.mark.parametrize("kind", ["counts", "means", "code", "missing", "table"])
def test_a_certificate_that_was_typed_over_is_no_certificate(kind, certified):
    _, folder, base, certificate = certified()
    body = certificate.body()
    if kind == "counts":
        table = body["table"]
        settled, last = table["num_settled"], [0] * 20
        best = certificate.sampling.bound(150, 0, 1e-3)
        each = certificate.sampling.bound(150, 0, 1e-3 / 20)
        assert any(table["num_violations"])
        body["table"] = {
            **table, "num_violations": last, "num_settled": [0] * len(settled),
            "eps_base": [best] * 20, "eps_base_simultaneous": [each] * 20,
        }  # fmt: skip
    elif kind == "means":
        body["table"]["num_running"][3] -= 1
    elif kind == "code":
        del body["code"]["world_env"]
    elif kind == "missing":
        folder.outcomes.unlink()
    else:
        rows = next(read_outcomes(folder.outcomes)).rows(slice(0, 149))
        with OutcomeWriter(folder.outcomes) as writer:
            writer.add(rows)
    write_json(folder.certificate, {**body, "digest": digest(body)})
    load_certificate(folder.certificate)  # by itself it is sound
    words = {
        "counts": "table does not follow from the outcome table",
        "means": "table does not follow from the outcome table",
        "code": "it does not name world_env",
        "missing": "does not exist",
        "table": "sha256",
    }
    with pytest.raises(UserError, match=words[kind]) as caught:
        load_matching(folder, base)
    assert "\n" not in str(caught.value)
    assert "certify" in str(caught.value)


def test_other_versions_are_told_and_no_reason_to_refuse(certified):
    _, folder, base, certificate = certified()
    other = certificate.model_copy(update={"versions": {**certificate.versions, "numpy": "1.0"}})
    assert other_versions(other).startswith("certified with numpy 1.0 (here ")
    body = other.body()
    write_json(folder.certificate, {**body, "digest": digest(body)})
    assert load_matching(folder, base).versions["numpy"] == "1.0"


def test_code_that_is_edited_while_it_is_certified():
    before = Sources({"env": "1", "env:log.txt": "1"}, {})
    grown = Sources({"env": "1", "lazy": "2", "env:log.txt": "2"}, {"yaml": "6"})
    assert unchanged_since(before, grown) == Sources({"env": "1", "lazy": "2"}, {"yaml": "6"})
    with pytest.raises(UserError, match="env changed while it was certified"):
        unchanged_since(before, Sources({"env": "2"}, {}))


def test_where_the_table_is_beside_the_certificate(certified):
    _, folder, _, certificate = certified()
    assert folder.certificate.with_name(certificate.outcomes.file) == Path(folder.outcomes)
