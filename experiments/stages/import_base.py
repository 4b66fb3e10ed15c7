"""A base policy made of one that another library trained."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sport_ray.errors import UserError
from sport_ray.experiments.stages.import_onnx import (
    GivenOnnx,
    action_space,
    from_onnx,
    observation_space,
)
from sport_ray.tracking.console import PlainConsole

if TYPE_CHECKING:  # torch takes seconds, which --help should not
    from sport_ray.policies import Normalization, PolicyNetwork


class Source(StrEnum):
    """Where a policy comes from."""

    SB3 = "sb3"
    RLLIB = "rllib"
    NPZ = "npz"
    ONNX = "onnx"


class Given(NamedTuple):
    """What is known of a policy beside its file; see ``sport-ray import-base --help``."""

    normalization: Path | None = None
    activation: str | None = None
    env: str | None = None
    raw_observations: bool = False
    clip_actions: bool = False
    trust: bool = False
    onnx: GivenOnnx = GivenOnnx()


class Imported(NamedTuple):
    """A base policy that was written; agreement: with what ran the file, where that was tried."""

    digest: str
    network: PolicyNetwork
    agreement: str | None = None


def import_base(kind: Source, path: Path, out: Path, given: Given) -> Imported:
    """Write the policy as a base policy into a new folder.

    Raises:
        UserError: a folder that holds a policy, an option that is another kind's, a policy that is
            neither a Gaussian nor logits of an MLP, or whose observations or actions are not known.
    """
    from sport_ray.adapters import read_npz
    from sport_ray.policies import save_policy
    from sport_ray.policies.store import MANIFEST

    if (out / MANIFEST).exists():
        raise UserError(f"{out} already holds a policy: choose another folder with --out")
    _only(kind, Source.SB3, activation=given.activation)
    _only(kind, Source.ONNX, **given.onnx._asdict())
    if given.env is not None and kind not in (Source.SB3, Source.ONNX):
        raise UserError(f"--env is for sb3 and onnx; remove it for {kind.value}")
    _only(kind, Source.RLLIB, clip_actions=given.clip_actions, trust=given.trust)
    statistics = _statistics(kind, given.normalization, given.raw_observations)
    agreement = None
    if kind is Source.SB3:
        network = _from_sb3(path, given, statistics)
    elif kind is Source.ONNX:
        network, agreement = from_onnx(path, given.onnx, given.env, statistics)
    elif kind is Source.NPZ:
        network = read_npz(path)
    else:
        network = _from_rllib(path, given, statistics)
    digest = save_policy(out, network, _provenance(kind, path, agreement))
    return Imported(digest, network, agreement)


def _only(kind: Source, wanted: Source, **options: object) -> None:
    for name, value in options.items():
        if value and kind is not wanted:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is for {wanted.value}; remove it for {kind.value}")


def _statistics(kind: Source, path: Path | None, raw_observations: bool) -> Normalization | None:
    from sport_ray.adapters import read_normalization

    if kind is Source.NPZ and raw_observations:
        raise UserError("an npz policy says itself what it sees; remove --raw-observations")
    if path is not None and raw_observations:
        raise UserError("--normalization and --raw-observations contradict each other: remove one")

    if path is None:
        return None
    if kind is Source.NPZ:
        raise UserError("an npz policy holds its own obs_mean, obs_var, …; remove --normalization")
    return read_normalization(path)


def _from_sb3(path: Path, given: Given, statistics: Normalization | None) -> PolicyNetwork:
    from sport_ray.adapters import read_sb3

    return read_sb3(
        path,
        activation=given.activation,
        normalization=statistics,
        raw_observations=given.raw_observations,
        action_space=None if given.env is None else action_space(given.env),
        observation_space=None if given.env is None else observation_space(given.env),
    )


def _from_rllib(path: Path, given: Given, statistics: Normalization | None) -> PolicyNetwork:
    if not given.trust:
        raise UserError(
            f"{path}: RLlib's checkpoints are pickles, which can run any code when they are read: "
            "give --trust if you made it yourself, or save what sport_ray.adapters.from_rllib "
            "makes of a live module"
        )
    if statistics is None and not given.raw_observations:
        _require_raw(path)
    from ray.rllib.core.rl_module import RLModule

    from sport_ray.adapters import from_rllib

    PlainConsole(stderr=True).print(
        f"--trust: unpickling {path}, which runs whatever code it holds"
    )
    try:
        module: Any = RLModule.from_checkpoint(str(path.absolute()))
    except Exception as error:  # whatever unpickling and building raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} is not the checkpoint of one RLModule ({reason}): give the folder "
            "learner_group/learner/rl_module/default_policy of an algorithm's checkpoint"
        ) from None
    actions: Any = "clip" if given.clip_actions else "normalize"
    return from_rllib(module, actions=actions, normalization=statistics)


def _require_raw(module: Path) -> None:
    """Refuse a module of an algorithm's checkpoint with connectors before it: their folders tell.

    RLlib writes one for each that a user added; a MeanStdFilter's statistics belong to the policy.
    """
    for folder in module.absolute().parents:
        before = folder / "env_runner" / "env_to_module_connector"
        added = sorted(path.name for path in before.glob("*") if path.is_dir())
        if added:
            raise UserError(
                f"{module}: its observations went through {', '.join(added)}: give what a "
                "MeanStdFilter does (--normalization), or --raw-observations if nothing was changed"
            )


def _provenance(kind: Source, path: Path, agreement: str | None) -> dict[str, str]:
    """How it was made; the file's digest, not where it lay."""
    found = {"command": f"sport-ray import-base {kind.value} {path.name}"}
    if path.is_file():
        found["source_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    if agreement is not None:
        found["agreement"] = agreement
    return found
