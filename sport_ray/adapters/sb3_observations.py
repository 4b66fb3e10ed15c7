"""What a policy of Stable-Baselines3 sees: its preprocessing, written as this project's.

Before the network it makes indices one-hot and puts the parts of a Dict side by side, in the order
of its keys: what :class:`~sport_ray.envs.flatten.Flattening` does, too. Images of bytes it divides
by 255, and turns (H, W, C) into (C, H, W) (``preprocess_obs``, ``VecTransposeImage``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from torch import Tensor

from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.policies.convolution import NATURE, Convolution

CNN = re.compile(r"(?:pi_)?features_extractor\.cnn\.")
"""The names of NatureCNN's filters."""
PARTS = re.compile(r"features_extractor\.extractors\.")
NO_PARTS = (
    "images among the parts of a Dict (MultiInputPolicy): no body here sees them; train on the "
    "image alone (CnnPolicy) or on features of it"
)


class Seen(NamedTuple):
    """How observations become what the linear layers see."""

    flattening: Flattening | None = None
    convolution: Convolution | None = None


VECTORS = Seen()
"""Vectors, as they are."""


def seen_of(source: str, space: Any, weights: Mapping[str, Tensor], *, divided: bool) -> Seen:
    """What a model sees of the environment's observations in a space.

    space: as the environment gives them: images not yet transposed. divided: whether it divides
    images of bytes by 255 (``normalize_images``).

    Raises:
        UserError: what it makes of them is not known here, with the reason.
    """
    if any(PARTS.search(name) for name in weights):
        raise UserError(f"{source}: {NO_PARTS}")
    cnn = any(CNN.match(name) for name in weights)
    box = space if isinstance(space, spaces.Box) else None
    if cnn:
        return _image(source, box, weights, divided)
    if divided and _has_image(space):
        raise UserError(
            f"{source}: an MLP of images in {space}, divided by 255: train it with CnnPolicy, or "
            "with policy_kwargs=dict(normalize_images=False)"
        )
    try:
        return Seen(Flattening.needed(source, space))
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _image(
    source: str, box: spaces.Box | None, weights: Mapping[str, Tensor], divided: bool
) -> Seen:
    if box is None or len(box.shape) != 3:
        raise UserError(f"{source}: NatureCNN of observations in {box}: name the environment")
    found = Convolution.usual(box.shape, np.dtype(box.dtype).name, NATURE)
    assert found is not None
    channels = next(w for name, w in weights.items() if CNN.match(name) and w.ndim == 4).shape[1]
    if found.image(box.shape)[0] != channels:
        raise UserError(
            f"{source}: its first layer takes {channels} channels, images in {box.shape} have "
            f"{found.image(box.shape)[0]}: name the environment that it was trained in with --env "
            "(with its wrappers: stacked frames are channels)"
        )
    if not (divided and _is_bytes(box)):
        found = found.model_copy(update={"divisor": 1.0})
    return Seen(Flattening.needed(source, box), found)


def _has_image(space: Any) -> bool:
    """Whether Stable-Baselines3 takes a part of it for an image of bytes."""
    if isinstance(space, spaces.Dict):
        return any(map(_has_image, space.spaces.values()))
    return isinstance(space, spaces.Box) and len(space.shape) == 3 and _is_bytes(space)


def _is_bytes(box: spaces.Box) -> bool:
    """Whether it is divided by 255: bytes that go from 0 to 255 (``is_image_space``)."""
    whole = not box.low.any() and bool((box.high == 255).all())
    return box.dtype == np.uint8 and whole


def require_same(source: str, given: spaces.Space[Any], text: Mapping[str, Any], kind: str) -> None:
    """Refuse an environment whose observations the file tells apart from the model's own.

    Bounds are not compared, and of images not where their channels are. What the text does not
    tell is not compared.

    Raises:
        UserError: another space, with both.
    """
    told = _told_otherwise(source, given, text, kind)
    if told is not None:
        raise UserError(
            f"{source}: the model sees {told}, the environment gives {given}: name the environment "
            "that it was trained in"
        )


def _told_otherwise(
    source: str, given: spaces.Space[Any], text: Mapping[str, Any], kind: str
) -> str | None:
    """The model's own space, where the text tells another than is given; None where not."""
    if kind in ("dict", "tuple"):
        told = str(text.get("spaces"))
        if not isinstance(given, spaces.Dict | spaces.Tuple):
            return told
        known = told.startswith(("{", "(", "["))
        return told if known and _shapes(told) != _shapes(str(given.spaces)) else None
    if re.sub(r"(?<!^)(?=[A-Z])", "_", type(given).__name__).lower() != kind:
        return kind
    try:
        model = space_of_text(source, text, kind)
    except UserError:
        return None
    return None if _numbers(model) == _numbers(given) else str(model)


def _shapes(text: str) -> str:
    """The text of spaces without the bounds of boxes."""
    return re.sub(r"Box\([^()]*?, (\([\d, ]*\)), (\w+)\)", r"Box(\1, \2)", text)


def _numbers(space: spaces.Space[Any]) -> Any:
    """What of a space must be the same: sides of a box in any order where it may be an image."""
    if isinstance(space, spaces.Box):
        return sorted(space.shape) if len(space.shape) == 3 else space.shape
    if isinstance(space, spaces.Discrete):
        return int(space.n), int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        return space.nvec.tolist()
    return getattr(space, "n", None)


def space_of_text(source: str, space: Mapping[str, Any], kind: str) -> spaces.Space[Any]:
    """The observation space from a file's text; bounds do not matter.

    Raises:
        UserError: one whose text does not tell: asks for the environment.
    """
    try:
        if kind == "box":
            shape = re.fullmatch(r"[\[(]([\d,\s]*)[\])]", str(space.get("_shape")))
            if shape is None:
                raise ValueError(space.get("_shape"))
            sides = tuple(int(one) for one in shape[1].split(",") if one.strip())
            dtype = np.dtype(str(space.get("dtype")))
            ends = (0, 255) if dtype == np.uint8 else (-1, 1)
            return spaces.Box(*ends, sides, dtype.type)
        if kind == "discrete":
            return spaces.Discrete(int(space["n"]), start=int(space.get("start", 0)))
        if kind == "multi_binary":
            return spaces.MultiBinary(int(space["n"]))
        if kind == "multi_discrete":
            found = re.fullmatch(r"\[([\d\s]*)\]", str(space.get("nvec")))
            if found is None:
                raise ValueError(space.get("nvec"))
            return spaces.MultiDiscrete([int(one) for one in found[1].split()])
    except (AssertionError, KeyError, TypeError, ValueError, OverflowError):
        pass
    raise UserError(
        f"{source}: observations in a space {kind!r} whose text does not tell all of it: name the "
        "environment with --env"
    )
