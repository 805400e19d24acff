"""The verdict on a spectrum: good, acceptable or poor, with each reason as a finding.

A gate makes a finding, whose kind says which verdict it leaves at best (`mrs_disc.record.wording`).

The gates are options of the recipe and proposals of this project, as are the constants below; the
brain's consensus limits (metabolite linewidth of 0.1 ppm, for one) would reject every degenerated
disc. Nothing is refused on a relative Cramér-Rao bound: that would drop the discs with little
lactate and bias what is left (Kreis 2016, doi:10.1002/mrm.25568).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.fft

from mrs_disc.constants import GAMMA_1H_MHZ_PER_T, LIPID_TO_WATER_PPM, PG_TO_WATER_PPM
from mrs_disc.data import Fid, FitResult, Preprocessed, Quality, Verdict
from mrs_disc.recipe import QualityOptions, Recipe, load_recipe
from mrs_disc.record.findings import Finding, finding, of_role, sentences
from mrs_disc.signal.fit.basis import voigt_width
from mrs_disc.signal.noise import median
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import ComplexArray

WATER_BAND_PPM = (4.4, 4.9)
"""Where residual water is looked for (definition of `residual_water`)."""

LIPID_CH2_SHARE = 0.693
"""Share of the CH2 line near 1.30 ppm in the six-peak triglyceride (ISMRM fat-water toolbox)."""

LIPID_BESIDE_SD = 1.5
"""How far below zero lipid may be, in its errors. A line that is taken off says that a real one
lies beside it, and lactate takes what is left."""
_LIPID_IN_ACIDS = ("lipid_on_lactate", "lipid_beside")

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
suppressed where the fit does not describe the spectrum [proposed]: up to 30 where it was."""

NOT_SUPPRESSED = 300.0
"""The same where the fit does describe it: of weakly suppressed discs 200, of those that were not
suppressed 300 to 900 (as `io.gate` has it from real files)."""

ONE_LINE = 0.8
"""Share of the energy in one line, from which a spectrum that cannot be fitted is that of water or
fat alone [proposed]: a disc without residual water has half of it in its highest line."""

LIPID_BAND_PPM = (1.0, 1.6)

ALONE, _FEW_COMPONENTS = 0.25, 4
"""All other components together over the quality peak, below which that is alone [proposed]:
simulated discs 1.1 to 3, residual water taken for PG below .15. A model of fewer says nothing."""

MEASURABLE_SD = 3.0
"""A quality peak below so many of its standard deviations is not there [proposed]."""

DOUBTFUL_ECHO_TIME_SD = 2.5
"""Evidence of the multiplets against the stated echo time from which it is worth a remark
[proposed]: 1 of 100 sound discs; with little lactate 68 ms for 30 give 1 to 3."""

OWN_WIDTH_HZ = 10.0
"""Width that the acetyl line has at any field [D]: 6 Hz of a macromolecule (model ``disc_1h``) and
4 Hz of a T2 of 80 ms [P]."""

MHZ_AT_3T = 3.0 * GAMMA_1H_MHZ_PER_T
"""Where the gates of the linewidth were set."""

STRUCTURED_P = 1e-3
"""Probability of so structured a residual from white noise, below which it counts [proposed]."""

INAUDIBLE = 0.3
"""A residual of less than this share of the noise has no structure that matters: there was none to
measure it by, as in simulated data without noise."""

_RANK: dict[Verdict, int] = {"good": 0, "acceptable": 1, "poor": 2}


@one_blas_thread
def grade(
    fit: FitResult, preprocessed: Preprocessed, recipe: str | Path | Recipe | None = None
) -> Quality:
    """Return the verdict on a fitted spectrum.

    Parameters
    ----------
    fit : FitResult
        Height and width of the quality peak, noise, residual, amplitudes.
    preprocessed : Preprocessed
        What the steps found; the water reference.
    recipe : str, Path, Recipe or None
        ``[quality]``: the gates; `None`: the defaults.

    Returns
    -------
    Quality
        SNR is the height of the quality peak / standard deviation of the real noise of the
        unapodized spectrum; residual water the highest magnitude of 4.4 to 4.9 ppm after removal /
        the same height, and likewise before it. They are `None` where there is no quality peak.
    """
    gates = load_recipe(recipe).quality
    snr, of_snr = _snr(fit, gates, _cut_short(preprocessed.fid))
    linewidth_hz, of_linewidth = _linewidth(fit, gates)
    residual_water, of_water = _residual_water(fit, preprocessed, gates)
    before_removal, of_suppression = _suppression(fit, preprocessed, gates)
    of_lipid = _lipid(fit, gates)
    noticed = [
        *_what_was_measured(fit, preprocessed, gates),
        *of_snr,
        *of_linewidth,
        *_convergence(fit),  # after what a reader of spectra looks for first
        *of_water,
        *of_suppression,
        *_transients(preprocessed, gates),
        *_residual(fit, gates),
        *_below_zero(fit, gates),
        *_turned_over(fit, preprocessed),
        *_echo_time(fit, gates),
        *_shift(fit, preprocessed, gates),
        *of_role(preprocessed.findings, "reason", "remark"),
        *of_lipid,
        *(one for one in fit.findings if one.kind == "foreign_found"),
        *_displacement(preprocessed),
    ]
    verdict, findings = _verdict(noticed)
    return Quality(
        verdict=verdict,
        reasons=sentences(findings),
        findings=findings,
        snr=snr,
        linewidth_hz=linewidth_hz,
        water_linewidth_hz=preprocessed.water_linewidth_hz,
        n_transients=preprocessed.n_transients,
        n_rejected=len(preprocessed.rejected),
        rejected=tuple(sorted(preprocessed.rejected)),
        drift_hz=preprocessed.drift_hz,
        residual_water=residual_water,
        water_before_removal=before_removal,
        lipid_contaminated=any(one.kind in _LIPID_IN_ACIDS for one in of_lipid),
        shift_ppm=fit.curves.reference_shift_ppm,
    )


def _verdict(noticed: Sequence[Finding]) -> tuple[Verdict, tuple[Finding, ...]]:
    """Return the verdict that the findings leave, and its reasons, the gravest first.

    Of a good spectrum they name the gates that it passed; remarks come last.
    """
    reasons = sorted(of_role(noticed, "reason"), key=lambda one: -_RANK[_leaves(one)])
    verdict = _leaves(reasons[0]) if reasons else "good"
    if not reasons:
        reasons = [finding("all_passed", gates=of_role(noticed, "passed"))]
    return verdict, (*reasons, *of_role(noticed, "remark"))


def _leaves(noticed: Finding) -> Verdict:
    return noticed.about.verdict or "good"


def _cut_short(fid: Fid) -> float:
    """Return how many times as many points were measured as are left where a filter was undone."""
    cut = [step.measured for step in fid.history if step.step == "storage"]
    return float(cut[0]["n_measured"] / cut[0]["n_points"]) if cut else 1.0


def _snr(
    fit: FitResult, gates: QualityOptions, cut_short: float
) -> tuple[float | None, list[Finding]]:
    peak = fit.peak.name or "quality peak"
    if not fit.noise.spectrum_sd > 0 or not np.isfinite(fit.peak.height):
        return None, [finding("noise_unknown", peak)]
    snr = max(float(fit.peak.height / (fit.noise.spectrum_sd * np.sqrt(cut_short))), 0.0)
    if snr < gates.min_snr:
        return snr, [finding("snr_low", peak, snr=snr, least=gates.min_snr)]
    found = []
    if fit.has(peak):
        amplitude, sd = float(fit.amplitude[fit.index(peak)]), float(fit.sd[fit.index(peak)])
        if amplitude < MEASURABLE_SD * sd:
            found.append(finding("not_measurable", peak, ratio=amplitude / sd, least=MEASURABLE_SD))
    if snr < gates.good_snr:
        return snr, [*found, finding("snr_fair", peak, snr=snr, good=gates.good_snr)]
    return snr, [*found, finding("snr_good", peak, snr=snr)]


def _linewidth(fit: FitResult, gates: QualityOptions) -> tuple[float | None, list[Finding]]:
    peak = fit.peak.name
    if not fit.has(peak):
        return None, []
    width_hz = float(fit.linewidth_hz[fit.index(peak)])
    if not np.isfinite(width_hz):
        return None, [finding("no_linewidth", peak)]
    mhz = fit.curves.sampling.spectrometer_mhz
    width = {"hz": width_hz, "ppm": width_hz / mhz}
    most, good = (
        _width_at(mhz, limit) for limit in (gates.max_linewidth_ppm, gates.good_linewidth_ppm)
    )
    if width["ppm"] > most:
        return width_hz, [finding("linewidth_wide", peak, most=most, **width)]
    if width["ppm"] > good:
        return width_hz, [finding("linewidth_fair", peak, good=good, **width)]
    return width_hz, [finding("linewidth_good", peak, **width)]


def _width_at(mhz: float, ppm_at_3t: float) -> float:
    """Return what a width at 3 T becomes at another field, in ppm.

    The field's inhomogeneity is the same in ppm; what a line has of its own is the same in Hz.
    """
    own_hz, width_hz = OWN_WIDTH_HZ, ppm_at_3t * MHZ_AT_3T
    shim_hz = np.sqrt(max((width_hz - 0.5346 * own_hz) ** 2 - 0.2166 * own_hz**2, 0.0))
    at_field_hz = float(voigt_width(np.asarray(own_hz), shim_hz * mhz / MHZ_AT_3T))
    return round(at_field_hz / mhz, 3)


def _convergence(fit: FitResult) -> list[Finding]:
    if fit.converged:
        return []
    return [finding("not_converged", why=fit.reason or "the fit did not converge")]


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


def _turned_over(fit: FitResult, preprocessed: Preprocessed) -> list[Finding]:
    """Find a spectrum that was turned over for nothing: its residual water then lies at PG.

    A carrier on the metabolites, of which the file says nothing, leaves all beside water on the
    wrong side too. A disc holds more than one component, whichever way it lies.
    """
    if not any(one.kind == "turned_over" for one in preprocessed.findings):
        return []
    beside = [name for name in fit.names if name != fit.peak.name]
    if len(beside) < _FEW_COMPONENTS or not fit.has(fit.peak.name):
        return []
    others = sum(max(float(fit.amplitude[fit.index(name)]), 0.0) for name in beside)
    alone = others < ALONE * float(fit.amplitude[fit.index(fit.peak.name)])
    return [finding("turned_in_doubt", fit.peak.name)] if alone else []


def _residual_water(
    fit: FitResult, preprocessed: Preprocessed, gates: QualityOptions
) -> tuple[float | None, list[Finding]]:
    if not fit.peak.height > 0:
        return None, []
    after = _highest(preprocessed.fid, WATER_BAND_PPM)
    ratio = after * _spectrum_scale(fit, preprocessed.fid.n_points) / fit.peak.height
    most, peak = gates.max_residual_water, fit.peak.name
    kind = "residual_water_high" if ratio > most else "residual_water_good"
    return ratio, [finding(kind, peak, ratio=ratio, most=most)]


def _suppression(
    fit: FitResult, preprocessed: Preprocessed, gates: QualityOptions
) -> tuple[float | None, list[Finding]]:
    """Judge the water before its removal: after it the best of removals looks like suppression."""
    if not fit.peak.height > 0:
        return None, []
    ratio = _water_over_peak(fit, preprocessed.unsuppressed_residue)
    most = gates.max_water_before_removal
    found = [finding("water_left_high", fit.peak.name, ratio=ratio, most=most)]
    return ratio, found if ratio > most else []


def _water_over_peak(fit: FitResult, before: Fid) -> float:
    """Return the height of the water before its removal over that of the quality peak."""
    return (
        _highest(before, WATER_BAND_PPM)
        * _spectrum_scale(fit, before.n_points)
        / max(fit.peak.height, 1e-300)
    )


def _what_was_measured(
    fit: FitResult, preprocessed: Preprocessed, gates: QualityOptions
) -> list[Finding]:
    """Find swapped files, water that was not suppressed, and voxels outside the disc.

    All from the signal before water removal: of such data neither removal nor fit can be trusted.
    """
    before = preprocessed.unsuppressed_residue
    described = (
        fit.converged
        and fit.noise.residual_ratio <= gates.max_residual_ratio
        and fit.peak.height > gates.min_snr * fit.noise.spectrum_sd
    )
    known = described and preprocessed.protocol.water_suppressed is False
    if preprocessed.water is None:
        return _without_reference(fit, before, gates, described=described, known=known)
    strength = _first_amplitude(preprocessed.water.signal) / max(
        _first_amplitude(before.signal), 1e-300
    )
    if strength < SWAPPED:
        return [finding("swapped", "water", ratio=strength)]
    reference = max(_highest(preprocessed.water, WATER_BAND_PPM), 1e-300)
    water = _highest(before, WATER_BAND_PPM) / reference
    lipid = _highest(before, LIPID_BAND_PPM) / reference
    if lipid > MARROW_SIGNAL and lipid > MARROW_SIGNAL * water:
        return [finding("marrow_by_water", "LIP", ratio=lipid)]
    if water > UNSUPPRESSED_SHARE:
        return [finding("unsuppressed_known" if known else "unsuppressed", "water", ratio=water)]
    return []


def _without_reference(
    fit: FitResult, before: Fid, gates: QualityOptions, *, described: bool, known: bool
) -> list[Finding]:
    """Find a spectrum of one line alone, and water that was not suppressed."""
    share = _share_of_highest_line(before)
    ratio = _water_over_peak(fit, before) if fit.peak.height > 0 else np.inf
    seen = fit.peak.height > gates.min_snr * fit.noise.spectrum_sd
    beside_water = seen and 1.0 < ratio <= HARDLY_SUPPRESSED  # that is what the one line is
    if not described and share > ONE_LINE and not beside_water:
        return [finding("one_line", share=share)]
    if not (NOT_SUPPRESSED if described else HARDLY_SUPPRESSED) < ratio < np.inf:
        return []
    kind = "unsuppressed_peak_known" if known else "unsuppressed_peak"
    return [finding(kind, fit.peak.name, ratio=ratio)]


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


def _transients(preprocessed: Preprocessed, gates: QualityOptions) -> list[Finding]:
    found = []
    total, rejected = preprocessed.n_transients, len(preprocessed.rejected)
    kept = 1 - rejected / total if total else 0.0
    if rejected or kept < gates.min_kept_fraction:
        kind = "many_rejected" if kept < gates.min_kept_fraction else "few_rejected"
        found.append(finding(kind, n=rejected, of=total, least=gates.min_kept_fraction))
    if (drift := preprocessed.drift_hz) is not None:
        kind = "drift_large" if drift > gates.max_drift_hz else "drift_good"
        found.append(finding(kind, hz=drift, most=gates.max_drift_hz))
    return found


def _residual(fit: FitResult, gates: QualityOptions) -> list[Finding]:
    ratio, most = fit.noise.residual_ratio, gates.max_residual_ratio
    low = np.isfinite(ratio) and ratio <= most
    found = [finding("residual_good" if low else "residual_high", ratio=ratio, most=most)]
    p = fit.noise.residual_whiteness_p
    if p is not None and p < STRUCTURED_P and ratio > INAUDIBLE:
        found.append(finding("residual_structured", p=p, limit=STRUCTURED_P))
    return found


def _below_zero(fit: FitResult, gates: QualityOptions) -> list[Finding]:
    """Find components that no noise explains: no disc holds less than none of anything."""
    most = gates.max_negative_sd
    below = {
        name: -float(amplitude / sd)
        for name, amplitude, sd in zip(fit.names, fit.amplitude, fit.sd, strict=True)
        if amplitude < -most * sd and sd > 0
    }
    if not below:
        return []
    name = max(below, key=lambda one: below[one])
    return [finding("below_zero", name, ratio=below[name], most=most, names=list(below))]


def _echo_time(fit: FitResult, gates: QualityOptions) -> list[Finding]:
    """Find multiplets that evolved for another time than the stated echo time."""
    echo, most = fit.echo, gates.max_echo_time_sd
    if echo is None or echo.deviation_sd <= min(DOUBTFUL_ECHO_TIME_SD, most):
        return []
    kind = "echo_time_contradicted" if echo.deviation_sd > most else "echo_time_doubtful"
    values = {"stated_ms": 1e3 * echo.stated_s, "fitting_ms": 1e3 * echo.fitting_s, "most": most}
    return [finding(kind, names=list(echo.multiplets), ratio=echo.deviation_sd, **values)]


def _shift(fit: FitResult, preprocessed: Preprocessed, gates: QualityOptions) -> list[Finding]:
    """Find lines far from where the axis has them, which water, where there is one, has put."""
    shift = fit.curves.reference_shift_ppm
    if preprocessed.water is None:
        most = gates.max_shift_without_water_ppm
        kind = "shift_implausible_no_water"
        return [finding(kind, ppm=shift, most=most)] if abs(shift) > most else []
    if abs(shift) > gates.max_shift_ppm:
        return [finding("shift_implausible", ppm=shift, most=gates.max_shift_ppm)]
    if abs(shift) > gates.good_shift_ppm:
        return [finding("shift_large", ppm=shift, good=gates.good_shift_ppm)]
    return []


def _lipid(fit: FitResult, gates: QualityOptions) -> list[Finding]:
    """Find a voxel in marrow, and lipid that may pass for lactate."""
    if (
        not fit.has("LIP")
        or not fit.converged
        or fit.noise.residual_ratio > 2 * gates.max_residual_ratio
    ):
        return []
    in_sd = fit.in_sd("LIP")
    if in_sd < -LIPID_BESIDE_SD and fit.has("LAC") and fit.in_sd("LAC") > 2:
        return [finding("lipid_beside", sd=-in_sd)]
    if in_sd < 2:
        return []
    found, peak, lipid = [], fit.peak.name, float(fit.amplitude[fit.index("LIP")])
    if fit.has(peak):
        of_peak = fit.index(peak)
        ratio = lipid / max(float(fit.amplitude[of_peak]), float(fit.sd[of_peak]), 1e-300)
        if ratio > MARROW_LIPID:
            found.append(finding("marrow_by_peak", peak, ratio=ratio))
    if fit.has("LAC", "ALA"):
        pair = [fit.index("LAC"), fit.index("ALA")]
        sd = float(np.sqrt(max(fit.covariance[np.ix_(pair, pair)].sum(), 0.0)))
        acid = max(float(fit.amplitude[pair[0]] + fit.amplitude[pair[1]]), sd, 1e-300)
        methylene, most = LIPID_CH2_SHARE * lipid, gates.max_lipid_ratio
        if methylene > most * acid:
            found.append(finding("lipid_on_lactate", ratio=methylene / acid, most=most))
    return found


def _displacement(preprocessed: Preprocessed) -> list[Finding]:
    """Say how far the voxels of lipid and PG lie from that of water, where the bandwidth is known.

    That of PG matters where amounts are given per tissue water.
    """
    protocol = preprocessed.protocol
    bandwidth = protocol.refocusing_bandwidth_hz
    if bandwidth is None:
        return []
    per_ppm = preprocessed.fid.sampling.spectrometer_mhz / bandwidth
    kinds = {"lipid_displaced": LIPID_TO_WATER_PPM * per_ppm}
    if preprocessed.water is not None:
        kinds["pg_displaced"] = PG_TO_WATER_PPM * per_ppm
    if protocol.voxel_size_mm is None:
        return [finding(kind, share=share) for kind, share in kinds.items()]
    thin = min(protocol.voxel_size_mm)
    return [finding(f"{kind}_mm", share=share, mm=share * thin) for kind, share in kinds.items()]
