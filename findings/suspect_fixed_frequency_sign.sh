#!/usr/bin/env bash
# suspect 0.6.2: adjust_phase leaves the wrong side of the spectrum unchanged.
# Guess: with fixed_frequency=f the first-order phase is zero at f (docstring).
# Found: it is zero at -f. At f itself the phase is 2 f times the first-order phase.
# Matters: to turn the phase about the N-acetyl line (2 ppm, +337 Hz at 3 T) so that only lactate
#   and carbohydrates move is the usual hand work; 0.5 ms turns that very line by 121 degrees.
# Right: its own docstring of suspect.adjust_phase ("the frequency at which the first order phase
#   shift is zero") and its frequency_axis(), which has the same sign.
# Versions: suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import suspect

n, dwell, hertz = 2048, 5e-4, 337.0
time = np.arange(n) * dwell
fid = suspect.MRSData(np.exp(2j * np.pi * hertz * time - 10 * time), dwell, 127.7)
before = fid.spectrum()
after = before.adjust_phase(0.0, 2 * np.pi * 0.5e-3, fixed_frequency=hertz)
axis = before.frequency_axis()


def turned(where):
    i = np.argmin(abs(axis - where))
    return np.degrees(np.angle(np.asarray(after)[i] / np.asarray(before)[i]))


print(f"tallest point at {axis[np.argmax(abs(np.asarray(before)))]:.0f} Hz of frequency_axis()")
for where in (hertz, -hertz):
    print(f"fixed_frequency {hertz:.0f} Hz: {where:+.0f} Hz turned by {turned(where):.1f} degrees")
if abs(turned(-hertz)) > 0.5 or abs(abs(turned(hertz)) - 121.3) > 0.5:
    sys.exit("suspect has changed: the phase is no longer zero at minus fixed_frequency.")
print("The fixed point is at the mirror image of the frequency that was asked for.")
PYTHON
