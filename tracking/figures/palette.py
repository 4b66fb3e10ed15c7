"""One language of colour and mark, for every figure, the page's chart and the paper.

Colour says which constraint, shape whose policies they are. Of risks, what was promised is ink,
what was bounded afterwards is dashed and hollow, what was observed is solid and filled. Values on
a scale (ε_max, α) go from light to dark. Beside them stand ink, and the colour of a violation.

Kinds differ by more than 20 in CIELAB, for normal sight, protanopia, deuteranopia and tritanopia
(Machado et al. 2009), on the page's dark theme too; marks have a contrast of 3, text of 4.5.
"""

from __future__ import annotations

import zlib
from typing import Any

from sport_ray.tracking.figures.markers import marker_of
from sport_ray.tracking.results.kinds import UNCONSTRAINED, order_of
from sport_ray.tracking.results.task_policies import parts_of_series

INK, MUTED, GRID, PAPER = "#1f2933", "#5c6773", "#dfe4ea", "#ffffff"
VIOLATION, ALARM = "#d55e00", "#a83a00"
"""Of what violated a property; the second is dark enough for text."""
KINDS = {
    "blue": "#0072b2",
    "olive": "#466236",
    "violet": "#5b05f3",
    "grape": "#4a0b81",
    "green": "#1aa956",
    "gold": "#c5850b",
    "cocoa": "#37200e",
    "brown": "#835e15",
    "rose": "#d94380",
}
"""Colours of kinds of constraint by their order, under the names of the page's variables."""
STEPS = {
    "step-0": "#6d98c0",
    "step-1": "#5d83a6",
    "step-2": "#4c6d8d",
    "step-3": "#3c5873",
    "step-4": "#2b4359",
    "step-5": "#1b2d40",
    "step-6": "#0a1826",
}
"""Values on a scale, in their order; neighbours differ by their mark, too."""
STEP_MARKS = "osD^vPX"
METHOD_MARKS = {"projected_ppo": "o", "projected_at_deployment": "s", "unconstrained": "D"}
SOURCE_MARKS = {
    "soft_actor_critic": "pentagon",
    "scpo": "^",
    "presa": "v",
    "ppo_lagrangian": "<",
    "focops": ">",
    "kl_ppo": "bow tie",
    "imported": "P",
    "critic": "star",
    "critic_iterated": "hourglass",
    "task_density": "four-pointed star",
    "projected_ppo_selection": "arrowhead",
    "base": "X",
}
"""Of sources of task policies beside PPO; those of plug-ins have one of `OTHER_MARKS`."""
OTHER_MARKS = ("h", "arrowhead down")


def kind_colour(kind: str) -> str:
    """The colour of a kind of constraint; those without an order of their own share one."""
    order, colours = order_of(kind), tuple(KINDS.values())
    return colours[order] if order < len(colours) else MUTED


UNBOUND = kind_colour(UNCONSTRAINED)


def step_look(number: int, count: int) -> tuple[str, str]:
    """Colour and marker of the `number`-th of `count` values on a scale, from light to dark.

    >>> step_look(0, 2), step_look(1, 2)
    (('#6d98c0', 'o'), ('#0a1826', 's'))
    """
    last = len(STEPS) - 1
    place = round(number * last / max(count - 1, 1))
    return tuple(STEPS.values())[min(place, last)], STEP_MARKS[number % len(STEP_MARKS)]


def series_mark(series: str) -> str:
    """The marker's name of a series (`results.task_policies`), whatever its constraint."""
    method, source = parts_of_series(series)
    if not source:
        return METHOD_MARKS.get(method, OTHER_MARKS[0])
    return SOURCE_MARKS.get(source) or OTHER_MARKS[zlib.crc32(source.encode()) % len(OTHER_MARKS)]


def series_marker(series: str) -> Any:
    """The marker of a series as matplotlib takes it."""
    return marker_of(series_mark(series))
