"""Linear-combination fit of one FID: amplitudes, and how well they are known.

The data are the complex spectrum inside a window, in units of its noise; `fit_model` states the
model of the metabolites, `baseline` that of the humps below them. A fit takes four steps:

1. noise and start (`fit_start`): the noise from the FID's tail; the best shift, width, phase and
   delay of a grid on which amplitudes and phase have closed forms, so that no local minimum traps;
2. solve (`fit_solve`): separable least squares, amplitudes eliminated (Golub and Pereyra, SIAM J
   Numer Anal 1973;10:413-432, doi:10.1137/0710036); some weak humps of free sign stand for the
   baseline;
3. average (`fit_posterior`): about the solution all is linear but the humps' number and place, and
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

import numpy as np

from mrs_disc.errors import InputError
from mrs_disc.signal.baseline import (
    SOLVER_WIDTH_HZ,
    HumpGrid,
    hump_grid,
    no_humps,
)
from mrs_disc.signal.basis import voigt_width
from mrs_disc.signal.chains import Priors
from mrs_disc.signal.fit_model import (
    DELAY,
    GAUSS2,
    LORENTZ,
    N_COMMON,
    PHASE,
    SHIFT,
    MetaboliteModel,
)
from mrs_disc.signal.fit_posterior import Posterior, average
from mrs_disc.signal.fit_solve import (
    MAX_WIDTH_HZ,
    Problem,
    RatioPrior,
    Solution,
    solve,
    wrapped,
)
from mrs_disc.signal.fit_start import MIN_POINTS, Start, StartGrid, noise_sd, points_with_signal
from mrs_disc.signal.noise import whiteness_p
from mrs_disc.typing import ComplexArray, FloatArray

DELAY_SD_S = 1e-4
"""Prior of the delay: scanners know the echo's top to a fraction of a dwell time."""
SHIFT_RANGE_HZ = 30.0
_STARTS = 2
_RIVAL = 0.9  # of the best start's gain; less is another peak under the wrong component
_COLLINEAR = 1e-6
_INSIDE = 0.01  # of a component's energy: less is the tails of lines elsewhere
_TOLERANCE = 0.1  # the average takes the last steps
_SOLVER_AREA = 0.1  # of the metabolites' area: the solver's humps are weak and of free sign
LORENTZ_SD_HZ = 10.0
"""Prior of the Lorentzian width that all components share: T2 of 60 to 300 ms is 1 to 5 Hz, and a
shim may add some. Without it the wings of broad lines take a smooth background for their own: on
whole simulated discs PG came out 3.5 bounds too large and its intervals covered 72 %, with it 1.4
bounds and 95 %. Lines of 13 Hz at an SNR of 5 to 8 pay with half a bound."""
GAUSS2_MEAN = 300.0
"""Prior mean of the square of the Gaussian width, where there is one: 10 to 28 Hz in discs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitBasis:
    """The components to fit; what depends on them alone is prepared once for all fits.

    Parameters
    ----------
    fids : complex array, shape (component, point)
        FIDs at amplitude one and phase zero, without the linewidth that all components share.
    shift_sd_hz : float array, shape (component,)
        How far each may move on its own: prior standard deviation in Hz, 0 = only with all others.
    extra_width_sd_hz : float array, shape (component,)
        Lorentzian width of its own: prior standard deviation in Hz, 0 = none.
    ratio_priors : sequence of RatioPrior
        What is known of ratios of amplitudes.
    """

    fids: ComplexArray
    shift_sd_hz: FloatArray
    extra_width_sd_hz: FloatArray
    ratio_priors: Sequence[RatioPrior] = ()

    def __post_init__(self) -> None:
        if self.fids.ndim != 2 or self.fids.shape[0] == 0:
            raise InputError(f"basis: shape {self.fids.shape}, expected (component, point)")
        count = self.fids.shape[0]
        for name in ("shift_sd_hz", "extra_width_sd_hz"):
            values = np.asarray(getattr(self, name))
            if values.shape != (count,) or not np.all(values >= 0):
                raise InputError(f"basis: {name} must hold {count} values, none negative")
        object.__setattr__(self, "fids", np.array(self.fids, dtype=np.complex128))
        self.fids.flags.writeable = False
        if not np.all(np.isfinite(self.fids)):
            raise InputError("basis: a point is not a finite number")
        for index, fid in enumerate(self.fids):
            if not np.any(fid):
                raise InputError(f"basis: component {index} is zero everywhere")
        for prior in self.ratio_priors:
            if not (0 <= prior.numerator < count and 0 <= prior.denominator < count):
                raise InputError(f"basis: a ratio prior names a component beyond {count - 1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitArrays:
    """What a fit found. Amplitudes in the units of the data; FIDs on all points of the data.

    Parameters
    ----------
    amplitude : float array, shape (component,)
        Posterior means; may be negative.
    covariance : float array, shape (component, component)
        Of all that is not known: noise, non-linear parameters, baseline.
    crlb : float array, shape (component,)
        Cramer-Rao bound (sd) of the metabolites' model here, with the baseline known.
    low, high : float array, shape (component,)
        Ends of the 95 % intervals.
    shift_hz, linewidth_hz : float array, shape (component,)
        Shift from where the basis has it; full width at half maximum beyond the basis.
    common_shift_hz : float
        The part of the shifts that all components share: where the axis is off.
    lorentz_hz, gauss_hz : float
        Widths that all components share.
    phase_rad : float
        Phase at zero frequency.
    delay_s : float
        Time by which the FID starts later than said: phase 2 pi f delay.
    noise_sd : float
        Standard deviation of the noise of one real channel of the FID.
    baseline : complex array, shape (point,)
        FID of the baseline as it lies in the data.
    components : complex array, shape (component, point)
        FIDs of the components as they lie in the data; with `baseline` they add up to the fit.
    residual_ratio : float
        Root mean square of the residual in the window over that of the noise.
    residual_whiteness_p : float
        Chance of a residual spectrum as correlated as this one, were it white.
    converged : bool
        Whether the result may be used.
    reason : str
        Empty, or why not.
    """

    amplitude: FloatArray
    covariance: FloatArray
    crlb: FloatArray
    low: FloatArray
    high: FloatArray
    shift_hz: FloatArray
    linewidth_hz: FloatArray
    common_shift_hz: float
    lorentz_hz: float
    gauss_hz: float
    phase_rad: float
    delay_s: float
    noise_sd: float
    baseline: ComplexArray
    components: ComplexArray
    residual_ratio: float
    residual_whiteness_p: float
    converged: bool
    reason: str

    @property
    def sd(self) -> FloatArray:
        """One standard deviation of each amplitude, shape (component,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def fit_fid(
    fid: ComplexArray,
    *,
    dwell_time_s: float,
    basis: FitBasis,
    window_hz: tuple[float, float],
    baseline_hz: tuple[float, float] | None = None,
    start_time_s: float = 0.0,
    delay_sd_s: float = DELAY_SD_S,
    shift_range_hz: float = SHIFT_RANGE_HZ,
) -> FitArrays:
    """Fit the components to an FID.

    Parameters
    ----------
    fid : complex array, shape (point,)
        The data; larger ppm is larger frequency.
    dwell_time_s : float
        Dwell time in seconds.
    basis : FitBasis
        The components, on the points of the data (as many or more).
    window_hz : tuple of float
        Range of the spectrum that is fitted, in Hz from the reference frequency.
    baseline_hz : tuple of float, optional
        Where humps of the baseline may lie; None: no baseline.
    start_time_s : float
        Time of the first point after the echo.
    delay_sd_s : float
        Prior standard deviation of the delay; 0 holds it at zero.
    shift_range_hz : float
        Largest common shift that is searched, either way.

    Returns
    -------
    FitArrays

    Raises
    ------
    InputError
        If the data or the basis cannot be fitted: not finite, zero, constant, too short, no bins in
        the window, components that cannot be told apart.
    """
    data = _checked_data(fid, dwell_time_s, window_hz)
    if basis.fids.shape[1] < data.size:
        raise InputError(
            f"basis of {basis.fids.shape[1]} points for data of {data.size}: as many or more needed"
        )
    largest = float(np.abs(data).max())
    data = data / largest
    noise = noise_sd(data)
    scan = {"dwell_time_s": dwell_time_s, "start_time_s": start_time_s, "window_hz": window_hz}
    whole = _model(basis, n_points=data.size, **scan)
    slow = data * whole.carrier / noise
    starts = _start_grid(basis, n_points=data.size, **scan).search(slow, shift_range_hz, _STARTS)
    starts = [start for start in starts if start.gain > _RIVAL * starts[0].gain]
    model = _model(basis, n_points=points_with_signal(slow, starts, dwell_time_s), **scan)
    _refuse_collinear(model, starts[0])
    humps = _humps(baseline_hz, model)
    reference = _reference_area(starts[0].amplitude, basis)
    problem = _problem(model, slow[: model.time.size], basis, delay_sd_s, humps, reference)
    solver = replace(problem, humps=humps.of_width(SOLVER_WIDTH_HZ))
    solutions = [solve(solver, _first_guess(model, start, delay_sd_s)) for start in starts]
    start, best = min(zip(starts, solutions, strict=True), key=_lost_and_cost)
    misfit = max(1.0, best.misfit)
    problem = replace(problem, data=problem.data / misfit)
    best = replace(best, amplitude=best.amplitude / misfit)
    priors = Priors(
        reference_area=_reference_area(best.amplitude[: model.n_components], basis),
        delay_sd_s=delay_sd_s,
        gauss2_mean=GAUSS2_MEAN,
        hump_odds=humps.odds,
    )
    posterior = average(problem, best, priors)
    reason = "" if best.converged else "the search for the optimum did not end"
    reason = reason or _doubt(best.parameters, start) or _doubt(posterior.parameters, start)
    return _result(problem, posterior, whole, noise * largest, misfit, reason)


@lru_cache(maxsize=8)  # one for each width of the start, and one on all points
def _model(
    basis: FitBasis,
    *,
    n_points: int,
    dwell_time_s: float,
    start_time_s: float,
    window_hz: tuple[float, float],
) -> MetaboliteModel:
    """Return the model on the first points, or say that the window holds too little."""
    model = MetaboliteModel(
        basis.fids[:, :n_points],
        dwell_time_s=dwell_time_s,
        start_time_s=start_time_s,
        window_hz=window_hz,
        moves=np.flatnonzero(basis.shift_sd_hz > 0),
        widens=np.flatnonzero(basis.extra_width_sd_hz > 0),
    )
    if model.bins.size <= model.n_components + N_COMMON:
        raise InputError(
            f"window {window_hz[0]:.0f} to {window_hz[1]:.0f} Hz holds {model.bins.size} points of "
            f"the spectrum, too few for {model.n_components} components; widen it"
        )
    return model


@lru_cache(maxsize=2)
def _start_grid(
    basis: FitBasis,
    *,
    n_points: int,
    dwell_time_s: float,
    start_time_s: float,
    window_hz: tuple[float, float],
) -> StartGrid:
    """Return the grid of starts about the centre of the window."""
    scan = {"dwell_time_s": dwell_time_s, "start_time_s": start_time_s}
    whole = _model(basis, n_points=n_points, window_hz=window_hz, **scan)
    return StartGrid(basis.fids[:, :n_points] * whole.carrier, **scan)


def _humps(baseline_hz: tuple[float, float] | None, model: MetaboliteModel) -> HumpGrid:
    """Return the humps that the baseline may consist of."""
    if baseline_hz is None:
        return no_humps(model.bins.size)
    low, high = baseline_hz
    if not low < high:
        raise InputError(f"baseline_hz {low} to {high} Hz: the lower end comes first")
    return hump_grid(
        (low - model.centre_hz, high - model.centre_hz),
        n_points=model.time.size,
        dwell_time_s=model.dwell_time_s,
        start_time_s=float(model.time[0]),
        half_width_hz=model.half_width_hz,
    )


def _lost_and_cost(pair: tuple[Start, Solution]) -> tuple[bool, float]:
    """Return what ranks solutions: one that left its start is under other lines, cheap or not."""
    start, solution = pair
    return start.lost(solution.parameters[SHIFT]), solution.cost


def _doubt(parameters: FloatArray, start: Start) -> str:
    """Return why parameters cannot be trusted, or nothing."""
    shift, lorentz, gauss2 = parameters[[SHIFT, LORENTZ, GAUSS2]]
    if voigt_width(lorentz, sqrt(gauss2)) >= MAX_WIDTH_HZ:
        return f"the lines are as broad as is allowed, {MAX_WIDTH_HZ:.0f} Hz"
    if start.lost(shift):
        return f"the fit ended {shift - start.shift_hz:+.0f} Hz from where it started"
    return ""


def _problem(
    model: MetaboliteModel,
    slow: ComplexArray,
    basis: FitBasis,
    delay_sd_s: float,
    humps: HumpGrid,
    reference: float,
) -> Problem:
    """Return data, model and priors in units of the noise."""
    moves, widens = model.moves, model.widens
    precision = np.zeros(model.n_nonlinear)
    precision[DELAY] = delay_sd_s**-2 if delay_sd_s > 0 else 0.0
    precision[LORENTZ] = LORENTZ_SD_HZ**-2
    precision[N_COMMON : N_COMMON + moves.size] = basis.shift_sd_hz[moves] ** -2.0
    precision[N_COMMON + moves.size :] = basis.extra_width_sd_hz[widens] ** -2.0
    fixed = np.zeros(model.n_nonlinear, dtype=bool)
    fixed[DELAY] = delay_sd_s == 0
    return Problem(
        model=model,
        data=model.spectrum(slow),
        precision=precision,
        fixed=fixed,
        ratios=basis.ratio_priors,
        humps=humps,
        hump_precision=(_SOLVER_AREA * reference) ** -2.0,
        tolerance=_TOLERANCE,
    )


def _reference_area(amplitude: FloatArray, basis: FitBasis) -> float:
    """Return the area that humps are compared with: between the two largest components'.

    Their geometric mean is PG's area within a factor where PG leads, and lipid that outshines
    everything raises it by its square root alone.
    """
    areas = np.sort(np.abs(amplitude) * np.abs(basis.fids[:, 0]))[::-1]
    second = areas[1] if areas.size > 1 else areas[0]
    return max(float(np.sqrt(areas[0] * second)), 1.0)


def _checked_data(
    fid: ComplexArray, dwell_time_s: float, window_hz: tuple[float, float]
) -> ComplexArray:
    """Return the data as complex128, or say what is wrong with them."""
    data = np.asarray(fid)
    if data.ndim != 1 or data.size < MIN_POINTS:
        raise InputError(f"FID of shape {data.shape}: one dimension, {MIN_POINTS} points or more")
    if not np.all(np.isfinite(data)):
        bad = int(np.flatnonzero(~np.isfinite(data))[0])
        raise InputError(f"FID: point {bad} is not a finite number")
    data = data.astype(np.complex128)
    if not np.any(data):
        raise InputError("FID: every point is zero")
    largest = float(np.abs(data).max())
    if not 1e-100 < largest < 1e100:
        raise InputError(f"FID: largest point {largest:g}; rescale to between 1e-100 and 1e100")
    if np.all(data == data[0]):
        raise InputError("FID: every point has the same value")
    if np.count_nonzero(data) < MIN_POINTS:
        raise InputError(f"FID: fewer than {MIN_POINTS} points are not zero")
    if not (np.isfinite(dwell_time_s) and dwell_time_s > 0):
        raise InputError(f"dwell_time_s = {dwell_time_s}: a positive number of seconds expected")
    low, high = window_hz
    edge = 0.5 / dwell_time_s
    if not low < high:
        raise InputError(f"window {low} to {high} Hz: the lower end comes first")
    if not (-edge <= low and high <= edge):
        raise InputError(
            f"window {low:.0f} to {high:.0f} Hz leaves the spectrum of +-{edge:.0f} Hz; narrow it"
        )
    return data


def _first_guess(model: MetaboliteModel, start: Start, delay_sd_s: float) -> FloatArray:
    """Return non-linear parameters from a place on the grid."""
    parameters = np.zeros(model.n_nonlinear)
    parameters[SHIFT] = start.shift_hz
    parameters[LORENTZ] = 0.6 * start.width_hz
    parameters[GAUSS2] = (0.5 * start.width_hz) ** 2
    parameters[PHASE] = start.phase_rad
    parameters[DELAY] = start.delay_s if delay_sd_s > 0 else 0.0
    return parameters


def _refuse_collinear(model: MetaboliteModel, start: Start) -> None:
    """Raise where two components, or a sum of some, are the same in the window."""
    here = model.evaluate(_first_guess(model, start, 0.0))
    design = here.design
    norm = np.sqrt((design**2).sum(axis=1))
    share = norm**2 / np.maximum((np.abs(here.fids) ** 2).sum(axis=1), 1e-300)
    if share.min() < _INSIDE:
        raise InputError(f"component {int(share.argmin())} has no signal inside the window")
    unit = design / norm[:, None]
    values, vectors = np.linalg.eigh(unit @ unit.T)
    if values[0] < _COLLINEAR:
        pair = np.sort(np.argsort(-np.abs(vectors[:, 0]))[:2])
        raise InputError(
            f"components {pair[0]} and {pair[1]} cannot be told apart: their spectra are collinear "
            "inside the window; leave one out"
        )


def _result(
    problem: Problem,
    posterior: Posterior,
    whole: MetaboliteModel,
    noise: float,
    misfit: float,
    reason: str,
) -> FitArrays:
    """Return the posterior in the units and on the points of the data."""
    model = problem.model
    parameters = posterior.parameters
    own_shift, own_width = model.own(parameters)
    lorentz, gauss = float(parameters[LORENTZ]), float(np.sqrt(parameters[GAUSS2]))
    shift, delay = float(parameters[SHIFT]), float(parameters[DELAY])
    unit = noise * misfit
    to_data = whole.carrier.conj() * unit
    turned = np.exp(1j * parameters[PHASE])
    components = whole.fids(parameters)
    n_parameters = posterior.amplitude.size + int(np.count_nonzero(~problem.fixed))
    freedom = max(posterior.residual.size - n_parameters, 1)
    ratio = float(np.sqrt(posterior.residual @ posterior.residual / freedom))
    excess = max(1.0, ratio)
    middle = posterior.amplitude
    return FitArrays(
        amplitude=middle * unit,
        covariance=posterior.covariance * (excess * unit) ** 2,
        crlb=posterior.crlb * noise,
        low=(middle + excess * (posterior.low - middle)) * unit,
        high=(middle + excess * (posterior.high - middle)) * unit,
        shift_hz=shift + own_shift,
        linewidth_hz=voigt_width(np.maximum(lorentz + own_width, 0.0), gauss),
        common_shift_hz=shift,
        lorentz_hz=lorentz,
        gauss_hz=gauss,
        phase_rad=wrapped(parameters[PHASE] - 2 * pi * model.centre_hz * delay),
        delay_s=delay,
        noise_sd=noise,
        baseline=problem.humps.fid(posterior.areas, delay, whole.time.size) * turned * to_data,
        components=middle[:, None] * components * to_data,
        residual_ratio=ratio * misfit,
        residual_whiteness_p=whiteness_p(posterior.residual),
        converged=not reason,
        reason=reason,
    )
