"""verify: every part of a bundle, each fault under its own name, and what was not checked said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sport_ray.bounds import scenario_bound
from sport_ray.canonical import digest, readable_json
from sport_ray.certificates.verify import Check
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.verify import verify_bundle
from tests.sport_ray.deploy.test_bundle import FILES, sealed


def found(folder: Path) -> dict[str, Check]:
    return {check.name: check for check in verify_bundle(folder)}


def failed(folder: Path) -> list[str]:
    return [check.name for check in verify_bundle(folder) if check.passed is False]


def test_a_sound_bundle_holds_and_says_what_was_not_checked(bundle: Path) -> None:
    checks = found(bundle)
    assert not [name for name, check in checks.items() if check.passed is False]
    for name in ("manifest", "files", "nothing else", "loads", "promise", "world"):
        assert checks[name].passed is True, checks[name]
    assert checks["certificate: bounds"].passed is True
    assert checks["certificate: base policy"].passed is True
    for name in ("table file", "table rows", "numbers"):  # these bundles have no table
        assert checks[f"certificate: {name}"].passed is None
        assert "not in the bundle" in checks[f"certificate: {name}"].detail
    assert checks["evidence"].passed is None
    assert checks["spaces"].passed is None


def test_what_is_not_there_is_told_from_what_was_altered(bundle: Path, tmp_path: Path) -> None:
    assert "does not exist" in found(tmp_path)["manifest"].detail
    assert "does not exist" in found(tmp_path / "nothing")["manifest"].detail
    for name in FILES:
        path = bundle / name
        data = path.read_bytes()
        path.unlink()
        where = "manifest" if name == "manifest.json" else "files"
        check = found(bundle)[where]
        assert check.passed is False, check
        assert "does not exist" in check.detail, check
        path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
        check = found(bundle)[where]
        assert check.passed is False, check
        assert "altered" in check.detail or "damaged" in check.detail, check
        path.write_bytes(data)
    assert not failed(bundle)


def test_every_file_that_is_wrong_is_named(bundle: Path) -> None:
    (bundle / "task" / "policy.json").unlink()
    (bundle / "base" / "policy.safetensors").write_bytes(b"")
    detail = found(bundle)["files"].detail
    assert "task/policy.json does not exist" in detail
    assert "base/policy.safetensors was altered" in detail


def test_another_file_is_told_and_a_signature_is_none(bundle: Path) -> None:
    (bundle / "certificate.json.sig").write_bytes(b"made afterwards")
    assert not failed(bundle)
    (bundle / "task" / "more\x1b[2J.py").write_text("import os")
    check = found(bundle)["nothing else"]
    assert check.passed is False
    assert "task/more[2J.py" in check.detail


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda m: m["promise"].update(bound=m["promise"]["bound"] / 2), ["loads", "promise"]),
        (lambda m: m["promise"].update(bound=min(1.5 * m["promise"]["bound"], 0.99)),
         ["loads", "promise"]),
        (lambda m: m["constraint"].update(alpha=1.05), ["loads", "promise"]),
        (lambda m: m.update(horizon=9), ["loads", "promise"]),
        (lambda m: m["world"].update(env_kwargs={"layout": "random"}), ["loads", "world"]),
        (lambda m: m["task"].update(digest="00"), ["loads"]),
        (lambda m: m["evidence"].update(num_scenarios=100, num_violations=3, posterior_beta=0.01,
                                        posterior_bound=0.01), ["evidence"]),
        (lambda m: m["evidence"].update(num_scenarios=100, num_violations=90, posterior_beta=0.01,
                                        posterior_bound=scenario_bound(100, 90, 0.01)),
         ["evidence"]),
        (lambda m: m["evidence"].update(num_scenarios=100, num_violations=300,
                                        posterior_beta=0.01), ["evidence"]),
        (lambda m: m.pop("promise"), ["loads", "promise", "world"]),
        (lambda m: m.update(versions=None), ["versions"]),
        (lambda m: m["files"].pop("task/policy.json"), ["files", "nothing else", "loads"]),
        (lambda m: m["files"].update({"../up": "00"}), ["files", "loads"]),
    ],
)  # fmt: skip
def test_what_was_sealed_anew_is_found_where_it_is_wrong(
    change: Callable[[dict[str, Any]], Any], names: list[str], bundle: Path
) -> None:
    sealed(bundle, change)
    assert failed(bundle) == names


def test_a_perturbed_world_is_computed_for_the_robot_and_claimed_elsewhere(
    certified: Path, export_of: Callable[..., Export], tmp_path: Path
) -> None:
    """Certified with more noise than it is deployed with."""
    for name in ("base", "task"):
        shutil.copytree(certified / name, tmp_path / name)
    document = json.loads((certified / "certificate.json").read_text())
    document["env_kwargs"]["actuation_noise"] = 0.2
    body = {key: value for key, value in document.items() if key != "digest"}
    path = tmp_path / "certificate.json"
    path.write_bytes(readable_json({**body, "digest": digest(body)}))
    alpha_p = (0.2 / 0.1999) ** 2 * (1 + 1e-9)
    export = export_of(
        "ratio", base=tmp_path / "base", task=tmp_path / "task", certificate=path,
        env_kwargs={"layout": "fixed", "actuation_noise": 0.1999}, alpha_p=alpha_p,
    )  # fmt: skip
    write_bundle(tmp_path / "bundle", export)
    check = found(tmp_path / "bundle")["world"]
    assert check.passed is True
    assert "noise laws" in check.detail
    sealed(tmp_path / "bundle", lambda m: m["world"]["env_kwargs"].update(actuation_noise=0.15))
    check = found(tmp_path / "bundle")["world"]
    assert check.passed is False
    assert "alpha_p" in check.detail


def test_no_module_that_a_bundle_names_is_imported_to_load_it(bundle: Path) -> None:
    """What verify adds to the certificate's own checks; those are verify_certificate's."""
    path = bundle / "certificate.json"
    document = json.loads(path.read_text())
    document["env_id"] = "no_such_module_at_all:Env-v0"
    body = {key: value for key, value in document.items() if key != "digest"}
    path.write_bytes(readable_json({**body, "digest": digest(body)}))

    def rename(manifest: dict[str, Any]) -> None:
        manifest["world"]["env_id"] = document["env_id"]
        manifest["certificate"]["digest"] = digest(body)

    sealed(bundle, rename)
    checks = found(bundle)
    for name in ("manifest", "files", "loads", "promise", "world"):
        assert checks[name].passed is True, checks[name]
