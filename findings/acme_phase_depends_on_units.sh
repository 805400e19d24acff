#!/usr/bin/env bash
# nmrglue 0.12, xmris 0.7.0: the phase that ACME finds depends on the unit of the signal.
# Guess: automatic phasing gives one phase to one spectrum, in volts or in counts of the receiver;
#   the entropy that ACME minimises has no unit.
# Found: the weight of the penalty for negative intensity against the entropy goes with the square
#   of the signal's unit. Of a spectrum 40 degrees off, nmrglue finds 39 degrees and 7 of first
#   order while its numbers are small (entropy alone counts), and -61 with 226 of first order where
#   they are large (only the penalty counts). xmris goes the other way: held to zero order, it turns
#   the small one upside down, and finds 40 degrees for the large one.
# Matters: the raw data of a Siemens scanner hold samples of 1e-5 to 1e-3, its RDA files of 1e4 to
#   1e5: the same disc gets another phase by the way it was exported. 226 degrees over the width
#   bend the base between water and lipids into humps.
# Right: the phase with which the spectrum was made; peak_minima of nmrglue, the same in all units.
# Versions: nmrglue 0.12, xmris 0.7.0, numpy 2.4.6, scipy 1.17.1, xarray 2025.10.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nmrglue==0.12 xmris==0.7.0 xarray==2025.10.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import xarray
from nmrglue.process.proc_autophase import autops
from xmris.processing.phasing import autophase

N, DWELL = 1024, 5e-4
TIME = np.arange(N) * DWELL
LINES = ((1, -300, 6), (0.8, -210, 6), (0.6, -180, 6), (0.5, 120, 6), (3, 0, 12))
rng = np.random.default_rng(0)
fid = sum(a * np.exp((2j * np.pi * f - np.pi * w) * TIME) for a, f, w in LINES)
fid = fid + 0.02 * (rng.normal(size=N) + 1j * rng.normal(size=N))
fid[0] /= 2
off = np.fft.fftshift(np.fft.fft(fid)) * np.exp(-1j * np.radians(40))
hertz = np.fft.fftshift(np.fft.fftfreq(N, DWELL))
facts = {"reference_frequency": 127.7, "carrier_ppm": 4.65}

found = {}
for unit in (1e-5, 1.0, 1e4):
    data = xarray.DataArray(off * unit, coords={"frequency": hertz}, attrs=facts)
    for method in ("acme", "peak_minima"):
        phases = autops(off * unit, method, disp=False, return_phases=True)[1]
        found[f"nmrglue {method}", unit] = np.array(phases)
    phased = autophase(data, p0_only=True)
    found["xmris acme, zero order", unit] = np.array([phased.attrs["phase_p0"]])
for (name, unit), phases in found.items():
    print(f"unit {unit:5g}, {name:22}: degrees {np.round(phases).astype(int).tolist()}")
small, large = (found["nmrglue acme", unit] for unit in (1e-5, 1e4))
if np.ptp([found["nmrglue peak_minima", u][0] for u in (1e-5, 1.0, 1e4)]) > 1:
    sys.exit("peak_minima now depends on the unit as well.")
if abs(small[0] - 40) > 5 or abs(large - small).max() < 90:
    sys.exit("nmrglue has changed: the phase does not depend on the unit of the signal.")
small, large = (found["xmris acme, zero order", unit][0] for unit in (1e-5, 1e4))
if abs(large - 40) > 5 or abs(large - small) < 90:
    sys.exit("xmris has changed: the phase does not depend on the unit of the signal.")
PYTHON
