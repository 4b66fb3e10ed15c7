"""Made-up learning curves beside the records of a made-up study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sport_ray.tracking.results.curves import Curves


def write_curves(folder: Path, points: int = 30) -> int:
    """Curves for every finished cell of a source that trains; how many cells have some."""
    count = 0
    for file in sorted(folder.glob("cells/*/record.json")):
        record = json.loads(file.read_text())
        if record["status"] == "finished" and record["source"] != "imported":
            text = json.dumps(curves_of(record, points).to_json())
            file.with_name("training.json").write_text(text)
            count += 1
    return count


def curves_of(record: dict[str, object], points: int) -> Curves:
    """A return that rises; a projection that binds the more, the smaller the ratio; a budget."""
    alpha, seed = record["alpha"] or 2.0, int(str(record["seed"]))
    assert isinstance(alpha, float)
    random = np.random.default_rng([seed, int(100 * alpha)])
    done = np.arange(1.0, points + 1.0)
    rise = 1.0 - np.exp(-done / (0.3 * points))

    def noisy(values: np.ndarray, spread: float) -> np.ndarray:
        return values + spread * random.normal(size=points)

    columns = {
        "iteration": done,
        "env_steps": np.round(2048.0 * done + 5.0 * seed),
        "episodes_begun": 140.0 * done,
        "violations": np.cumsum(random.random(points) < 0.2 + 0.05 * alpha).astype(float),
        "mean_return": noisy(3.0 + 0.3 * rise * np.log(1.0 + alpha), 0.03),
        "mean_length": noisy(14.0 - rise * np.log(1.0 + alpha), 0.1),
        "entropy": noisy(3.5 - 0.4 * rise, 0.03),
        "policy_loss": noisy(-0.02 * rise, 0.05),
        "value_loss": 0.3 * np.exp(-done / 8.0) + 0.02 * random.random(points),
        "clip_fraction": np.full(points, 0.3),
    }
    if record["projected"]:
        columns |= {
            "projected_share": np.clip(noisy(0.95 - 0.1 * np.log(alpha) + 0 * done, 0.02), 0, 1),
            "mean_log_ratio": np.log(alpha) * rise,
            "max_log_ratio": np.log(alpha) * np.ones(points),
            "kl_to_base": 0.3 * np.log(alpha) * rise,
            "task_distance": 0.1 * rise,
        }
    if record["log_budget"] is not None:
        columns["budget_left"] = np.clip(noisy(1.0 - 0.5 * rise, 0.02), 0.0, 1.0)
    return Curves(columns)
