#!/usr/bin/env bash
# pyAMARES 0.3.28: of a signal in large units the default fit returns its starting values, as a
#   success.
# Guess: a signal and its starting amplitudes times 10000 are the same fit.
# Found: with amplitudes of 10 the fit finds 10 and 5; of 1e4 it ends near where it began (3.0 and
#   1.5 of it, 24.7 Hz wide) and of 1e5 and more exactly there. success is True ("`xtol` termination
#   condition is satisfied"), the table looks as ever, and the CRLB is below 20 %: green. Amplitudes
#   in thousands stand beside radians and hertz in one trust region, and the tolerance grows with
#   the root of the signal. method="leastsq" finds 10 and 5 from the same start in every unit.
# Matters: scanners store arbitrary units and SDAT files, P-files and sums over transients are in
#   the thousands to billions. The amounts of a cohort are then the prior knowledge times one
#   factor, the same for every disc.
# Right: what was simulated; its own fit in units of 1, and by the other method: a factor on data
#   and start is none on their ratio.
# Versions: pyAMARES 0.3.28 with lmfit 1.3.4, numpy 2.4.6, pandas 2.3.3, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check pyAMARES==0.3.28 lmfit==1.3.4 \
  numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 matplotlib==3.11.2 nmrglue==0.12 jinja2==3.1.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, logging, sys
from pathlib import Path

import numpy as np

logging.disable(logging.CRITICAL)
quiet = io.StringIO()
with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
    import pyAMARES

n, width, mhz = 1024, 2000.0, 127.7
time = np.arange(n) / width
rng = np.random.default_rng(1)
fid = 0.2 * (rng.normal(size=n) + 1j * rng.normal(size=n))
for amplitude, ppm in ((10, 2.0), (5, 3.2)):
    fid = fid + amplitude * np.exp(2j * np.pi * ppm * mhz * time - np.pi * 12 * time)


def fitted(unit, options):
    """Return both amplitudes and the linewidth and CRLB of PG, and whether it was a success."""
    Path("table.csv").write_text(
        "Index,PG,CHO\nInitial Values,\n"
        f"amplitude,{3 * unit:g},{1.5 * unit:g}\nchemicalshift,2.05,3.15\nlinewidth,25,25\n"
        'phase,20,20\ng,0,0\nBounds,\namplitude,"(0,","(0,"\n'
        'chemicalshift,"(1.9,2.1)","(3.1,3.3)"\nlinewidth,"(2,40)","(2,40)"\n'
        'phase,"(-180,180)","(-180,180)"\ng,0,0\n'
    )
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        made = pyAMARES.initialize_FID(
            fid * unit, "table.csv", MHz=mhz, sw=width, deadtime=0.0, preview=False
        )
        fit = pyAMARES.fitAMARES(made, made.initialParams, ifplot=False, **options)
    row = fit.result_multiplets.loc["PG"]
    amplitudes = fit.result_multiplets["amplitude"] / unit
    return (*amplitudes, row["LW(Hz)"], row["CRLB(%)"], fit.out_obj.success)


seen = {}
for name, options in (("default", {}), ("leastsq", {"method": "leastsq"})):
    for unit in (1, 1e3, 1e4, 1e6):
        seen[name, unit] = pg, cho, line, bound, success = fitted(unit, options)
        print(f"unit {unit:g}, method {name}: amplitudes {pg:.2f} and {cho:.2f},", end=" ")
        print(f"{line:.1f} Hz, CRLB {bound:.1f} %, success {success}")
right = [seen["default", 1], *(one for (name, _), one in seen.items() if name == "leastsq")]
if not np.allclose([one[:3] for one in right], (10, 5, 12), rtol=0.02):
    sys.exit("By leastsq not all fits are right: this comparison has lost its ground.")
stuck = [seen["default", unit] for unit in (1e3, 1e4, 1e6)]
if not np.allclose([one[:3] for one in stuck], (3, 1.5, 25), rtol=0.05):
    sys.exit("pyAMARES has changed: it no longer stops at its start in large units.")
if not all(one[3] < 20 and one[4] for one in stuck):
    sys.exit("pyAMARES has changed: it tells that the fit did not get on.")
print("What was put in as a guess comes out as the result.")
PYTHON
