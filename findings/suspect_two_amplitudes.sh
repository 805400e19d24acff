#!/usr/bin/env bash
# suspect 0.6.2: the amplitude of a Gaussian fit is the FID's times half the spectral width, that of
#   its HSVD is the FID's.
# Guess: two fits of one package give one FID that begins at 10 one amplitude, in whatever line
#   shape; scanned at half the width it stays so.
# Found: hsvd gives 10, fitting.singlet 10000 at 2000 Hz, 5000 at 1000 and 20000 at 4000: its
#   Gaussian has area 1 under numpy's transform, of half the first point. basis.gaussian and
#   basis.lorentzian of one width and frequency begin at 1/2000 (the rest of it at 1/1000) and at
#   1/n: their ratio is twice the acquisition time.
# Matters: the residual water of a disc by HSVD and its lines by the Gaussian fit are not in one
#   scale, and two scans of different width are not with one method: a water reference at 4000 Hz
#   halves every amount of a scan at 2000 that is divided by it.
# Right: the two FIDs themselves, which begin at 10 plus noise; f(0) is the amplitude by the time
#   domain model that both fit.
# Versions: suspect 0.6.2 with numpy 2.4.6, scipy 1.17.1, lmfit 1.3.4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  suspect==0.6.2 numpy==2.4.6 scipy==1.17.1 lmfit==1.3.4
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import suspect
from suspect.fitting.singlet import GaussianPeak, Model
from suspect.processing.water_suppression import hsvd

FWHM = 6.0
fits, ratios = {}, {}
for width, n in ((2000.0, 1024), (2000.0, 512), (1000.0, 1024), (4000.0, 1024)):
    time = np.arange(n) / width
    rng = np.random.default_rng(1)
    noise = 0.01 * (rng.normal(size=n) + 1j * rng.normal(size=n))
    turning = 10 * np.exp(2j * np.pi * 50 * time)
    scaled = np.pi * FWHM * time
    shapes = np.exp(-scaled), np.exp(-(scaled**2) / (4 * np.log(2)))
    lorentz, gauss = (suspect.MRSData(turning * one + noise, 1 / width, 127.7) for one in shapes)
    by_hsvd = hsvd(lorentz, 1)[0]["amplitude"]
    peak = GaussianPeak("PG", amplitude=2.5 * width, frequency=49, fwhm=5.0)
    values = Model(peak).fit(gauss).params.valuesdict()
    fits[width, n] = by_hsvd, values["PG_amplitude"]
    pair = suspect.basis.gaussian(time, 0, 0, FWHM), suspect.basis.lorentzian(time, 0, 0, FWHM)
    second = [np.abs(np.asarray(one)[1]) for one in pair]
    ratios[width, n] = second[0] / second[1]
    print(f"{width:.0f} Hz, {n} points: FIDs begin at {abs(gauss[0]):.2f}; by HSVD", end=" ")
    print(f"{by_hsvd:.2f}, by the Gaussian fit {fits[width, n][1]:.0f} at", end=" ")
    print(f"{values['PG_fwhm']:.2f} Hz; basis: {ratios[width, n]:.2f} times as high")
if not np.allclose([one[0] for one in fits.values()], 10, rtol=0.01):
    sys.exit("HSVD no longer gives 10: this comparison has lost its ground.")
if not all(np.isclose(one[1], 5 * width, rtol=0.01) for (width, _), one in fits.items()):
    sys.exit("suspect has changed: the Gaussian amplitude no longer grows with the width.")
if not all(np.isclose(one, 2 * n / width, rtol=0.03) for (width, n), one in ratios.items()):
    sys.exit("suspect has changed: the two shapes of the basis are on another scale.")
print("One FID of 10, amplitudes of 10 and of 5000 to 20000.")
PYTHON
