#!/usr/bin/env bash
# nifti-mrs 1.4.1: merge joins scans of two bandwidths, two fields and two nuclei into one.
# Guess: tools.merge refuses objects whose dwell time, frequency or nucleus differ, as it refuses
#   other shapes and tags.
# Found: it compares shape and tags only. 1H at 127.7 MHz, 2000 Hz, and 31P at 120.3 MHz, 4000 Hz
#   become one series of two with the header of the first, which validates. The 400 Hz line of the
#   second is at 200 Hz.
# Matters: discs of one spine, or a scan and its repeat, are merged over a list of files. One that
#   was taken with another bandwidth has every line at a wrong place and width, and no sign of it.
# Right: NIfTI-MRS 2.1 and 2.3.1: one pixdim[4] and one SpectrometerFrequency per spectral axis hold
#   for every FID in the file; its own error for incompatible objects.
# Versions: nifti-mrs 1.4.1, nibabel 5.4.2.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nifti-mrs==1.4.1 nibabel==5.4.2 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.tools import merge
from nifti_mrs.validator import validate_nifti_mrs

HZ = 400.0


def scan(dwell, mhz, nucleus):
    time = np.arange(1024) * dwell
    fid = np.exp(2j * np.pi * HZ * time - 12 * time)
    samples = np.repeat(fid[None, None, None, :, None], 2, axis=-1)
    return gen_nifti_mrs(samples, dwell, mhz, nucleus=nucleus, dim_tags=["DIM_DYN", None, None])


merge([scan(5e-4, 127.7, "1H"), scan(2.5e-4, 120.3, "31P")], "DIM_DYN").save("both.nii.gz")
both = NIFTI_MRS("both.nii.gz")
validate_nifti_mrs(both)
spectra = abs(np.fft.fftshift(np.fft.fft(both[:][0, 0, 0], axis=0), axes=0))
lines = np.round(both.axes.frequencyAxis[spectra.argmax(axis=0)]).astype(int).tolist()
print(f"{both.nucleus}, {both.spectrometer_frequency} MHz, {1 / both.dwelltime:g} Hz")
print(f"line of {HZ:g} Hz in the four FIDs: {lines}")
if not np.allclose(lines, [400, 400, 200, 200], atol=4):
    sys.exit("nifti-mrs has changed: the line of the second scan is no longer at half.")
PYTHON
