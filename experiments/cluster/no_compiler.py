"""Processes that train without ``torch.compile`` do not import it: 2 s, and 1,500 modules."""

from __future__ import annotations

import os

import torch

_METHODS = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def without_compiler() -> None:
    """Optimisers are made, and algorithms made deterministic, without importing the compiler.

    Torch imports it to keep optimisers out of code that is compiled, and to tell it that algorithms
    are to be deterministic. In this process an optimiser's methods are called as they are, and the
    compiler, should something of the user's import it, is told by its environment variable.
    """
    os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")
    for method in _METHODS:
        inner = getattr(getattr(torch.optim.Optimizer, method), "__wrapped__", None)
        if inner is not None and not hasattr(inner, "__dynamo_disable"):
            inner.__dynamo_disable = inner
    torch.use_deterministic_algorithms = _use_deterministic_algorithms


def _use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """As torch's own, whose first line imports the compiler."""
    torch.set_deterministic_debug_mode(0 if not mode else 1 if warn_only else 2)
