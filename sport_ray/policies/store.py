"""Policies on disk: safetensors beside JSON, bound together by sha256 digests; no pickle.

A policy that is an ONNX graph holds that file's bytes as the tensor ``body.graph``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from sport_ray.canonical import digest, write_identified
from sport_ray.errors import UserError
from sport_ray.policies.graph.body import NAME as GRAPH
from sport_ray.policies.graph.body import GraphBody
from sport_ray.policies.limits import MOST_PARAMETERS
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.untrusted_files import read_bytes

SCHEMA = "sport-ray/policy/1"
WEIGHTS = "policy.safetensors"
MANIFEST = "policy.json"
LARGEST_MANIFEST = 2**24
LARGEST_WEIGHTS = 4 * MOST_PARAMETERS + 2**20
"""Bytes."""


class PolicyFile(NamedTuple):
    """A policy read from disk: the network, its digest and how it was made."""

    network: PolicyNetwork
    digest: str
    provenance: dict[str, Any]


def network_to_bytes(network: PolicyNetwork) -> bytes:
    """The weights as safetensors."""
    state = network.state_dict()
    found: bytes = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    return found


def network_from_bytes(spec: PolicySpec, data: bytes) -> PolicyNetwork:
    """The network with these weights; RuntimeError or SafetensorError where they do not fit."""
    if 4 * spec.num_parameters > len(data):
        raise RuntimeError(f"{spec.num_parameters} weights are claimed, in {len(data)} bytes")
    network = PolicyNetwork(spec).float()  # whatever torch's default is: a cast is another policy
    weights = load(data)
    for name, value in weights.items():
        if value.dtype != torch.float32 and not _is_graph(spec, name):
            # A silent cast would make another policy.
            raise RuntimeError(f"{name} is {value.dtype}, expected torch.float32")
    network.load_state_dict(weights)
    return network


def _is_graph(spec: PolicySpec, name: str) -> bool:
    """Whether these are not weights but the bytes of an ONNX file."""
    return spec.body == "graph" and name == f"body.{GRAPH}"


def save_policy(folder: Path, network: PolicyNetwork, provenance: dict[str, Any]) -> str:
    """Write ``policy.safetensors`` and ``policy.json`` into a folder; return the digest.

    The digest (sha256) covers the architecture and the bytes of the weights, not the provenance:
    two files with the same digest hold the same policy.

    Raises:
        ValueError: weights that are not finite float32 numbers.
    """
    folder = Path(folder)
    for name, value in network.state_dict().items():
        if _is_graph(network.spec, name):
            continue
        if value.dtype != torch.float32 or not torch.isfinite(value).all():
            raise ValueError(f"weights {name!r} are not finite float32 numbers")
    weights = folder / WEIGHTS, network_to_bytes(network)
    return write_identified(folder / MANIFEST, weights, _identity(network), provenance)


def policy_digest(network: PolicyNetwork) -> str:
    """sha256 (hex) over the architecture and the bytes of the weights."""
    return digest(_identity(network))


def _identity(network: PolicyNetwork) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "spec": network.spec.model_dump(mode="json"),
        "weights_sha256": hashlib.sha256(network_to_bytes(network)).hexdigest(),
    }


def load_policy(folder: Path) -> PolicyFile:
    """Read a policy and check it: digests, architecture, shapes, finite weights.

    Raises:
        UserError: nothing there, or anything that does not match, naming the file.
    """
    folder = Path(folder)
    manifest_path, weights_path = folder / MANIFEST, folder / WEIGHTS
    for path in (manifest_path, weights_path):
        if not path.is_file():
            raise UserError(
                f"policy file {path} does not exist: give the folder of a policy, written by "
                "`sport-ray train-base` or `sport-ray import-base`"
            )
    try:
        manifest = read_bytes(manifest_path, LARGEST_MANIFEST)
        weights = read_bytes(weights_path, LARGEST_WEIGHTS)
    except (ValueError, OSError) as error:
        raise UserError(f"policy file {manifest_path} is damaged: {error!r}") from None
    return policy_from_bytes(manifest, weights, folder)


def policy_from_bytes(data: bytes, weights: bytes, folder: Path) -> PolicyFile:
    """The policy of these two files' bytes, checked; ``folder`` is where errors say they are.

    Raises:
        UserError: anything that does not match, naming the file.
    """
    manifest_path, weights_path = folder / MANIFEST, folder / WEIGHTS
    try:
        manifest = json.loads(data)
        identity = {key: manifest[key] for key in ("schema", "spec", "weights_sha256")}
        claimed = manifest["digest"]
        computed = digest(identity)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"policy file {manifest_path} is damaged: {error!r}") from None
    if identity["schema"] != SCHEMA:
        raise UserError(
            f"policy file {manifest_path} has schema {identity['schema']!r}, expected {SCHEMA!r}"
        )
    if hashlib.sha256(weights).hexdigest() != identity["weights_sha256"]:
        raise UserError(
            f"policy file {weights_path} is damaged: its sha256 differs from that in {MANIFEST}"
        )
    if computed != claimed:
        raise UserError(f"policy file {manifest_path} is damaged: its digest does not match")
    provenance = manifest.get("provenance", {})
    if not isinstance(provenance, dict):
        raise UserError(f"policy file {manifest_path} is damaged: provenance must be an object")
    try:
        spec = PolicySpec.model_validate(identity["spec"])
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in ("spec", *problem["loc"]))
        raise UserError(
            f"policy file {manifest_path} is not valid at {where}: {problem['msg']}"
        ) from None
    try:
        with torch.random.fork_rng(devices=[]):  # reading a file is not a draw
            network = network_from_bytes(spec, weights)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"policy file {weights_path} has another shape: {reason}") from None
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise UserError(f"policy file {weights_path} holds weights that are not finite")
    if isinstance(network.body, GraphBody):
        _require_graph(network, network.body, weights_path)
    if policy_digest(network) != claimed:
        raise UserError(f"policy file {weights_path} was not read as it is: its digest differs")
    return PolicyFile(network, claimed, provenance)


def _require_graph(network: PolicyNetwork, body: GraphBody, path: Path) -> None:
    """Refuse a graph that is not understood, or that does not fit the head.

    Raises:
        UserError: says why.
    """
    rows, spec = body.rows(f"policy file {path}"), network.spec
    found = (rows.observation_size, sum(rows.sizes))
    expected = (spec.observation_size, spec.head.outputs)
    if found != expected:
        raise UserError(
            f"policy file {path} holds a graph of {found[0]} inputs and {found[1]} outputs, "
            f"expected {expected[0]} and {expected[1]}"
        )
