"""The KubeRay manifest in docs/cluster.md: as Ray's autoscaler reads it, and strictly the rest.

The names of fields are those of the custom resources of KubeRay 1.5 and of Kubernetes; one that is
not listed here is refused, since the API server would drop or refuse it too.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr,
)
from ray.autoscaler._private.kuberay.utils import parse_quantity

from sport_ray.experiments.config.shipped import study_file
from sport_ray.experiments.config.study import load_study

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text()
RESULTS = "/srv/sport-ray"

POD_KEYS = {"securityContext", "automountServiceAccountToken", "containers", "volumes"}
CONTAINER_KEYS = {
    *("name", "image", "command", "args", "env", "ports", "resources", "securityContext"),
    "volumeMounts",
}
CLUSTER_KEYS = {
    *("rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions"),
    *("headGroupSpec", "workerGroupSpecs"),
}
HEAD_KEYS = {"serviceType", "rayStartParams", "template"}
WORKER_KEYS = {
    *("groupName", "minReplicas", "replicas", "maxReplicas", "rayStartParams", "template"),
}
JOB_KEYS = {"clusterSelector", "submissionMode", "entrypoint"}
AUTOSCALER_KEYS = {"idleTimeoutSeconds", "upscalingMode", "resources"}


def documents() -> dict[str, dict[str, Any]]:
    """The manifest's documents by kind and name."""
    blocks = [b for b in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S) if "ray.io/v1" in b]
    assert len(blocks) == 1, "one manifest on the page"
    found = list(yaml.safe_load_all(blocks[0]))
    by_name = {f"{each['kind']}/{each['metadata']['name']}": each for each in found}
    assert len(by_name) == len(found)
    return by_name


def cluster() -> dict[str, Any]:
    return documents()["RayCluster/sport-ray"]


def groups(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in groups(spec):
        yield from group["template"]["spec"]["containers"]


def option(container: dict[str, Any], name: str) -> str:
    (found,) = [each for each in container["args"] if each.startswith(f"--{name}=")]
    return found.partition("=")[2]


def unknown_keys(manifest: dict[str, Any]) -> list[str]:
    """Keys of a RayCluster that this test does not know, with where they are."""
    spec = manifest["spec"]
    levels: list[tuple[str, dict[str, Any], set[str]]] = [
        ("RayCluster", manifest, {"apiVersion", "kind", "metadata", "spec"}),
        ("spec", spec, CLUSTER_KEYS),
        ("autoscalerOptions", spec["autoscalerOptions"], AUTOSCALER_KEYS),
        ("authOptions", spec["authOptions"], {"mode"}),
        ("headGroupSpec", spec["headGroupSpec"], HEAD_KEYS),
    ]
    levels += [("workerGroupSpecs", group, WORKER_KEYS) for group in spec["workerGroupSpecs"]]
    for group in groups(spec):
        levels += [
            ("template", group["template"], {"metadata", "spec"}),
            ("pod", group["template"]["spec"], POD_KEYS),
        ]
    for each in containers(spec):
        levels.append((each["name"], each, CONTAINER_KEYS))
        levels += [("resources", each["resources"], {"requests", "limits"})]
        levels += [("ports", port, {"name", "containerPort"}) for port in each.get("ports", [])]
        levels += [("mount", mount, {"name", "mountPath"}) for mount in each["volumeMounts"]]
    return [f"{where}.{key}" for where, level, known in levels for key in level if key not in known]


def test_the_documents_and_their_kinds() -> None:
    versions = {name: each["apiVersion"] for name, each in documents().items()}
    assert versions == {
        "Namespace/sport-ray": "v1",
        "NetworkPolicy/sport-ray": "networking.k8s.io/v1",
        "PersistentVolumeClaim/sport-ray-results": "v1",
        "PersistentVolumeClaim/sport-ray-mlflow": "v1",
        "RayCluster/sport-ray": "ray.io/v1",
        "RayJob/quickstart": "ray.io/v1",
    }
    inside = {each["metadata"].get("namespace") for each in documents().values()}
    assert inside == {None, "sport-ray"}
    assert "namespace" not in documents()["Namespace/sport-ray"]["metadata"]


def test_ray_reads_it_as_an_autoscaling_cluster() -> None:
    """What Ray's autoscaler makes of the custom resource, validated by Ray's own schema."""
    config = _derive_autoscaling_config_from_ray_cr(cluster())
    head = config["available_node_types"].pop(config["head_node_type"])
    assert (head["resources"]["CPU"], head["max_workers"]) == (0, 0)
    (worker,) = config["available_node_types"].values()
    assert worker["resources"] == {"CPU": 4, "memory": 8 * 1024**3}
    assert (worker["min_workers"], worker["max_workers"], config["max_workers"]) == (1, 8, 8)
    assert config["idle_timeout_minutes"] == 15.0
    assert config["upscaling_speed"] == 1


@pytest.mark.parametrize("key", ["headGroupSpec", "workerGroupSpecs"])
def test_ray_refuses_what_is_missing(key: str) -> None:
    broken = cluster()
    del broken["spec"][key]
    with pytest.raises(KeyError, match=key):
        _derive_autoscaling_config_from_ray_cr(broken)


def test_no_key_is_unknown() -> None:
    assert unknown_keys(cluster()) == []
    misspelt = copy.deepcopy(cluster())
    misspelt["spec"]["workerGroupSpecs"][0]["maxReplica"] = 8
    misspelt["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["privilege"] = True
    assert unknown_keys(misspelt) == ["workerGroupSpecs.maxReplica", "ray-head.privilege"]


def test_required_fields() -> None:
    spec = cluster()["spec"]
    assert {"rayStartParams", "template"} <= spec["headGroupSpec"].keys()
    for group in spec["workerGroupSpecs"]:
        assert group.keys() >= WORKER_KEYS
        assert 1 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    params = [group["rayStartParams"] for group in groups(spec)]
    assert all(isinstance(value, str) for each in params for value in each.values())


def test_the_versions_are_the_installed_ones() -> None:
    assert cluster()["spec"]["rayVersion"] == ray.__version__
    [image] = {each["image"] for each in containers(cluster()["spec"])}
    assert image.startswith("registry.example.com/")
    assert f"docker build -f Containerfile -t {image} ." in PAGE


def test_the_pods_run_as_the_user_of_the_image() -> None:
    [user] = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Containerfile").read_text(), re.M)
    for group in groups(cluster()["spec"]):
        context = group["template"]["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["fsGroup"])) == user


def test_the_head_does_no_work() -> None:
    head = cluster()["spec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert head["template"]["spec"]["containers"][0]["name"] == "ray-head"  # KubeRay: the first


def test_resources_are_quantities_and_guaranteed() -> None:
    spec = cluster()["spec"]
    found = [each["resources"] for each in containers(spec)]
    for resources in [*found, spec["autoscalerOptions"]["resources"]]:
        assert resources["requests"] == resources["limits"]
        assert set(resources["limits"]) == {"cpu", "memory"}
        assert all(parse_quantity(value) > 0 for value in resources["limits"].values())
    for name in ("results", "mlflow"):
        claim = documents()[f"PersistentVolumeClaim/sport-ray-{name}"]
        assert parse_quantity(claim["spec"]["resources"]["requests"]["storage"]) > 0


def test_volumes_are_consistent_and_results_are_shared() -> None:
    spec = cluster()["spec"]
    for group in groups(spec):
        pod = group["template"]["spec"]
        claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"]}
        mounted = {m["name"] for each in pod["containers"] for m in each["volumeMounts"]}
        assert mounted == set(claims)  # nothing undeclared, nothing unused
        assert all(f"PersistentVolumeClaim/{claim}" in documents() for claim in claims.values())
        ray_container = pod["containers"][0]
        assert {"name": "results", "mountPath": RESULTS} in ray_container["volumeMounts"]
        assert claims["results"] == "sport-ray-results"
    results = documents()["PersistentVolumeClaim/sport-ray-results"]["spec"]
    assert results["accessModes"] == ["ReadWriteMany"]


def test_nothing_is_privileged_and_a_token_is_asked_for() -> None:
    spec = cluster()["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    for group in groups(spec):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for each in containers(spec):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    workers = [group["template"]["spec"] for group in spec["workerGroupSpecs"]]
    assert all(pod["automountServiceAccountToken"] is False for pod in workers)
    secrets = re.findall(r"RAY_AUTH_TOKEN\b", yaml.safe_dump(cluster()))
    assert secrets == []  # the operator brings it: none in the file


def test_nobody_outside_gets_in() -> None:
    spec = cluster()["spec"]
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    policy = documents()["NetworkPolicy/sport-ray"]["spec"]
    assert policy["podSelector"] == {}  # all pods
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert {"podSelector": {}} in rule["from"]
    assert all(each.keys() <= {"podSelector", "namespaceSelector"} for each in rule["from"])
    assert all(each.get("namespaceSelector") != {} for each in rule["from"])


def test_mlflow_is_beside_the_driver_and_knows_every_option() -> None:
    from mlflow.cli import server

    pod = cluster()["spec"]["headGroupSpec"]["template"]["spec"]
    (mlflow,) = [each for each in pod["containers"] if each["name"] == "mlflow"]
    assert mlflow["command"] == ["mlflow", "server"]
    server.make_context("mlflow server", list(mlflow["args"]))  # click raises on an unknown one
    assert (option(mlflow, "host"), option(mlflow, "port")) == ("127.0.0.1", "5000")
    assert option(mlflow, "workers") == "1"
    (mount,) = mlflow["volumeMounts"]
    assert option(mlflow, "backend-store-uri").startswith(f"sqlite:///{mount['mountPath']}/")
    assert option(mlflow, "artifacts-destination").startswith(f"{mount['mountPath']}/")


def test_ports_are_named() -> None:
    spec = cluster()["spec"]
    ports = {
        p["name"]: p["containerPort"] for each in containers(spec) for p in each.get("ports", [])
    }
    assert ports == {"gcs-server": 6379, "dashboard": 8265}


def test_the_job_runs_a_study_that_is_in_the_image() -> None:
    job = documents()["RayJob/quickstart"]
    assert set(job["spec"]) == JOB_KEYS
    assert job["spec"]["submissionMode"] in ("K8sJobMode", "HTTPMode")
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster()["metadata"]["name"]}
    words = job["spec"]["entrypoint"].split()
    assert words[:2] == ["sport-ray", "run"]
    load_study(study_file(words[2]))
    assert words[words.index("--address") + 1] == "auto"
    assert words[words.index("--results") + 1].startswith(f"{RESULTS}/")
