"""The score against known truth: discrimination, wrong labels, calibration.

Whole patients are simulated with the generative model and analysed as a study is. The score's
parameters come from the same generative model, so the table shows what measurement error costs and
whether probabilities mean what they say; it is no evidence that the score works in patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from time import process_time
from typing import Any

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.data import DiscScore, LevelReport
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.models import MetaboliteModel, load_metabolite_model
from mrs_disc.simulate import LUMBAR, Kind, Scan, simulate_study
from mrs_disc.simulate.population import KINDS
from mrs_disc.simulate.study import Measured, plan_study
from mrs_disc.typing import BoolArray, FloatArray
from mrs_disc.validate.regimes import acidity_bound

COHORTS: dict[str, str] = {
    "mixed": "five lumbar discs, kinds drawn disc by disc",
    "alike": "five discs of one kind, which differs between patients",
    "mostly painful": "four painful discs of five",
    "three": "only the three lower lumbar discs",
}
_DRAWS = 50
_SNR_EDGES = (0.0, 5.0, 8.0, 12.0, 20.0, float("inf"))
_Z95 = 1.959964
_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Discs whose probability lies in a range, with the Wilson interval of the painful share."""

    low: float
    high: float
    n: int
    mean_probability: float
    share_painful: float
    low_95: float
    high_95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SnrBin:
    """Scored discs whose true SNR lies in a range, and the share that got no label."""

    low: float
    high: float
    n: int
    share_indeterminate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """How the score did on one cohort of simulated patients.

    `auc_truth` is that of the true acidity/structure of the scored discs, without measurement
    error; `auc_attainable` that of unbiased measurements whose errors have the Cramér-Rao bound
    of the true model, ranked by acidity/structure; `wrong` counts labels (likely or unlikely
    painful) against the truth.
    """

    cohort: str
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
    by_snr: tuple[SnrBin, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """All cohorts."""

    cohorts: tuple[Discrimination, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"cohorts": [asdict(cohort) for cohort in self.cohorts]}


def validate_score(
    seed: int = 0,
    discs: int = 200,
    *,
    cohorts: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ScoreTable:
    """Analyse cohorts of simulated patients.

    Parameters
    ----------
    seed : int
        Decides all patients.
    discs : int
        Discs of each cohort, rounded up to whole patients.
    cohorts : sequence of str, optional
        Names of `COHORTS`; default all.
    progress : callable, optional
        Called with a name, the number of patients done and of all.

    Raises
    ------
    InputError
        If a cohort does not exist.
    """
    names = list(cohorts or COHORTS)
    for name in names:
        if name not in COHORTS:
            raise InputError(
                f"no cohort is named '{name}'.{did_you_mean(name, COHORTS)} "
                f"Cohorts: {', '.join(COHORTS)}."
            )
    return ScoreTable(cohorts=tuple(_cohort(name, seed, discs, progress) for name in names))


def _cohort(
    name: str, seed: int, discs: int, progress: Callable[[str, int, int], None] | None
) -> Discrimination:
    """Return how the score did on one cohort."""
    levels = LUMBAR[2:] if name == "three" else LUMBAR
    patients = -(-discs // len(levels))
    scan = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=32, n_water=2)
    model = load_metabolite_model("disc_1h")
    rows: list[_Row] = []
    failed = poor = 0
    start = process_time()
    for subject in range(1, patients + 1):
        kinds = _kinds(name, seed, subject, levels)
        study, truth = simulate_study(
            seed, subject=subject, levels=levels, scan=scan, kinds=kinds, anatomy=False
        )
        planned = plan_study(seed, subject=subject, levels=levels, scan=scan, kinds=kinds)
        for level, m in zip(analyze(study), planned, strict=True):
            failed += level.failure is not None
            poor += _is_poor(level)
            if level.score is not None and level.score.value is not None:
                rows.append(_row(level.score, truth[level.level], m, scan, model))
        if progress is not None:
            progress(f"score, {name}", subject, patients)
    counts = (patients, patients * len(levels), failed, poor)
    return _summary(name, seed, counts, rows, process_time() - start)


def _kinds(name: str, seed: int, subject: int, levels: Sequence[str]) -> dict[str, Kind] | None:
    """Return the kinds of a patient's discs where the cohort fixes them."""
    rng = np.random.default_rng([seed, subject, 2])
    if name == "alike":
        kind = KINDS[int(np.searchsorted((0.40, 0.75, 1.0), rng.random()))]
        return dict.fromkeys(levels, kind)
    if name == "mostly painful":
        spared = levels[int(rng.integers(len(levels)))]
        return {level: "D" if level == spared else "P" for level in levels}
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """One scored disc; `mean` and `covariance` are those of (acidity, structure)."""

    painful: bool
    probability: float
    label: str
    snr: float
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
        snr=truth["snr"],
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
    cohort: str, seed: int, counts: tuple[int, int, int, int], rows: list[_Row], seconds: float
) -> Discrimination:
    patients, discs, failed, poor = counts
    painful = np.array([row.painful for row in rows], dtype=bool)
    probability = np.array([row.probability for row in rows], dtype=np.float64)
    ratio = np.array([row.mean[0] / row.mean[1] for row in rows], dtype=np.float64)
    likely = np.array([row.label == "likely painful" for row in rows], dtype=bool)
    unlikely = np.array([row.label == "unlikely painful" for row in rows], dtype=bool)
    labelled = likely | unlikely
    wrong = (likely & ~painful) | (unlikely & painful)
    return Discrimination(
        cohort=cohort,
        seed=seed,
        patients=patients,
        discs=discs,
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
        by_snr=_by_snr(np.array([row.snr for row in rows]), ~labelled),
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
        n = int(inside.sum())
        low_95, high_95 = wilson_interval(int(painful[inside].sum()), n)
        bins.append(
            Bin(
                low=low,
                high=high,
                n=n,
                mean_probability=_mean(probability[inside]),
                share_painful=_share(painful[inside]),
                low_95=low_95,
                high_95=high_95,
            )
        )
    return tuple(bins)


def _by_snr(snr: FloatArray, indeterminate: BoolArray) -> tuple[SnrBin, ...]:
    bins = []
    for low, high in pairwise(_SNR_EDGES):
        inside = (snr >= low) & (snr < high)
        share = _share(indeterminate[inside])
        bins.append(SnrBin(low=low, high=high, n=int(inside.sum()), share_indeterminate=share))
    return tuple(bins)


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); (0, 1) of nothing.

    >>> low, high = wilson_interval(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = hits / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return float(centre - half), float(centre + half)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")


def score_text(table: ScoreTable) -> str:
    """Return the table as text."""
    rows = [
        "Score against simulated truth.",
        "The score was made for the population that is simulated: no evidence for patients.",
    ]
    for cohort in table.cohorts:
        rows += ["", *_cohort_text(cohort)]
    return "\n".join(rows)


def _cohort_text(one: Discrimination) -> list[str]:
    """Return the lines of one cohort."""
    rows = [
        f"{one.cohort}: {COHORTS[one.cohort]}; {one.patients} patients, {one.discs} discs, "
        f"seed {one.seed}",
        f"  scored {one.scored} ({one.painful} painful), poor {one.poor}, failed {one.failed}",
        f"  AUC {one.auc:.3f}; attainable by unbiased measurements at the Cramér-Rao bound "
        f"{one.auc_attainable:.3f}, without any error {one.auc_truth:.3f}",
        f"  labelled {one.labelled} of {one.scored}, of these wrong {one.wrong}; "
        f"sensitivity {one.sensitivity:.2f}, specificity {one.specificity:.2f} among labelled",
        f"  Brier score {one.brier:.3f}",
        f"  {'probability':<14}{'discs':>7}{'mean':>8}{'painful':>9}{'95 %':>14}",
    ]
    for b in one.bins:
        name, band = f"{b.low:.1f} to {b.high:.1f}", f"{b.low_95:.2f} to {b.high_95:.2f}"
        rows.append(
            f"  {name:<14}{b.n:>7}{b.mean_probability:>8.2f}{b.share_painful:>9.2f}{band:>14}"
        )
    shares = [
        f"{s.low:g} to {s.high:g}: {100 * s.share_indeterminate:.0f} % of {s.n}"
        for s in one.by_snr
        if s.n
    ]
    return [*rows, "  indeterminate by SNR " + ", ".join(shares)]
