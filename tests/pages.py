"""A page's blocks, and its commands run in a project that has folders of our names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PACKAGES = ("experiments", "tracking", "tests")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each block of a page."""
    text = (DOCS / page).read_text()
    return re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def own_project(folder: Path) -> None:
    """Modules of the user's own whose names are ours too, one of which imports the others."""
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f'WHOSE = "theirs: {name}"\n')
    imports = "".join(f"import {name}\nassert {name}.WHOSE\n" for name in PACKAGES)
    (folder / "utils.py").write_text(imports)
    for file in folder.glob("my_*.py"):
        file.write_text(f"import utils\n{file.read_text()}")


def run(script: str, folder: Path, timeout: int = 600) -> str:
    """Run a shell script as a user would, in a folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"], input=script.replace("PYTHONPATH=$PWD", "PYTHONPATH=$PWD:${PYTHONPATH:-}"),
        cwd=folder, capture_output=True, text=True, timeout=timeout,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
