"""The leaderboard of a benchmark, written from its result folders alone."""

from __future__ import annotations

from pathlib import Path

from sport_ray.tracking.benchmark.figure import draw_leaderboard
from sport_ray.tracking.benchmark.folder import read_folders
from sport_ray.tracking.benchmark.manifest import read_manifest
from sport_ray.tracking.benchmark.page import page_text
from sport_ray.tracking.benchmark.profile_figure import draw_profiles
from sport_ray.tracking.benchmark.scores import scores_of
from sport_ray.tracking.benchmark.tables import costs, leaderboard, profiles, task_leaderboard
from sport_ray.tracking.results.csv_text import write_csv
from sport_ray.tracking.results.files import write_atomically, writing

PAGE = "leaderboard.md"
SCORES = "scores.csv"


def write_leaderboard(results: str | Path) -> Path:
    """Write ``leaderboard.md``, its figures and tables into a benchmark's results; the page.

    results: where ``bench.json`` lies (`sport-ray bench` writes it), or what was published of it.
    The tables: ``leaderboard.csv``, ``leaderboard_TASK.csv``, ``leaderboard_costs.csv``,
    ``leaderboard_profiles.csv`` and ``scores.csv``. The same results give the same bytes.

    Raises:
        UserError: no manifest, a damaged file, or a folder that cannot be written to.
    """
    root = Path(results)
    manifest = read_manifest(root)
    folders, absent = read_folders(root, manifest)
    scores = scores_of(folders, manifest)
    board, took = leaderboard(scores, manifest), costs(folders, manifest)
    spread = profiles(scores, manifest)
    begun = {folder.about.task for folder in folders}
    of_tasks = {
        task.name: task_leaderboard(scores, manifest, task.name)
        for task in manifest.tasks
        if task.name in begun
    }
    with writing(root, "copy the results to where you may write"):
        for old in root.glob("leaderboard*.csv"):
            old.unlink()
        (root / f"{SCORES}.gz").unlink(missing_ok=True)
        write_csv(scores, root / SCORES)
        write_csv(board, root / "leaderboard.csv")
        write_csv(took, root / "leaderboard_costs.csv")
        write_csv(spread, root / "leaderboard_profiles.csv")
        for name, table in of_tasks.items():
            write_csv(table, root / f"leaderboard_{name}.csv")
        draw_leaderboard(board, manifest, root)
        draw_profiles(board, spread, manifest, root)
        page = page_text(scores, board, of_tasks, took, folders, absent, manifest)
        return write_atomically(root / PAGE, page)
