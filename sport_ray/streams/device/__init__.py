"""Streams of many episodes on a device, numpy's numbers: seeded there, drawn there."""

from __future__ import annotations

from sport_ray.streams.device.table import DeviceStreams

__all__ = ["DeviceStreams"]
