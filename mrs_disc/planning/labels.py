"""Which labels discs will get whose measurements have expected errors.

The likelihood ratio is that of one disc alone, as `score.population` computes it without other
discs of the patient; they would add a little. Simulated discs are drawn from the population of the
simulator, which the score model was made from: no evidence for patients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrs_disc.data import Label
from mrs_disc.models.scores import PopulationScore
from mrs_disc.planning.expected import Expected
from mrs_disc.recipe import ScoreOptions
from mrs_disc.record.parts import LikelihoodRatio
from mrs_disc.scoring.disc import STRUCTURE_SD, at_prevalence, label_of
from mrs_disc.scoring.population_model import likelihood, model_grid, shares_at
from mrs_disc.steps.quantification import SUMS
from mrs_disc.typing import FloatArray

LABELS: tuple[Label, ...] = ("likely painful", "indeterminate", "unlikely painful")
ESTIMATES = 24
"""Measurements of a disc with each baseline, of a fixed seed."""
_SEED = 20190211


def sums_of(disc: Expected) -> tuple[FloatArray, FloatArray]:
    """Return acidity and structure, shape (2,), and their covariance, (baseline, 2, 2)."""
    weights = np.array(
        [[SUMS[of].get(n, 0.0) for n in disc.names] for of in ("acidity", "structure")]
    )
    return weights @ disc.amplitude, weights @ disc.covariance @ weights.T


def likelihood_ratios(
    model: PopulationScore, estimates: FloatArray, covariance: FloatArray
) -> FloatArray:
    """Return the likelihood ratio of pain of each measurement of a disc alone.

    Parameters
    ----------
    model : PopulationScore
        The population.
    estimates : float array, shape (estimate, 2)
        Measured acidity and structure.
    covariance : float array, shape (2, 2)
        Their errors.

    Returns
    -------
    float array, shape (estimate,)
        NaN where structure is not measurable.
    """
    grid, shares = model_grid(model), shares_at(model, None)
    classes = np.tensordot(grid.offset_weight, grid.density, 1) * shares[:, None]
    painful = grid.painful @ classes / (grid.painful @ shares)
    painless = (1 - grid.painful) @ classes / ((1 - grid.painful) @ shares)
    sd = np.sqrt(np.diagonal(covariance))
    correlation = float(covariance[0, 1] / (sd[0] * sd[1]))
    ratios = np.full(len(estimates), np.nan)
    for index, (acidity, structure) in enumerate(estimates):
        if structure < STRUCTURE_SD * sd[1]:
            continue
        acid = max(float(acidity), 0.0)
        firm = max(float(structure), acid / float(np.exp(model.r_cap)))
        seen = likelihood(grid.r, acid, firm, float(sd[0]), float(sd[1]), correlation)
        ratios[index] = painful @ seen / max(float(painless @ seen), 1e-300)
    return ratios


def shares(discs: Sequence[Expected], model: PopulationScore, options: ScoreOptions) -> FloatArray:
    """Return the expected share of each of `LABELS` among measurements of discs."""
    rng = np.random.default_rng(_SEED)
    prevalence = options.prevalence or model.prevalence
    counts = np.zeros(len(LABELS))
    for disc in discs:
        mean, covariances = sums_of(disc)
        for covariance in covariances:
            root = np.linalg.cholesky(covariance)
            estimates = mean + rng.standard_normal((ESTIMATES, 2)) @ root.T
            for ratio in likelihood_ratios(model, estimates, covariance):
                counts[LABELS.index(_label(ratio, prevalence, options))] += 1
    return np.asarray(counts / counts.sum())


def _label(ratio: float, prevalence: float, options: ScoreOptions) -> Label:
    if np.isnan(ratio):
        return "indeterminate"
    evidence = LikelihoodRatio(value=float(ratio), low=None, high=None)
    return label_of(evidence, at_prevalence(float(ratio), prevalence), options)
