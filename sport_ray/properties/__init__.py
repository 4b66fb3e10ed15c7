"""Temporal properties of finite trajectories: what the agent must do."""

from sport_ray.properties.property import NEVER, Property, Verdict, parse_property

__all__ = ["NEVER", "Property", "Verdict", "parse_property"]
