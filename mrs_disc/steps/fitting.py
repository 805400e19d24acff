"""From a preprocessed spectrum and a model to amplitudes with their covariance.

The model's resonances become unit FIDs at the protocol's echo time and field (`signal.basis`), the
kernel fits them (`signal.fit`); this room knows records, the kernel knows arrays.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft

from mrs_disc.data import (
    Curves,
    EchoPhase,
    Fid,
    FitResult,
    Noise,
    Phase,
    Preprocessed,
    Protocol,
    QualityPeak,
    Sampling,
)
from mrs_disc.errors import InputError, ModelError
from mrs_disc.models import (
    Component,
    MetaboliteModel,
    RatioPrior,
    Resonance,
    load_metabolite_model,
    model_reference,
)
from mrs_disc.models.basis import BasisFid
from mrs_disc.recipe import Recipe
from mrs_disc.record.findings import finding
from mrs_disc.signal.axes import phasors, window_hz
from mrs_disc.signal.fit.basis import component_fid, resample_basis
from mrs_disc.signal.fit.fit import Doubt, FitArrays, fit_fid, points_before_echo
from mrs_disc.signal.fit.inputs import FitBasis
from mrs_disc.signal.fit.model import Scan
from mrs_disc.signal.phase import full_width
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import ComplexArray

_ZERO_FILL = 4

TELLS_ECHO_TIME = "LAC"
"""The doublet whose phase says how long it evolved."""

_SUSPICIOUS_SD = 1.4  # of the solver's own test; weak humps take from it, a whole fit decides

MOST_BEFORE_ECHO = 32
"""Points before the echo that are looked for where the fit is bad [proposed]."""

LONGEST_BEFORE_ECHO_S = 4e-3
"""Time before the echo that is taken for one [proposed]. From 5 ms on lactate has turned over
beside the acetyl peak: a wrong echo time looks like an early start."""


@one_blas_thread
def fit(
    preprocessed: Preprocessed, recipe: Recipe, model: MetaboliteModel | None = None
) -> FitResult:
    """Fit the metabolite model of the recipe to a preprocessed spectrum.

    Parameters
    ----------
    preprocessed : Preprocessed
        From `preprocess`.
    recipe : Recipe
        ``[fit]`` names model, window and baseline.
    model : MetaboliteModel, optional
        The model, where it is loaded already.

    Returns
    -------
    FitResult
        Amplitudes at the start of the FID, T2-weighted, in the units of the data.

    Raises
    ------
    InputError
        If the echo time is unknown, or the data cannot be fitted.
    """
    model = model or load_metabolite_model(recipe.fit.model)
    signal = preprocessed.fid
    sampling = signal.sampling
    if sampling.nucleus != model.nucleus:
        raise InputError(f"nucleus {sampling.nucleus}: model {model.name} is for {model.nucleus}")
    basis = basis_of(model, preprocessed.protocol, sampling, signal.n_points)
    scan = _scan(sampling, recipe)
    window = scan.window_hz
    wider = _with_other_phase(model, basis, preprocessed.protocol, sampling)
    arrays = fit_fid(
        signal.signal,
        basis,
        scan,
        baseline_hz=window if recipe.fit.baseline == "humps" else None,
        wider=wider,
    )
    result = _result(arrays, model, preprocessed, window)
    if wider is None or arrays.wider is None or arrays.wider.deviations < _SUSPICIOUS_SD:
        return result
    again = fit_fid(
        signal.signal,
        wider,
        scan,
        baseline_hz=window if recipe.fit.baseline == "humps" else None,
    )
    return replace(result, echo=_echo_phase(again, model))


def _with_other_phase(
    model: MetaboliteModel, basis: FitBasis, protocol: Protocol, sampling: Sampling
) -> FitBasis | None:
    """Return the basis with lactate's doublet a quarter of its evolution later, if it has one."""
    lines = [c.resonance for c in model.component if c.name == TELLS_ECHO_TIME]
    doublet = [r for r in lines[0] if r.in_amplitude and r.neighbours == 1] if lines else []
    if protocol.echo_time_s is None or not doublet or not doublet[0].j_hz:
        return None
    bandwidth = protocol.refocusing_bandwidth_hz
    return _one_more(basis, tuple(doublet), sampling, protocol.echo_time_s, bandwidth)


@lru_cache(maxsize=4)
def _one_more(
    basis: FitBasis,
    doublet: tuple[Resonance, ...],
    sampling: Sampling,
    echo_time_s: float,
    refocusing_bandwidth_hz: float | None,
) -> FitBasis:
    fid = component_fid(
        doublet,
        time_s=sampling.time_s(basis.fids.shape[1]),
        spectrometer_mhz=sampling.spectrometer_mhz,
        reference_ppm=sampling.reference_ppm,
        echo_time_s=echo_time_s + 0.5 / doublet[0].j_hz,
        refocusing_bandwidth_hz=refocusing_bandwidth_hz,
    )
    return FitBasis(
        names=(*basis.names, "its other phase"),
        fids=np.vstack([basis.fids, fid]),
        shift_sd_hz=np.append(basis.shift_sd_hz, 0.0),
        extra_width_sd_hz=np.append(basis.extra_width_sd_hz, 0.0),
        ratio_priors=basis.ratio_priors,
    )


def _echo_phase(arrays: FitArrays, model: MetaboliteModel) -> EchoPhase:
    """Return what the doublet's two phases say of the time that it evolved."""
    names = [c.name for c in model.component]
    k = names.index(TELLS_ECHO_TIME)
    both = [k, len(names)]
    mean = arrays.amplitudes.mean[both]
    covariance = arrays.amplitudes.covariance[np.ix_(both, both)]
    j_hz = next(r.j_hz for r in model.component[k].resonance if r.in_amplitude)
    squared = float(mean @ np.linalg.pinv(covariance) @ mean)
    return EchoPhase(
        name=TELLS_ECHO_TIME,
        strength_sd=float(np.sqrt(max(squared, 0.0))),
        deviation_sd=float(mean[1] / np.sqrt(covariance[1, 1])) if covariance[1, 1] > 0 else 0.0,
        late_s=float(np.arctan2(mean[1], mean[0]) / (np.pi * j_hz)),
        period_s=2 / j_hz,
    )


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
        The spectrum that was fitted, with the finding ``start_measured`` where it was shortened.
    """
    fitted = fit(preprocessed, recipe, model)
    signal = preprocessed.fid
    enough = signal.n_points > 8 * MOST_BEFORE_ECHO
    if _is_sound(fitted, recipe) or signal.sampling.start_time_s or not enough:
        return preprocessed, fitted
    basis = basis_of(model, preprocessed.protocol, signal.sampling, signal.n_points)
    scan = _scan(signal.sampling, recipe)
    early = points_before_echo(signal.signal, basis, scan, most=MOST_BEFORE_ECHO)
    if 0 < early * signal.sampling.dwell_time_s <= LONGEST_BEFORE_ECHO_S:
        shorter = _without_first(preprocessed, early)
        again = fit(shorter, recipe, model)
        better = again.noise.residual_ratio < fitted.noise.residual_ratio
        on_a_point = abs(again.phase.delay_s) < 0.5 * signal.sampling.dwell_time_s
        if better and on_a_point and _is_sound(again, recipe):
            return shorter, again
    return preprocessed, fitted


def _is_sound(fitted: FitResult, recipe: Recipe) -> bool:
    """Say whether a fit describes its spectrum, with no component far below zero."""
    gates = recipe.quality
    return bool(
        fitted.converged
        and fitted.noise.residual_ratio <= gates.max_residual_ratio
        and np.all(fitted.amplitude >= -gates.max_negative_sd * fitted.sd)
    )


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


def _window_hz(sampling: Sampling, window_ppm: tuple[float, float]) -> tuple[float, float]:
    """Return the fitted range in Hz, cut where a narrow spectral width ends."""
    axis = (sampling.dwell_time_s, sampling.spectrometer_mhz, sampling.reference_ppm)
    return window_hz(window_ppm, *axis)


def basis_of(
    model: MetaboliteModel, protocol: Protocol, sampling: Sampling, n_points: int
) -> FitBasis:
    """Return the model's components as unit FIDs on the points of the data.

    Parameters
    ----------
    model : MetaboliteModel
        The components.
    protocol : Protocol
        Echo time and refocusing bandwidth.
    sampling : Sampling
        Dwell time, field and reference of the data.
    n_points : int
        Points of the data.
    """
    components = tuple(_Shape.of(component, model) for component in model.component)
    echo = _echo_time_s(model, protocol)
    bandwidth = protocol.refocusing_bandwidth_hz
    return _basis(components, model.prior, sampling, n_points, echo, bandwidth)


class _Shape(NamedTuple):
    """What the fit has to know of a component, without where it is from."""

    name: str
    resonance: tuple[Resonance, ...]
    simulated: BasisFid | None
    dwell_time_s: float | None
    extra_width_hz: float
    shift_sd_ppm: float
    extra_width_sd_hz: float

    @classmethod
    def of(cls, component: Component, model: MetaboliteModel) -> _Shape:
        simulated = component.simulated
        if component.basis is not None and simulated is None:
            raise ModelError(
                f"model {model.name}: the basis file of {component.name} has not been read; "
                "load the model with load_metabolite_model, or its files with load_basis_fids"
            )
        of_file = simulated.dwell_time_s if simulated is not None else None
        return cls(
            component.name,
            component.resonance,
            simulated,
            of_file or model.basis_dwell_time_s,
            component.extra_width_hz,
            component.shift_sd_ppm,
            component.extra_width_sd_hz,
        )


def _echo_time_s(model: MetaboliteModel, protocol: Protocol) -> float:
    """Return the echo time, any if no line depends on it."""
    if protocol.echo_time_s is None:
        if any(r.neighbours for component in model.component for r in component.resonance):
            raise InputError(
                "the echo time is unknown: neither the file nor the study says it. Give "
                "echo_time_s under [disc.acquisition] in study.toml, or EchoTime in the sidecar."
            )
        return 0.0
    return protocol.echo_time_s


@lru_cache(maxsize=4)
def _basis(
    components: tuple[_Shape, ...],
    ratio_priors: tuple[RatioPrior, ...],
    sampling: Sampling,
    n_points: int,
    echo_time_s: float,
    refocusing_bandwidth_hz: float | None,
) -> FitBasis:
    """Return the components' unit FIDs with their priors: one object for discs of one protocol.

    The fit keeps what depends on the basis alone for as long as it meets the same object.
    """
    fids = [
        _simulated_fid(component, sampling, n_points)
        if component.simulated is not None
        else component_fid(
            component.resonance,
            time_s=sampling.time_s(n_points),
            spectrometer_mhz=sampling.spectrometer_mhz,
            reference_ppm=sampling.reference_ppm,
            echo_time_s=echo_time_s,
            refocusing_bandwidth_hz=refocusing_bandwidth_hz,
            extra_width_hz=component.extra_width_hz,
        )
        for component in components
    ]
    return FitBasis(
        names=tuple(component.name for component in components),
        fids=np.array(fids),
        shift_sd_hz=np.array([c.shift_sd_ppm * sampling.spectrometer_mhz for c in components]),
        extra_width_sd_hz=np.array([c.extra_width_sd_hz for c in components]),
        ratio_priors=ratio_priors,
    )


def _simulated_fid(component: _Shape, sampling: Sampling, n_points: int) -> ComplexArray:
    """Return the simulated FID of a component at the dwell time of the data."""
    assert component.simulated is not None
    assert component.dwell_time_s is not None
    fid, dwell_time_s = component.simulated.fid, component.dwell_time_s
    broadened = fid * np.exp(-np.pi * component.extra_width_hz * dwell_time_s * np.arange(fid.size))
    return resample_basis(broadened, dwell_time_s, sampling.dwell_time_s, n_points)


def _result(
    arrays: FitArrays,
    model: MetaboliteModel,
    preprocessed: Preprocessed,
    window_hz: tuple[float, float],
) -> FitResult:
    """Return the fit as a record: names beside numbers, ppm beside Hz, phases taken off."""
    signal = preprocessed.fid
    sampling = signal.sampling
    mhz, carrier_ppm = sampling.spectrometer_mhz, sampling.reference_ppm
    amplitudes, lines, phase = arrays.amplitudes, arrays.lines, arrays.phase
    upright = np.exp(-1j * phase.zero_order_rad)
    components = np.asarray(arrays.components * upright)
    names = tuple(c.name for c in model.component)
    quality = names.index(model.quality_component)
    height, width_hz = _peak(components[quality], amplitudes.mean[quality], phase.delay_s, sampling)
    linewidth_hz = lines.linewidth_hz + np.array([c.extra_width_hz for c in model.component])
    if width_hz is not None:
        linewidth_hz[quality] = width_hz
    # The axis is referenced to the lines themselves: water moves 0.01 ppm per kelvin, they do not.
    off_ppm = lines.common_shift_hz / mhz
    referenced = replace(sampling, reference_ppm=carrier_ppm - off_ppm)
    own_ppm = (lines.shift_hz - lines.common_shift_hz) / mhz
    first_ppm = [c.resonance[0].ppm if c.resonance else np.nan for c in model.component]
    low_hz, high_hz = window_hz
    noise_sd = arrays.residual.noise_sd
    return FitResult(
        model=model_reference(model),
        names=names,
        amplitude=amplitudes.mean,
        covariance=amplitudes.covariance,
        crlb=amplitudes.crlb,
        low=amplitudes.low,
        high=amplitudes.high,
        ppm=np.array(first_ppm) + own_ppm,
        linewidth_hz=linewidth_hz,
        curves=Curves(
            sampling=referenced,
            data=np.asarray(signal.signal * upright),
            baseline=np.asarray(arrays.baseline * upright),
            components=components,
            window_ppm=(low_hz / mhz + carrier_ppm, high_hz / mhz + carrier_ppm),
            reference_shift_ppm=off_ppm,
        ),
        noise=Noise(
            sd=noise_sd,
            spectrum_sd=noise_sd * float(np.sqrt(signal.n_points)),
            residual_ratio=arrays.residual.ratio,
            residual_whiteness_p=arrays.residual.whiteness_p,
        ),
        phase=Phase(
            zero_order_rad=phase.zero_order_rad, delay_s=phase.delay_s + sampling.start_time_s
        ),
        peak=QualityPeak(name=model.quality_component, height=height),
        converged=arrays.doubt is None,
        reason=_in_words(arrays.doubt),
    )


def _in_words(doubt: Doubt | None) -> str:
    """Return why a fit is not to be used, in a sentence."""
    if doubt is None:
        return ""
    return {
        "unsettled": "the search for the optimum did not end",
        "too broad": f"the lines are as broad as is allowed, {doubt.hz:.0f} Hz",
        "lost": f"the fit ended {doubt.hz:+.0f} Hz from where it started",
    }[doubt.kind]


def _peak(
    fid: ComplexArray, amplitude: float, delay_s: float, sampling: Sampling
) -> tuple[float, float | None]:
    """Return height and full width at half maximum (Hz) of a fitted component's highest line.

    The known start turns the line by its own phase at that time. Turned over the whole frequency
    axis it would be mixed with its dispersion, and look narrower than it is.
    """
    if amplitude <= 0 or not np.any(fid):
        return 0.0, None
    n = scipy.fft.next_fast_len(_ZERO_FILL * fid.size)
    bin_hz = 1 / (n * sampling.dwell_time_s)
    first_rad = 2 * np.pi * bin_hz * (n // 2) * delay_s
    turn = phasors(np.array([-delay_s]), np.array([first_rad]), n, bin_hz)[0]
    turned = scipy.fft.fftshift(scipy.fft.fft(fid, n)) * turn
    if sampling.start_time_s:
        line_hz = bin_hz * (int(np.argmax(np.abs(turned))) - n // 2)
        turned *= np.exp(-2j * np.pi * line_hz * sampling.start_time_s)
    real = turned.real
    top = int(np.argmax(real))
    width = full_width(real, top)
    return float(real[top]), None if width is None else width / (n * sampling.dwell_time_s)
