#!/usr/bin/env bash
# pyAMARES 0.3.28: lines whose names differ in digits are reported as one, with the CRLB of the
# first.
# Guess: Lip09 and Lip13 are two lines of the report (the names of lipid at 0.9 and 1.3 ppm in
#   LCModel and all its kin); where lines are summed, the CRLB is that of the sum.
# Found: result_sum, and with it the two tables that are shown, hold one "Lip" at 0.9 ppm: all
#   digits are taken out of a name to find "multiplets". Its CRLB(%), which colours the row green or
#   red at 20, is the first line's, whatever its share: a sum of 10.2 known to 1 or 2 % is red with
#   68 %, since 0.1 of it is not known. MM09 to MM20 become "MM" the same way, H2O "HO". Only
#   result_multiplets keeps the lines.
# Matters: the lipid of a disc at 1.3 ppm lies on lactate and the one at 0.9 does not; their sum
#   says nothing, and rows are accepted or refused by a bound that is not theirs.
# Right: the error of a sum of two is between the difference and the sum of theirs: here 0.5 to 2.0
#   % of it, by the CRLBs of its own result_multiplets.
# Versions: pyAMARES 0.3.28 with lmfit 1.3.4, numpy 2.4.6, pandas 2.3.3, jinja2 3.1.6.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check pyAMARES==0.3.28 lmfit==1.3.4 \
  numpy==2.4.6 pandas==2.3.3 matplotlib==3.11.2 nmrglue==0.12 jinja2==3.1.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, logging, sys
from pathlib import Path

import numpy as np

logging.disable(logging.CRITICAL)
quiet = io.StringIO()
with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
    import pyAMARES

Path("table.csv").write_text(
    "Index,Lip09,Lip13,PG\nInitial Values,\namplitude,0.2,10,5\nchemicalshift,0.9,1.3,2.0\n"
    "linewidth,12,12,10\nphase,0,0,0\ng,0,0,0\nBounds,\n"
    'amplitude,"(0,","(0,","(0,"\nchemicalshift,"(0.8,1.0)","(1.2,1.4)","(1.9,2.1)"\n'
    'linewidth,"(5,30)","(5,30)","(5,30)"\nphase,"(-180,180)","(-180,180)","(-180,180)"\n'
    "g,0,0,0\n"
)
n, width, mhz = 2048, 2000.0, 127.7
time = np.arange(n) / width
rng = np.random.default_rng(3)
fid = 0.35 * (rng.normal(size=n) + 1j * rng.normal(size=n))
for amplitude, ppm, hertz in ((0.1, 0.9, 12), (10, 1.3, 12), (5, 2.0, 10)):
    fid = fid + amplitude * np.exp(2j * np.pi * ppm * mhz * time - np.pi * hertz * time)
with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
    made = pyAMARES.initialize_FID(
        fid, "table.csv", MHz=mhz, sw=width, deadtime=0.0, preview=False
    )
    options = {"method": "leastsq", "initialize_with_lm": True, "ifplot": False}
    fit = pyAMARES.fitAMARES(made, made.initialParams, **options)
columns = ["amplitude", "CRLB(%)", "chem shift(ppm)"]
lines, summed = fit.result_multiplets[columns], fit.result_sum[columns]
print(lines.round(2), summed.round(2), sep="\n")
shown = list(fit.styled_df.index), list(fit.simple_df.index)
print("rows of the tables shown:", *shown)
errors = (lines["amplitude"] * lines["CRLB(%)"] / summed.loc["Lip", "amplitude"])[:2]
print(f"error of the sum: {abs(errors[0] - errors[1]):.1f} to {errors.sum():.1f} % of it")
if shown != (["Lip", "PG"], ["Lip", "PG"]):
    sys.exit("pyAMARES has changed: it reports Lip09 and Lip13.")
first = lines.loc["Lip09"]
if (summed.loc["Lip", columns[1:]] != first[columns[1:]]).any() or errors.sum() > 5:
    sys.exit("pyAMARES has changed: a sum no longer has the CRLB of its first line.")
print("0.1 of Lip09 and 10 of Lip13 went in.")
PYTHON
