"""A study over several bases as it goes on: a line for each, and the way to its page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.live.joint import joint_state
from sport_ray.experiments.live.pages import Pages
from sport_ray.experiments.live.state import State
from sport_ray.text import plain
from sport_ray.tracking.report.live import Row, answer_in, index_page
from sport_ray.tracking.results.bases import named_sizes, sub_folders
from sport_ray.tracking.results.folder import ResultFolder


class Index:
    """The bases of a folder, each with its `Pages`, and the page that leads to them.

    parts: by the name of the base's folder. listen: called with each new state of the whole.
    """

    def __init__(self, root: Path, listen: Callable[[State], None] | None = None) -> None:
        self.root = root
        self.parts: dict[str, Pages] = {}
        self.state = State("waiting", plain(root.name), "")
        self.page: tuple[str, bytes] = ("", b"")
        self._study, self._of = self.state.study, "bases"
        self._names: dict[str, str] = {}
        self._answers: dict[str, tuple[str, str]] = {}
        self._listen = listen
        self.look()

    def close(self) -> None:
        """Remove what was made."""
        for part in self.parts.values():
            part.close()

    def look(self) -> State:
        """The state of the whole; its page is made anew where another line is told of a base."""
        with suppress(UserError):  # a file is damaged now: what was known stays
            self._find()
        states = {folder: part.look() for folder, part in self.parts.items()}
        before = self.state
        told = [(self._names[folder], state) for folder, state in states.items()]
        self.state = joint_state(self._study, self._of, told)
        rows = [self._row(folder, state) for folder, state in states.items()]
        name = hashlib.sha256(repr((self._study, self._of, rows)).encode()).hexdigest()[:16]
        if name != self.page[0]:
            self.page = (name, index_page(self._study, self._of, rows, name).encode())
        if self._listen is not None and self.state != before:
            self._listen(self.state)
        return self.state

    def render(self) -> bool:
        """Make the pages of bases that would be other ones; whether there was any."""
        made = [part.render() for part in list(self.parts.values())]
        return any(made)

    def _find(self) -> None:
        self._of = "sizes" if named_sizes(self.root) else "bases"
        study = ResultFolder(self.root).read_study() or {}
        self._study = plain(str(study.get("name") or self.root.name))
        for name, path in sub_folders(self.root).items():
            if path.name not in self.parts:
                self._names[path.name] = plain(name)
                made = partial(self._answer, path)
                self.parts[path.name] = Pages(path, made=made, whole=f"All {self._of}")

    def _answer(self, path: Path) -> None:
        self._answers[path.name] = answer_in(path)

    def _row(self, folder: str, state: State) -> Row:
        risk, headline = self._answers.get(folder, ("", ""))
        return Row(
            self._names[folder],
            f"{folder}/",
            state.problem or state.step,
            state.finished,
            state.planned,
            state.phase == "gone",
            risk,
            headline,
        )
