#!/usr/bin/env bash
# suspect 0.6.2: rats(data, target, initial_guess=(30, 0)) searches around -30 Hz.
# Guess: initial_guess is in the units and sign of what the function returns, the shift of the
#   data, as it is for spectral_registration, whose docstring it shares; the answer of one run can
#   be the start of the next.
# Found: the guess is taken as the correction, the answer is the shift, of opposite signs. Data 30
#   Hz away come back as 40 Hz the other way, one line laid over another, with a guess of 30, and
#   right with one of -30; correct_frequency_and_phase hands the guess on. With no guess the same
#   data raise an error about brackets.
# Matters: the larger drifts, of a cooling magnet or a moving back, are those that need a guess. A
#   transient aligned to the wrong line puts water or lipid where PG is awaited, and broadens the
#   mean.
# Right: its own docstring ("a 2-tuple of frequency and phase shifts at which the optimisation
#   routine will start searching"; it returns the "estimated frequency shift"), and
#   spectral_registration of the same library.
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
from suspect.processing import frequency_correction

TIME = np.arange(1024) * 5e-4
LINES = ((1.0, 60.0), (0.7, -40.0), (0.5, 130.0))  # amplitude, Hz
rng = np.random.default_rng(0)


def fid(shift):
    lines = sum(a * np.exp((2j * np.pi * f - 15) * TIME) for a, f in LINES)
    noise = 0.02 * (rng.normal(size=TIME.size) + 1j * rng.normal(size=TIME.size))
    moved = lines * np.exp(2j * np.pi * shift * TIME + 0.3j)
    return suspect.MRSData(moved + noise, 5e-4, 127.7)


target = fid(0)
found = {}
for shift in (30.0, -30.0):
    moved = fid(shift)
    for guess in (shift, -shift):
        for name in ("spectral_registration", "rats"):
            method = getattr(frequency_correction, name)
            answer = method(moved, target, initial_guess=(guess, 0.0))[0]
            found[shift, guess == shift, name] = abs(answer - shift) < 1
            print(f"shift {shift:4.0f} Hz, guess {guess:4.0f}: {name:21} says {answer:6.1f}")
if not all(found[s, True, "spectral_registration"] for s in (30.0, -30.0)):
    sys.exit("spectral_registration no longer finds the shift from the guess that is right.")
if any(right != (not same) for (_, same, name), right in found.items() if name == "rats"):
    sys.exit("suspect has changed: rats starts at the guess that is right.")
aligned = frequency_correction.correct_frequency_and_phase(
    fid(30.0), target, method="rats", initial_guess=(30.0, 0.0)
)
strongest = aligned.frequency_axis()[np.argmax(abs(aligned.spectrum()))]
print(f"corrected: the line of 60 Hz is at {strongest:.0f} Hz")
if abs(strongest - 60) < 50:
    sys.exit("suspect has changed: the corrected data are at their place.")
PYTHON
