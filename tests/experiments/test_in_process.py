"""The example notebook is run as a reader would; and a kernel survives an interruption."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "experiments" / "examples" / "quickstart.ipynb"


@pytest.fixture
def jupyter(tmp_path, monkeypatch) -> Path:
    """A working directory; Jupyter and IPython keep their own files beside it."""
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_it_is_committed_as_it_was_written():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 6
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


LOOK = """
import json
import ray
print(json.dumps({
    "summary": summary._asdict(), "eps_base": eps_base, "cells": len(results),
    "held": bool(results["constraint_held"].all()), "kinds": sorted(set(front["risk_kind"])),
    "steps": steps, "promise": policy.promise["bound"], "chosen": float(chosen.prior_bound),
    "ray": ray.is_initialized(),
}))
"""


def stream(cell: Any) -> str:
    """What a cell printed."""
    return "".join(out.text for out in cell.outputs if out.output_type == "stream")


def progress(cell: Any) -> int:
    """How many bars a cell shows, each one output of one line that ended at its end."""
    found = [out.data["text/plain"] for out in cell.outputs if out.output_type == "display_data"]
    bars = [text for text in found if " left " in text]
    for bar in bars:
        assert "\n" not in bar
        done, total = next(part for part in bar.split() if "/" in part).split("/")
        assert done == total
    return len(bars)


@pytest.mark.slow
def test_the_example_runs_from_top_to_bottom(jupyter):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(LOOK))
    NotebookClient(
        notebook, timeout=550, kernel_name="python3", resources={"metadata": {"path": str(jupyter)}}
    ).execute()
    cells = {cell.id: cell for cell in notebook.cells}
    found = json.loads(stream(notebook.cells[-1]))
    assert found["summary"] == {"planned": 3, "finished": 3, "failed": 0, "refuted": None}
    assert found["cells"] == 3
    assert found["held"]
    assert "prior_bound" in found["kinds"]
    assert not found["ray"]
    assert 1 <= found["steps"] <= 21
    assert found["promise"] == found["chosen"] < 1
    certificate = json.loads((jupyter / "results/notebook/certificate.json").read_text())
    assert certificate["table"]["eps_base_simultaneous"][20] == found["eps_base"] < 0.05
    assert f"<= {found['eps_base']:.4f}, confidence 1 - 1e-05" in stream(cells["certify"])
    assert "3 of 3 cells finished" in stream(cells["sweep"])
    kinds = [set(out.data) for out in cells["figure"].outputs if "data" in out]
    assert any("image/png" in kind for kind in kinds)
    shown = "".join(out.data["text/html"] for out in cells["certificate"].outputs)
    assert "With confidence 1 − 1e-05: P(one episode of the base policy violates" in shown
    [answer] = cells["answer"].outputs
    assert "constant ratio: ε_base · α^T" in answer.data["text/html"]
    for name, bars in (("certify", 1), ("sweep", 2)):
        assert progress(cells[name]) == bars
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            assert out.get("name") != "stderr", out.text
            assert not {"\x1b", "\r"} & set(out.get("text", ""))  # nothing is written over


@pytest.fixture
def kernel(jupyter) -> Iterator[Any]:
    """``ask(code)``: run it and return (status, error name, stdout)."""
    manager, client = start_new_kernel(cwd=str(jupyter))

    def ask(code: str, while_running: Any = None) -> tuple[str, str, str]:
        printed: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        if while_running is not None:
            threading.Thread(target=while_running, args=(manager,), daemon=True).start()
        reply = client.execute_interactive(code, timeout=400, output_hook=hook)["content"]
        return reply["status"], reply.get("ename", ""), "".join(printed)

    try:
        yield ask
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def interrupt_once_cells_run(ledger: Path) -> Any:
    """Interrupt the kernel a second after the first cell of the sweep has started."""

    def wait(manager: Any) -> None:
        while not (ledger.is_file() and "cell started" in ledger.read_text()):
            time.sleep(0.2)
        time.sleep(1.0)
        manager.interrupt_kernel()

    return wait


BEGIN = """
import ray
from sport_ray import Study
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**28)
sections = {sections}
study = Study.from_dict(sections)
print(study.certify().num_scenarios)
"""
GO_ON = """
import time
for _ in range(3000):
    if ray.available_resources().get("CPU") == 2.0:
        break
    time.sleep(0.1)
print("CPUs", ray.available_resources().get("CPU"), study.status().sweep.state)
sections["training"]["env_steps"] = 512
print(Study.from_dict(sections).sweep())
print("Ray", ray.is_initialized())
"""


@pytest.mark.long
@pytest.mark.slow
def test_a_kernel_goes_on_after_an_interruption_with_its_own_ray(kernel, jupyter, small_study):
    small_study["training"]["env_steps"] = 1_000_000
    small_study["sweep"] |= {"alphas": [1.5], "methods": ["projected_ppo"], "seeds": [0, 1]}
    status, _, printed = kernel(BEGIN.format(sections=repr(small_study)))
    assert (status, "300" in printed) == ("ok", True), printed
    ledger = jupyter / "results" / "small" / "ledger.jsonl"
    status, name, _ = kernel("study.sweep()", interrupt_once_cells_run(ledger))
    assert (status, name) == ("error", "KeyboardInterrupt")
    status, name, printed = kernel(GO_ON)
    assert status == "ok", (name, printed)
    assert "CPUs 2.0 interrupted" in printed  # IPython keeps the error: nothing may hang on it
    assert "finished=2, failed=0" in printed
    assert "Ray True" in printed
