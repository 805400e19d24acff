#!/usr/bin/env bash
# suspect 0.6.2: a range in ppm, low to high, selects nothing, or is not looked at.
# Guess: slice_ppm(lower_bound, upper_bound) takes "the lower and the upper bound in ppm"
#   (docstring); mag_real(range_ppm=...) phases on that range.
# Found: slice_ppm(1.8, 2.2) is an empty slice and raises nothing: the bounds are wanted high to
#   low, since ppm falls with frequency there. mag_real never reads range_ppm: any range, one that
#   lies outside the spectrum among them, gives the phase of the whole spectrum.
# Matters: a maximum or mean over the N-acetyl region of a disc is taken of nothing, and the phase
#   is led by residual water or fat although the range was set to leave them out.
# Right: the docstrings of slice_ppm and mag_real.
# Versions: suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1, lmfit 1.3.4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 scipy==1.17.1 lmfit==1.3.4
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import suspect
from suspect.processing.phase import mag_real

n, dwell, mhz = 2048, 5e-4, 127.7
time = np.arange(n) * dwell
acetyl = (4.7 - 2.0) * mhz


def line(amplitude, hertz, damping, phase):
    return amplitude * np.exp(2j * np.pi * hertz * time - damping * time + 1j * phase)


fid = suspect.MRSData(line(1, acetyl, 12, 0.4) + line(5, 0, 40, -1.2), dwell, mhz)
empty = np.asarray(fid.spectrum()[fid.slice_ppm(1.8, 2.2)]).size
full = np.asarray(fid.spectrum()[fid.slice_ppm(2.2, 1.8)]).size
print(f"slice_ppm(1.8, 2.2): {empty} points; slice_ppm(2.2, 1.8): {full} points")
whole = np.asarray(mag_real(fid), dtype=float)
ppm = np.asarray(mag_real(fid, range_ppm=(2.3, 1.7)), dtype=float)
outside = np.asarray(mag_real(fid, range_ppm=(90.0, 80.0)), dtype=float)
hertz = np.asarray(mag_real(fid, range_hz=(acetyl - 40, acetyl + 40)), dtype=float)
print("mag_real, whole spectrum:   ", whole.round(4))
print("mag_real, 2.3 to 1.7 ppm:   ", ppm.round(4))
print("mag_real, 90 to 80 ppm:     ", outside.round(4))
print("mag_real, same range in Hz: ", hertz.round(4))
same = empty == 0 < full and (ppm == whole).all() and (outside == whole).all()
if not same or np.allclose(hertz, whole, atol=0.05):
    sys.exit("suspect has changed: a range in ppm is heeded, or low to high is no longer empty.")
print("Low to high selects no point; range_ppm makes no difference.")
PYTHON
