#!/usr/bin/env bash
# SMART_MRS 2.1: the phase of a spurious echo is its size, and a first-order phase of 0.5 ms is one
# of 500000 s.
# Guess: phase=[pi] ("phase of artifact in radians") turns a spurious echo round, at unchanged
#   amplitude; tshift=0.5 ("time constant in ms") starts the FID half a millisecond late, one sample
#   at 2000 Hz.
# Found: exp(phase) multiplies the amplitude, the phase stays zero: pi makes the echo 23 times as
#   large, and the default (0.1 to 1.9 pi) up to 390 times. tshift is multiplied by a million (ppm
#   times a Larmor frequency in Hz) and taken for seconds: the FID begins at sample 512 of 2048, and
#   for other shifts anywhere. Only tshift=5e-10 is half a millisecond.
# Matters: these are the artifacts that ruin disc spectra (echoes from outside of a thin voxel, late
#   starts at short TE). Limits of a quality check tuned on them hold for other sizes than stated.
# Right: its own docstrings; a delay t is the phase factor exp(-2 pi i f t), f in Hz, t in s.
# Versions: SMART_MRS 2.1, nibabel 5.4.2, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  smart-mrs==2.1 nibabel==5.4.2 scipy==1.17.1 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from SMART_MRS.artifacts import add_first_order_phase_shift, add_spur_echo_artifact

n, dwell, mhz = 2048, 5e-4, 127.7
time = np.arange(n) * dwell
ppm = 4.65 + np.fft.fftshift(np.fft.fftfreq(n, dwell)) / mhz  # as to_specs() orders a spectrum


def echo(phase):
    """Largest sample of an echo of amplitude one, and its phase."""
    nothing = np.zeros((1, n), complex)
    shape = {"amp": [1.0], "cs": [4.65], "t_echo": [0.3], "t2": [0.05]}
    made = add_spur_echo_artifact(nothing, time, phase=[phase], locs=[0], **shape)[0][0]
    top = made[np.argmax(abs(made))]
    return float(abs(top).round(1)), float(np.angle(top).round(3))


def start(tshift):
    """Sample at which an FID begins after the first-order phase."""
    fid = np.exp(-20 * time)[None] + 0j
    moved = add_first_order_phase_shift(fid, ppm, tshift=tshift, lf=mhz * 1e6, locs=[0])[0]
    return int(np.argmax(abs(moved[0])))


echoes = {phase: echo(phase * np.pi) for phase in (0.0, 0.5, 1.0)}
for phase, (size, angle) in echoes.items():
    print(f"echo with phase {phase} pi: amplitude {size}, phase {angle}")
starts = {tshift: start(tshift) for tshift in (0.0, 0.5, 1.0, 0.5e-3, 5e-10)}
for tshift, sample in starts.items():
    print(f"tshift {tshift}: the FID begins at sample {sample}")
if echoes != {0.0: (1.0, 0.0), 0.5: (4.8, 0.0), 1.0: (23.1, 0.0)}:
    sys.exit("SMART_MRS has changed: the phase of an echo is no longer its size.")
if starts[0.0] != 0 or starts[0.5] == 1 or starts[0.5e-3] == 1 or starts[5e-10] != 1:
    sys.exit("SMART_MRS has changed: tshift is in milliseconds, or in seconds.")
print("exp(pi) is 23.1; 0.5 ms are one sample.")
PYTHON
