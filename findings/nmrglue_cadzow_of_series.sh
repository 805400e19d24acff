#!/usr/bin/env bash
# nmrglue 0.12: Cadzow's enhancement of a series of FIDs gives back the series as it was.
# Guess: cadzow(data, M, K, niter) enhances each row of a 2D array, as its docstring says, just as
#   it does with one FID.
# Found: one FID of signal-to-noise ratio 3 loses five sixths of its error. The same FID as a row of
#   an array comes back bit for bit as it was given, after the same time of computing: the result of
#   each row is given to a name and dropped. No warning, and the returned array is the one passed.
# Matters: transients of a disc are denoised together before they are aligned or rejected. Whoever
#   compares "before and after" over a series finds that the method does nothing, or reports data as
#   denoised that are not.
# Right: its own result row by row; the docstring.
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
from nmrglue.process.proc_lp import cadzow

TIME = np.arange(256) * 5e-4
SETTINGS = {"M": 16, "K": 1, "niter": 3}
true = np.exp((2j * np.pi * 50 - 20) * TIME)
rng = np.random.default_rng(0)
noise = rng.normal(size=(4, TIME.size)) + 1j * rng.normal(size=(4, TIME.size))
series = true + 0.3 * noise


def error(fids):
    return np.sqrt(np.mean(abs(fids - true) ** 2))


rows = np.array([cadzow(row.copy(), **SETTINGS) for row in series])
together = cadzow(series.copy(), **SETTINGS)
print(f"error: {error(series):.3f} as measured, {error(rows):.3f} row by row,", end=" ")
print(f"{error(together):.3f} as a series; unchanged: {np.array_equal(together, series)}")
if error(rows) > 0.3 * error(series):
    sys.exit("Row by row the enhancement no longer takes most of the noise away.")
if not np.array_equal(together, series):
    sys.exit("nmrglue has changed: a series is enhanced.")
PYTHON
