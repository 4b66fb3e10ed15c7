"""The convolutional body of a policy that sees an image: frozen sizes, exact input, float64.

Between the image and the linear layers: o ↦ conv(o / divisor), flattened channel by channel, as
torch and Stable-Baselines3's NatureCNN do. What a budget adds passes beside it.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sport_ray.policies.sealed import Sealed
from sport_ray.policies.threads import one_thread

MOST_LAYERS = 10
Size = Annotated[int, Field(ge=1, le=4096)]


Layers = Annotated[tuple[tuple[Size, Size, Size], ...], Field(min_length=1, max_length=MOST_LAYERS)]

"""(filters, side of the kernel, stride) of each, without padding; pixels."""

NATURE: Layers = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Mnih et al., Nature 518 (2015): of images from 36 pixels on."""
SMALL: Layers = ((16, 4, 2), (32, 3, 1))
"""Of smaller images, from 8 pixels on."""


class Convolution(BaseModel):
    """Layers (filters, kernel, stride) with the policy's activation after each, no padding.

    channels: whether an image is (C, H, W) or (H, W, C). divisor: of every pixel first, 255 for
    bytes; the quotient is rounded to float32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Literal["first", "last"]
    layers: Layers
    divisor: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0

    def image(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(C, H, W) of an image of this shape."""
        first, second, third = shape
        return (first, second, third) if self.channels == "first" else (third, first, second)

    def features(self, shape: tuple[int, ...]) -> int:
        """How many numbers come out for an image of this shape.

        Raises:
            ValueError: an image that is smaller than a kernel.
        """
        channels, *sides = self.image(shape)
        for number, (filters, kernel, stride) in enumerate(self.layers, start=1):
            if min(sides) < kernel:
                raise ValueError(
                    f"convolution layer {number} has a kernel of {kernel} pixels and is given "
                    f"{sides[0]} x {sides[1]}: use smaller kernels or fewer layers"
                )
            channels, sides = filters, [(side - kernel) // stride + 1 for side in sides]
        return channels * math.prod(sides)

    def num_parameters(self, shape: tuple[int, ...]) -> int:
        """How many weights the layers have."""
        found, channels = 0, self.image(shape)[0]
        for filters, kernel, _ in self.layers:
            found += filters * (channels * kernel * kernel + 1)
            channels = filters
        return found

    @classmethod
    def usual(
        cls, shape: tuple[int, ...], dtype: str, layers: Layers | None = None
    ) -> Convolution | None:
        """For images of a shape; None where it is too small for one to be of use.

        Channels are the smaller of the first and the last dimension; of equals the last.
        """
        channels: Literal["first", "last"] = "first" if shape[0] < shape[2] else "last"
        sides = shape[1:] if channels == "first" else shape[:2]
        if layers is None:
            if min(sides) < 8:
                return None
            layers = NATURE if min(sides) >= 36 else SMALL
        return cls(channels=channels, layers=layers, divisor=255.0 if dtype == "uint8" else 1.0)


class ImageBody(nn.Sequential):
    """The layers, on flat images with more entries after them: (..., O) → (..., F).

    convolution: sizes; shape: of an image as the environment gives it.
    """

    def __init__(
        self, convolution: Convolution, shape: tuple[int, ...], activation: type[nn.Module]
    ) -> None:
        modules: list[nn.Module] = []
        channels = convolution.image(shape)[0]
        for filters, kernel, stride in convolution.layers:
            modules += [nn.Conv2d(channels, filters, kernel, stride), activation()]
            channels = filters
        super().__init__(*modules)
        self._convolution, self._shape, self._pixels = convolution, shape, math.prod(shape)

    def images(self, observation: Tensor) -> Tensor:
        """The images (n, C, H, W) of rows (n, O), divided."""
        flat = observation[:, : self._pixels].double() / self._convolution.divisor
        images = flat.float().to(observation.dtype).reshape(-1, *self._shape)
        return images if self._convolution.channels == "first" else images.permute(0, 3, 1, 2)

    def forward(self, observation: Tensor) -> Tensor:
        """The features, and the entries that are none of the image's."""
        rows = observation.reshape(-1, observation.shape[-1])
        found: Tensor = super().forward(self.images(rows)).flatten(1)  # type: ignore[no-untyped-call]
        both = torch.cat([found, rows[:, self._pixels :]], dim=1)
        return both.reshape(*observation.shape[:-1], both.shape[1])


class ImageRows(Sealed):
    """The features of an :class:`ImageBody` with fixed weights, row by row, in float64.

    An image is computed by itself, on one thread, always in one shape: its features have the same
    bits in every batch. They *are* what the linear layers after them are defined on.

    body: float64, of float32 numbers; its weights must not change.
    """

    def __init__(self, body: ImageBody) -> None:
        self._body = body

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features (n, F), float64, of observations (n, O)."""
        rows = torch.from_numpy(np.asarray(observations, dtype=np.float64))
        with torch.inference_mode(), one_thread():
            found = [self._body(row[None])[0].numpy() for row in rows]
        return np.stack(found) if found else np.empty((0, self.size(rows.shape[1])))

    def size(self, observation_size: int) -> int:
        """F, for observations of this size."""
        convolution, shape = self._body._convolution, self._body._shape
        return convolution.features(shape) + observation_size - math.prod(shape)
