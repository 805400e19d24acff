"""Write the table of planning into tests/README.md: expected errors over the scatter of discs.

::

    python tests/tools/plan_table.py [--discs 200] [--seed 6161] [--print]

Painful discs of the simulator's population at three SNRs of PG, without marrow lipid, go through
the whole analysis. The error of each is taken over what `mrs_disc.planning.expected` expects of
that disc; shown is one over half of the central 68 % of these: 1.1 is an expectation 10 % too
large.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.planning import R
from mrs_disc.planning.expected import Lines, expected
from mrs_disc.planning.setting import error_of, gradient
from mrs_disc.recipe import Recipe
from mrs_disc.simulate import LUMBAR, Scan, simulate_study
from mrs_disc.simulate.study import plan_study

SEED = 6161
SNRS = (24, 40, 64)
QUANTITIES = ("PG", "LAC", "ALA", "PA", "CHO", "LAC/PG", "acidity", "structure", R)
SCAN = Scan(n_points=1024, spectral_width_hz=2000.0, n_transients=32, n_water=2)
WITHIN = 0.15


def expected_over_scatter(seed: int, snr: float, discs: int) -> dict[str, float]:
    """Return of each quantity its expected error over the scatter of painful discs."""
    found: dict[str, list[float]] = {name: [] for name in QUANTITIES}
    for subject in range(1, discs // 5 + 1):
        which = {
            "subject": subject,
            "levels": LUMBAR,
            "scan": SCAN,
            "kinds": dict.fromkeys(LUMBAR, "P"),
            "snr": snr,
            "lipid": False,
        }
        study, truth = simulate_study(seed, anatomy=False, **which)
        planned = plan_study(seed, **which)
        for level, m in zip(analyze(study), planned, strict=True):
            if level.measurement is None or m.disc.gas is not None:
                continue
            fit, true = level.measurement.fit, truth[level.level]["amplitudes"]
            lines = Lines(
                amplitude=true,
                lorentz_hz=1 / (np.pi * m.disc.t2_s["LAC"]),
                gauss_hz=m.disc.b0_width_hz,
            )
            at = expected(lines, m.average_sd, SCAN, Recipe(), baselines=4, seed=subject)
            assert at.names == fit.names
            for name in QUANTITIES:
                slope = gradient(name, at.names, at.amplitude)
                error = float(slope @ (fit.amplitude - at.amplitude))
                found[name].append(error / error_of(name, at))
    return {name: 1 / _half_68(values) for name, values in found.items()}


def _half_68(values: list[float]) -> float:
    low, high = np.percentile(values, [15.87, 84.13])
    return float(high - low) / 2


def table(seed: int, discs: int) -> list[str]:
    """Return the lines of the table."""
    columns = {snr: expected_over_scatter(seed, snr, discs) for snr in SNRS}
    lines = [f"{'SNR of PG':12s}" + "".join(f"{snr:>8d}" for snr in SNRS)]
    for name in QUANTITIES:
        ratios = [columns[snr][name] for snr in SNRS]
        mark = "   outside" if max(abs(r - 1) for r in ratios) > WITHIN else ""
        lines.append(f"{name:12s}" + "".join(f"{r:8.2f}" for r in ratios) + mark)
    return lines


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--discs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--print", action="store_true", help="to the terminal alone")
    asked = parser.parse_args()
    text = "\n".join(table(asked.seed, asked.discs))
    sys.stdout.write(text + "\n")
    if asked.print:
        return
    sys.path.insert(0, str(Path(__file__).parent))
    from readme_tables import FULL, fill, processor

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = f"python tests/tools/plan_table.py --discs {asked.discs} --seed {asked.seed}"
    fill(FULL, "plan", f"`{command}`, {today}, {processor()}.\n\n```text\n{text}\n```")


if __name__ == "__main__":
    main()
