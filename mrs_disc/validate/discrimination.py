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
from itertools import pairwise
from time import process_time
from typing import Any, Literal

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.data import DiscScore, Label
from mrs_disc.errors import InputError, did_you_mean
from mrs_disc.models import load_metabolite_model
from mrs_disc.models.scores import load_score_model
from mrs_disc.recipe import Recipe
from mrs_disc.score import Disc, disc_of, score_discs
from mrs_disc.shares import area_under_curve
from mrs_disc.simulate import LUMBAR, Kind, Scan, simulate_study
from mrs_disc.simulate.population import KINDS
from mrs_disc.simulate.study import plan_study
from mrs_disc.typing import BoolArray, FloatArray
from mrs_disc.validate.regimes import acidity_bound
from mrs_disc.validate.reliability import Bin, reliability_bins

COHORTS: dict[str, str] = {
    "mixed": "five lumbar discs, kinds drawn disc by disc",
    "alike": "five discs of one kind, which differs between patients",
    "mostly painful": "four painful discs of five",
    "three": "only the three lower lumbar discs",
}
TOLD: dict[str, float] = {"mostly painful": 0.8, "three": 0.35}
"""Prevalence that the second scoring of a cohort is told."""

AUC_SHARE, MAX_WRONG, MIN_LABELLED = 0.95, 0.18, 0.5
MISSES = ("AUC", "labels", "few labels", "reliability")
"""What is held: AUC over the attainable one, wrong among the labels, labels among scored discs."""

BEYOND = "‡"
"""Marks a limit that is missed, and that no fit could hold."""

_DRAWS = 50
_SNR_EDGES = (0.0, 5.0, 8.0, 12.0, 20.0, float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SnrBin:
    """Scored discs whose true SNR lies in a range, and the share that got no label."""

    low: float
    high: float
    n: int
    share_indeterminate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attainable:
    """What the score makes of unbiased measurements with the smallest possible errors."""

    scored: int
    labelled: int
    wrong: int
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """How the score did on one cohort of simulated patients.

    `auc_truth` is that of the true acidity/structure of the scored discs, without measurement
    error; `auc_attainable` that of unbiased measurements whose errors have the Cramér-Rao bound
    of the true model, ranked by acidity/structure; `wrong` counts labels (likely or unlikely
    painful) against the truth; `attainable` is what the same score makes of one such measurement of
    each disc; `prevalence` is what the score was told, if anything.
    """

    cohort: str
    prevalence: float | None
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
    attainable: Attainable
    sensitivity: float
    specificity: float
    brier: float
    bins: tuple[Bin, ...]
    by_snr: tuple[SnrBin, ...]
    seconds: float

    @property
    def misses(self) -> tuple[str, ...]:
        """What is not held, of `MISSES`."""
        poor_auc = () if self.auc >= AUC_SHARE * self.auc_attainable else MISSES[:1]
        return poor_auc + _misses(self)

    @property
    def out_of_reach(self) -> tuple[str, ...]:
        """What is not held, and not attainable either."""
        return tuple(name for name in self.misses if name in _misses(self.attainable))

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self) | {
            "bins": _plain(self.bins),
            "attainable": asdict(self.attainable) | {"bins": _plain(self.attainable.bins)},
            "misses": list(self.misses),
            "out_of_reach": list(self.out_of_reach),
        }


def _misses(one: Discrimination | Attainable) -> tuple[str, ...]:
    """Return what its labels and probabilities do not hold."""
    missed = (
        one.wrong > MAX_WRONG * one.labelled,
        one.labelled < MIN_LABELLED * one.scored,
        not all(b.holds for b in one.bins),
    )
    return tuple(name for name, miss in zip(MISSES[1:], missed, strict=True) if miss)


def _plain(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    return [asdict(b) | {"holds": b.holds} for b in bins]


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
    model = load_score_model(Recipe().score.model)
    failed = poor = 0
    start = process_time()
    for subject in range(1, patients + 1):
        seen = _patient(name, seed, subject, levels)
        failed += len(levels) - len(seen)
        poor += sum(one.disc.unusable != "" for one in seen)
        measured, ideal = [one.disc for one in seen], _ideal(seen, seed, subject)
        for prevalence, found in rows.items():
            options = Recipe().score.model_copy(update={"prevalence": prevalence})
            found += _rows(subject, score_discs(measured, model, options), seen)
            best[prevalence] += _rows(subject, score_discs(ideal, model, options), seen)
        if progress is not None:
            progress(f"score, {name}", subject, patients)
    counts = (patients, patients * len(levels), failed, poor)
    seconds = process_time() - start
    return [_summary(name, p, seed, counts, rows[p], best[p], seconds) for p in told]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """A measured disc, its truth, and the bound on the errors of (acidity, structure)."""

    disc: Disc
    truth: Mapping[str, Any]
    covariance: FloatArray

    @property
    def mean(self) -> FloatArray:
        """True acidity and structure."""
        return np.array([self.truth["acidity"], self.truth["structure"]])


def _patient(name: str, seed: int, subject: int, levels: Sequence[str]) -> list[_Seen]:
    """Simulate and measure a patient; discs whose measurement failed are not there."""
    scan = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=32, n_water=2)
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
            seen.append(_Seen(disc=disc, truth=truth[level.level], covariance=covariance))
    return seen


def _ideal(seen: Sequence[_Seen], seed: int, subject: int) -> list[Disc]:
    """Return the discs as an unbiased measurement with the smallest possible error sees them."""
    rng = np.random.default_rng([seed, subject, 3])
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
                correlation=float(one.covariance[0, 1] / sd.prod()),
            )
        )
    return discs


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
    snr: float
    mean: FloatArray
    covariance: FloatArray


def _rows(subject: int, scores: Sequence[DiscScore], seen: Sequence[_Seen]) -> list[_Row]:
    """Return a row of each disc of a patient that has a probability."""
    return [
        _Row(
            subject=subject,
            painful=one.truth["painful"],
            probability=score.value,
            label=score.label,
            snr=one.truth["snr"],
            mean=one.mean,
            covariance=one.covariance,
        )
        for score, one in zip(scores, seen, strict=True)
        if score.value is not None
    ]


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
    cohort: str,
    prevalence: float | None,
    seed: int,
    counts: tuple[int, int, int, int],
    rows: list[_Row],
    ideal: list[_Row],
    seconds: float,
) -> Discrimination:
    patients, discs, failed, poor = counts
    painful, probability = _column(rows, "painful"), _column(rows, "probability")
    ratio = np.array([row.mean[0] / row.mean[1] for row in rows], dtype=np.float64)
    likely, unlikely = _labels(rows)
    labelled = likely | unlikely
    return Discrimination(
        cohort=cohort,
        prevalence=prevalence,
        seed=seed,
        patients=patients,
        discs=discs,
        failed=failed,
        poor=poor,
        scored=len(rows),
        painful=int(painful.sum()),
        auc=area_under_curve(probability, painful),
        auc_truth=area_under_curve(ratio, painful),
        auc_attainable=_attainable_auc(rows, painful, seed) if rows else float("nan"),
        labelled=int(labelled.sum()),
        wrong=_wrong(rows),
        attainable=_attainable(ideal),
        sensitivity=_share(likely[painful & labelled]),
        specificity=_share(unlikely[~painful & labelled]),
        brier=float(np.mean((probability - painful) ** 2)) if rows else float("nan"),
        bins=_bins(rows),
        by_snr=_by_snr(np.array([row.snr for row in rows]), ~labelled),
        seconds=round(seconds, 2),
    )


def _attainable(ideal: list[_Row]) -> Attainable:
    likely, unlikely = _labels(ideal)
    return Attainable(
        scored=len(ideal),
        labelled=int((likely | unlikely).sum()),
        wrong=_wrong(ideal),
        bins=_bins(ideal),
    )


def _column(rows: list[_Row], name: Literal["painful", "probability", "subject"]) -> Any:
    kind = {"painful": np.bool_, "probability": np.float64, "subject": np.int64}[name]
    return np.array([getattr(row, name) for row in rows], dtype=kind)


def _labels(rows: list[_Row]) -> tuple[BoolArray, BoolArray]:
    """Return which discs are labelled likely, and which unlikely painful."""
    labels = np.array([row.label for row in rows], dtype=np.str_)
    return labels == "likely painful", labels == "unlikely painful"


def _wrong(rows: list[_Row]) -> int:
    likely, unlikely = _labels(rows)
    painful = _column(rows, "painful")
    return int(((likely & ~painful) | (unlikely & painful)).sum())


def _bins(rows: list[_Row]) -> tuple[Bin, ...]:
    return reliability_bins(
        _column(rows, "probability"), _column(rows, "painful"), _column(rows, "subject")
    )


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if mask.size else float("nan")


def _by_snr(snr: FloatArray, indeterminate: BoolArray) -> tuple[SnrBin, ...]:
    bins = []
    for low, high in pairwise(_SNR_EDGES):
        inside = (snr >= low) & (snr < high)
        share = _share(indeterminate[inside])
        bins.append(SnrBin(low=low, high=high, n=int(inside.sum()), share_indeterminate=share))
    return tuple(bins)


def score_text(table: ScoreTable) -> str:
    """Return the table as text: one line a cohort, then each cohort in full."""
    n = len(table.cohorts)
    first = table.cohorts[0] if n else None
    rows = [
        "Score against simulated truth" + (f", seed {first.seed}." if first else "."),
        "The score was made for the population that is simulated: no evidence for patients.",
        f"Held: AUC at least {AUC_SHARE:g} of the attainable; at most {MAX_WRONG:.0%} of the "
        f"labels wrong, with labels",
        f"for {MIN_LABELLED:.0%} of the scored discs or more; reliability inside its 95 % band.",
        "(): the same score of unbiased measurements with the smallest possible errors.",
        f"{BEYOND}: not held by these either.",
        "",
        f"{'cohort':<26}{'discs':>6}{'scored':>8}{'AUC':>15}{'labelled':>13}{'wrong':>13}"
        f"{'bins':>8}{'Brier':>8}  outside",
    ]
    rows += [_summary_line(one) for one in table.cohorts]
    for one in table.cohorts:
        rows += ["", *_cohort_text(one)]
    return "\n".join(rows)


def _title(one: Discrimination) -> str:
    told = "" if one.prevalence is None else f", told {one.prevalence:.0%}"
    return f"{one.cohort}{told}"


def percent(part: int, of: int) -> str:
    """Return a share in words, a dash where there is nothing to share."""
    return f"{100 * part / of:.0f} %" if of else "–"


def _summary_line(one: Discrimination) -> str:
    best = one.attainable
    auc = f"{one.auc:.3f} ({one.auc_attainable:.3f})"
    labelled = f"{percent(one.labelled, one.scored)} ({percent(best.labelled, best.scored)})"
    wrong = f"{percent(one.wrong, one.labelled)} ({percent(best.wrong, best.labelled)})"
    bins = f"{sum(b.holds for b in one.bins)} ({sum(b.holds for b in best.bins)})"
    outside = [f"{name}{BEYOND if name in one.out_of_reach else ''}" for name in one.misses]
    return (
        f"{_title(one):<26}{one.discs:>6}{one.scored:>8}{auc:>15}{labelled:>13}"
        f"{wrong:>13}{bins:>8}{one.brier:>8.3f}  {', '.join(outside) or '–'}"
    )


def _cohort_text(one: Discrimination) -> list[str]:
    """Return the lines of one cohort."""
    rows = [
        f"{_title(one)}: {COHORTS[one.cohort]}; {one.patients} patients, {one.discs} discs",
        f"  scored {one.scored} ({one.painful} painful), poor {one.poor}, failed {one.failed}; "
        f"AUC without any error {one.auc_truth:.3f}",
        f"  labelled {one.labelled}, of these wrong {one.wrong}; sensitivity "
        f"{one.sensitivity:.2f}, specificity {one.specificity:.2f} among labelled",
        f"  {'probability':<14}{'discs':>7}{'mean':>8}{'painful':>9}{'95 %':>14}",
    ]
    for b in one.bins:
        name, band = f"{b.low:.1f} to {b.high:.1f}", f"{b.low_95:.2f} to {b.high_95:.2f}"
        rows.append(
            f"  {name:<14}{b.n:>7}{b.mean_probability:>8.2f}{b.share_painful:>9.2f}{band:>14}"
            f"{'' if b.holds else '   outside'}"
        )
    shares = [
        f"{s.low:g} to {s.high:g}: {100 * s.share_indeterminate:.0f} % of {s.n}"
        for s in one.by_snr
        if s.n
    ]
    return [*rows, "  indeterminate by SNR " + ", ".join(shares)]
