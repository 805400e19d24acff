"""The problem of a fit: data, model and priors, in units of the noise.

What depends on basis and protocol alone is kept for the next disc of the same protocol.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.humps import HumpGrid, hump_grid, no_humps
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.limits import Limit
from mrs_disc.signal.fit.model import DELAY, LORENTZ, N_COMMON, MetaboliteModel, Scan
from mrs_disc.signal.fit.solver import Problem
from mrs_disc.signal.fit.start import StartGrid
from mrs_disc.typing import ComplexArray, FloatArray

_TOLERANCE = 0.1  # the average takes the last steps


@lru_cache(maxsize=16)  # three bases, each on all points and on as many as hold signal
def model_of(basis: FitBasis, scan: Scan, n_points: int) -> MetaboliteModel:
    """Return the model on the first points, or say that the window holds too little."""
    model = MetaboliteModel(
        basis.fids[:, :n_points],
        scan,
        moves=np.flatnonzero(basis.shift_sd_hz > 0),
        widens=np.flatnonzero(basis.extra_width_sd_hz > 0),
    )
    if model.bins.size <= model.n_components + N_COMMON:
        low, high = scan.window_hz
        raise InputError(
            f"window {low:.0f} to {high:.0f} Hz holds {model.bins.size} points of "
            f"the spectrum, too few for {model.n_components} components; widen it"
        )
    return model


@lru_cache(maxsize=4)
def start_grid(basis: FitBasis, scan: Scan, n_points: int) -> StartGrid:
    """Return the grid of starts about the centre of the window."""
    carrier = model_of(basis, scan, n_points).carrier
    dwell, start = scan.dwell_time_s, scan.start_time_s
    # Of usual shape, and of what every disc holds: parts of free sign would explain what is turned
    # over, and acetate lies where broad PG of another shift would.
    fids = basis.whole_fids[basis.sure, :n_points] * carrier
    return StartGrid(fids, dwell_time_s=dwell, start_time_s=start)


def humps_of(
    baseline_hz: tuple[float, float] | None, model: MetaboliteModel, basis: FitBasis
) -> HumpGrid:
    """Return the humps that the baseline may consist of."""
    if baseline_hz is None:
        return no_humps(model.bins.size)
    low, high = baseline_hz
    if not low < high:
        raise InputError(f"baseline_hz {low} to {high} Hz: the lower end comes first")
    narrow = []
    for one in basis.narrow:  # as much of the range as lies in that of the baseline
        ends = [min(max(hz, low), high) - model.centre_hz for hz in one.range_hz]
        if ends[1] - ends[0] > min(one.widths_hz):
            narrow.append(replace(one, range_hz=(ends[0], ends[1])))
    return hump_grid(
        (low - model.centre_hz, high - model.centre_hz),
        n_points=model.time.size,
        dwell_time_s=model.dwell_time_s,
        start_time_s=float(model.time[0]),
        half_width_hz=model.half_width_hz,
        narrow=tuple(narrow),
    )


def problem_of(
    model: MetaboliteModel,
    slow: ComplexArray,
    basis: FitBasis,
    delay_sd_s: float,
    humps: HumpGrid,
    reference_area: float,
) -> Problem:
    """Return data, model and priors in units of the noise."""
    moves, widens = model.moves, model.widens
    precision = np.zeros(model.n_nonlinear)
    precision[DELAY] = delay_sd_s**-2 if delay_sd_s > 0 else 0.0
    precision[LORENTZ] = priors.LORENTZ_SD_HZ**-2
    precision[N_COMMON : N_COMMON + moves.size] = basis.shift_sd_hz[moves] ** -2.0
    precision[N_COMMON + moves.size :] = basis.extra_width_sd_hz[widens] ** -2.0
    fixed = np.zeros(model.n_nonlinear, dtype=bool)
    fixed[DELAY] = delay_sd_s == 0
    return Problem(
        model=model,
        data=model.spectrum(slow),
        precision=precision,
        fixed=fixed,
        ratios=basis.normal_ratios(),
        humps=humps,
        hump_precision=(priors.SOLVER_AREA * reference_area) ** -2.0,
        tolerance=_TOLERANCE,
        limits=_limits(basis),
    )


def _limits(basis: FitBasis) -> tuple[Limit, ...]:
    """Return the limits: of the Lorentzian width, and of the components that may not be there."""
    lorentz = len(basis.names) + LORENTZ  # shift and width lead what is integrated out of the lines
    return (
        Limit(lorentz),
        *(Limit(p.index, p.probability, p.scale, p.of) for p in basis.presence),
    )


def reference_area_of(amplitude: FloatArray, basis: FitBasis) -> float:
    """Return the area that humps are compared with: between the two largest components'.

    Their geometric mean is PG's area within a factor where PG leads, and lipid that outshines
    everything raises it by its square root alone.
    """
    # The first point of a basis FID is its area at amplitude one: humps are compared as signal.
    areas = np.sort(np.abs(basis.gather @ (amplitude * np.abs(basis.fids[:, 0]))))[::-1]
    second = areas[1] if areas.size > 1 else areas[0]
    return max(float(np.sqrt(areas[0] * second)), 1.0)
