"""The car under the name that scripts use: its records, and `drive`, which drives it open loop."""

from racer.sim import CARS, STEP_S, Car, drive

__all__ = ["CARS", "STEP_S", "Car", "drive"]
