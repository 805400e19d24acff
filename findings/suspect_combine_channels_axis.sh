#!/usr/bin/env bash
# suspect 0.6.2: combine_channels(data, axis=0) gives the transients the weights of the coils.
# Guess: with the coils on the first axis, axis=0 does what the default does with them on the last
#   but one: one FID a transient, all coils in phase.
# Found: the weights are found for the coils, are then always laid along the last axis but one, and
#   axis is only what is summed over. Eight coils and eight equal transients come out as eight FIDs
#   from 0.34 down to 0.02, each of another phase, in place of eight of 0.67; of one transient
#   eight are made. Only another number of transients raises an error.
# Matters: an eight-channel part of a spine coil and a phase cycle of eight are usual: the shape is
#   right, the mean is a fourteenth of the signal, and the water reference, one transient, becomes
#   eight of another scale.
# Right: its own result with the coils on the last axis but one, of the same numbers.
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
from suspect.processing.channel_combination import combine_channels

COILS = np.array([1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05]) * np.exp(1j * np.arange(8))
fid = np.exp(-20 * np.arange(512) / 2000.0)


def combined(transients, axis):
    """Return the first point of every transient, coils on the given axis of the array."""
    data = COILS[:, None, None] * np.ones((1, transients, 1)) * fid  # coil, transient, time
    if axis != 0:
        data = np.moveaxis(data, 0, axis)
    made = combine_channels(suspect.MRSData(data, 5e-4, 127.7), axis=axis)
    return np.asarray(made)[:, 0]


right, first, one, single = combined(8, -2), combined(8, 0), combined(1, 0), combined(1, -2)
print("coils on the last axis but one:", np.abs(right).round(3))
print("coils on the first axis:       ", np.abs(first).round(3))
print("their phases:", np.angle(first).round(2))
print("mean of the transients:", np.abs(right.mean()).round(3), np.abs(first.mean()).round(3))
print(f"one transient: {len(single)} on the last axis but one, {len(one)} on the first")
if not (np.allclose(right, right[0]) and len(single) == 1 and np.isclose(single[0], right[0])):
    sys.exit("The default axis no longer gives equal transients: no ground to compare.")
share = np.abs(COILS) / np.abs(COILS).max()
if not np.allclose(np.abs(first) / np.abs(first[0]), share) or len(one) != 8:
    sys.exit("suspect has changed: the weights follow the axis.")
print("Each transient has the weight of the coil of its number.")
PYTHON
