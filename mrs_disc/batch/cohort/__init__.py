"""What a cohort tells: groups compared, score against provocation, repeated runs.

`cohort_files` takes the table of `mrs_disc.batch.whole.read_cohort` and returns files: a table and
a picture of each part, and ``cohort.txt``, which says what was done and what could not be. An upper
limit enters every part as a limit: never left out, never taken for a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mrs_disc.batch.cohort import pictures
from mrs_disc.batch.cohort.curve import area
from mrs_disc.batch.cohort.discs import Discs, Values, group_codes
from mrs_disc.batch.cohort.groups import compare_groups
from mrs_disc.batch.cohort.retest import agreement
from mrs_disc.constants import RESEARCH_USE
from mrs_disc.errors import InputError
from mrs_disc.record.table import cell
from mrs_disc.report.look import png, styled, svg
from mrs_disc.words import harmless

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, object]

LEAST_OF_GROUP, LEAST_KNOWN, LEAST_REPEATED = 3, 2, 3
MOST_GROUPS = 8
WRITTEN = (
    *("groups_*.png", "groups_*.svg", "groups.tsv"),
    *("roc.png", "roc.svg", "roc.tsv", "roc_curve.tsv"),
    *("retest.png", "retest.svg", "retest.tsv", "retest_pairs.tsv"),
)
"""Files that one cohort has and another has not."""
GROUPS = ("provocation", "pfirrmann")
"""What discs are compared by where nobody asks for something else."""

METHODS = f"""Discs. The best run of each disc and session that is measured, not poor, not rejected.
Scale. Quantities that are always positive are compared as natural logarithms (scale = log).
Limits. A value below two standard deviations is an upper limit (its one-sided 95 % end) and enters
as "below this": in the likelihood of a censored normal model (Tobin, Econometrica 1958;26:24; with
a random effect: Hughes, Biometrics 1999;55:625), and in pairs for the ROC curve as one half where
it leaves open which is larger (Gehan, Biometrika 1965;52:203). No limit is left out or taken for a
value.
Groups. Mixed model, patient as random effect, maximum likelihood (Laird and Ware, Biometrics
1982;38:963); p of a likelihood ratio, not corrected for the number of comparisons. Intervals and p
hold for many discs: with fewer than some thirty they are too narrow and too small.
ROC. Area with the interval of DeLong (Biometrics 1988;44:837), which counts discs as strangers, and
with that of Obuchowski (Biometrics 1997;53:567), which counts patients.
Repeats. ICC(1,1) (Shrout and Fleiss, Psychol Bull 1979;86:420), repeatability coefficient and
limits of agreement (Bland and Altman, Stat Methods Med Res 1999;8:135), all runs of one session.
{RESEARCH_USE}
"""


@dataclass(slots=True)
class _Found:
    """Rows of a part's table, and the sentences of what could not be done."""

    rows: list[Row] = field(default_factory=list)
    missed: dict[str, list[str]] = field(default_factory=dict)

    def miss(self, sentence: str, quantity: str = "") -> None:
        """Note what cannot be done; quantities of one sentence are told together."""
        self.missed.setdefault(sentence, []).extend([quantity] if quantity else [])

    @property
    def left(self) -> list[str]:
        """The sentences."""
        return [f"{s}: {', '.join(q)}." if q else f"{s}." for s, q in self.missed.items()]


def cohort_files(
    table: pd.DataFrame,
    *,
    groups: Sequence[str] = (),
    quantities: Sequence[str] = (),
    participants: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the files of a cohort's analysis, and what could not be done.

    Parameters
    ----------
    table : pandas DataFrame
        From `read_cohort`: one row a disc and run.
    groups : sequence of str
        Columns of `table` or of `participants`; empty: provocation and pfirrmann.
    quantities : sequence of str
        Only these; empty: all that the table has, and the likelihood ratio.
    participants : mapping, optional
        Participant to what participants.tsv says of it, column by column.

    Returns
    -------
    files : dict of str to bytes
    left : tuple of str
        A sentence for each thing that could not be done.

    Raises
    ------
    InputError
        If a column or quantity is not there, or statsmodels is missing.
    """
    discs = Discs.of(table, quantities, participants or {})
    asked = tuple(dict.fromkeys(groups or GROUPS))
    for name in asked:
        discs.labels(name)  # an unknown column is told before anything is computed
    files: dict[str, bytes] = {"discs.tsv": _tsv(discs.rows(asked))}
    left: list[str] = [f"{name}: {why}" for name, why in discs.failed]
    compared = _Found()
    for name in asked:
        n = len(compared.rows)
        _compare(discs, name, compared)
        if rows := compared.rows[n:]:
            _draw(files, f"groups_{_plain(name)}", *pictures.groups(discs, name, rows))
    curve, points = _curve(discs)
    if curve.rows:
        _draw(files, "roc", *pictures.roc(points, curve.rows))
        files["roc_curve.tsv"] = _tsv(points)
    repeats, pairs = _repeats(discs)
    if repeats.rows:
        _draw(files, "retest", *pictures.retest(pairs, repeats.rows))
        files["retest_pairs.tsv"] = _tsv(pairs)
    for file, part in (("groups", compared), ("roc", curve), ("retest", repeats)):
        left += part.left
        if part.rows:
            files[f"{file}.tsv"] = _tsv(part.rows)
    files["cohort.txt"] = _text(discs, left).encode()
    return files, tuple(left)


def _compare(discs: Discs, column: str, found: _Found) -> None:
    """Add the rows of one way of grouping."""
    names, code = group_codes(discs.labels(column), discs.best)
    if len(names) < 2:
        what = f"one group alone ({names[0]})" if names else "no disc with a value"
        found.miss(f"Groups by {column}: not compared, {what}")
        return
    if len(names) > MOST_GROUPS:
        found.miss(
            f"Groups by {column}: not compared, {len(names)} different values; "
            f"at most {MOST_GROUPS} groups are"
        )
        return
    for quantity in discs.names:
        values = discs.values(quantity)
        rows = np.flatnonzero(discs.best & values.there & (code >= 0))
        of, upper = code[rows], values.upper[rows]
        large = [k for k in range(len(names)) if (of == k).sum() >= LEAST_OF_GROUP]
        large = [k for k in large if (~upper & (of == k)).sum() >= LEAST_KNOWN]
        small = [names[k] for k in range(len(names)) if k not in large]
        if small:
            found.miss(
                f"Groups by {column}: without {', '.join(small)} (fewer than {LEAST_OF_GROUP} "
                f"discs, or fewer than {LEAST_KNOWN} that are no limits)",
                quantity,
            )
        if len(large) < 2:
            found.miss(f"Groups by {column}: not compared, fewer than two groups left", quantity)
            continue
        rows = rows[np.isin(of, large)]
        of = np.searchsorted(large, code[rows])
        patient = discs.patient[rows]
        if np.unique(patient).size < 3:
            found.miss(f"Groups by {column}: not compared, fewer than three patients", quantity)
            continue
        try:
            result = compare_groups(values.value[rows], values.upper[rows], of, patient)
        except InputError as error:
            if "pip install" in str(error):
                raise
            found.miss(f"Groups by {column}: not compared, {error}", quantity)
            continue
        for k, group in enumerate(large):
            mine = rows[of == k]
            found.rows.append(
                {
                    "column": column,
                    "quantity": quantity,
                    "scale": values.scale,
                    "group": names[group],
                    "n_discs": int(mine.size),
                    "n_patients": int(np.unique(discs.patient[mine]).size),
                    "n_limits": int(values.upper[mine].sum()),
                    **_three("mean", result.mean[k]),
                    **_three("difference", result.difference[k] if k else [None] * 3),
                    "p": result.p,
                    "within_patient_sd": result.within_sd,
                    "between_patient_sd": result.between_sd,
                    "method": result.method,
                }
            )


def _three(name: str, numbers: Any) -> Row:
    middle, low, high = (None if x is None else float(x) for x in numbers)
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def _curve(discs: Discs) -> tuple[_Found, list[Row]]:
    """Return areas against provocation, and the curves of what has no limits."""
    found = _Found()
    points: list[Row] = []
    labels = np.array([str(label).lower() for label in discs.labels("provocation")], dtype=object)
    tested = discs.best & np.isin(labels, ["positive", "negative"])
    counts = [int((tested & (labels == word)).sum()) for word in ("positive", "negative")]
    if min(counts) < LEAST_OF_GROUP:
        found.miss(
            f"ROC against provocation: not done, {counts[0]} positive and {counts[1]} negative "
            f"discs; at least {LEAST_OF_GROUP} of each are needed"
        )
        return found, points
    for quantity in ("score", *discs.names):
        values = discs.values(quantity)
        rows = np.flatnonzero(tested & values.there)
        positive = labels[rows] == "positive"
        n = int(positive.sum())
        if min(n, rows.size - n) < LEAST_OF_GROUP:
            found.miss("ROC against provocation: not done, too few discs have it", quantity)
            continue
        value, upper = values.value[rows], values.upper[rows]
        result = area(value, upper, positive, discs.patient[rows])
        strangers, patients = result.interval(), result.interval(by_patient=True)
        if strangers is None:
            found.miss(
                "ROC against provocation: no interval of the area, as all pairs of discs say the "
                "same, or limits leave all open",
                quantity,
            )
        found.rows.append(
            {
                "quantity": quantity,
                "n_positive": n,
                "n_negative": int(rows.size - n),
                "n_patients": int(np.unique(discs.patient[rows]).size),
                "n_limits": int(upper.sum()),
                "n_without_value": int((tested & ~values.there).sum()),
                "auc": result.value,
                "auc_low": strangers and strangers[0],
                "auc_high": strangers and strangers[1],
                "auc_low_by_patient": patients and patients[0],
                "auc_high_by_patient": patients and patients[1],
            }
        )
        if not upper.any():
            points += _points(quantity, values.given(value), positive)
    return found, points


def _points(quantity: str, value: np.ndarray, positive: np.ndarray) -> list[Row]:
    head: Row = {"quantity": quantity}
    rows = [head | {"threshold": None, "false_positive": 0.0, "true_positive": 0.0}]
    for limit in np.unique(value)[::-1]:
        called = value >= limit
        rows.append(
            head
            | {
                "threshold": float(limit),
                "false_positive": float(called[~positive].mean()),
                "true_positive": float(called[positive].mean()),
            }
        )
    return rows


def _repeats(discs: Discs) -> tuple[_Found, list[Row]]:
    """Return how well runs agree, and each later run of a disc beside its first."""
    found = _Found()
    pairs: list[Row] = []
    repeated = 0
    for quantity in discs.names:
        values = discs.values(quantity)
        rows, disc, order = discs.runs(values.there)
        n = int(np.unique(disc).size)
        repeated = max(repeated, n)
        if n < LEAST_REPEATED:
            continue
        value, upper = values.value[rows], values.upper[rows]
        try:
            if (~upper).sum() < 2 * LEAST_REPEATED:
                raise InputError("nearly all runs are limits")
            result = agreement(value, upper, disc, order)
        except InputError as error:
            found.miss(f"Repeated runs: not compared, {error}", quantity)
            continue
        found.rows.append(
            {
                "quantity": quantity,
                "scale": values.scale,
                "n_discs": n,
                "n_runs": int(rows.size),
                "n_limits": int(upper.sum()),
                **_three("icc", [result.icc, *(result.icc_interval or (None, None))]),
                "within_sd": result.within_sd,
                **_three(
                    "repeatability",
                    [result.repeatability, *(result.repeatability_interval or (None, None))],
                ),
                **_three("second_minus_first", [result.bias, *(result.agreement or (None,) * 2)]),
                "method": result.method,
            }
        )
        pairs += _pairs(discs, quantity, values, rows, disc, order)
    if repeated < LEAST_REPEATED:
        noun = "disc was" if repeated == 1 else "discs were"
        found.miss(
            f"Repeated runs: not compared, {repeated} {noun} measured twice in a session; at "
            f"least {LEAST_REPEATED} are needed"
        )
    return found, pairs


def _pairs(
    discs: Discs, quantity: str, values: Values, rows: Any, disc: Any, order: Any
) -> list[Row]:
    def told(row: int, n: int) -> Row:
        return {
            f"run_{n}": int(discs.table["run"].iloc[row]),
            f"value_{n}": float(values.value[row]),
            f"limit_{n}": "upper" if values.upper[row] else None,
        }

    found = []
    for one in np.unique(disc):
        first, *later = rows[disc == one][np.argsort(order[disc == one])]
        head = discs.head(int(first)) | {"quantity": quantity, "scale": values.scale}
        found += [
            head | {"later": k} | told(int(first), 1) | told(int(row), 2)
            for k, row in enumerate(later, start=1)
        ]
    return found


def _draw(files: dict[str, bytes], name: str, figure: Any, words: str) -> None:
    with styled():
        files[f"{name}.png"] = png(figure, words=words)
        files[f"{name}.svg"] = svg(figure).encode()


def _plain(name: str) -> str:
    """Return a column's name as part of a file's name."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:40]


def _tsv(rows: Sequence[Row]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([cell(row.get(name), digits=6) for name in names] for row in rows)]
    return "".join("\t".join(harmless(word) for word in line) + "\n" for line in lines).encode()


def _copies_told(n: int) -> list[str]:
    if not n:
        return []
    return [
        f"{n} rows have all numbers of another row: one measurement under two names, used once."
    ]


def _text(discs: Discs, left: Sequence[str]) -> str:
    told = [
        f"{discs.best.sum()} discs of {np.unique(discs.patient[discs.best]).size} patients; "
        f"{discs.out} of {len(discs.table)} rows not usable (failed, poor, or rejected on review).",
        *_copies_told(discs.n_copies),
        "",
        "Not done",
        *(f"- {harmless(sentence, 400)}" for sentence in left or ["nothing was left out."]),
        "",
        "How",
        METHODS,
    ]
    return "\n".join(told)
