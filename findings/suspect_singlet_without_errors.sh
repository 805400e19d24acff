#!/usr/bin/env bash
# suspect 0.6.2: a fit of single lines never has standard errors, however clear the lines.
# Guess: Model.fit returns lmfit's result, with a standard error for each amplitude, frequency and
#   width of a fit that succeeds.
# Found: stderr is None for all of them. The spectral width and the number of points, two constants
#   of the scan, are among the parameters that vary; the signal does not depend on them, so the
#   covariance is singular, and lmfit leaves every error out. Degrees of freedom and reduced
#   chi-square count the two as well. Once they are held, the same fit has errors, which are the
#   Cramer-Rao bounds.
# Matters: a line of PG without an error cannot be told from noise, and code that reads None as 0
#   takes every line for certain.
# Right: lmfit with the two parameters held; the bound of a Gaussian line's amplitude from its own
#   derivatives, computed here.
# Versions: suspect 0.6.2, lmfit 1.3.4, numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 lmfit==1.3.4 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import suspect
from suspect.fitting.singlet import Model

N, DWELL, SIGMA, SKIPPED = 1024, 5e-4, 0.01, 4
TIME = np.arange(N) * DWELL
FREQUENCY, WIDTH = 50.0, 10.0


def line(values):
    area, frequency, width, phase = values
    decay = np.exp(-((np.pi * width * TIME) ** 2) / (4 * np.log(2)))
    return area * 2 * DWELL * decay * np.exp(2j * np.pi * frequency * TIME + 1j * phase)


truth = np.array([1000.0, FREQUENCY, WIDTH, 0.4])
rng = np.random.default_rng(0)
noise = SIGMA * (rng.normal(size=N) + 1j * rng.normal(size=N))
data = suspect.MRSData(line(truth) + noise, DWELL, 127.7)
start = {"phase0": 0.3, "PG": {"amplitude": 800, "frequency": 48, "fwhm": 12}}
steps = np.diag([1.0, 1e-3, 1e-3, 1e-4])
slopes = [(line(truth + s) - line(truth - s))[SKIPPED:] / (2 * s.sum()) for s in steps]
fisher = (np.conj(slopes) @ np.transpose(slopes)).real / SIGMA**2
bound = np.sqrt(np.diag(np.linalg.inv(fisher)))[:3]

model = Model.from_dict(start)
result = model.fit(data)
names = ("PG_amplitude", "PG_frequency", "PG_fwhm")
print("success:", result.success, "free parameters:", result.var_names)
print("standard errors:", [result.params[n].stderr for n in names])
held = result.params.copy()
for name in ("spectral_width", "num_points"):
    held[name].vary = False
weights = np.ones(N)
weights[:SKIPPED] = 0
again = model.composite_model.fit(
    data, params=held, in_data=data, time_axis=data.time_axis(), weights=weights,
    spectral_width=data.sw, num_points=data.np,
)
errors = np.array([again.params[n].stderr for n in names], dtype=float)
print("with two held  :", errors.round(3).tolist())
print("bounds         :", bound.round(3).tolist())
if not np.allclose(errors, bound, rtol=0.2):
    sys.exit("lmfit no longer gives the bounds with the two constants held.")
if any(result.params[n].stderr is not None for n in names):
    sys.exit("suspect has changed: the fit has standard errors.")
PYTHON
