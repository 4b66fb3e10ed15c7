"""The lead sentence: right numbers, and honest where there is nothing to tell."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.speakers import judged
from sport_ray.tracking.results.labels import bound_text
from sport_ray.tracking.results.record import COLUMN_NAMES
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import results_table
from tests.tracking.conftest import change_certificate


def answer_of(folder: Path):
    found = read_results(folder)
    settings = aggregate(results_table(found.records, found.planned))
    return answer_study(settings, found.certificate, found.base_at)


def test_names_level_method_steps_base_and_unconstrained(make_results) -> None:
    results = make_results(seeds=(0, 1, 2))
    answer = answer_of(results)
    settings = aggregate(load_results(results))
    best = next(b for b in answer.best if b.level == 0.1 and b.method == "projected_ppo")
    allowed = settings[(settings["source"] == best.method) & (settings["prior_bound"] <= 0.1)]
    row = allowed.sort_values("alpha").iloc[-1]  # the most permissive, whatever it achieved
    assert best.alpha == row["alpha"]
    assert best.value == row["mean_steps_to_goal"]
    assert best.better
    assert answer.sentence.startswith("At certified risk ≤ 0.1, Projected PPO reaches the goal in")
    found = best.interval
    assert answer.sentence.endswith(
        f"in {best.value:.2f} steps instead of the base's {best.base_value:.2f} (steps saved: "
        f"{best.gain:.2f}, 95% interval {found.low:.2f} to {found.high:.2f} over 3 seeds)."
    )
    cost, _, setting = answer.detail.partition(". ")
    bounds = read_results(results).certificate["table"]["eps_base_simultaneous"]
    before, after = bounds[best.horizon - 1], row["prior_bound"]
    assert cost.replace("\u00a0", " ") == (
        f"The bound on P(violation) rises from the base's {bound_text(before)} to "
        f"{bound_text(after)}, known before the policy acts; the base is certified with "
        "confidence 1 − 10⁻⁷"
    )
    assert setting.startswith(f"The policy keeps to α\u00a0=\u00a0{best.alpha:g} for T")
    assert "so without any promise, a policy reaches the goal in 11." in answer.detail
    assert settings.loc[best.setting].equals(row)
    assert any("whatever it achieved" in note for note in answer.notes)


def test_a_gain_within_sampling_error_is_called_none(make_results) -> None:
    def slow(record: dict) -> dict:
        return record if record["alpha"] is None else record | {"mean_steps_to_goal": 14.0}

    answer = answer_of(make_results(change=slow))
    assert answer.sentence.startswith("No certified setting is shown to reach the goal faster")
    assert not any(best.better for best in answer.best)


def test_a_gain_only_above_a_tenth_is_said_with_its_risk(make_results) -> None:
    def slow_when_tight(record: dict) -> dict:
        tight = record["alpha"] is not None and record["prior_bound"] <= 0.1
        return record | {"mean_steps_to_goal": 14.0} if tight else record

    answer = answer_of(make_results(seeds=(0, 1, 2, 3, 4), change=slow_when_tight))
    assert answer.sentence.startswith("At certified risk ≤ 0.524, ")
    assert answer.sentence.endswith("At certified risk ≤ 0.1 nothing tried is shown to beat it.")


def test_nothing_certified_is_said(make_results) -> None:
    answer = answer_of(make_results(alphas=(3.0, 10.0)))
    assert answer.sentence.startswith("No setting has a prior bound below 1")
    assert answer.best == ()


def test_one_seed_shows_nothing_and_says_so(make_results) -> None:
    answer = answer_of(make_results(seeds=(0,)))
    assert answer.sentence.startswith("One seed cannot show whether a certified setting")
    assert not any(best.better for best in answer.best)


def test_only_the_base_certified_is_said(make_results) -> None:
    answer = answer_of(make_results(alphas=(1.0, 10.0)))
    assert answer.sentence.startswith("Only the base policy itself is certified")


def test_without_alpha_one_the_base_is_the_certificates_at_the_same_t(make_results) -> None:
    folder = make_results(alphas=(1.1, 1.25), seeds=(0, 1, 2))
    answer = answer_of(folder)
    # The certificate's own mean is of T = 60: it says nothing of T = 21 or 30.
    assert {best.base_source for best in answer.best} == {"unknown"}
    assert "the base policy's is not known at that T" in answer.sentence
    steps = write_outcomes(folder)
    answer = answer_of(folder)
    assert {best.base_source for best in answer.best} == {
        "certification scenarios, cut at the same T"
    }
    for best in answer.best:
        at = steps[(steps >= 0) & (steps <= best.horizon)]
        assert best.base_value == pytest.approx(at.mean())
        assert best.base_error == pytest.approx(at.std(ddof=1) / len(at) ** 0.5)


def test_target_risks_of_the_study_are_levels(make_results) -> None:
    answer = answer_of(make_results(change=lambda record: record | {"eps_max": 0.05}))
    assert {best.level for best in answer.best} == {0.025, 0.05, 0.1, 1.0}


def test_the_best_of_all_kinds_beside_the_papers_at_the_same_risk(make_kinds) -> None:
    folder = make_kinds()
    answer = answer_of(folder)
    settings = aggregate(load_results(folder)).query("source == 'projected_ppo'")
    steps = settings.set_index(["constraint", "eps_max"])["mean_steps_to_goal"]
    best, paper = steps["pathwise", 0.1], steps["ratio", 0.1]
    assert best == settings["mean_steps_to_goal"].min()
    assert f"Projected PPO reaches the goal in {best:.2f} steps instead" in answer.sentence
    under = (
        "keeps to a pathwise budget (ε_max\u00a0=\u00a00.1) for T\u00a0=\u00a021 steps. "
        "Under the paper's "
    )
    assert under in answer.detail
    assert "Under the paper's constant ratio (α" in answer.detail
    assert f"Projected PPO reaches the goal in {paper:.2f} steps." in answer.detail
    assert any("gives up the paper's uniform bound" in note for note in answer.notes)
    leaders = {one.level: one.name for one in answer.leaders}
    assert leaders[0.05] == "PPO, pathwise budget, ε_max = 0.05"
    assert leaders[0.1] == leaders[1.0] == "PPO, pathwise budget, ε_max = 0.1"
    for level in (0.05, 0.1):
        found = [(one.method, one.paper) for one in answer.best if one.level == level]
        assert len(found) == len(set(found)) == 4
    # The base's runs, listed for both kinds and methods, are counted once.
    one = answer.leaders[0]
    assert one.base_error == pytest.approx(1.5 / (3 * 10_000) ** 0.5, rel=1e-2)


def test_within_sampling_error_the_papers_constraint_leads(make_kinds) -> None:
    answer = answer_of(
        make_kinds(change=lambda r: r | {"mean_steps_to_goal": 13.0} if r["eps_max"] else r)
    )
    assert {one.paper for one in answer.leaders} == {True}
    assert "constant ratio" not in answer.sentence + answer.detail


def test_without_the_papers_constraint_that_is_said(make_kinds) -> None:
    folder = make_kinds(kinds=("pathwise",))
    write_outcomes(folder)
    answer = answer_of(folder)
    assert "No constant ratio, the paper's constraint, is certified there." in answer.detail


def write_outcomes(folder: Path) -> np.ndarray:
    """An outcome table beside the certificate that names it; its steps of satisfaction."""
    steps = np.random.default_rng(3).normal(17.0, 5.0, 4000).round().astype(np.int64)
    steps[:200] = -1
    file = folder / "certificate_outcomes.parquet"
    pq.write_table(pa.table({"satisfied_at": steps}), file)
    about = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    change_certificate(folder, outcomes=about | {"digest": "0" * 64})
    return steps


def test_a_table_that_is_not_the_certificates_says_nothing(make_results) -> None:
    folder = make_results(alphas=(1.1,), seeds=(0, 1))
    write_outcomes(folder)
    assert read_results(folder).base_at(21) is not None
    (folder / "certificate_outcomes.parquet").write_bytes(b"PAR1 something else")
    assert read_results(folder).base_at(21) is None
    last = read_results(folder).base_at(60)  # the certificate's own mean is of its longest T
    assert last is not None
    assert last.mean == 14.02


STEPS, SCENARIO_STD, SCENARIOS = 20.0, 3.0, 2000
SCENARIO_ERROR = SCENARIO_STD / SCENARIOS**0.5


def study(alphas, horizons, seeds, kinds=("ratio",), methods=("projected_ppo",)) -> Any:
    """Settings of a study, whose performances `replayed` then draws."""
    records = []
    for method in methods:
        for kind in kinds:
            for alpha in alphas:
                for horizon in horizons:
                    for seed in range(seeds):
                        prior = min(1e-3 * alpha**horizon, 0.9)
                        number = len(records)
                        records.append(
                            dict.fromkeys(COLUMN_NAMES)
                            | {
                                "cell_id": f"{number:016x}", "study": "null",
                                "source": "projected_ppo" if method == "projected_ppo"
                                else "unconstrained",
                                "projected": True,
                                "constraint": kind, "alpha": alpha, "log_alpha": np.log(alpha),
                                "horizon": horizon, "seed": seed, "status": "finished",
                                "eps_base": 1e-3, "beta": 1e-7, "prior_bound": prior,
                                "posterior_bound": 0.01, "posterior_beta": 1e-7,
                                "num_scenarios": SCENARIOS, "num_violations": 0, "num_hazard": 0,
                                "num_timeout": 0, "empirical_violation_rate": 0.0,
                                "mean_steps_to_goal": STEPS, "std_steps_to_goal": SCENARIO_STD,
                                "max_log_ratio": 0.99 * np.log(alpha),
                            }
                        )  # fmt: skip
    return aggregate(results_table(records))


def replayed(settings, rng, spread, gain=0.0):
    """The same settings with steps drawn anew, `spread` between seeds."""
    base = (settings["alpha"] == 1.0).to_numpy()
    seeds = int(settings["seeds"].iloc[0])
    values = np.where(base, STEPS, STEPS - gain)[:, None] + SCENARIO_ERROR * rng.normal(
        size=(len(settings), seeds)
    )
    values += spread * ~base[:, None] * rng.normal(size=values.shape)
    return settings.assign(
        mean_steps_to_goal=values.mean(axis=1),
        steps_seed_error=values.std(axis=1, ddof=1) / seeds**0.5,
    )


def redrawn(best, rng, spread, gain=0.0):
    """The same settings that speak, with numbers drawn anew, each setting and base once."""
    drawn, bases = {}, {}
    for one in best:
        if one.is_base:
            continue
        apart = rng.exponential(1.0) if spread == "unequal" else spread
        seeds = STEPS - gain + apart * rng.normal(size=one.seeds)
        seeds += SCENARIO_ERROR * rng.normal(size=one.seeds)
        error = max(seeds.std(ddof=1), SCENARIO_ERROR) / one.seeds**0.5
        drawn.setdefault(one.setting, (seeds.mean(), error))
        bases.setdefault(one.horizon, STEPS + one.base_error * rng.normal())
    return [
        replace(one, value=drawn[one.setting][0], error=drawn[one.setting][1],
                base_value=bases[one.horizon])
        for one in best if one.setting in drawn
    ]  # fmt: skip


def says_so(best) -> bool:
    return any(one.better for one in judged(best))


def test_the_sentence_says_so_exactly_where_the_table_does() -> None:
    settings = study([1, 1.02, 1.05, 1.1], [30], 3)
    rng = np.random.default_rng(4)
    said = []
    for gain in np.linspace(0.0, 0.5, 12):
        answer = answer_study(replayed(settings, rng, 0.1, gain), None)
        said.append("instead of the base" in answer.sentence)
        assert said[-1] == any(one.better for one in answer.best if one.level in (0.1, 1.0))
        shown = [one for one in answer.best if one.better]
        assert all(one.interval.value > 0 for one in shown)
    assert any(said)
    assert not all(said)


REPETITIONS = 1500
NULLS = {
    "seeds alike": ([1, 1.02, 1.05, 1.08, 1.1], [30], 3, ("ratio",), 0.0),
    "as published": ([1, *np.linspace(1.01, 1.1, 9)], [25, 30, 35], 3, ("ratio",), 0.1),
    "seeds far apart": ([1, *np.linspace(1.01, 1.1, 9)], [25, 30, 35], 3, ("ratio",), 2.0),
    "unequal spread": ([1, *np.linspace(1.01, 1.1, 9)], [25, 30], 5, ("ratio",), "unequal"),
    "two kinds, ten seeds": (
        [1, 1.02, 1.05, 1.1, 1.2], [20, 25], 10, ("ratio", "gauss_renyi"), 1.0
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NULLS)
def test_where_nothing_is_gained_hardly_any_study_says_so(name: str) -> None:
    """At most 5%; enough repetitions to tell 10% from it, where it was 60% before."""
    alphas, horizons, seeds, kinds, spread = NULLS[name]
    methods = ("projected_ppo", "projected_at_deployment")
    best = list(answer_study(study(alphas, horizons, seeds, kinds, methods), None).best)
    rng = np.random.default_rng(sum(map(ord, name)))
    said = sum(says_so(redrawn(best, rng, spread)) for _ in range(REPETITIONS))
    assert stats.binomtest(said, REPETITIONS, 0.05, alternative="greater").pvalue > 0.01
    assert stats.binom.cdf(said, REPETITIONS, 0.1) < 0.01  # it would have told 10%


@pytest.mark.parametrize(("gain", "least"), [(0.3, 0.6), (0.4, 0.8), (0.5, 0.9)])
def test_a_real_gain_is_said_from_three_seeds(gain: float, least: float) -> None:
    """As large as quickstart's, with seeds 0.1 steps apart."""
    best = list(answer_study(study([1, 1.02, 1.05, 1.08, 1.1], [25, 30], 3), None).best)
    rng = np.random.default_rng(1)
    said = sum(says_so(redrawn(best, rng, 0.1, gain)) for _ in range(REPETITIONS))
    assert stats.binomtest(said, REPETITIONS, least, alternative="less").pvalue > 0.01


def test_who_speaks_does_not_depend_on_what_was_measured() -> None:
    settings = study([1, 1.02, 1.05, 1.1], [20, 25], 3)
    rng = np.random.default_rng(2)
    speakers = {
        tuple(one.setting for one in answer_study(replayed(settings, rng, 3.0), None).best)
        for _ in range(5)
    }
    assert len(speakers) == 1
