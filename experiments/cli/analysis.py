"""Commands about results that exist: compare, publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sport_ray.experiments.cli.options import Results, StudyOrResults, Trust, run_trusted
from sport_ray.tracking.console import PlainConsole, say


def compare_command(
    first: Annotated[
        Path, typer.Argument(metavar="STUDY_A|RESULTS_A", help="The study to compare with.")
    ],
    second: Annotated[Path, typer.Argument(metavar="STUDY_B|RESULTS_B", help="The other study.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the table.")] = Path(
        "compare.csv"
    ),
    trust: Trust = None,
) -> None:
    """What differs between two studies, and by how much their results do, with intervals.

    One number and a verdict: the mean performance over the settings that both have (the same
    constraint, α or ε_max, T and swept parameters), second minus first, with Welch's t-interval
    over training seeds. Studies of different environments, properties or worlds are refused, and
    so are different base policies unless cells are derived from the same ε_max.
    """
    from sport_ray.experiments.results.status import locate
    from sport_ray.tracking.analysis.compare import compare_studies
    from sport_ray.tracking.analysis.compare_table import print_comparison
    from sport_ray.tracking.results.completeness import completeness_of
    from sport_ray.tracking.results.csv_text import write_csv
    from sport_ray.tracking.results.files import writing
    from sport_ray.tracking.results.records import read_results

    run_trusted(trust)
    folders = [read_results(locate(path, None)[0]) for path in (first, second)]
    comparison = compare_studies(*folders)
    console = PlainConsole()
    names = [folder.name for folder in folders]
    if names[0] == names[1]:
        names = [f"{folder.name} ({folder.path})" for folder in folders]
    for name, folder in zip(names, folders, strict=True):
        if incomplete := completeness_of(folder).sentence:
            say(console, f"{name}: {incomplete}", style="bold yellow")
    print_comparison(console, comparison, *names)
    with writing(out.absolute().parent, "name another file with --out"):
        say(console, f"table: {write_csv(comparison.table, out)}")


def publish_command(
    study_path: StudyOrResults,
    out: Annotated[Path, typer.Option("--out", help="Where to put the copies.")],
    results: Results = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Where the report was written, if not into that folder."),
    ] = None,
    trust: Trust = None,
) -> None:
    """Copy what is small and worth keeping: certificate, study, tables, figures, versions.

    For a repository or a paper's supplement; run `sport-ray report` first.
    """
    from sport_ray.experiments.results.status import locate
    from sport_ray.tracking.report.publish import publish, publish_bases
    from sport_ray.tracking.results.bases import sub_folders
    from sport_ray.tracking.results.files import writing
    from sport_ray.versions import versions

    run_trusted(trust)
    folder, _ = locate(study_path, results)
    # Of a result folder, the study that is copied along: where the folder lay helps nobody.
    command = f"sport-ray run {'study.yaml' if study_path.is_dir() else study_path}"
    make = publish_bases if sub_folders(folder) else publish
    with writing(out):
        written = make(folder, out, versions(), command, report)
    size = sum(path.stat().st_size for path in written)
    say(PlainConsole(), f"{len(written)} files, {size / 1e6:.1f} MB: {out}")
