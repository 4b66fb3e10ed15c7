"""A Stable-Baselines3 .zip, read without unpickling anything.

The archive holds ``policy.pth`` (tensors, which torch reads with ``weights_only=True``) and
``data``, JSON in which every object that is not plain JSON is a cloudpickle beside a readable
account of it: its type and the text of its attributes. The pickles are not looked at. From the
text come the spaces, the policy's class and its keyword arguments; what is not understood is
refused or asked for.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from sport_ray.adapters.parts import Actions, action_values, require_float_actions
from sport_ray.adapters.sb3_observations import CNN, require_same, seen_of, space_of_text
from sport_ray.adapters.sb3_weights import GSDE, WITHOUT_POLICY, actor_from_weights
from sport_ray.errors import UserError
from sport_ray.policies.network import ACTIVATIONS, PolicyNetwork
from sport_ray.policies.observations import Normalization
from sport_ray.untrusted_files import UNREADABLE, read_member, require_small

POLICIES = {
    "stable_baselines3.common.policies": "tanh",  # PPO, A2C: the activation by default
    "stable_baselines3.sac.policies": "relu",
    "sb3_contrib.common.recurrent.policies": "tanh",  # RecurrentPPO
}
LARGEST_DATA = 2**26
"""Bytes of a model's JSON; what it holds of buffers makes it megabytes."""
HARMLESS = {
    "net_arch", "activation_fn", "log_std_init", "ortho_init", "optimizer_class",
    "optimizer_kwargs", "share_features_extractor", "n_critics", "normalize_images",
    "clip_mean", "use_sde", "use_expln", "full_std", "lstm_hidden_size", "n_lstm_layers",
    "shared_lstm", "enable_critic_lstm",
}  # fmt: skip
"""Policy arguments that change nothing beside weights and activation (gSDE's: without gSDE)."""


def read_sb3(
    path: Path,
    *,
    activation: str | None = None,
    normalization: Normalization | None = None,
    raw_observations: bool = False,
    action_space: Any = None,
    observation_space: Any = None,
) -> PolicyNetwork:
    """The actor of a model saved by ``model.save``; PPO, A2C or SAC is seen from its weights.

    Args:
        path: the .zip.
        activation: of the hidden layers, where the file does not tell.
        normalization: of observations. The file does not hold it, and mostly says whether there was
            one (``_last_original_obs``).
        raw_observations: the policy saw them as they are, whatever the file says (``VecNormalize``
            with ``norm_obs=False``).
        action_space: the environment's; by default as the file's text has it.
        observation_space: likewise; of images and dictionaries it is needed.

    Raises:
        UserError: a file that cannot be read, or a policy that cannot be a base, with the reason.
    """
    source = str(path)
    data, weights = _read(Path(path))
    if data.get("use_sde"):
        raise UserError(f"{source}: {GSDE}")
    module = _account(data, "policy_class").get("__module__")
    if module in WITHOUT_POLICY:
        raise UserError(f"{source}: {WITHOUT_POLICY[module]}")
    if module not in POLICIES:
        raise UserError(
            f"{source}: the policy class is from {module}, expected MlpPolicy of PPO, A2C or SAC, "
            "CnnPolicy or MultiInputPolicy of PPO or A2C, or MlpLstmPolicy of RecurrentPPO: no "
            "class of your own (sport_ray.adapters.from_sb3 takes a live model)"
        )
    arguments = data.get("policy_kwargs") or {}
    space = _account(data, "observation_space")
    if observation_space is None:
        if any(CNN.match(name) for name in weights):
            raise UserError(
                f"{source}: the file does not tell whether the environment's images have their "
                "channels first or last: name it with --env"
            )
        observation_space = space_of_text(source, space, _kind(space))
    divided = arguments.get("normalize_images", True) is not False
    seen = seen_of(source, observation_space, weights, divided=divided)
    found = _activation(source, arguments, POLICIES[module])
    if found is not None and activation not in (None, found):
        raise UserError(f"{source}: its activation is {found}, not {activation}")
    actions = (
        _actions(source, _account(data, "action_space"))
        if action_space is None
        else action_values(source, action_space)
    )
    if normalization is None and not raw_observations:
        _require_raw(source, data, weights)
    actor = actor_from_weights(source, weights, found or activation, actions, normalization, seen)
    network = actor.network(source)  # what cannot be a base is told first
    require_same(source, observation_space, space, _kind(space))
    return network


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(read_member(archive, "data", LARGEST_DATA))
            stored = io.BytesIO(read_member(archive, "policy.pth"))
        with zipfile.ZipFile(stored) as tensors_in:
            require_small(tensors_in)
        stored.seek(0)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (KeyError, ValueError, OSError, RecursionError, *UNREADABLE) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a model of Stable-Baselines3: {reason}") from None
    try:
        weights = torch.load(stored, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle's errors, and RuntimeError
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: policy.pth holds more than tensors: {reason}") from None
    tensors = isinstance(weights, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights.items()
    )
    if not isinstance(data, dict) or not tensors:
        raise UserError(f"{path} is not a model of Stable-Baselines3")
    for name, value in weights.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise UserError(f"{path}: the weight {name!r} claims more numbers than there are")
    return data, dict(weights)


def _require_raw(source: str, data: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    """Refuse a model that may need VecNormalize's statistics, which lie elsewhere.

    ``_last_original_obs`` is set by VecNormalize alone for PPO and A2C, also by training for SAC.
    """
    if data.get("_last_original_obs") is None:
        return
    remedy = "or --raw-observations if they were not normalised"
    if "actor.mu.weight" in weights:
        raise UserError(
            f"{source}: the file does not tell whether observations went through VecNormalize: "
            f"give its statistics (--normalization), {remedy}"
        )
    raise UserError(
        f"{source}: it was trained behind VecNormalize, whose statistics are part of the policy: "
        f"give them (--normalization), {remedy} (norm_obs=False)"
    )


def _account(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _kind(space: dict[str, Any]) -> str:
    """A space's module by the text of its type: box, discrete and so on."""
    kind = re.fullmatch(
        r"<class '(?:gym|gymnasium)\.spaces\.(\w+)\.\w+'>", str(space.get(":type:"))
    )
    return kind[1] if kind else str(space.get(":type:"))


def _require_box(source: str, space: dict[str, Any], what: str) -> None:
    if (name := _kind(space)) != "box":
        raise UserError(f"{source}: {what} in a space {name!r}; expected a Box of one dimension")
    if not re.fullmatch(r"[\[(]\d+,?[\])]", str(space.get("_shape"))):
        raise UserError(
            f"{source}: {what} of shape {space.get('_shape')}; expected a Box of one dimension"
        )


def _actions(source: str, space: dict[str, Any]) -> Actions:
    if (made := _index_space(source, space)) is not None:
        return action_values(source, made)
    _require_box(source, space, "actions")
    require_float_actions(source, space.get("dtype"))
    return _numbers(source, space, "low"), _numbers(source, space, "high")


def _index_space(source: str, space: dict[str, Any]) -> spaces.Space[Any] | None:
    """A space of indices from its text; None of any other."""
    kind = _kind(space)
    if kind not in ("discrete", "multi_discrete", "multi_binary"):
        return None
    try:
        if kind == "discrete":
            return spaces.Discrete(int(space["n"]), start=int(space.get("start", 0)))
        if kind == "multi_binary":
            return spaces.MultiBinary(int(space["n"]))
        sizes, start = (_whole(space.get(name)) for name in ("nvec", "start"))
        return spaces.MultiDiscrete(sizes, start=start or None)
    except (AssertionError, KeyError, TypeError, ValueError, OverflowError):
        raise UserError(
            f"{source}: the action space {kind!r} cannot be read from its text: name the "
            "environment with --env"
        ) from None


def _whole(text: object) -> list[int]:
    """Whole numbers as numpy prints a vector of them: ``[3 2]``."""
    found = re.fullmatch(r"\[([\d\s]*)\]", "[]" if text is None else str(text))
    if found is None:
        raise ValueError(text)
    return [int(one) for one in found[1].split()]


def _numbers(source: str, space: dict[str, Any], name: str) -> tuple[float, ...]:
    """A bound of the action space from its text, as float32 or float64 numbers.

    numpy prints a bound that is the same for all entries to the last bit, others to eight digits
    after the point; one that needs more differs from the environment's, and is refused there.
    """
    dtype = np.float64 if space.get("dtype") == "float64" else np.float32
    size = int(re.sub(r"\D", "", str(space["_shape"])))
    try:
        text = str(space.get(name)).strip("[] \n").split()
        same = str(space.get(f"{name}_repr"))
        values = [float(same)] * size if "[" not in same else [float(one) for one in text]
        if len(values) != size:
            raise ValueError(f"{len(values)} numbers for {size} actions")
    except ValueError as error:
        raise UserError(
            f"{source}: the action space's {name} cannot be read from its text ({error}): name the "
            "environment with --env"
        ) from None
    return tuple(np.asarray(values, dtype=dtype).astype(np.float64).tolist())


def _activation(source: str, arguments: dict[str, Any], default: str) -> str | None:
    """The activation's name, or None where the text does not tell."""
    unknown = sorted(set(arguments) - HARMLESS - {":type:", ":serialized:"})
    extractor = arguments.get("features_extractor_kwargs")
    if isinstance(extractor, dict) and extractor.keys() <= {"features_dim", "normalized_image"}:
        unknown.remove("features_extractor_kwargs")  # NatureCNN's: sizes, and a check that it makes
    if unknown:
        raise UserError(
            f"{source}: the policy was made with {unknown[0]!r}, which may change its network; "
            "only the stock MlpPolicy can be read from a file"
        )
    if "activation_fn" not in arguments:
        return default
    text = str(arguments["activation_fn"])
    for name, kind in ACTIVATIONS.items():
        if text == str(kind):
            return name
    if re.fullmatch(r"<class '[\w.]+'>", text) or text.startswith("functools.partial("):
        raise UserError(
            f"{source}: activation {text} is not supported; known: {', '.join(ACTIVATIONS)}"
        )
    return None
