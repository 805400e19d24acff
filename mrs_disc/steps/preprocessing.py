"""From raw samples to one clean FID, in the order that physics sets.

Coils before alignment (a single coil is too noisy to align), alignment before rejection and
averaging, eddy currents before water removal (water is then one narrow line), all before the fit.
A file that comes combined or averaged enters at its own state, and the history says what was
skipped and why. Order and reasons: Near et al. 2021, doi:10.1002/nbm.4257.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrs_disc.constants import PICTURE_PPM, WATER_PPM
from mrs_disc.data import (
    AnySignal,
    DiscAcquisition,
    Fid,
    Preprocessed,
    RawSignal,
    Sampling,
    Transients,
)
from mrs_disc.errors import InputError
from mrs_disc.recipe import Recipe, load_recipe
from mrs_disc.record.findings import Finding, finding
from mrs_disc.signal.axes import time_axis, window_hz
from mrs_disc.signal.coils import coil_weights, combine
from mrs_disc.signal.eddy import correct_eddy_currents
from mrs_disc.signal.noise import noise_covariance, noise_sd
from mrs_disc.signal.phase import dominant_frequency_hz, find_phase, linewidth_hz
from mrs_disc.signal.sidebands import remove_sidebands
from mrs_disc.signal.stored import Stored, delay_of, examine_storage, n_filled
from mrs_disc.signal.transients.align import Alignment, align
from mrs_disc.signal.transients.picture import before_and_after
from mrs_disc.signal.transients.reject import clipped_transients, find_outliers
from mrs_disc.signal.transients.series import Series
from mrs_disc.signal.water import remove_water
from mrs_disc.threads import one_blas_thread
from mrs_disc.typing import BoolArray, ComplexArray, FloatArray

_WATER_SEARCH_PPM = 1.0
"""How far from `WATER_PPM` the water line of a reference is looked for."""

_DWELL_TOLERANCE = 1e-3
"""Relative difference of two dwell times that headers round alike."""


_ONE_DELAY = 1.0
"""Points within which metabolites and water were delayed alike: one receiver measured both."""

_WATER_LINE_PPM = 0.45
"""How far downfield residual water itself may lie; farther it may have sidebands."""

EDDY_CORRECTED = "eddy corrected"
"""What the finding ``processed`` says of a file whose eddy currents were corrected."""
_PICTURE_SEARCH_PPM = (0.8, 5.2)
"""Where the line that shows the alignment is looked for: from lipid to water."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Averaged:
    """The average, and what its transients showed; as it is where there was one average."""

    fid: Fid
    frequency_hz: FloatArray = field(default_factory=lambda: np.empty(0))
    phase_rad: FloatArray = field(default_factory=lambda: np.empty(0))
    rejected: dict[int, str] = field(default_factory=dict)
    n_transients: int = 1
    drift_hz: float | None = None
    cycle: int | None = None
    picture: NDArray[np.uint8] | None = None
    picture_ppm: float = WATER_PPM


@one_blas_thread
def preprocess(
    acquisition: DiscAcquisition, recipe: str | Path | Recipe | None = None
) -> Preprocessed:
    """Combine, align, reject, average, correct and clean the signal of one disc.

    Parameters
    ----------
    acquisition : DiscAcquisition
        One disc as it was read, ``study["L4-L5"]``.
    recipe : str, Path, Recipe or None
        The options of each step; `None`: the defaults.

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
    recipe = load_recipe(recipe)
    _check(acquisition)
    noticed = list(acquisition.findings)
    metabolite, water = _combined(_as_measured(acquisition, noticed), noticed)
    reference = None if water is None else water_average(water)
    averaged = _averaged(metabolite, _clipped(acquisition), recipe)
    if averaged.cycle is not None:
        noticed.append(finding("phase_cycled", n=averaged.cycle))
    fid = averaged.fid
    if reference is not None:
        fid, reference = _eddy_corrected(fid, reference, recipe, noticed)
        fid, reference = _referenced(fid, reference)
    cleaned = _phased(_without_water(fid, recipe, noticed), recipe)
    return Preprocessed(
        fid=cleaned,
        unsuppressed_residue=fid,
        protocol=acquisition.protocol,
        water=reference,
        water_protocol=acquisition.water_protocol,
        transient_frequency_hz=averaged.frequency_hz,
        transient_phase_rad=averaged.phase_rad,
        transient_picture=averaged.picture,
        transient_picture_ppm=averaged.picture_ppm,
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


def _as_measured(acquisition: DiscAcquisition, noticed: list[Finding]) -> DiscAcquisition:
    """Cut what a filter delayed and the zeros that were appended, and divide out a filter.

    Of the water its zeros alone: its line outshines the noise by which a filter is known.
    """
    metabolite, water = _from_the_signal_on(acquisition, noticed)
    stored = examine_storage(metabolite.signal, metabolite.sampling.dwell_time_s)
    if stored.n_zeros:
        noticed.append(finding("zeros_cut", n=stored.n_zeros))
    if stored.filter is not None:
        undone = {"filter": stored.filter.kind, "width_hz": stored.filter.width_hz}
        noticed.append(finding("filter_undone", n=stored.n_points, **undone))
    metabolite = _cut(metabolite, stored)
    if water is not None:
        n_points = n_filled(water.signal)
        water = _cut(water, Stored(n_points=n_points, n_zeros=water.n_points - n_points))
    return replace(acquisition, metabolite=metabolite, water=water)


def _from_the_signal_on(
    acquisition: DiscAcquisition, noticed: list[Finding]
) -> tuple[AnySignal, AnySignal | None]:
    """Leave out the points by which the receiver delayed the signal, where no file told of them."""
    metabolite, water = acquisition.metabolite, acquisition.water
    if metabolite.sampling.start_time_s:
        return metabolite, water
    delay = delay_of(metabolite.signal)
    if water is not None and not water.sampling.start_time_s:
        of_water = delay_of(water.signal)
        if delay is not None and of_water is not None and abs(of_water - delay) < _ONE_DELAY:
            delay = of_water  # measured on the stronger of the two
        water = _without_delay(water, of_water)
    if delay is not None:
        ms = 1e3 * delay * metabolite.sampling.dwell_time_s
        noticed.append(finding("delay_measured", n=_first_whole(delay), ms=ms))
    return _without_delay(metabolite, delay), water


def _first_whole(delay: float) -> int:
    """Return the first point that a delayed FID has risen to: that at the step holds a half."""
    return int(np.ceil(delay)) + 1


def _without_delay(signal: AnySignal, delay: float | None) -> AnySignal:
    if delay is None:
        return signal
    n, dwell_time_s = _first_whole(delay), signal.sampling.dwell_time_s
    late = replace(signal.sampling, start_time_s=(n - delay) * dwell_time_s)
    samples, measured = signal.signal[..., n:].copy(), {"n_points": n, "delay": delay}
    cut = signal.become(type(signal), samples, "start", method="rise", measured=measured)
    return replace(cut, sampling=late)


def _cut(signal: AnySignal, stored: Stored) -> AnySignal:
    """Return the signal as it was before it was stored so; itself where nothing was done to it."""
    measured: dict[str, Any] = {
        "n_zeros": stored.n_zeros,
        "n_measured": signal.n_points - stored.n_zeros,
        "n_points": stored.n_points,
    }
    samples = signal.signal[..., : stored.n_points]
    if stored.filter is not None and stored.weight is not None:
        samples = samples * stored.weight.astype(samples.real.dtype)
        measured |= {"filter": stored.filter.kind, "width_hz": stored.filter.width_hz}
    elif not 0 < stored.n_points < signal.n_points:
        return signal
    method = "zeros cut" if stored.filter is None else "filter divided out"
    return signal.become(type(signal), samples.copy(), "storage", method=method, measured=measured)


def _combined(
    acquisition: DiscAcquisition, noticed: list[Finding]
) -> tuple[Transients | Fid, Transients | Fid | None]:
    """Combine the coils of metabolites and water with the same weights."""
    metabolite, water = acquisition.metabolite, acquisition.water
    if not isinstance(metabolite, RawSignal):
        if isinstance(water, RawSignal):
            noticed.append(finding("combined_by_scanner"))
            weights = coil_weights(water.signal, _coil_noise(water)).weights
            water = _with_weights(water, weights, {"weights_from": "itself"}, {})
        return metabolite.skipped("combine coils", "the file holds one combined channel"), water
    n_coils = metabolite.signal.shape[0]
    if isinstance(water, RawSignal) and water.signal.shape[0] != n_coils:
        noticed.append(finding("other_coils", "water", came=water.signal.shape[0], wanted=n_coils))
        water = None
    # the water is the stronger signal, but its transients are few: the others give the noise
    origin = water if isinstance(water, RawSignal) else metabolite
    coils = coil_weights(origin.signal, _coil_noise(metabolite))
    noticed.extend(finding("coil_left_out", coil=i, why=why) for i, why in coils.dropped)
    options = {"weights_from": "water reference" if origin is water else "metabolite data"}
    measured = {
        "n_coils": n_coils,
        "strongest": coils.strongest,
        "dropped": [index for index, _ in coils.dropped],
        "snr_gain_over_best_coil": coils.snr_gain,
    }
    combined = _with_weights(metabolite, coils.weights, options, measured)
    if isinstance(water, RawSignal):
        water = _with_weights(water, coils.weights, options, measured)
    return combined, water


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
    series = Series.of(water.signal, water.sampling.dwell_time_s)
    aligned = align(series, window_hz=_water_search_hz(water.sampling)).series.chosen
    measured = {"n_transients": len(aligned)}
    return water.become(Fid, aligned.mean(axis=0), "average", method="mean", measured=measured)


def _water_search_hz(sampling: Sampling) -> tuple[float, float]:
    """Return where the water line of a reference is looked for, Hz."""
    half = _WATER_SEARCH_PPM * sampling.spectrometer_mhz
    centre = sampling.hz(WATER_PPM)
    return centre - half, centre + half


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
    keep = alignment.series.usable.copy()
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
    del kept  # the picture needs the room
    return _Averaged(
        fid=fid,
        frequency_hz=alignment.measured.hz,
        phase_rad=alignment.measured.rad,
        rejected=rejected,
        n_transients=n_transients,
        drift_hz=alignment.drift_hz,
        cycle=alignment.period,
        **(_picture(metabolite, aligned) if recipe.align.method != "none" else {}),
    )


def _picture(before: Transients, after: Transients) -> dict[str, Any]:
    """Return the transients before and after alignment, for the eye, and the shift shown."""
    sampling = before.sampling
    picture, centre = before_and_after(
        before.signal,
        after.signal,
        sampling.time_s(before.n_points),
        _hz(sampling, _PICTURE_SEARCH_PPM),
        PICTURE_PPM * sampling.spectrometer_mhz,
    )
    centre_ppm = sampling.reference_ppm + centre / sampling.spectrometer_mhz
    return {"picture": picture, "picture_ppm": centre_ppm}


def _aligned(metabolite: Transients, recipe: Recipe) -> tuple[Alignment, Transients]:
    """Take frequency and phase off each transient; only measure them where the recipe says so."""
    sampling = metabolite.sampling
    series = Series.of(metabolite.signal, sampling.dwell_time_s)
    alignment = align(
        series,
        window_hz=_hz(sampling, recipe.align.window_ppm),
        water_hz=_hz(sampling, recipe.water.window_ppm),
        max_shift_hz=recipe.align.max_shift_hz,
    )
    if recipe.align.method == "none":
        # where the transients are is still measured: outliers are judged by it
        untouched = np.where(series.usable[:, None], series.signal, 0)
        alignment = replace(
            alignment,
            series=replace(series, signal=untouched),
            frequency_hz=np.zeros(len(untouched)),
            phase_rad=np.zeros(len(untouched)),
        )
        return alignment, metabolite.become(
            Transients,
            untouched,
            "align",
            method="none",
            measured={"drift_hz": alignment.drift_hz},
        )
    aligned = metabolite.become(
        Transients,
        alignment.series.signal,
        "align",
        method=f"spectral registration by {alignment.method}",
        options={"window_ppm": list(recipe.align.window_ppm)},
        measured={"drift_hz": alignment.drift_hz, "reason": alignment.reason},
    )
    return alignment, aligned


def _rejected(
    alignment: Alignment, clipped: BoolArray | None, sampling: Sampling, recipe: Recipe
) -> dict[int, str]:
    """Return the transients to leave out, with the reason for each."""
    rejected = {int(i): "zero or not finite" for i in np.flatnonzero(~alignment.series.usable)}
    if recipe.reject.method == "none":
        return rejected
    outliers = find_outliers(
        alignment,
        window_hz=_hz(sampling, recipe.align.window_ppm),
        water_hz=_hz(sampling, recipe.water.window_ppm),
        clipped=clipped,
    )
    reasons = {i: reason for i, reason in enumerate(outliers.reasons) if reason is not None}
    limit = int(recipe.reject.max_fraction * len(outliers.reasons))
    worst = sorted(reasons, key=lambda i: (-float(outliers.score[i]), i))[:limit]
    return rejected | {i: reasons[i] for i in sorted(worst)}


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
    if any(f.kind == "processed" and EDDY_CORRECTED in f.values["steps"] for f in noticed):
        # the water alone: its own phase is not in the metabolites any more
        noticed.append(finding("eddy_corrected_before"))
        water = reference.become(
            Fid, corrected.water, "eddy currents", method="klose", measured=measured
        )
        return fid.skipped("eddy currents", "corrected already, as the file says"), water
    return (
        fid.become(Fid, corrected.signal, "eddy currents", method="klose", measured=measured),
        reference.become(Fid, corrected.water, "eddy currents", method="klose", measured=measured),
    )


def _referenced(fid: Fid, reference: Fid) -> tuple[Fid, Fid]:
    """Shift both so that the reference's water lies at `WATER_PPM` on the axis."""
    sampling = fid.sampling
    try:
        water_hz = dominant_frequency_hz(
            reference.signal, sampling.dwell_time_s, _water_search_hz(sampling)
        )
    except InputError as error:
        return fid.skipped("reference", str(error)), reference
    shift_hz = sampling.hz(WATER_PPM) - water_hz
    time = time_axis(max(fid.n_points, reference.n_points), sampling.dwell_time_s)
    phasor = np.exp(2j * np.pi * shift_hz * time)

    def shifted(signal: Fid) -> Fid:
        moved = signal.signal * phasor[: signal.n_points]
        measured = {"shift_hz": shift_hz}
        return signal.become(Fid, moved, "reference", method="water", measured=measured)

    return shifted(fid), shifted(reference)


def _without_water(fid: Fid, recipe: Recipe, noticed: list[Finding]) -> Fid:
    """Subtract the residual water, and its sidebands."""
    if recipe.water.method == "none":
        return fid.skipped("residual water", "the recipe says so")
    sampling = fid.sampling
    low, high = recipe.water.window_ppm
    window_ppm = low, high + recipe.water.downfield_ppm
    sd = noise_sd(fid.signal)
    removal = remove_water(
        fid.signal, sampling.dwell_time_s, limits_hz=_hz(sampling, window_ppm), noise_sd=sd
    )
    cleaned = fid.become(
        Fid,
        removal.signal,
        "residual water",
        method="low-rank model",
        options={"window_ppm": list(window_ppm)},
        measured={"n_components": removal.n_components},
    )
    if not removal.n_components:
        return cleaned
    # Images lie on the metabolites as far upfield as the fit looks, and downfield alone. Those near
    # the line were taken for water with it.
    mhz, dwell_s = sampling.spectrometer_mhz, sampling.dwell_time_s
    own_hz = removal.rate.imag / (2 * np.pi * dwell_s) - _hz(sampling, (WATER_PPM, WATER_PPM))[0]
    removed = remove_sidebands(
        removal.signal,
        fid.signal,
        removal.water(own_hz <= _WATER_LINE_PPM * mhz),
        dwell_s,
        search_hz=(_WATER_LINE_PPM * mhz, (WATER_PPM - recipe.fit.window_ppm[0]) * mhz),
        removed_hz=(window_ppm[1] - WATER_PPM) * mhz,
        noise_sd=sd,
    )
    if not removed.hz.size:
        return cleaned
    pairs = {"hz": removed.hz.tolist(), "share": removed.share.tolist()}
    noticed.append(finding("sidebands_removed", hz=pairs["hz"], share=float(removed.share.max())))
    return cleaned.become(
        Fid, removed.signal, "water sidebands", method="matched filter", measured=pairs
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
    axis = (sampling.dwell_time_s, sampling.spectrometer_mhz, sampling.reference_ppm)
    return window_hz(window_ppm, *axis)
