"""The table of benchmarks/cohort.py: paired ratios, shares of the floor, rows that are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cohort import Results, tables
from benchmarks.peers.rows import BY_KEY, ROWS
from benchmarks.peers.settings import SETTINGS, operations_per_step

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cohort.py"


def answer(rate: float, cpu: float = 1.0, **others: float) -> dict:
    """What a host says of two seconds."""
    return {"count": 2.0 * rate, "seconds": 2.0, "cpu": 2.0 * cpu, "others": others}


def test_ratios_are_within_a_round():
    results = Results()
    for single, cohort in ((100.0, 900.0), (400.0, 4_000.0), (200.0, 1_600.0)):
        results.add(("single", "paper"), answer(single))
        results.add(("cohort", "paper"), answer(cohort))
    assert results.median(("cohort", "paper")) == 1_600.0
    assert results.ratio(("cohort", "paper"), ("single", "paper")) == 9.0  # not 1,600 / 200


def test_by_cpu_time_a_rate_is_per_second_of_the_core():
    wall, cpu = Results(), Results(by_cpu=True)
    for results in (wall, cpu):
        results.add(("single", "paper"), answer(100.0, cpu=0.5))
    assert wall.median(("single", "paper")) == 100.0
    assert cpu.median(("single", "paper")) == 200.0


def test_by_cpu_time_what_only_the_wall_clock_knows_is_not_compared():
    results = Results(by_cpu=True)
    results.add(("single", "paper"), answer(100.0))
    results.add(("rllib", "paper"), {**answer(50.0), "cpu": None})
    assert results.median(("rllib", "paper")) == 50.0
    assert results.ratio(("rllib", "paper"), ("single", "paper")) is None


def test_scenarios_have_their_steps_beside():
    results = Results()
    results.add(("base", "quickstart"), answer(200.0, **{"steps each": 14.5}))
    assert tables(results, [BY_KEY["base"]], 13).splitlines()[-1] == "| base policy | 200 | 2,900 |"


def test_table_has_shares_of_the_floor_and_says_what_is_missing():
    results = Results()
    steps = 10_000.0
    results.add(("gemm", "paper"), answer(steps * operations_per_step(SETTINGS["paper"])))
    results.add(("single", "paper"), answer(500.0))
    results.add(("rllib", "paper"), answer(400.0, **{"with all around": 120.0}))
    results.add(("sb3", "paper"), {"missing": "needs stable_baselines3"})
    chosen = [BY_KEY[key] for key in ("gemm", "single", "rllib", "sb3", "base")]
    lines = tables(results, chosen, 13).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in reversed(lines)]
    cells = {row[0]: row[1:] for row in rows if row}  # the paper's come first, so these are they
    assert cells["single engine"] == ["a core", "500", "1.00", "5.0%", "100%", "–"]
    tuned = cells["stock RLlib PPO under Tune, no projection"]
    assert tuned == ["a core", "400", "0.80", "4.0%", "100%", "120 with all around"]
    peer = cells["Stable-Baselines3 PPO, no projection"]
    assert peer == ["a core", "–", "–", "–", "–", "needs stable_baselines3"]
    assert cells["base policy"] == ["–", "–"]
    assert all(line.count("|") in {0, 4, 8} for line in lines)


def test_rows_have_names_of_their_own():
    assert len(BY_KEY) == len(ROWS)


def test_an_unknown_row_is_refused():
    command = [sys.executable, str(SCRIPT), "--only", "single,sbx"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'sbx' is no row" in done.stderr


@pytest.mark.slow
def test_runs_as_a_file_and_tells_what_failed_in_its_row(tmp_path):
    log = tmp_path / "log"
    command = [
        sys.executable,
        str(SCRIPT),
        "--only",
        "kernels,base",
        "--rounds",
        "1",
        "--seconds",
        "0.1",
    ]
    done = subprocess.run([*command, "--log", str(log)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rates = [line for line in done.stdout.splitlines() if line.startswith("| base policy |")]
    assert len(rates) == 1
    assert float(rates[0].split("|")[2].replace(",", "")) > 10.0
    assert "floor: 4.2 MFLOP a step at" in done.stdout
