"""What an ONNX file does not tell of a policy: options of ``sport-ray import-base onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sport_ray.errors import UserError

if TYPE_CHECKING:  # torch takes seconds, which --help should not
    from sport_ray.policies import ActionMapping, Normalization, PolicyNetwork


class GivenOnnx(NamedTuple):
    """What an ONNX file does not tell; see ``sport-ray import-base --help``."""

    family: str | None = None
    mean: str | None = None
    log_std: str | None = None
    std: str | None = None
    logits: str | None = None
    squash: str | None = None
    action_low: str | None = None
    action_high: str | None = None
    sizes: str | None = None


def action_space(env: str) -> Any:
    """The space of an environment's actions."""
    from sport_ray.envs.making import make_environment

    made = make_environment(env, {}, horizon=1)
    space = made.action_space
    made.close()
    return space


def observation_space(env: str) -> Any:
    """The space of an environment's observations, before anything is flattened."""
    from sport_ray.envs.making import make_environment

    made = make_environment(env, {}, horizon=1)
    space = made.env.observation_space
    made.close()
    return space


def from_onnx(
    path: Path, own: GivenOnnx, env: str | None, statistics: Normalization | None
) -> tuple[PolicyNetwork, str]:
    """The policy, and how it agrees with the file in float32.

    Raises:
        UserError: options that are missing or contradict each other, or a file that is refused.
    """
    from sport_ray.adapters.onnx import read_onnx
    from sport_ray.adapters.onnx_agreement import agreement
    from sport_ray.adapters.onnx_outputs import Wanted

    if own.family not in ("gaussian", "categorical"):
        raise UserError("say what the outputs are: --family gaussian or --family categorical")
    log_std = None if own.log_std is None else _numbers_or_name(own.log_std)
    wanted = Wanted(own.mean, log_std, own.std, own.logits)
    mapping = _mapping(own, env)
    family: Any = own.family
    found = read_onnx(path, family, mapping, wanted=wanted, normalization=statistics)
    said = agreement(str(path), found).text()
    return found.network if env is None else _seeing(found.network, env), said


def _seeing(network: PolicyNetwork, env: str) -> PolicyNetwork:
    """The policy for the environment's raw observations, where they are no vectors.

    Raises:
        UserError: vectors of another size than the file takes.
    """
    from sport_ray.envs.flatten import Flattening

    flattening = Flattening.needed(env, observation_space(env))
    if flattening is None:
        return network
    if flattening.size != network.spec.observation_size:
        raise UserError(
            f"environment {env!r} has observations of {flattening.size} entries once flattened "
            f"({flattening.space}), the file takes {network.spec.observation_size}: export the "
            "network of flattened observations"
        )
    network.spec = network.spec.model_copy(update={"flattening": flattening})
    return network


def _mapping(own: GivenOnnx, env: str | None) -> ActionMapping | None:
    """From the options; None: one index, of as many values as there are logits."""
    import numpy as np

    from sport_ray.envs.spaces import indices_of
    from sport_ray.policies import ActionMapping

    space = None if env is None else action_space(env)
    if own.family == "categorical":
        for name, value in (("squash", own.squash), ("action-low", own.action_low),
                            ("action-high", own.action_high)):  # fmt: skip
            if value is not None:
                raise UserError(f"--{name} is for real actions; remove it for categorical")
        if env is None:
            sizes = None if own.sizes is None else _whole("--sizes", own.sizes)
            return None if sizes is None else ActionMapping.of_indices([0] * len(sizes), sizes)
        if own.sizes is not None:
            raise UserError("--env and --sizes both say how many actions there are: remove one")
        if (found := indices_of(space)) is None:
            raise UserError(f"environment {env!r} has actions in {space}: expected indices")
        return ActionMapping.of_indices(*found)
    if own.sizes is not None:
        raise UserError("--sizes is for categorical policies; remove it")
    if own.squash not in ("tanh", "clip", "unit_clip", "none"):
        raise UserError(
            "say what becomes of a sample on its way to the environment: --squash tanh, clip, "
            "unit_clip (from [-1, 1]) or none"
        )
    squash: Any = own.squash
    low, high = own.action_low, own.action_high
    if space is None:
        bounds = [None if one is None else _numbers("bounds", one) for one in (low, high)]
        return ActionMapping(squash, *bounds)
    if low is not None or high is not None:
        raise UserError("--env and --action-low, --action-high both give bounds: remove one")
    if squash == "none":
        return ActionMapping("none")
    if getattr(space, "low", None) is None or not np.isfinite([space.low, space.high]).all():
        raise UserError(f"environment {env!r} has actions in {space}: expected bounds")
    pair = (tuple(one.astype(np.float64).tolist()) for one in (space.low, space.high))
    return ActionMapping(squash, *pair)


def _numbers_or_name(text: str) -> str | tuple[float, ...]:
    try:
        return tuple(float(one) for one in text.split(","))
    except ValueError:
        return text


def _numbers(what: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in text.split(","))
    except ValueError:
        raise UserError(f"{what} {text!r}: expected numbers, such as -1,-0.5") from None


def _whole(option: str, text: str) -> list[int]:
    values = text.split(",")
    if not all(one.isdecimal() and len(one) < 8 and int(one) > 0 for one in values):
        raise UserError(f"{option} {text!r}: expected positive whole numbers, such as 3,2")
    return [int(one) for one in values]
