"""The score against known truth: discrimination, wrong labels, calibration.

Whole patients are simulated with the generative model and analysed as a study is. The score's
parameters come from the same generative model, so the table shows what measurement error costs and
whether probabilities mean what they say; it is no evidence that the score works in patients.

A score that takes a quarter of the discs for painful is too low where more of them are, and none
can know that before it is told. Such a cohort is scored twice, the second time with its own share
as the recipe's prevalence.

The same score of the same discs, seen by unbiased measurements with the smallest possible errors,
tells what is attainable. A limit that it misses too is out of reach of any fit: what is missing
then is information in the signal, or about the cohort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.data import DiscScore, Label
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.models import load_metabolite_model
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.scoring import Disc, disc_of, score_discs
from mrs_disc.simulate import LUMBAR, SNR_OF_PROTOCOL, Kind, Scan, simulate_study
from mrs_disc.simulate.population import KINDS
from mrs_disc.simulate.study import plan_study
from mrs_disc.statistics import Bin, area_under_curve, reliability_bins
from mrs_disc.typing import BoolArray, FloatArray
from mrs_disc.validate.bounds import acidity_bound

COHORTS: dict[str, str] = {
    "mixed": "five lumbar discs, kinds drawn disc by disc",
    "alike": "five discs of one kind, which differs between patients",
    "mostly painful": "four painful discs of five",
    "three": "only the three lower lumbar discs",
    "weak": "as mixed, measured by the weak protocol",
}
PROTOCOL: dict[str, str] = {"weak": "weak"}
"""Protocol of the simulator (`SNR_OF_PROTOCOL`) of a cohort; all others are typical."""
TOLD: dict[str, float] = {"mostly painful": 0.8, "three": 0.35}
"""Prevalence that the second scoring of a cohort is told."""

AUC_SHARE, MAX_WRONG, MAX_WRONG_UNTOLD = 0.95, 0.12, 0.15
"""Least AUC over the attainable one; most wrong among the labels, and where most discs are painful
and the score is not told."""
MISSES = ("AUC", "labels", "reliability")
SNR_CLASSES = ((0.0, 8.0), (8.0, 16.0), (16.0, 32.0), (32.0, float("inf")))
"""SNR of the quality peak; what kind of scan is worth making stands in their table."""
ERROR_CLASSES = ((0.0, 0.4), (0.4, 0.6), (0.6, 0.85), (0.85, 1.2), (1.2, float("inf")))
"""Error of r = log(acidity/structure), by which labels are held against what errors allow."""
LABELS: tuple[Label, ...] = ("likely painful", "indeterminate", "unlikely painful")

REDRAWS = 8
"""Measurements of each disc with the errors that it quotes: what those errors allow is known better
than what one measurement makes of them."""

_DRAWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many patients and discs there were, how many failed or were of poor quality."""

    patients: int
    discs: int
    failed: int
    poor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Areas:
    """Areas under the ROC curve: of the score, and of acidity/structure itself.

    `attainable` is that of unbiased measurements whose errors have the Cramér-Rao bound of the true
    model, `truth` that without any error.
    """

    score: float
    attainable: float
    truth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scans:
    """The scored discs of one class of SNR.

    `sensitivity` and `specificity` are shares of all painful and painless discs of the class that
    are labelled rightly; `error` is the median error of log(acidity/structure), quoted standard
    deviations over true amounts.
    """

    low: float
    high: float
    n: int
    auc: float
    sensitivity: float
    specificity: float
    labelled: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of the discs of one truth and class of error of r.

    `measured` and `allowed` count them in the order of `LABELS`; `allowed` over `REDRAWS`
    measurements of each disc with the errors that it quotes.
    """

    painful: bool
    low: float
    high: float
    measured: tuple[int, ...]
    allowed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the labels and probabilities of the scored discs are worth.

    `wrong` counts labels (likely or unlikely painful) against the truth; sensitivity and
    specificity are those of the labelled discs.
    """

    scored: int
    painful: int
    labelled: int
    wrong: int
    sensitivity: float
    specificity: float
    brier: float
    bins: tuple[Bin, ...]
    max_wrong: float = MAX_WRONG
    of_painful: tuple[int, ...] = (0, 0, 0)
    """Painful discs by label, in the order of `LABELS`."""
    of_painless: tuple[int, ...] = (0, 0, 0)

    @property
    def misses(self) -> tuple[str, ...]:
        """What its labels and probabilities do not hold, of `MISSES`."""
        missed = (
            self.wrong > self.max_wrong * self.labelled,
            not all(b.holds for b in self.bins),
        )
        return tuple(name for name, miss in zip(MISSES[1:], missed, strict=True) if miss)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self) | {"bins": [asdict(b) | {"holds": b.holds} for b in self.bins]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """How the score did on one cohort of simulated patients.

    `prevalence` is what the score was told, if anything; `measured` are the discs as they are
    analysed, `attainable` is what the same score makes of one unbiased measurement of each disc
    with the smallest possible error, `allowed` of `REDRAWS` with the error that the analysis
    quotes. `labels` sets the two side by side.
    """

    cohort: str
    prevalence: float | None
    seed: int
    counts: Counts
    auc: Areas
    measured: Judged
    attainable: Judged
    allowed: Judged
    scans: tuple[Scans, ...] = ()
    labels: tuple[Labels, ...] = ()

    @property
    def misses(self) -> tuple[str, ...]:
        """What is not held, of `MISSES`."""
        held = self.auc.score >= AUC_SHARE * self.auc.attainable
        return (() if held else MISSES[:1]) + self.measured.misses

    @property
    def out_of_reach(self) -> tuple[str, ...]:
        """What is not held, and not attainable either."""
        return tuple(name for name in self.misses if name in self.attainable.misses)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        head = {"cohort": self.cohort, "prevalence": self.prevalence, "seed": self.seed}
        head |= {"protocol": protocol_of(self.cohort)}
        return (
            head
            | asdict(self.counts)
            | self.measured.as_json()
            | {
                "auc": self.auc.score,
                "auc_attainable": self.auc.attainable,
                "auc_truth": self.auc.truth,
                "attainable": self.attainable.as_json(),
                "allowed": self.allowed.as_json(),
                "scans": [asdict(one) for one in self.scans],
                "labels": [asdict(one) for one in self.labels],
                "misses": list(self.misses),
                "out_of_reach": list(self.out_of_reach),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """All cohorts."""

    cohorts: tuple[Discrimination, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"cohorts": [cohort.as_json() for cohort in self.cohorts]}


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
    return ScoreTable(
        cohorts=tuple(one for name in names for one in _cohort(name, seed, discs, progress))
    )


def _cohort(
    name: str, seed: int, discs: int, progress: Callable[[str, int, int], None] | None
) -> list[Discrimination]:
    """Return how the score did on one cohort; where it needs it, also when told the prevalence."""
    levels = LUMBAR[2:] if name == "three" else LUMBAR
    patients = -(-discs // len(levels))
    told = [None, TOLD[name]] if name in TOLD else [None]
    rows: dict[float | None, list[_Row]] = {prevalence: [] for prevalence in told}
    best: dict[float | None, list[_Row]] = {prevalence: [] for prevalence in told}
    quoted: dict[float | None, list[_Row]] = {prevalence: [] for prevalence in told}
    model = load_score_model(Recipe().score.model)
    failed = poor = 0
    for subject in range(1, patients + 1):
        seen = _patient(name, seed, subject, levels)
        failed += len(levels) - len(seen)
        poor += sum(one.disc.unusable is not None for one in seen)
        measured, ideal = [one.disc for one in seen], _ideal(seen, (seed, subject, 3))
        as_quoted = [replace(one, covariance=_quoted(one)) for one in seen]
        redrawn = [_ideal(as_quoted, (seed, subject, 4, n)) for n in range(REDRAWS)]
        for prevalence, found in rows.items():
            options = Recipe().score.model_copy(update={"prevalence": prevalence})
            found += _rows(subject, score_discs(measured, model, options), seen)
            best[prevalence] += _rows(subject, score_discs(ideal, model, options), seen)
            for one in redrawn:
                quoted[prevalence] += _rows(subject, score_discs(one, model, options), seen)
        if progress is not None:
            progress(f"score, {name}", subject, patients)
    counts = Counts(patients=patients, discs=patients * len(levels), failed=failed, poor=poor)
    return [_summary((name, p, seed), counts, rows[p], (best[p], quoted[p])) for p in told]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """A measured disc, its truth, and the bound on the errors of (acidity, structure)."""

    disc: Disc
    snr: float
    truth: Mapping[str, Any]
    covariance: FloatArray

    @property
    def mean(self) -> FloatArray:
        """True acidity and structure."""
        return np.array([self.truth["acidity"], self.truth["structure"]])


def _patient(name: str, seed: int, subject: int, levels: Sequence[str]) -> list[_Seen]:
    """Simulate and measure a patient; discs whose measurement failed are not there."""
    scan = Scan(
        n_points=1024,
        spectral_width_hz=2000.0,
        n_transients=32,
        n_water=2,
        snr_factor=SNR_OF_PROTOCOL[protocol_of(name)],
    )
    model = load_metabolite_model("disc_1h")
    kinds = kinds_of(name, seed, subject, levels)
    study, truth = simulate_study(
        seed, subject=subject, levels=levels, scan=scan, kinds=kinds, anatomy=False
    )
    planned = plan_study(seed, subject=subject, levels=levels, scan=scan, kinds=kinds)
    seen = []
    for level, m in zip(analyze(study), planned, strict=True):
        if level.measurement is not None:
            weights, bound = acidity_bound(m, scan, model)
            covariance = weights @ bound @ weights.T
            disc = disc_of(level.record)
            snr = level.record.quality.snr if level.record.quality is not None else None
            seen.append(
                _Seen(disc=disc, snr=snr or 0.0, truth=truth[level.level], covariance=covariance)
            )
    return seen


def _quoted(one: _Seen) -> FloatArray:
    """Return the covariance of (acidity, structure) that the analysis quotes."""
    sd = np.array([one.disc.acidity_sd, one.disc.structure_sd])
    off = one.disc.correlation
    return np.asarray(np.outer(sd, sd) * np.array([[1.0, off], [off, 1.0]]))


def _ideal(seen: Sequence[_Seen], seed: tuple[int, ...]) -> list[Disc]:
    """Return the discs as unbiased measurements with errors of `covariance` see them."""
    rng = np.random.default_rng(seed)
    discs = []
    for one in seen:
        acidity, structure = rng.multivariate_normal(one.mean, one.covariance, method="eigh")
        sd = np.sqrt(np.diagonal(one.covariance))
        discs.append(
            replace(
                one.disc,
                acidity=float(acidity),
                structure=float(structure),
                acidity_sd=float(sd[0]),
                structure_sd=float(sd[1]),
                correlation=float(one.covariance[0, 1] / sd.prod()) if sd.all() else 0.0,
            )
        )
    return discs


def protocol_of(cohort: str) -> str:
    """Return the simulator's protocol that a cohort is measured by."""
    return PROTOCOL.get(cohort, "typical")


def kinds_of(name: str, seed: int, subject: int, levels: Sequence[str]) -> dict[str, Kind] | None:
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

    subject: int
    painful: bool
    probability: float
    label: Label
    mean: FloatArray
    covariance: FloatArray
    snr: float = 0.0
    error: float = float("nan")


def _rows(subject: int, scores: Sequence[DiscScore], seen: Sequence[_Seen]) -> list[_Row]:
    """Return a row of each disc of a patient that has a probability."""
    return [
        _Row(
            subject=subject,
            painful=one.truth["painful"],
            probability=score.value,
            label=score.label,
            mean=one.mean,
            covariance=one.covariance,
            snr=one.snr,
            error=_error_of_ratio(one),
        )
        for score, one in zip(scores, seen, strict=True)
        if score.value is not None
    ]


def _error_of_ratio(one: _Seen) -> float:
    """Return the error of log(acidity/structure): quoted standard deviations, true amounts."""
    slope = np.array([1.0, -1.0]) / one.mean
    return float(np.sqrt(max(float(slope @ _quoted(one) @ slope), 0.0)))


def _attainable_auc(rows: Sequence[_Row], painful: BoolArray, seed: int) -> float:
    """Return the mean AUC of unbiased measurements at the bound, over draws of their errors."""
    rng = np.random.default_rng([seed, 1])
    draws = np.array(
        [rng.multivariate_normal(row.mean, row.covariance, _DRAWS, method="eigh") for row in rows]
    ).reshape(len(rows), _DRAWS, 2)
    # The angle keeps the order of the ratio, and goes on where an error makes structure negative.
    order = np.arctan2(draws[..., 0], draws[..., 1])
    return float(np.mean([area_under_curve(column, painful) for column in order.T]))


def _summary(
    which: tuple[str, float | None, int],
    counts: Counts,
    rows: list[_Row],
    redrawn: tuple[list[_Row], list[_Row]],
) -> Discrimination:
    """Return the figures of a cohort; `which` is its name, what was told, and the seed.

    `redrawn` are the same discs, measured with the smallest possible errors and with the quoted.
    """
    cohort, prevalence, seed = which
    painful = np.array([row.painful for row in rows], dtype=bool)
    probability = np.array([row.probability for row in rows], dtype=float)
    ratio = np.array([row.mean[0] / row.mean[1] for row in rows], dtype=float)
    most = MAX_WRONG_UNTOLD if (cohort, prevalence) == ("mostly painful", None) else MAX_WRONG
    return Discrimination(
        cohort=cohort,
        prevalence=prevalence,
        seed=seed,
        counts=counts,
        auc=Areas(
            score=area_under_curve(probability, painful),
            attainable=_attainable_auc(rows, painful, seed) if rows else float("nan"),
            truth=area_under_curve(ratio, painful),
        ),
        measured=_judged(rows, most),
        attainable=_judged(redrawn[0], most),
        allowed=_judged(redrawn[1], most),
        scans=tuple(_scans(rows, low, high) for low, high in SNR_CLASSES),
        labels=tuple(
            _labels(rows, redrawn[1], truth, limits)
            for truth in (True, False)
            for limits in ERROR_CLASSES
        ),
    )


def _labels(
    rows: list[_Row], allowed: list[_Row], painful: bool, limits: tuple[float, float]
) -> Labels:
    """Return the labels of one truth and class of error."""

    def count(found: list[_Row]) -> tuple[int, ...]:
        labels = [
            r.label for r in found if r.painful == painful and limits[0] <= r.error < limits[1]
        ]
        return tuple(labels.count(name) for name in LABELS)

    low, high = limits
    return Labels(painful=painful, low=low, high=high, measured=count(rows), allowed=count(allowed))


def _scans(rows: list[_Row], low: float, high: float) -> Scans:
    """Return what the scans of a class of SNR are worth."""
    found = [row for row in rows if low <= row.snr < high]
    painful = np.array([row.painful for row in found], dtype=bool)
    label = np.array([row.label for row in found], dtype=str)
    probability = np.array([row.probability for row in found], dtype=float)
    both = painful.any() and not painful.all()
    return Scans(
        low=low,
        high=high,
        n=len(found),
        auc=area_under_curve(probability, painful) if both else float("nan"),
        sensitivity=_mean((label == "likely painful")[painful]),
        specificity=_mean((label == "unlikely painful")[~painful]),
        labelled=_mean(label != "indeterminate"),
        error=float(np.median([row.error for row in found])) if found else float("nan"),
    )


def _judged(rows: list[_Row], max_wrong: float) -> Judged:
    painful = np.array([row.painful for row in rows], dtype=bool)
    probability = np.array([row.probability for row in rows], dtype=float)
    label = np.array([row.label for row in rows], dtype=str)
    likely, unlikely = label == "likely painful", label == "unlikely painful"
    labelled = likely | unlikely
    return Judged(
        max_wrong=max_wrong,
        of_painful=tuple(int((label[painful] == name).sum()) for name in LABELS),
        of_painless=tuple(int((label[~painful] == name).sum()) for name in LABELS),
        scored=len(rows),
        painful=int(painful.sum()),
        labelled=int(labelled.sum()),
        wrong=int(((likely & ~painful) | (unlikely & painful)).sum()),
        sensitivity=_mean(likely[painful & labelled]),
        specificity=_mean(unlikely[~painful & labelled]),
        brier=_mean((probability - painful) ** 2),
        bins=reliability_bins(
            probability, painful, np.array([row.subject for row in rows], dtype=np.int64)
        ),
    )


def _mean(values: BoolArray | FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")
