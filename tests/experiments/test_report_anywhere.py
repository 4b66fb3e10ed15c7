"""Reports in any locale, with any settings of matplotlib, and where one may only read."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h
CALL = [sys.executable, "-m", "sport_ray.experiments.cli.main"]


def made_up() -> ModuleType:
    """The made-up studies of the tracking tests."""
    spec = util.spec_from_file_location("made_up", ROOT / "tests" / "tracking" / "conftest.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study, one cell of which failed with a reason that wants to command a terminal."""
    folder: Path = made_up().write_study(
        tmp_path_factory.mktemp("study"), alphas=(1.0, 1.5), horizons=(21,), seeds=(0,)
    )
    record = sorted(folder.glob("cells/*/record.json"))[0]
    content = json.loads(record.read_text()) | {"status": "failed"}
    record.write_text(json.dumps(content | {"reason": "\x1b[2J[bold]α = ∞[/bold] \ud800"}))
    return folder


def sport_ray(
    *arguments: object, cwd: Path, bound: bool = False, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """bound: by the modes of files, as root else is not."""
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return subprocess.run(
        [*CALL, *map(str, arguments)],
        cwd=cwd,
        preexec_fn=bound_by_modes if bound else None,
        env=kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment,
        capture_output=True,
        timeout=300,
    )


def bound_by_modes() -> None:
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0


def require_fine(ended: subprocess.CompletedProcess[bytes]) -> None:
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")
    assert ended.stderr == b""


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "environment"),
    [
        ("report", ASCII),
        ("status", ASCII),
        ("status", {"PYTHONIOENCODING": "latin-1"}),
        ("status", {"PYTHONIOENCODING": "cp1252:strict"}),
    ],
    ids=["report, C", "C", "latin-1", "cp1252"],
)
def test_in_any_locale(study: Path, command: str, environment: dict[str, str]) -> None:
    ended = sport_ray(command, study, cwd=study.parent, **environment)
    require_fine(ended)
    assert b"\x1b" not in ended.stdout
    assert b"[2J[bold]" in ended.stdout
    assert "α = ∞" in (study / "report.html").read_text("utf-8") or command == "status"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--help"]])
def test_a_reader_that_goes_away(study: Path, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    folder = [] if arguments == ["--help"] else [str(study)]
    ended = subprocess.run(
        [*CALL, *arguments, *folder],
        stdout=write,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=study.parent,
        timeout=300,
    )
    os.close(write)
    assert ended.stderr == b""
    assert ended.returncode == 1


SETTINGS = """text.usetex: True
font.family: Times New Roman
figure.dpi: 300
savefig.bbox: tight
svg.fonttype: path
lines.linewidth: not a number
no.such.key: 1
"""


@pytest.mark.slow
def test_figures_are_the_same_whatever_the_settings(study: Path, tmp_path: Path) -> None:
    require_fine(sport_ray("report", study, "--out", tmp_path / "plain", cwd=tmp_path))
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    nowhere = {"MPLBACKEND": "nonsense", "HOME": "/proc/none", "MPLCONFIGDIR": "/proc/none"}
    require_fine(sport_ray("report", study, "--out", tmp_path / "odd", cwd=tmp_path, **nowhere))
    drawn = sorted(path.name for path in (tmp_path / "plain" / "figures").iterdir())
    assert any(name.endswith(".png") for name in drawn)
    for name in drawn:
        one, other = (tmp_path / where / "figures" / name for where in ("plain", "odd"))
        assert one.read_bytes() == other.read_bytes(), name
    (tmp_path / "matplotlibrc").write_bytes("font.family: Ä".encode("latin-1"))
    ended = sport_ray("report", study, cwd=tmp_path)
    assert ended.returncode == 2
    assert f"settings file {tmp_path}/matplotlibrc".encode() in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.fixture
def read_only(study: Path) -> Iterator[Path]:
    """A copy of the study that the commands' user may read and not write, in reach of anybody."""
    parent = Path(tempfile.mkdtemp())
    parent.chmod(0o755)
    folder = parent / "results"
    shutil.copytree(study, folder)
    for name in ("report.html", "cells.csv"):
        (folder / name).unlink(missing_ok=True)
    (parent / "out").mkdir()
    (parent / "out").chmod(0o777)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(parent)


@pytest.mark.slow
def test_a_folder_that_may_only_be_read(read_only: Path) -> None:
    out = read_only.parent / "out"
    home = {"HOME": str(out), "MPLCONFIGDIR": str(out / "mpl")}
    refused = sport_ray("report", read_only, cwd=out, bound=True, **home)
    assert refused.returncode == 2
    assert b"cannot be written (Permission denied): give another folder with --out" in (
        refused.stderr
    )
    assert b"Traceback" not in refused.stderr
    planned = sport_ray("plan", read_only, cwd=out, bound=True, **home)
    assert planned.returncode == 2
    assert planned.stderr.endswith(refused.stderr.partition(b" cannot")[2])
    assert planned.stderr.count(b"\n") == 1
    require_fine(sport_ray("report", read_only, "--out", out, cwd=out, bound=True, **home))
    assert (out / "report.html").is_file()
    require_fine(sport_ray("status", read_only, cwd=out, bound=True, **home))
    compared = sport_ray("compare", read_only, read_only, cwd=out, bound=True, **home)
    require_fine(compared)
    assert (out / "compare.csv").is_file()
    refused = sport_ray("compare", read_only, read_only, cwd=read_only, bound=True, **home)
    assert refused.returncode == 2
    assert b"name another file with --out" in refused.stderr
    published = sport_ray(
        "publish", read_only, "--out", out / "kept", "--report", out, cwd=out, bound=True, **home
    )
    assert b"1 cells of" in published.stderr
    assert b"failed" in published.stderr
    # artefacts of a store without a server lie in the result folder: one line says that it is not
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{out}/m.db"}
    tracked = sport_ray("report", read_only, "--track", cwd=out, bound=True, **home, **store)
    assert tracked.returncode == 2
    assert tracked.stderr.count(b"\n") == 1
    assert b"Permission denied" in tracked.stderr
