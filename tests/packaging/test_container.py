"""The container file: two stages, nobody is root, no host is named; built and run where it can be.

SPORT_RAY_CONTAINER_ENGINE: docker, podman or buildah; otherwise the first that is installed.
SPORT_RAY_CONTAINER_BUILD: more options of the build, such as ``--build-arg BASE=…`` or a volume.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = (ROOT / "Containerfile").read_text()
TAG = "localhost/sport-ray:test"


def test_two_stages_on_one_base_and_nobody_is_root() -> None:
    stages = re.split(r"^FROM ", FILE, flags=re.M)[1:]
    assert [one.split("\n")[0] for one in stages] == ["${BASE} AS build", "${BASE}"]
    users = re.findall(r"^USER (.+)$", stages[-1], flags=re.M)
    assert users == ["1000:100"]
    assert "pip install" not in stages[-1]
    [base] = re.findall(r"^ARG BASE=(.+)$", FILE, flags=re.M)
    assert ":" in base  # a version
    assert "." not in base.partition("/")[0].partition(":")[0]  # no registry's host


def test_nothing_but_the_wheel_is_sent_to_the_builder() -> None:
    for name in (".containerignore", "Containerfile.dockerignore"):
        assert (ROOT / name).read_text().split() == ["*", "!dist/*.whl"]


class Engine:
    """What builds images and runs commands in them."""

    def __init__(self, program: str) -> None:
        self.program = program
        chroot = program == "buildah"
        self._isolation = ["--isolation", "chroot"] if chroot else []

    def __call__(self, *words: object, timeout: float = 120) -> str:
        command = [self.program, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"[-4000:]
        return done.stdout

    def build(self, context: Path) -> None:
        more = shlex.split(os.environ.get("SPORT_RAY_CONTAINER_BUILD", ""))
        options = [*self._isolation, *more, "-f", context / "Containerfile", "-t", TAG]
        self("build", *options, context, timeout=2000)

    def run(self, *words: str) -> str:
        """A command in a container of the image, which is gone afterwards."""
        if self.program != "buildah":
            return self("run", "--rm", TAG, *words, timeout=300)
        container = self("from", TAG).strip()
        try:
            return self("run", *self._isolation, container, "--", *words, timeout=300)
        finally:
            self("rm", container)


@pytest.fixture(scope="module")
def engine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    wanted = os.environ.get("SPORT_RAY_CONTAINER_ENGINE")
    names = [wanted] if wanted else ["docker", "podman", "buildah"]
    found = next((name for name in names if shutil.which(name)), None)
    if found is None:
        pytest.skip("no docker, podman or buildah")
    engine = Engine(found)
    if subprocess.run([found, "info"], capture_output=True, timeout=60).returncode:
        pytest.skip(f"{found} has nothing to run on")
    context = tmp_path_factory.mktemp("context")
    for name in ("Containerfile", ".containerignore", "Containerfile.dockerignore"):
        shutil.copy(ROOT / name, context)
    (context / "dist").mkdir()
    shutil.copy(wheel, context / "dist")
    engine.build(context)
    yield engine
    engine("rmi", TAG)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(2500)
def test_the_image_holds_what_a_node_needs(engine: Engine) -> None:
    assert engine.run("sport-ray", "--version") == "sport-ray 0.1.dev0\n"
    assert engine.run("id", "-u", ).strip() == "1000"  # fmt: skip
    assert "2.60" in engine.run("ray", "--version")
    assert "wget" in engine.run("wget", "--version")
    # KubeRay's side containers: the autoscaler, and the MLflow server of docs/cluster.md.
    engine.run("python", "-c", "import ray.autoscaler._private.kuberay.run_autoscaler")
    assert "--allowed-hosts" in engine.run("mlflow", "server", "--help")
    certificate = (
        "/opt/sport-ray/lib/python3.11/site-packages/sport_ray/experiments/bases/"
        "point_reach_avoid/certificate.json"
    )
    assert "holds" in engine.run("sport-ray", "verify", certificate)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(2500)
def test_its_bill_of_materials_names_every_distribution(engine: Engine) -> None:
    bill = json.loads(engine.run("cat", "/opt/sport-ray/sbom.cdx.json"))
    assert bill["bomFormat"] == "CycloneDX"
    told = {one["name"].lower().replace("_", "-") for one in bill["components"]}
    installed = json.loads(engine.run("python", "-m", "pip", "list", "--format", "json"))
    assert {one["name"].lower().replace("_", "-") for one in installed} <= told
    assert {"torch", "ray", "mlflow", "sport-ray"} <= told
