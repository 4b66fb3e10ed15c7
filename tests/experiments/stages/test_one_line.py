"""Progress in a notebook is one output of one line, live and saved, without a terminal's signs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[3]
CODE = """
import time
from sport_ray.experiments.in_process import default_console
console = default_console()  # before what asks for ipywidgets, as Study does
from sport_ray.experiments.stages.progress import counting
with counting(console, "certify: scenarios", 2000) as advance:
    for _ in range(20):
        advance(100)
        time.sleep(0.06)
    console.print("a line of [its] own")
"""


def executed(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The outputs of a cell that was run and saved."""
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=550, kernel_name="python3").execute()
    saved = nbformat.reads(nbformat.writes(notebook), as_version=4)
    return list(saved.cells[0].outputs)


@pytest.mark.slow
def test_it_stays_one_line_when_the_notebook_is_saved(tmp_path, monkeypatch) -> None:
    bar, said = executed(CODE, tmp_path, monkeypatch)
    assert bar.output_type == "display_data"
    assert set(bar.data) == {"text/plain"}
    [line] = bar.data["text/plain"].splitlines()
    assert line.startswith("certify: scenarios ")
    assert "2000/2000" in line  # how it ended, not how it began
    assert (said.output_type, said.name, said.text) == ("stream", "stdout", "a line of [its] own\n")
    for sign in ("\x1b", "\r", "widget"):
        assert sign not in str(bar) + str(said)
