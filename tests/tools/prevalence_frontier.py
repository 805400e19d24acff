"""What any score could reach that is not told how many discs of a patient are painful.

    python tests/tools/prevalence_frontier.py [--patients 400] [--seed 7]

Draws the patients of `mrs-disc validate --scope score` without any spectrum: true acidity and
structure with errors at the Cramér-Rao bound. With every disc's class likelihoods and the patient's
offset summed out, any assumption about a patient's discs is a prior over patterns, one class for
each disc, and its score is exact. The table compares assumptions; below it stand the best that any
mixture of them does, and the least error of calibration that any rule at all has to bear.

Writes the table between the marks ``begin: frontier`` of tests/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import lgamma

import numpy as np
import scipy.sparse
from readme_tables import FULL, fill
from scipy.optimize import linprog

from mrs_disc.models import load_metabolite_model
from mrs_disc.models.scores import load_score_model
from mrs_disc.score.population_model import class_likelihoods, likelihood, model_grid, shares_at
from mrs_disc.simulate import LUMBAR, Scan
from mrs_disc.simulate.population import KINDS, load_population
from mrs_disc.simulate.study import plan_study
from mrs_disc.validate.bounds import acidity_bound
from mrs_disc.validate.discrimination import COHORTS, MAX_WRONG, MIN_LABELLED, kinds_of

MODEL = load_score_model("acidity_structure")
SHARES = shares_at(MODEL, None)
LIMITS = (0.2, 0.8)
LEAST_SNR = 5.0  # below it a spectrum is poor and has no score
Prior = Callable[[tuple[str, ...]], np.ndarray]


@dataclass(frozen=True)
class Patient:
    """Levels, truth, and the likelihood of each pattern of classes, shape (3,) * discs."""

    levels: tuple[str, ...]
    painful: np.ndarray
    patterns: np.ndarray


def draw(cohort: str, seed: int, subject: int) -> Patient | None:
    """Return a patient as an ideal measurement sees it; `None` without any usable disc."""
    scan = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=32, n_water=2)
    levels = LUMBAR[2:] if cohort == "three" else LUMBAR
    kinds = kinds_of(cohort, seed, subject, levels)
    rng = np.random.default_rng([seed, subject, 3])
    grid = model_grid(MODEL)
    seen, names, painful = [], [], []
    for m in plan_study(seed, subject=subject, levels=levels, scan=scan, kinds=kinds):
        weights, bound = acidity_bound(m, scan, load_metabolite_model("disc_1h"))
        truth = weights @ [m.clean.amplitude[name] for name in m.clean.names]
        errors = weights @ bound @ weights.T
        acidity, structure = rng.multivariate_normal(truth, errors, method="eigh")
        sd = np.sqrt(np.diagonal(errors))
        if m.snr < LEAST_SNR or m.disc.gas is not None or structure < 3 * sd[1]:
            continue
        acidity = max(acidity, 0.0)
        structure = max(structure, acidity / np.exp(MODEL.r_cap))
        seen.append(likelihood(grid.r, acidity, structure, *sd, errors[0, 1] / sd.prod()))
        names.append(m.disc.level)
        painful.append(m.disc.kind == "P")
    if not seen:
        return None
    joint = grid.offset_weight[:, None]
    for each in class_likelihoods(grid, np.array(seen)):
        joint = (joint[:, :, None] * each[:, None, :]).reshape(len(joint), -1)
    patterns = joint.sum(axis=0).reshape((3,) * len(seen))
    return Patient(tuple(names), np.array(painful), patterns / patterns.max())


# ------------------------------------------------------------------ what may be assumed


def outer(rows: list[np.ndarray]) -> np.ndarray:
    """Return the probability of each pattern of independent discs."""
    found = np.ones(())
    for row in rows:
        found = np.multiply.outer(found, row)
    return found


def one_by_one(shares: np.ndarray) -> Prior:
    """Assume that every disc is drawn with the same shares."""
    return cache(lambda levels: outer([shares] * len(levels)))


def by_level() -> Prior:
    """Assume the simulator's own shares, which differ between upper and lower discs."""
    share = load_population().share
    rows = {v: np.array(share["lower" if v in LUMBAR[2:] else "upper"]) for v in LUMBAR}
    return cache(lambda levels: outer([rows[level] for level in levels]))


def alike(shares: tuple[float, ...] = (0.40, 0.35, 0.25)) -> Prior:
    """Assume that all discs of a patient are of one kind."""
    return cache(
        lambda levels: sum(
            s * outer([row] * len(levels)) for s, row in zip(shares, np.eye(3), strict=True)
        )
    )


def mostly_painful() -> Prior:
    """Assume that four discs of five are painful and one is degenerated."""

    def prior(levels: tuple[str, ...]) -> np.ndarray:
        n, (_, spared, sick) = len(levels), np.eye(3)
        one = [outer([spared if k == j else sick for k in range(n)]) / 5 for j in range(n)]
        return sum(one) + (5 - n) / 5 * outer([sick] * n)

    return cache(prior)


def overdispersed(total: float) -> Prior:
    """Assume that the shares differ between patients: Dirichlet with this sum of parameters."""

    def prior(levels: tuple[str, ...]) -> np.ndarray:
        n, alpha = len(levels), total * SHARES
        found = np.zeros((3,) * n)
        for pattern in product(range(3), repeat=n):
            counts = np.bincount(pattern, minlength=3)
            found[pattern] = np.exp(
                lgamma(total) - lgamma(total + n)
                + sum(lgamma(a + c) - lgamma(a) for a, c in zip(alpha, counts, strict=True))
            )  # fmt: skip
        return found

    return cache(prior)


def mixed(*parts: tuple[float, Prior]) -> Prior:
    """Assume a mixture."""
    return lambda levels: sum(weight * prior(levels) for weight, prior in parts)


# ------------------------------------------------------------------ what comes of it


def evidence_and_score(patient: Patient, prior: Prior) -> tuple[float, np.ndarray]:
    """Return how likely the patient is, and the probability of each disc."""
    joint = patient.patterns * prior(patient.levels)
    total = joint.sum()
    sick = KINDS.index("P")
    return total, np.array([np.take(joint, sick, axis=k).sum() / total for k in range(joint.ndim)])


def score(patients: list[Patient], prior: Prior) -> np.ndarray:
    """Return the probability of all discs."""
    return np.concatenate([evidence_and_score(patient, prior)[1] for patient in patients])


@dataclass(frozen=True)
class Found:
    """Shares labelled and, of these, wrong; mean distance of the reliability curve from truth."""

    labelled: float
    wrong: float
    off: float

    def __str__(self) -> str:
        return f"{100 * self.labelled:.0f} / {100 * self.wrong:.0f} / {self.off:.2f}"


def resting_on_prevalence(patients: list[Patient]) -> np.ndarray:
    """Return the discs for which most discs painful, this one too, explain the patient as well.

    That is as well as the model's own share with this disc painless.
    """
    usual, high = one_by_one(SHARES), one_by_one(shares_at(MODEL, 0.8))
    found = []
    for patient in patients:
        (every, p), (every_high, p_high) = (evidence_and_score(patient, q) for q in (usual, high))
        found.append(every_high * p_high >= every * (1 - p))
    return np.concatenate(found)


def judge(p: np.ndarray, painful: np.ndarray, withheld: np.ndarray | bool = False) -> Found:
    """Compare probabilities with the truth; `withheld`: discs not to be called unlikely."""
    likely, unlikely = p >= LIMITS[1], (p <= LIMITS[0]) & ~np.asarray(withheld)
    wrong = (likely & ~painful) | (unlikely & painful)
    labelled = likely | unlikely
    place = np.minimum((5 * p).astype(int), 4)
    off = np.abs(np.bincount(place, weights=painful - p, minlength=5)).sum() / p.size
    return Found(labelled.mean(), wrong.sum() / max(labelled.sum(), 1), off)


def least_miscalibration(cohorts: list[list[Patient]], own: list[Prior]) -> float:
    """Return the least `off` that any rule has in the worse of these cohorts (linear program).

    A rule gives each disc, seen with its patient, one of ten probabilities. Discs of all cohorts
    are judged by their likelihood under each cohort's own pattern, as a rule may know all but which
    cohort it is in.
    """
    rows = []
    for patients in cohorts:
        for patient in patients:
            known = [evidence_and_score(patient, prior) for prior in own]
            total = np.array([k[0] for k in known])
            rows += [(*(total / total.mean()), *p) for p in np.transpose([k[1] for k in known])]
    table, n_own = np.array(rows), len(own)
    weight, truth = table[:, :n_own] / table[:, :n_own].sum(axis=0), table[:, n_own:]
    values = np.arange(0.05, 1, 0.1)
    n, bins = len(table), np.minimum((5 * values).astype(int), 4)
    n_rules, n_gaps = n * values.size, 5 * n_own
    above, below = [], []
    for k in range(n_own):
        gap = weight[:, k, None] * (truth[:, k, None] - values)
        for b in range(5):
            row = np.where(bins == b, gap, 0.0).ravel()
            slack = -np.eye(n_gaps)[5 * k + b]
            above += [np.concatenate([row, slack, [0.0]]), np.concatenate([-row, slack, [0.0]])]
        whole = np.concatenate([np.zeros(n_rules), np.repeat(np.eye(n_own)[k], 5), [-1.0]])
        below.append(whole)
    one_each = scipy.sparse.kron(scipy.sparse.eye(n), np.ones((1, values.size)))
    padding = scipy.sparse.csr_matrix((n, n_gaps + 1))
    found = linprog(
        np.concatenate([np.zeros(n_rules + n_gaps), [1.0]]),
        A_ub=scipy.sparse.csr_matrix(np.array(above + below)),
        b_ub=np.zeros(len(above) + len(below)),
        A_eq=scipy.sparse.hstack([one_each, padding]).tocsr(),
        b_eq=np.ones(n),
        method="highs",
    )
    return float(found.fun)


def table_rows(cohorts: dict[str, list[Patient]]) -> list[str]:
    """Return the comparison of assumptions, one a row."""
    usual, high = one_by_one(SHARES), one_by_one(shares_at(MODEL, 0.8))
    own = {"mixed": by_level(), "alike": alike(), "mostly painful": mostly_painful()}
    own["three"] = own["mixed"]
    assumed: dict[str, Prior | dict[str, Prior]] = {
        "a quarter painful, drawn one by one: the model's": usual,
        "the same, unlikely painful withheld where 80 % explain as much": usual,
        "a share by level, as simulated": by_level(),
        "35 % painful": one_by_one(shares_at(MODEL, 0.35)),
        "80 % painful": high,
        "one patient in twenty 80 %, weighed": mixed((0.95, usual), (0.05, high)),
        "three patients in ten 80 %, weighed": mixed((0.7, usual), (0.3, high)),
        "shares differ between patients (Dirichlet, 3)": overdispersed(3.0),
        "two patients in five with discs alike": mixed((0.6, usual), (0.4, alike(tuple(SHARES)))),
        "3 : 4 : 3 one by one, alike, mostly painful": mixed(
            (0.3, usual), (0.4, alike()), (0.3, mostly_painful())
        ),
        "the truth about the cohort": own,
    }
    rows = [
        "| assumed of a patient's discs | " + " | ".join(cohorts) + " |",
        "|---|" + "---|" * len(cohorts),
    ]
    for words, prior in assumed.items():
        cells = []
        for name, patients in cohorts.items():
            painful = np.concatenate([patient.painful for patient in patients])
            withheld = resting_on_prevalence(patients) if "withheld" in words else False
            chosen = prior[name] if isinstance(prior, dict) else prior
            cells.append(str(judge(score(patients, chosen), painful, withheld)))
        rows.append(f"| {words} | " + " | ".join(cells) + " |")
    return rows


def best_mixture(cohorts: dict[str, list[Patient]]) -> str:
    """Return the mixture that labels most in its worst cohort of five discs, at <= 18 % wrong."""
    five = {name: patients for name, patients in cohorts.items() if name != "three"}
    parts = (one_by_one(SHARES), alike(), mostly_painful())
    truth = {n: np.concatenate([p.painful for p in ps]) for n, ps in five.items()}
    known = {
        n: [[evidence_and_score(p, part) for part in parts] for p in ps] for n, ps in five.items()
    }
    best: tuple[float, str] = (0.0, "none")
    for first, second in product(np.arange(0, 1.01, 0.1), repeat=2):
        if first + second > 1.001:
            continue
        weights = np.array([first, second, max(1 - first - second, 0.0)])
        found = {}
        for name, patients in known.items():
            p = []
            for each in patients:
                w = weights * [e[0] for e in each]
                p.append(w @ np.array([e[1] for e in each]) / w.sum())
            found[name] = judge(np.concatenate(p), truth[name])
        if max(f.wrong for f in found.values()) <= MAX_WRONG:
            least = min(f.labelled for f in found.values())
            shares = " : ".join(f"{10 * w:.0f}" for w in weights)
            labelled = ", ".join(f"{100 * f.labelled:.0f} % of {n}" for n, f in found.items())
            best = max(best, (least, f"{shares}, which labels {labelled}"))
    return best[1]


def main() -> None:
    """Draw, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    cohorts = {}
    for name in COHORTS:
        drawn = [draw(name, given.seed, subject) for subject in range(1, given.patients + 1)]
        cohorts[name] = [patient for patient in drawn if patient is not None]
    few = given.patients // 3
    pairs = {
        "mixed and alike": (["mixed", "alike"], [by_level(), alike()]),
        "mixed and mostly painful": (["mixed", "mostly painful"], [by_level(), mostly_painful()]),
    }
    bounds = [
        f"{words}: {least_miscalibration([cohorts[n][:few] for n in names], own):.2f}"
        for words, (names, own) in pairs.items()
    ]
    lines = [
        f"`python tests/tools/prevalence_frontier.py --patients {given.patients} "
        f"--seed {given.seed}`: ideal measurements, no spectra. % of discs labelled / % of these "
        "wrong / mean distance of the reliability curve from the truth.",
        "",
        *table_rows(cohorts),
        "",
        f"Mixtures of one by one, alike and mostly painful (weights in tenths): with at most "
        f"{MAX_WRONG:.0%} wrong in each cohort of five discs, the most labels in the worst of them "
        f"({MIN_LABELLED:.0%} asked for) come with {best_mixture(cohorts)}.",
        "",
        "Least distance from the truth, in the worse of two cohorts, of any rule that is not told "
        f"which of them it sees: {'; '.join(bounds)}.",
    ]
    fill(FULL, "frontier", "\n".join(lines))


if __name__ == "__main__":
    main()
