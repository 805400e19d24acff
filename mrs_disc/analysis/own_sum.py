"""A model fitted to the sum of its own components: what it cannot find there it finds nowhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs_disc.data import Fid, Preprocessed, Protocol, Sampling
from mrs_disc.errors import InputError
from mrs_disc.models import MetaboliteModel
from mrs_disc.recipe import Recipe
from mrs_disc.steps.fitting import fit

WIDTH_HZ = 6.0
"""Of the lines of the sum: a well shimmed voxel."""
NOISE = 1e-3
"""Noise of a point over the first point of the sum."""
FOUND_SD = 5.0
"""Standard deviations of the fit within which an amount of the sum counts as found."""
WINDOW_PPM = (0.2, 4.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSum:
    """What a model finds in the sum of its components, each of amount one.

    `off` are components that were not found, with what was; `left_out` those without a line in the
    range of .2 to 4.3 ppm; `reason` says why the sum could not be fitted.
    """

    off: dict[str, float]
    left_out: tuple[str, ...] = ()
    worst_percent: float = 0.0
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether all were found."""
        return not self.off and not self.reason

    @property
    def words(self) -> str:
        """The outcome in one line."""
        if self.reason:
            return f"their sum cannot be fitted: {self.reason}"
        beside = (
            f"; without a line below water: {', '.join(self.left_out)}" if self.left_out else ""
        )
        if self.off:
            wrong = ", ".join(f"{name} {amount:.2f}" for name, amount in self.off.items())
            return f"of their own sum, each 1, the fit finds {wrong}{beside}"
        worst = f"the largest deviation is {self.worst_percent:.2g} %, within its error"
        return f"their own sum is found; {worst}{beside}"


def own_sum(model: MetaboliteModel, spectrometer_mhz: float | None = None) -> OwnSum:
    """Fit a model of simulated FIDs to the sum of them.

    Parameters
    ----------
    model : MetaboliteModel
        Loaded, every component with a FID.
    spectrometer_mhz : float, optional
        Frequency that the FIDs were simulated for, MHz; default: 3 T.

    Raises
    ------
    InputError
        If a component has no simulated FID.
    """
    simulated = [c.simulated for c in model.component]
    fids = [one.fid for one in simulated if one is not None]
    dwells = [one.dwell_time_s or model.basis_dwell_time_s for one in simulated if one is not None]
    if len(fids) < len(simulated) or dwells[0] is None:
        raise InputError(f"model {model.name}: its own sum is of simulated FIDs, all of them")
    n, dwell_s = min(fid.size for fid in fids), dwells[0]
    time = dwell_s * np.arange(n)
    total = np.sum([fid[:n] for fid in fids], axis=0) * np.exp(-np.pi * WIDTH_HZ * time)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, n)) * NOISE * abs(total[0])
    sampling = Sampling(dwell_time_s=dwell_s, spectrometer_mhz=spectrometer_mhz or 127.7)
    signal = Fid(signal=total + noise[0] + 1j * noise[1], sampling=sampling)
    measured = Preprocessed(fid=signal, unsuppressed_residue=signal, protocol=Protocol())
    recipe = Recipe().replace(fit={"baseline": "none", "window_ppm": WINDOW_PPM})
    try:
        found = fit(measured, recipe, model)
    except InputError as error:
        return OwnSum(off={}, reason=str(error))
    deviation = np.abs(found.amplitude - 1)
    off = {
        name: float(found.amplitude[k])
        for k, name in enumerate(found.names)
        if deviation[k] > max(FOUND_SD * found.sd[k], 0.01)
    }
    left_out = tuple(c.name for c in model.component if c.name not in found.names)
    return OwnSum(off=off, left_out=left_out, worst_percent=100 * float(deviation.max()))
