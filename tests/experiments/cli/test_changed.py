"""Commands that change results beside the stages, in a folder and in an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.storage.lease import Lease
from sport_ray.experiments.storage.objects import Objects
from sport_ray.experiments.storage.place import Place
from tests.experiments.calling import called
from tests.experiments.storage.conftest import place, proxy, s3_server

__all__ = ["place", "proxy", "s3_server"]

pytestmark = pytest.mark.slow

STUDY: dict[str, Any] = {
    "name": "changed",
    "certificate": {"num_scenarios": 300, "beta": 1e-2, "max_horizon": 25},
    "sweep": {"alphas": [1.0, 1.05], "horizons": [25], "seeds": [0]},
    "task_policies": {"imported": {"path": str(BUNDLED / "point_reach_avoid")}},
    "evaluation": {"num_scenarios": 60, "beta": 1e-2},
}


def said(*words: object, cwd: Path, status: int = 0) -> str:
    done = called(*words, cwd=cwd)
    assert done.returncode == status, done.stdout + done.stderr
    return " ".join((done.stderr if status else done.stdout).split())


def kept(place: Place, name: str) -> bytes:
    found = Objects(place).get(name)
    assert found is not None, name
    return found[0]


def test_mixed_and_signed_in_the_store_as_on_a_disk(place: Place, tmp_path: Path) -> None:
    study, folder = tmp_path / "study.yaml", tmp_path / "results"
    study.write_text(yaml.safe_dump(STUDY))
    how = ("--eps-max", "0.2", "--scenarios", "60")
    for results in (folder, place):
        said("run", study, "--results", results, "--no-ray", cwd=tmp_path)
        said("mix", results, *how, cwd=tmp_path)
    assert kept(place, "mixtures.json") == (folder / "mixtures.json").read_bytes()
    said("mix", study, "--results", place, "--eps-max", "0.19", "--scenarios", "60", cwd=tmp_path)
    assert kept(place, "mixtures.json") != (folder / "mixtures.json").read_bytes()

    said("new-key", "me.pem", cwd=tmp_path)
    name = "certificate.json.sig"
    for results, where in ((folder, folder), (f"{place}/certificate.json", place)):
        told = said("sign", results, "--key", "me.pem", cwd=tmp_path)
        assert f"signature written to {where}/{name}" in told
    assert kept(place, name) == (folder / name).read_bytes()
    assert "by the holder of me.pem.pub" in said(
        "verify", place, "--public-key", "me.pem.pub", cwd=tmp_path
    )

    lease = Lease(Objects(place))
    lease.take()
    refused = said("mix", place, *how, cwd=tmp_path, status=2)
    assert "is at work there already" in refused
    lease.release()
    empty = place._replace(prefix="nothing/here")
    refused = said("sign", empty, "--key", "me.pem", cwd=tmp_path, status=2)
    assert "holds no results" in refused
    assert [*Objects(empty).list()] == []
