"""docs/observations.md runs as it stands, on smaller sizes: a Dict and no base, to the audit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sport_ray.deploy import load
from sport_ray.policies import load_policy
from tests.pages import blocks, own_project, run

PAGE = "observations.md"
SMALL = {"train_batch_size": 256, "minibatch_size": 64, "num_envs": 8, "env_steps": 512,
         "warmup_env_steps": 256}  # fmt: skip


def write_files(folder: Path) -> None:
    """The page's files, smaller; the base is trained as it is there, since it must arrive."""
    for language, text in blocks(PAGE):
        name = re.match(r"# (\S+\.(?:py|yaml))\n", text)
        if name is None:
            assert language == "bash"
            continue
        if language == "yaml":
            study = yaml.safe_load(text)
            study["certificate"] |= {"num_scenarios": 300, "beta": 1e-3}
            study["training"] |= SMALL
            study["evaluation"] |= {"num_scenarios": 60, "beta": 1e-3}
            text = yaml.safe_dump(study)
        (folder / name[1]).write_text(text)


@pytest.mark.slow
@pytest.mark.long
def test_the_page_from_train_base_to_the_audit(tmp_path):
    write_files(tmp_path)
    own_project(tmp_path)
    said = run(
        "".join(text for language, text in blocks(PAGE) if language == "bash"), tmp_path, 900
    )
    assert "2 of 2 cells finished" in said
    assert "promised" in said
    spec = load_policy(tmp_path / "bases" / "drone").network.spec
    keys = [key for key, _ in spec.flattening.space.spaces]
    assert keys == ["position", "velocity", "weather"]
    assert spec.observation_size == 2 + 2 + 3
    assert load(tmp_path / "drone_bundle").promise["bound"] < 1.0
