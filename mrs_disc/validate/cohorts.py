"""The score where its assumptions are strained: discs all alike, mostly painful, only three.

Patients of each kind are simulated and analysed as a study is (`discrimination`). The score assumes
one prevalence; where most discs are painful it is wrong about that, and the table shows at what
price, with the assumed prevalence and with the true one given in the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.recipe import Recipe, ScoreOptions
from mrs_disc.simulate import LUMBAR, Kind, Scan, simulate_study
from mrs_disc.simulate.population import KINDS, load_population
from mrs_disc.typing import BoolArray, FloatArray
from mrs_disc.validate.discrimination import area_under_curve

_SNR_EDGES = (0.0, 8.0, 12.0, 18.0, np.inf)
_BINS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Patients of one kind: their levels, what each disc is, and the prevalence assumed."""

    name: str
    levels: tuple[str, ...] = LUMBAR
    kinds: Callable[[np.random.Generator, Sequence[str]], Mapping[str, Kind] | None]
    prevalence: float | None = None


def _drawn(rng: np.random.Generator, levels: Sequence[str]) -> None:
    """Kinds as the population has them."""
    del rng, levels


def _alike(rng: np.random.Generator, levels: Sequence[str]) -> dict[str, Kind]:
    share = np.mean([load_population().share[key] for key in ("upper", "lower")], axis=0)
    kind = KINDS[int(rng.choice(3, p=share / share.sum()))]
    return dict.fromkeys(levels, kind)


def _mostly_painful(rng: np.random.Generator, levels: Sequence[str]) -> dict[str, Kind]:
    others: list[Kind] = ["H", "D"]
    return {level: "P" if rng.random() < 0.8 else others[int(rng.integers(2))] for level in levels}


COHORTS = (
    Cohort(name="as the population", kinds=_drawn),
    Cohort(name="all discs alike", kinds=_alike),
    Cohort(name="mostly painful", kinds=_mostly_painful),
    Cohort(name="mostly painful, said so", kinds=_mostly_painful, prevalence=0.8),
    Cohort(name="three discs", levels=("L3-L4", "L4-L5", "L5-S1"), kinds=_drawn),
)


def score_tables(
    seed: int = 0,
    patients: int = 40,
    *,
    cohorts: Sequence[Cohort] = COHORTS,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return, for each kind of cohort, how the score did; plain JSON types.

    Parameters
    ----------
    seed : int
        Decides all patients.
    patients : int
        Of each cohort.
    cohorts : sequence of Cohort
        Which.
    progress : callable, optional
        Called with a name, the number of patients done and of all.
    """
    return {cohort.name: _table(seed, patients, cohort, progress) for cohort in cohorts}


def _table(
    seed: int,
    patients: int,
    cohort: Cohort,
    progress: Callable[[str, int, int], None] | None,
) -> dict[str, Any]:
    scan = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=32, n_water=2)
    recipe = Recipe(score=ScoreOptions(prevalence=cohort.prevalence))
    rng = np.random.default_rng([seed, len(cohort.name)])
    painful, probability, label, snr, ratio, r_error = [], [], [], [], [], []
    unscored = 0
    for subject in range(1, patients + 1):
        study, truth = simulate_study(
            seed,
            subject=subject,
            levels=cohort.levels,
            kinds=cohort.kinds(rng, cohort.levels),
            scan=scan,
            anatomy=False,
        )
        for level in analyze(study, recipe):
            if level.score is None or level.score.value is None or level.measurement is None:
                unscored += 1
                continue
            told = truth[level.level]
            painful.append(told["painful"])
            probability.append(level.score.value)
            label.append(level.score.label)
            snr.append(level.measurement.quality.snr or 0.0)
            ratio.append(told["acidity"] / told["structure"])
            r_error.append(level.score.inputs["acidity_sd"] / level.score.inputs["structure"])
        if progress is not None:
            progress(cohort.name, subject, patients)
    return _figures(
        np.array(painful, dtype=bool),
        np.array(probability, dtype=np.float64),
        np.array(label, dtype=object),
        np.array(snr, dtype=np.float64),
        np.array(ratio, dtype=np.float64),
    ) | {"patients": patients, "unscored": unscored, "median_error": _median(r_error)}


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _figures(
    painful: BoolArray,
    probability: FloatArray,
    label: np.ndarray[Any, np.dtype[np.object_]],
    snr: FloatArray,
    ratio: FloatArray,
) -> dict[str, Any]:
    likely, unlikely = label == "likely painful", label == "unlikely painful"
    labelled = likely | unlikely
    wrong = (likely & ~painful) | (unlikely & painful)
    return {
        "scored": int(painful.size),
        "painful": int(painful.sum()),
        "auc": area_under_curve(probability, painful),
        "auc_without_error": area_under_curve(ratio, painful),
        "labelled": int(labelled.sum()),
        "likely": int(likely.sum()),
        "wrong": int(wrong.sum()),
        "brier": float(np.mean((probability - painful) ** 2)) if painful.size else None,
        "calibration": calibration(probability, painful),
        "indeterminate_by_snr": [
            {
                "snr_from": low,
                "snr_to": None if np.isinf(high) else high,
                "discs": int(inside.sum()),
                "indeterminate": int((inside & ~labelled).sum()),
            }
            for low, high in pairwise(_SNR_EDGES)
            for inside in [(snr >= low) & (snr < high)]
        ],
    }


def calibration(probability: FloatArray, painful: BoolArray, bins: int = _BINS) -> dict[str, Any]:
    """Return the reliability curve with its 95 % band, and whether the curve stays inside.

    The band of a bin is where the share of painful discs lies in 95 % of cases if every
    probability is true: the sum of that many coins, each with its own probability, taken as
    normal; for all bins together each is widened as Bonferroni says.
    """
    order = np.argsort(probability, kind="stable")
    rows = []
    inside = True
    count = min(bins, max(order.size // 10, 1))
    widest = {1: 1.96, 2: 2.24, 3: 2.39, 4: 2.50, 5: 2.58, 6: 2.64}.get(count, 2.7)
    for part in np.array_split(order, count):
        if part.size == 0:
            continue
        p = probability[part]
        mean, sd = float(p.mean()), float(np.sqrt((p * (1 - p)).sum()) / part.size)
        observed = float(painful[part].mean())
        within = abs(observed - mean) <= widest * sd + 0.5 / part.size
        inside = inside and within
        rows.append(
            {
                "discs": int(part.size),
                "predicted": mean,
                "observed": observed,
                "low": max(mean - 1.96 * sd, 0.0),
                "high": min(mean + 1.96 * sd, 1.0),
                "inside": within,
            }
        )
    return {"bins": rows, "inside_band": inside}


def tables_text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the tables as text."""
    head = f"{'patients':<26}{'discs':>6}{'painful':>8}{'AUC':>7}{'labelled':>9}{'wrong':>7}"
    lines = [head + f"{'Brier':>8}  calibrated"]
    for name, t in tables.items():
        share = t["labelled"] / t["scored"] if t["scored"] else 0.0
        wrong = t["wrong"] / t["labelled"] if t["labelled"] else 0.0
        lines.append(
            f"{name:<26}{t['scored']:>6}{t['painful']:>8}{t['auc']:>7.3f}{share:>9.0%}{wrong:>7.0%}"
            f"{t['brier']:>8.3f}  {'yes' if t['calibration']['inside_band'] else 'NO'}"
        )
    lines += ["", "indeterminate by SNR:"]
    for name, t in tables.items():
        parts = []
        for b in t["indeterminate_by_snr"]:
            end = "on" if b["snr_to"] is None else f"to {b['snr_to']:g}"
            parts.append(f"{b['snr_from']:g} {end}: {b['indeterminate']} of {b['discs']}")
        lines.append(f"  {name:<26}{'; '.join(parts)}")
    return "\n".join(lines)
