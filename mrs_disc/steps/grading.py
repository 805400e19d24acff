"""The verdict on a spectrum: good, acceptable or poor, with each reason in words and numbers.

The gates are options of the recipe and proposals of this project, as are the constants below; the
brain's consensus limits (metabolite linewidth of 0.1 ppm, for one) would reject every degenerated
disc. Nothing is refused on a relative Cramér-Rao bound: that would drop the discs with little
lactate and bias what is left (Kreis 2016, doi:10.1002/mrm.25568).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.fft

from mrs_disc.data import Fid, FitResult, Preprocessed, Quality, Verdict
from mrs_disc.recipe import QualityOptions, Recipe
from mrs_disc.signal.noise import median
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import ComplexArray

WATER_BAND_PPM = (4.4, 4.9)
"""Where residual water is looked for (definition of `residual_water`)."""

LIPID_CH2_SHARE = 0.693
"""Share of the CH2 line near 1.30 ppm in the six-peak triglyceride (ISMRM fat-water toolbox)."""

LIPID_TO_WATER_PPM = 3.35
"""From the lipid's CH2 (1.30) to the carrier on water (4.65)."""

MARROW_LIPID = 20.0
"""Lipid over the quality peak from which the voxel lies in marrow or fat [proposed]: discs with
some marrow at the edge reach 10, a marrow voxel some hundreds."""

MARROW_SIGNAL = 0.05
"""Lipid over the water reference, as heights, from which the voxel lies in marrow or fat
[proposed]: 0.01 in a disc with marrow at its edge, 0.2 and more in marrow (fat fraction of 40 to
60 %: Mulkern, J Magn Reson Imaging 1994;4:585-589)."""

UNSUPPRESSED_SHARE = 0.3
"""Water of the metabolite measurement over that of the reference, from which it was not suppressed
[proposed]: below 0.05 where it was."""

SWAPPED = 0.5
"""Signal of the reference over that of the metabolite measurement, below which they are swapped
[proposed]: an unsuppressed measurement gives 1, a suppressed one 20 and more."""

HARDLY_SUPPRESSED = 100.0
"""Height of the water before its removal over that of the quality peak, from which water was not
suppressed [proposed]: up to 30 where it was, 300 and more where it was not."""

ONE_LINE = 0.8
"""Share of the energy in one line, from which a spectrum that cannot be fitted is that of water or
fat alone [proposed]: a disc without residual water has half of it in its highest line."""

LIPID_BAND_PPM = (1.0, 1.6)

MEASURABLE_SD = 3.0
"""A quality peak below so many of its standard deviations is not there [proposed]."""

STRUCTURED_P = 1e-3
"""Probability of so structured a residual from white noise, below which it counts [proposed]."""

INAUDIBLE = 0.3
"""A residual of less than this share of the noise has no structure that matters: there was none to
measure it by, as in simulated data without noise."""

_RANK: dict[Verdict, int] = {"good": 0, "acceptable": 1, "poor": 2}


@dataclass(slots=True)
class _Findings:
    """The worst verdict so far, its reasons, and what is only worth saying."""

    verdict: Verdict = "good"
    reasons: list[tuple[Verdict, str]] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def lower(self, verdict: Verdict, reason: str) -> None:
        """Lower the verdict for a reason."""
        self.reasons.append((verdict, reason))
        if _RANK[verdict] > _RANK[self.verdict]:
            self.verdict = verdict

    def sentences(self) -> tuple[str, ...]:
        """Return the reasons, the gravest first; of a good spectrum what it passed."""
        ordered = sorted(self.reasons, key=lambda r: -_RANK[r[0]])
        head = [text for _, text in ordered]
        if not head:
            head = ["all gates passed: " + ", ".join(self.passed)]
        return (*head, *self.remarks)


@one_blas_thread
def grade(fit: FitResult, preprocessed: Preprocessed, recipe: Recipe) -> Quality:
    """Return the verdict on a fitted spectrum.

    Parameters
    ----------
    fit : FitResult
        Height and width of the quality peak, noise, residual, amplitudes.
    preprocessed : Preprocessed
        What the steps found; the water reference.
    recipe : Recipe
        ``[quality]``: the gates.

    Returns
    -------
    Quality
        SNR is the height of the quality peak / standard deviation of the real noise of the
        unapodized spectrum; residual water the highest magnitude of 4.4 to 4.9 ppm after removal /
        the same height. Both are `None` where there is no quality peak.
    """
    gates = recipe.quality
    found = _Findings()
    _what_was_measured(fit, preprocessed, gates, found)
    snr = _snr(fit, gates, found)
    linewidth_hz = _linewidth(fit, gates, found)
    if not fit.converged:  # after what a reader of spectra looks for first
        found.lower("poor", fit.reason or "the fit did not converge")
    residual_water = _residual_water(fit, preprocessed, gates, found)
    _transients(preprocessed, gates, found)
    _residual(fit, gates, found)
    contaminated = _lipid(fit, gates, found)
    _displacement(preprocessed, found)
    return Quality(
        verdict=found.verdict,
        reasons=found.sentences(),
        snr=snr,
        linewidth_hz=linewidth_hz,
        water_linewidth_hz=preprocessed.water_linewidth_hz,
        n_transients=preprocessed.n_transients,
        n_rejected=len(preprocessed.rejected),
        rejected=tuple(sorted(preprocessed.rejected)),
        drift_hz=preprocessed.drift_hz,
        residual_water=residual_water,
        lipid_contaminated=contaminated,
    )


def _apart(value: float, limit: float, places: int = 1) -> str:
    """Return a number with as many decimal places as show on which side of its limit it lies.

    >>> _apart(0.31, 0.3, 2), _apart(0.3004, 0.3, 2), _apart(4.97, 5.0)
    ('0.31', '0.3004', '4.97')
    """
    for digits in range(places, places + 6):
        text = f"{value:.{digits}f}"
        if (float(text) > limit) == (value > limit) and float(text) != limit:
            return text
    return f"{value:.{places}f}"


def _snr(fit: FitResult, gates: QualityOptions, found: _Findings) -> float | None:
    peak = fit.peak.name or "quality peak"
    if not fit.noise.spectrum_sd > 0 or not np.isfinite(fit.peak.height):
        found.lower("poor", f"the noise of the spectrum or the height of {peak} is not known")
        return None
    snr = max(float(fit.peak.height / fit.noise.spectrum_sd), 0.0)
    if fit.has(peak):
        amplitude, sd = float(fit.amplitude[fit.index(peak)]), float(fit.sd[fit.index(peak)])
        if amplitude < MEASURABLE_SD * sd and snr >= gates.min_snr:
            found.lower(
                "poor",
                f"{peak} is {_apart(amplitude / sd, MEASURABLE_SD)} sd, below {MEASURABLE_SD:g}",
            )
    if snr < gates.min_snr:
        text = _apart(snr, gates.min_snr)
        found.lower("poor", f"SNR of {peak} is {text}, below {gates.min_snr:g}")
    elif snr < gates.good_snr:
        text = _apart(snr, gates.good_snr)
        found.lower("acceptable", f"SNR of {peak} is {text}; good from {gates.good_snr:g} on")
    else:
        found.passed.append(f"SNR {snr:.1f}")
    return snr


def _linewidth(fit: FitResult, gates: QualityOptions, found: _Findings) -> float | None:
    peak = fit.peak.name
    if not fit.has(peak):
        return None
    width_hz = float(fit.linewidth_hz[fit.index(peak)])
    if not np.isfinite(width_hz):
        found.lower("poor", f"{peak} has no linewidth")
        return None
    ppm = width_hz / fit.curves.sampling.spectrometer_mhz
    text = f"linewidth of {peak} is {width_hz:.1f} Hz"
    if ppm > (limit := gates.max_linewidth_ppm):
        found.lower("poor", f"{text} ({_apart(ppm, limit, 2)} ppm), above {limit:g} ppm")
    elif ppm > (limit := gates.good_linewidth_ppm):
        found.lower("acceptable", f"{text} ({_apart(ppm, limit, 2)} ppm); good up to {limit:g} ppm")
    else:
        found.passed.append(f"linewidth {width_hz:.1f} Hz ({ppm:.2f} ppm)")
    return width_hz


def _spectrum_scale(fit: FitResult, n_points: int) -> float:
    """Return what an orthonormal FFT is multiplied with to be in the units of the peak's height."""
    return fit.noise.spectrum_sd / fit.noise.sd if fit.noise.sd > 0 else float(np.sqrt(n_points))


def _highest(signal: Fid, band_ppm: tuple[float, float]) -> float:
    """Return the highest magnitude of a band, orthonormal FFT without zero filling."""
    sampling = signal.sampling
    hz = scipy.fft.fftfreq(signal.n_points, sampling.dwell_time_s)
    low, high = (sampling.hz(ppm) for ppm in band_ppm)
    inside = (hz >= low) & (hz <= high)
    if not np.any(inside):
        return 0.0
    spectrum = scipy.fft.fft(signal.signal, norm="ortho")
    return float(np.abs(spectrum[inside]).max())


def _residual_water(
    fit: FitResult, preprocessed: Preprocessed, gates: QualityOptions, found: _Findings
) -> float | None:
    if not fit.peak.height > 0:
        return None
    after = _highest(preprocessed.fid, WATER_BAND_PPM)
    ratio = after * _spectrum_scale(fit, preprocessed.fid.n_points) / fit.peak.height
    if ratio > gates.max_residual_water:
        found.lower(
            "poor",
            f"residual water is {_apart(ratio, gates.max_residual_water)} times the height of "
            f"{fit.peak.name}, above {gates.max_residual_water:g}",
        )
    else:
        found.passed.append(f"residual water {ratio:.1f} times {fit.peak.name}")
    return ratio


def _what_was_measured(
    fit: FitResult, preprocessed: Preprocessed, gates: QualityOptions, found: _Findings
) -> None:
    """Find swapped files, water that was not suppressed, and voxels outside the disc.

    All from the signal before water removal: of such data neither removal nor fit can be trusted.
    """
    before = preprocessed.unsuppressed_residue
    described = (
        fit.converged
        and fit.noise.residual_ratio <= gates.max_residual_ratio
        and fit.peak.height > gates.min_snr * fit.noise.spectrum_sd
    )
    if preprocessed.water is None:
        _without_reference(fit, preprocessed, described, found)
        return
    strength = _first_amplitude(preprocessed.water.signal) / max(
        _first_amplitude(before.signal), 1e-300
    )
    if strength < SWAPPED:
        found.lower(
            "poor",
            f"the water reference is {strength:.2g} times as strong as the metabolite "
            "measurement: the two are swapped, or the reference is not one",
        )
        return
    reference = max(_highest(preprocessed.water, WATER_BAND_PPM), 1e-300)
    water = _highest(before, WATER_BAND_PPM) / reference
    lipid = _highest(before, LIPID_BAND_PPM) / reference
    if lipid > MARROW_SIGNAL and lipid > MARROW_SIGNAL * water:
        found.lower(
            "poor", f"lipid is {lipid:.2g} times the water: the voxel lies in marrow or fat"
        )
    elif water > UNSUPPRESSED_SHARE:
        known = preprocessed.protocol.water_suppressed is False
        text = f"as high as {water:.2g} times its reference"
        if described and known:
            found.lower("acceptable", f"measured without water suppression: water {text}")
        else:
            found.lower("poor", f"water is {text}: not suppressed, or there is nothing else")


def _without_reference(
    fit: FitResult, preprocessed: Preprocessed, described: bool, found: _Findings
) -> None:
    """Find a spectrum of one line alone, and water that was not suppressed."""
    before = preprocessed.unsuppressed_residue
    share = _share_of_highest_line(before)
    if not described and share > ONE_LINE:
        found.lower("poor", f"one line holds {share:.0%} of the energy: water or fat alone")
        return
    height = _highest(before, WATER_BAND_PPM) * _spectrum_scale(fit, before.n_points)
    if not height > HARDLY_SUPPRESSED * fit.peak.height > 0:
        return
    ratio = height / fit.peak.height
    if described and preprocessed.protocol.water_suppressed is False:
        found.lower("acceptable", f"measured without water suppression: {ratio:.0f} times the peak")
    else:
        found.lower("poor", f"water was not suppressed: {ratio:.0f} times {fit.peak.name}")


def _share_of_highest_line(signal: Fid) -> float:
    """Return the share of the spectrum's energy within 0.6 ppm of its highest point."""
    energy = np.abs(scipy.fft.fft(signal.signal)) ** 2
    bin_hz = 1.0 / (signal.n_points * signal.sampling.dwell_time_s)
    reach = max(int(0.6 * signal.sampling.spectrometer_mhz / bin_hz), 1)
    top = int(np.argmax(energy))
    near = np.arange(top - reach, top + reach + 1) % signal.n_points
    return float(energy[np.unique(near)].sum() / max(float(energy.sum()), 1e-300))


def _first_amplitude(signal: ComplexArray) -> float:
    """Return the magnitude of the first points: the amplitude of the strongest line, nearly."""
    return float(median(np.abs(signal[:5])))


def _transients(preprocessed: Preprocessed, gates: QualityOptions, found: _Findings) -> None:
    total, rejected = preprocessed.n_transients, len(preprocessed.rejected)
    kept = 1 - rejected / total if total else 0.0
    if kept < gates.min_kept_fraction:
        found.lower(
            "poor",
            f"{rejected} of {total} transients rejected; "
            f"at least {gates.min_kept_fraction:.0%} have to stay",
        )
    elif rejected:
        found.passed.append(f"{rejected} of {total} transients rejected")
    drift = preprocessed.drift_hz
    if drift is not None and drift > gates.max_drift_hz:
        text = _apart(drift, gates.max_drift_hz)
        found.lower("acceptable", f"drift of {text} Hz, above {gates.max_drift_hz:g} Hz")
    elif drift is not None:
        found.passed.append(f"drift {drift:.1f} Hz")


def _residual(fit: FitResult, gates: QualityOptions, found: _Findings) -> None:
    ratio, p = fit.noise.residual_ratio, fit.noise.residual_whiteness_p
    if not np.isfinite(ratio) or ratio > gates.max_residual_ratio:
        found.lower(
            "poor",
            f"the residual is {_apart(ratio, gates.max_residual_ratio, 2)} times the "
            f"noise, above {gates.max_residual_ratio:g}: the model does not describe the spectrum",
        )
    else:
        found.passed.append(f"residual {ratio:.2f} times the noise")
    if p is not None and p < STRUCTURED_P and ratio > INAUDIBLE:
        found.lower(
            "acceptable",
            f"the residual has structure (whiteness p below {STRUCTURED_P:g})",
        )


def _lipid(fit: FitResult, gates: QualityOptions, found: _Findings) -> bool:
    """Say whether lipid may pass for lactate, and whether the voxel lies in marrow."""
    described = fit.converged and fit.noise.residual_ratio <= 2 * gates.max_residual_ratio
    if not fit.has("LIP") or not described:
        return False
    index = fit.index("LIP")
    lipid, lipid_sd = float(fit.amplitude[index]), float(fit.sd[index])
    if lipid < 2 * lipid_sd or lipid <= 0:
        return False
    methylene = LIPID_CH2_SHARE * lipid
    if fit.has(fit.peak.name):
        peak = fit.index(fit.peak.name)
        ratio = lipid / max(float(fit.amplitude[peak]), float(fit.sd[peak]), 1e-300)
        if ratio > MARROW_LIPID:
            found.lower(
                "poor",
                f"lipid is {ratio:.0f} times {fit.peak.name}: the voxel lies in marrow or fat",
            )
    if not fit.has("LAC", "ALA"):
        return False
    lac, ala = fit.index("LAC"), fit.index("ALA")
    acid = float(fit.amplitude[lac] + fit.amplitude[ala])
    pair = fit.covariance[np.ix_([lac, ala], [lac, ala])]
    acid = max(acid, float(np.sqrt(max(pair.sum(), 0.0))), 1e-300)
    if methylene <= gates.max_lipid_ratio * acid:
        return False
    found.lower(
        "acceptable",
        f"lactate contaminated by lipid: its CH2 is "
        f"{_apart(methylene / acid, gates.max_lipid_ratio)} times LAC + ALA, "
        f"above {gates.max_lipid_ratio:g}",
    )
    return True


def _displacement(preprocessed: Preprocessed, found: _Findings) -> None:
    """Say how far the voxel of lipid lies from that of water, where the bandwidth is known."""
    protocol = preprocessed.protocol
    bandwidth = protocol.refocusing_bandwidth_hz
    if bandwidth is None:
        return
    share = LIPID_TO_WATER_PPM * preprocessed.fid.sampling.spectrometer_mhz / bandwidth
    text = (
        f"voxels of lipid and water lie {share:.0%} of the voxel apart in each refocused direction"
    )
    if protocol.voxel_size_mm is not None:
        text += f" ({share * min(protocol.voxel_size_mm):.1f} mm in the thinnest)"
    found.remarks.append(text)
