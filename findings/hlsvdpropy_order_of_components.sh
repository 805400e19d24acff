#!/usr/bin/env bash
# hlsvdpropy 2.0.2: its lists of components are in another order than its documentation says.
# Guess: (docstring) every list has one entry a component, sorted by singular value, the strongest
#   signal first, entry N of one belonging to entry N of the others; dampings are times.
# Found: the components stand by the real part of their pole, so the line nearest to 0 Hz is first
#   however weak it is; the singular values come weakest first and there are len(data)/2 of them;
#   dampings are negative. create_hlsvd_fids(hlsvd(...)), the documented call, raises IndexError,
#   and on hlsvdpro() it gives back the parameters in place of the FIDs unless sum_results=True.
# Matters: "take the first three components away" removes residual water only while the carrier
#   sits on it. With the carrier between water and lipid, a line of the disc goes instead.
# Right: its own docstrings (hlsvd, hlsvdpro, create_hlsvd_fids).
# Versions: hlsvdpropy 2.0.2 with numpy 2.4.6, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  hlsvdpropy==2.0.2 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from hlsvdpropy import create_hlsvd_fids, hlsvd, hlsvdpro

n, dwell_ms = 512, 0.5
time = np.arange(n) * dwell_ms * 1e-3
truth = {"water": (100.0, 250.0, 20.0), "weak line": (1.0, 10.0, 20.0)}  # amplitude, Hz, 1/s
signal = sum(a * np.exp((2j * np.pi * f - d) * time) for a, f, d in truth.values())
rng = np.random.default_rng(1)
signal = signal + 1e-6 * (rng.normal(size=n) + 1j * rng.normal(size=n))

count, values, khz, dampings, amplitudes, _ = hlsvd(signal, 2, dwell_ms)
print("truth: amplitude, Hz:", {name: line[:2] for name, line in truth.items()})
print("amplitudes:", amplitudes.round(3), "at Hz:", (1e3 * khz).round(2))
print("dampings (ms):", dampings.round(2))
print(f"{count} components but {len(values)} singular values, {values[0]:.1e} to {values[-1]:.1e}")
try:
    create_hlsvd_fids((count, values, khz, dampings, amplitudes, _), n, dwell_ms)
    documented = "works"
except IndexError as error:
    documented = f"IndexError: {error}"
print("create_hlsvd_fids(hlsvd(...)):", documented)
lines = create_hlsvd_fids(hlsvdpro(signal, 2), n, dwell_ms)
print("create_hlsvd_fids(hlsvdpro(...)):", type(lines).__name__, "of", len(lines))
same = (
    amplitudes[0] < 2 and len(values) == n // 2 and values[0] < values[-1]
    and max(dampings) < 0
    and documented.startswith("IndexError") and isinstance(lines, tuple)
)
if not same:
    sys.exit("hlsvdpropy has changed: order, lengths, signs or create_hlsvd_fids differ now.")
print("The component of amplitude 1 comes before the water of amplitude 100.")
PYTHON
