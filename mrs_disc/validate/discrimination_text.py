"""The table of the score as text."""

from __future__ import annotations

import numpy as np

from mrs_disc.simulate import SNR_OF_PROTOCOL
from mrs_disc.validate.discrimination import (
    AUC_SHARE,
    COHORTS,
    LABELS,
    MAX_WRONG,
    MAX_WRONG_UNTOLD,
    Discrimination,
    Labels,
    ScoreTable,
    protocol_of,
)

BEYOND = "‡"
"""Marks a limit that is missed, and that no fit could hold."""


def score_text(table: ScoreTable) -> str:
    """Return the table as text: one line a cohort, then each cohort in full."""
    rows = [
        f"Score against simulated truth, seed {table.cohorts[0].seed}.",
        "The score was made for the population that is simulated: no evidence for patients.",
        f"Protocol: typical, {SNR_OF_PROTOCOL['typical']:g} times the SNR of population.toml, but "
        f"for the cohort weak: {SNR_OF_PROTOCOL['weak']:g} times.",
        f"Held: AUC at least {AUC_SHARE:g} of the attainable; at most {MAX_WRONG:.0%} of the "
        f"labels wrong,",
        f"{MAX_WRONG_UNTOLD:.0%} where most discs are painful and it is not told; reliability in "
        "its 95 % band.",
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
    own, best = one.measured, one.attainable
    auc = f"{one.auc.score:.3f} ({one.auc.attainable:.3f})"
    labelled = f"{percent(own.labelled, own.scored)} ({percent(best.labelled, best.scored)})"
    wrong = f"{percent(own.wrong, own.labelled)} ({percent(best.wrong, best.labelled)})"
    bins = f"{sum(b.holds for b in own.bins)} ({sum(b.holds for b in best.bins)})"
    outside = [f"{name}{BEYOND if name in one.out_of_reach else ''}" for name in one.misses]
    return (
        f"{_title(one):<26}{one.counts.discs:>6}{own.scored:>8}{auc:>15}{labelled:>13}"
        f"{wrong:>13}{bins:>8}{own.brier:>8.3f}  {', '.join(outside) or '–'}"
    )


def _cohort_text(one: Discrimination) -> list[str]:
    """Return the lines of one cohort."""
    counts, own = one.counts, one.measured
    rows = [
        f"{_title(one)}: {COHORTS[one.cohort]}; {counts.patients} patients, {counts.discs} discs, "
        f"{protocol_of(one.cohort)} protocol",
        f"  scored {own.scored} ({own.painful} painful), poor {counts.poor}, failed "
        f"{counts.failed}; AUC without any error {one.auc.truth:.3f}",
        f"  labelled {own.labelled}, of these wrong {own.wrong}; sensitivity "
        f"{own.sensitivity:.2f}, specificity {own.specificity:.2f} among labelled",
        *_by_truth(one),
        *_by_error(one),
        *_by_scan(one),
        f"  {'probability':<14}{'discs':>7}{'mean':>8}{'painful':>9}{'95 %':>14}",
    ]
    for b in own.bins:
        name, band = f"{b.low:.1f} to {b.high:.1f}", f"{b.low_95:.2f} to {b.high_95:.2f}"
        mean, share = (f"{v:.2f}" if b.n else "–" for v in (b.mean_probability, b.share_painful))
        band = band if b.n else "–"
        rows.append(
            f"  {name:<14}{b.n:>7}{mean:>8}{share:>9}{band:>14}{'' if b.holds else '   outside'}"
        )
    return rows


def _by_truth(one: Discrimination) -> list[str]:
    """Return how discs of either truth are labelled; in brackets what the quoted errors allow."""
    lines = [f"  {'':<14}" + "".join(f"{name:>20}" for name in LABELS)]
    for name, own, best in (
        ("painful", one.measured.of_painful, one.allowed.of_painful),
        ("painless", one.measured.of_painless, one.allowed.of_painless),
    ):
        shares = [
            f"{percent(n, sum(own))} ({percent(m, sum(best))})"
            for n, m in zip(own, best, strict=True)
        ]
        lines.append(f"  {name:<14}" + "".join(f"{share:>20}" for share in shares))
    return lines


def _by_error(one: Discrimination) -> list[str]:
    """Return the labels by error of r; in brackets what the quoted errors allow."""
    head = ("discs", "likely", "unlikely")
    lines = [f"  {'error of r':<14}" + "".join(f"{name:>15}" for name in (*head, "")).rstrip()]
    for part in one.labels:
        if not sum(part.measured):
            continue
        truth = "painful" if part.painful else "painless"
        to = f"{part.low:g} to {part.high:g}" if np.isfinite(part.high) else f"from {part.low:g}"
        cells = (str(sum(part.measured)), _beside(part, 0), _beside(part, 2))
        lines.append(f"  {to:<14}" + "".join(f"{cell:>15}" for cell in cells) + f"   {truth}")
    return lines


def _beside(part: Labels, label: int) -> str:
    own, best = part.measured, part.allowed
    return f"{percent(own[label], sum(own))} ({percent(best[label], sum(best))})"


def _by_scan(one: Discrimination) -> list[str]:
    """Return a line for each class of SNR."""
    head = ("discs", "AUC", "painful found", "painless found", "labelled", "error of r")
    lines = [f"  {'SNR':<14}" + "".join(f"{name:>15}" for name in head)]
    for scan in one.scans:
        name = f"{scan.low:g} to {scan.high:g}" if np.isfinite(scan.high) else f"from {scan.low:g}"
        shares = (scan.sensitivity, scan.specificity, scan.labelled)
        cells = (f"{scan.auc:.2f}", *(f"{100 * share:.0f} %" for share in shares))
        row = f"{scan.n:>15}" + "".join(f"{cell:>15}" for cell in cells) + f"{scan.error:>15.2f}"
        lines.append(f"  {name:<14}" + row.replace("nan %", "  –").replace("nan", "  –"))
    return lines
