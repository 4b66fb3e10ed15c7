"""The switch as a policy: whose networks it is made of, and how much it allows; on disk, too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from sport_ray.canonical import digest, write_identified
from sport_ray.errors import UserError
from sport_ray.policies import PolicyNetwork, PolicySpec
from sport_ray.policies.store import LARGEST_WEIGHTS, network_from_bytes
from sport_ray.untrusted_files import read_bytes

SCHEMA = "sport-ray/switch/1"
MANIFEST = "switch.json"
WEIGHTS = "switch.safetensors"
NETWORKS = ("task", "monitor")
NUMBERS = ("horizon", "threshold", "resume")
LARGEST_MANIFEST = 2**24
"""Bytes."""


@dataclass(frozen=True, eq=False)
class Switch:
    """A task policy under a monitor, with the base as fallback.

    The task policy acts where the monitor's risk is below the limit: ``threshold``, and
    ``resume`` · ``threshold`` once the base has taken over. So at threshold 0 the base acts alone,
    and at resume = 0 whoever has handed over never acts again.

    task: of the base's sizes and action mapping. monitor: a law over {holds, violates} of an
    observation and the share of T that is over: what happens if the task policy acts once more and
    the base from then on. horizon: T, steps. threshold: a probability. resume: a share, 0 to 1.

    Raises:
        ValueError: numbers out of range, or a monitor that is no such law.
    """

    task: PolicyNetwork
    monitor: PolicyNetwork
    horizon: int
    threshold: float
    resume: float

    def __post_init__(self) -> None:
        for name in ("threshold", "resume"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)!r}")
        if self.horizon < 1:
            raise ValueError(f"horizon must be at least 1, got {self.horizon!r}")
        sees, expected = self.monitor.spec.observation_size, self.task.spec.observation_size + 1
        if sees != expected or self.monitor.spec.outcomes != (2,):
            raise ValueError(
                f"monitor sees {sees} entries and draws from {self.monitor.spec.outcomes}, "
                f"expected {expected} and (2,)"
            )

    @property
    def digest(self) -> str:
        """sha256 (hex) over the numbers, both architectures and the bytes of the weights."""
        return digest(self._identity(self._weights()))

    def _weights(self) -> bytes:
        state = {
            f"{name}/{key}": value.detach().cpu().contiguous()
            for name in NETWORKS
            for key, value in getattr(self, name).state_dict().items()
        }
        found: bytes = save(state)
        return found

    def _identity(self, weights: bytes) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            **{name: getattr(self, name) for name in NUMBERS},
            **{name: getattr(self, name).spec.model_dump(mode="json") for name in NETWORKS},
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }

    def save(self, folder: Path, provenance: dict[str, Any]) -> str:
        """Write ``switch.safetensors`` and ``switch.json`` into a folder; the digest."""
        folder, weights = Path(folder), self._weights()
        identity = self._identity(weights)
        return write_identified(
            folder / MANIFEST, (folder / WEIGHTS, weights), identity, provenance
        )


def load_switch(folder: Path) -> tuple[Switch, dict[str, Any]]:
    """The switch in a folder, checked, and how it was made.

    Raises:
        UserError: anything that does not match, naming the file.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(read_bytes(path, LARGEST_MANIFEST))
        weights = load(read_bytes(Path(folder) / WEIGHTS, 2 * LARGEST_WEIGHTS))
        if manifest["schema"] != SCHEMA:
            raise ValueError(f"schema {manifest['schema']!r}, expected {SCHEMA!r}")
        networks = {
            name: network_from_bytes(
                PolicySpec.model_validate(manifest[name]),
                save({key.removeprefix(f"{name}/"): value for key, value in weights.items()
                      if key.startswith(f"{name}/")}),
            )
            for name in NETWORKS
        }  # fmt: skip
        numbers: dict[str, Any] = {name: manifest[name] for name in NUMBERS}
        found = Switch(networks["task"], networks["monitor"], **numbers)
        if found.digest != manifest["digest"]:
            raise ValueError("its digest does not match")
        return found, dict(manifest.get("provenance", {}))
    except (
        ValueError, OSError, KeyError, TypeError, AttributeError, RuntimeError, RecursionError,
        SafetensorError, ValidationError,
    ) as error:  # fmt: skip
        reason = " ".join(repr(error).split())[:300]
        raise UserError(f"switch file {path} is damaged: {reason}") from None
