"""Runs of one disc taken together, where they agree.

What is the same in all runs (baseline, ratios, lines: the error of the truth beyond that of
repetition) does not average out; what is new in each, its noise, does. So runs are weighed by the
inverse of their errors of repetition, and the combination has the weighed error of those and, on
top, the common part once.

Runs that lie further apart than their errors of repetition allow (a chi-square of two degrees for
each run beyond the first, past its 99th percentile) are not one measurement: another place, motion,
another gain. They are not combined, and that is said. Nor are runs of other echo times, repetition
times or fields: their areas are not corrected for relaxation, and need not agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, factorial

import numpy as np

from mrs_disc.record.findings import Finding, finding
from mrs_disc.scoring.disc import Disc
from mrs_disc.typing import FloatArray

_LEAST = 0.01
"""Probability of lying so far apart by chance, below which runs are not combined [P]."""
_SAME = {"echo_time_s": 0.02, "repetition_time_s": 0.02, "field_t": 0.05}
"""How far protocols of one measurement may differ, relative [P]."""


def combined(runs: Sequence[Disc]) -> Disc:
    """Return the runs of one level as one disc; the first, with a remark, where they disagree.

    Parameters
    ----------
    runs : sequence of Disc
        Usable runs of one level, that of best quality first.
    """
    measured = [run for run in runs if run.acidity is not None and run.structure is not None]
    if len(measured) < 2 or measured[0] is not runs[0]:
        return runs[0]
    alike = [run for run in measured if _of_one_protocol(run, measured[0])]
    if others := len(measured) - len(alike):
        told = _noticed(runs[0], finding("runs_of_other_protocols", n=others))
        return combined([told, *alike[1:]])
    values = np.array([[run.acidity, run.structure] for run in measured], dtype=float)
    noise = np.array([_covariance(run, of_repetition=True) for run in measured])
    apart = _chi_square(values, noise)
    if _by_chance(apart, len(measured)) < _LEAST:
        return _noticed(runs[0], finding("runs_disagree", n=len(measured), chi_square=apart))
    precision = np.linalg.inv(noise)
    new = np.linalg.inv(precision.sum(axis=0))
    mean = new @ np.einsum("rij,rj->i", precision, values)
    total = np.array([_covariance(run, of_repetition=False) for run in measured])
    covariance = new + _positive((total - noise).mean(axis=0))
    sd = np.sqrt(np.diag(covariance))
    return _noticed(
        replace(
            runs[0],
            acidity=float(mean[0]),
            structure=float(mean[1]),
            acidity_sd=float(sd[0]),
            structure_sd=float(sd[1]),
            correlation=float(covariance[0, 1] / sd.prod()),
            acidity_repetition_sd=float(np.sqrt(new[0, 0])),
            structure_repetition_sd=float(np.sqrt(new[1, 1])),
            n_transients=None,
        ),
        finding("runs_combined", n=len(measured)),
    )


def _of_one_protocol(run: Disc, other: Disc) -> bool:
    """Say whether two runs were measured alike; what a file does not say counts as alike."""

    def alike(name: str, share: float) -> bool:
        one, two = getattr(run, name), getattr(other, name)
        return one is None or two is None or bool(abs(one - two) <= share * abs(two))

    return all(alike(name, share) for name, share in _SAME.items())


def _by_chance(chi_square: float, runs: int) -> float:
    """Return the probability of a larger chi-square of 2 (runs - 1) degrees; closed for even ones.

    >>> round(_by_chance(9.21, 2), 3), round(_by_chance(13.28, 3), 3)
    (0.01, 0.01)
    """
    half = chi_square / 2
    return exp(-half) * sum(half**k / factorial(k) for k in range(runs - 1))


def _covariance(run: Disc, *, of_repetition: bool) -> FloatArray:
    """Return the covariance of (acidity, structure): over repeats, or about the truth."""
    sd = np.array([run.acidity_sd, run.structure_sd])
    if of_repetition:
        sd = np.minimum(
            sd, [run.acidity_repetition_sd or sd[0], run.structure_repetition_sd or sd[1]]
        )
    correlation = np.array([[1.0, run.correlation], [run.correlation, 1.0]])
    return np.asarray(np.outer(sd, sd) * correlation)


def _chi_square(values: FloatArray, covariance: FloatArray) -> float:
    """Return the sum of squares of the runs about their weighed mean, in their errors."""
    precision = np.linalg.inv(covariance)
    mean = np.linalg.solve(precision.sum(axis=0), np.einsum("rij,rj->i", precision, values))
    return float(np.einsum("ri,rij,rj->", values - mean, precision, values - mean))


def _positive(matrix: FloatArray) -> FloatArray:
    """Return a symmetric matrix without what is negative in it."""
    size, along = np.linalg.eigh(matrix)
    return np.asarray((along * np.maximum(size, 0.0)) @ along.T)


def _noticed(disc: Disc, noticed: Finding) -> Disc:
    return replace(disc, remarks=(*disc.remarks, noticed))
