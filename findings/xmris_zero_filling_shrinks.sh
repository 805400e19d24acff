#!/usr/bin/env bash
# xmris 0.7.0: zero-filled to twice its length, a line has 0.71 of its height and of its area.
# Guess: zero_fill adds points between those of the spectrum and leaves height and area of a line
#   as they are; to_spectrum is the discrete Fourier transform, as it says.
# Found: to_spectrum divides by the square root of the number of points, zeros included. Each
#   doubling takes 1/sqrt(2) of height and area; a line read out with 1024 points has twice the
#   area of the same line with 4096. The coordinates are right, so the integral in Hz is as well
#   defined as before and is another number.
# Matters: a water reference is often taken with fewer points than the metabolites, or left without
#   zeros: amounts from areas are then wrong by 1.4 or 2, and by the choice of zero-filling.
# Right: the area of a line is the first sample of its FID times the width (sum over f of S(f) df),
#   whatever is added behind; numpy.fft.fft.
# Versions: xmris 0.7.0, xarray 2025.10.1, numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  xmris==0.7.0 xarray==2025.10.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from xmris.fitting.simulation import simulate_fid
from xmris.processing.fid import to_spectrum, zero_fill

WIDTH = 2000.0


def line(fid):
    """Return height, area in Hz, and the area by numpy's transform of the same samples."""
    spectrum = to_spectrum(fid)
    direct = np.fft.fftshift(np.fft.fft(fid.values)).real.sum() * WIDTH / fid.size
    return abs(spectrum.values).max(), float(spectrum.real.integrate("frequency")), direct


areas = {}
for points in (1024, 4096):
    fid = simulate_fid(
        [1.0], frequencies=[0.0], dampings=[20.0], spectral_width=WIDTH, n_points=points
    )
    for filled in (points, 2 * points):
        height, areas[points, filled], direct = line(zero_fill(fid, target_points=filled))
        print(f"{points} points, {filled} with zeros: height {height:.2f},", end=" ")
        print(f"area {areas[points, filled]:.1f}, by numpy {direct:.1f}")
        if abs(direct - WIDTH) > 1:
            sys.exit("The area by numpy is no longer first sample times width.")
for points in (1024, 4096):
    ratio = areas[points, 2 * points] / areas[points, points]
    if abs(ratio - 0.5**0.5) > 0.01:
        sys.exit("xmris has changed: zero-filling leaves the area as it is.")
if abs(areas[1024, 1024] / areas[4096, 4096] - 2) > 0.01:
    sys.exit("xmris has changed: the area does not depend on the number of points.")
PYTHON
