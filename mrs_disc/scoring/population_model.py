"""The mathematics of the population model: its grid, likelihoods, and what the discs tell.

See `mrs_disc.scoring.population` for the model itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from mrs_disc.data import frozen
from mrs_disc.models.scores import PopulationScore
from mrs_disc.typing import FloatArray

_STEP = 0.005
_NODES = 25
_LEAST_ERROR = 0.01
"""Smallest error of r: half the grid's resolution, far below any measurement."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """A population model on its grid.

    Parameters
    ----------
    r : float array, shape (r,)
    offset, offset_weight : float arrays, shape (offset,)
        Gauss-Hermite nodes and weights of the patient's offset.
    density : float array, shape (offset, class, r)
        Of r within each class at each offset; sums to one over r.
    painful : bool array, shape (class,)
    """

    r: FloatArray
    offset: FloatArray
    offset_weight: FloatArray
    density: FloatArray
    painful: FloatArray


def make_grid(
    means: tuple[float, ...],
    sds: tuple[float, ...],
    painful: tuple[bool, ...],
    patient_sd: float,
    r_range: tuple[float, float],
    step: float = _STEP,
    nodes: int = _NODES,
) -> Grid:
    """Return the grid of a population model.

    Parameters
    ----------
    means, sds, painful : tuples, one per class
    patient_sd : float
        Standard deviation of the patients' offsets.
    r_range : tuple of float
        Range of r; what lies beyond counts to neither class.
    step : float
        Of the grid of r.
    nodes : int
        Of the offset.
    """
    r = np.arange(r_range[0], r_range[1] + step / 2, step)
    node, weight = np.polynomial.hermite_e.hermegauss(nodes if patient_sd > 0 else 1)
    offset = patient_sd * node
    mean = np.array(means)[None, :, None] + offset[:, None, None]
    logarithm = -0.5 * ((r - mean) / np.array(sds)[:, None]) ** 2
    density = np.exp(logarithm - logarithm.max(axis=2, keepdims=True))
    density /= density.sum(axis=2, keepdims=True)
    return Grid(
        r=frozen(r),
        offset=frozen(offset),
        offset_weight=frozen(weight / weight.sum()),
        density=frozen(density),
        painful=frozen(np.array(painful, dtype=np.float64)),
    )


grid_of = lru_cache(maxsize=8)(make_grid)
"""The same, computed once."""


def model_grid(model: PopulationScore) -> Grid:
    """Return the grid of a loaded model."""
    return grid_of(
        tuple(c.mean for c in model.disc_class),
        tuple(c.sd for c in model.disc_class),
        tuple(c.painful for c in model.disc_class),
        model.patient_sd,
        model.r_range,
    )


def shares_at(model: PopulationScore, prevalence: float | None) -> FloatArray:
    """Return the shares of the classes at another prevalence of painful discs."""
    shares = np.array([c.share for c in model.disc_class])
    if prevalence is None:
        return shares
    painful = np.array([c.painful for c in model.disc_class])
    shares[painful] *= prevalence / shares[painful].sum()
    shares[~painful] *= (1 - prevalence) / shares[~painful].sum()
    return shares


def likelihood(
    r: FloatArray,
    acidity: float,
    structure: float,
    acidity_sd: float,
    structure_sd: float,
    correlation: float,
) -> FloatArray:
    """Return the likelihood of each r given a measured acidity and structure.

    Parameters
    ----------
    r : float array, shape (r,)
    acidity, structure : float
        As measured, not cut.
    acidity_sd, structure_sd, correlation : float
        Their errors.

    Returns
    -------
    float array, shape (r,)
        Largest value 1. The same for any unit of the amplitudes.
    """
    ratio = np.exp(r)
    variance = error_variance(ratio, acidity_sd / structure, structure_sd / structure, correlation)
    return normal_likelihood(acidity / structure - ratio, variance, np.log(variance))


def error_variance(ratio: FloatArray, a: float, s: float, correlation: float) -> FloatArray:
    """Return the variance of z / structure from the relative errors of acidity and structure."""
    squared = (s * s + _LEAST_ERROR**2) * ratio**2
    return np.asarray(a * a - 2 * correlation * a * s * ratio + squared)


def normal_likelihood(
    distance: FloatArray, variance: FloatArray, log_variance: FloatArray
) -> FloatArray:
    """Return the normal likelihood of a distance, largest value 1."""
    logarithm = -0.5 * distance**2 / variance - 0.5 * log_variance
    return np.asarray(np.exp(logarithm - logarithm.max()))


def class_likelihoods(grid: Grid, likelihoods: FloatArray) -> FloatArray:
    """Return F, shape (disc, offset, class), from likelihoods of shape (disc, r)."""
    density = grid.density
    integrals = likelihoods @ density.reshape(-1, density.shape[2]).T
    return np.asarray(integrals.reshape(-1, *density.shape[:2]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """What is known of one disc, given all discs of the patient.

    `ratio` is the likelihood ratio of pain; `ratio_low` and `ratio_high` are its percentiles over
    the patient's offset. `density` is that of r within each class, shape (class, r), before the
    disc itself was measured.
    """

    probability: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    classes: FloatArray
    offset_mean: float
    offset_sd: float
    density: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """A disc and the patient's others on the grid; none of it depends on the classes' shares.

    Parameters
    ----------
    own : float array, shape (r,)
        Likelihood of the disc.
    own_classes : float array, shape (offset, class)
    other_classes : float array, shape (disc, offset, class)
    """

    own: FloatArray
    own_classes: FloatArray
    other_classes: FloatArray


def evidence_of(grid: Grid, own: FloatArray, others: FloatArray) -> Evidence:
    """Return the evidence of likelihoods: of the disc, shape (r,), and the others, (disc, r)."""
    return Evidence(
        own=own,
        own_classes=class_likelihoods(grid, own[None])[0],
        other_classes=class_likelihoods(grid, others),
    )


def posterior(grid: Grid, shares: FloatArray, own: FloatArray, others: FloatArray) -> Posterior:
    """Return the probability that a disc is painful.

    Parameters
    ----------
    grid : Grid
        The model.
    shares : float array, shape (class,)
        Shares of the classes.
    own : float array, shape (r,)
        Likelihood of the disc.
    others : float array, shape (disc, r)
        Likelihoods of the patient's other discs; none: the disc alone.
    """
    return posterior_given(grid, shares, evidence_of(grid, own, others))


def posterior_given(grid: Grid, shares: FloatArray, seen: Evidence) -> Posterior:
    """Return what `posterior` does, from evidence that serves other shares too."""
    weight = offset_weights(grid, shares, seen.other_classes)
    joint = weight[:, None] * shares * seen.own_classes
    total = joint.sum()
    classes = joint.sum(axis=0) / total
    at_offset = joint.sum(axis=1) / total
    mean = float(at_offset @ grid.offset)
    spread = float(at_offset @ (grid.offset - mean) ** 2)
    density = np.tensordot(weight, grid.density, 1) * shares[:, None]
    total_density = density.sum(axis=0)
    known = (grid.painful @ density) / total_density
    mass = np.cumsum(total_density * seen.own)
    ends = np.interp([0.025, 0.975], mass / mass[-1], known)
    probability = float(classes @ grid.painful)
    ratio = float(_ratio(grid, shares, joint.sum(axis=0)))
    at_each = _ratio(grid, shares, joint)
    ratio_low, ratio_high = _quantiles(at_each, at_offset / at_offset.sum())
    return Posterior(
        probability=probability,
        low=min(float(ends[0]), probability),
        high=max(float(ends[1]), probability),
        ratio=ratio,
        ratio_low=min(ratio_low, ratio),
        ratio_high=max(ratio_high, ratio),
        classes=classes,
        offset_mean=mean,
        offset_sd=sqrt(max(spread, 0.0)),
        density=density,
    )


def _ratio(grid: Grid, shares: FloatArray, joint: FloatArray) -> FloatArray:
    """Return the likelihood ratio of pain from what each class explains, shape (..., class)."""
    painful, painless = grid.painful, 1 - grid.painful
    sick = joint @ painful / (shares @ painful)
    well = joint @ painless / (shares @ painless)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sick / np.maximum(well, 1e-300 * np.maximum(sick, 1e-300))
    # beyond what numbers can hold no class explains the disc: it speaks for none of them
    return np.where(np.isnan(ratio), 1.0, ratio)


def _quantiles(values: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of weighted values, between their middles."""
    order = np.argsort(values)
    ranked, weight = values[order], weights[order]
    middles = np.cumsum(weight) - weight / 2
    low, high = np.interp([0.025, 0.975], middles, ranked)
    return float(low), float(high)


def probability_given(grid: Grid, shares: FloatArray, seen: Evidence) -> float:
    """Return the probability of `posterior_given` alone."""
    weight = offset_weights(grid, shares, seen.other_classes)
    classes = (weight[:, None] * shares * seen.own_classes).sum(axis=0)
    return float(classes @ grid.painful / classes.sum())


def offset_weights(grid: Grid, shares: FloatArray, other_classes: FloatArray) -> FloatArray:
    """Return the weights of the offset's nodes, shape (offset,), given F of other discs."""
    if other_classes.shape[0] == 0:
        return grid.offset_weight
    each = other_classes @ shares
    logarithm = np.log(grid.offset_weight) + np.log(np.maximum(each, 1e-300)).sum(axis=0)
    weight = np.exp(logarithm - logarithm.max())
    return np.asarray(weight / weight.sum())


def fits_better(grid: Grid, seen: Evidence, shares: FloatArray, than: FloatArray) -> float:
    """Return how many times as likely all discs of the patient are with these shares."""
    every = np.concatenate([seen.own_classes[None], seen.other_classes])

    def evidence(shares: FloatArray) -> float:
        each = every @ shares
        return float(grid.offset_weight @ np.prod(np.maximum(each, 1e-60), axis=0))

    return evidence(shares) / max(evidence(than), 1e-300)
