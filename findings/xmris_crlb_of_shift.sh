#!/usr/bin/env bash
# xmris 0.7.0: the CRLB of a chemical shift is percent of the distance to the carrier, not of it.
# Guess: chem_shift is in ppm of the absolute scale, and crlb in percent of it: crlb times
#   chem_shift is its error, the sd beside it.
# Found: the percentage is that of the frequency from the carrier. Two lines of one height and
#   width, both known to 0.0003 ppm, have a CRLB of 0.01 % (PG at 2.0 ppm, carrier at 4.65) and of
#   119 % (water at the carrier): 5.5 ppm of 4.65. The better the scanner is set on water, the worse
#   its line is known by this number.
# Matters: fits are kept by the usual bound of 20 %. The water line, by which a disc's axis is
#   referenced, falls to it, and a line of no use at the edge of the band passes.
# Right: its own sd, the same for both; shifts that it reports are absolute ("absolute/literature
#   ppm").
# Versions: xmris 0.7.0, pyamares-xmris 0.5.0, xarray 2025.6.1, numpy 1.26.4, pandas 2.1.4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'xmris[fitting]==0.7.0' \
  pyamares-xmris==0.5.0 xarray==2025.6.1 numpy==1.26.4 pandas==2.1.4 lmfit==1.3.4
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

from xmris.fitting import fit_amares
from xmris.fitting.simulation import simulate_fid

CARRIER = 4.65
found = {}
for offset in (0.5, 0.0):
    shifts = {"PG": 2.0, "water": CARRIER + offset}
    fid = simulate_fid(
        [5.0, 5.0], chemical_shifts=list(shifts.values()), dampings=[20.0, 20.0],
        reference_frequency=127.7, carrier_ppm=CARRIER, spectral_width=2000.0, n_points=1024,
        target_snr=20, seed=1,
    )
    start = {"amplitude": 4.0, "linewidth": 7.0, "phase": 0}
    fit = fit_amares(fid, {name: start | {"chem_shift": ppm} for name, ppm in shifts.items()})
    for name in shifts:
        row = fit.sel(metabolite=name, parameter="chem_shift")
        ppm, crlb, error = (float(row[key]) for key in ("chem_shift", "crlb", "sd"))
        found[name, offset] = crlb, error
        print(f"{name:5} at {ppm:.4f} ppm, carrier at {CARRIER}: sd {error:.5f} ppm,", end=" ")
        print(f"CRLB {crlb:7.3f} %, of the shift {ppm * crlb / 100:.5f} ppm")
errors = [error for _, error in found.values()]
if max(errors) > 1.2 * min(errors):
    sys.exit("The two lines are no longer known alike.")
if found["PG", 0.0][0] > 0.1 or found["water", 0.0][0] < 20:
    sys.exit("xmris has changed: the CRLB is no longer relative to the carrier.")
PYTHON
