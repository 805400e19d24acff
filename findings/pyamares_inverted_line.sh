#!/usr/bin/env bash
# pyAMARES 0.3.28: an inverted line is reported upright, with a positive amplitude and phase 0.
# Guess: where the table allows negative amplitudes and phases within 45 degrees, lactate at an echo
#   time of 144 ms is reported as -4 at 0 degrees, or as 4 at 180.
# Found: the fit finds -3.92, and the report says 3.92 at -0.2 degrees. The sign is taken off and
#   180 degrees are added, but then the phase is folded into the bounds of the table, by multiples
#   of their distance (90 degrees) and not of 360. With bounds of 20 degrees it says 19.8, with
#   bounds of 180 it says 179.8, the one case that is right.
# Matters: that lactate is inverted between lipids that are not is how the two are told apart at
#   144 ms. The report says that the fit found lactate upright, and a sum of lactate and lipid in
#   one table adds what has to be subtracted.
# Right: the parameters that its own fit found; a phase is the same after 360 degrees only.
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


reported = {}
for bound in (45, 20, 180):
    found = fit(-4.0, 0.0, (-50, 50), (-bound, bound))
    row = found.result_multiplets.loc["Lac"]
    reported[bound] = row["amplitude"], row["phase(deg)"]
    own = found.fittedParams["ak_Lac"].value, np.degrees(found.fittedParams["phi_Lac"].value)
    print(f"phase within {bound:3}: fit {own[0]:.2f} at {own[1]:.1f} degrees,", end=" ")
    print("report {:.2f} at {:.1f}".format(*reported[bound]))
    if own[0] > -3.5:
        sys.exit("The fit no longer finds the inverted line.")
if abs(reported[180][1] - 180) > 2:
    sys.exit("With bounds of 180 degrees the phase is no longer told.")
if min(a for a, _ in reported.values()) < 0 or abs(reported[45][1]) > 2:
    sys.exit("pyAMARES has changed: an inverted line is reported as such.")
PYTHON
