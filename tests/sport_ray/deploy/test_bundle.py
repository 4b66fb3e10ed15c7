"""Bundles: what is written can be read, and whatever does not fit together is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sport_ray.canonical import digest, readable_json
from sport_ray.certificates import load_certificate
from sport_ray.comparators.simplex import Switch
from sport_ray.constraints import CONSTRAINTS, RatioConstraint, Unconstrained, constraint_from_json
from sport_ray.deploy import load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.errors import UserError
from sport_ray.policies import PolicyNetwork, PolicySpec, load_policy
from tests.sport_ray.deploy.conftest import CONSTRAINTS as USED
from tests.sport_ray.deploy.conftest import FOR_CHOICES

FILES = [
    "manifest.json", "certificate.json", "base/policy.json", "base/policy.safetensors",
    "task/policy.json", "task/policy.safetensors",
]  # fmt: skip


def sealed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest and compute every sha256 in it anew, as a forger would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    for name in manifest["files"]:
        if (folder / name).is_file():
            manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest.pop("digest")
    path.write_bytes(readable_json({**manifest, "digest": digest(manifest)}))


def test_every_constraint_that_promises_is_tried() -> None:
    ours = {name for name, kind in CONSTRAINTS.items() if kind.__module__.startswith("sport_ray")}
    assert ours == set(USED) | set(FOR_CHOICES) | {"unconstrained"}


@pytest.mark.parametrize("name", sorted(USED))
def test_every_constraint_goes_out_and_in(
    name: str, export_of: Callable[..., Export], tmp_path: Path
) -> None:
    export = export_of(name)
    found = write_bundle(tmp_path / "bundle", export)
    bundle = read_bundle(tmp_path / "bundle", expect=found)
    assert bundle.digest == found
    assert bundle.horizon == export.horizon
    assert constraint_from_json(bundle.manifest["constraint"]) == export.constraint
    assert bundle.constraint == export.constraint
    evidence = load_certificate(export.certificate).evidence(export.horizon)
    assert bundle.promise["bound"] == export.constraint.prior_bound(evidence)
    assert sorted(p.suffix for p in (tmp_path / "bundle").rglob("*.*")) == [
        *[".json"] * 4, ".safetensors", ".safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (Unconstrained(), "'unconstrained' cannot be deployed: nothing is promised"),
        (RatioConstraint(alpha=3.0), "promises nothing: choose a smaller α"),
    ],
)
def test_what_promises_nothing_is_refused(
    constraint: Any, reason: str, export_of: Callable[..., Export], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=reason):
        write_bundle(tmp_path / "bundle", export_of("ratio", constraint=constraint))
    assert not list(tmp_path.iterdir())


def test_a_simplex_switch_is_refused(
    certified: Path, export_of: Callable[..., Export], tmp_path: Path
) -> None:
    task = load_policy(certified / "task").network
    law = {"squash": "index", "action_low": (0.0,), "action_high": (1.0,)}
    spec = PolicySpec(observation_size=45, action_size=1, hidden=(4,), **law)
    Switch(task, PolicyNetwork(spec), 20, 0.1, 0.5).save(tmp_path / "switch", {})
    for constraint in (Unconstrained(), RatioConstraint(1.1)):
        export = export_of("ratio", task=tmp_path / "switch", constraint=constraint)
        with pytest.raises(UserError, match="a Simplex switch promises nothing, so it cannot be"):
            write_bundle(tmp_path / "bundle", export)
    assert not (tmp_path / "bundle").exists()


def test_a_folder_that_is_there_is_left_alone(
    bundle: Path, export_of: Callable[..., Export]
) -> None:
    before = (bundle / "manifest.json").read_bytes()
    with pytest.raises(UserError, match="exists already"):
        write_bundle(bundle, export_of("gauss_renyi"))
    assert (bundle / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_file_is_found(name: str, bundle: Path) -> None:
    path = bundle / name
    data = path.read_bytes()
    for place in (0, len(data) // 3, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(UserError):
            load(bundle)
    path.write_bytes(data)
    load(bundle)
    path.unlink()
    with pytest.raises(UserError, match=r"does not exist|cannot be read"):
        load(bundle)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["promise"].update(bound=m["promise"]["bound"] / 2), "does not follow"),
        (lambda m: m["promise"].update(eps_base=m["promise"]["eps_base"] / 2), "another ε_base"),
        (lambda m: m["promise"].update(statement="P ≤ 0"), "in words"),
        (lambda m: m["promise"].update(theorem="another"), "in words"),
        (lambda m: m["promise"].update(bound="0.9"), "bound must be"),
        (lambda m: m["promise"].update(alpha_p=True), "alpha_p must be"),
        (lambda m: m["promise"].update(alpha_p=0.9), "alpha_p must be"),
        (lambda m: m["promise"].update(bound=5.0), "does not follow"),
        (lambda m: m["promise"].update(bound=True), "bound must be"),
        (lambda m: m["spaces"]["action"].update(dtype="int8"), "actions are floats"),
        (lambda m: m["promise"].update(beta=1e-9), "another ε_base or β"),
        (lambda m: m["constraint"].update(alpha=1.05), "does not follow"),
        (lambda m: m["constraint"].update(name="wild"), "unknown constraint 'wild'"),
        (lambda m: m.update(constraint={"name": "unconstrained"}), "nothing is promised"),
        (lambda m: m["constraint"].update(more=1), "cannot take"),
        (lambda m: m.update(horizon=9), "promises nothing"),
        (lambda m: m.update(horizon=21), "not covered by the certificate"),
        (lambda m: m.update(horizon=0), "not covered by the certificate"),
        (lambda m: m.update(horizon=20.0), "not a number of steps"),
        (lambda m: m.update(property="F goal"), "another property"),
        (lambda m: m["world"].update(env_id="Other-v0"), "another environment"),
        (lambda m: m["certificate"].update(digest="00"), "not the one that the manifest"),
        (lambda m: m["task"].update(digest="00"), "task policy is not the one"),
        (lambda m: m.update(schema="sport-ray/bundle/1"), "schema"),
        (lambda m: m["files"].pop("task/policy.json"), "is not in its manifest"),
        (lambda m: m.pop("world"), "not valid"),
        (lambda m: m.update(files=[]), "damaged"),
        (lambda m: m["files"].update({"../certificate.json": "00"}), "not a file of the bundle"),
        (lambda m: m["files"].update({"/etc/hostname": "00"}), "not a file of the bundle"),
        (lambda m: m["files"].update({"a\x1b[2J": "00"}), "not a file of the bundle"),
        (lambda m: m["world"].update(env_kwargs={"layout": "random"}), "not the certified one"),
        (lambda m: m["world"].update(max_episode_steps=1), "max_episode_steps is 1"),
        (lambda m: m["base"].update(digest="00"), "base policy is not the one"),
        (lambda m: m["spaces"]["observation"]["low"].pop(), "no list of 44"),
        (lambda m: m["spaces"]["observation"]["low"].__setitem__(3, "0"), "no list of 44"),
        (lambda m: m["spaces"]["observation"].update(low=[1.0] * 44, high=[0.0] * 44), "above"),
    ],
)
def test_what_was_sealed_anew_but_does_not_follow_is_refused(
    change: Callable[[dict[str, Any]], Any], reason: str, bundle: Path
) -> None:
    sealed(bundle, lambda m: None)
    load(bundle)  # sealing alone changes nothing
    sealed(bundle, change)
    with pytest.raises(UserError, match=reason):
        load(bundle)


def test_another_base_policy_than_was_certified_is_refused(bundle: Path) -> None:
    for name in ("policy.json", "policy.safetensors"):
        shutil.copy(bundle / "task" / name, bundle / "base" / name)
    sealed(bundle, lambda m: m["base"].update(digest=m["task"]["digest"]))
    with pytest.raises(UserError, match="for another base policy"):
        load(bundle)


def test_a_bundle_that_is_not_the_expected_one_is_refused(bundle: Path) -> None:
    known = read_bundle(bundle).digest
    load(bundle, expect=known)
    sealed(bundle, lambda m: m["source"].update(study="another"))
    with pytest.raises(UserError, match="another bundle"):
        load(bundle, expect=known)


@pytest.mark.parametrize("change", [{"bound": 1e-3}, {"bound": 1e-300}, {"alpha": 1.02}])
def test_a_violation_time_bound_is_computed_again(
    change: dict[str, float], export_of: Callable[..., Export], tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle", export_of("violation_time"))

    def forge(manifest: dict[str, Any]) -> None:
        section = "constraint" if "alpha" in change else "promise"
        manifest[section].update(change)

    sealed(tmp_path / "bundle", forge)
    with pytest.raises(UserError, match="does not follow"):
        load(tmp_path / "bundle")


def test_parts_that_do_not_fit_are_found_before_the_first_step(bundle: Path) -> None:
    path = bundle / "task" / "policy.json"
    document = json.loads(path.read_text())
    document["spec"]["normalization"] = {"mean": [0.0] * 4, "scale": [1.0] * 3}
    document["digest"] = digest(
        {key: document[key] for key in ("schema", "spec", "weights_sha256")}
    )
    path.write_text(json.dumps(document))
    sealed(bundle, lambda m: m["task"].update(digest=document["digest"]))
    with pytest.raises(UserError, match=r"not valid at spec\.normalization"):
        load(bundle)
    path.write_text("[" * 100_000)
    sealed(bundle, lambda m: None)
    with pytest.raises(UserError, match="damaged"):
        load(bundle)


def test_where_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sport-ray export"):
        load(tmp_path)
