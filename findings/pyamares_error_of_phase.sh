#!/usr/bin/env bash
# pyAMARES 0.3.28: the error of a phase is folded into the bounds of the phase: 362 degrees for 2.
# Guess: sd(deg) is the standard deviation of the phase, a small positive number, whatever bounds
#   the phase had.
# Found: what is done to the phase is done to its error too. With the phase between 30 and 60
#   degrees, an error of 2.5 is reported as 362.5; with bounds of 180 a phase of -1 comes with an
#   error of -1, and an inverted line with -121. Between 0 and 90 the same error is 2.5.
# Matters: a line is kept or left out by the error of its phase, and means are weighted by it: at
#   362 degrees every line goes, at -1 none, though both are known to a degree or two.
# Right: the error of a phase is that of the amplitude over the amplitude, in radians, for a single
#   line (0.11 of 2.1: 3 degrees); its own result with other bounds.
# Versions: pyAMARES 0.3.28 with lmfit 1.3.4, numpy 2.4.6, pandas 2.3.3, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check pyAMARES==0.3.28 lmfit==1.3.4 \
  numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 matplotlib==3.11.2 nmrglue==0.12 jinja2==3.1.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib
import io
import logging
import sys
from pathlib import Path

import numpy as np

logging.disable(logging.CRITICAL)
quiet = io.StringIO()
with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
    import pyAMARES

N, WIDTH, MHZ = 2048, 2000.0, 127.7
TIME = np.arange(N) / WIDTH


def fit(lactate, phase, amounts, phases):
    """Fit lactate and propylene glycol, 5 of it; the last two are the bounds of the table."""
    middle = sum(phases) / 2
    Path("table.csv").write_text(
        "Index,Lac,PG\nInitial Values,\namplitude,1,1\nchemicalshift,1.3,2.0\n"
        f"linewidth,10,10\nphase,{middle},{middle}\ng,0,0\nBounds,\n"
        f'amplitude,"{amounts}","{amounts}"\nchemicalshift,"(1.2,1.4)","(1.9,2.1)"\n'
        f'linewidth,"(5,30)","(5,30)"\nphase,"{phases}","{phases}"\ng,0,0\n'
    )
    rng = np.random.default_rng(3)
    fid = 0.35 * (rng.normal(size=N) + 1j * rng.normal(size=N))
    for amplitude, ppm in ((lactate, 1.3), (5.0, 2.0)):
        line = np.exp((2j * np.pi * ppm * MHZ - 10 * np.pi) * TIME)
        fid = fid + amplitude * np.exp(1j * np.radians(phase)) * line
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        made = pyAMARES.initialize_FID(
            fid, "table.csv", MHz=MHZ, sw=WIDTH, deadtime=0.0, preview=False
        )
        options = {"method": "leastsq", "initialize_with_lm": True, "ifplot": False}
        return pyAMARES.fitAMARES(made, made.initialParams, **options)


found = {}
cases = ((2.0, 45.0, (0, 90)), (2.0, 45.0, (30, 60)), (-4.0, 0.0, (-180, 180)))
for lactate, phase, phases in cases:
    amounts = (-50, 50) if lactate < 0 else (0, 50)
    table = fit(lactate, phase, amounts, phases).result_multiplets
    for name, row in table.iterrows():
        found[phases, name] = row["sd(deg)"]
        expected = np.degrees(row["sd"] / row["amplitude"])
        print(f"phase within {phases}, {name:3}: {row['phase(deg)']:6.1f} degrees,", end=" ")
        print(f"sd(deg) {row['sd(deg)']:6.1f}, by the amplitude {expected:.1f}")
if not 0 < found[(0, 90), "Lac"] < 5:
    sys.exit("Between 0 and 90 the error of the phase is no longer a few degrees.")
if found[(30, 60), "Lac"] < 360 or found[(-180, 180), "Lac"] > 0:
    sys.exit("pyAMARES has changed: the error of a phase does not depend on its bounds.")
PYTHON
