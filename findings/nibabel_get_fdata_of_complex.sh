#!/usr/bin/env bash
# nibabel 5.4.2: get_fdata() of a NIfTI-MRS file is the real part: each line gets a twin on the
# other side of the carrier.
# Guess: get_fdata(), the documented way to the samples, gives complex samples where the file holds
#   complex ones; "f" is for floating point, as against integers.
# Found: float64, the imaginary part discarded. Its spectrum is even about the carrier: a line at
#   2.0 ppm stands at 2.0 and at 7.3, at half its height each; phase cannot be corrected any more. A
#   ComplexWarning is written to stderr the first time, and never after it, nor where warnings are
#   off. What is read later from the cache of the image, by get_fdata() in a library, is real
#   without any warning at all. np.asarray(img.dataobj) and get_fdata(dtype=complex) keep both
#   parts.
# Matters: with the carrier at 3.0 ppm, between water and lipid as discs are measured, the twin of
#   water lies at 1.35 ppm, on lipid and lactate, and half of each of those at 4.7: all fits take
#   lines that are none.
# Right: the file: datatype 1792 or 32, complex; NIfTI-MRS 1: samples are complex.
# Versions: nibabel 5.4.2, nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  nibabel==5.4.2 nifti-mrs==1.4.1 numpy==2.4.6
cd "$work"
env/bin/python - <<'PYTHON'
import sys
import warnings

import nibabel
import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs

N, DWELL, MHZ = 2048, 5e-4, 127.7
time = np.arange(N) * DWELL
fid = np.exp(2j * np.pi * (2.0 - 4.65) * MHZ * time - 20 * time)
gen_nifti_mrs(fid[None, None, None], DWELL, MHZ).save("a.nii.gz")
ppm = 4.65 + np.fft.fftfreq(N, DWELL) / MHZ


def heights(samples):
    """Return the sizes of the spectrum at 2.0 and 7.3 ppm, of a NIfTI-MRS file's samples."""
    size = abs(np.fft.fft(np.conj(np.ravel(samples))))
    return [round(float(size[np.argmin(abs(ppm - line))] / TRUE), 2) for line in (2.0, 7.3)]


TRUE = abs(np.fft.fft(fid)).max()
image = nibabel.load("a.nii.gz")
seen = {}
with warnings.catch_warnings(record=True) as first:
    warnings.simplefilter("always")
    seen["get_fdata()"] = image.get_fdata()
with warnings.catch_warnings(record=True) as second:
    warnings.simplefilter("always")
    seen["get_fdata() again"] = image.get_fdata()
seen["get_fdata(dtype=complex)"] = nibabel.load("a.nii.gz").get_fdata(dtype=complex)
seen["dataobj"] = np.asarray(image.dataobj)
print("file:", image.header.get_data_dtype())
for name, samples in seen.items():
    print(f"{name}: {samples.dtype}, at 2.0 and 7.3 ppm {heights(samples)}")
print("warnings:", [str(one.message) for one in first], "then", len(second))
if any(heights(seen[name])[1] > 0.05 for name in ("get_fdata(dtype=complex)", "dataobj")):
    sys.exit("The other two ways no longer give the line: this comparison has lost its ground.")
half = [heights(seen[name]) for name in ("get_fdata()", "get_fdata() again")]
if half[0] != half[1] or not np.allclose(half, 0.5, atol=0.03) or len(first) != 1 or second:
    sys.exit("nibabel has changed: get_fdata() keeps complex samples, or warns of it otherwise.")
print("One line has become two.")
PYTHON
