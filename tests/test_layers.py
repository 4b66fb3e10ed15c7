"""Imports go one way, and the mathematics loads without the frameworks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "bounds", "families", "properties", "policies", "envs", "certificates", "rollouts",
    "samplers", "selection", "streams", "tensors",
)  # fmt: skip


def dotted(path: Path) -> str:
    """The name under which a file is imported: the three folders are one package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "sport_ray" else ("sport_ray", *parts))


def imports(path: Path) -> set[str]:
    """Every module or name that a file imports, with relative imports made absolute."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = dotted(path).split(".")[: -node.level or None]
            prefix = ".".join([*(package if node.level else ()), *filter(None, [node.module])])
            found |= {f"{prefix}.{alias.name}" for alias in node.names}
    return found


def offenders(files: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    """Files and what they import of the forbidden packages."""
    assert files
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(imports(path))
        if any(f"{name}.".startswith(f"{package}.") for package in forbidden)
    ]


def sources(*parts: str) -> list[Path]:
    """Python files of a folder, without what the links in sport_ray/ lead to."""
    links = [ROOT / "sport_ray" / name for name in ("experiments", "tracking")]
    found = sorted(ROOT.joinpath(*parts).rglob("*.py"))
    return [path for path in found if not any(link in path.parents for link in links)]


def test_the_method_knows_neither_the_experiments_nor_their_tools():
    forbidden = ("ray.tune", "ray.train", "mlflow", "sport_ray.experiments", "sport_ray.tracking")
    # What a user needs of all three is named there, and imported on first use.
    public = [ROOT / "sport_ray" / name for name in ("__init__.py", "testing/__init__.py")]
    files = [path for path in sources("sport_ray") if path not in public]
    assert offenders(files, forbidden) == []


ON_RAY = (
    "ray", "sport_ray.rollouts.workers", "sport_ray.rollouts.on_ray", "sport_ray.projected_ppo"
)  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_the_mathematics_does_without_ray(package):
    on_ray = ("workers.py", "on_ray.py")  # the second builds on the first, which imports Ray
    files = [p for p in sources("sport_ray", package) if p.name not in on_ray]
    assert offenders(files, ON_RAY) == []


def test_tracking_knows_neither_ray_nor_the_experiments():
    assert offenders(sources("tracking"), (*ON_RAY, "sport_ray.experiments")) == []


GAUSSIAN = re.compile(
    r"\b(mean|std)_(base|task)\b|\b(base|task)_(mean|std)\b|\.std\b(?!\()|\blog_std\b"
    r"|\b(mean, std|loc, scale)\b|project_kl|kl_divergence"
)
OF_GAUSSIANS = {
    "sport_ray/families/gaussian": "the family itself",
    "sport_ray/policies/network.py": "the spec of its head",
    "sport_ray/adapters": "other libraries' policies are Gaussians",
    "sport_ray/bounds": "theorems about Gaussians, and the world's noise",
    "sport_ray/envs": "the world's noise",
    "sport_ray/policies/few_rows.py": "the head's rows, compiled",
    "sport_ray/projected_ppo/acting.py": "the head's rows, compiled",
    "sport_ray/projected_ppo/cohort/loss.py": "the loss of the head's rows, compiled",
    "sport_ray/projected_ppo/cohort/device": "Gaussians of all cells in a device's tensors",
    "sport_ray/testing/members.py": "random members of the family, beside those of others",
    "sport_ray/rollouts/base_statistics.py": "how wide a Gaussian base is, and spreads of times",
    "experiments/cli/policies.py": "options that name an ONNX file's outputs",
    "experiments/stages/import_onnx.py": "the names of an ONNX file's outputs",
    "experiments/stages/base_statistics.py": "the same in words",
    "experiments/stages/base_table.py": "the same in a table",
    "experiments/config/environment.py": "the world's noise",
    "experiments/config/sections.py": "the world's noise",
    "sport_ray/comparators/presa/behaviours.py": "a Gaussian around a direction that is steered in",
    "sport_ray/comparators/scpo/subspace.py": "directions in the head's last layer",
}


def test_no_file_but_the_family_s_knows_of_means_and_stds():
    """A distribution is asked for what is needed of it, whatever family it is of."""
    for known in OF_GAUSSIANS:
        assert (ROOT / known).exists(), known
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in (*sources("sport_ray"), *sources("experiments"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if GAUSSIAN.search(line)
        and not any(path.relative_to(ROOT).is_relative_to(known) for known in OF_GAUSSIANS)
    ]
    assert found == []


def needs() -> dict[str, set[str]]:
    """Each module of ours, and the modules of ours that it imports anywhere in its file."""
    files = {}
    for folder in ("sport_ray", "experiments", "tracking"):
        files |= {dotted(path).removesuffix(".__init__"): path for path in sources(folder)}

    def module(name: str) -> str | None:
        return name if name in files else module(name.rpartition(".")[0]) if name else None

    return {
        name: {found for one in imports(path) if (found := module(one)) not in (None, name)}
        for name, path in files.items()
    }


def test_no_module_needs_itself_by_a_circle():
    """Not inside functions, nor for annotations: what needs each other is one thing."""
    TopologicalSorter(needs()).prepare()  # raises CycleError, with the circle


@pytest.mark.parametrize(
    ("statement", "modules"),
    [
        ("import ray.tune", {"ray.tune"}),
        ("from ray import tune", {"ray.tune"}),
        ("def f():\n    from mlflow.client import X as Y", {"mlflow.client.X"}),
        ("from . import scenario", {"sport_ray.bounds.scenario"}),
        ("from ..rollouts.workers import x", {"sport_ray.rollouts.workers.x"}),
    ],
)
def test_no_way_of_importing_is_missed(monkeypatch, tmp_path, statement, modules):
    path = tmp_path / "sport_ray" / "bounds" / "ratio.py"
    path.parent.mkdir(parents=True)
    path.write_text(statement)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert imports(path) == modules


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["sport_ray.bounds", "sport_ray.families", "sport_ray.tracking"], ["ray", "mlflow"]),
        ([f"sport_ray.{package}" for package in PACKAGES], ["ray", "mlflow", "sport_ray.tracking"]),
        (["sport_ray"], ["ray", "torch", "numba", "scipy", "mlflow", "sport_ray.experiments"]),
    ],
    ids=["mathematics and tracking", "method", "top"],
)
def test_importing_stays_light(modules, absent):
    script = (
        f"import sys, {', '.join(modules)}\n"
        f"print([name for name in {absent} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
