"""Places of labels beside lines: near their lines, and never one over another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class _Group:
    """Labels that touch: where their middle is wanted, how tall they are, and which they are."""

    centre: float
    size: float
    members: tuple[int, ...]

    @property
    def start(self) -> float:
        return min(max(self.centre - self.size / 2, 0.0), max(1.0 - self.size, 0.0))

    @property
    def end(self) -> float:
        return self.start + self.size

    def with_next(self, other: _Group) -> _Group:
        many, more = len(self.members), len(other.members)
        centre = (self.centre * many + other.centre * more) / (many + more)
        return _Group(centre, self.size + other.size, self.members + other.members)


def apart(wanted: list[float], tall: list[float]) -> list[float]:
    """Centres near sorted `wanted` ones so that labels so `tall` do not overlap within [0, 1].

    >>> [round(place, 2) for place in apart([0.5, 0.52], [0.1, 0.1])]
    [0.46, 0.56]
    """
    groups: list[_Group] = []
    for index, (place, size) in enumerate(zip(wanted, tall, strict=True)):
        group = _Group(place, size, (index,))
        while groups and groups[-1].end > group.start:
            group = groups.pop().with_next(group)
        groups.append(group)
    places = [0.0] * len(wanted)
    for group in groups:
        at = group.start
        for index in group.members:
            places[index] = at + tall[index] / 2
            at += tall[index]
    return places
