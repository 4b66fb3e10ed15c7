"""What the base did in its scenarios, step by step: what a critic of the base is learned from.

A bound of the base holds for every policy at once, so the scenarios that it was counted on may
also say which actions are good ones (docs/bounds.md, section 9).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Transitions:
    """m steps of scenarios, sorted by scenario and step; arrays of shape (m,) but for two.

    scenario, step: which, and how many steps came before. observation: (m, O), before the step.
    action: (m, D), before the action mapping. reward: of the step. length, satisfied_at,
    violated_at: of the whole scenario, as in ``Outcomes``.
    """

    scenario: NDArray[np.int64]
    step: NDArray[np.int64]
    observation: NDArray[np.float32]
    action: Array
    reward: Array
    length: NDArray[np.int64]
    satisfied_at: NDArray[np.int64]
    violated_at: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scenario)

    @property
    def num_scenarios(self) -> int:
        """Scenarios that the steps are of."""
        return len(np.unique(self.scenario))

    def rows(self, chosen: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Transitions:
        """Some of the steps."""
        return Transitions(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @classmethod
    def concatenate(cls, parts: list[Transitions]) -> Transitions:
        """One table from several, in their order."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.concatenate([getattr(one, n) for one in parts]) for n in names})


def collect_transitions(
    plan: ScenarioPlan, behaviour: Behaviour, first: int, count: int, **options: Any
) -> tuple[Transitions, Outcomes]:
    """Run scenarios and keep every step of them; options: as ``run_scenarios``.

    Raises:
        what ``run_scenarios`` raises.
    """
    kept: list[tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, Array]] = []
    outcomes = run_scenarios(
        plan, behaviour, first, count, recorder=lambda *batch: kept.append(batch), **options
    )
    scenario, step, observation, action, reward = (
        np.concatenate([batch[part] for batch in kept]) for part in range(5)
    )
    order = np.lexsort((step, scenario))
    row = scenario[order] - first
    found = Transitions(
        scenario=scenario[order],
        step=step[order],
        observation=observation[order].astype(np.float32),
        action=action[order],
        reward=reward[order],
        length=outcomes.length[row],
        satisfied_at=outcomes.satisfied_at[row],
        violated_at=outcomes.violated_at[row],
    )
    return found, outcomes


def save_transitions(path: Path, transitions: Transitions, certificate: str) -> None:
    """Write them as Parquet, whole or not at all; certificate: its digest."""
    columns = {}
    for field in fields(transitions):
        values = getattr(transitions, field.name)
        if values.ndim == 1:
            columns[field.name] = pa.array(values)
        else:
            flat = pa.array(np.ascontiguousarray(values).ravel())
            columns[field.name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    about = {"certificate": certificate, "scenarios": str(transitions.num_scenarios)}
    table = pa.table(columns).replace_schema_metadata(about)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def scenarios_kept(path: Path) -> int:
    """Of how many scenarios a file has the transitions; 0 where there is none, or none readable."""
    try:
        about = pq.read_schema(path).metadata or {}
        return int(about.get(b"scenarios", b"0"))
    except (OSError, ValueError, pa.ArrowException):
        return 0


def load_transitions(path: Path, certificate: str) -> Transitions:
    """The transitions of a certificate, by its digest.

    Raises:
        UserError: none there, a damaged file, or those of another certificate.
    """
    if not path.is_file():
        raise UserError(
            f"{path} does not exist: the certificate kept no transitions to learn from; set "
            "certificate.transitions to a number of scenarios and certify again"
        )
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        of = (table.schema.metadata or {}).get(b"certificate", b"").decode()
        found = {}
        for field in fields(Transitions):
            column = table.column(field.name).combine_chunks()
            if pa.types.is_fixed_size_list(column.type):
                size = column.type.list_size
                found[field.name] = column.flatten().to_numpy().reshape(-1, size)
            else:
                found[field.name] = column.to_numpy()
        loaded = Transitions(**found)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is damaged: {reason}; delete it and certify again") from None
    if of != certificate:
        raise UserError(f"{path} is of another certificate than is here: certify again")
    return loaded
