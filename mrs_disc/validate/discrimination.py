"""The score against known truth: discrimination, wrong labels, calibration.

Whole patients are simulated with the generative model and analysed as a study is. The score's
parameters come from the same generative model, so the table shows what measurement error costs and
whether probabilities mean what they say; it is no evidence that the score works in patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.data import DiscScore, LevelReport
from mrs_disc.models import MetaboliteModel, load_metabolite_model
from mrs_disc.simulate import LUMBAR, Scan, simulate_study
from mrs_disc.simulate.study import Measured, plan_study
from mrs_disc.typing import BoolArray, FloatArray
from mrs_disc.validate.regimes import acidity_bound

_DRAWS = 50
_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Discs whose probability lies in a range."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_painful: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """How the score did on simulated patients.

    `auc_truth` is that of the true acidity/structure of the scored discs, without measurement
    error; `auc_attainable` that of unbiased measurements whose errors have the Cramér-Rao bound
    of the true model, ranked by acidity/structure; `wrong` counts labels (likely or unlikely
    painful) against the truth.
    """

    seed: int
    patients: int
    discs: int
    failed: int
    poor: int
    scored: int
    painful: int
    auc: float
    auc_truth: float
    auc_attainable: float
    labelled: int
    wrong: int
    sensitivity: float
    specificity: float
    brier: float
    bins: tuple[Bin, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def validate_score(
    seed: int = 0,
    discs: int = 200,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Discrimination:
    """Analyse simulated patients of five lumbar discs each.

    Parameters
    ----------
    seed : int
        Decides all patients.
    discs : int
        Five a patient, rounded up.
    progress : callable, optional
        Called with a name, the number of patients done and of all.
    """
    patients = -(-discs // len(LUMBAR))
    scan = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=32, n_water=2)
    model = load_metabolite_model("disc_1h")
    rows: list[_Row] = []
    failed = poor = 0
    start = perf_counter()
    for subject in range(1, patients + 1):
        study, truth = simulate_study(seed, subject=subject, scan=scan, anatomy=False)
        planned = plan_study(seed, subject=subject, levels=LUMBAR, scan=scan)
        for level, m in zip(analyze(study), planned, strict=True):
            failed += level.failure is not None
            poor += _is_poor(level)
            if level.score is not None and level.score.value is not None:
                rows.append(_row(level.score, truth[level.level], m, scan, model))
        if progress is not None:
            progress("score", subject, patients)
    return _summary(seed, patients, failed, poor, rows, perf_counter() - start)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """One scored disc; `mean` and `covariance` are those of (acidity, structure)."""

    painful: bool
    probability: float
    label: str
    mean: FloatArray
    covariance: FloatArray


def _row(
    score: DiscScore,
    truth: Mapping[str, Any],
    m: Measured,
    scan: Scan,
    model: MetaboliteModel,
) -> _Row:
    assert score.value is not None
    weights, covariance = acidity_bound(m, scan, model)
    return _Row(
        painful=truth["painful"],
        probability=score.value,
        label=score.label,
        mean=np.array([truth["acidity"], truth["structure"]]),
        covariance=weights @ covariance @ weights.T,
    )


def _attainable(rows: Sequence[_Row], painful: BoolArray, seed: int) -> float:
    """Return the mean AUC of unbiased measurements at the bound, over draws of their errors."""
    rng = np.random.default_rng([seed, 1])
    draws = np.array(
        [rng.multivariate_normal(row.mean, row.covariance, _DRAWS, method="eigh") for row in rows]
    ).reshape(len(rows), _DRAWS, 2)
    # The angle keeps the order of the ratio, and goes on where an error makes structure negative.
    order = np.arctan2(draws[..., 0], draws[..., 1])
    return float(np.mean([area_under_curve(column, painful) for column in order.T]))


def _is_poor(level: LevelReport) -> bool:
    return level.measurement is not None and level.measurement.quality.verdict == "poor"


def _summary(
    seed: int, patients: int, failed: int, poor: int, rows: list[_Row], seconds: float
) -> Discrimination:
    painful = np.array([row.painful for row in rows], dtype=bool)
    probability = np.array([row.probability for row in rows], dtype=np.float64)
    ratio = np.array([row.mean[0] / row.mean[1] for row in rows], dtype=np.float64)
    likely = np.array([row.label == "likely painful" for row in rows], dtype=bool)
    unlikely = np.array([row.label == "unlikely painful" for row in rows], dtype=bool)
    labelled = likely | unlikely
    wrong = (likely & ~painful) | (unlikely & painful)
    return Discrimination(
        seed=seed,
        patients=patients,
        discs=patients * len(LUMBAR),
        failed=failed,
        poor=poor,
        scored=len(rows),
        painful=int(painful.sum()),
        auc=area_under_curve(probability, painful),
        auc_truth=area_under_curve(ratio, painful),
        auc_attainable=_attainable(rows, painful, seed) if rows else float("nan"),
        labelled=int(labelled.sum()),
        wrong=int(wrong.sum()),
        sensitivity=_share(likely[painful & labelled]),
        specificity=_share(unlikely[~painful & labelled]),
        brier=float(np.mean((probability - painful) ** 2)) if rows else float("nan"),
        bins=_bins(probability, painful),
        seconds=round(seconds, 2),
    )


def area_under_curve(value: FloatArray, positive: BoolArray) -> float:
    """Return the chance that a positive has the larger value, ties counting half.

    >>> area_under_curve(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    a, b = value[positive], value[~positive]
    if not a.size or not b.size:
        return float("nan")
    larger = (a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean()
    return float(larger)


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if mask.size else float("nan")


def _bins(probability: FloatArray, painful: BoolArray) -> tuple[Bin, ...]:
    bins = []
    for low, high in pairwise(_EDGES):
        inside = (probability >= low) & ((probability < high) | (high == 1.0))
        bins.append(
            Bin(
                low=low,
                high=high,
                n=int(inside.sum()),
                mean_probability=_mean(probability[inside]),
                share_painful=_share(painful[inside]),
            )
        )
    return tuple(bins)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def score_text(table: Discrimination) -> str:
    """Return the table as text."""
    rows = [
        f"Score against simulated truth: {table.patients} patients, {table.discs} discs, "
        f"seed {table.seed}.",
        "The score was made for the population that is simulated: no evidence for patients.",
        "",
        f"scored {table.scored} ({table.painful} painful), poor {table.poor}, "
        f"failed {table.failed}",
        f"AUC {table.auc:.3f}; attainable by unbiased measurements at the Cramér-Rao bound "
        f"{table.auc_attainable:.3f}, without any error {table.auc_truth:.3f}",
        f"labelled {table.labelled} of {table.scored}, of these wrong {table.wrong}; "
        f"sensitivity {table.sensitivity:.2f}, specificity {table.specificity:.2f} among labelled",
        f"Brier score {table.brier:.3f}",
        "",
        f"{'probability':<14}{'discs':>7}{'mean':>8}{'painful':>9}",
    ]
    for one in table.bins:
        name = f"{one.low:.1f} to {one.high:.1f}"
        rows.append(f"{name:<14}{one.n:>7}{one.mean_probability:>8.2f}{one.share_painful:>9.2f}")
    return "\n".join(rows)
