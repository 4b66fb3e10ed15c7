"""Where imports take place: never where somebody waits for them, if it can be helped."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from typing import Any

import pytest

from sport_ray.experiments.cluster.imports import import_all, importing, no_collection


def in_a_process(script: str, timeout: float = 300.0) -> Any:
    """What a script prints last, as JSON, in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


HEAVY = {
    "scipy",
    "torch",
    "ray",
    "numba",
    "pandas",
    "mlflow",
    "scipy.stats",
    "scipy.optimize",
    "matplotlib",
}


@pytest.mark.parametrize(
    "module", ["sport_ray.experiments.config.study", "sport_ray.experiments.stages.run"]
)
def test_a_study_is_read_and_ray_started_before_anything_heavy_is_imported(module: str) -> None:
    script = (
        f"import json, sys, {module}; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    assert in_a_process(script) == []


def test_a_module_that_cannot_be_imported_is_left_to_whoever_needs_it() -> None:
    import_all(["no_such_module", "colorsys"])
    assert "colorsys" in sys.modules


def test_the_thread_has_imported_all_when_the_block_ends() -> None:
    script = """
import json, sys
from sport_ray.experiments.cluster.imports import importing
with importing(["torch"]):
    pass
print(json.dumps("torch" in sys.modules))
"""
    assert in_a_process(script)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with no_collection():
            assert not gc.isenabled()
        with pytest.raises(KeyError), importing(["json"]):
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


PREPARED = """
import json, os, sys, time
from sport_ray.experiments.cluster.session import ray_session, started_here

class Actor:
    def told(self):
        return [os.getpid(), [m for m in ("ray.tune", "torch", CELLS) if m in sys.modules]]

CELLS = "sport_ray.experiments.sweep.job"
with ray_session(num_cpus=1, for_cells=True):
    import psutil
    import ray
    from sport_ray.experiments.cluster.imports import actors_in_any_worker
    from ray.tune.execution.class_cache import _ActorClassCache

    here = started_here()
    workers = lambda: [p for p in psutil.Process().children(recursive=True) if "ray::" in p.name()]
    deadline = time.monotonic() + 200
    while not (pids := [p.pid for p in workers()]) and time.monotonic() < deadline:
        time.sleep(0.2)
    actors_in_any_worker()
    pid, modules = ray.get(_ActorClassCache().get(Actor).remote().told.remote())
    names = [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
scripts = ("monitor.py", "log_monitor.py", "dashboard.py")
watchers = [script for script in scripts for name in names if f"/{script}" in name]
from ray._private.node import Node
restored = Node.start_monitor.__name__
print(json.dumps([here, started_here(), pid in pids, modules, watchers, restored]))
"""


@pytest.mark.slow
def test_tunes_actors_live_in_workers_that_have_imported_what_cells_need() -> None:
    """In a process that Ray started with itself; and nothing else runs beside it."""
    before, after, reused, modules, watchers, restored = in_a_process(PREPARED)
    assert (before, after) == (True, False)
    assert reused
    assert modules == ["ray.tune", "torch", "sport_ray.experiments.sweep.job"]
    assert watchers == []
    assert restored == "start_monitor"


NO_COMPILER = """
import json, sys
import torch
from sport_ray.experiments.cluster.no_compiler import without_compiler
without_compiler()
weights = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.Adam([weights])
optimizer.zero_grad()
found = []
for mode, warn_only in ((True, False), (True, True), (False, False)):
    torch.use_deterministic_algorithms(mode, warn_only=warn_only)
    found.append([torch.are_deterministic_algorithms_enabled(),
                  torch.is_deterministic_algorithms_warn_only_enabled()])
compiler = "torch._dynamo" in sys.modules or "torch._inductor" in sys.modules
import torch._inductor.config
print(json.dumps([found, compiler, torch._inductor.config.deterministic]))
"""


def test_optimisers_and_determinism_do_without_the_compiler() -> None:
    found, compiler, told = in_a_process(NO_COMPILER)
    assert found == [[True, False], [True, True], [False, False]]
    assert not compiler
    assert told  # should something import it after all
