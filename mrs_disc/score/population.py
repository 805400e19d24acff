"""The random-intercept population model of r = log(acidity/structure).

Within its class (say healthy, degenerated, painful) the r of a disc is normal; all discs of one
patient share an offset u, normal about zero; acidity and structure are measured with errors. For
disc i with amplitudes A, S and their errors, z = A - exp(r) S is normal about zero whatever the
true S (Fieller), so that

    L_i(r) = exp(-z^2 / 2v) / sqrt(v),   v = sdA^2 - 2 exp(r) cov + exp(2r) sdS^2
    F_i(c, u) = integral of N(r; mean_c + u, sd_c) L_i(r) dr
    g_i(u) = sum over c of share_c F_i(c, u)
    P(painful | all discs) = integral of N(u; 0, patient_sd) prod_{j != i} g_j(u)
                             sum over painful c of share_c F_i(c, u), over the same with all c

No logarithm of a noisy sum is taken: a disc with no acid above noise needs no special case. Acidity
is cut at zero (in simulation that ranks better than the uncut sum: .844 for .838 at an error of
14 in A), and S counts as at least A / exp(r_cap). With both, more acid never lowers the
probability and more structure never raises it. The integrals are sums on a grid of r and
Gauss-Hermite nodes of u.

Decision: the *predictive* probability decides the label. A plug-in probability at the measured r
says .93 where .61 is true at an error of 1 in r; the posterior mass of r about a threshold would
label a quarter of the discs wrongly. The interval tells what the error of measurement hides: the
2.5th and 97.5th percentile of the probability that this disc would have were its r known, over
what its measurement leaves open. Its mean is the predictive probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import exp, log, sqrt
from typing import Any

import numpy as np

from mrs_disc.data import DiscScore, frozen
from mrs_disc.models import model_reference
from mrs_disc.models.scores import PopulationScore
from mrs_disc.recipe import ScoreOptions
from mrs_disc.score.disc import (
    Disc,
    indeterminate,
    label_of,
    log_error,
    scope_remarks,
    structure_problem,
)
from mrs_disc.typing import FloatArray

_STEP = 0.005
_NODES = 25
_LEAST_ERROR = 0.01
"""Smallest error of r: half the grid's resolution, far below any measurement."""
_OTHER_PREVALENCES = (0.10, 0.39)
"""Shown beside the model's own: the effect of another prevalence."""
_LITTLE = 2.0
"""A measurement that changes the odds by less than this factor says little, and is told."""
LOG = "log(acidity/structure)"
_HIGH_PREVALENCE, _TELLING = 0.7, 2.0
"""A patient whose discs fit this prevalence so many times better than the assumed one is told.

In simulation that is two in five of those with four painful discs of five, one in twenty-five of
the others. Refused: to weigh prevalences by such evidence. Three to five discs tell so little of
it that half of the labels of other patients would be lost before those of such patients held.
"""


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
    variance = _variance(ratio, acidity_sd / structure, structure_sd / structure, correlation)
    return _likelihood(acidity / structure - ratio, variance, np.log(variance))


def _variance(ratio: FloatArray, a: float, s: float, correlation: float) -> FloatArray:
    """Return the variance of z / structure from the relative errors of acidity and structure."""
    squared = (s * s + _LEAST_ERROR**2) * ratio**2
    return np.asarray(a * a - 2 * correlation * a * s * ratio + squared)


def _likelihood(distance: FloatArray, variance: FloatArray, log_variance: FloatArray) -> FloatArray:
    logarithm = -0.5 * distance**2 / variance - 0.5 * log_variance
    return np.asarray(np.exp(logarithm - logarithm.max()))


def class_likelihoods(grid: Grid, likelihoods: FloatArray) -> FloatArray:
    """Return F, shape (disc, offset, class), from likelihoods of shape (disc, r)."""
    density = grid.density
    found = likelihoods @ density.reshape(-1, density.shape[2]).T
    return np.asarray(found.reshape(-1, *density.shape[:2]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """What is known of one disc, given all discs of the patient.

    `density` is that of r within each class, shape (class, r), before the disc itself was measured.
    """

    probability: float
    low: float
    high: float
    classes: FloatArray
    offset_mean: float
    offset_sd: float
    density: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Evidence:
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


def _evidence(grid: Grid, own: FloatArray, others: FloatArray) -> _Evidence:
    return _Evidence(
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
    return _posterior(grid, shares, _evidence(grid, own, others))


def _posterior(grid: Grid, shares: FloatArray, seen: _Evidence) -> Posterior:
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
    return Posterior(
        probability=probability,
        low=min(float(ends[0]), probability),
        high=max(float(ends[1]), probability),
        classes=classes,
        offset_mean=mean,
        offset_sd=sqrt(max(spread, 0.0)),
        density=density,
    )


def _probability(grid: Grid, shares: FloatArray, seen: _Evidence) -> float:
    """Return the probability of `_posterior` alone."""
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


# --------------------------------------------------------------------------- the score


def score_population(
    disc: Disc, others: Sequence[Disc], model: PopulationScore, options: ScoreOptions
) -> DiscScore:
    """Score a disc beside the patient's other discs."""
    reference = model_reference(model)
    if problem := structure_problem(disc):
        return indeterminate(reference, problem)
    beside = [other for other in others if not structure_problem(other)]
    grid = model_grid(model)
    shares = shares_at(model, options.prevalence)
    own = _likelihood_of(disc, grid, model)
    context = np.array([_likelihood_of(d, grid, model) for d in beside]).reshape(-1, grid.r.size)
    seen = _evidence(grid, own, context)
    found = _posterior(grid, shares, seen)
    alone = _posterior(grid, shares, replace(seen, other_classes=seen.other_classes[:0]))
    label = label_of(found.probability, options)
    inputs = _inputs(disc, beside, model, options, found, alone)
    reasons = (
        _what_was_seen(disc, model),
        _how_it_was_judged(found, alone, beside),
        _what_it_weighs(found, options.prevalence or model.prevalence),
        _what_would_change(disc, grid, options, found),
        _other_prevalence(model, grid, seen, options),
        _unlike_assumed(model, grid, seen, options),
        *scope_remarks(disc, model),
    )
    return DiscScore(
        model=reference,
        value=found.probability,
        low=found.low,
        high=found.high,
        label=label,
        reasons=tuple(r for r in reasons if r),
        inputs=inputs,
    )


def _likelihood_of(disc: Disc, grid: Grid, model: PopulationScore) -> FloatArray:
    assert disc.acidity is not None
    assert disc.structure is not None
    acidity = max(disc.acidity, 0.0)
    return likelihood(
        grid.r,
        acidity,
        max(disc.structure, acidity / exp(model.r_cap)),
        disc.acidity_sd,
        disc.structure_sd,
        disc.correlation,
    )


def _inputs(
    disc: Disc,
    beside: Sequence[Disc],
    model: PopulationScore,
    options: ScoreOptions,
    found: Posterior,
    alone: Posterior,
) -> Mapping[str, Any]:
    """Return the numbers that the score follows from."""
    assert disc.acidity is not None
    assert disc.structure is not None
    return {
        "acidity": max(disc.acidity, 0.0),
        "acidity_sd": disc.acidity_sd,
        "structure": disc.structure,
        "structure_sd": disc.structure_sd,
        "correlation": disc.correlation,
        "log(acidity/structure)": log(disc.acidity / disc.structure) if disc.acidity > 0 else None,
        "log_error": log_error(disc),
        "prevalence": options.prevalence or model.prevalence,
        "disc_alone": alone.probability,
        "disc_alone_low": alone.low,
        "disc_alone_high": alone.high,
        "with_levels": [d.level for d in beside],
        "patient_offset": found.offset_mean,
        "patient_offset_sd": found.offset_sd,
        "classes": {c.name: float(p) for c, p in zip(model.disc_class, found.classes, strict=True)},
    }


def _what_was_seen(disc: Disc, model: PopulationScore) -> str:
    assert disc.acidity is not None
    assert disc.structure is not None
    means = ", ".join(f"{c.name} {c.mean:.2f}" for c in model.disc_class)
    error = log_error(disc)
    if error is None:
        upper = _upper_limit(disc)
        return f"acid is below 2 sd: log(acidity/structure) below {upper:.2f} (means: {means})"
    value = log(disc.acidity / disc.structure)
    return f"log(acidity/structure) = {value:.2f} ± {error:.2f} (means: {means})"


def _upper_limit(disc: Disc) -> float:
    """Return the one-sided 95 % limit of log(acidity/structure), as the quantities state it."""
    assert disc.acidity is not None
    assert disc.structure is not None
    stated = disc.quantities.values.get(LOG) if disc.quantities is not None else None
    if stated is not None and stated.limit == "upper" and stated.high is not None:
        return stated.high
    return log((max(disc.acidity, 0.0) + 1.645 * disc.acidity_sd) / disc.structure)


def _what_it_weighs(found: Posterior, prevalence: float) -> str:
    """Say where the measurement has hardly moved what was assumed before it."""
    p = min(max(found.probability, 1e-12), 1 - 1e-12)
    factor = p / (1 - p) * (1 - prevalence) / prevalence
    if not 1 / _LITTLE < factor < _LITTLE:
        return ""
    return (
        f"the measurement says little: without it the probability would be {prevalence:.2f}, "
        f"the odds are {factor:.2g} times as high with it"
    )


def _how_it_was_judged(found: Posterior, alone: Posterior, beside: Sequence[Disc]) -> str:
    if not beside:
        return f"probability {found.probability:.2f}; no other disc of the patient was usable"
    return (
        f"probability {alone.probability:.2f} for this disc alone, {found.probability:.2f} beside "
        f"{', '.join(d.level for d in beside)} "
        f"(patient's offset {found.offset_mean:+.2f} ± {found.offset_sd:.2f})"
    )


def _what_would_change(disc: Disc, grid: Grid, options: ScoreOptions, found: Posterior) -> str:
    """Return at which log(acidity/structure) the label would be another, all else the same."""
    assert disc.structure is not None
    relative = disc.acidity_sd / disc.structure, disc.structure_sd / disc.structure
    ratio = np.exp(grid.r)
    variance = _variance(ratio, *relative, disc.correlation)
    log_variance = np.log(variance)

    def at(r: float) -> float:
        masses = found.density @ _likelihood(exp(r) - ratio, variance, log_variance)
        return float(grid.painful @ masses / masses.sum())

    likely = _crossing(at, options.likely, grid)
    unlikely = _crossing(at, options.unlikely, grid)
    parts = []
    if found.probability < options.likely:
        parts.append(
            "no acidity would make it likely painful at this noise"
            if likely is None
            else f"likely painful from {likely:.2f} on"
        )
    else:
        parts.append(f"likely painful no longer below {likely:.2f}" if likely is not None else "")
    if found.probability > options.unlikely:
        parts.append(
            "no acidity would make it unlikely painful at this noise"
            if unlikely is None
            else f"unlikely painful up to {unlikely:.2f}"
        )
    elif unlikely is not None:
        parts.append(f"unlikely painful no longer above {unlikely:.2f}")
    words = "; ".join(p for p in parts if p)
    return f"at the same errors: {words}" if words else ""


def _crossing(at: Any, wanted: float, grid: Grid) -> float | None:
    """Return the r at which a rising probability reaches `wanted`, or `None`."""
    low, high = float(grid.r[0]), float(grid.r[-1])
    if not at(low) < wanted < at(high):
        return None
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < wanted else (low, middle)
    return (low + high) / 2


def _other_prevalence(
    model: PopulationScore, grid: Grid, seen: _Evidence, options: ScoreOptions
) -> str:
    used = options.prevalence or model.prevalence
    others = [p for p in _OTHER_PREVALENCES if abs(p - used) > 0.02]
    words = [f"{_probability(grid, shares_at(model, p), seen):.2f} at {p:.0%}" for p in others]
    return f"assumes that {used:.0%} of such discs are painful ({', '.join(words)})"


def _unlike_assumed(
    model: PopulationScore, grid: Grid, seen: _Evidence, options: ScoreOptions
) -> str:
    """Say where a patient's discs together speak for far more painful discs than assumed.

    Such patients are rare in the model; where they are not, the probabilities are too low.
    """
    used = options.prevalence or model.prevalence
    if seen.other_classes.shape[0] < 2 or used >= _HIGH_PREVALENCE:
        return ""
    every = np.concatenate([seen.own_classes[None], seen.other_classes])

    def evidence(prevalence: float) -> float:
        each = every @ shares_at(model, prevalence)
        return float(grid.offset_weight @ np.prod(np.maximum(each, 1e-60), axis=0))

    ratio = evidence(_HIGH_PREVALENCE) / max(evidence(used), 1e-300)
    if ratio < _TELLING:
        return ""
    other = _probability(grid, shares_at(model, _HIGH_PREVALENCE), seen)
    return (
        f"this patient's discs together fit a prevalence of {_HIGH_PREVALENCE:.0%} better than the "
        f"assumed {used:.0%} ({ratio:.1f} times as likely); at {_HIGH_PREVALENCE:.0%} the "
        f"probability would be {other:.2f}"
    )
