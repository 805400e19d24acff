#!/usr/bin/env bash
# nmrglue 0.12: the solvent filters leave half of the water in the first sample of a FID.
# Guess: sol_sine, sol_sine2 and sol_gaussian take what is near 0 Hz away, over the whole FID; what
#   they leave of water on the carrier is small against the lines.
# Found: before the first sample the running mean sees zeros, so at the start it is half of the
#   water, and half stays: 511 of 1000, falling to nothing over half a filter, 8 samples. In the
#   spectrum it is a hump hundreds of hertz wide. Under a line 338 Hz away the water is still 0.7 to
#   0.9 times the line, of 1.5 before. sol_boxcar raises AttributeError with scipy of these years.
# Matters: the first samples carry the areas: a water amplitude, or what is left of it, read there
#   is half of the whole after "removal", and the baseline under PG and lactate follows a hump made
#   by the filter.
# Right: the same running mean with its ends continued along a line leaves 0.4 % of the first sample
#   and 0.02 of the line (computed here).
# Versions: nmrglue 0.12, numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nmrglue==0.12 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from nmrglue.process import proc_bl

N, DWELL, FILTER = 2048, 5e-4, 16
TIME = np.arange(N) * DWELL
WATER = 1000 * np.exp(-20 * TIME) + 0j
LINE = 5 * np.exp((-2j * np.pi * 338 - 15) * TIME)


def told(name, left):
    """Say what is left of the water; return the first sample's share and the hump by the line."""
    place = np.argmin(abs(np.fft.fftfreq(N, DWELL) + 338))
    hump = abs(np.fft.fft(left)[place]) / abs(np.fft.fft(LINE)[place])
    first = abs(left[0]) / abs(WATER[0])
    print(f"{name:24} first sample {first:6.1%} of the water, hump {hump:5.2f} times the line")
    return first, hump


told("no filter", WATER)
found = {}
for name in ("sol_sine", "sol_sine2", "sol_gaussian"):
    left = getattr(proc_bl, name)(WATER + LINE, w=FILTER) - LINE
    found[name] = told(name, left)

half = FILTER // 2
weights = np.cos(np.pi * np.linspace(-0.5, 0.5, 2 * half + 1)[1:-1])
smooth = np.convolve(WATER + LINE, weights / weights.sum(), mode="valid")
slope = (smooth[half] - smooth[0]) / half
start = smooth[0] + slope * np.arange(1 - half, 0)
smooth = np.concatenate([start, smooth, np.full(N - smooth.size - start.size, smooth[-1])])
share, _ = told("ends along a line", WATER + LINE - smooth - LINE)
if share > 0.02:
    sys.exit("The running mean with its ends along a line leaves more than it should.")
if min(first for first, _ in found.values()) < 0.4 or min(h for _, h in found.values()) < 0.5:
    sys.exit("nmrglue has changed: the water is gone from the first samples too.")
PYTHON
