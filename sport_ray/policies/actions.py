"""From a Gaussian sample to what the environment is given: one fixed function per policy file.

Why density ratios do not see it: let g be the mapping. Base and task policy draw a ~ N(m_b, S_b)
and a ~ N(m, S), and both hand g(a) to the environment. If N(a; m, S) ≤ α N(a; m_b, S_b) for
every a, then for every measurable set B of actions

    P(g(a) ∈ B) = ∫_{g⁻¹(B)} N(a; m, S) da ≤ α ∫_{g⁻¹(B)} N(a; m_b, S_b) da = α P_b(g(a) ∈ B),

so the ratio of what the environment sees is at most α too, whatever g is: with tanh the two ratios
are equal (the Jacobian cancels), with clipping, which puts mass on the bounds, it can only be
smaller. All that is needed is that g is the *same* function for both policies and is applied after
sampling. That is why it belongs to the policy, is covered by its digest, and is compared
(:class:`ActionMapping` is a value) wherever two policies meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from sport_ray.envs.spaces import as_action, indices_of, require_unit_actions
from sport_ray.errors import UserError

__all__ = ["ActionMapping", "as_action"]

Squash = Literal["tanh", "none", "clip", "unit_clip", "index"]
Bounds = tuple[float, ...]


@dataclass(frozen=True)
class ActionMapping:
    """g: R^D → the actions of an environment, entry by entry, in float64.

    With bounds l, h:

    - ``tanh``: l + (h − l)·(tanh(a) + 1)/2; without bounds tanh(a)
    - ``clip``: min(max(a, l), h)
    - ``unit_clip``: min(max(l + (h − l)·(a + 1)/2, l), h)
    - ``none``: a itself (the environment sees to what is out of range)
    - ``index``: l + a, of an index a = 0, 1, … (a Discrete space's ``start`` is l)

    >>> ActionMapping("tanh", (-2.0,), (2.0,))([[0.0], [50.0]]).ravel().tolist()
    [0.0, 2.0]
    >>> ActionMapping("clip", (-2.0,), (2.0,))([[0.5], [50.0]]).ravel().tolist()
    [0.5, 2.0]
    """

    squash: Squash = "tanh"
    action_low: Bounds | None = None
    action_high: Bounds | None = None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> ActionMapping:
        """From a mapping that holds ``squash`` and, where there are bounds, both of them."""
        low, high = fields.get("action_low"), fields.get("action_high")
        return cls(
            fields["squash"],
            None if low is None else tuple(low),
            None if high is None else tuple(high),
        )

    def to_json(self) -> dict[str, Any]:
        """``squash``, ``action_low`` and ``action_high``."""
        return asdict(self)

    def __call__(self, action: ArrayLike) -> NDArray[np.float64]:
        """The environment's actions (..., D) for samples (..., D); NaN stays NaN."""
        drawn = np.asarray(action, dtype=np.float64)
        if self.squash == "none":
            return drawn
        if self.action_low is None or self.action_high is None:
            return np.tanh(drawn)
        low, high = np.asarray(self.action_low), np.asarray(self.action_high)
        if self.squash == "clip":
            return np.clip(drawn, low, high)
        if self.squash == "index":
            shifted: NDArray[np.float64] = drawn + low
            return shifted
        unit = np.tanh(drawn) if self.squash == "tanh" else drawn
        found: NDArray[np.float64] = np.clip(low + 0.5 * (unit + 1.0) * (high - low), low, high)
        return found

    @classmethod
    def of_indices(cls, first: Sequence[int], sizes: Sequence[int]) -> ActionMapping:
        """Indices below ``sizes``, counted from ``first``."""
        pairs = zip(first, sizes, strict=True)
        last = tuple(float(one + size - 1) for one, size in pairs)
        return cls("index", tuple(map(float, first)), last)

    def require_fits(self, env_id: str, space: spaces.Space[Any]) -> None:
        """Refuse an environment whose actions are others than this gives.

        Raises:
            UserError: other actions, with both.
        """
        if (found := indices_of(space)) is not None or self.squash == "index":
            if found is None or ActionMapping.of_indices(*found) != self:
                raise UserError(
                    f"environment {env_id!r} takes actions in {space}, the policy's are "
                    f"{self._text()}: give the environment that the policy was trained in"
                )
            return
        if self.action_low is None or self.action_high is None:
            if self.squash == "tanh":
                require_unit_actions(env_id, space)
            return
        if not isinstance(space, spaces.Box):
            return  # refused elsewhere
        own = (np.asarray(self.action_low), np.asarray(self.action_high))
        for name, mine, its in zip(("low", "high"), own, (space.low, space.high), strict=True):
            if not np.array_equal(mine, its.astype(np.float64)):
                raise UserError(
                    f"environment {env_id!r} takes actions with {name} = {its.tolist()}, the "
                    f"policy's are made for {name} = {mine.tolist()}: give the environment that "
                    "the policy was trained in"
                )

    def _text(self) -> str:
        if self.squash != "index":
            return "real numbers"
        assert self.action_low is not None
        assert self.action_high is not None
        pairs = zip(self.action_low, self.action_high, strict=True)
        return "whole numbers from " + ", ".join(f"{low:g} to {high:g}" for low, high in pairs)
