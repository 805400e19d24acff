"""How a FID was sampled, and arrays that nobody can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import WATER_PPM
from mrs_disc.errors import InputError
from mrs_disc.typing import FloatArray

ArrayT = TypeVar("ArrayT", bound=NDArray[Any])


def frozen(array: ArrayT) -> ArrayT:
    """Return the array read-only; a writeable one is copied first, so that its owner keeps it."""
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a FID was sampled.

    Parameters
    ----------
    dwell_time_s : float
        Time between complex points, s.
    spectrometer_mhz : float
        Larmor frequency of the nucleus, MHz.
    reference_ppm : float
        Shift at zero frequency.
    start_time_s : float
        Time of the first point after the echo, s.
    nucleus : str
        As NIfTI-MRS writes it.
    """

    dwell_time_s: float
    spectrometer_mhz: float
    reference_ppm: float = WATER_PPM
    start_time_s: float = 0.0
    nucleus: str = "1H"

    def __post_init__(self) -> None:
        if not 5e-6 <= self.dwell_time_s <= 1e-2:
            raise InputError(
                f"dwell time = {self.dwell_time_s} s: seconds expected, between 5e-6 and 0.01"
            )
        if not 10 <= self.spectrometer_mhz <= 1000:
            raise InputError(
                f"spectrometer frequency = {self.spectrometer_mhz}: MHz expected, 10 to 1000"
            )

    @property
    def spectral_width_hz(self) -> float:
        """Reciprocal of the dwell time, Hz."""
        return 1.0 / self.dwell_time_s

    def time_s(self, n_points: int) -> FloatArray:
        """Return the time of each point, s, shape (point,)."""
        return self.start_time_s + self.dwell_time_s * np.arange(n_points, dtype=np.float64)

    def hz(self, ppm: float) -> float:
        """Return the frequency of a chemical shift, Hz from the carrier."""
        return (ppm - self.reference_ppm) * self.spectrometer_mhz
