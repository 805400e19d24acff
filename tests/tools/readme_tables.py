"""Write the measured tables anew: whole in tests/README.md, in short in README, from one run.

::

    python tests/tools/readme_tables.py [--scope fit|score|all|stress] [--discs 300] [--seed 7]
    python tests/tools/readme_tables.py --scope score --discs 200 --seed 1 2
    python tests/tools/readme_tables.py --challenge FOLDER

The score's table takes several seeds, side by side; the others one. Each table stands between the
marks ``begin: NAME`` and ``end: NAME``, with date and machine.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mrs_disc import validate
from mrs_disc.validate.discrimination import COHORTS, ERROR_CLASSES, MISSES, Scans, protocol_of
from mrs_disc.validate.discrimination_text import BEYOND, percent
from mrs_disc.validate.stress import LIKELY, StressLine
from mrs_disc.validate.stress_rows import LOG

ROOT = Path(__file__).resolve().parents[2]
README, FULL = ROOT / "README.md", ROOT / "tests" / "README.md"
PEERS = {"fsl_mrs_mh": "FSL-MRS, Metropolis-Hastings", "fsl_mrs_newton": "FSL-MRS, Newton"}
IN_WORDS = {
    "matched": "nothing but noise",
    "ensemble": "random humps under the lines",
    "fixed": "the same humps in every disc",
    "dirty": "humps, residual water, delay, eddy currents",
    "coils": "16 coils × 48 drifting transients; ratios to PG",
    "weak": "humps at SNR 5 to 8",
    "in vivo": "everything at once, lipid included",
}


def processor() -> str:
    """Return the processor's name and the number of cores."""
    names = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def fill(path: Path, name: str, content: str) -> None:
    """Replace the part of a page between the marks of `name`."""
    pattern = re.compile(rf"(<!-- begin: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
    page = path.read_text()
    assert pattern.search(page), f"{path.name} has no place for {name}"
    path.write_text(pattern.sub(lambda marks: f"{marks[1]}{content}\n{marks[2]}", page))


def put(name: str, command: str, whole: str, rows: Sequence[str]) -> None:
    """Write one table into both pages, with when and where it ran."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    stamp = f"`mrs-disc validate {command}`, {today}, {processor()}"
    fill(
        FULL, name, f"{stamp}; written by `tests/tools/readme_tables.py`.\n\n```text\n{whole}\n```"
    )
    fill(README, name, "\n".join([*rows, "", f"{stamp}."]))


def accuracy_rows(table: validate.Accuracy) -> list[str]:
    """Return a row per regime: error over bound, and how often the intervals hold."""
    rows = [
        "| simulated discs | error ÷ smallest possible | 95 % intervals hold |",
        "|---|---|---|",
    ]
    for regime in table.milliseconds:
        lines = [line for line in table.lines if line.regime == regime]
        errors = [
            f"{line.quantity.removesuffix('/PG')} {line.rmse:.1f}{'' if line.holds else '†'}"
            for line in lines
        ]
        held = sorted(line.coverage_percent for line in lines)
        rows.append(
            f"| {IN_WORDS[regime]} | {', '.join(errors)} | {held[0]:.0f} to {held[-1]:.0f} % |"
        )
    return rows


def score_rows(tables: Sequence[validate.ScoreTable]) -> list[str]:
    """Return a row per cohort, the seeds side by side; † misses its limit, ‡ one that no fit holds.

    Then what scans are worth, by SNR, of discs drawn one by one.
    """
    rows = [
        "| simulated patients | AUC (attainable) | painful discs: likely, indeterminate, unlikely "
        "| painless discs: likely, indeterminate, unlikely | of the labels wrong (attainable) "
        "| bins of the reliability curve that hold (attainable) |",
        "|---|---|---|---|---|---|",
    ]
    for ones in zip(*(table.cohorts for table in tables), strict=True):
        one = ones[0]
        told = "" if one.prevalence is None else f", told {one.prevalence:.0%}"
        cells = zip(*(_score_cells(each) for each in ones), strict=True)
        beside = " | ".join(" · ".join(each) for each in cells)
        rows.append(f"| {COHORTS[one.cohort]}{told}{_protocol(one.cohort)} | {beside} |")
    return [*rows, "", *_error_rows(tables), "", *_scan_rows(tables)]


def _score_cells(one: validate.Discrimination) -> tuple[str, ...]:
    """Return the cells of a cohort at one seed."""
    own, best = one.measured, one.attainable
    mark = {name: "†" if name in one.misses else "" for name in MISSES}
    mark |= dict.fromkeys(one.out_of_reach, BEYOND)
    held, held_best = (sum(b.holds for b in bins) for bins in (own.bins, best.bins))
    return (
        f"{one.auc.score:.2f}{mark['AUC']} ({one.auc.attainable:.2f})",
        _labels(own.of_painful),
        _labels(own.of_painless),
        f"{percent(own.wrong, own.labelled)}{mark['labels']} "
        f"({percent(best.wrong, best.labelled)})",
        f"{held} of {len(own.bins)}{mark['reliability']} ({held_best})",
    )


def _error_rows(tables: Sequence[validate.ScoreTable]) -> list[str]:
    """Return the labels by error of r beside what errors allow: typical protocol, all pooled."""
    rows = [
        "| error of r | painful discs | called likely (allowed) | called unlikely (allowed) "
        "| painless discs | called likely (allowed) | called unlikely (allowed) |",
        "|---|---|---|---|---|---|---|",
    ]
    found = [
        part
        for table in tables
        for one in table.cohorts
        if one.prevalence is None and protocol_of(one.cohort) == "typical"
        for part in one.labels
    ]
    for limits in [*ERROR_CLASSES, None]:
        cells = []
        for painful in (True, False):
            parts = [p for p in found if p.painful == painful and limits in (None, (p.low, p.high))]
            own, best = (
                np.sum([getattr(p, name) for p in parts], axis=0)
                for name in ("measured", "allowed")
            )
            cells.append(str(own.sum()))
            cells += [
                f"{percent(own[k], own.sum())} ({percent(best[k], best.sum())})" for k in (0, 2)
            ]
        if limits is None:
            name = "all"
        else:
            low, high = limits
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"from {low:g}"
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _scan_rows(tables: Sequence[validate.ScoreTable]) -> list[str]:
    """Return a row for each class of SNR, with the typical protocol and with the weak one."""
    rows = [
        "| protocol, SNR of PG | discs | AUC | painful discs called likely "
        "| painless discs called unlikely | labelled | median error of r |",
        "|---|---|---|---|---|---|---|",
    ]
    for cohort in ("mixed", "weak"):
        found = [
            next(one for one in table.cohorts if (one.cohort, one.prevalence) == (cohort, None))
            for table in tables
        ]
        for scans in zip(*(one.scans for one in found), strict=True):
            if not any(scan.n for scan in scans):
                continue
            low, high = scans[0].low, scans[0].high
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"from {low:g}"
            cells = zip(*(_scan_cells(scan) for scan in scans), strict=True)
            beside = " | ".join(" · ".join(each) for each in cells)
            rows.append(f"| {protocol_of(cohort)}, {name} | {beside} |")
    return rows


def _scan_cells(scan: Scans) -> tuple[str, ...]:
    shares = (scan.sensitivity, scan.specificity, scan.labelled)
    cells = (
        f"{scan.n}",
        f"{scan.auc:.2f}",
        *(f"{100 * share:.0f} %" for share in shares),
        f"{scan.error:.2f}",
    )
    return tuple("–" if "nan" in cell else cell for cell in cells)


def _protocol(cohort: str) -> str:
    """Return which protocol of the simulator measured a cohort, where its words do not say it."""
    name = protocol_of(cohort)
    return "" if name in COHORTS[cohort] else f" ({name} protocol)"


def _labels(by_label: tuple[int, ...]) -> str:
    """Return the shares of the three labels, likely painful first."""
    return ", ".join(f"{100 * n / max(1, sum(by_label)):.0f}" for n in by_label) + " %"


def challenge_rows(table: validate.Challenge) -> list[str]:
    """Return one row per program: median error, and where mrs_disc is at or below."""
    own = statistics.median(line.error for line in table.lines)
    rows = [
        "| program | median error of the metabolites | mrs_disc at or below |",
        "|---|---|---|",
        f"| mrs_disc | {100 * own:.0f} % | its 95 % intervals hold in "
        f"{table.coverage_percent:.0f} % of the cells |",
    ]
    for peer in table.lines[0].peers:
        errors = [line.peers[peer] for line in table.lines]
        better = sum(line.error <= line.peers[peer] for line in table.lines)
        median = f"{100 * statistics.median(errors):.0f} %"
        rows.append(f"| {PEERS.get(peer, peer)} | {median} | {better} of {len(errors)} |")
    return rows


def stress_rows(table: validate.Stress) -> list[str]:
    """Return the control, the median row and the three worst, by the interval that holds least."""
    ranked = sorted(table.lines, key=lambda line: line.lowest)
    kept = sum(not line.misses for line in ranked)
    shown = {"median of the rows": ranked[len(ranked) // 2]}
    shown |= {f"worst {k + 1}": line for k, line in enumerate(ranked[:3])}
    rows = [
        "| discs | graded poor; cause named | 95 % intervals of the others that hold | labels "
        f'"{LIKELY}" that are false |',
        "|---|---|---|---|",
    ]
    for place, line in shown.items():
        held = [share for share in line.held.values() if share is not None]
        span = f"{100 * min(held):.0f} to {100 * max(held):.0f} %" if held else "none given"
        rows.append(
            f"| {place}: {line.text} | {line.poor:.0%}; {line.named:.0%} | {span} "
            f"| {line.false} of {line.likely} |"
        )
    return [*rows, "", f"The rule is kept in {kept} of {len(ranked)} rows."]


def stress_misses(table: validate.Stress) -> str:
    """Return one line for each row that does not keep the rule, for the page's limits."""
    return "\n".join(_miss(line) for line in table.lines if line.misses) or "  - none of them."


def _miss(line: StressLine) -> str:
    shares = {name: line.held.get(name) for name in line.misses if name != LIKELY}
    found = [f"{name.replace(LOG, 'r')} {100 * (s or 0):.0f} %" for name, s in shares.items()]
    if LIKELY in line.misses:
        found.append(f'{line.false} of {line.likely} "{LIKELY}" false')
    return f"  - {line.text}: {', '.join(found)}"


def put_scores(tables: Sequence[validate.ScoreTable], command: str, seeds: Sequence[int]) -> None:
    """Write the score's tables of all seeds."""
    whole = "\n\n".join(validate.score_text(table) for table in tables)
    put("score", command + "` and `--seed ".join(map(str, seeds)), whole, score_rows(tables))


def _progress(name: str, done: int, of: int) -> None:
    if done == of:
        print(f"{name}: {done} of {of}", file=sys.stderr)  # noqa: T201


def main() -> None:
    """Run what was asked for and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scope", choices=["fit", "score", "all", "stress"], default="all")
    parser.add_argument("--jobs", type=int, default=1, help="processes of the stress table")
    parser.add_argument("--discs", type=int, default=300)
    parser.add_argument("--seed", type=int, nargs="+", default=[7])
    parser.add_argument("--challenge", type=Path, help="folder of the public challenge: that alone")
    given = parser.parse_args()
    seed = given.seed[0]
    size = f"--discs {given.discs} --seed {seed}"
    if given.challenge:
        found = validate.validate_challenge(given.challenge)
        whole = validate.challenge_text(found)
        put("challenge", "--challenge FOLDER", whole, challenge_rows(found))
        return
    if given.scope in ("fit", "all"):
        table = validate.validate_fit(seed, given.discs, progress=_progress)
        whole = validate.accuracy_text(table)
        put("accuracy", f"--scope fit {size}", whole, accuracy_rows(table))
    if given.scope in ("score", "all"):
        tables = [validate.validate_score(n, given.discs, progress=_progress) for n in given.seed]
        put_scores(tables, f"--scope score --discs {given.discs} --seed ", given.seed)
    if given.scope == "stress":
        stress = validate.validate_stress(seed, given.discs, jobs=given.jobs, progress=_progress)
        put("stress", f"--scope stress {size}", validate.stress_text(stress), stress_rows(stress))
        fill(README, "stress limits", stress_misses(stress))


if __name__ == "__main__":
    main()
