"""Write the table of planning into tests/README.md: expected errors over the scatter of discs.

::

    python tests/tools/plan_table.py [--discs 200] [--seed 90210 55221] [--print]

Painful discs of the simulator's population at three SNRs of PG, without marrow lipid, go through
the whole analysis. The error of each is taken over what `mrs_disc.planning.expected` expects of
that disc; shown is one over half of the central 68 % of these: 1.1 is an expectation 10 % too
large. Each seed has a column; "outside" is said of the geometric mean over the seeds.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mrs_disc.analysis import analyze
from mrs_disc.planning import R
from mrs_disc.planning.expected import Lines, expected
from mrs_disc.planning.setting import error_of, gradient
from mrs_disc.recipe import Recipe
from mrs_disc.simulate import LUMBAR, Scan, simulate_study
from mrs_disc.simulate.study import plan_study

SEEDS = (90210, 55221)
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


def table(found: Mapping[tuple[float, int], Mapping[str, float]]) -> list[str]:
    """Return the lines of the table from the ratios of each SNR and seed."""
    lines = [f"{'SNR of PG':12s}" + "".join(f"{snr:>10g}" for snr, _ in found)]
    lines.append(f"{'seed':12s}" + "".join(f"{seed:>10d}" for _, seed in found))
    for name in QUANTITIES:
        mean = {
            snr: np.exp(np.mean([np.log(r[name]) for (at, _), r in found.items() if at == snr]))
            for snr, _ in found
        }
        mark = "   outside" if any(abs(r - 1) > WITHIN for r in mean.values()) else ""
        cells = "".join(f"{ratios[name]:10.2f}" for ratios in found.values())
        lines.append(f"{name:12s}{cells}{mark}")
    return lines


def write(text: str, discs: int, seeds: Sequence[int]) -> None:
    """Put the table into the page."""
    sys.path.insert(0, str(Path(__file__).parent))
    from readme_tables import FULL, fill, processor

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = f"python tests/tools/plan_table.py --discs {discs} --seed {' '.join(map(str, seeds))}"
    fill(FULL, "plan", f"`{command}`, {today}, {processor()}.\n\n```text\n{text}\n```")


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--discs", type=int, default=200)
    parser.add_argument("--seed", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--print", action="store_true", help="to the terminal alone")
    asked = parser.parse_args()
    keys: list[tuple[float, int]] = [(snr, seed) for snr in SNRS for seed in asked.seed]
    found = {(snr, seed): expected_over_scatter(seed, snr, asked.discs) for snr, seed in keys}
    text = "\n".join(table(found))
    sys.stdout.write(text + "\n")
    if not asked.print:
        write(text, asked.discs, asked.seed)


if __name__ == "__main__":
    main()
