"""Dispatchable assets: what they can do, and how their state moves when they do it."""

from grid.assets.battery import BatterySpec, BatteryState
from grid.assets.peaker import PeakerSpec, PeakerState

__all__ = ["BatterySpec", "BatteryState", "PeakerSpec", "PeakerState"]
