"""Tensors that are not on the CPU: what a learner on a GPU hands to projection and checks.

There is no GPU in CI. The tensors here behave as a GPU's do in what goes wrong in practice: numpy
cannot see them, and they do not mix with those of the CPU. What a GPU computes is not tested.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from sport_ray.constraints import constraint_from_json
from sport_ray.families import Gaussian

GPU = torch.device("cuda", 0)


class Remote(torch.Tensor):
    """A tensor of the pretended device."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def cpu(self, *args: Any) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)

    def to(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        target = kwargs.pop("device", None)
        if args and (isinstance(args[0], (str, torch.device))):
            target, *args = args
        if args and isinstance(args[0], torch.Tensor):  # another tensor's type and device
            other, *args = args
            target, kwargs["dtype"] = other.device, other.dtype
        plain = self.as_subclass(torch.Tensor)
        moved = plain.to(*args, **kwargs) if args or kwargs else plain
        away = target is not None and torch.device(target).type == "cpu"
        return moved if away else moved.as_subclass(Remote)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name not in ("__getitem__", "__setitem__", "to", "as_subclass"):
            others = [one for one in args if type(one) is torch.Tensor]
            with torch._C.DisableTorchFunctionSubclass():
                mixed = any(one.ndim for one in others)
            if mixed:
                raise RuntimeError(f"{name}: expected all tensors to be on the same device")
        return super().__torch_function__(func, types, args, kwargs or {})


class _Moves(TorchFunctionMode):
    """Moves a CPU tensor to the pretended device where it is told to go there."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.to and not isinstance(args[0], Remote):
            first, *rest = args
            if kwargs.get("device") == GPU or (rest and rest[0] == GPU):
                kwargs.pop("device", None)
                return first.as_subclass(Remote)
            if rest and isinstance(rest[0], Remote):
                return first.to(rest[0].dtype).as_subclass(Remote)
        return func(*args, **kwargs)


def remote(tensor: torch.Tensor) -> Remote:
    return tensor.as_subclass(Remote)


@pytest.fixture
def gaussians() -> list[torch.Tensor]:
    """Base and task: means and stds (64, 2)."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(64, 2, generator=generator)
    shift = torch.randn(64, 2, generator=generator)
    return [mean, torch.full_like(mean, 0.5), mean + shift, torch.full_like(mean, 0.3)]


def test_the_pretended_device_refuses_what_a_gpu_refuses(gaussians):
    there = remote(gaussians[0])
    with pytest.raises(TypeError, match="cuda"):
        there.numpy()
    with pytest.raises(RuntimeError, match="same device"):
        there + gaussians[0]
    assert type(there.cpu()) is torch.Tensor
    assert type(there * 2.0) is Remote


@pytest.mark.parametrize(
    "constraint",
    [
        {"name": "ratio", "alpha": 1.5},
        {"name": "gauss_renyi", "alpha": 1.5},
        {"name": "pathwise_all", "log_budget": 2.0},
        {"name": "mean_shift", "mu": 1.0},
    ],
    ids=lambda one: one["name"],
)
def test_projection_and_its_checks_take_them_and_give_the_same(gaussians, constraint):
    kind = constraint_from_json(constraint)
    features = torch.full((64, max(kind.num_features, 1)), 0.25)

    def everything(tensors: list[torch.Tensor], features: torch.Tensor) -> list[torch.Tensor]:
        base, task = Gaussian(*tensors[:2]), Gaussian(*tensors[2:])
        limits = kind.feature_limits(features)
        step = kind.project(base, task, limits)
        kept = kind.within(step, base, limits)
        again = Gaussian.from_parameters(step.parameters)
        logp = again.torch_distribution().log_prob(task.mean)
        cost = torch.from_numpy(kind.cost(step, base, task.mean.cpu().double().numpy()))
        assert bool(kept.all())
        return [*step.parts, kept, step.max_log_ratio(base), step.kl(task), logp, cost]

    here = everything(gaussians, features)
    with _Moves():
        there = everything([remote(one) for one in gaussians], remote(features))
    assert type(there[0]) is Remote
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one, other.cpu())


def test_the_gradient_through_the_projection_comes_back_to_them(gaussians):
    kind = constraint_from_json({"name": "ratio", "alpha": 1.5})

    def gradient(tensors: list[torch.Tensor]) -> torch.Tensor:
        base_mean, base_std, task_mean, task_std = tensors
        task_mean = task_mean.detach().clone().requires_grad_()
        base, task = Gaussian(base_mean, base_std), Gaussian(task_mean, task_std)
        kind.project(base, task, kind.log_ratio_limit).parameters.sum().backward()
        assert task_mean.grad is not None
        return task_mean.grad

    here = gradient(gaussians)
    with _Moves():
        there = gradient([remote(one) for one in gaussians])
    assert here.abs().sum() > 0
    assert torch.equal(here, there.cpu())
