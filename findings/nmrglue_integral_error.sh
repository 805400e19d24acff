#!/usr/bin/env bash
# nmrglue 0.12: the error of an integral is in other units than the integral, 130 times too large.
# Guess: integrate(..., noise_limits=...) returns pairs of a value and its "one sigma estimate of
#   the error only from the spectrum noise" (docstring): the spread of the value over noise.
# Found: the value is the sum of the points times the step in ppm; the error is the noise times the
#   root of their number, without the step. At 3 T, 2000 Hz and 2048 points it is 130 times the
#   spread of the values, at 8192 points 540 times. norm_to_range divides both and changes nothing.
# Matters: no line of a disc is ever three sigma above noise so; and the ratio depends on the
#   spectral width and on the number of points, so two scans cannot be compared by it.
# Right: the variance of a sum of n independent points times a step d is n d^2 sigma^2; here also
#   the spread over 400 spectra of pure noise, and the docstring's own formula, in which value and
#   error are of one unit only if d is 1.
# Versions: nmrglue 0.12 with numpy 2.4.6, scipy 1.17.1.
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
from nmrglue.analysis.integration import integrate
from nmrglue.fileio.fileiobase import unit_conversion

mhz, width = 127.7, 2000.0
ratios = {}
for n in (512, 2048, 8192):
    axis = unit_conversion(n, True, width, mhz, 4.65 * mhz)
    step = width / mhz / n
    noise = np.random.default_rng(1).normal(size=(400, n))
    made = [integrate(row, axis, (1.8, 2.2), noise_limits=(8.5, 11.0))[0] for row in noise]
    values, errors = np.array(made).T
    ratios[n] = errors.mean() / values.std(), 1 / step
    print(f"{n} points: spread of the integrals {values.std():.4f}, stated error", end=" ")
    print(f"{errors.mean():.2f}: {ratios[n][0]:.0f} times (1 / step in ppm: {1 / step:.0f})")
if any(abs(ratio * step - 1) > 0.2 for ratio, step in ((r, 1 / s) for r, s in ratios.values())):
    sys.exit("nmrglue has changed: the error of an integral is in the integral's unit, or another.")
print("The factor is the number of points in a ppm.")
PYTHON
