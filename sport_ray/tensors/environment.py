"""What a tensor environment is: the few things that a batched simulator has to offer.

Tasks of Isaac Lab, mjlab, ManiSkill or MuJoCo-Warp keep n copies of a world in tensors of one
device already; docs/tensor-environments.md has one written out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

if TYPE_CHECKING:
    import gymnasium
    import numpy as np
    import torch


class TensorStep(NamedTuple):
    """What a step gives: (n, O), (n, K), the rest (n,); all on the environment's device."""

    observation: Tensor
    signals: Tensor
    reward: Tensor
    terminated: Tensor  # the episode is over: there is nothing more to happen
    truncated: Tensor  # the environment goes no further, although more could happen


@runtime_checkable
class TensorEnvironment(Protocol):
    """n slots that each hold one episode, stepped together; none depends on the others.

    device: where all tensors are, handed in and handed out.
    num_slots: n, fixed.
    observation_size: O. Observations are (n, O), float32 or float64.
    action_space: a gymnasium Box of one slot, (A,), or Discrete. Actions are (n, A) of its dtype;
        of a Discrete space indices (n,), int64.
    signal_names: the K propositions. Signals are (n, K), float32 or float64, positive where a
        proposition holds and negative where it does not; or all Booleans.

    Rewards are float32 or float64, ends are bool. Observations, signals and rewards are finite.

    **Randomness.** Whatever is random in an episode follows from the seed of its reset, whichever
    slot it is in and whatever happened before (``sport_ray.tensors.uniforms`` and ``normals`` draw
    so): a scenario is the same in every batch. No global generator.

    **Ends.** A slot is reset by its caller alone, never by the environment. A step after an end is
    allowed and means nothing, and a row of ``reset`` that is not in the mask means nothing.

    **Buffers.** Tensors that were handed out are not written to later, and tensors that were handed
    in are not written to: ``clone()`` what the simulator overwrites.

    Three things are optional. ``draws_nothing``, True where seeds are not read and neither
    ``reset`` nor ``step`` waits for the host: both can then be captured in a CUDA graph.
    ``cost_signal``, the name of a signal: training counts an episode in which it holds as one with
    a violation; without one, an episode that the property ended. ``poses()``, (n, 3): x, y (m) and
    heading (rad), for figures of trajectories.
    """

    device: torch.device
    num_slots: int
    observation_size: int
    signal_names: tuple[str, ...]

    @property
    def action_space(self) -> gymnasium.spaces.Box | gymnasium.spaces.Discrete[np.int64]:
        """The actions of one slot."""
        ...

    def reset(self, mask: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Start new episodes in the slots of ``mask`` (n,) bool, each from its own seed.

        ``seeds`` (n,) int64, from 0 to 2³¹ − 1; those of other slots mean nothing. Gives
        observations (n, O) and signals (n, K).
        """
        ...

    def step(self, actions: Tensor) -> TensorStep:
        """One step of every slot with actions (n, A)."""
        ...
