#!/usr/bin/env bash
# suspect 0.6.2: apodising with its Gaussian window doubles the signal.
# Guess: a window is 1 at time zero and falls; at (nearly) no broadening the FID comes back.
# Found: 1, 2, 2, 2, ...: every point but the first is doubled. The window is made from a line whose
#   first point was halved, and is divided by that first point.
# Matters: a low-SNR disc spectrum is apodised and its water reference is not: the ratio of the two
#   is off by two, and their baselines by half of the first point.
# Right: its own docstring: the window shall be area preserving, the first point 1.
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
from suspect.processing import apodize, gaussian_window

time = np.arange(1024) * 5e-4
fid = suspect.MRSData(np.exp(-20 * time) + 0j, 5e-4, 127.7)
out = apodize(fid, gaussian_window, {"line_broadening": 1e-3})  # 1 mHz: next to nothing
ratio = np.abs(np.asarray(out)) / np.abs(np.asarray(fid))
print("apodised / original, 1 mHz of broadening:", ratio[:5].round(4))
if not (np.isclose(ratio[0], 1) and np.allclose(ratio[1:50], 2, atol=1e-3)):
    sys.exit("suspect has changed: the Gaussian window is no longer 1, 2, 2, ...")
print("All points but the first are twice as large.")
PYTHON
