"""`sport-ray plan`: a T is recommended where a shorter one promises no less, and nowhere else."""

from __future__ import annotations

import pandas as pd
import pytest

from sport_ray.bounds import ratio_bound, scenario_bound
from sport_ray.certificates import BoundTable, Certificate, save_certificate
from sport_ray.certificates.planning import may_pick_from
from tests.experiments.calling import called
from tests.experiments.known_certificate import certificate

LONGEST = 60


def with_risk(prop: str, violations: list[int], **changes) -> Certificate:
    """A certificate of 10,000 scenarios in which so many violated within T = 1, 2, … steps."""
    horizons = list(range(1, len(violations) + 1))
    table = BoundTable(
        horizon=horizons,
        num_violations=violations,
        num_settled=[min(violations[:t]) for t in horizons],
        num_running=[10_000] * len(horizons),
        eps_base=[scenario_bound(10_000, k, 1e-7) for k in violations],
        eps_base_simultaneous=[scenario_bound(10_000, k, 1e-7 / len(horizons)) for k in violations],
    )
    return certificate(property=prop, max_horizon=len(horizons), table=table, **changes)


RISING = [2 * t for t in range(LONGEST)]
FALLING = [max(10_000 - 900 * t, 8) for t in range(LONGEST)]


def planned(made: Certificate, folder, *arguments: object) -> str:
    save_certificate(folder / "certificate.json", made)
    done = called("plan", folder, *arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("prop", ["G !hazard", "G (hazard -> F[0,2] goal)"])
def test_where_a_shorter_horizon_promises_less_each_is_shown_and_none_recommended(prop, tmp_path):
    made = with_risk(prop, RISING)
    text = planned(made, tmp_path, "--eps-max", 0.1, "--eps-max", 0.001)
    head, *rows = [line.split() for line in text.splitlines() if line[:6].strip()[:1].isdigit()]
    lines = [head, *rows]
    lines = [line for line in lines if "scenarios" not in line]
    assert [int(line[0]) for line in lines] == [1, 2, 5, 10, 20, 50, 60]
    for horizon, _, small, large in lines:
        eps = made.eps_base(int(horizon))
        for alpha, level in ((small, 0.001), (large, 0.1)):
            if eps > level:
                assert alpha == "–"
            else:
                assert ratio_bound(eps, float(alpha), int(horizon)) <= level
                assert ratio_bound(eps, float(alpha) + 1e-4, int(horizon)) > level
    told = " ".join(text.split())
    assert "No T is recommended" in told
    how = "grows with T" if prop == "G !hazard" else "may rise and fall with T"
    assert f"the risk of {prop} {how}" in told
    assert "at T = 1" not in told
    assert len(pd.read_csv(tmp_path / "plan.csv")) == 2 * LONGEST


def only_row(text: str) -> list[str]:
    """The cells of the one line below the head's rule."""
    lines = text.splitlines()
    rule = next(at for at, line in enumerate(lines) if line.strip().startswith("─"))
    return lines[rule + 1].split()


def test_where_what_is_satisfied_stays_so_the_best_is_recommended(tmp_path):
    made = with_risk("(!hazard) U goal", FALLING)
    text = planned(made, tmp_path, "--eps-max", 0.1)
    assert "No T is recommended" not in text
    level, horizon, violations, _, alpha, _, _ = only_row(text)
    best = max(
        (t for t in made.table.horizon if made.eps_base(t) <= 0.1),
        key=lambda t: (0.1 / made.eps_base(t)) ** (1 / t),
    )
    assert (level, int(horizon), int(violations)) == ("0.1", best, FALLING[best - 1])
    assert 1 < best < LONGEST
    assert float(alpha) == pytest.approx((0.1 / made.eps_base(best)) ** (1 / best), abs=1e-4)


def test_a_window_is_best_at_its_end_and_not_before(tmp_path):
    made = with_risk("G[0,5] !hazard", [min(2 * t, 10) for t in range(1, LONGEST + 1)])
    assert may_pick_from(made) == 5
    text = planned(made, tmp_path, "--eps-max", 0.1)
    assert only_row(text)[1] == "5"
    assert "No T is recommended" not in text


def test_a_horizon_that_is_asked_for_is_one_line(tmp_path):
    text = planned(with_risk("G !hazard", RISING), tmp_path, "--eps-max", 0.1, "--horizon", 40)
    assert only_row(text)[:3] == ["0.1", "40", "78"]
    assert "No T is recommended" not in text


def test_a_study_file_means_the_certificate_in_its_results(write_study, small_study, tmp_path):
    path = write_study(small_study)
    missing = called("plan", path, cwd=tmp_path)
    assert missing.returncode == 2
    assert "results/small/certificate.json does not exist" in missing.stderr
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    save_certificate(folder / "certificate.json", with_risk("(!hazard) U goal", FALLING))
    assert called("plan", path, cwd=tmp_path).returncode == 0
    assert (folder / "plan.csv").is_file()
    other = called("plan", write_study({**small_study, "property": "F goal"}), cwd=tmp_path)
    assert (other.returncode, len(other.stderr.splitlines())) == (2, 1)
    assert "property" in other.stderr
    unknown = called("plan", write_study({**small_study, "property": "F gaol"}), cwd=tmp_path)
    assert "needs the signal 'gaol'" in unknown.stderr
    assert "did you mean 'goal'?" in unknown.stderr


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    save_certificate(tmp_path / "certificate.json", with_risk("(!hazard) U goal", FALLING))
    (tmp_path / "taken").write_text("")
    done = called("plan", tmp_path, "--out", tmp_path / "taken" / "plan", cwd=tmp_path)
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert told.endswith("cannot be written (Not a directory): give another folder with --out")
