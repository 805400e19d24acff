"""Write the measured tables anew: whole in tests/README.md, in short in README, from one run.

::

    python tests/tools/readme_tables.py [--scope fit|score|all] [--discs 300] [--seed 7]
    python tests/tools/readme_tables.py --challenge FOLDER

Each table stands between the marks ``begin: NAME`` and ``end: NAME``, with date and machine.
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

from mrs_disc import validate
from mrs_disc.validate.discrimination import BEYOND, COHORTS, MISSES, percent

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


def score_rows(table: validate.ScoreTable) -> list[str]:
    """Return a row per cohort; † misses its limit, ‡ one that the ideal measurement misses too."""
    rows = [
        "| simulated patients | AUC (attainable) | labelled (attainable) "
        "| of these wrong (attainable) | bins of the reliability curve that hold (attainable) |",
        "|---|---|---|---|---|",
    ]
    for one in table.cohorts:
        own, best = one.measured, one.attainable
        mark = {name: "†" if name in one.misses else "" for name in MISSES}
        mark |= dict.fromkeys(one.out_of_reach, BEYOND)
        told = "" if one.prevalence is None else f", told {one.prevalence:.0%}"
        held, held_best = (sum(b.holds for b in bins) for bins in (own.bins, best.bins))
        rows.append(
            f"| {COHORTS[one.cohort]}{told} "
            f"| {one.auc.score:.2f}{mark['AUC']} ({one.auc.attainable:.2f}) "
            f"| {percent(own.labelled, own.scored)}{mark['few labels']} "
            f"({percent(best.labelled, best.scored)}) "
            f"| {percent(own.wrong, own.labelled)}{mark['labels']} "
            f"({percent(best.wrong, best.labelled)}) "
            f"| {held} of {len(own.bins)}{mark['reliability']} ({held_best}) |"
        )
    return rows


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


def _progress(name: str, done: int, of: int) -> None:
    if done == of:
        print(f"{name}: {done} of {of}", file=sys.stderr)  # noqa: T201


def main() -> None:
    """Run what was asked for and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scope", choices=["fit", "score", "all"], default="all")
    parser.add_argument("--discs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--challenge", type=Path, help="folder of the public challenge: that alone")
    given = parser.parse_args()
    size = f"--discs {given.discs} --seed {given.seed}"
    if given.challenge:
        found = validate.validate_challenge(given.challenge)
        whole = validate.challenge_text(found)
        put("challenge", "--challenge FOLDER", whole, challenge_rows(found))
        return
    if given.scope in ("fit", "all"):
        table = validate.validate_fit(given.seed, given.discs, progress=_progress)
        whole = validate.accuracy_text(table)
        put("accuracy", f"--scope fit {size}", whole, accuracy_rows(table))
    if given.scope in ("score", "all"):
        scores = validate.validate_score(given.seed, given.discs, progress=_progress)
        put("score", f"--scope score {size}", validate.score_text(scores), score_rows(scores))


if __name__ == "__main__":
    main()
