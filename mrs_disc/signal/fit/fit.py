"""Linear-combination fit of one FID: amplitudes, and how well they are known.

The data are the complex spectrum inside a window, in units of its noise; `model` states the
model of the metabolites, `humps` that of the baseline below them. A fit takes four steps:

1. noise and start (`start`): the noise from the FID's tail; the best shift, width, phase and
   delay of a grid on which amplitudes and phase have closed forms, so that no local minimum traps;
2. solve (`solver`): separable least squares, amplitudes eliminated (Golub and Pereyra, SIAM J
   Numer Anal 1973;10:413-432, doi:10.1137/0710036); weak humps of free sign take the baseline's
   part; a spline (`spline`, for comparison with other programs) is integrated out instead, and all
   else goes on as without a baseline;
3. average (`posterior`): about the solution all is linear but the humps' number and positions, and
   whether there is a Gaussian width or a delay; these are drawn, the others are integrated out;
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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import pi, sqrt
from typing import Literal

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.signal.fit import priors
from mrs_disc.signal.fit.basis import voigt_width
from mrs_disc.signal.fit.beside import Beside, chance_of_none
from mrs_disc.signal.fit.chains import Scales
from mrs_disc.signal.fit.humps import HumpGrid, hump_grid, no_humps
from mrs_disc.signal.fit.inputs import FitBasis, checked_data, refuse_collinear
from mrs_disc.signal.fit.limits import Limit
from mrs_disc.signal.fit.linear import Point
from mrs_disc.signal.fit.model import (
    DELAY,
    GAUSS2,
    LORENTZ,
    N_COMMON,
    PHASE,
    SHIFT,
    MetaboliteModel,
    Scan,
)
from mrs_disc.signal.fit.posterior import Amplitudes, Posterior, average
from mrs_disc.signal.fit.solver import Problem, Solution, solve, wrapped
from mrs_disc.signal.fit.spline import (
    best_stiffness,
    first_stiffness,
    settled,
    spline_of,
    with_spline,
)
from mrs_disc.signal.fit.start import LOST_HZ, Start, StartGrid, points_with_signal
from mrs_disc.signal.noise import tail_noise_sd, whiteness_p
from mrs_disc.typing import ComplexArray, FloatArray

_STARTS = 2
_RIVAL = 0.9  # of the best start's gain; less is another peak under the wrong component
_UPRIGHT = 0.5  # of the most upright start's; less explains peaks by lines upside down
_DECISIVE = 0.7  # of what is not explained; in noisy spectra no start explains much more
_ELSEWHERE = 2.0  # of the noise: what a disc's residual stays below, whatever lies in its baseline
_TOLERANCE = 0.1  # the average takes the last steps


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
    whole = _model(basis, scan, data.size)
    slow = data * whole.carrier / noise
    around = (shift_range_hz, _STARTS) if near_hz is None else (LOST_HZ, _STARTS, near_hz)
    starts = _rivals(_start_grid(basis, scan, data.size).search(slow, *around))
    n_points = points_with_signal(slow, starts, scan.dwell_time_s, 2 * whole.half_width_hz)
    model = _model(basis, scan, n_points)
    refuse_collinear(basis, model.evaluate(_first_guess(model, starts[0], 0.0)))

    # 2. Solve from each start, with weak humps for the baseline.
    smooth = spline_of(baseline_hz, model) if spline and baseline_hz else None
    humps = _humps(None if smooth else baseline_hz, model, basis)
    first = starts[0].amplitude @ basis.gather[basis.sure]
    reference_area = _reference_area(first * basis.usual, basis)
    problem = _problem(model, slow[: model.time.size], basis, delay_sd_s, humps, reference_area)
    solver = replace(problem, humps=humps.of_width(priors.SOLVER_HUMP_WIDTH_HZ))
    if smooth is not None:
        solver = smooth.posed(problem, first_stiffness(reference_area))
    # Of several starts the one is taken that what every disc holds explains best: with all that may
    # be there, other lines would do as well. Nor does what may be there stand for all that a model
    # lacks: where it misses much, there is none.
    usual = replace(solver, ratios=basis.normal_ratios(usual=True))
    first_solver = solver if len(starts) == 1 else usual
    solutions = [solve(first_solver, _first_guess(model, start, delay_sd_s)) for start in starts]
    start, best = min(zip(starts, solutions, strict=True), key=_lost_and_cost)
    if first_solver is usual:
        best = solve(solver, best.parameters)
    if basis.presence and best.misfit > _ELSEWHERE:
        fixed = problem.fixed.copy()
        fixed[N_COMMON + model.moves.size :] = True
        problem = replace(problem, ratios=usual.ratios, fixed=fixed)
        best = solve(replace(usual, fixed=fixed), _first_guess(model, start, delay_sd_s))
    if smooth is not None:
        best = settled(smooth, problem, best, reference_area)

    # 3. Average. What the solver's residual has beyond the noise, the model misses. It counts as
    #    noise from here on: in that unit data and amplitudes are smaller, so that every prior and
    #    every draw sees the larger noise. `_result` multiplies by the same unit.
    misfit = max(1.0, best.misfit)
    problem = replace(problem, data=problem.data / misfit)
    amplitude = best.amplitude[: model.n_components] / misfit
    scales = Scales(
        reference_area=_reference_area(amplitude, basis),
        delay_sd_s=delay_sd_s,
        gauss2_mean=priors.GAUSS2_MEAN_HZ2,
        hump_odds=humps.odds,
    )
    optimum = Point(best.parameters, amplitude, np.zeros(humps.frequency_hz.size))
    if smooth is None:
        posed = problem
    else:
        stiffness = best_stiffness(smooth, problem, optimum, scales.reference_area)
        posed = smooth.posed(problem, stiffness)
    posterior = average(posed, optimum, scales, basis.gather, briefly=briefly)
    chance = 1.0
    if beside is not None:
        rows = beside.rows(basis, posed.model, scan, posterior.mean.parameters)
        chance = chance_of_none(posterior, rows, posed.data)
    if smooth is not None:
        problem, posterior = with_spline(smooth, problem, posterior, stiffness)

    # 4. The posterior in the units of the data.
    doubt = None if best.converged else Doubt("unsettled")
    doubt = doubt or _doubt(best.parameters, start) or _doubt(posterior.mean.parameters, start)
    units = noise * largest, misfit
    result = _result(problem, posterior, None if briefly else whole, basis, units, doubt)
    return replace(result, beside_p=chance)


def points_before_echo(
    fid: ComplexArray,
    basis: FitBasis,
    scan: Scan,
    *,
    most: int,
    shift_range_hz: float = priors.SHIFT_RANGE_HZ,
) -> int:
    """Return how many first points seem to lie before the echo; 0 where it begins as said.

    A FID that begins early turns each line by another phase, which no common phase makes good: the
    components explain most of what is left where the points before the echo have been left out.

    Parameters
    ----------
    fid, basis, scan, shift_range_hz
        As in `fit_fid`.
    most : int
        Largest number that is looked for.
    """
    unexplained = unexplained_from(fid, basis, scan, most=most, shift_range_hz=shift_range_hz)
    decisive = unexplained.min() < _DECISIVE * unexplained[0]
    return int(np.argmin(unexplained)) if decisive else 0


def unexplained_from(
    fid: ComplexArray,
    basis: FitBasis,
    scan: Scan,
    *,
    most: int,
    free: Sequence[int] = (),
    shift_range_hz: float = priors.SHIFT_RANGE_HZ,
) -> FloatArray:
    """Return the share that the components leave unexplained where the first points are left out.

    Parameters
    ----------
    fid, basis, scan, shift_range_hz
        As in `fit_fid`.
    most : int
        Largest number of points that are left out.
    free : sequence of int
        Components that may have any sign, as those of a multiplet of unknown echo time have.

    Returns
    -------
    float array, shape (most + 1,)
        Shares of the energy, from none left out on.
    """
    data = checked_data(fid, basis, scan)
    n_points = data.size - most
    slow = data * (_model(basis, scan, data.size).carrier / float(np.abs(data).max()))
    grid = _start_grid(basis, scan, n_points)
    return 1 - grid.upright_shares(slow, shift_range_hz, free)


@lru_cache(maxsize=16)  # three bases, each on all points and on as many as hold signal
def _model(basis: FitBasis, scan: Scan, n_points: int) -> MetaboliteModel:
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
def _start_grid(basis: FitBasis, scan: Scan, n_points: int) -> StartGrid:
    """Return the grid of starts about the centre of the window."""
    carrier = _model(basis, scan, n_points).carrier
    dwell, start = scan.dwell_time_s, scan.start_time_s
    # Of usual shape, and of what every disc holds: parts of free sign would explain what is turned
    # over, and acetate lies where broad PG of another shift would.
    fids = basis.whole_fids[basis.sure, :n_points] * carrier
    return StartGrid(fids, dwell_time_s=dwell, start_time_s=start)


def _humps(
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


def _rivals(starts: list[Start]) -> list[Start]:
    """Return the starts that are worth a solution, of which there is one at least.

    Where the model lacks lines that the data have (brain under the model of discs), lines under the
    wrong peaks, some of them upside down, end at the lower cost.
    """
    near = [start for start in starts if start.gain > _RIVAL * starts[0].gain]
    most = max(start.upright for start in near)
    return [start for start in near if start.upright >= _UPRIGHT * most]


def _lost_and_cost(pair: tuple[Start, Solution]) -> tuple[bool, float]:
    """Return what ranks solutions: one that left its start is under other lines, cheap or not."""
    start, solution = pair
    return start.lost(solution.parameters[SHIFT]), solution.cost


def _doubt(parameters: FloatArray, start: Start) -> Doubt | None:
    """Return why parameters cannot be trusted, or nothing."""
    shift, lorentz, gauss2 = parameters[[SHIFT, LORENTZ, GAUSS2]]
    if voigt_width(lorentz, sqrt(gauss2)) >= priors.MAX_WIDTH_HZ:
        return Doubt("too broad", priors.MAX_WIDTH_HZ)
    if start.lost(shift):
        return Doubt("lost", float(shift - start.shift_hz))
    return None


def _problem(
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


def _reference_area(amplitude: FloatArray, basis: FitBasis) -> float:
    """Return the area that humps are compared with: between the two largest components'.

    Their geometric mean is PG's area within a factor where PG leads, and lipid that outshines
    everything raises it by its square root alone.
    """
    # The first point of a basis FID is its area at amplitude one: humps are compared as signal.
    areas = np.sort(np.abs(basis.gather @ (amplitude * np.abs(basis.fids[:, 0]))))[::-1]
    second = areas[1] if areas.size > 1 else areas[0]
    return max(float(np.sqrt(areas[0] * second)), 1.0)


def _first_guess(model: MetaboliteModel, start: Start, delay_sd_s: float) -> FloatArray:
    """Return non-linear parameters from a point of the grid."""
    parameters = np.zeros(model.n_nonlinear)
    parameters[SHIFT] = start.shift_hz
    # Between the shapes: both parts are free to move, and neither begins on its bound of zero.
    parameters[LORENTZ] = 0.6 * start.width_hz
    parameters[GAUSS2] = (0.5 * start.width_hz) ** 2
    parameters[PHASE] = start.phase_rad
    parameters[DELAY] = start.delay_s if delay_sd_s > 0 else 0.0
    return parameters


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
