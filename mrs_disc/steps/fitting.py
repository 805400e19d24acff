"""From a preprocessed spectrum and a model to amplitudes with their covariance.

The model's resonances become unit FIDs as the protocol's sequence leaves them (`basis`), the kernel
fits them (`signal.fit`), and its arrays become a record (`fit_result`). This room knows records,
the kernel knows arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np

from mrs_disc.data import Fid, FitResult, Preprocessed, Sampling
from mrs_disc.errors import InputError
from mrs_disc.models import MetaboliteModel, load_metabolite_model
from mrs_disc.models.sequences import load_sequences
from mrs_disc.recipe import Recipe, load_recipe
from mrs_disc.record.findings import finding
from mrs_disc.signal.axes import window_hz
from mrs_disc.signal.fit.before_echo import points_before_echo, unexplained_from
from mrs_disc.signal.fit.fit import fit_fid
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import Scan
from mrs_disc.signal.fit.priors import MAX_DELAY_S
from mrs_disc.signal.fit.spins import Evolution
from mrs_disc.steps.basis import Shape, basis_of
from mrs_disc.steps.chosen import Chosen, chosen, found, told
from mrs_disc.steps.echo_time import (
    States,
    echo_time_told,
    evolving,
    mixtures,
    with_later_states,
)
from mrs_disc.steps.evolution import Played, played
from mrs_disc.steps.fit_result import result_of
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import ComplexArray, FloatArray

_SUSPICIOUS_P = 0.2
"""Chance of as much of other states in the residual below which a whole fit is asked. At wrong echo
times (8 rows of 60 simulated discs) a whole fit contradicts 40 % of the discs, and 37 % where it is
asked this way; lipid on both sides of its place, at the right one, 27 and 10 %."""

_SUSPICIOUS_RATIO = 1.15
"""Residual over noise from which a whole fit is asked too: then that test says little."""

_DESCRIBED = 1.1
"""Residual over noise up to which a fit describes its spectrum as well as another."""

_SAME_PLACE_HZ = 8.0
"""Shift between two fits of one spectrum within which they see the same lines [proposed]: half of
the narrowest line of a disc."""

MOST_BEFORE_ECHO = 128
"""Points before the echo that are looked for where the fit is bad: digital filters delay by 60 to
80 points, and sequences store up to a hundred from before the echo."""

SURELY_BEFORE_ECHO_S = 4e-3
"""Time before the echo up to which all components tell it. From 5 ms on lactate has turned over
beside the acetyl peak, as it does at another echo time: then the others have to say the same."""

_SAME_WITHOUT_MULTIPLETS = 0.95
"""What the components leave unexplained at an early start over what they leave at the stated one,
with the multiplets free in their state: 1.2 to 2.5 at a wrong echo time, .04 to .9 where the start
is early [of 200 simulated discs]."""


_KNOWN_SD = 5.0
"""Amplitude of the quality peak over its sd from which a fit knows its lines [proposed]: 20 and
more where the right start was found, 1 to 3 at wrong ones that pass for sound."""


@one_blas_thread
def fit(
    preprocessed: Preprocessed,
    recipe: str | Path | Recipe | None = None,
    model: MetaboliteModel | None = None,
    *,
    exclude: Sequence[str] = (),
) -> FitResult:
    """Fit the metabolite model of the recipe to a preprocessed spectrum.

    Parameters
    ----------
    preprocessed : Preprocessed
        From `preprocess`.
    recipe : str, Path, Recipe or None
        ``[fit]`` names model, window, baseline and what is excluded; `None`: the defaults.
    model : MetaboliteModel, optional
        The model, where it is loaded already.
    exclude : sequence of str
        Components that are left out beside those that the recipe excludes, with the priors that
        name them.

    Returns
    -------
    FitResult
        Amplitudes at the start of the FID, T2-weighted, in the units of the data. A component
        without a line in the window is left out, and a finding says so.

    Raises
    ------
    InputError
        If the echo time is unknown, or the data cannot be fitted.

    Examples
    --------
    >>> import mrs_disc as md
    >>> study, truth = md.simulate_study(seed=1, levels=["L4-L5"])
    >>> pre = md.preprocess(study["L4-L5"])
    >>> md.fit(pre, exclude=["PA", "LIP"]).names
    ('PG', 'LAC', 'ALA', 'CHO', 'CARB', 'COL')
    """
    recipe = load_recipe(recipe)
    if exclude:
        recipe = recipe.replace(fit={"exclude": (*recipe.fit.exclude, *exclude)})
    model = model or load_metabolite_model(recipe.fit.model)
    picked = _chosen(preprocessed, recipe, model)
    return _fitted(preprocessed, recipe, picked)


def _chosen(preprocessed: Preprocessed, recipe: Recipe, model: MetaboliteModel) -> Chosen:
    sampling = preprocessed.fid.sampling
    low, high = (
        sampling.reference_ppm + hz / sampling.spectrometer_mhz
        for hz in _window_hz(sampling, recipe.fit.window_ppm)
    )
    return chosen(model, recipe.fit, sampling, (low, high))


def _fitted(preprocessed: Preprocessed, recipe: Recipe, picked: Chosen) -> FitResult:
    """Return the fit of what was chosen of a model."""
    whole = _fitted_whole(preprocessed, recipe, picked.model)
    findings = (*picked.findings, *found(whole, picked.foreign))
    return replace(told(whole, (*picked.feet, *picked.foreign)), findings=findings)


def _fitted_whole(preprocessed: Preprocessed, recipe: Recipe, model: MetaboliteModel) -> FitResult:
    """Return the fit of all components of a model."""
    signal = preprocessed.fid
    sampling = signal.sampling
    if sampling.nucleus != model.nucleus:
        raise InputError(f"nucleus {sampling.nucleus}: model {model.name} is for {model.nucleus}")
    evolution = _played(preprocessed, recipe, model).evolution
    basis = basis_of(model, evolution, sampling, signal.n_points)
    scan = _scan(sampling, recipe)
    window = scan.window_hz
    # Parts that move on their own would take up what a wrong echo time leaves.
    whole = _without_parts(model)
    firm = basis_of(whole, evolution, sampling, signal.n_points)
    later = _beside_later_states(whole, firm, evolution, sampling, window)
    arrays = fit_fid(
        signal.signal,
        basis,
        scan,
        **_baseline(recipe, window),
        beside=later.states.beside if later is not None else None,
    )
    result = result_of(arrays, model, preprocessed, window)
    asks = arrays.beside_p < _SUSPICIOUS_P or arrays.residual.ratio >= _SUSPICIOUS_RATIO
    if later is None or not asks:
        return result
    first = basis.reported.index(model.quality_component)
    again = fit_fid(
        signal.signal,
        later.states.basis,
        scan,
        **_baseline(recipe, window),
        briefly=True,
        near_hz=float(arrays.lines.shift_hz[first]),
    )
    apart_hz = float(again.lines.shift_hz[first] - arrays.lines.shift_hz[first])
    if again.doubt is not None or abs(apart_hz) > _SAME_PLACE_HZ:
        return result  # so many free states may stand for other lines: that says nothing
    echo = echo_time_told(again.amplitudes, later.states, later.shares(), evolution.echo_time_s)
    return replace(result, echo=echo)


def _beside_later_states(
    model: MetaboliteModel,
    basis: FitBasis,
    evolution: Evolution,
    sampling: Sampling,
    window_hz: tuple[float, float],
) -> _EchoTimes | None:
    """Return what asks the multiplets for the echo time; `None` where there is nothing to ask.

    Those whose amplitude lies outside of the fitted range are not asked.
    """
    low, high = (sampling.reference_ppm + hz / sampling.spectrometer_mhz for hz in window_hz)
    shapes = tuple(
        shape
        for shape in (Shape.of(c, model) for c in model.component if c.basis is None)
        if any(low <= r.ppm <= high for r in shape.in_amplitude().resonance)
    )
    coupled = evolving((shape.name, shape.resonance) for shape in shapes)
    if not coupled or not evolution.pulses:
        return None  # of a stimulated echo the time is not what turns the lines
    multiplets = tuple(shape.in_amplitude() for shape in shapes if shape.name in coupled)
    return _echo_times(basis, multiplets, sampling, evolution)


@lru_cache(maxsize=4)
def _echo_times(
    basis: FitBasis,
    multiplets: tuple[Shape, ...],
    sampling: Sampling,
    evolution: Evolution,
) -> _EchoTimes:
    n_points = basis.fids.shape[1]

    def at(echo_time_s: float) -> dict[str, ComplexArray]:
        other = evolution.at(echo_time_s)
        return {one.name: one.fid(other, sampling, n_points) for one in multiplets}

    later_s = evolving((shape.name, shape.resonance) for shape in multiplets)
    states = with_later_states(basis, later_s, evolution.echo_time_s, at)
    return _EchoTimes(states, cache(lambda: mixtures(states, sampling.dwell_time_s, at)))


class _EchoTimes(NamedTuple):
    """Later states of the multiplets, and what the times that are tried consist of, when asked."""

    states: States
    shares: Callable[[], FloatArray]


def fit_or_find_start(
    preprocessed: Preprocessed, recipe: Recipe, model: MetaboliteModel
) -> tuple[Preprocessed, FitResult]:
    """Fit a spectrum; where the fit is bad, look whether its first points lie before the echo.

    Some sequences store points before the echo, and not all files say how many. They are left out
    where the fit without them is sound and the one with them is not.

    Parameters
    ----------
    preprocessed, recipe, model
        As in `fit`.

    Returns
    -------
    tuple of Preprocessed and FitResult
        The spectrum that was fitted, with what there is to say of its sequence and of what was left
        out, and the finding ``start_measured`` where it was shortened.
    """
    picked = _chosen(preprocessed, recipe, model)
    model = picked.model
    known = _played(preprocessed, recipe, model)
    noticed = (*preprocessed.findings, *known.findings, *picked.findings)
    preprocessed = replace(preprocessed, findings=noticed)
    fitted = _fitted(preprocessed, recipe, picked)
    signal = preprocessed.fid
    if signal.sampling.start_time_s or not _may_begin_early(fitted, recipe):
        return preprocessed, fitted
    surely_s = 0.0 if _is_sound(fitted, recipe) else SURELY_BEFORE_ECHO_S
    early = _points_before_echo(preprocessed, recipe, model, known.evolution, surely_s)
    for _ in range(2 if early else 0):
        shorter = _without_first(preprocessed, early)
        again = _fitted(shorter, recipe, picked)
        # One that describes the data with components far below zero is no match to be beaten.
        better = again.noise.residual_ratio < max(fitted.noise.residual_ratio, _DESCRIBED)
        off = again.phase.delay_s / signal.sampling.dwell_time_s
        lines_known = _is_sound(again, recipe) and _knows_its_peak(again)
        if abs(off) < 0.5 and better and lines_known:
            return shorter, again
        if abs(off) < 0.5 or not 0 < early - round(off) <= MOST_BEFORE_ECHO:
            break
        early -= round(off)  # the grid of the search missed by a point
    return preprocessed, fitted


def _may_begin_early(fitted: FitResult, recipe: Recipe) -> bool:
    """Say whether a fit leaves room for points before the echo: it would bend to describe them."""
    dwell_s = fitted.curves.sampling.dwell_time_s
    return bool(
        not _is_sound(fitted, recipe)
        or fitted.noise.residual_ratio > _DESCRIBED
        or abs(fitted.phase.delay_s) > 0.2 * dwell_s
        or np.any(fitted.amplitude < -1.5 * fitted.sd)
    )


def _points_before_echo(
    preprocessed: Preprocessed,
    recipe: Recipe,
    model: MetaboliteModel,
    evolution: Evolution,
    surely_s: float,
) -> int:
    """Return how many first points lie before the echo as it seems; 0 where nothing says so.

    A multiplet that evolved for another time than the stated echo time can look like an early
    start. Beyond the time `surely_s` the other components have to say the same.
    """
    signal = preprocessed.fid
    sampling, most = signal.sampling, min(MOST_BEFORE_ECHO, signal.n_points // 8)
    scan = _scan(sampling, recipe)
    # Parts that move on their own would make good for a wrong start.
    whole = _without_parts(model)
    firm = basis_of(whole, evolution, sampling, signal.n_points)
    early = points_before_echo(signal.signal, firm, scan, most=most)
    if early * sampling.dwell_time_s <= surely_s:
        return early
    later = _beside_later_states(whole, firm, evolution, sampling, scan.window_hz)
    if later is None:
        return 0
    free = [row for rows in later.states.rows for row in rows]
    left = unexplained_from(signal.signal, later.states.basis, scan, most=most, free=free)
    there = float(left[early - 1 : early + 2].min())  # the grid may miss by a point
    return early if there < _SAME_WITHOUT_MULTIPLETS * left[0] else 0


def _played(preprocessed: Preprocessed, recipe: Recipe, model: MetaboliteModel) -> Played:
    """Return what the recipe's table of sequences says of a measurement."""
    return played(model, preprocessed.protocol, load_sequences(recipe.fit.sequences))


def _without_parts(model: MetaboliteModel) -> MetaboliteModel:
    """Return the model with a quality peak of fixed shape, and of what every disc holds."""
    sure = (c.without_pools() for c in model.component if c.presence is None)
    components = tuple(
        c.model_copy(update={"part": ()}) if c.name == model.quality_component else c for c in sure
    )
    return model.model_copy(update={"component": components})


def _is_sound(fitted: FitResult, recipe: Recipe) -> bool:
    """Say whether a fit describes its spectrum: nothing far below zero, no delay at its limit."""
    gates = recipe.quality
    delay_s = fitted.phase.delay_s - fitted.curves.sampling.start_time_s
    return bool(
        fitted.converged
        and abs(delay_s) < 0.99 * MAX_DELAY_S
        and fitted.noise.residual_ratio <= gates.max_residual_ratio
        and np.all(fitted.amplitude >= -gates.max_negative_sd * fitted.sd)
    )


def _knows_its_peak(fitted: FitResult) -> bool:
    """Say whether the quality peak is measured: at a wrong start all lines may be anything."""
    peak = fitted.peak.name
    return fitted.has(peak) and fitted.in_sd(peak) > _KNOWN_SD


def _without_first(preprocessed: Preprocessed, n: int) -> Preprocessed:
    """Return a spectrum and its water without the first points, and say so."""

    def shorter(signal: Fid) -> Fid:
        measured = {"n_points": n}
        return signal.become(Fid, signal.signal[n:], "start", method="best fit", measured=measured)

    water = preprocessed.water
    ms = 1e3 * n * preprocessed.fid.sampling.dwell_time_s
    return replace(
        preprocessed,
        fid=shorter(preprocessed.fid),
        unsuppressed_residue=shorter(preprocessed.unsuppressed_residue),
        water=None if water is None else shorter(water),
        findings=(*preprocessed.findings, finding("start_measured", n=n, ms=ms)),
    )


def _scan(sampling: Sampling, recipe: Recipe) -> Scan:
    return Scan(
        dwell_time_s=sampling.dwell_time_s,
        start_time_s=sampling.start_time_s,
        window_hz=_window_hz(sampling, recipe.fit.window_ppm),
    )


class _Baseline(TypedDict):
    baseline_hz: tuple[float, float] | None
    spline: bool


def _baseline(recipe: Recipe, window_hz: tuple[float, float]) -> _Baseline:
    """Return what the fit is told of the baseline."""
    kind = recipe.fit.baseline
    return {"baseline_hz": None if kind == "none" else window_hz, "spline": kind == "spline"}


def _window_hz(sampling: Sampling, window_ppm: tuple[float, float]) -> tuple[float, float]:
    """Return the fitted range in Hz, cut where a narrow spectral width ends."""
    axis = (sampling.dwell_time_s, sampling.spectrometer_mhz, sampling.reference_ppm)
    return window_hz(window_ppm, *axis)
