"""The discs of one patient against one another, as CPT 0611T asks, and over time.

What a comparison assumes: the discs were measured alike (coil, echo time, voxel), and their
measurement errors are independent. The difference to the patient's median shares the disc's own
error with the median; the draws know that. A difference says how a disc stands among its
neighbours, not whether it hurts: where all discs are alike it is about zero for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from mrs_disc.data import Comparison, Difference, LevelReport, ReferenceComparison, best_run
from mrs_disc.typing import FloatArray

QUANTITY = "log(acidity/structure)"
MIN_DISCS = 3
ASSUMES = (
    "assumes that the discs were measured alike and that their errors are independent; where all "
    "discs are alike, each differs from the median by about zero"
)

_DRAWS = 4000
_SEED = 611


def compare_discs(levels: Sequence[LevelReport]) -> Comparison:
    """Compare each usable disc with the patient's median and with the disc of best structure.

    Parameters
    ----------
    levels : sequence of LevelReport
        All levels and runs; the run of best quality stands for its level.

    Returns
    -------
    Comparison
        Of log(acidity/structure): differences with 95 % intervals, from three usable discs on;
        with fewer, the reason.
    """
    names = dict.fromkeys(r.level for r in levels)
    best = [best_run([r for r in levels if r.level == name]) for name in names]
    discs = [r for r in best if r.usable and _measured(r)]
    if len(discs) < MIN_DISCS:
        return Comparison(
            quantity=QUANTITY,
            reason=f"{len(discs)} usable discs with {QUANTITY}; at least {MIN_DISCS} are needed",
        )
    draws = _draws(discs)
    values = np.array([_value(d) for d in discs])
    middle = np.median(draws, axis=0)
    firmest = _best_structure(discs)
    references = [_against("median", discs, values - np.median(values), draws - middle)]
    if firmest is not None:
        references.append(
            _against(discs[firmest].level, discs, values - values[firmest], draws - draws[firmest])
        )
    return Comparison(quantity=QUANTITY, references=tuple(references), assumes=ASSUMES)


def _measured(report: LevelReport) -> bool:
    assert report.measurement is not None
    quantity = report.measurement.quantities.values.get(QUANTITY)
    return quantity is not None and quantity.value is not None and quantity.sd is not None


def _value(report: LevelReport) -> float:
    assert report.measurement is not None
    value = report.measurement.quantities[QUANTITY].value
    assert value is not None
    return value


def _draws(discs: Sequence[LevelReport]) -> FloatArray:
    """Return draws of the values, shape (disc, draw), as lopsided as their intervals."""
    rows = []
    normals = np.random.default_rng(_SEED).standard_normal((len(discs), _DRAWS // 2))
    for report, z in zip(discs, normals, strict=True):
        assert report.measurement is not None
        quantity = report.measurement.quantities[QUANTITY]
        value = _value(report)
        assert quantity.sd is not None
        below = (value - quantity.low) / 1.959964 if quantity.low is not None else quantity.sd
        above = (quantity.high - value) / 1.959964 if quantity.high is not None else quantity.sd
        both = np.concatenate([z, -z])
        rows.append(value + np.where(both < 0, below, above) * both)
    return np.array(rows)


def _best_structure(discs: Sequence[LevelReport]) -> int | None:
    """Return the disc with most structure: per tissue water where known, else by area."""
    for name in ("structure/water", "structure"):
        values = [
            d.measurement.quantities.values[name].value
            for d in discs
            if d.measurement is not None and name in d.measurement.quantities.values
        ]
        known = [v for v in values if v is not None]
        if len(known) == len(discs):
            return int(np.argmax(known))
    return None


def _against(
    reference: str, discs: Sequence[LevelReport], values: FloatArray, draws: FloatArray
) -> ReferenceComparison:
    levels = {}
    for disc, value, row in zip(discs, values, draws, strict=True):
        low, high = np.percentile(row, [2.5, 97.5])
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
    return 1.959964 * sqrt(2) * sqrt(squares / freedom), freedom
