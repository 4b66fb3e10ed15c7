"""What K cells do at an observation each: base, task and projected policies on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sport_ray.constraints import Unconstrained
from sport_ray.families import Gaussian
from sport_ray.families.gaussian.device.formulas import usable
from sport_ray.families.gaussian.device.projection import project_rows
from sport_ray.families.gaussian.projection import project_kl
from sport_ray.policies.frozen import FrozenPolicy, weights_fingerprint
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.policies.on_device import network_on, normalizer_on
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.passes import outputs
from sport_ray.projected_ppo.stack import Stack


class Laws(NamedTuple):
    """Gaussians of rows (N, D), float32: means and stds of what is played, of base and task."""

    mean: Tensor
    std: Tensor
    base_mean: Tensor
    base_std: Tensor
    task_mean: Tensor
    task_std: Tensor


class Policies:
    """The task policies of K cells, n rows each, projected onto their constraints.

    The base is evaluated in float64 from observations rounded to float32, and rounded to float32
    last, as :class:`~sport_ray.policies.on_device.DevicePolicy` does: its last bits are the
    device's. What is projected, checked and learned from are these numbers.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        copies: int,
        base: PolicyNetwork | None,
        actors: Stack,
        device: torch.device,
    ) -> None:
        self.spec: PolicySpec = cells[0].start.spec
        self.actors = actors
        self.normalizer = normalizer_on(self.spec, device)
        free = torch.tensor([isinstance(cell.constraint, Unconstrained) for cell in cells])
        self.any_free, self.any_held = bool(free.any()), not bool(free.all())
        limits = [
            0.0 if f else c.constraint.log_ratio_limit for f, c in zip(free, cells, strict=True)
        ]
        self.limits = torch.tensor(limits, dtype=torch.float64, device=device)
        """log α of each cell, nats; 0 of one without a constraint, which is not projected."""
        self.free = free.to(device)
        self._row_limits = self.limits.repeat_interleave(copies)
        self._row_free = self.free.repeat_interleave(copies)[:, None]
        self._base = None
        if self.any_held:
            assert base is not None
            self._base = network_on(FrozenPolicy(base), device)

    def base_fingerprint(self) -> str:
        """sha256 of the base's weights as they are on the device."""
        return "" if self._base is None else weights_fingerprint(self._base)

    def normalized(self, observation: Tensor) -> Tensor:
        """What the first layer of a task policy or critic sees."""
        return observation if self.normalizer is None else self.normalizer(observation)

    def laws(self, observation: Tensor) -> Laws:
        """At observations (K, n, O), float32."""
        seen = self.normalized(observation)
        whole = self.actors.whole
        output = outputs(whole, self.spec.activation, seen)
        task = self.spec.head.of_block(output, whole.own)
        assert isinstance(task, Gaussian)
        mean, std = (one.flatten(0, 1).contiguous() for one in (task.mean, task.std))
        if self._base is None:
            return Laws(mean, std, mean, std, mean, std)
        found = self._base(observation.flatten(0, 1).double())
        base_mean, base_std = (one.float().contiguous() for one in (found.mean, found.std))
        if mean.is_cuda:
            solved = project_rows(base_mean, base_std, mean, std, self._row_limits)
            chosen = solved.mean, solved.std
        else:
            chosen = _on_cpu(base_mean, base_std, mean, std, self._row_limits)
        if self.any_free:
            chosen = (
                torch.where(self._row_free, mean, chosen[0]),
                torch.where(self._row_free, std, chosen[1]),
            )
        return Laws(*chosen, base_mean, base_std, mean, std)


def _on_cpu(
    base_mean: Tensor, base_std: Tensor, mean: Tensor, std: Tensor, limits: Tensor
) -> tuple[Tensor, Tensor]:
    """As the kernel: rows with a bad argument are NaN."""
    rows = base_mean, base_std, mean, std
    good = usable(mean, std, base_mean, base_std)
    if bool(good.all()):
        return project_kl(*rows, limits)
    found = torch.full_like(mean, torch.nan), torch.full_like(std, torch.nan)
    part_rows = base_mean[good], base_std[good], mean[good], std[good]
    solved = project_kl(*part_rows, limits[good])
    for whole, part in zip(found, solved, strict=True):
        whole[good] = part
    return found
