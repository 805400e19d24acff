#!/usr/bin/env bash
# lcmodel-wrapper 0.5.1: the phase of an LCModel fit is never read from its coord file; and a
#   baseline runs on into the first line where that one's name has a dash.
# Guess: read_coord gives "FWHM, S/N, shift, phase" (docstring); read_fit a baseline of as many
#   points as the ppm axis.
# Found: the phase is None of every file: the word "Ph" is looked for, and LCModel writes "Ph:". Of
#   a fit whose first line is called N-Ac the baseline has 41 points for 20: the heading of a line
#   is recognised by letters and digits only, so its concentration and spectrum are added.
# Matters: the phase is a check of a disc's fit (a fit 180 degrees off has turned its lines over); a
#   None passes a filter `abs(phase or 0) < 30` for every scan. Names of a basis for discs have
#   dashes and underscores. A baseline twice as long raises in a plot, and its mean and its last
#   points are those of a line.
# Right: suspect 0.6.2, which reads -21 degrees and 20 points from the same file; the line "Ph: -21
#   deg" itself.
# Versions: lcmodel-wrapper 0.5.1, suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  lcmodel-wrapper==0.5.1 suspect==0.6.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
from lcmodel_wrapper import coord
from suspect.io.lcmodel import read_coord

N = 20


def points(values):
    lines = (values[k : k + 10] for k in range(0, len(values), 10))
    return ["  " + "".join(f"{value:12.6f}" for value in line) for line in lines]


def write(first):
    """Write a coord file as LCModel lays it out, with two lines, the first of this name."""
    table = {first: 0.5, "PG": 0.25}
    text = [
        " LCModel (Version 6.3-1N) Copyright: S.W. Provencher.", " L4-L5", " Data of: x", " x",
        f" {len(table) + 1} lines in following concentration table = NCONC+1",
        "    Conc.  %SD     /PG  Metabolite",
        *(f"{value:9.3f}   3%{value / 0.25:8.3f} {name}" for name, value in table.items()),
        "   6 lines in following misc. output table", "  FWHM = 0.043 ppm    S/N =  13",
        "  Data shift =-0.012 ppm", "  Ph: -21 deg      12.2 deg/ppm",
        "  alphaB,S = 4.8E-02,   3.7E+01", "   28 spline knots.   Ns = 7(1)",
        "  (11) 1 infls.   (12) 2 extrs.",
        f"  {N} points on ppm-axis = NY", *points(np.linspace(4, 0.2, N)),
        " NY phased data points follow", *points(np.ones(N)),
        " NY points of the fit to the data follow", *points(np.ones(N)),
        " NY background values follow", *points(np.full(N, 0.1)),
    ]
    for name, value in table.items():
        text += [f" {name:<9}Conc. = {value:.3f}", *points(np.full(N, value))]
    text += ["   2 lines in following diagnostic table:", " info  1  x", " info  2  x"]
    Path("fit.coord").write_text("\n".join(text) + "\n")


seen = {}
for first in ("NAc", "N-Ac"):
    write(first)
    names, concentrations, _, _, width, ratio, shift, phase = coord.read_coord("fit.coord")
    baseline, other = coord.read_fit("fit.coord")["baseline"], read_coord("fit.coord")
    seen[first] = phase, len(baseline), round(float(baseline.mean()), 2)
    told = other["misc_output"]
    print(f"first line {first}: lcmodel-wrapper: phase {phase}, shift {shift},", end=" ")
    print(f"S/N {ratio:g}, baseline of {len(baseline)}, mean {baseline.mean():.2f};", end=" ")
    print(f"suspect: phase {told['phase0']:g}, {len(other['baseline'])} points,", end=" ")
    print(f"mean {np.mean(other['baseline']):.2f}")
    same = (width, ratio, shift) == (told["fwhm"], told["snr"], told["frequency_shift"])
    agree = same and list(other["metabolite_fits"]) == names and concentrations == [0.5, 0.25]
    if not agree or (told["phase0"], len(other["baseline"])) != (-21, N):
        sys.exit("The two no longer agree on the rest: this comparison has lost its ground.")
if seen != {"NAc": (None, N, 0.1), "N-Ac": (None, 2 * N + 1, 0.3)}:
    sys.exit("lcmodel-wrapper has changed: it reads the phase or ends the baseline.")
print("No phase, and a baseline that ends with a line.")
PYTHON
