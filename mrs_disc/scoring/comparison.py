"""The discs of one patient against one another, as CPT 0611T asks, and over time.

What a comparison assumes: the discs were measured alike (coil, echo time, voxel), and their
measurement errors are independent. The difference to the patient's median shares the disc's own
error with the median; the draws know that. A difference says how a disc stands among its
neighbours, not whether it hurts: where all discs are alike it is about zero for each.

Decision: discs are compared by log(acidity/structure), as the score is, where it is known of each.
A disc with hardly any acid has only an upper limit of it; were such discs left out, a patient
with one painful disc would have nothing to compare it with. Then all are compared by
acidity/structure itself, whose error is as well known near zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from mrs_disc.constants import Z95
from mrs_disc.record.level import Level, best_runs
from mrs_disc.record.levels import level_order
from mrs_disc.record.parts import Comparison, Difference, ReferenceComparison
from mrs_disc.typing import FloatArray

QUANTITY = "log(acidity/structure)"
LINEAR = "acidity/structure"
MIN_DISCS = 3
ASSUMES = (
    "assumes that the discs were measured alike and that their errors are independent; where all "
    "discs are alike, each differs from the median by about zero"
)

_DRAWS = 4000
_SEED = 611


def compare_discs(levels: Sequence[Level]) -> Comparison:
    """Compare each usable disc with the patient's median and with the disc of best structure.

    Parameters
    ----------
    levels : sequence of Level
        All levels and runs; the run of best quality stands for its level.

    Returns
    -------
    Comparison
        Differences with 95 % intervals, from three usable discs on, of log(acidity/structure),
        or of acidity/structure where some disc has only an upper limit; with fewer, the reason.
    """
    name, discs = _comparable(levels)
    values = np.array([_value(d, name) for d in discs])
    draws = _draws(discs, values, name)
    first = _shares_of_first(discs, draws)
    if len(discs) < MIN_DISCS:
        return Comparison(
            quantity=name,
            most_acidic=first,
            reason=f"{len(discs)} usable discs with {name}; at least {MIN_DISCS} are needed",
        )
    middle = np.median(draws, axis=0)
    firmest = _best_structure(discs)
    references = [_against("median", discs, values - np.median(values), draws - middle)]
    if firmest is not None:
        references.append(
            _against(discs[firmest].level, discs, values - values[firmest], draws - draws[firmest])
        )
    return Comparison(
        quantity=name, references=tuple(references), assumes=ASSUMES, most_acidic=first
    )


def most_acidic(levels: Sequence[Level]) -> dict[str, float]:
    """Return the probability of each usable disc that its acidity/structure is the highest.

    Parameters
    ----------
    levels : sequence of Level
        All levels and runs; the run of best quality stands for its level.

    Returns
    -------
    dict
        Level to probability; empty with fewer than two discs. They add up to one.
    """
    name, discs = _comparable(levels)
    draws = _draws(discs, np.array([_value(disc, name) for disc in discs]), name)
    return _shares_of_first(discs, draws)


def _shares_of_first(discs: Sequence[Level], draws: FloatArray) -> dict[str, float]:
    """Return how often each disc is the highest; nothing of fewer than two."""
    if len(discs) < 2:
        return {}
    first = np.bincount(np.argmax(draws, axis=0), minlength=len(discs)) / draws.shape[1]
    return {disc.level: float(share) for disc, share in zip(discs, first, strict=True)}


def _comparable(levels: Sequence[Level]) -> tuple[str, list[Level]]:
    """Return the quantity by which discs are compared, and the usable discs that have it."""
    best = sorted(best_runs(levels).values(), key=lambda one: level_order(one.level))
    usable = [one for one in best if one.usable]
    logarithms = [r for r in usable if _measured(r, QUANTITY)]
    linear = [r for r in usable if _measured(r, LINEAR)]
    return (LINEAR, linear) if len(linear) > len(logarithms) else (QUANTITY, logarithms)


def _measured(disc: Level, name: str) -> bool:
    quantity = disc.quantities.get(name)
    return quantity is not None and quantity.value is not None and quantity.sd is not None


def _value(disc: Level, name: str) -> float:
    """Return the value as measured: a ratio is not cut at zero before it is compared."""
    sums = disc.measured.quantities.sums if disc.measured else None
    if name == LINEAR and sums is not None and {"acidity", "structure"} <= set(sums.of):
        return sums.of["acidity"].value / sums.of["structure"].value
    value = disc.quantities[name].value
    assert value is not None
    return value


def _draws(discs: Sequence[Level], values: FloatArray, name: str) -> FloatArray:
    """Return draws of the values, shape (disc, draw), as lopsided as their intervals."""
    rows = []
    normals = np.random.default_rng(_SEED).standard_normal((len(discs), _DRAWS // 2))
    for disc, value, z in zip(discs, values, normals, strict=True):
        quantity = disc.quantities[name]
        assert quantity.sd is not None
        below = above = quantity.sd
        if quantity.limit is None:  # the ends of a limit are no interval about the value
            below = below if quantity.low is None else (value - quantity.low) / Z95
            above = above if quantity.high is None else (quantity.high - value) / Z95
        both = np.concatenate([z, -z])
        rows.append(value + np.where(both < 0, below, above) * both)
    return np.array(rows)


def _best_structure(discs: Sequence[Level]) -> int | None:
    """Return the disc with most structure: per tissue water where known, else by area."""
    for name in ("structure/water", "structure"):
        values = [d.quantities[name].value for d in discs if name in d.quantities]
        known = [v for v in values if v is not None]
        if len(known) == len(discs):
            return int(np.argmax(known))
    return None


def _against(
    reference: str, discs: Sequence[Level], values: FloatArray, draws: FloatArray
) -> ReferenceComparison:
    levels = {}
    ends = np.percentile(draws, [2.5, 97.5], axis=1)
    for disc, value, low, high in zip(discs, values, *ends, strict=True):
        levels[disc.level] = Difference(
            difference=float(value), low=min(float(low), value), high=max(float(high), value)
        )
    return ReferenceComparison(reference=reference, levels=levels)


def repeatability(repeats: Sequence[Sequence[float]]) -> tuple[float, int] | None:
    """Return the repeatability coefficient of repeated measurements, and its degrees of freedom.

    1.96 x sqrt(2) x the standard deviation within a disc: two measurements of an unchanged disc
    differ by less in 95 of 100 cases (Bland and Altman, BMJ 1996;313:744). `None` without repeats.

    >>> round(repeatability([[1.0, 1.2], [2.0, 1.9]])[0], 3)
    0.31
    """
    squares, freedom = 0.0, 0
    for values in repeats:
        if len(values) > 1:
            mean = sum(values) / len(values)
            squares += sum((v - mean) ** 2 for v in values)
            freedom += len(values) - 1
    if freedom == 0:
        return None
    return Z95 * sqrt(2) * sqrt(squares / freedom), freedom
