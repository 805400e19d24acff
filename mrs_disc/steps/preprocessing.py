"""From raw samples to one clean FID, in the order that physics sets.

Coils before alignment (a single coil is too noisy to align), alignment before rejection and
averaging, eddy currents before water removal (water is then one narrow line), all before the fit.
A file that comes combined or averaged enters at its own state, and the history says what was
skipped and why. Order and reasons: Near et al. 2021, doi:10.1002/nbm.4257.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mrs_disc.constants import WATER_PPM
from mrs_disc.data import (
    DiscAcquisition,
    Fid,
    Preprocessed,
    RawSignal,
    Sampling,
    Transients,
)
from mrs_disc.errors import InputError
from mrs_disc.recipe import Recipe
from mrs_disc.record.findings import Finding, finding
from mrs_disc.signal.align import Alignment, align
from mrs_disc.signal.axes import time_axis
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.eddy import correct_eddy_currents
from mrs_disc.signal.noise import noise_covariance
from mrs_disc.signal.phase import dominant_frequency_hz, find_phase, linewidth_hz
from mrs_disc.signal.reject import clipped_transients, find_outliers
from mrs_disc.signal.water import remove_water
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

_WATER_SEARCH_PPM = 1.0
"""How far from its place the water line of a reference is looked for."""
_DWELL_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Averaged:
    """The average with what was found in the transients."""

    fid: Fid
    frequency_hz: FloatArray = field(default_factory=lambda: np.empty(0))
    phase_rad: FloatArray = field(default_factory=lambda: np.empty(0))
    rejected: dict[int, str] = field(default_factory=dict)
    n_transients: int = 1
    drift_hz: float | None = None


@one_blas_thread
def preprocess(acquisition: DiscAcquisition, recipe: Recipe) -> Preprocessed:
    """Combine, align, reject, average, correct and clean the signal of one disc.

    Parameters
    ----------
    acquisition : DiscAcquisition
        One disc as it was read, ``study["L4-L5"]``.
    recipe : Recipe
        The options of each step.

    Returns
    -------
    Preprocessed
        The FID ready for `fit`, with what each step found.

    Raises
    ------
    InputError
        If the signal cannot be used: no finite transient, zero throughout, a water reference of
        another dwell time.
    """
    _check(acquisition)
    noticed = list(acquisition.findings)
    metabolite, water = _combined(acquisition, noticed)
    reference = None if water is None else water_average(water)
    averaged = _averaged(metabolite, _clipped(acquisition), recipe)
    fid = averaged.fid
    if reference is not None:
        fid, reference = _eddy_corrected(fid, reference, recipe, noticed)
        fid, reference = _referenced(fid, reference)
    cleaned = _phased(_without_water(fid, recipe), recipe)
    return Preprocessed(
        fid=cleaned,
        unsuppressed_residue=fid,
        protocol=acquisition.protocol,
        water=reference,
        water_protocol=acquisition.water_protocol,
        transient_frequency_hz=averaged.frequency_hz,
        transient_phase_rad=averaged.phase_rad,
        rejected=averaged.rejected,
        n_transients=averaged.n_transients,
        drift_hz=averaged.drift_hz,
        water_linewidth_hz=_water_linewidth(reference),
        findings=tuple(noticed),
    )


def _check(acquisition: DiscAcquisition) -> None:
    """Refuse what no step could mend."""
    sampling = acquisition.metabolite.sampling
    if sampling.nucleus != "1H":
        raise InputError(f"nucleus {sampling.nucleus}: only 1H spectra are analysed")
    if acquisition.water is None:
        return
    dwell_time_s = acquisition.water.sampling.dwell_time_s
    if abs(dwell_time_s / sampling.dwell_time_s - 1) > _DWELL_TOLERANCE:
        raise InputError(
            f"the water reference has a dwell time of {dwell_time_s * 1e6:g} us, the metabolite "
            f"file {sampling.dwell_time_s * 1e6:g} us: measure both alike, or name another file"
        )


def _combined(
    acquisition: DiscAcquisition, noticed: list[Finding]
) -> tuple[Transients | Fid, Transients | Fid | None]:
    """Combine the coils of metabolites and water with the same weights."""
    metabolite, water = acquisition.metabolite, acquisition.water
    if isinstance(metabolite, RawSignal):
        same_coils = (
            isinstance(water, RawSignal) and water.signal.shape[0] == metabolite.signal.shape[0]
        )
        if isinstance(water, RawSignal) and not same_coils:
            shapes = {"came": water.signal.shape[0], "wanted": metabolite.signal.shape[0]}
            noticed.append(finding("other_coils", "water", **shapes))
            water = None
        covariance = _coil_noise(metabolite)
        origin = water if same_coils and water is not None else metabolite
        found = coil_weights(origin.signal, covariance)
        measured = {
            "n_coils": metabolite.signal.shape[0],
            "strongest": found.strongest,
            "dropped": [index for index, _ in found.dropped],
            "snr_gain_over_best_coil": found.snr_gain,
        }
        noticed.extend(finding("coil_left_out", coil=i, why=why) for i, why in found.dropped)
        options = {"weights_from": "water reference" if origin is water else "metabolite data"}
        combined = _with_weights(metabolite, found.weights, options, measured)
        if isinstance(water, RawSignal):
            return combined, _with_weights(water, found.weights, options, measured)
        return combined, water
    combined_water = water
    if isinstance(water, RawSignal):
        found = coil_weights(water.signal, _coil_noise(water))
        combined_water = _with_weights(water, found.weights, {"weights_from": "itself"}, {})
        noticed.append(finding("combined_by_scanner"))
    metabolite = metabolite.skipped("combine coils", "the file holds one combined channel")
    assert not isinstance(combined_water, RawSignal)
    return metabolite, combined_water


def _coil_noise(raw: RawSignal) -> ComplexArray:
    """Return the noise covariance of coils; that of a single coil changes no weight."""
    one = raw.signal.shape[0] == 1
    return np.eye(1, dtype=np.complex128) if one else noise_covariance(raw.signal)


def _with_weights(
    raw: RawSignal, weights: ComplexArray, options: Mapping[str, Any], measured: Mapping[str, Any]
) -> Transients:
    return raw.become(
        Transients,
        combine(raw.signal, weights),
        "combine coils",
        method="whitened SVD",
        options=options,
        measured=measured,
    )


def water_average(water: Transients | Fid) -> Fid:
    """Average the transients of the water reference on one frequency and phase."""
    if isinstance(water, Fid):
        return water
    if water.signal.shape[0] == 1:
        return water.become(Fid, water.signal[0].copy(), "average", method="one transient")
    sampling = water.sampling
    half = _WATER_SEARCH_PPM * sampling.spectrometer_mhz
    centre = sampling.hz(WATER_PPM)
    alignment = align(water.signal, sampling.dwell_time_s, window_hz=(centre - half, centre + half))
    mean = alignment.signal[alignment.usable].mean(axis=0)
    measured = {"n_transients": int(alignment.usable.sum())}
    return water.become(Fid, mean, "average", method="mean", measured=measured)


def _clipped(acquisition: DiscAcquisition) -> BoolArray | None:
    """Return which transients the receiver cut off; only raw coils show it."""
    raw = acquisition.metabolite
    return clipped_transients(raw.signal) if isinstance(raw, RawSignal) else None


def _averaged(metabolite: Transients | Fid, clipped: BoolArray | None, recipe: Recipe) -> _Averaged:
    """Align the transients, leave out those that do not belong, and average the others."""
    if isinstance(metabolite, Fid):
        return _Averaged(
            fid=metabolite.skipped("align, reject, average", "the file holds one averaged FID")
        )
    n_transients = metabolite.signal.shape[0]
    if n_transients == 1:
        one = metabolite.skipped("align, reject", "the file holds one transient")
        fid = one.become(Fid, one.signal[0].copy(), "average", method="one transient")
        return _Averaged(fid=fid)
    alignment, aligned = _aligned(metabolite, recipe)
    rejected = _rejected(alignment, clipped, metabolite.sampling, recipe)
    keep = alignment.usable.copy()
    keep[list(rejected)] = False
    kept = aligned.become(
        Transients,
        np.ascontiguousarray(aligned.signal[keep]),
        "reject",
        method=recipe.reject.method,
        measured={"n_rejected": len(rejected), "rejected": sorted(rejected)},
    )
    mean = kept.signal.mean(axis=0, dtype=np.complex128)
    fid = kept.become(
        Fid, mean, "average", method="mean", measured={"n_transients": int(keep.sum())}
    )
    return _Averaged(
        fid=fid,
        frequency_hz=alignment.measured_hz,
        phase_rad=alignment.measured_rad,
        rejected=rejected,
        n_transients=n_transients,
        drift_hz=_drift_hz(alignment),
    )


def _aligned(metabolite: Transients, recipe: Recipe) -> tuple[Alignment, Transients]:
    """Take frequency and phase off each transient; only measure them where the recipe says so."""
    sampling = metabolite.sampling
    alignment = align(
        metabolite.signal,
        sampling.dwell_time_s,
        window_hz=_hz(sampling, recipe.align.window_ppm),
        water_hz=_hz(sampling, recipe.water.window_ppm),
        max_shift_hz=recipe.align.max_shift_hz,
    )
    if recipe.align.method == "none":
        untouched = np.where(alignment.usable[:, None], metabolite.signal, 0)
        zero = np.zeros(len(untouched))
        alignment = replace(alignment, signal=untouched, frequency_hz=zero, phase_rad=zero)
        return alignment, metabolite.become(
            Transients,
            untouched,
            "align",
            method="none",
            measured={"drift_hz": _drift_hz(alignment)},
        )
    aligned = metabolite.become(
        Transients,
        alignment.signal,
        "align",
        method=f"spectral registration by {alignment.method}",
        options={"window_ppm": list(recipe.align.window_ppm)},
        measured={"drift_hz": _drift_hz(alignment), "reason": alignment.reason},
    )
    return alignment, aligned


def _drift_hz(alignment: Alignment) -> float | None:
    """Return the drift; `None` where no frequency was measured, which is not a drift of zero."""
    return None if alignment.method == "none" else alignment.drift_hz


def _rejected(
    alignment: Alignment, clipped: BoolArray | None, sampling: Sampling, recipe: Recipe
) -> dict[int, str]:
    """Return the transients to leave out, with the reason for each."""
    rejected = {int(i): "zero or not finite" for i in np.flatnonzero(~alignment.usable)}
    if recipe.reject.method == "none":
        return rejected
    outliers = find_outliers(
        alignment,
        sampling.dwell_time_s,
        window_hz=_hz(sampling, recipe.align.window_ppm),
        water_hz=_hz(sampling, recipe.water.window_ppm),
        noise_sd=alignment.noise_sd,
        clipped=clipped,
    )
    found = {i: reason for i, reason in enumerate(outliers.reasons) if reason is not None}
    limit = int(recipe.reject.max_fraction * len(outliers.reasons))
    worst = sorted(found, key=lambda i: (-float(outliers.score[i]), i))[:limit]
    return rejected | {i: found[i] for i in sorted(worst)}


def _eddy_corrected(
    fid: Fid, reference: Fid, recipe: Recipe, noticed: list[Finding]
) -> tuple[Fid, Fid]:
    """Take the phase of the water reference off both."""
    if recipe.eddy.method == "none":
        return fid.skipped("eddy currents", "the recipe says so"), reference
    dwell_time_s = fid.sampling.dwell_time_s
    try:
        corrected = correct_eddy_currents(fid.signal, reference.signal, dwell_time_s)
    except InputError as error:
        noticed.append(finding("eddy_not_corrected", why=str(error)))
        return fid.skipped("eddy currents", str(error)), reference
    measured = {"largest_phase_deg": float(np.degrees(np.abs(corrected.phase_rad).max()))}
    return (
        fid.become(Fid, corrected.signal, "eddy currents", method="klose", measured=measured),
        reference.become(Fid, corrected.water, "eddy currents", method="klose", measured=measured),
    )


def _referenced(fid: Fid, reference: Fid) -> tuple[Fid, Fid]:
    """Shift both so that the reference's water lies at its place on the ppm axis."""
    sampling = fid.sampling
    place = sampling.hz(WATER_PPM)
    half = _WATER_SEARCH_PPM * sampling.spectrometer_mhz
    try:
        found = dominant_frequency_hz(
            reference.signal, sampling.dwell_time_s, (place - half, place + half)
        )
    except InputError as error:
        return fid.skipped("reference", str(error)), reference
    measured = {"shift_hz": place - found}
    time = time_axis(max(fid.n_points, reference.n_points), sampling.dwell_time_s)
    turn = np.exp(2j * np.pi * (place - found) * time)

    def shifted(signal: Fid) -> Fid:
        moved = signal.signal * turn[: signal.n_points]
        return signal.become(Fid, moved, "reference", method="water", measured=measured)

    return shifted(fid), shifted(reference)


def _without_water(fid: Fid, recipe: Recipe) -> Fid:
    """Subtract the residual water."""
    if recipe.water.method == "none":
        return fid.skipped("residual water", "the recipe says so")
    sampling = fid.sampling
    removal = remove_water(
        fid.signal, sampling.dwell_time_s, limits_hz=_hz(sampling, recipe.water.window_ppm)
    )
    return fid.become(
        Fid,
        removal.signal,
        "residual water",
        method="low-rank model",
        options={"window_ppm": list(recipe.water.window_ppm)},
        measured={"n_components": int(removal.amplitude.size)},
    )


def _phased(fid: Fid, recipe: Recipe) -> Fid:
    """Turn the lines of the fitted window upright; the fit refines phase and delay."""
    if recipe.phase.method == "none":
        return fid.skipped("phase", "the recipe says so")
    sampling = fid.sampling
    phase_rad = find_phase(
        fid.signal, sampling.dwell_time_s, window_hz=_hz(sampling, recipe.fit.window_ppm)
    )
    return fid.become(
        Fid,
        fid.signal * np.exp(-1j * phase_rad).astype(fid.signal.dtype),
        "phase",
        method="upright lines",
        measured={"zero_order_deg": float(np.degrees(phase_rad))},
    )


def _water_linewidth(reference: Fid | None) -> float | None:
    """Return the water reference's full width at half maximum, Hz, where it can be measured."""
    if reference is None:
        return None
    try:
        return linewidth_hz(reference.signal, reference.sampling.dwell_time_s)
    except InputError:
        return None


def _hz(sampling: Sampling, window_ppm: tuple[float, float]) -> tuple[float, float]:
    """Return a ppm window in Hz, inside the spectral width."""
    edge = 0.499 * sampling.spectral_width_hz
    low, high = (min(max(sampling.hz(ppm), -edge), edge) for ppm in sorted(window_ppm))
    return low, high
