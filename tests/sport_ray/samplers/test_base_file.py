"""A base on disk: what is read is what was written, and what does not match is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.policies import PolicyFile
from sport_ray.samplers import (
    PolicySampler,
    SamplerFile,
    SamplerSpec,
    base_digest,
    read_base,
    sampler_of,
    save_sampler,
)
from sport_ray.sources import module_sources

SHIPPED = Path(__file__).parents[3] / "experiments" / "bases" / "point_reach_avoid"


@pytest.fixture
def spec(module) -> SamplerSpec:
    name = module("def draw(o, c, g, std): return g.random((c, 2))")
    code = {name: module_sources(name, {}).code[name]}
    return SamplerSpec(
        entry=f"{name}:draw", arguments={"std": [1.0, None]}, observation_size=3, action_size=2,
        code=code,
    )  # fmt: skip


def test_a_sampler_is_read_as_it_was_written(spec, tmp_path):
    folder = tmp_path / "base"
    digest = save_sampler(folder, spec, {"versions": {"numpy": "1"}})
    found = read_base(folder)
    assert isinstance(found, SamplerFile)
    assert (found.spec, found.digest) == (spec, digest)
    assert found.provenance == {"versions": {"numpy": "1"}}
    assert digest == base_digest(spec)


def test_a_gaussian_is_read_as_before():
    found = read_base(SHIPPED)
    assert isinstance(found, PolicyFile)
    assert isinstance(sampler_of(found), PolicySampler)


@pytest.mark.parametrize(
    "change",
    [
        {"entry": "t_other:draw"}, {"arguments": {}}, {"observation_size": 4},
        {"action_size": 1}, {"code": {}},
    ],
)  # fmt: skip
def test_whatever_is_part_of_it_changes_the_digest(spec, change):
    assert base_digest(spec.model_copy(update=change)) != base_digest(spec)


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda m: m["spec"].update(action_size=3), "its digest does not match"),
        (lambda m: m["spec"].update(action_size=0), "greater than or equal to 1"),
        (lambda m: m["spec"].update(entry="rm -rf"), "should match pattern"),
        (lambda m: m["spec"].update(more=1), "Extra inputs"),
        (lambda m: m.update(schema="sport-ray/sampler/9"), "has schema 'sport-ray/sampler/9'"),
        (lambda m: m.pop("digest"), "KeyError"),
        (lambda m: m.update(provenance=3), "TypeError"),
        (lambda m: m.update(spec=[]), "is damaged"),
    ],
)
def test_a_file_that_was_altered(spec, tmp_path, edit, line):
    save_sampler(tmp_path / "base", spec, {})
    path = tmp_path / "base" / "sampler.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(UserError) as caught:
        read_base(tmp_path / "base")
    told = str(caught.value)
    assert line in told
    assert str(path) in told
    assert "\n" not in told


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_none(tmp_path, data):
    (tmp_path / "sampler.json").write_bytes(data)
    with pytest.raises(UserError, match=r"sampler file .* is damaged"):
        read_base(tmp_path)


def test_code_that_changed_is_not_run(spec, tmp_path):
    found = SamplerFile(spec, base_digest(spec), {})
    drawn = sampler_of(found, run_module=True).sample(np.zeros(3), 2, np.random.default_rng(0))
    assert drawn.shape == (2, 2)
    with (tmp_path / "t_sampler.py").open("a") as file:
        file.write("# edited\n")
    with pytest.raises(UserError, match=r"t_sampler .* has changed; restore it, or choose another"):
        sampler_of(found, run_module=True)
