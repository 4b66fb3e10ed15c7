"""A Simplex switch: the task policy acts while a monitor allows it, the base otherwise.

``Switch`` is the policy, ``SwitchBehaviour`` how it acts; ``hand_over`` and ``monitor`` are what
the monitor is learned from, and how; ``threshold`` chooses how much it allows; ``make_switch`` does
all of it. Nothing is promised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:  # torch takes seconds
    from sport_ray.comparators.simplex.behaviour import SwitchBehaviour
    from sport_ray.comparators.simplex.hand_over import HandOvers, hand_overs
    from sport_ray.comparators.simplex.making import Made, make_switch
    from sport_ray.comparators.simplex.monitor import MonitorOptions, learned_monitor
    from sport_ray.comparators.simplex.switch import Switch, load_switch
    from sport_ray.comparators.simplex.threshold import Choice, loosest

_HOMES = {
    "Choice": ".threshold",
    "HandOvers": ".hand_over",
    "Made": ".making",
    "MonitorOptions": ".monitor",
    "Switch": ".switch",
    "SwitchBehaviour": ".behaviour",
    "hand_overs": ".hand_over",
    "learned_monitor": ".monitor",
    "load_switch": ".switch",
    "loosest": ".threshold",
    "make_switch": ".making",
}

__all__ = [
    "Choice",
    "HandOvers",
    "Made",
    "MonitorOptions",
    "Switch",
    "SwitchBehaviour",
    "hand_overs",
    "learned_monitor",
    "load_switch",
    "loosest",
    "make_switch",
]

__getattr__ = names_from(__name__, _HOMES)
