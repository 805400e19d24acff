#!/usr/bin/env bash
# pyAMARES 0.3.28: a NIfTI-MRS file is read at 0.0001277 MHz, mirrored, and without its begin time.
# Guess: read_nifti() returns MHz, spectral width, begin time and the FID as initialize_FID() wants
#   them: header.MHz is 127.7, and with the carrier at 4.65 a line at 2.0 ppm is at 2.0.
# Found: SpectrometerFrequency, which is in MHz, is taken for Hz: the ppm axis reaches eight million
#   ppm to each side. The FID is not brought to the sign of the package, so that with the frequency
#   mended the line is at 7.3 (flip_axis=True, meant for some GE data, mends that). The key that is
#   asked for is AcqusitionStartTime; AcquisitionStartTime is never found, and initialize_FID() then
#   assumes 200 us. The file must state SpectralWidth, which the standard leaves out at will.
# Matters: it is the open reader of a fitting package that disc studies use. Bounds in ppm times a
#   wrong MHz hold every line within a millihertz of the carrier; after mending that by hand the
#   mirror remains.
# Right: NIfTI-MRS definitions: SpectrometerFrequency in MHz, AcquisitionStartTime in seconds;
#   appendix A for the sign.
# Versions: pyAMARES 0.3.28 with lmfit 1.3.4, numpy 2.4.6, pandas 2.3.3; nifti-mrs 1.4.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check pyAMARES==0.3.28 lmfit==1.3.4 \
  numpy==2.4.6 pandas==2.3.3 matplotlib==3.11.2 nmrglue==0.12 nifti-mrs==1.4.1
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, logging, sys

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs_hdr_ext
from nifti_mrs.hdr_ext import Hdr_Ext
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.validator import validate_nifti_mrs

logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    import pyAMARES

n, dwell, mhz = 2048, 5e-4, 127.7
time = np.arange(n) * dwell
fid = np.exp(-2j * np.pi * (2.0 - 4.65) * mhz * time - 12 * time)
header = Hdr_Ext(mhz, "1H")
header.set_standard_def("SpectralWidth", 1 / dwell)
header.set_standard_def("AcquisitionStartTime", 1.5e-3)
image = gen_nifti_mrs_hdr_ext(fid[None, None, None], dwell, header, no_conj=True)
image.save("disc.nii.gz")
validate_nifti_mrs(NIFTI_MRS("disc.nii.gz"))

read, samples = pyAMARES.read_nifti("disc.nii.gz")
print("read_nifti:", vars(read))


def place(frequency, **options):
    """Place of the line in ppm, and the begin time that is assumed."""
    made = pyAMARES.initialize_FID(samples, MHz=frequency, sw=read.sw, carrier=4.65, **options)
    return round(float(made.ppm[np.argmax(abs(made.spec))]), 1), made


_, raw = place(read.MHz)
mirrored, mended = place(read.MHz * 1e6)
flipped, _ = place(read.MHz * 1e6, flip_axis=True)
print(f"ppm axis with its MHz: {raw.ppm[0]:.3g} to {raw.ppm[-1]:.3g}")
print(f"line at 2.0 ppm, with 127.7 MHz: {mirrored}; with flip_axis: {flipped}")
print(f"begin time: the file says 0.0015 s, used is {mended.deadtime} s")
if not np.isclose(read.MHz, mhz * 1e-6) or hasattr(read, "deadtime"):
    sys.exit("pyAMARES has changed: frequency or begin time are read as the standard has them.")
if (mirrored, flipped, mended.deadtime) != (7.3, 2.0, 2e-4):
    sys.exit("pyAMARES has changed: the sign or the assumed begin time is another.")
print("The file is valid.")
PYTHON
