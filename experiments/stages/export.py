"""What a bundle of a finished cell is made of, once everything about it has been checked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.tracking.results.bases import require_one_base

if TYPE_CHECKING:  # torch takes seconds
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.config.study import Study
    from sport_ray.experiments.sweep.cell import Cell
    from sport_ray.samplers import BaseFile
    from sport_ray.tracking.results.folder import ResultFolder

COUNTED = (
    "num_scenarios", "num_violations", "posterior_beta", "max_log_ratio", "max_prefix_log_ratio",
)  # fmt: skip
"""What a bundle has of a record: from its scenarios themselves, the rest is computed from it."""


EVIDENCE = ("num_scenarios", "num_violations", "posterior_beta", "posterior_bound")
"""The same of a mixture, from fresh scenarios."""


def locate_cell(given: str, results: Path | None) -> tuple[Path, str]:
    """The result folder and the whole id of a cell.

    Raises:
        UserError: no such cell, or more than one; a folder of several bases.
    """
    path = Path(given)
    if results is None:
        if path.parent.name != "cells":
            raise UserError(f"cell {given!r}: name its result folder with --results")
        results, given = path.parent.parent, path.name
    elif path.parent.name == "cells":
        given = path.name
    require_one_base(results)
    cells = results / "cells"
    if not cells.is_dir():
        raise UserError(f"result folder {results} has no cells: run `sport-ray run` first")
    found = sorted(p.name for p in cells.iterdir() if p.is_dir() and p.name.startswith(given))
    if given in found:
        found = [given]
    if len(found) != 1 or not given:
        what = "is not one of those" if not found else f"could be any of {', '.join(found[:5])}"
        raise UserError(f"cell {given!r} {what} in {cells}: see cell_id in cells.csv")
    return results, found[0]


def export_of(root: Path, cell_id: str, trust: Collection[str] = (), *, part: bool = False) -> Any:
    """All that a bundle of a cell is made of.

    trust: the module of the base's sampler, which is run again. part: of a mixture, whose promise
        rests on prior bounds alone, whatever a list's test found.

    Raises:
        UserError: a cell that is not finished, or that the study in the folder does not have; a
            study of which any promise is refuted by its own data; a sampler that has changed or is
            not to be run.
    """
    from sport_ray.certificates import load_certificate
    from sport_ray.certificates.record_check import derived_numbers
    from sport_ray.deploy.export import Export
    from sport_ray.experiments.config.environment import deployment_kwargs, perturbation
    from sport_ray.experiments.config.study import Study
    from sport_ray.experiments.results.alarm import require_no_alarm
    from sport_ray.experiments.results.folder import read_model
    from sport_ray.samplers import read_base
    from sport_ray.selection import load_task_policy
    from sport_ray.tracking.results.folder import ResultFolder
    from sport_ray.tracking.results.records import altered

    folder = ResultFolder(root)
    record = folder.read_record(cell_id)
    if record is None:
        raise UserError(f"cell {cell_id} has no record that can be read: run the study again")
    if record["status"] != "finished":
        raise UserError(f"cell {cell_id} failed ({record['reason']}): only finished cells go out")
    require_no_alarm(root, f"cell {cell_id} is not exported", cell_id)
    certificate = load_certificate(folder.certificate)
    task = folder.policy(str(record["policy_digest"]))
    trained = load_task_policy(task)
    if trained.digest != record["policy_digest"]:
        raise UserError(f"cell {cell_id}: {task} holds another policy than its record names")
    study = read_model(folder.study_json, Study)
    if study is None:
        raise UserError(f"{root} holds no study: give a result folder")
    base = read_base(folder.base)
    require_trusted(base, trust)
    certificate.require_match(
        base_digest=base.digest,
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property_=study.property,
    )
    cell = _cell(study, certificate, cell_id, trained.provenance, base)
    require_certified(study, certificate, root, cell.horizon)
    world = perturbation(study)._asdict()
    constraint = {"constraint": cell.constraint.name, **cell.constraint.recorded()}
    record |= {**constraint, **world, "horizon": cell.horizon}
    if problem := altered(record, certificate):
        raise UserError(f"cell {cell_id}: its record {plain(problem)}; run the study again")
    if cell.constraint.promises() and not cell.constraint.held(record):
        raise UserError(
            f"cell {cell_id}: its evaluation left the constraint {cell.constraint.name!r}, so that "
            "nothing is promised for it"
        )
    limit, tests = (None, ()) if part else limit_of(folder, study, certificate, cell, base)
    return Export(
        limit=limit,
        tests=tests,
        base=folder.base,
        task=task,
        certificate=folder.certificate,
        constraint=cell.constraint,
        horizon=cell.horizon,
        env_kwargs=deployment_kwargs(study),
        **world,
        source={
            "study": study.name,
            "cell_id": cell_id,
            "source": cell.source,
            "projected": cell.projected,
            "seed": cell.seed,
            "eps_max": cell.eps_max,
        },
        evidence={
            **{name: record[name] for name in COUNTED},
            "posterior_bound": derived_numbers(record, certificate)["posterior_bound"],
        },
    )


def export_of_mixture(
    root: Path, eps_max: float, seed: int, horizon: int | None, trust: Collection[str] = ()
) -> Any:
    """All that a bundle of the best mixture for ε_max is made of, of one seed's policies.

    horizon: where the study has several.

    Raises:
        UserError: no such mixture, or one that promises more than ε_max by now; and what
            ``export_of`` raises for any of its cells.
    """
    from dataclasses import replace

    from sport_ray.certificates import load_certificate
    from sport_ray.constraints.mixture import Mixture
    from sport_ray.experiments.sweep.mixtures import promised_of
    from sport_ray.tracking.results.folder import ResultFolder
    from sport_ray.tracking.results.mixtures import BEST, read_mixtures

    certificate = load_certificate(ResultFolder(root).certificate)
    rows = [row for row in read_mixtures(root, certificate.digest) if row["kind"] == BEST]
    asked = [row for row in rows if row["eps_max"] == eps_max]
    asked = [row for row in asked if horizon in (None, row["horizon"])]
    if len(asked) != 1:
        there = sorted({(row["horizon"], row["eps_max"]) for row in rows})
        known = ", ".join(f"{level:g} at T = {steps}" for steps, level in there) or "none"
        raise UserError(
            f"eps_max = {eps_max:g} names {len(asked)} mixtures of {root}, which has {known}: run "
            "`sport-ray mix` with that level, and name one T with --horizon"
        )
    (row,) = asked
    judged = [one for one in row["seeds"] if one["seed"] == seed]
    if not judged:
        raise UserError(f"seed {seed} is not one of the study's: see sweep.seeds")
    ids = [str(part["cells"][str(seed)]) for part in row["parts"]]
    exports = [export_of(root, one, trust, part=True) for one in ids]
    mixture = Mixture(tuple(row["weights"]), tuple(one.constraint for one in exports))
    world = {"alpha_mu": exports[0].alpha_mu, "alpha_p": exports[0].alpha_p}
    bound = promised_of(certificate, mixture, row["horizon"], world)
    if bound > eps_max or any(one.horizon != row["horizon"] for one in exports):
        raise UserError(
            f"the mixture for eps_max = {eps_max:g} promises {bound:.6g} now: run `sport-ray mix` "
            "again"
        )
    return replace(
        exports[0],
        task=tuple(one.task for one in exports),
        constraint=mixture,
        source={"study": exports[0].source["study"], "seed": seed, "eps_max": eps_max,
                "mixed": ids},
        evidence={name: judged[0][name] for name in EVIDENCE},
    )  # fmt: skip


def limit_of(
    folder: ResultFolder, study: Study, certificate: Certificate, cell: Cell, base: BaseFile
) -> tuple[dict[str, Any] | None, tuple[Path, ...]]:
    """A cell's list as a bundle has it, and the files of its tests up to the cell's.

    None for a cell of no list, and for one whose prior bound promises as much.

    Raises:
        UserError: a cell that its list's test does not reach, or that lacks a test before it.
    """
    from sport_ray.certificates.promise import promised
    from sport_ray.experiments.config.environment import perturbation
    from sport_ray.experiments.sweep.limit_test import EVIDENCE
    from sport_ray.experiments.sweep.plan import Plan
    from sport_ray.experiments.task_policies.source import family_of
    from sport_ray.tracking.results.limit_choices import choices_of, risks_from_data

    place = cell.place
    if place is None:
        return None, ()
    planned = Plan.of(study, certificate, family_of(base)).cells.values()
    same = [one for one in planned if one.place and one.place.list_id == place.list_id]
    records = [record for one in same if (record := folder.read_record(one.id)) is not None]
    level = risks_from_data(choices_of(records)).get(cell.id)
    prior = promised(certificate, cell.constraint, cell.horizon, **perturbation(study)._asdict())
    if prior is not None and prior < 1.0 and (level is None or prior <= level):
        return None, ()
    if level is None:
        raise UserError(
            f"cell {cell.id}: limit {place.rank} of its list was not passed, so that nothing is "
            "promised for it: export one that has a limit_level in cells.csv"
        )
    digests = {record["cell_id"]: record["policy_digest"] for record in records}
    before = sorted(same, key=lambda one: one.place.rank if one.place else 0)[: place.rank]
    tests = tuple(folder.record(one.id).with_name(EVIDENCE) for one in before)
    for path in tests:
        if not path.is_file():
            raise UserError(f"cell {cell.id}: {path} does not exist: run the study again")
    about = {
        "list": place.list_id,
        "rank": place.rank,
        "size": place.size,
        "level": level,
        "largest_level": max(study.sweep.eps_max or [level]),
        "beta": place.risk_beta,
        "scenarios": place.scenarios,
        "first": place.first,
        "num_scenarios": place.num_scenarios,
        "members": [
            {"constraint": one.constraint.to_json(), "policy": digests[one.id]} for one in before
        ],
    }
    return about, tests


def require_trusted(base: BaseFile, trust: Collection[str]) -> None:
    """Refuse a sampler whose code has changed, or whose module is not to be run.

    Certified scenarios are run again before anything goes out, and the folder may be anybody's.

    Raises:
        UserError: says which.
    """
    from sport_ray.samplers import SamplerFile, sampler_of

    if isinstance(base, SamplerFile):
        sampler_of(base, run_module=base.spec.module in trust)


def require_certified(study: Study, certificate: Certificate, root: Path, horizon: int) -> None:
    """Refuse to export from a certificate that its table, its sources or this world belie.

    Raises:
        UserError: says which, see ``sport_ray.experiments.stages.world``.
    """
    from sport_ray.certificates.recount import require_counted
    from sport_ray.experiments.stages.world import require_sources_unchanged, require_world
    from sport_ray.samplers import read_base

    table = root / certificate.outcomes.file
    require_counted(certificate, table)
    require_sources_unchanged(certificate)
    require_world(study, certificate, table, read_base(root / "base"), [horizon])


def _cell(
    study: Study,
    certificate: Certificate,
    cell_id: str,
    provenance: dict[str, Any],
    base: BaseFile,
) -> Cell:
    """The cell with this id: planned by the study now, or when its policy was trained."""
    from pydantic import ValidationError

    from sport_ray.constraints import constraint_from_json
    from sport_ray.experiments.sweep.cell import Cell
    from sport_ray.experiments.sweep.plan import Plan
    from sport_ray.experiments.task_policies.source import family_of

    if found := Plan.of(study, certificate, family_of(base)).cells.get(cell_id):
        return found
    for one in provenance.get("job", {}).get("cells", []):
        try:
            # Not what a study asks for: a policy's file may name any module, and none is run.
            constraint = constraint_from_json(one["constraint"])
            cell = Cell.model_validate(one | {"constraint": constraint})
        except (KeyError, TypeError, ValidationError) as error:
            said = f"cell {cell_id}: its policy's provenance is damaged: {plain(repr(error))[:200]}"
            raise UserError(said) from None
        if cell.id == cell_id and cell.is_of(study, certificate):
            return cell
    raise UserError(
        f"cell {cell_id} is of other settings or another certificate than {study.name!r} has now: "
        "run the study again"
    )
