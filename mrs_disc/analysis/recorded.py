"""The only door by which numbers leave a fit: from what was measured to what is recorded.

Behind it, scores, comparison, impression and every page know the record alone; so they can be made
again from ``results.json``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs_disc.data import (
    Anatomy,
    DiscEntry,
    FitResult,
    LevelFailure,
    LevelMeasurement,
    LevelReport,
    Preprocessed,
)
from mrs_disc.record.level import Level, Measured
from mrs_disc.record.parts import Correlation, Fit
from mrs_disc.record.signals import LevelSignals
from mrs_disc.steps.tissue import tissue_in, water_of_others
from mrs_disc.typing import FloatArray


def recorded(
    entry: DiscEntry, outcome: LevelMeasurement | LevelFailure, anatomy: Anatomy | None
) -> LevelReport:
    """Return a level as it is recorded, measured or failed; its score is still to come.

    Parameters
    ----------
    entry : DiscEntry
        Which disc it is, and what was given with it.
    outcome : LevelMeasurement or LevelFailure
        What the steps found, or where they stopped.
    anatomy : Anatomy or None
        Image that tells what the voxel holds.
    """
    level = Level(
        level=entry.level,
        run=entry.run,
        morphology=entry.morphology,
        provocation=entry.provocation,
    )
    inputs = entry.inputs()
    if isinstance(outcome, LevelFailure):
        return LevelReport(record=replace(level, error=outcome), inputs=inputs, origin=entry.origin)
    signals = signals_of(outcome.preprocessed, outcome.fit)
    tissue = tissue_in(anatomy, signals.voxel_affine)
    diluted = water_of_others(tissue, outcome.quantities.values)
    return LevelReport(
        record=replace(
            level,
            measured=measured(outcome),
            findings=(*outcome.preprocessed.findings, *filter(None, (diluted,))),
            tissue=tissue,
        ),
        measurement=outcome,
        signals=signals,
        inputs=inputs,
        origin=entry.origin,
    )


def measured(measurement: LevelMeasurement) -> Measured:
    """Return what was measured of a disc in plain numbers, its frequency that of the samples."""
    pre = measurement.preprocessed
    water = pre.water_protocol
    mhz = pre.fid.sampling.spectrometer_mhz
    return Measured(
        protocol=replace(pre.protocol.recorded, spectrometer_mhz=mhz),
        quality=measurement.quality,
        fit=_fit(measurement.fit),
        quantities=measurement.quantities,
        history=pre.fid.history,
        water_protocol=None if water is None else water.recorded,
        notes=pre.notes,
    )


def _fit(fit: FitResult) -> Fit:
    sd = fit.sd
    scale = np.where(sd > 0, sd, 1.0)
    return Fit(
        model=fit.model,
        converged=fit.converged,
        metabolites=fit.metabolites,
        correlation=Correlation(
            names=fit.names, matrix=_rows(fit.covariance / np.outer(scale, scale))
        ),
        residual_ratio=fit.noise.residual_ratio,
        residual_whiteness_p=fit.noise.residual_whiteness_p,
        reason=fit.reason,
        window_ppm=fit.curves.window_ppm,
        quality_peak=fit.peak.name,
        noise_sd=fit.noise.sd,
        spectrum_noise_sd=fit.noise.spectrum_sd,
        phase_rad=fit.phase.zero_order_rad,
        delay_s=fit.phase.delay_s,
        reference_shift_ppm=fit.curves.reference_shift_ppm,
        ratio_priors=fit.ratio_priors,
    )


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def signals_of(pre: Preprocessed, fit: FitResult) -> LevelSignals:
    """Return the curves of a disc, as its figures need them."""
    affine = pre.protocol.voxel_affine
    known = affine is not None and affine.shape == (4, 4) and np.all(np.isfinite(affine))
    return LevelSignals(
        sampling=fit.curves.sampling,
        data=fit.curves.data,
        baseline=fit.curves.baseline,
        components=fit.curves.components,
        residue=pre.unsuppressed_residue.signal * np.exp(-1j * fit.phase.zero_order_rad),
        water=None if pre.water is None else pre.water.signal,
        frequency_hz=pre.transient_frequency_hz,
        phase_rad=pre.transient_phase_rad,
        transients=pre.transient_picture,
        transients_ppm=pre.transient_picture_ppm,
        outline=None,
        voxel_affine=affine if known else None,
    )
