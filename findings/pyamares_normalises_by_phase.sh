#!/usr/bin/env bash
# pyAMARES 0.3.28: normalize_fid divides by a complex sample: amplitudes and phases depend on the
#   receiver's phase.
# Guess: `normalize_fid=True` makes the largest sample 1 in absolute value and leaves phases alone.
# Found: it divides by numpy's max of complex numbers, the sample with the largest real part. Turned
#   by 0, 90, 180 and -90 degrees, one signal comes out with a largest sample of 1.0 to 1.3, and the
#   fit gives 0.67 to 0.89 for one line and phases that are off by up to 22 degrees.
# Matters: the phase of a single-voxel scan is that of cables and coils and changes from scan to
#   scan: the normalised amounts of two scans of one disc, or of one line before and after phasing,
#   differ by a third.
# Right: the docstring ("normalize the FID data"); the ratio of the lines, which stays 2; without
#   the option the amplitude is 10 and the phase the signal's for all four.
# Versions: pyAMARES 0.3.28 with lmfit 1.3.4, numpy 2.4.6, pandas 2.3.3.
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

n, width, mhz = 1024, 2000.0, 127.7
time = np.arange(n) / width
rng = np.random.default_rng(1)
noise = 0.05 * (rng.normal(size=n) + 1j * rng.normal(size=n))
signal = noise
for amplitude, ppm in ((10, 2.0), (5, 3.2)):
    signal = signal + amplitude * np.exp(2j * np.pi * ppm * mhz * time - np.pi * 12 * time)


def fitted(turned, normalised):
    """Return the largest sample, both amplitudes and the phase of PG in degrees."""
    start = (0.6, 0.3) if normalised else (9, 4)
    Path("table.csv").write_text(
        f"Index,PG,CHO\nInitial Values,\namplitude,{start[0]},{start[1]}\nchemicalshift,2.0,3.2\n"
        f"linewidth,11,11\nphase,{turned},{turned}\ng,0,0\nBounds,\n"
        'amplitude,"(0,","(0,"\nchemicalshift,"(1.9,2.1)","(3.1,3.3)"\n'
        'linewidth,"(2,40)","(2,40)"\nphase,"(-360,360)","(-360,360)"\ng,0,0\n'
    )
    fid = signal * np.exp(1j * np.radians(turned))
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        made = pyAMARES.initialize_FID(
            fid, "table.csv", MHz=mhz, sw=width, deadtime=0.0, preview=False,
            normalize_fid=normalised,
        )
        options = {"method": "leastsq", "ifplot": False}
        fit = pyAMARES.fitAMARES(made, made.initialParams, **options).result_multiplets
    phase = (fit.loc["PG", "phase(deg)"] - turned + 180) % 360 - 180
    return np.abs(made.fid).max(), *fit["amplitude"], phase


seen = {True: [], False: []}
for normalised in (False, True):
    for turned in (0, 90, 180, -90):
        seen[normalised].append(fitted(turned, normalised))
        largest, pg, cho, off = seen[normalised][-1]
        print(f"{'normalised' if normalised else 'as it is'}, turned by {turned}: largest", end=" ")
        print(f"sample {largest:.2f}, amplitudes {pg:.2f} and {cho:.2f}, phase off by {off:.0f}")
plain, normal = (np.array(seen[normalised]) for normalised in (False, True))
if not (np.allclose(plain[:, 1:3], (10, 5), rtol=0.02) and np.abs(plain[:, 3]).max() < 2):
    sys.exit("As it is the signal is no longer fitted right: this comparison has lost its ground.")
if not np.allclose(normal[:, 1] / normal[:, 2], 2, rtol=0.03):
    sys.exit("The ratio of the two lines is no longer 2: this comparison has lost its ground.")
if np.ptp(normal[:, 1]) < 0.2 or normal[:, 0].max() < 1.2 or np.abs(normal[:, 3]).max() < 15:
    sys.exit("pyAMARES has changed: normalising no longer depends on the phase.")
print("One signal, four receiver phases, four amounts.")
PYTHON
