"""The record of a fit: names beside numbers, ppm beside Hz, phases taken off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import log

import numpy as np
import scipy.fft

from mrs_disc.data import Curves, FitResult, Noise, Phase, Preprocessed, QualityPeak, Sampling
from mrs_disc.models import MetaboliteModel, RatioPrior, model_reference
from mrs_disc.record.parts import RatioHeld
from mrs_disc.signal.axes import phasors
from mrs_disc.signal.fit.fit import Doubt, FitArrays
from mrs_disc.signal.phase import full_width
from mrs_disc.typing import ComplexArray

_ZERO_FILL = 4


def result_of(
    arrays: FitArrays,
    model: MetaboliteModel,
    preprocessed: Preprocessed,
    window_hz: tuple[float, float],
) -> FitResult:
    """Return the fit as a record.

    Parameters
    ----------
    arrays : FitArrays
        What the fit gives.
    model, preprocessed : MetaboliteModel, Preprocessed
        What was fitted to what.
    window_hz : tuple of float
        The fitted range, from the reference frequency.
    """
    signal = preprocessed.fid
    sampling = signal.sampling
    mhz, carrier_ppm = sampling.spectrometer_mhz, sampling.reference_ppm
    amplitudes, lines, phase = arrays.amplitudes, arrays.lines, arrays.phase
    upright = np.exp(-1j * phase.zero_order_rad)
    components = np.asarray(arrays.components * upright)
    names = tuple(c.name for c in model.component)
    quality = names.index(model.quality_component)
    height, width_hz = _peak(components[quality], amplitudes.mean[quality], phase.delay_s, sampling)
    extra_hz = [(c.part[0] if c.part else c).extra_width_hz for c in model.component]
    linewidth_hz = lines.linewidth_hz + np.array(extra_hz)
    if width_hz is not None:
        linewidth_hz[quality] = width_hz
    # The axis is referenced to the lines themselves: water moves 0.01 ppm per kelvin, they do not.
    # The quality peak stands for them: it is the one that is nearly always there.
    off_ppm = float(lines.shift_hz[quality]) / mhz
    referenced = replace(sampling, reference_ppm=carrier_ppm - off_ppm)
    own_ppm = (lines.shift_hz - lines.shift_hz[quality]) / mhz
    first_ppm = [c.resonance[0].ppm if c.resonance else np.nan for c in model.component]
    low_hz, high_hz = window_hz
    noise_sd = arrays.residual.noise_sd
    return FitResult(
        model=model_reference(model),
        names=names,
        amplitude=amplitudes.mean,
        covariance=amplitudes.covariance,
        repetition=amplitudes.repetition,
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
        ratio_priors=tuple(
            _held(prior, dict(zip(names, amplitudes.mean.tolist(), strict=True)))
            for prior in model.prior
        ),
    )


def _held(prior: RatioPrior, amplitude: Mapping[str, float]) -> RatioHeld:
    """Return a prior of a ratio, and by how many of its standard deviations the fit lies off."""
    above, below = amplitude[prior.numerator], amplitude[prior.denominator]
    off = log(above / below / prior.median) / prior.log_sd if above > 0 and below > 0 else None
    return RatioHeld(
        name=f"{prior.numerator}/{prior.denominator}",
        median=prior.median,
        log_sd=prior.log_sd,
        source=prior.source,
        status=prior.status,
        deviation_sd=off,
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
