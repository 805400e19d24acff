"""From a preprocessed spectrum and a model to amplitudes with their covariance.

The model's resonances become unit FIDs at the protocol's echo time and field (`signal.basis`), the
kernel fits them (`signal.fit`); this room knows records, the kernel knows arrays.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft

from mrs_disc.data import (
    Curves,
    FitResult,
    Noise,
    Phase,
    Preprocessed,
    Protocol,
    QualityPeak,
    Sampling,
)
from mrs_disc.errors import InputError
from mrs_disc.models import (
    Component,
    MetaboliteModel,
    load_metabolite_model,
    model_reference,
)
from mrs_disc.models import RatioPrior as ModelRatioPrior
from mrs_disc.models import Resonance as ModelResonance
from mrs_disc.models.basis import basis_fid
from mrs_disc.recipe import Recipe
from mrs_disc.signal.axes import phasors
from mrs_disc.signal.basis import Resonance, component_fid, resample_basis
from mrs_disc.signal.fit import FitArrays, FitBasis, fit_fid
from mrs_disc.signal.fit_solve import RatioPrior
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import ComplexArray, FloatArray

_ZERO_FILL = 4


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
    basis = basis_of(model, recipe.fit.model, preprocessed.protocol, sampling, signal.n_points)
    low, high = _window_hz(sampling, recipe.fit.window_ppm)
    try:
        arrays = fit_fid(
            signal.signal,
            dwell_time_s=sampling.dwell_time_s,
            basis=basis,
            window_hz=(low, high),
            baseline_hz=(low, high) if recipe.fit.baseline == "humps" else None,
            start_time_s=sampling.start_time_s,
        )
    except InputError as error:
        raise InputError(_named(str(error), model)) from error
    return _result(arrays, model, preprocessed, recipe)


def _named(message: str, model: MetaboliteModel) -> str:
    """Return a message of the kernel, which knows components by number, with their names."""

    def names(match: re.Match[str]) -> str:
        return match[1] + re.sub(r"\d+", lambda n: model.component[int(n[0])].name, match[2])

    return re.sub(r"\b(components? )(\d+(?: and \d+)?)\b", names, message)


def _window_hz(sampling: Sampling, window_ppm: tuple[float, float]) -> tuple[float, float]:
    """Return the fitted range in Hz, cut where a narrow spectral width ends."""
    edge = 0.49 * sampling.spectral_width_hz
    low, high = (sampling.hz(ppm) for ppm in window_ppm)
    return max(low, -edge), min(high, edge)


def basis_of(
    model: MetaboliteModel, name: str, protocol: Protocol, sampling: Sampling, n_points: int
) -> FitBasis:
    """Return the model's components as unit FIDs on the points of the data.

    Parameters
    ----------
    model : MetaboliteModel
        The components.
    name : str
        Name or path of the model: basis files are relative to it.
    protocol : Protocol
        Echo time and refocusing bandwidth.
    sampling : Sampling
        Dwell time, field and reference of the data.
    n_points : int
        Points of the data.
    """
    echo = _echo_time_s(model, protocol)
    bandwidth = protocol.refocusing_bandwidth_hz
    components = tuple(_Lines.of(component) for component in model.component)
    if all(component.basis is None for component in model.component):
        return _basis_of_lines(components, model.prior, sampling, n_points, echo, bandwidth)
    fids = [
        _basis_file_fid(model, name, component, sampling, n_points)
        if component.basis is not None
        else _line_fid(lines, sampling, n_points, echo, bandwidth)
        for component, lines in zip(model.component, components, strict=True)
    ]
    return _fit_basis(fids, components, model.prior, sampling)


class _Lines(NamedTuple):
    """What the fit has to know of a component, without where it is from."""

    name: str
    resonance: tuple[ModelResonance, ...]
    extra_width_hz: float
    shift_sd_ppm: float
    extra_width_sd_hz: float

    @classmethod
    def of(cls, component: Component) -> _Lines:
        return cls(*(getattr(component, name) for name in cls._fields))


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
def _basis_of_lines(
    components: tuple[_Lines, ...],
    priors: tuple[ModelRatioPrior, ...],
    sampling: Sampling,
    n_points: int,
    echo_time_s: float,
    refocusing_bandwidth_hz: float | None,
) -> FitBasis:
    """Return the basis of components given as resonances: one object for discs of one protocol.

    The fit keeps what depends on the basis alone for as long as it meets the same object.
    """
    fids = [
        _line_fid(component, sampling, n_points, echo_time_s, refocusing_bandwidth_hz)
        for component in components
    ]
    return _fit_basis(fids, components, priors, sampling)


def _fit_basis(
    fids: list[ComplexArray],
    components: tuple[_Lines, ...],
    priors: tuple[ModelRatioPrior, ...],
    sampling: Sampling,
) -> FitBasis:
    """Return unit FIDs together with what the model says of each component."""
    names = [component.name for component in components]
    return FitBasis(
        fids=np.array(fids),
        shift_sd_hz=np.array([c.shift_sd_ppm * sampling.spectrometer_mhz for c in components]),
        extra_width_sd_hz=np.array([c.extra_width_sd_hz for c in components]),
        ratio_priors=tuple(
            RatioPrior(
                numerator=names.index(prior.numerator),
                denominator=names.index(prior.denominator),
                median=prior.median,
                log_sd=prior.log_sd,
            )
            for prior in priors
        ),
    )


def _line_fid(
    component: _Lines,
    sampling: Sampling,
    n_points: int,
    echo_time_s: float,
    refocusing_bandwidth_hz: float | None,
) -> ComplexArray:
    """Return the unit FID of a component that is given as resonances."""
    return component_fid(
        [
            Resonance(
                ppm=r.ppm,
                weight=r.weight,
                j_hz=r.j_hz,
                neighbours=r.neighbours,
                partner_ppm=r.partner_ppm,
                in_amplitude=r.in_amplitude,
                extra_width_hz=r.extra_width_hz + component.extra_width_hz,
                gauss_width_ppm=r.gauss_width_ppm,
            )
            for r in component.resonance
        ],
        time_s=sampling.time_s(n_points),
        spectrometer_mhz=sampling.spectrometer_mhz,
        reference_ppm=sampling.reference_ppm,
        echo_time_s=echo_time_s,
        refocusing_bandwidth_hz=refocusing_bandwidth_hz,
    )


def _basis_file_fid(
    model: MetaboliteModel,
    name: str,
    component: Component,
    sampling: Sampling,
    n_points: int,
) -> ComplexArray:
    """Return the simulated FID of a component at the dwell time of the data."""
    fid, dwell_time_s = basis_fid(model, name, component)
    broadened = fid * np.exp(-np.pi * component.extra_width_hz * dwell_time_s * np.arange(fid.size))
    return resample_basis(broadened, dwell_time_s, sampling.dwell_time_s, n_points)


def _result(
    arrays: FitArrays, model: MetaboliteModel, preprocessed: Preprocessed, recipe: Recipe
) -> FitResult:
    signal = preprocessed.fid
    sampling = signal.sampling
    mhz, carrier_ppm = sampling.spectrometer_mhz, sampling.reference_ppm
    low, high = _window_hz(sampling, recipe.fit.window_ppm)
    names = tuple(c.name for c in model.component)
    phase = np.exp(-1j * arrays.phase_rad)
    components = np.asarray(arrays.components * phase)
    quality = names.index(model.quality_component)
    height, width_hz = _peak(
        components[quality], arrays.amplitude[quality], arrays.delay_s, sampling
    )
    linewidth_hz = arrays.linewidth_hz + np.array([c.extra_width_hz for c in model.component])
    if width_hz is not None:
        linewidth_hz[quality] = width_hz
    # The axis is referenced to the lines themselves: water moves 0.01 ppm per kelvin, they do not.
    off_ppm = arrays.common_shift_hz / mhz
    referenced = replace(sampling, reference_ppm=carrier_ppm - off_ppm)
    own_ppm = (arrays.shift_hz - arrays.common_shift_hz) / mhz
    first_ppm = [c.resonance[0].ppm if c.resonance else np.nan for c in model.component]
    return FitResult(
        model=model_reference(model),
        names=names,
        amplitude=arrays.amplitude,
        covariance=arrays.covariance,
        crlb=arrays.crlb,
        low=arrays.low,
        high=arrays.high,
        ppm=np.array(first_ppm) + own_ppm,
        linewidth_hz=linewidth_hz,
        curves=Curves(
            sampling=referenced,
            data=np.asarray(signal.signal * phase),
            baseline=np.asarray(arrays.baseline * phase),
            components=components,
            window_ppm=(low / mhz + carrier_ppm, high / mhz + carrier_ppm),
            reference_shift_ppm=off_ppm,
        ),
        noise=Noise(
            sd=arrays.noise_sd,
            spectrum_sd=arrays.noise_sd * float(np.sqrt(signal.n_points)),
            residual_ratio=arrays.residual_ratio,
            residual_whiteness_p=arrays.residual_whiteness_p,
        ),
        phase=Phase(zero_order_rad=arrays.phase_rad, delay_s=arrays.delay_s),
        peak=QualityPeak(name=model.quality_component, height=height),
        converged=arrays.converged,
        reason=arrays.reason,
    )


def _peak(
    fid: ComplexArray, amplitude: float, delay_s: float, sampling: Sampling
) -> tuple[float, float | None]:
    """Return height and full width at half maximum (Hz) of a fitted component's highest line."""
    if amplitude <= 0 or not np.any(fid):
        return 0.0, None
    n = scipy.fft.next_fast_len(_ZERO_FILL * fid.size)
    bin_hz = 1 / (n * sampling.dwell_time_s)
    first_rad = 2 * np.pi * bin_hz * (n // 2) * delay_s
    turn = phasors(np.array([-delay_s]), np.array([first_rad]), n, bin_hz)[0]
    real = (scipy.fft.fftshift(scipy.fft.fft(fid, n)) * turn).real
    top = int(np.argmax(real))
    half = real[top] / 2
    left = _crossing(real[top::-1], half)
    right = _crossing(real[top:], half)
    return float(real[top]), (left + right) / (n * sampling.dwell_time_s)


def _crossing(falling: FloatArray, level: float) -> float:
    """Return how many bins from its start a curve first falls below `level`, interpolated."""
    below = np.flatnonzero(falling < level)
    if below.size == 0:
        return float(falling.size - 1)
    after = int(below[0])
    before, here = falling[after - 1], falling[after]
    return after - 1 + float((before - level) / (before - here))
