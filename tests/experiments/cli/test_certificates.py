"""certify, verify, sign: from a study to a file that others can check."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from sport_ray.canonical import digest, write_json
from tests.experiments.calling import called
from tests.experiments.cli.test_main import one_line, sport_ray

pytestmark = pytest.mark.slow


def test_certify_sign_verify_and_every_lie(write_study, small_study, tmp_path):
    study = write_study(small_study)
    done = sport_ray("certify", study, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "small"
    path = results / "certificate.json"
    assert called("new-key", "key.pem", cwd=tmp_path).returncode == 0
    assert called("sign", results, "--key", "key.pem", cwd=tmp_path).returncode == 0

    verified = called("verify", results, "--rerun", 60, "--public-key", "key.pem.pub", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "certificate.json holds" in verified.stdout
    assert "60 scenarios run again" in " ".join(verified.stdout.split())
    assert "FAILED" not in verified.stdout

    planned = called("plan", results, "--eps-max", 0.5, "--eps-max", 0.001, cwd=tmp_path)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "out of reach" in planned.stdout
    frame = pd.read_csv(results / "plan.csv")
    assert sorted(frame["eps_max"].unique()) == [0.001, 0.5]
    assert len(frame) == 2 * 30
    assert (results / "max_log_alpha.png").stat().st_size > 0
    line = one_line(called("plan", results, "--eps-max", 1.5, cwd=tmp_path))
    assert "--eps-max 1.5" in line

    table = results / "certificate_outcomes.parquet"
    data = table.read_bytes()
    table.write_bytes(data[:-100] + bytes([data[-100] ^ 4]) + data[-99:])
    lied = called("verify", path, cwd=tmp_path)
    assert lied.returncode == 1
    assert "table file" in lied.stdout
    assert "FAILED" in lied.stdout
    table.write_bytes(data)
    path.write_bytes(path.read_bytes().replace(b'"root_seed": 0', b'"root_seed": 1'))
    lied = called("verify", path, "--public-key", "key.pem.pub", cwd=tmp_path)
    assert lied.returncode == 1
    assert "does not hold" in lied.stdout
    assert "Traceback" not in lied.stderr
    assert "does not exist" in called("verify", "nowhere", cwd=tmp_path).stdout


def test_a_horizon_is_chosen_on_other_scenarios(write_study, small_study, tmp_path):
    small_study["certificate"] |= {"choose": {"eps_max": 0.5, "num_scenarios": 400}}
    del small_study["sweep"]["horizons"]
    small_study["sweep"] |= {"alphas": [1.0], "methods": ["projected_ppo"]}
    study = write_study(small_study)
    done = sport_ray("run", study, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "small"
    choice = json.loads((results / "choice.json").read_text())
    certificate = json.loads((results / "certificate.json").read_text())
    assert certificate["choice"] == choice
    [record] = [json.loads(p.read_text()) for p in results.glob("cells/*/record.json")]
    assert record["horizon"] == choice["horizon"]
    # β, not β / T_max: the choice was made on scenarios that the certificate does not rest on.
    assert record["eps_base"] == certificate["table"]["eps_base"][choice["horizon"] - 1]
    verified = called("verify", results, "--rerun", 10, cwd=tmp_path)
    assert verified.returncode == 0
    assert "chosen again" in verified.stdout
    # A horizon that was picked afterwards, with every digest put right, does not come out again.
    path = results / "certificate.json"
    body = json.loads(path.read_text())
    del body["digest"]
    body["choice"]["horizon"] += 1
    body["choice"]["candidates"][0]["horizon"] += 1
    forged = tmp_path / "forged" / "certificate.json"
    shutil.copytree(results, forged.parent)
    write_json(forged, {**body, "digest": digest(body)})
    lied = called("verify", forged, "--rerun", 10, cwd=tmp_path)
    assert lied.returncode == 1
    assert "choosing again gives" in " ".join(lied.stdout.split())
    small_study["certificate"]["choose"]["eps_max"] = 0.4
    line = one_line(sport_ray("certify", write_study(small_study, "b.yaml"), cwd=tmp_path))
    assert "choice.json was made with another eps_max" in line


@pytest.mark.long
def test_certifying_stops_when_it_is_good_enough_or_hopeless(write_study, small_study, tmp_path):
    stop = {"horizon": 25, "target": 0.2, "check_every": 100}
    small_study["certificate"] |= {"num_scenarios": 5_000, "stop": stop}
    done = sport_ray("certify", write_study(small_study), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the bound at T = 25 is at most 0.2" in done.stdout
    path = tmp_path / "results" / "small" / "certificate.json"
    certificate = json.loads(path.read_text())
    assert certificate["num_scenarios"] < 1_000
    assert certificate["table"]["eps_base_simultaneous"][24] <= 0.2
    assert called("verify", path, cwd=tmp_path).returncode == 0

    stop["target"] = 1e-4
    small_study["name"] = "hopeless"
    small_study["certificate"] |= {"stop": {**stop, "horizon": 14}}
    done = sport_ray("certify", write_study(small_study, "h.yaml"), cwd=tmp_path)
    assert done.returncode == 0
    assert "the violation probability at T = 14 is above 0.0001" in done.stdout


@pytest.mark.long
def test_a_sweep_in_a_perturbed_world(write_study, small_study, tmp_path):
    """Bound and empirical rate where the robot's actuators are noisy, and differently so later."""
    small_study["environment"] = {
        "kwargs": {"layout": "fixed", "actuation_noise": 0.1, "start_noise": [0.05, 0.05, 0.0]}
    }
    small_study["deployment"] = {
        "kwargs": {"actuation_noise": 0.0995, "start_noise": [0.04, 0.05, 0.0]}
    }
    small_study["certificate"] |= {"num_scenarios": 3_000}
    done = sport_ray("run", write_study(small_study), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "small"
    records = [json.loads(p.read_text()) for p in results.glob("cells/*/record.json")]
    bounded = [r for r in records if r["alpha"] is not None]
    assert len(bounded) == 4
    for record in bounded:
        assert record["alpha_mu"] == pytest.approx(1.25)
        assert record["alpha_p"] == pytest.approx((0.1 / 0.0995) ** 2)
        expected = record["eps_base"] * 1.25 * (record["alpha_p"] * record["alpha"]) ** 25
        assert record["prior_bound"] == pytest.approx(expected)
        if record["alpha"] == 1.0:
            assert record["empirical_violation_rate"] < record["prior_bound"] < 1
    assert "FAILED" not in (results / "report.html").read_text()
