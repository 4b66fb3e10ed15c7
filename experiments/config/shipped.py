"""The studies that ship with the package, by name."""

from __future__ import annotations

from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.config.paths import user_path

STUDIES = Path(__file__).resolve().parents[1] / "studies"


def study_file(path: str | Path) -> Path:
    """The file that a path, or the name of a study that ships, means; what exists comes first.

    Raises:
        UserError: no such file in a folder that is named, where a study of that name ships; a bare
            name of which none does.

    >>> study_file("quickstart").name
    'quickstart.yaml'
    """
    given = user_path(path)
    name = given.name.removesuffix(".yaml")
    shipped = STUDIES / f"{name}.yaml"
    if given.exists():
        return given
    if not shipped.is_file():
        if given.parent == Path() and given.suffix != ".yaml":  # meant as the name of one
            known = ", ".join(sorted(one.stem for one in STUDIES.glob("*.yaml")))
            raise UserError(
                f"no study {str(given)!r}: give a study file, or one that ships: {known}"
            )
        return given
    if given.parent == Path():
        return shipped
    raise UserError(f"study file {given} does not exist; a study {name!r} ships: give its name")
