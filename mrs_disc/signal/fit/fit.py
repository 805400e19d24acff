"""Linear-combination fit of one FID: amplitudes, and how well they are known.

The data are the complex spectrum inside a window, in units of its noise; `model` states the
model of the metabolites, `humps` that of the baseline below them. A fit takes four steps:

1. noise and start (`start`): the noise from the FID's tail; the best shift, width, phase and
   delay of a grid on which amplitudes and phase have closed forms, so that no local minimum traps;
2. solve (`solver`): separable least squares, amplitudes eliminated (Golub and Pereyra, SIAM J
   Numer Anal 1973;10:413-432, doi:10.1137/0710036); weak humps of free sign take the baseline's
   part; a spline (`spline`, for comparison with other programs) is integrated out instead, and all
   else goes on as without a baseline; among several starts `optimum` chooses;
3. average (`expansion`, `posterior`): about the solution all is linear but the humps' number and
   positions, and whether there is a Gaussian width or a delay; these are drawn, the others are
   integrated out;
4. the posterior mean is the answer, its covariance and quantiles the uncertainty: noise,
   non-linear parameters and baseline are all in them.

Decisions:

- The time after which the signal is far below the noise is cut off before the transform: the same
  information on a third of the points.
- The posterior mean, not the best fit: with humps of unknown number the best fit explains noise.
- Amplitudes may be negative. Cutting each at zero would bias the sums of weak ones upwards.
- Where the residual exceeds the noise, the model misses something: the uncertainty grows with it.
  What the solver misses counts as noise from then on, lest the average chase it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt
from typing import Literal

import numpy as np

from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.basis import voigt_width
from mrs_disc.signal.fit.beside import Beside, chance_of_none
from mrs_disc.signal.fit.chains import Scales
from mrs_disc.signal.fit.inputs import FitBasis, checked_data, refuse_collinear
from mrs_disc.signal.fit.linear import Point
from mrs_disc.signal.fit.model import DELAY, GAUSS2, LORENTZ, PHASE, SHIFT, MetaboliteModel, Scan
from mrs_disc.signal.fit.optimum import best_of, first_guess, rivals
from mrs_disc.signal.fit.posterior import Amplitudes, Posterior, average
from mrs_disc.signal.fit.problem import (
    humps_of,
    model_of,
    problem_of,
    reference_area_of,
    start_grid,
)
from mrs_disc.signal.fit.solver import Problem, Solution, wrapped
from mrs_disc.signal.fit.spline import (
    best_stiffness,
    first_stiffness,
    settled,
    spline_of,
    with_spline,
)
from mrs_disc.signal.fit.start import LOST_HZ, Start, points_with_signal
from mrs_disc.signal.noise import tail_noise_sd, whiteness_p
from mrs_disc.typing import ComplexArray, FloatArray

_STARTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Where the lines are and how broad.

    Parameters
    ----------
    shift_hz, linewidth_hz : float array, shape (component,)
        Shift from where the basis has it; full width at half maximum beyond the basis.
    common_shift_hz : float
        The part of the shifts that all components share: where the axis is off.
    """

    shift_hz: FloatArray
    linewidth_hz: FloatArray
    common_shift_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The phase ``zero_order_rad + 2 pi f delay_s`` of the spectrum.

    Parameters
    ----------
    zero_order_rad : float
        Phase at zero frequency.
    delay_s : float
        Time by which the FID starts later than said.
    """

    zero_order_rad: float
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """What the fit leaves, against the noise.

    Parameters
    ----------
    noise_sd : float
        Standard deviation of the noise of one real channel of the FID.
    ratio : float
        Root mean square of the residual in the window over that of the noise.
    whiteness_p : float
        Chance of a residual spectrum as correlated as this one, were it white.
    """

    noise_sd: float
    ratio: float
    whiteness_p: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a fit is not to be used.

    Parameters
    ----------
    kind : "unsettled", "too broad" or "lost"
        The search did not end; the lines are as broad as is allowed; the fit left its start.
    hz : float
        The width that is allowed, or the distance from the start; zero where there is none.
    """

    kind: Literal["unsettled", "too broad", "lost"]
    hz: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitArrays:
    """What a fit gives. Amplitudes in the units of the data; FIDs on all points of the data.

    Parameters
    ----------
    amplitudes : Amplitudes
        Means, covariance, bounds and intervals.
    lines : Lines
        Shifts and widths.
    phase : Phase
        Of all components.
    residual : Residual
        Against the noise.
    components : complex array, shape (component, point)
        FIDs of the components as they lie in the data; parts of one whole are added up, here and
        in `amplitudes`, and `lines` are those of the first part.
    baseline : complex array, shape (point,)
        FID of the baseline as it lies in the data; with `components` it adds up to the fit.
    doubt : Doubt, optional
        Why the result is not to be used.
    beside_p : float
        Chance of as much of the signals `beside` in the residual, were there none of them.
    """

    amplitudes: Amplitudes
    lines: Lines
    phase: Phase
    residual: Residual
    components: ComplexArray
    baseline: ComplexArray
    doubt: Doubt | None
    beside_p: float = 1.0


def fit_fid(
    fid: ComplexArray,
    basis: FitBasis,
    scan: Scan,
    *,
    baseline_hz: tuple[float, float] | None = None,
    spline: bool = False,
    delay_sd_s: float = priors.DELAY_SD_S,
    shift_range_hz: float = priors.SHIFT_RANGE_HZ,
    beside: Beside | None = None,
    briefly: bool = False,
    near_hz: float | None = None,
) -> FitArrays:
    """Fit the components to an FID.

    Parameters
    ----------
    fid : complex array, shape (point,)
        The data; larger ppm is larger frequency.
    basis : FitBasis
        The components, on the points of the data (as many or more).
    scan : Scan
        How the data are sampled, and the range of the spectrum that is fitted.
    baseline_hz : tuple of float, optional
        Where humps of the baseline may lie; None: no baseline.
    spline : bool
        Whether a penalised spline over `baseline_hz` takes the place of the humps.
    delay_sd_s : float
        Prior standard deviation of the delay; 0 holds it at zero.
    shift_range_hz : float
        Largest common shift that is searched, either way.
    beside : Beside, optional
        Signals of which it is asked whether the residual holds any; they take no part in the fit.
    briefly : bool
        Whether amplitudes with their covariance, and the lines, are all that is wanted: bounds,
        intervals and curves are empty.
    near_hz : float, optional
        The common shift that another fit of these data found: the fit starts next to it.

    Returns
    -------
    FitArrays

    Raises
    ------
    InputError
        If the data or the basis cannot be fitted: not finite, zero, constant, too short, no bins in
        the window, components that cannot be told apart.
    """
    data = checked_data(fid, basis, scan)
    # 1. Noise and start. Units: of the largest point against overflow, then of the noise, in which
    #    all kernels work. `whole` is the model on all points, `model` that on as many as hold
    #    signal; `slow` are the data about the centre of the window, where lines rotate slowly.
    largest = float(np.abs(data).max())
    data = data / largest
    noise = tail_noise_sd(data)
    whole = model_of(basis, scan, data.size)
    slow = data * whole.carrier / noise
    around = (shift_range_hz, _STARTS) if near_hz is None else (LOST_HZ, _STARTS, near_hz)
    starts = rivals(start_grid(basis, scan, data.size).search(slow, *around))
    n_points = points_with_signal(slow, starts, scan.dwell_time_s, 2 * whole.half_width_hz)
    model = model_of(basis, scan, n_points)
    refuse_collinear(basis, model.evaluate(first_guess(model, starts[0], has_delay=False)))

    # 2. Solve from each start, with weak humps for the baseline.
    smooth = spline_of(baseline_hz, model) if spline and baseline_hz else None
    humps = humps_of(None if smooth else baseline_hz, model, basis)
    first = starts[0].amplitude @ basis.gather[basis.sure]
    reference_area = reference_area_of(first * basis.usual, basis)
    problem = problem_of(model, slow[: model.time.size], basis, delay_sd_s, humps, reference_area)
    if smooth is None:
        solver = replace(problem, humps=humps.of_width(priors.SOLVER_HUMP_WIDTH_HZ))
    else:
        solver = smooth.posed(problem, first_stiffness(reference_area))
    solved, start, best = best_of(starts, solver, basis)
    problem = replace(problem, ratios=solved.ratios, fixed=solved.fixed)
    if smooth is not None:
        best = settled(smooth, problem, best, reference_area)

    # 3. Average. What the solver's residual has beyond the noise, the model misses. It counts as
    #    noise from here on: in that unit data and amplitudes are smaller, so that every prior and
    #    every draw sees the larger noise. `_result` multiplies by the same unit.
    misfit = max(1.0, best.misfit)
    problem = replace(problem, data=problem.data / misfit)
    amplitude = best.amplitude[: model.n_components] / misfit
    scales = Scales(
        reference_area=reference_area_of(amplitude, basis),
        delay_sd_s=delay_sd_s,
        gauss2_mean=priors.GAUSS2_MEAN_HZ2,
        spread_odds=basis.spread_odds,
        hump_odds=humps.odds,
    )
    optimum = Point(best.parameters, amplitude, np.zeros(humps.frequency_hz.size))
    posed = problem
    if smooth is not None:
        stiffness = best_stiffness(smooth, problem, optimum, scales.reference_area)
        posed = smooth.posed(problem, stiffness)
    posterior = average(posed, optimum, scales, basis.gather, briefly=briefly)
    if smooth is not None:
        problem, posterior = with_spline(smooth, problem, posterior, stiffness)

    # 4. The posterior in the units of the data.
    doubt = _doubt(start, best, posterior.mean)
    units = noise * largest, misfit
    result = _result(problem, posterior, None if briefly else whole, basis, units, doubt)
    if beside is None:
        return result
    rows = beside.rows(basis, posed.model, scan, posterior.mean.parameters)
    return replace(result, beside_p=chance_of_none(posterior, rows, posed.data))


def _doubt(start: Start, best: Solution, mean: Point) -> Doubt | None:
    """Return why a fit is not to be used, or nothing."""
    if not best.converged:
        return Doubt("unsettled")
    for parameters in (best.parameters, mean.parameters):
        shift, lorentz, gauss2 = parameters[[SHIFT, LORENTZ, GAUSS2]]
        if voigt_width(lorentz, sqrt(gauss2)) >= priors.MAX_WIDTH_HZ:
            return Doubt("too broad", priors.MAX_WIDTH_HZ)
        if start.lost(shift):
            return Doubt("lost", float(shift - start.shift_hz))
    return None


def _result(
    problem: Problem,
    posterior: Posterior,
    whole: MetaboliteModel | None,
    basis: FitBasis,
    units: tuple[float, float],
    doubt: Doubt | None,
) -> FitArrays:
    """Return the posterior in the units and on the points of the data; no curves without `whole`.

    `units` are the noise, and what the residual of the solver has beyond it.
    """
    noise, misfit = units
    model, mean, amplitudes = problem.model, posterior.mean, posterior.amplitudes
    parameters = mean.parameters
    own_shift, own_width = model.own(parameters)
    lorentz, gauss = float(parameters[LORENTZ]), float(np.sqrt(parameters[GAUSS2]))
    shift, delay = float(parameters[SHIFT]), float(parameters[DELAY])
    freedom = max(posterior.residual.size - posterior.determined, 1.0)
    ratio = float(np.sqrt(posterior.residual @ posterior.residual / freedom))
    # A posterior amplitude is in units of noise and misfit. What the average leaves beyond both,
    # the model misses still: covariance and intervals grow with it. The bound is that of the noise.
    # Intervals count every parameter whole: lines that are hardly known are not as normal as the
    # linear law has them.
    n_parameters = mean.amplitude.size + int(np.count_nonzero(~problem.fixed))
    spared = max(posterior.residual.size - n_parameters, 1) / freedom
    unit, excess = noise * misfit, max(1.0, ratio / sqrt(spared))
    centre = amplitudes.mean
    low, high = amplitudes.low, amplitudes.high
    if low.size:
        low, high = (centre + excess * (end - centre) for end in (low, high))
    components, baseline = np.empty((0, 0), dtype=complex), np.empty(0, dtype=complex)
    if whole is not None:
        to_data = whole.carrier.conj() * unit
        humps = problem.humps.fid(mean.areas, delay, whole.time.size)
        baseline = humps * np.exp(1j * parameters[PHASE]) * to_data
        components = basis.gather @ (mean.amplitude[:, None] * whole.fids(parameters)) * to_data
    return FitArrays(
        amplitudes=Amplitudes(
            mean=centre * unit,
            covariance=amplitudes.covariance * (excess * unit) ** 2,
            repetition=amplitudes.repetition * noise**2,  # what the model misses is no noise
            crlb=amplitudes.crlb * noise,
            low=low * unit,
            high=high * unit,
        ),
        lines=Lines(
            shift_hz=shift + own_shift[basis.first],
            linewidth_hz=voigt_width(np.maximum(lorentz + own_width[basis.first], 0.0), gauss),
            common_shift_hz=shift,
        ),
        phase=Phase(
            # The model's phase is that at the centre of the window, where its axis has its zero.
            zero_order_rad=wrapped(parameters[PHASE] - 2 * pi * model.centre_hz * delay),
            delay_s=delay,
        ),
        residual=Residual(
            noise_sd=noise, ratio=ratio * misfit, whiteness_p=whiteness_p(posterior.residual)
        ),
        components=components,
        baseline=baseline,
        doubt=doubt,
    )
