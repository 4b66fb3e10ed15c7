"""Workers on nodes that do not see the driver's copy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sport_ray.canonical import write_atomic, write_json
from sport_ray.experiments.storage.copies import driver_copy
from sport_ray.experiments.storage.driver import driver_of
from sport_ray.experiments.storage.lease import LeaseLost
from sport_ray.experiments.storage.nodes import NodeCopy
from sport_ray.experiments.storage.origin import origin_of
from sport_ray.experiments.storage.place import Place


def record(root: Path, cell: str, by: str) -> Path:
    path = root / "cells" / cell / "record.json"
    write_json(path, {"cell_id": cell, "status": "finished", "by": by})
    return path


@pytest.mark.parametrize("inside", ["", "base_1"])
def test_a_workers_cell_reaches_the_driver(inside: str, place: Place, tmp_path: Path) -> None:
    """In the whole folder, and in that of one of several bases."""
    with driver_copy(place, tmp_path / "driver", print) as copy:
        root = copy / inside
        driver = driver_of(root)
        assert driver is not None
        write_json(root / "certificate.json", {"digest": "0"})
        write_atomic(root / "base/policy.safetensors", b"weights")
        record(root, "done", "driver")
        driver.flush()
        told = driver.told_to_workers(root, "node-a")
        assert not NodeCopy.needed(told, "node-a")
        assert NodeCopy.needed(told, "node-b")
        worker = NodeCopy(told, "node-b")
        assert worker.root != root
        assert str(origin_of(worker.root)) == str(place) + (f"/{inside}" if inside else "")
        assert (worker.root / "base/policy.safetensors").read_bytes() == b"weights"
        assert (worker.root / "certificate.json").exists()
        assert not (worker.root / "cells").exists()
        worker.fetch_records(["done", "todo"])
        assert json.loads((worker.root / "cells/done/record.json").read_text())["by"] == "driver"
        write_atomic(worker.root / "policies/ab/policy.safetensors", b"trained")
        write_atomic(worker.root / "cells/todo/samples.npz", b"samples")
        record(worker.root, "todo", "worker")
        worker.send()
        beside = NodeCopy(told, "node-b")  # another process of that node
        record(beside.root, "late", "beside")
        beside.send()
        driver.bring(root, ["todo"])
        assert json.loads((root / "cells/todo/record.json").read_text())["by"] == "worker"
        assert not (root / "policies").exists()
        driver.catch_up()
        assert (root / "policies/ab/policy.safetensors").read_bytes() == b"trained"
        assert json.loads((root / "cells/late/record.json").read_text())["by"] == "beside"
    assert driver_of(root) is None


def test_a_worker_of_a_driver_that_was_taken_over(place: Place, tmp_path: Path) -> None:
    """What is finished is sent; nothing of the new driver's is written over."""
    with driver_copy(place, tmp_path / "one", print) as root:
        driver = driver_of(root)
        assert driver is not None
        told = driver.told_to_workers(root, "node-a")
    with driver_copy(place, tmp_path / "two", print) as root:
        driver = driver_of(root)
        assert driver is not None
        worker = NodeCopy(told, "node-b")
        record(worker.root, "a", "old")
        worker.send()
        write_json(root / "cells/b/record.json", {"cell_id": "b", "status": "failed"})
        driver.flush()
        record(worker.root, "b", "old")
        with pytest.raises(LeaseLost, match="took it over"):
            worker.send()
        driver.bring(root, ["a"])
        assert (root / "cells/a/record.json").exists()
        assert json.loads((root / "cells/b/record.json").read_text())["status"] == "failed"
