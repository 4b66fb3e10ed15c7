"""Parts of the published leaderboard in ``docs/benchmark.md``, copied and never typed.

``python -m sport_ray.tracking.benchmark.quoting`` in the repository's root brings them up to date.
"""

from __future__ import annotations

from pathlib import Path

from sport_ray.tracking.benchmark.page import begin, end
from sport_ray.tracking.benchmark.write import PAGE as LEADERBOARD
from sport_ray.tracking.results.files import write_atomically

COMMAND = "python -m sport_ray.tracking.benchmark.quoting"
PAGE = Path("docs/benchmark.md")
PUBLISHED = Path("docs/results/benchmark")
PARTS = ("quote", "overall", "negative")
"""Of the leaderboard's parts those that the page shows."""


def renewed(text: str, leaderboard: str) -> str:
    """The page with each part as the leaderboard has it; its figure is found from ``docs``.

    Raises:
        ValueError: a part that one of the two has not.
    """
    folder = PUBLISHED.relative_to(PAGE.parent).as_posix()
    for name in PARTS:
        _, found, _ = _parted(leaderboard, name)
        found = found.replace("](leaderboard", f"]({folder}/leaderboard")
        before, _, after = _parted(text, name)
        text = f"{before}{begin(name)}{found}{end(name)}{after}"
    return text


def _parted(text: str, name: str) -> tuple[str, str, str]:
    """What is before a part, the part, and what is after it."""
    before, opened, rest = text.partition(begin(name))
    part, closed, after = rest.partition(end(name))
    if not (opened and closed):
        raise ValueError(f"expected {begin(name)!r} and {end(name)!r} in the page")
    return before, part, after


def main() -> None:
    """Renew the page below the current directory."""
    leaderboard = (PUBLISHED / LEADERBOARD).read_text(encoding="utf-8")
    write_atomically(PAGE, renewed(PAGE.read_text(encoding="utf-8"), leaderboard))


if __name__ == "__main__":
    main()
