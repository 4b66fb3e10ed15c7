"""What a shell completes to where a study is asked for: studies that ship, and files."""

from __future__ import annotations

from pathlib import Path

from sport_ray.experiments.config.shipped import STUDIES


def studies_like(incomplete: str) -> list[str]:
    """Names of studies that ship, study files, and folders on the way to more.

    >>> studies_like("quicks")
    ['quickstart']
    """
    shipped = sorted(one.stem for one in STUDIES.glob(f"{glob_text(incomplete)}*.yaml"))
    given = Path(incomplete)
    folder, start = (given, "") if incomplete.endswith("/") else (given.parent, given.name)
    found = sorted(folder.glob(f"{glob_text(start)}*")) if folder.is_dir() else []
    files = [str(one) for one in found if one.suffix in (".yaml", ".yml")]
    folders = [f"{one}/" for one in found if one.is_dir() and not one.name.startswith(".")]
    return [*(shipped if "/" not in incomplete else []), *files, *folders]


def glob_text(text: str) -> str:
    """A text as a pattern that means nothing but itself."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in text)
