"""Files cut off: records, the ledger, policies, samples, Tune's own state."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.results.ledger import read_ledger
from sport_ray.experiments.results.status import read_status
from sport_ray.policies import load_policy
from sport_ray.tracking.results.records import read_results
from tests.experiments.faults.harness import (
    CELLS,
    numbers,
    records,
    require_as_undisturbed,
    require_same_numbers,
    resume,
    sport_ray,
    sweeping,
    wait_until,
    write_study,
)


@pytest.mark.slow
@pytest.mark.fault
def test_half_a_record_half_a_line_and_a_longer_grid(
    certified: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Both are repaired, and cells of a grid that has grown are reused; then it shrinks again."""
    for name in ("cells", "policies"):
        shutil.copytree(undisturbed / name, certified / name)
    shutil.copy(undisturbed / "ledger.jsonl", certified)
    ledger = certified / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    paths = sorted(certified.glob("cells/*/record.json"))
    victim = next(p for p in paths if json.loads(p.read_text())["source"] == "projected_ppo")
    victim.write_bytes(victim.read_bytes()[:100])
    kept = {p: p.stat().st_mtime_ns for p in paths if p != victim}

    longer = write_study(tmp_path / "longer.yaml", seeds=[0, 1, 2])
    out = sport_ray("sweep", longer, "--results", certified)
    assert "15 of 15 cells finished" in out
    assert f"the record of cell {victim.parent.name} is damaged" in " ".join(out.split())
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    again = numbers(certified)
    assert {cell: again[cell] for cell in numbers(undisturbed)} == numbers(undisturbed)
    history = read_ledger(ledger)
    assert len(history.damaged) == 1
    assert [e["cell_id"] for e in history.entries if e["event"] == "record set aside"] == [
        victim.parent.name
    ]

    out = sport_ray("sweep", tmp_path / "study.yaml", "--results", certified)
    assert "already" in out
    status = read_status(certified)
    assert (len(status.done), len(status.outside_plan)) == (CELLS, 5)


@pytest.mark.slow
@pytest.mark.fault
def test_the_state_of_tune_is_cut_off(certified: Path, undisturbed: Path) -> None:
    """Every file below `.tune` cut in half after a kill: a sweep resumes from records alone."""
    with sweeping(certified) as driver:
        wait_until(driver, lambda: len(records(certified)) >= 4)
        driver.note()
        driver.kill()
        driver.wait()
    assert len(records(certified)) < CELLS
    files = [path for path in certified.glob(".tune/**/*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    resume(certified)
    require_as_undisturbed(certified, undisturbed)


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("name", ["samples.npz", "policy.safetensors", "policy.json"])
def test_samples_or_a_policy_cut_off(
    name: str, certified: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Noticed by whoever reads it; without the record the sweep makes both anew, the same."""
    for kept in ("cells", "policies", "ledger.jsonl", "plan.json"):
        source = undisturbed / kept
        (shutil.copytree if source.is_dir() else shutil.copy)(source, certified / kept)
    done = records(certified)
    cell = next(c for c, record in sorted(done.items()) if record["source"] == "projected_ppo")
    policy = certified / "policies" / done[cell]["policy_digest"][:16]
    path = (certified / "cells" / cell if name == "samples.npz" else policy) / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=name):
        if name == "samples.npz":
            read_results(certified).samples(cell)
        else:
            load_policy(policy)
    shutil.rmtree(certified / "cells" / cell)  # the remedy
    resume(certified)
    require_same_numbers(certified, undisturbed)
    assert load_policy(policy).digest == done[cell]["policy_digest"]
    again, first = (read_results(folder).samples(cell) for folder in (certified, undisturbed))
    assert again is not None
    assert first is not None
    assert again.keys() == first.keys()
    for array in first:
        np.testing.assert_array_equal(again[array], first[array])
