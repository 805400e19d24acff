"""The error of repetition from the data themselves: transients drawn anew, and all done again.

The formula of `signal.fit.repetition` knows the noise that the spectrum's tail shows. Real
transients differ by more: motion, drift, a phase cycle that does not cancel, water that is never
the same twice. Drawing as many transients from those that were measured, with replacement, repeats
the measurement with all of that in it (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, ISBN 0412042312). Each repeat is combined, aligned, averaged and fitted by itself.

What does not change within a measurement, such as where the voxel was planned, is in neither.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs_disc.data import DiscAcquisition, Fid, FitResult, Preprocessed
from mrs_disc.errors import InputError
from mrs_disc.models import MetaboliteModel
from mrs_disc.recipe import Recipe
from mrs_disc.record.findings import finding
from mrs_disc.steps.fitting import fit
from mrs_disc.steps.preprocessing import preprocess
from mrs_disc.typing import FloatArray

LEAST_TRANSIENTS = 8
"""Of fewer transients the draws are too much alike [proposed]."""

_SEED = 20261129


def with_bootstrap(
    acquisition: DiscAcquisition,
    preprocessed: Preprocessed,
    fitted: FitResult,
    recipe: Recipe,
    model: MetaboliteModel,
) -> tuple[Preprocessed, FitResult]:
    """Return the spectrum and its fit with the error of repetition from a bootstrap, if asked for.

    Where the transients are too few, or most repeats cannot be fitted, the formula's error stays
    and a finding says so.
    """
    wanted = recipe.fit.bootstrap
    if not wanted:
        return preprocessed, fitted
    signal = acquisition.metabolite
    count = 1 if isinstance(signal, Fid) else signal.signal.shape[-2]
    if count < LEAST_TRANSIENTS:
        said = finding("bootstrap_too_few", n=count, least=LEAST_TRANSIENTS)
        return replace(preprocessed, findings=(*preprocessed.findings, said)), fitted
    found = _amplitudes(acquisition, count, recipe, model)
    said = finding("bootstrapped", n=len(found), of=wanted, transients=count)
    if len(found) < max(0.5 * wanted, 2):
        said = finding("bootstrap_failed", n=wanted - len(found), of=wanted)
    else:
        # n transients drawn from n scatter about their mean by (n - 1) / n of the variance.
        covariance = np.cov(found, rowvar=False) * count / (count - 1)
        fitted = replace(fitted, repetition=np.atleast_2d(covariance))
    return replace(preprocessed, findings=(*preprocessed.findings, said)), fitted


def _amplitudes(
    acquisition: DiscAcquisition, count: int, recipe: Recipe, model: MetaboliteModel
) -> list[FloatArray]:
    """Return the amplitudes of the repeats that could be fitted."""
    rng = np.random.default_rng(_SEED)
    signal = acquisition.metabolite
    found = []
    for _ in range(recipe.fit.bootstrap):
        drawn = np.sort(rng.integers(count, size=count))
        repeat = replace(signal, signal=signal.signal[..., drawn, :])
        try:
            again = fit(preprocess(replace(acquisition, metabolite=repeat), recipe), recipe, model)
        except InputError:
            continue
        if again.converged:
            found.append(again.amplitude)
    return found
