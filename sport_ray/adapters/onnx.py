"""An ONNX file as a base policy: layers of our own where it is a chain of them, else the graph.

The graph has one input, an observation (O,) or (n, O), and says of it, in outputs by name,

- gaussian: ``mean`` (D,) and ``log_std`` or ``std``, (D,) nats or units of the action, before the
  action mapping;
- categorical: ``logits`` (Σ n_i,), log weights of all indices side by side, up to a constant each.

Only what these depend on is read. ONNX holds no code, and nothing is unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import ValidationError

from sport_ray.adapters.onnx_chain import Chain, chains_of
from sport_ray.adapters.onnx_outputs import Wanted, canonical
from sport_ray.adapters.parts import LARGEST_LOG_STD, Actor
from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.graph.body import body_of
from sport_ray.policies.graph.checked import LARGEST, read_graph
from sport_ray.policies.graph.rows import GraphRows
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.policies.observations import Normalization
from sport_ray.untrusted_files import read_bytes

Family = Literal["gaussian", "categorical"]


class OnnxPolicy(NamedTuple):
    """What was made of a file: the policy, and the graph that it came from.

    model: with one observation in and the wanted outputs out, as float32 as the file has it.
    """

    network: PolicyNetwork
    model: Any


def read_onnx(
    path: Path,
    family: Family,
    mapping: ActionMapping | None,
    *,
    wanted: Wanted | None = None,
    normalization: Normalization | None = None,
) -> OnnxPolicy:
    """The policy in an ONNX file.

    Args:
        path: the file, with its weights inside.
        family: what the outputs are the numbers of.
        mapping: from samples to the environment's actions. Of indices None means one index, from 0,
            of as many values as there are logits.
        wanted: names of the outputs, where they are others.
        normalization: of observations, before the graph sees them.

    Raises:
        UserError: a file that cannot be read, what is not supported in it, or outputs that are not
            those of such a policy.
    """
    source = str(path)
    try:
        data = read_bytes(Path(path), LARGEST)
    except FileNotFoundError:
        raise UserError(f"{source} does not exist") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{source} cannot be read: {error}") from None
    several = mapping is not None and len(mapping.action_low or ()) > 1
    graph = read_graph(source, data)
    model = canonical(source, graph, family, wanted or Wanted(), several=several)
    rows = GraphRows(source, model.SerializeToString())
    if family == "gaussian" and (len(rows.sizes) != 2 or rows.sizes[0] != rows.sizes[1]):
        raise UserError(f"{source}: mean and std have {rows.sizes} entries, expected equally many")
    if mapping is None and family == "categorical":
        mapping = ActionMapping.of_indices([0], [rows.sizes[0]])
    if mapping is None or (mapping.squash == "index") != (family == "categorical"):
        raise UserError(f"{source}: a {family} policy cannot have the mapping {mapping}")
    if family == "categorical":
        _require_log_weights(source, rows, mapping)
    chains = chains_of(model)
    if chains is not None:
        return OnnxPolicy(_layers(source, family, chains, mapping, normalization), model)
    return OnnxPolicy(_graph(source, family, model, rows, mapping, normalization), model)


def _layers(
    source: str,
    family: Family,
    chains: list[Chain | np.ndarray],
    mapping: ActionMapping,
    normalization: Normalization | None,
) -> PolicyNetwork:
    first, *rest = chains
    assert isinstance(first, Chain)
    log_std: Any = None
    limits = None
    if family == "gaussian":
        (other,) = rest
        if isinstance(other, Chain):
            log_std, limits = other.last, other.limits or (-LARGEST_LOG_STD, LARGEST_LOG_STD)
        else:
            log_std = torch.from_numpy(other)
    return Actor(
        hidden=first.hidden,
        activation=first.activation,
        last=first.last,
        log_std=log_std,
        log_std_range=limits,
        normalization=normalization,
        **mapping.to_json(),
    ).network(source)


def _graph(
    source: str,
    family: Family,
    model: Any,
    rows: GraphRows,
    mapping: ActionMapping,
    normalization: Normalization | None,
) -> PolicyNetwork:
    std: dict[str, Any] = {}
    if family == "gaussian":
        std = {
            "std_head": "clamped",
            "log_std_min": -LARGEST_LOG_STD,
            "log_std_max": LARGEST_LOG_STD,
        }
    size = rows.sizes[0] if family == "gaussian" else len(mapping.action_low or ())
    try:
        spec = PolicySpec(
            observation_size=rows.observation_size,
            action_size=size,
            hidden=(),
            body="graph",
            normalization=normalization,
            **mapping.to_json(),
            **std,
        )
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "policy"
        raise UserError(f"{source}: {where}: {problem['msg']}") from None
    if normalization is not None and len(normalization.mean) != rows.observation_size:
        raise UserError(
            f"{source}: the normalisation has {len(normalization.mean)} entries, observations have "
            f"{rows.observation_size}"
        )
    network = PolicyNetwork(spec)
    network.load_state_dict(
        {
            f"body.{name}": value
            for name, value in body_of(model.SerializeToString()).state_dict().items()
        }
    )
    return network


def _require_log_weights(source: str, rows: GraphRows, mapping: ActionMapping) -> None:
    """Refuse another number of logits than outcomes, and probabilities in their place."""
    low, high = mapping.action_low or (), mapping.action_high or ()
    sizes = [int(b - a) + 1 for a, b in zip(low, high, strict=True)]
    if sum(sizes) != rows.sizes[0]:
        raise UserError(
            f"{source}: it has {rows.sizes[0]} logits, the actions {sum(sizes)} outcomes ({sizes})"
        )
    if max(sizes) == 1:
        return
    drawn = np.random.default_rng(0).normal(size=(8, rows.observation_size))
    found = np.stack([rows(one.astype(np.float32)) for one in drawn])
    pieces = np.split(found, np.cumsum(sizes)[:-1], axis=1)
    if all(((p >= 0.0) & (p <= 1.0)).all() and np.allclose(p.sum(1), 1.0) for p in pieces):
        raise UserError(
            f"{source}: its outputs are probabilities (from 0 to 1, of sum 1), expected logits: "
            "export what goes into the softmax"
        )
