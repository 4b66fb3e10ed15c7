"""Whether the world here is still the one that was certified: its code, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from sport_ray.certificates import Certificate
from sport_ray.certificates.rerun import require_same_world, sample
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.gpu_worker import gpu_again
from sport_ray.experiments.sweep.evaluation import evaluation_plan
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts import Outcomes, ScenarioPlan, base_behaviour
from sport_ray.rollouts.repeat import run_in_turn
from sport_ray.rollouts.workers import run_in_turn_on_ray
from sport_ray.samplers import BaseFile
from sport_ray.sources import Sources, changed_sources, entry_modules, installed_versions
from sport_ray.tensors.placing import device_named
from sport_ray.tensors.running import run_in_turn_on
from sport_ray.versions import DEVICE, versions


def unchanged_since(before: Sources, after: Sources) -> Sources:
    """What an environment was made of while it was certified.

    Modules that it only imported meanwhile are in; data that it wrote meanwhile is not.

    Raises:
        UserError: a module that was edited meanwhile: nobody knows which half ran what.
    """
    written = set()
    for name, digest in before.code.items():
        if after.code.get(name) != digest:
            if ":" not in name:
                raise UserError(f"{name} changed while it was certified: certify again")
            written.add(name)
    code = {name: digest for name, digest in after.code.items() if name not in written}
    return Sources(code, after.distributions)


def require_sources_unchanged(certificate: Certificate) -> None:
    """Refuse where a source that the certificate names has changed, or it names too little.

    Raises:
        UserError: naming the file.
    """
    unknown = [name for name in entry_modules(certificate.env_id) if name not in certificate.code]
    other = [*changed_sources(certificate.code).values()]
    other += [f"it does not name {name}" for name in unknown]
    if other:
        raise UserError(
            f"the certificate is for another environment code: {'; '.join(other)}; restore it, or "
            "run `sport-ray certify` for this study"
        )


def other_versions(certificate: Certificate) -> str:
    """Packages that are installed in other versions than when certified, in words; may be empty.

    No reason to refuse by itself: the scenarios that are run again decide.
    """
    here = installed_versions(certificate.versions) | versions()
    other = [
        f"{name} {value} (here {here[name]})"
        for name, value in certificate.versions.items()
        if name != DEVICE and here[name] != value
    ]
    return f"certified with {', '.join(other)}" if other else ""


def require_world(
    study: Study,
    certificate: Certificate,
    table: Path,
    base: BaseFile,
    horizons: Iterable[int],
    *,
    on_ray: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Run twenty certified scenarios again at T_max and each T, as cells are evaluated.

    on_ray: in a worker, as cells run, instead of this process. progress: told after each scenario
    how many of how many have run. Returns what was found, in words.

    Raises:
        UserError: a scenario that comes out otherwise.
    """
    behaviour = base_behaviour(base, run_module=True)
    plans = []
    for horizon in sorted({*horizons, certificate.max_horizon}):
        plan = evaluation_plan(study, horizon, 0)
        certified = {
            "env_id": certificate.env_id,
            "env_kwargs": certificate.env_kwargs,
            "property": certificate.property,
            "root_seed": certificate.root_seed,
            "purpose": "certify",
        }
        plans.append(plan.model_copy(update=certified))

    def here(plan: ScenarioPlan, scenarios: list[int]) -> Iterable[Outcomes]:
        with one_thread():  # as in a worker
            yield from run_in_turn(plan, behaviour, scenarios)

    def there(plan: ScenarioPlan, scenarios: list[int]) -> Iterable[Outcomes]:
        return run_in_turn_on_ray(plan, behaviour, scenarios)

    name = certificate.versions.get(DEVICE)
    if name is None:
        rows, run = sample(table), there if on_ray else here
        total, done = rows.num_scenarios * len(plans), 0

        def counted(plan: ScenarioPlan, scenarios: list[int]) -> Iterator[Outcomes]:
            nonlocal done
            for row in run(plan, scenarios):
                done += 1
                if progress is not None:
                    progress(done, total)
                yield row

        return require_same_world(rows, plans, counted)
    if not on_ray:
        device = device_named(name)

        def on_device(plan: ScenarioPlan, scenarios: list[int]) -> Iterable[Outcomes]:
            return run_in_turn_on([(plan, scenarios)], behaviour, device)

        return require_same_world(sample(table), plans, on_device)
    with closing(gpu_again(study, name)) as gpu:

        def on_gpu(plan: ScenarioPlan, scenarios: list[int]) -> Iterable[Outcomes]:
            return gpu.in_turn([(plan, scenarios)], behaviour)

        return require_same_world(sample(table), plans, on_gpu)
