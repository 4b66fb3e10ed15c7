"""Temporal properties of finite trajectories: what the agent must do."""

from sport_ray.properties.reach_avoid import ReachAvoid, Verdict, parse_property

__all__ = ["ReachAvoid", "Verdict", "parse_property"]
