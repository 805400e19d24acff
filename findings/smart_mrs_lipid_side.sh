#!/usr/bin/env bash
# SMART_MRS 2.1: a lipid line added at 1.3 ppm to a NIfTI-MRS scan stands at 8.0 ppm.
# Guess: with the fids, time and ppm that get_nifti_mrs_data() returns, add_nuisance_peak(...,
#   res_freq=[1.3]) adds a line where the same ppm axis says 1.3.
# Found: the N-acetyl line of the file is read at 2.0, right, but the added line lies at the mirror
#   image about 4.65 ppm, and so does a spurious echo of chemical shift 1.3. The artifacts are made
#   with the other sign than the one in which NIfTI-MRS holds FIDs; none of them takes an axis or a
#   sign. return_nifti_mrs_data() writes the result as a valid file.
# Matters: the package exists to make artifacts for testing and training. Lipid is the artifact of
#   the disc (fat of the marrow, under lactate at 1.3); a method is found robust against a line that
#   was never near lactate.
# Right: NIfTI-MRS 2, appendix A (one sign for all files), as its own ppm axis has it.
# Versions: SMART_MRS 2.1, nifti-mrs 1.4.1, nibabel 5.4.2, scipy 1.17.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  smart-mrs==2.1 nifti-mrs==1.4.1 nibabel==5.4.2 scipy==1.17.1 numpy==2.4.6
cd "$work"
env/bin/python -W ignore - <<'PYTHON'
import contextlib, io, sys

import numpy as np
from nifti_mrs.create_nmrs import gen_nifti_mrs
from nifti_mrs.nifti_mrs import NIFTI_MRS
from nifti_mrs.validator import validate_nifti_mrs
from SMART_MRS.artifacts import add_nuisance_peak, add_spur_echo_artifact
from SMART_MRS.IO import get_nifti_mrs_data, return_nifti_mrs_data
from SMART_MRS.support import to_specs

n, dwell, mhz = 2048, 5e-4, 127.7
time = np.arange(n) * dwell
stored = np.exp(-2j * np.pi * (2.0 - 4.65) * mhz * time - 12 * time)  # as NIfTI-MRS has it
data = np.stack([stored, stored], -1)[None, None, None]
tags = ["DIM_DYN", None, None]
gen_nifti_mrs(data, dwell, mhz, dim_tags=tags, no_conj=True).save("disc.nii.gz")

fids, time, ppm = get_nifti_mrs_data("disc.nii.gz")
lipid = {"peak_type": "L", "amp": [50.0], "width": [0.1], "phase": [0.0], "res_freq": [1.3]}
scan = {"lf": mhz * 1e6, "locs": [0]}
echo = {"amp": [1.0], "cs": [1.3], "phase": [0.0], "t_echo": [0.3], "t2": [0.05]}
peak = add_nuisance_peak(fids.copy(), time, {**lipid, "edited": None}, **scan)[0]
spur = add_spur_echo_artifact(fids.copy(), time, **echo, **scan)[0]


def where(fid):
    return round(float(ppm[np.argmax(abs(to_specs(fid[None])[0]))]), 1)


found = where(fids[0]), where((peak - fids)[0]), where((spur - fids)[0])
print("N-acetyl of the file, lipid at 1.3, echo at 1.3 are found at", found, "ppm")
with contextlib.redirect_stdout(io.StringIO()):
    return_nifti_mrs_data("disc.nii.gz", peak, edited=False)
written = NIFTI_MRS("disc_SMART.nii.gz")
validate_nifti_mrs(written)
added = written.image[:][0, 0, 0, :, 0] - stored
hertz = np.fft.fftfreq(n, dwell)[np.argmax(abs(np.fft.fft(added)))]
print(f"in the file it writes: lipid at {4.65 - hertz / mhz:.1f} ppm")
if found != (2.0, 8.0, 8.0):
    sys.exit("SMART_MRS has changed: artifacts are no longer mirrored on NIfTI-MRS data.")
print("8.0 is 1.3 mirrored about 4.65.")
PYTHON
