"""The stress table as text: what holds, then how far off, each row a line."""

from __future__ import annotations

import numpy as np

from mrs_disc.validate.stress import AMOUNTS, LEAST_HELD, LEAST_NAMED, LIKELY, MOST_FALSE, Stress
from mrs_disc.validate.stress_rows import LOG, RATIO, REFERRED


def stress_text(table: Stress) -> str:
    """Return the table as text."""
    columns = {**{name: name for name in AMOUNTS}, RATIO: RATIO, LOG: "r"}
    width = max(len(line.row) for line in table.lines) + 1
    lines = [
        f"Discs outside the fitted model: {table.discs} a row, seed {table.seed}.",
        f"Shares in %: graded poor; cause named; intervals of the others that hold (rule: "
        f"{LEAST_HELD:.0%} of each,",
        f'or the cause named in {LEAST_NAMED:.0%}). Last: labels "{LIKELY}"; of these false by '
        f"true r (rule: up to {MOST_FALSE:.0%}),",
        "and painless by class.",
        "",
        f"{'':<{width}}{'poor':>5}{'named':>6}"
        + "".join(f"{name:>8}" for name in columns.values())
        + f"{'likely':>8}{'false':>6}{'class':>6}",
    ]
    for line in table.lines:
        shares = "".join(f"{_percent(line.held.get(name)):>8}" for name in columns)
        verdict = "ok" if not line.misses else f"missed: {', '.join(line.misses)}"
        lines.append(
            f"{line.row:<{width}}{_percent(line.poor):>5}{_percent(line.named):>6}{shares}"
            f"{line.likely:>8}{line.false:>6}{line.painless:>6}  {verdict.replace(LOG, 'r')}"
        )
        if REFERRED in line.held:
            error = f"{line.error[REFERRED]:+.0%}" if REFERRED in line.error else "–"
            held = _percent(line.held[REFERRED])
            lines.append(f"{'':<{width}}{REFERRED}: {held} % hold, median error {error}")
        if line.sets:
            middle, worst = _percent(float(np.median(line.sets))), _percent(line.sets[0])
            lines.append(
                f"{'':<{width}}PG in {len(line.sets)} sets: median {middle}, worst {worst}"
            )
    lines += ["", *_error_lines(table, width)]
    return "\n".join(lines)


def _error_lines(table: Stress, width: int) -> list[str]:
    """Return the median errors: in quoted standard deviations, of PG and LAC also relative."""
    head = "".join(f"{name:>8}" for name in (*AMOUNTS, "PG", "LAC", "r"))
    lines = [
        "Median error in quoted standard deviations; then of PG and LAC in %, of r as it is.",
        f"{'':<{width}}{head}  most frequent findings",
    ]
    for line in table.lines:
        cells = [_number(line.z.get(name), "+.2f") for name in AMOUNTS]
        cells += [_number(line.error.get(name), "+.0%") for name in ("PG", "LAC")]
        cells.append(_number(line.error.get(LOG), "+.2f"))
        found = [f"{kind} {n}" for kind, n in line.reasons.items() if kind != "all_passed"]
        row = "".join(f"{cell:>8}" for cell in cells)
        lines.append(f"{line.row:<{width}}{row}  {', '.join(found[:3])}")
    return lines


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"
