"""cluster.yaml: what Ray's own validation takes, and what that validation does not look at.

Offline: the steps of ``ray up`` up to the first contact with a machine or a cloud. Both variants of
the file are tested: as it is (on premise), and with the cloud section in use instead.
"""

from __future__ import annotations

import copy
import ipaddress
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start as ray_start

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "cluster.yaml").read_text()
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)
DOCUMENTATION = [
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]


def section(name: str) -> str:
    """The lines between the markers ``# >>> name`` and ``# <<< name``."""
    found = re.search(rf"^# >>> {name}.*?\n(.*?)^# <<< {name}$", TEXT, re.MULTILINE | re.DOTALL)
    assert found, name
    return found.group(1)


def on_premise() -> dict[str, Any]:
    """The file as it is."""
    return yaml.safe_load(TEXT)


def cloud() -> dict[str, Any]:
    """The file with the on-premise section taken out and the cloud section uncommented."""
    lines = section("cloud").splitlines(keepends=True)
    assert all(line.startswith("#") for line in lines), "the cloud section is all comments"
    uncommented = "".join(re.sub(r"^# ?", "", line) for line in lines)
    return yaml.safe_load(
        TEXT.replace(section("on-premise"), "").replace(section("cloud"), uncommented)
    )


VARIANTS = pytest.mark.parametrize("variant", [on_premise, cloud])


def check_by_ray(config: dict[str, Any]) -> dict[str, Any]:
    """What ``ray up`` does before it asks the provider; the config with all defaults."""
    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


def misspelt_resources(config: dict[str, Any]) -> list[str]:
    """Resources that Ray takes as custom ones although a built-in one is meant."""
    built_in = {"CPU", "GPU", "TPU", "memory", "object_store_memory"}
    by_lower = {name.lower(): name for name in built_in}
    return [
        name
        for node_type in config.get("available_node_types", {}).values()
        for name in node_type["resources"]
        if name not in built_in and name.lower() in by_lower
    ]


def commands(config: dict[str, Any]) -> list[str]:
    """All shell commands of a variant."""
    return [command for key in COMMANDS for command in config.get(key, [])]


def arguments(config: dict[str, Any], program: str) -> list[list[str]]:
    """The arguments of every call of ``program`` ("ray start") in a variant."""
    found = []
    for command in commands(config):
        if re.search(rf"bin/{program}\b", command):
            tail = re.split(rf"bin/{program}\b", command)[1]
            words = shlex.split(re.split(r" >|;|\)", tail)[0])
            found.append([word.replace("$RAY_HEAD_IP", "192.0.2.10") for word in words])
    return found


def option(words: list[str], name: str) -> str | None:
    """The value of ``--name=value`` or ``--name value``."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == f"--{name}":
            return following
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return None


@VARIANTS
def test_ray_accepts_the_file(variant: Any) -> None:
    prepared = check_by_ray(variant())
    head = prepared["available_node_types"][prepared["head_node_type"]]
    assert head["resources"] in ({}, {"CPU": 0})


def test_the_workers_of_the_on_premise_section_are_all_wanted() -> None:
    config = on_premise()
    prepared = check_by_ray(config)
    (node_type,) = prepared["available_node_types"].values()
    assert node_type["min_workers"] == len(config["provider"]["worker_ips"]) == 2
    assert prepared["max_workers"] == 2


@VARIANTS
@pytest.mark.parametrize(
    ("key", "value"), [("max_worker", 3), ("setup_commands", "one string"), ("provider", {})]
)
def test_ray_refuses_what_is_wrong(variant: Any, key: str, value: Any) -> None:
    """The validation that accepts the file has teeth."""
    with pytest.raises((jsonschema.ValidationError, KeyError, NotImplementedError, TypeError)):
        check_by_ray(variant() | {key: value})


def test_lower_case_cpu_passes_ray_but_not_us() -> None:
    config = cloud()
    assert misspelt_resources(config) == []
    config["available_node_types"]["worker"]["resources"] = {"cpu": 16}
    check_by_ray(config)  # accepted: to Ray it is a resource of that name
    assert misspelt_resources(config) == ["cpu"]


def test_the_cloud_head_does_no_work_and_a_worker_is_there_from_the_start() -> None:
    config = cloud()
    types = config["available_node_types"]
    head = types.pop(config["head_node_type"])
    assert head["resources"]["CPU"] == 0
    assert all(worker["resources"]["CPU"] >= 1 for worker in types.values())
    assert sum(worker["min_workers"] for worker in types.values()) >= 1
    assert all(worker["max_workers"] <= config["max_workers"] for worker in types.values())


def test_the_on_premise_head_does_no_work() -> None:
    (head,) = [words for words in arguments(on_premise(), "ray start") if "--head" in words]
    assert option(head, "num-cpus") == "0"


@VARIANTS
def test_every_ray_start_names_its_authentication(variant: Any) -> None:
    config = variant()
    starts = [command for command in commands(config) if "bin/ray start" in command]
    assert len(starts) == 2
    assert all(re.search(r"RAY_AUTH_MODE=token \S*bin/ray start", each) for each in starts)
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


@VARIANTS
def test_ray_knows_every_option(variant: Any) -> None:
    calls = arguments(variant(), "ray start")
    assert len(calls) == 2
    for words in calls:
        ray_start.make_context("ray start", words)  # click raises on an unknown option


@VARIANTS
def test_mlflow_knows_every_option(variant: Any) -> None:
    from mlflow.cli import server

    (words,) = arguments(variant(), "mlflow server")
    server.make_context("mlflow server", words)


@VARIANTS
def test_head_and_mlflow_listen_where_they_should(variant: Any) -> None:
    config = variant()
    (mlflow,) = arguments(config, "mlflow server")
    (head,) = [words for words in arguments(config, "ray start") if "--head" in words]
    private = config["provider"].get("head_ip", "127.0.0.1")
    host, port = option(mlflow, "host"), option(mlflow, "port")
    assert host == private
    assert f"{host}:{port}" in (option(mlflow, "allowed-hosts") or "").split(",")
    assert option(head, "node-ip-address") == config["provider"].get("head_ip")
    assert option(head, "dashboard-host") == "127.0.0.1"
    (worker,) = [words for words in arguments(config, "ray start") if "--head" not in words]
    assert (option(worker, "address") or "").endswith(f":{option(head, 'port')}")


def test_only_documentation_addresses() -> None:
    addresses = [ipaddress.ip_address(x) for x in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", TEXT)]
    assert addresses
    for address in addresses:
        assert address.is_loopback or any(address in net for net in DOCUMENTATION), address


@VARIANTS
def test_a_node_without_the_shared_folder_is_refused(variant: Any, tmp_path: Path) -> None:
    """And the cloud's nodes mount it before anything is set up."""
    config = variant()
    (check,) = [each for each in config["setup_commands"] if each.startswith("test -w ")]
    assert shlex.split(check)[2] == "/srv/sport-ray"
    mounts = [each for each in config.get("initialization_commands", []) if "mount -t" in each]
    assert all(each.endswith(" /srv/sport-ray") for each in mounts)
    assert len(mounts) == (variant is cloud)
    broken = check.replace("/srv/sport-ray", str(tmp_path / "missing"), 1)
    assert subprocess.run(["bash", "-c", broken], capture_output=True).returncode == 1


def test_a_rented_node_has_room_for_its_packages() -> None:
    for node_type in cloud()["available_node_types"].values():
        (disk,) = node_type["node_config"]["BlockDeviceMappings"]
        assert disk["Ebs"]["VolumeSize"] >= 40


@VARIANTS
def test_commands_are_shell(variant: Any) -> None:
    for command in commands(variant()):
        result = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
        assert result.returncode == 0, (command, result.stderr)


def test_the_mounts_are_what_the_package_is_built_from() -> None:
    mounts = on_premise()["file_mounts"]
    local = {path for path in mounts.values() if not path.startswith("~")}
    assert {"sport_ray", "experiments", "tracking", "pyproject.toml", "LICENSE"} <= local
    for path in local:
        assert (ROOT / path).exists(), path
        assert mounts[f"~/sport-ray/{path}"] == path
